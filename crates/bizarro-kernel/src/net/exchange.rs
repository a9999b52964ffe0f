//! Tells requests and replies apart in what two hosts send each other.
//!
//! On a stream, HTTP/1, HTTP/2, Redis and PostgreSQL delimit and name them; otherwise a request is what the client sends
//! until the server answers, and the reply what the server sends until the client speaks again (a *turn*). Datagrams
//! between two endpoints are turns likewise. The client is the side that connected, or sent first.
//!
//! This file names and counts the exchanges; the bounds of messages are found in [`super::conversation`], what a fault
//! does to a message is in [`super::fault`], and which of them are one call made again in [`super::attempt`].

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU64;

use bizarro_record::{Exchange, ExchangeId, Nanos, Step};

use super::addr::Endpoint;
use super::conversation::{Conversation, Mode, Turns};
use super::protocol::http2::Span;
use crate::parts::Parts;

/// Where the exchanges of a connection, or of two UDP endpoints, are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Connection(pub(super) u32);

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
    pub(super) exchange: u32,
    pub(super) bits: u8,
}

impl Mark {
    /// Of none.
    pub(super) const NONE: Mark = Mark { exchange: u32::MAX, bits: 0 };
    /// With the message's first byte.
    pub(super) const FIRST: u8 = 1;
    /// With the message's last byte.
    pub(super) const LAST: u8 = 2;
    /// Perhaps with the message's last byte: the protocol does not say.
    pub(super) const OPEN: u8 = 4;
    /// Of the reply.
    pub(super) const REPLY: u8 = 8;
    /// With the first bytes of what the message holds, which faults of validation strike.
    pub(super) const CONTENT: u8 = 16;

    pub(super) fn is_some(self) -> bool {
        self.exchange != u32::MAX
    }
    pub(super) fn is_first(self) -> bool {
        self.bits & Mark::FIRST != 0
    }
    pub(super) fn has_content(self) -> bool {
        self.bits & Mark::CONTENT != 0
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

/// Where in bytes of a message faults of validation strike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Content {
    /// Everywhere.
    Whole,
    /// In a header block of HTTP/2, whose message holds nothing else.
    Headers(Span),
    /// In what a DATA frame of HTTP/2 holds, whose head begins here if it is among the bytes.
    Data { frame: Option<usize>, span: Span },
}

/// Bytes of one message in a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    pub(super) length: usize,
    pub(super) mark: Mark,
    pub(super) content: Content,
}

impl Piece {
    /// Takes in the bytes that follow, if they are of the same message or both of none. Gives whether it did.
    pub(super) fn join(&mut self, next: Piece) -> bool {
        let is_same =
            self.mark.exchange == next.mark.exchange && self.mark.side() == next.mark.side();
        if !is_same || self.mark.has_content() && next.mark.has_content() {
            return false;
        }
        if next.mark.has_content() {
            self.content = next.content.behind(self.length);
        }
        self.length += next.length;
        self.mark.bits |= next.mark.bits;
        true
    }
}

impl Content {
    /// Where it is in so many bytes of its message.
    pub(super) fn span(self, length: usize) -> Span {
        match self {
            Content::Whole => Span { start: 0, end: length },
            Content::Headers(span) | Content::Data { span, .. } => span,
        }
    }

    /// The same where so many bytes stand before it.
    fn behind(self, length: usize) -> Content {
        let moved = |span: Span| Span { start: span.start + length, end: span.end + length };
        match self {
            Content::Whole => Content::Whole,
            Content::Headers(span) => Content::Headers(moved(span)),
            Content::Data { frame, span } => {
                Content::Data { frame: frame.map(|frame| frame + length), span: moved(span) }
            }
        }
    }
}

/// An exchange as it goes on.
pub(super) struct Record {
    pub(super) name: u32,
    ordinal: u32,
    pub(super) connection: u32,
    on_connection: u32,
    /// The one before it on its connection.
    pub(super) previous: Option<u32>,
    pub(super) requested: Nanos,
    delivered: Option<Nanos>,
    replied: Option<Nanos>,
    pub(super) completed: Option<Nanos>,
    pub(super) request_bytes: u64,
    pub(super) reply_bytes: u64,
    server_calls: u32,
    server_disk_writes: u32,
    client_disk_writes: u32,
    pub(super) status: Option<u16>,
    /// Hash of what is asked for, once all of it was sent.
    pub(super) body: Option<NonZeroU64>,
    /// The reply says that it was not done.
    pub(super) is_refused: bool,
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
    /// The first bytes of the last request, where requests are kept.
    last_request: Option<Vec<u8>>,
}

