//! Messages of unknown protocols: a request is what the client sends until the server answers.

use bizarro_record::Nanos;

use super::super::exchange::{Connection, Content, Exchanges, Mark, Piece};
use super::super::protocol::Digest;
use super::{AGAIN, Mode};

/// Whose turn it is.
#[derive(Default)]
pub(in crate::net) struct Turns {
    current: Option<u32>,
    is_answered: bool,
    digest: Digest,
}

/// How far an exchange is that goes on as a turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Asked,
    Answered,
}

impl Turns {
    /// This exchange has the turn.
    pub(super) fn with(current: Option<(u32, Progress)>) -> Turns {
        Turns {
            current: current.map(|(exchange, _)| exchange),
            is_answered: current.is_some_and(|(_, progress)| progress == Progress::Answered),
            digest: Digest::default(),
        }
    }
}

impl Exchanges {
    pub(super) fn turn_request(
        &mut self,
        connection: Connection,
        bytes: &[u8],
        now: Nanos,
    ) -> Piece {
        let Mode::Turns(turns) = self.mode(connection) else { return AGAIN };
        let mut bits = Mark::OPEN;
        let current = turns.current.filter(|_| !turns.is_answered);
        let exchange = match current {
            Some(current) => current,
            None => {
                bits |= Mark::FIRST | Mark::CONTENT;
                let name = self.turn_name(connection);
                self.begin(connection, name, now)
            }
        };
        let Mode::Turns(turns) = self.mode(connection) else { return AGAIN };
        if current.is_none() {
            *turns = Turns { current: Some(exchange), ..Turns::default() };
        }
        turns.digest.write(bytes);
        let digest = turns.digest;
        let record = &mut self.records[exchange as usize];
        record.request_bytes += bytes.len() as u64;
        record.body = Some(digest.value());
        Piece { length: bytes.len(), mark: Mark { exchange, bits }, content: Content::Whole }
    }

    pub(super) fn turn_reply(&mut self, connection: Connection, bytes: &[u8], now: Nanos) -> Piece {
        let whole = |mark| Piece { length: bytes.len(), mark, content: Content::Whole };
        let Mode::Turns(turns) = self.mode(connection) else { return AGAIN };
        let Some(exchange) = turns.current else { return whole(Mark::NONE) };
        let mut bits = Mark::OPEN | Mark::REPLY;
        if !turns.is_answered {
            turns.is_answered = true;
            bits |= Mark::FIRST | Mark::CONTENT;
            self.answered(exchange, now);
        }
        self.records[exchange as usize].reply_bytes += bytes.len() as u64;
        whole(Mark { exchange, bits })
    }
}
