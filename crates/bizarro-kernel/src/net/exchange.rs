//! Tells requests and replies apart in what two hosts send each other.
//!
//! On a stream, HTTP/1 delimits and names them; otherwise a request is what the client sends until the server
//! answers, and the reply what the server sends until the client speaks again (a *turn*). Datagrams between
//! two endpoints are turns likewise. The client is the side that connected, or sent first.
//!
//! It only listens: what a fault does to a message is in [`super::fault`].

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bizarro_record::{Exchange, ExchangeId, Nanos, Step};

use super::addr::Endpoint;
use super::http1::{Method, Parser, Role, may_be_http};

/// Where the exchanges of a connection, or of two UDP endpoints, are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Connection(u32);

impl Connection {
    pub(super) const NONE: Connection = Connection(u32::MAX);
}

/// Which end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Client,
    Server,
}

/// Which part of which message some bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mark {
    exchange: u32,
    bits: u8,
}

impl Mark {
    /// Of none.
    pub(super) const NONE: Mark = Mark { exchange: u32::MAX, bits: 0 };
    /// With the message's first byte.
    const FIRST: u8 = 1;
    /// With the message's last byte.
    const LAST: u8 = 2;
    /// Perhaps with the message's last byte: the protocol does not say.
    const OPEN: u8 = 4;
    /// Of the reply.
    const REPLY: u8 = 8;

    pub(super) fn is_some(self) -> bool {
        self.exchange != u32::MAX
    }
    pub(super) fn is_first(self) -> bool {
        self.bits & Mark::FIRST != 0
    }
    pub(super) fn is_last(self) -> bool {
        self.bits & Mark::LAST != 0
    }
    pub(super) fn is_open(self) -> bool {
        self.bits & Mark::OPEN != 0
    }
    pub(super) fn side(self) -> Side {
        if self.bits & Mark::REPLY != 0 { Side::Server } else { Side::Client }
    }
}

/// Bytes of one message in a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    pub(super) length: usize,
    pub(super) mark: Mark,
}

/// An exchange as it goes on.
struct Record {
    name: u32,
    ordinal: u32,
    connection: u32,
    on_connection: u32,
    requested: Nanos,
    delivered: Option<Nanos>,
    replied: Option<Nanos>,
    completed: Option<Nanos>,
    request_bytes: u64,
    reply_bytes: u64,
    server_disk_writes: u32,
    client_disk_writes: u32,
    status: Option<u16>,
    /// Bit `step`: the decider was asked.
    asked: u8,
    /// The server crashes when the request is delivered.
    is_deadly: bool,
}

/// All exchanges of one client, server and name.
struct Name {
    /// With the ordinal of the exchange that was last asked about.
    id: ExchangeId,
    client: u16,
    server: u16,
    count: u32,
}

/// How the messages of a connection are told apart.
enum Mode {
    Http(alloc::boxed::Box<Http>),
    Turns(Turns),
}

struct Http {
    requests: Parser,
    replies: Parser,
    /// The request that is being sent, once it has a name.
    current: Option<u32>,
    /// Bytes of it that were sent before, and when the first one was.
    unnamed: Option<(u64, Nanos)>,
    /// Requests whose replies have not ended, oldest first.
    waiting: VecDeque<(u32, Method)>,
    /// The first byte of the oldest one's reply was sent.
    has_begun: bool,
    /// A request was named: it is HTTP indeed.
    is_certain: bool,
}

#[derive(Default)]
struct Turns {
    current: Option<u32>,
    is_answered: bool,
}

struct Conversation {
    client: u16,
    server: u16,
    /// `tcp:8080`: the name of exchanges of unknown protocols.
    protocol: &'static str,
    port: u16,
    /// Index of that name, once it was needed.
    turn_name: Option<u32>,
    /// The first sender, of datagrams.
    client_end: Endpoint,
    exchanges: u32,
    mode: Mode,
}