/// All exchanges of a run.
pub(super) struct Exchanges {
    hosts: Vec<String>,
    names: Vec<Name>,
    by_name: BTreeMap<(u16, u16), BTreeMap<String, u32>>,
    pub(super) records: Parts<Record>,
    /// Conversations that go on, in places that are used again.
    pub(super) conversations: Vec<Conversation>,
    /// Places that are free.
    pub(super) unused: Vec<u32>,
    /// How many conversations there have been.
    conversed: u32,
    /// Exchanges that were given up, and when: with their streams, while the others of their connections were not, or with
    /// connections of which nothing is left.
    pub(super) given_up: BTreeMap<u32, Nanos>,
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
            records: Parts::default(),
            conversations: Vec::new(),
            unused: Vec::new(),
            conversed: 0,
            given_up: BTreeMap::new(),
            flows: BTreeMap::new(),
            pieces: Vec::new(),
        }
    }

    /// Begins to listen to a TCP connection.
    pub(super) fn connection(&mut self, client: u16, server: u16, port: u16) -> Connection {
        self.converse(client, server, "tcp", port, Endpoint::ANY, Mode::fresh())
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
        self.conversed += 1;
        let conversation = Conversation {
            number: self.conversed,
            ends: 0,
            client,
            server,
            protocol,
            port,
            turn_name: None,
            client_end,
            exchanges: 0,
            last: None,
            mode,
            broken: None,
        };
        if let Some(place) = self.unused.pop() {
            self.conversations[place as usize] = conversation;
            return Connection(place);
        }
        self.conversations.push(conversation);
        Connection(self.conversations.len() as u32 - 1)
    }

    /// Which side of a conversation in datagrams sends from `from`.
    pub(super) fn side(&self, connection: Connection, from: Endpoint) -> Side {
        let client = self.conversations[connection.0 as usize].client_end;
        if client == from { Side::Client } else { Side::Server }
    }

    pub(super) fn turn_name(&mut self, connection: Connection) -> u32 {
        let conversation = &self.conversations[connection.0 as usize];
        if let Some(name) = conversation.turn_name {
            return name;
        }
        let text = format!("{}:{}", conversation.protocol, conversation.port);
        let name = self.intern(connection, text);
        self.conversations[connection.0 as usize].turn_name = Some(name);
        name
    }

    pub(super) fn intern(&mut self, connection: Connection, text: String) -> u32 {
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
        self.names.push(Name { id, client, server, count: 0, last_request: None });
        names.insert(text, new);
        new
    }

    pub(super) fn begin(&mut self, connection: Connection, name: u32, now: Nanos) -> u32 {
        let new = self.records.len() as u32;
        let conversation = &mut self.conversations[connection.0 as usize];
        conversation.exchanges += 1;
        let previous = conversation.last.replace(new);
        self.completed[usize::from(conversation.client)] = None;
        let names = &mut self.names[name as usize];
        names.count += 1;
        self.records.push(Record {
            name,
            ordinal: names.count,
            connection: conversation.number,
            on_connection: conversation.exchanges,
            previous,
            requested: now,
            delivered: None,
            replied: None,
            completed: None,
            request_bytes: 0,
            reply_bytes: 0,
            server_calls: 0,
            server_disk_writes: 0,
            client_disk_writes: 0,
            status: None,
            body: None,
            is_refused: false,
            asked: 0,
            is_deadly: false,
        });
        new
    }

    pub(super) fn answered(&mut self, exchange: u32, now: Nanos) {
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

    /// The hosts of its client and its server.
    pub(super) fn ends(&self, mark: Mark) -> (u16, u16) {
        let record = &self.records[mark.exchange as usize];
        let id = &self.names[record.name as usize].id;
        let place = |name: &String| self.hosts.iter().position(|host| host == name);
        let place = |name| place(name).expect("an exchange is between hosts of the world") as u16;
        (place(&id.client), place(&id.server))
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
        // Written by hand, because every message between two hosts has a label.
        let mut label = String::with_capacity(name.len() + 18);
        label.push_str(name);
        label.push_str(" #");
        let mut scale = 10_u32.pow(record.ordinal.checked_ilog10().unwrap_or(0));
        while scale > 0 {
            label.push(char::from(b'0' + (record.ordinal / scale % 10) as u8));
            scale /= 10;
        }
        if mark.side() == Side::Server {
            label.push_str(" reply");
        }
        label
    }

    /// A process of `host` begins a system call.
    #[inline]
    pub(super) fn call_begun(&mut self, host: u16) {
        for exchange in &self.serving[usize::from(host)] {
            self.records[*exchange as usize].server_calls += 1;
        }
    }

    /// Keeps the bytes of a request for the next one of its name; gives those that were kept.
    pub(super) fn keep_request(&mut self, mark: Mark, bytes: &[u8]) -> Option<Vec<u8>> {
        let name = &mut self.names[self.records[mark.exchange as usize].name as usize];
        name.last_request.replace(bytes.to_vec())
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
        let exchange = |(record, attempt): (&Record, u32)| {
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
                server_calls: record.server_calls,
                server_disk_writes: record.server_disk_writes,
                client_disk_writes: record.client_disk_writes,
                status: record.status,
                attempt,
            }
        };
        self.records.iter().zip(self.attempts()).map(exchange).collect()
    }

    /// The process of `host` is gone: it answers nothing any more.
    pub(super) fn process_is_gone(&mut self, host: u16) {
        self.serving[usize::from(host)].clear();
    }

    /// How long the tables are, without what the record is made of.
    #[cfg(test)]
    pub(super) fn lengths(&self) -> Vec<(&'static str, usize)> {
        alloc::vec![
            ("conversations", self.conversations.len()),
            ("unused conversations", self.unused.len()),
            ("flows", self.flows.len()),
            ("requests being served", self.serving.iter().map(Vec::len).sum()),
        ]
    }

    /// Forgets the exchanges: nothing follows.
    pub(super) fn forget(&mut self) {
        self.serving.iter_mut().for_each(Vec::clear);
        self.completed.fill(None);
        self.records = Parts::default();
        self.names = Vec::new();
        self.by_name = BTreeMap::new();
        self.given_up = BTreeMap::new();
    }
}
