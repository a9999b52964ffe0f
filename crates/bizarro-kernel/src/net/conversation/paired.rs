//! Messages of protocols in which each request has one reply, in the order of the requests: HTTP/1, Redis, PostgreSQL.

use alloc::collections::VecDeque;
use alloc::string::String;
use core::num::NonZeroU64;

use bizarro_record::Nanos;

use super::super::exchange::{Connection, Content, Exchanges, Mark, Piece};
use super::super::protocol::{Alien, Asked, Part, Progress, http1, postgres, redis};
use super::turns::{self, Turns};
use super::{AGAIN, Mode};

/// How far two hosts are.
pub(in crate::net) struct Paired {
    dialect: Dialect,
    /// The request that is being sent, once it has a name.
    current: Option<u32>,
    /// Bytes of it that were sent before, and when the first one was.
    unnamed: Option<(u64, Nanos)>,
    /// Requests whose replies have not ended, oldest first.
    waiting: VecDeque<(u32, Asked)>,
    /// The first byte of the oldest one's reply was sent.
    has_begun: bool,
    /// The request that ended last.
    last: Option<u32>,
}

/// What they speak: requests and replies.
enum Dialect {
    Http1(http1::Parser, http1::Parser),
    Redis(redis::Requests, redis::Replies),
    Postgres(postgres::Requests, postgres::Replies),
}

/// How a reply stands.
struct Reply {
    progress: Progress,
    status: Option<u16>,
    is_refusal: bool,
    /// It is the last one: no pairs follow.
    is_last: bool,
}

impl Dialect {
    fn read_request(&mut self, bytes: &[u8]) -> Result<Progress, Alien> {
        match self {
            Dialect::Http1(requests, _) => requests.read(http1::Role::Request, bytes),
            Dialect::Redis(requests, _) => requests.read(bytes),
            Dialect::Postgres(requests, _) => requests.read(bytes),
        }
    }

    fn name(&self) -> Option<&String> {
        match self {
            Dialect::Http1(requests, _) => requests.name.as_ref(),
            Dialect::Redis(requests, _) => requests.name.as_ref(),
            Dialect::Postgres(requests, _) => requests.name.as_ref(),
        }
    }

    fn asked(&self) -> Asked {
        match self {
            Dialect::Http1(requests, _) => requests.asked,
            Dialect::Redis(..) => Asked::Plain,
            Dialect::Postgres(requests, _) => requests.asked,
        }
    }

    /// The hash of what the current request asks for.
    fn body(&self) -> NonZeroU64 {
        match self {
            Dialect::Http1(requests, _) => requests.digest.value(),
            Dialect::Redis(requests, _) => requests.digest.value(),
            Dialect::Postgres(requests, _) => requests.digest.value(),
        }
    }

    /// No pairs follow the last request.
    fn ends_pairs(&self) -> bool {
        matches!(self, Dialect::Redis(requests, _) if requests.ends_pairs())
    }

    /// Reads of the reply to a request that asked so.
    fn read_reply(&mut self, asked: Asked, bytes: &[u8]) -> Result<Reply, Alien> {
        match self {
            Dialect::Http1(_, replies) => {
                let mut progress = replies.read(http1::Role::Reply(asked), bytes)?;
                let status = replies.status;
                let is_last = replies.is_tunnel();
                let is_interim = status.is_some_and(|status| status / 100 == 1 && status != 101);
                progress.ended = is_last || progress.ended && !is_interim;
                let is_refusal = status.is_some_and(|status| status >= 400);
                Ok(Reply { progress, status, is_refusal, is_last })
            }
            Dialect::Redis(_, replies) => {
                let progress = replies.read(bytes)?;
                let is_refusal = replies.is_refusal;
                Ok(Reply { progress, status: None, is_refusal, is_last: false })
            }
            Dialect::Postgres(_, replies) => {
                let progress = replies.read(Some(asked), bytes)?;
                let (is_refusal, is_last) = (replies.is_refusal, replies.is_encrypted);
                Ok(Reply { progress, status: None, is_refusal, is_last })
            }
        }
    }

    /// Reads what a server says although nothing was asked. Gives how many bytes.
    fn read_unasked(&mut self, bytes: &[u8]) -> Result<usize, Alien> {
        let progress = match self {
            // Such as 408 on an idle connection.
            Dialect::Http1(..) => return Ok(bytes.len()),
            Dialect::Redis(_, replies) => replies.read(bytes)?,
            Dialect::Postgres(_, replies) => replies.read(None, bytes)?,
        };
        if progress.part == Part::Aside { Ok(progress.used) } else { Err(Alien) }
    }
}

impl Paired {
    fn new(dialect: Dialect) -> Paired {
        Paired {
            dialect,
            current: None,
            unnamed: None,
            waiting: VecDeque::new(),
            has_begun: false,
            last: None,
        }
    }

    pub(super) fn http1() -> Paired {
        Paired::new(Dialect::Http1(http1::Parser::new(), http1::Parser::new()))
    }

    pub(super) fn redis() -> Paired {
        Paired::new(Dialect::Redis(redis::Requests::default(), redis::Replies::default()))
    }

    pub(super) fn postgres() -> Paired {
        Paired::new(Dialect::Postgres(postgres::Requests::new(), postgres::Replies::default()))
    }

