//! Finds the bounds of messages in a conversation of two hosts: by the protocol that they speak, where it is a known
//! one, and else by turns.
//!
//! What the bytes say is read in [`super::protocol`]. Here it becomes exchanges, by three ways of telling them apart:
//! in pairs ([`paired`]: a reply for each request, in order), in streams ([`streams`]: many at a time), and in turns.

mod paired;
mod streams;
mod turns;

use alloc::boxed::Box;
use alloc::vec::Vec;

use bizarro_record::Nanos;

use super::addr::Endpoint;
use super::exchange::{Connection, Content, Exchanges, Mark, Piece, Side};
use super::protocol::{Guess, guess};
use paired::Paired;
use streams::Streams;
pub(super) use turns::Turns;

/// What two hosts send each other on one connection.
pub(super) struct Conversation {
    /// From 1 for the first of the run.
    pub(super) number: u32,
    /// How many sockets hold it.
    pub(super) ends: u32,
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
    /// The exchange that began last.
    pub(super) last: Option<u32>,
    pub(super) mode: Mode,
    /// When one side gave the connection up, whoever it was first.
    pub(super) broken: Option<Nanos>,
}

/// How the messages of a connection are told apart.
pub(super) enum Mode {
    /// Nothing is known: these bytes came, the first of them then.
    Fresh(Vec<u8>, Nanos),
    Paired(Box<Paired>),
    Streams(Box<Streams>),
    Turns(Turns),
}

impl Mode {
    /// Of a connection on which nothing was said.
    pub(super) fn fresh() -> Mode {
        Mode::Fresh(Vec::new(), Nanos::ZERO)
    }
}

/// No byte was taken: the way of telling messages apart has changed, and they are looked at again.
const AGAIN: Piece = Piece { length: 0, mark: Mark::NONE, content: Content::Whole };

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
            let (piece, is_of_stream) = match (self.mode(connection), side) {
                (Mode::Turns(_), Side::Client) => (self.turn_request(connection, rest, now), false),
                (Mode::Turns(_), Side::Server) => (self.turn_reply(connection, rest, now), false),
                (Mode::Paired(_), Side::Client) => {
                    (self.paired_request(connection, rest, now), false)
                }
                (Mode::Paired(_), Side::Server) => {
                    (self.paired_reply(connection, rest, now), false)
                }
                (Mode::Streams(_), Side::Client) => {
                    (self.stream_request(connection, rest, now), true)
                }
                (Mode::Streams(_), Side::Server) => {
                    (self.stream_reply(connection, rest, now), true)
                }
                (Mode::Fresh(..), Side::Client) => (self.first_bytes(connection, rest, now), false),
                (Mode::Fresh(..), Side::Server) => {
                    self.give_up_guessing(connection);
                    (AGAIN, false)
                }
            };
            rest = &rest[piece.length..];
            let is_joined = is_of_stream && pieces.last_mut().is_some_and(|last| last.join(piece));
            if piece.length > 0 && !is_joined {
                pieces.push(piece);
            }
        }
    }

    fn mode(&mut self, connection: Connection) -> &mut Mode {
        &mut self.conversations[connection.0 as usize].mode
    }

    /// The client speaks first: guesses what it speaks.
    fn first_bytes(&mut self, connection: Connection, bytes: &[u8], now: Nanos) -> Piece {
        let Mode::Fresh(start, since) = self.mode(connection) else { return AGAIN };
        let since = if start.is_empty() { now } else { *since };
        let known = core::mem::take(start);
        let guessed = if known.is_empty() {
            guess(bytes)
        } else {
            guess(&[known.as_slice(), bytes].concat())
        };
        let mode = match guessed {
            Guess::Open => {
                *self.mode(connection) = Mode::Fresh([known.as_slice(), bytes].concat(), since);
                return Piece { length: bytes.len(), ..AGAIN };
            }
            Guess::Http1 => Mode::Paired(Box::new(Paired::http1())),
            Guess::Redis => Mode::Paired(Box::new(Paired::redis())),
            Guess::Postgres => Mode::Paired(Box::new(Paired::postgres())),
            Guess::Http2 => Mode::Streams(Box::new(Streams::new())),
            Guess::Unknown => {
                *self.mode(connection) = Mode::Fresh(known, since);
                self.give_up_guessing(connection);
                return AGAIN;
            }
        };
        *self.mode(connection) = mode;
        // What was read to guess is read again, for what it says. It has left already.
        let mut left = Vec::new();
        self.sent(connection, Side::Client, &known, since, &mut left);
        AGAIN
    }

    /// It is no known protocol. What was sent to guess by is the first bytes of a turn.
    fn give_up_guessing(&mut self, connection: Connection) {
        let Mode::Fresh(start, since) = self.mode(connection) else { return };
        let (start, since) = (core::mem::take(start), *since);
        *self.mode(connection) = Mode::Turns(Turns::default());
        if !start.is_empty() {
            self.turn_request(connection, &start, since);
        }
    }

    /// One side finishes: where that ends a message, the mark for its end.
    pub(super) fn closing(&mut self, connection: Connection, side: Side) -> Mark {
        let Some(conversation) = self.conversations.get_mut(connection.0 as usize) else {
            return Mark::NONE;
        };
        match &mut conversation.mode {
            Mode::Paired(paired) if side == Side::Server => match paired.ended_by_close() {
                Some(exchange) => Mark { exchange, bits: Mark::REPLY | Mark::LAST },
                None => Mark::NONE,
            },
            _ => Mark::NONE,
        }
    }

    /// One side has given the connection up: what was not answered will not be.
    pub(super) fn broken(&mut self, connection: Connection, now: Nanos) {
        if let Some(conversation) = self.conversations.get_mut(connection.0 as usize) {
            conversation.broken.get_or_insert(now);
        }
    }

    /// One side is gone for good: what was kept for reading messages is dropped.
    pub(super) fn over(&mut self, connection: Connection) {
        if let Some(conversation) = self.conversations.get_mut(connection.0 as usize) {
            conversation.mode = Mode::Turns(Turns::default());
        }
        self.left(connection);
    }

    /// A socket belongs to the connection from now on.
    pub(super) fn joined(&mut self, connection: Connection) {
        if let Some(conversation) = self.conversations.get_mut(connection.0 as usize) {
            conversation.ends += 1;
        }
    }

    /// A socket of the connection is gone. With the last of them everything is forgotten but when it was given up, as far
    /// as that matters to exchanges.
    pub(super) fn left(&mut self, connection: Connection) {
        let Some(conversation) = self.conversations.get_mut(connection.0 as usize) else { return };
        conversation.ends -= 1;
        if conversation.ends > 0 {
            return;
        }
        let mut rest = conversation.last.take();
        while let (Some(exchange), Some(at)) = (rest, conversation.broken) {
            let record = &self.records[exchange as usize];
            if record.completed.is_none() {
                self.given_up.entry(exchange).or_insert(at);
            }
            rest = record.previous;
        }
        conversation.broken = None;
        conversation.mode = Mode::Turns(Turns::default());
        self.unused.push(connection.0);
    }
}