/// All exchanges of a run.
pub(super) struct Exchanges {
    hosts: Vec<String>,
    names: Vec<Name>,
    by_name: BTreeMap<(u16, u16), BTreeMap<String, u32>>,
    records: Vec<Record>,
    conversations: Vec<Conversation>,
    /// Conversations in datagrams, by their two ends, the smaller first.
    flows: BTreeMap<(Endpoint, Endpoint), Connection>,
    /// Per host: requests that it has and has not answered.
    serving: Vec<Vec<u32>>,
    /// Per host: the exchange that it completed last, until its next request.
    completed: Vec<Option<u32>>,
    /// A list that is used again and again.
    pub(super) pieces: Vec<Piece>,
}

impl Exchanges {
    pub(super) fn new(hosts: Vec<String>) -> Exchanges {
        Exchanges {
            serving: hosts.iter().map(|_| Vec::new()).collect(),
            completed: alloc::vec![None; hosts.len()],
            hosts,
            names: Vec::new(),
            by_name: BTreeMap::new(),
            records: Vec::new(),
            conversations: Vec::new(),
            flows: BTreeMap::new(),
            pieces: Vec::new(),
        }
    }

    /// Begins to listen to a TCP connection.
    pub(super) fn connection(&mut self, client: u16, server: u16, port: u16) -> Connection {
        let http = Http {
            requests: Parser::new(),
            replies: Parser::new(),
            current: None,
            unnamed: None,
            waiting: VecDeque::new(),
            has_begun: false,
            is_certain: false,
        };
        let mode = Mode::Http(alloc::boxed::Box::new(http));
        self.converse(client, server, "tcp", port, Endpoint::ANY, mode)
    }

    /// The conversation between two UDP endpoints of different hosts; it begins if there is none.
    pub(super) fn flow(
        &mut self,
        (from_host, from): (u16, Endpoint),
        (to_host, to): (u16, Endpoint),
    ) -> Connection {
        let key = if from < to { (from, to) } else { (to, from) };
        if let Some(known) = self.flows.get(&key) {
            return *known;
        }
        let mode = Mode::Turns(Turns::default());
        let new = self.converse(from_host, to_host, "udp", to.port, from, mode);
        self.flows.insert(key, new);
        new
    }

    fn converse(
        &mut self,
        client: u16,
        server: u16,
        protocol: &'static str,
        port: u16,
        client_end: Endpoint,
        mode: Mode,
    ) -> Connection {
        self.conversations.push(Conversation {
            client,
            server,
            protocol,
            port,
            turn_name: None,
            client_end,
            exchanges: 0,
            mode,
        });
        Connection(self.conversations.len() as u32 - 1)
    }

    /// Which side of a conversation in datagrams sends from `from`.
    pub(super) fn side(&self, connection: Connection, from: Endpoint) -> Side {
        let client = self.conversations[connection.0 as usize].client_end;
        if client == from { Side::Client } else { Side::Server }
    }

