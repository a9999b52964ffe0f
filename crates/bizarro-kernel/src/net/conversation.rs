//! Finds the bounds of messages in a conversation of two hosts, by HTTP/1 or by turns.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bizarro_record::Nanos;

use super::addr::Endpoint;
use super::exchange::{Connection, Exchanges, Mark, Piece, Side};
use super::http1::{Method, NotHttp, Parser, Role, may_be_http};

/// What two hosts send each other on one connection.
pub(super) struct Conversation {
    pub(super) client: u16,
    pub(super) server: u16,
    /// `tcp:8080`: the name of exchanges of unknown protocols.
    pub(super) protocol: &'static str,
    pub(super) port: u16,
    /// Index of that name, once it was needed.
    pub(super) turn_name: Option<u32>,
    /// The first sender, of datagrams.
    pub(super) client_end: Endpoint,
    pub(super) exchanges: u32,
    pub(super) mode: Mode,
}

/// How the messages of a connection are told apart.
pub(super) enum Mode {
    Http(Box<Http>),
    Turns(Turns),
}

/// How far two hosts that seem to speak HTTP/1 are.
pub(super) struct Http {
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

/// Whose turn it is.
#[derive(Default)]
pub(super) struct Turns {
    current: Option<u32>,
    is_answered: bool,
}

impl Mode {
    /// HTTP/1 until the bytes say otherwise.
    pub(super) fn http() -> Mode {
        Mode::Http(Box::new(Http {
            requests: Parser::new(),
            replies: Parser::new(),
            current: None,
            unnamed: None,
            waiting: VecDeque::new(),
            has_begun: false,
            is_certain: false,
        }))
    }
}

impl Exchanges {
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
            Err(NotHttp)
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
}