    /// The exchange whose reply ends with the connection.
    pub(super) fn ended_by_close(&mut self) -> Option<u32> {
        let Dialect::Http1(_, replies) = &self.dialect else { return None };
        if !replies.ends_with_connection() {
            return None;
        }
        self.waiting.pop_front().map(|(exchange, _)| exchange)
    }
}

/// Bytes of no message.
fn aside(length: usize) -> Piece {
    Piece { length, ..AGAIN }
}

impl Exchanges {
    pub(super) fn paired_request(
        &mut self,
        connection: Connection,
        bytes: &[u8],
        now: Nanos,
    ) -> Piece {
        let Mode::Paired(paired) = self.mode(connection) else { return AGAIN };
        let Ok(progress) = paired.dialect.read_request(bytes) else {
            self.give_up_pairs(connection);
            return AGAIN;
        };
        let length = progress.used;
        match progress.part {
            Part::Message => {}
            Part::Aside => {
                paired.unnamed = None;
                return aside(length);
            }
            Part::Tail => {
                let (before, _) = paired.unnamed.take().unwrap_or((0, now));
                let Some(exchange) = paired.last else { return aside(length) };
                self.records[exchange as usize].request_bytes += before + length as u64;
                return Piece { mark: Mark { exchange, bits: 0 }, ..aside(length) };
            }
        }
        let mut bits = if progress.ended { Mark::LAST } else { 0 };
        let exchange = match (paired.current, paired.dialect.name()) {
            (Some(current), _) => current,
            (None, None) => {
                let (before, since) = paired.unnamed.unwrap_or((0, now));
                paired.unnamed = Some((before + length as u64, since));
                return aside(length);
            }
            (None, Some(name)) => {
                let (name, asked) = (name.clone(), paired.dialect.asked());
                let (before, since) = paired.unnamed.take().unwrap_or((0, now));
                bits |= Mark::FIRST | Mark::CONTENT;
                let name = self.intern(connection, name);
                let exchange = self.begin(connection, name, since);
                self.records[exchange as usize].request_bytes = before;
                if let Mode::Paired(paired) = self.mode(connection) {
                    paired.waiting.push_back((exchange, asked));
                }
                exchange
            }
        };
        let Mode::Paired(paired) = self.mode(connection) else { return AGAIN };
        paired.current = if progress.ended { None } else { Some(exchange) };
        let mut body = None;
        if progress.ended {
            paired.last = Some(exchange);
            body = Some(paired.dialect.body());
            if paired.dialect.ends_pairs() {
                let turn = (exchange, turns::Progress::Asked);
                *self.mode(connection) = Mode::Turns(Turns::with(Some(turn)));
            }
        }
        let record = &mut self.records[exchange as usize];
        record.body = body;
        record.request_bytes += length as u64;
        Piece { length, mark: Mark { exchange, bits }, content: Content::Whole }
    }

    pub(super) fn paired_reply(
        &mut self,
        connection: Connection,
        bytes: &[u8],
        now: Nanos,
    ) -> Piece {
        let Mode::Paired(paired) = self.mode(connection) else { return AGAIN };
        let Some((exchange, asked)) = paired.waiting.front().copied() else {
            // A greeting, or the answer to a request that never got a name, where nothing was asked before.
            let is_known = paired.last.is_some() || paired.current.is_some();
            return match paired.dialect.read_unasked(bytes) {
                Ok(length) if is_known => aside(length),
                _ => {
                    self.give_up_pairs(connection);
                    AGAIN
                }
            };
        };
        let Ok(reply) = paired.dialect.read_reply(asked, bytes) else {
            self.give_up_pairs(connection);
            return AGAIN;
        };
        let length = reply.progress.used;
        if reply.progress.part != Part::Message {
            return aside(length);
        }
        let mut bits = Mark::REPLY;
        let begins = !core::mem::replace(&mut paired.has_begun, true);
        if reply.progress.ended {
            bits |= Mark::LAST;
            paired.waiting.pop_front();
            paired.has_begun = false;
        }
        if reply.is_last && reply.progress.ended {
            *self.mode(connection) = Mode::Turns(Turns::default());
        }
        if begins {
            bits |= Mark::FIRST | Mark::CONTENT;
            self.answered(exchange, now);
        }
        let record = &mut self.records[exchange as usize];
        record.status = reply.status.or(record.status);
        record.is_refused = reply.is_refusal;
        record.reply_bytes += length as u64;
        Piece { length, mark: Mark { exchange, bits }, content: Content::Whole }
    }

    /// It is another protocol after all. An exchange that is under way goes on as a turn.
    fn give_up_pairs(&mut self, connection: Connection) {
        let Mode::Paired(paired) = self.mode(connection) else { return };
        let progress =
            if paired.has_begun { turns::Progress::Answered } else { turns::Progress::Asked };
        let mut current = paired.waiting.front().map(|(exchange, _)| (*exchange, progress));
        if let (None, Some((bytes, since))) = (current, paired.unnamed) {
            let name = self.turn_name(connection);
            let exchange = self.begin(connection, name, since);
            self.records[exchange as usize].request_bytes = bytes;
            current = Some((exchange, turns::Progress::Asked));
        }
        *self.mode(connection) = Mode::Turns(Turns::with(current));
    }
}