    /// One side sends `bytes`: appends to `pieces` which messages they belong to, in order.
    pub(super) fn sent(
        &mut self,
        connection: Connection,
        side: Side,
        bytes: &[u8],
        now: Nanos,
        pieces: &mut Vec<Piece>,
    ) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let piece = match (&mut self.conversations[connection.0 as usize].mode, side) {
                (Mode::Turns(_), Side::Client) => self.turn_request(connection, rest, now),
                (Mode::Turns(_), Side::Server) => self.turn_reply(connection, rest, now),
                (Mode::Http(_), Side::Client) => self.http_request(connection, rest, now),
                (Mode::Http(_), Side::Server) => self.http_reply(connection, rest, now),
            };
            rest = &rest[piece.length..];
            if piece.length > 0 {
                pieces.push(piece);
            }
        }
    }

    fn turn_request(&mut self, connection: Connection, bytes: &[u8], now: Nanos) -> Piece {
        let Mode::Turns(turns) = &self.conversations[connection.0 as usize].mode else {
            return Piece { length: 0, mark: Mark::NONE };
        };
        let mut bits = Mark::OPEN;
        let exchange = match turns.current {
            Some(current) if !turns.is_answered => current,
            _ => {
                bits |= Mark::FIRST;
                let name = self.turn_name(connection);
                self.begin(connection, name, now)
            }
        };
        self.conversations[connection.0 as usize].mode =
            Mode::Turns(Turns { current: Some(exchange), is_answered: false });
        self.records[exchange as usize].request_bytes += bytes.len() as u64;
        Piece { length: bytes.len(), mark: Mark { exchange, bits } }
    }

    fn turn_reply(&mut self, connection: Connection, bytes: &[u8], now: Nanos) -> Piece {
        let whole = |mark| Piece { length: bytes.len(), mark };
        let Mode::Turns(turns) = &mut self.conversations[connection.0 as usize].mode else {
            return Piece { length: 0, mark: Mark::NONE };
        };
        let Some(exchange) = turns.current else { return whole(Mark::NONE) };
        let mut bits = Mark::OPEN | Mark::REPLY;
        if !turns.is_answered {
            turns.is_answered = true;
            bits |= Mark::FIRST;
            self.answered(exchange, now);
        }
        self.records[exchange as usize].reply_bytes += bytes.len() as u64;
        whole(Mark { exchange, bits })
    }

    fn http_request(&mut self, connection: Connection, bytes: &[u8], now: Nanos) -> Piece {
        let Mode::Http(http) = &mut self.conversations[connection.0 as usize].mode else {
            return Piece { length: 0, mark: Mark::NONE };
        };
        let is_fresh = !http.is_certain && http.requests.is_between();
        let progress = if is_fresh && !may_be_http(bytes) {
            Err(super::http1::NotHttp)
        } else {
            http.requests.read(Role::Request, bytes)
        };
        let Ok(progress) = progress else {
            self.give_up_http(connection);
            return Piece { length: 0, mark: Mark::NONE };
        };
        let method = http.requests.method;
        let mut bits = if progress.ended { Mark::LAST } else { 0 };
        let exchange = match (http.current, &http.requests.name) {
            (Some(current), _) => current,
            (None, None) => {
                let (before, since) = http.unnamed.unwrap_or((0, now));
                http.unnamed = Some((before + progress.used as u64, since));
                return Piece { length: progress.used, mark: Mark::NONE };
            }
            (None, Some(name)) => {
                let name = name.clone();
                let unnamed = http.unnamed.take();
                http.is_certain = true;
                bits |= Mark::FIRST;
                let name = self.intern(connection, name);
                let (before, since) = unnamed.unwrap_or((0, now));
                let exchange = self.begin(connection, name, since);
                self.records[exchange as usize].request_bytes = before;
                if let Mode::Http(http) = &mut self.conversations[connection.0 as usize].mode {
                    http.waiting.push_back((exchange, method));
                }
                exchange
            }
        };
        if let Mode::Http(http) = &mut self.conversations[connection.0 as usize].mode {
            http.current = if progress.ended { None } else { Some(exchange) };
        }
        self.records[exchange as usize].request_bytes += progress.used as u64;
        Piece { length: progress.used, mark: Mark { exchange, bits } }
    }

    fn http_reply(&mut self, connection: Connection, bytes: &[u8], now: Nanos) -> Piece {
        let Mode::Http(http) = &mut self.conversations[connection.0 as usize].mode else {
            return Piece { length: 0, mark: Mark::NONE };
        };
        let Some((exchange, method)) = http.waiting.front().copied() else {
            // The server speaks although nothing was asked: a greeting, or a request that never got a name.
            if !http.is_certain {
                self.give_up_http(connection);
                return Piece { length: 0, mark: Mark::NONE };
            }
            return Piece { length: bytes.len(), mark: Mark::NONE };
        };
        let Ok(progress) = http.replies.read(Role::Reply(method), bytes) else {
            self.give_up_http(connection);
            return Piece { length: 0, mark: Mark::NONE };
        };
        let mut bits = Mark::REPLY;
        let begins = !core::mem::replace(&mut http.has_begun, true);
        let status = http.replies.status;
        let is_interim = status.is_some_and(|status| status / 100 == 1 && status != 101);
        let is_tunnel = http.replies.is_tunnel();
        if progress.ended && !is_interim {
            bits |= Mark::LAST;
            http.waiting.pop_front();
            http.has_begun = false;
        }
        if is_tunnel {
            bits |= Mark::LAST;
            self.conversations[connection.0 as usize].mode = Mode::Turns(Turns::default());
        }
        if begins {
            bits |= Mark::FIRST;
            self.answered(exchange, now);
        }
        let record = &mut self.records[exchange as usize];
        record.status = status.or(record.status);
        record.reply_bytes += progress.used as u64;
        Piece { length: progress.used, mark: Mark { exchange, bits } }
    }

    /// It is not HTTP after all. An exchange that is under way goes on as a turn.
    fn give_up_http(&mut self, connection: Connection) {
        let Mode::Http(http) = &mut self.conversations[connection.0 as usize].mode else { return };
        let current = http.waiting.front().map(|(exchange, _)| *exchange);
        let mut turns = Turns { current, is_answered: current.is_some() && http.has_begun };
        if let (None, Some((bytes, since))) = (current, http.unnamed) {
            let name = self.turn_name(connection);
            let exchange = self.begin(connection, name, since);
            self.records[exchange as usize].request_bytes = bytes;
            turns.current = Some(exchange);
        }
        self.conversations[connection.0 as usize].mode = Mode::Turns(turns);
    }

    /// One side finishes: where that ends a message, the mark for its end.
    pub(super) fn closing(&mut self, connection: Connection, side: Side) -> Mark {
        let Some(conversation) = self.conversations.get_mut(connection.0 as usize) else {
            return Mark::NONE;
        };
        match &mut conversation.mode {
            Mode::Http(http) if side == Side::Server && http.replies.ends_with_connection() => {
                match http.waiting.pop_front() {
                    Some((exchange, _)) => Mark { exchange, bits: Mark::REPLY | Mark::LAST },
                    None => Mark::NONE,
                }
            }
            _ => Mark::NONE,
        }
    }

    /// The connection is gone: what was kept for reading its messages is dropped.
    pub(super) fn over(&mut self, connection: Connection) {
        if let Some(conversation) = self.conversations.get_mut(connection.0 as usize) {
            conversation.mode = Mode::Turns(Turns::default());
        }
    }

    fn turn_name(&mut self, connection: Connection) -> u32 {
        let conversation = &self.conversations[connection.0 as usize];
        if let Some(name) = conversation.turn_name {
            return name;
        }
        let text = format!("{}:{}", conversation.protocol, conversation.port);
        let name = self.intern(connection, text);
        self.conversations[connection.0 as usize].turn_name = Some(name);
        name
    }

    fn intern(&mut self, connection: Connection, text: String) -> u32 {
        let conversation = &self.conversations[connection.0 as usize];
        let (client, server) = (conversation.client, conversation.server);
        let names = self.by_name.entry((client, server)).or_default();
        if let Some(known) = names.get(&text) {
            return *known;
        }
        let new = self.names.len() as u32;
        let id = ExchangeId {
            client: self.hosts[usize::from(client)].clone(),
            server: self.hosts[usize::from(server)].clone(),
            name: text.clone(),
            ordinal: 0,
        };
        self.names.push(Name { id, client, server, count: 0 });
        names.insert(text, new);
        new
    }

    fn begin(&mut self, connection: Connection, name: u32, now: Nanos) -> u32 {
        let conversation = &mut self.conversations[connection.0 as usize];
        conversation.exchanges += 1;
        let on_connection = conversation.exchanges;
        self.completed[usize::from(conversation.client)] = None;
        let names = &mut self.names[name as usize];
        names.count += 1;
        self.records.push(Record {
            name,
            ordinal: names.count,
            connection: connection.0 + 1,
            on_connection,
            requested: now,
            delivered: None,
            replied: None,
            completed: None,
            request_bytes: 0,
            reply_bytes: 0,
            server_disk_writes: 0,
            client_disk_writes: 0,
            status: None,
            asked: 0,
            is_deadly: false,
        });
        self.records.len() as u32 - 1
    }

    fn answered(&mut self, exchange: u32, now: Nanos) {
        let record = &mut self.records[exchange as usize];
        record.replied = Some(now);
        let server = self.names[record.name as usize].server;
        self.serving[usize::from(server)].retain(|other| *other != exchange);
    }

    /// The bytes with this mark are at the other end, and with them the whole message, as far as it was sent.
    pub(super) fn arrived(&mut self, mark: Mark, now: Nanos) {
        let (client, server) = self.hosts_of(mark);
        let record = &mut self.records[mark.exchange as usize];
        match mark.side() {
            Side::Client => {
                record.delivered = Some(now);
                let serving = &mut self.serving[usize::from(server)];
                if record.replied.is_none() && !serving.contains(&mark.exchange) {
                    serving.push(mark.exchange);
                }
            }
            Side::Server => {
                record.completed = Some(now);
                self.completed[usize::from(client)] = Some(mark.exchange);
            }
        }
    }

    /// Client and server.
    pub(super) fn hosts_of(&self, mark: Mark) -> (u16, u16) {
        let name = &self.names[self.records[mark.exchange as usize].name as usize];
        (name.client, name.server)
    }

    /// The exchange's id, if `step` has not been asked about yet; from now on it has.
    pub(super) fn ask(&mut self, mark: Mark, step: Step) -> Option<&ExchangeId> {
        let record = &mut self.records[mark.exchange as usize];
        let bit = 1 << step as u8;
        if record.asked & bit != 0 {
            return None;
        }
        record.asked |= bit;
        Some(self.id(mark))
    }

    /// The exchange's id.
    pub(super) fn id(&mut self, mark: Mark) -> &ExchangeId {
        let record = &self.records[mark.exchange as usize];
        let name = &mut self.names[record.name as usize];
        name.id.ordinal = record.ordinal;
        &name.id
    }

    /// The server dies of this request as soon as it is delivered.
    pub(super) fn make_deadly(&mut self, mark: Mark) {
        self.records[mark.exchange as usize].is_deadly = true;
    }

    /// Whether the server dies of this request; only once.
    pub(super) fn take_deadly(&mut self, mark: Mark) -> bool {
        core::mem::take(&mut self.records[mark.exchange as usize].is_deadly)
    }

    /// What the observer calls the message: `POST /move #3`, and its reply `POST /move #3 reply`.
    pub(super) fn label(&self, mark: Mark) -> String {
        let record = &self.records[mark.exchange as usize];
        let name = &self.names[record.name as usize].id.name;
        match mark.side() {
            Side::Client => format!("{name} #{}", record.ordinal),
            Side::Server => format!("{name} #{} reply", record.ordinal),
        }
    }

    /// `host` wrote to its disk.
    pub(super) fn disk_written(&mut self, host: u16) {
        for exchange in &self.serving[usize::from(host)] {
            self.records[*exchange as usize].server_disk_writes += 1;
        }
        if let Some(exchange) = self.completed[usize::from(host)] {
            self.records[exchange as usize].client_disk_writes += 1;
        }
    }

    /// All of them, in the order of their requests.
    pub(super) fn all(&self) -> Vec<Exchange> {
        let exchange = |record: &Record| {
            let id = &self.names[record.name as usize].id;
            Exchange {
                id: ExchangeId { ordinal: record.ordinal, ..id.clone() },
                connection: record.connection,
                on_connection: record.on_connection,
                requested: record.requested,
                delivered: record.delivered,
                replied: record.replied,
                completed: record.completed,
                request_bytes: record.request_bytes,
                reply_bytes: record.reply_bytes,
                server_disk_writes: record.server_disk_writes,
                client_disk_writes: record.client_disk_writes,
                status: record.status,
            }
        };
        self.records.iter().map(exchange).collect()
    }
}
