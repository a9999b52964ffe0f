//! A tiny model program to explore: Pac-Man's player and board, written as plain code over a virtual
//! clock.
//!
//! Explorers and views need runs to work on that are small, quick and known by heart. This is no
//! simulation of a Linux: the toy interprets a plan by itself, step by step of each exchange, and
//! writes the record that the real simulator would write.

mod player;
mod wire;

use bizarro_record::{Plan, RunRecord};

use crate::runner::{Runner, RunnerError};

/// How the player treats a call that does not come back well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Player {
    /// Waits for ever, and panics when a reply makes no sense.
    Patient,
    /// Asks again after five seconds as if nothing had happened, and panics when a reply makes no sense.
    Naive,
    /// Asks again with the same idempotency key, and takes a senseless reply for none.
    Careful,
    /// The same, but when a call has failed twice in a row, it takes another key, since something may be wrong with
    /// the first one.
    Hasty,
}

/// What is wrong with the board.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Board {
    /// Nothing.
    Sound,
    /// It loses a move where its task is preempted between reading and writing the position.
    Racy,
    /// It makes a system call that is not simulated when a ghost is met.
    Exotic,
}

/// A third host, which the board tells each move that it applies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scores {
    /// There is none.
    Absent,
    /// The board does not care whether it was told.
    Noted,
    /// The board tries for two seconds to tell it.
    Awaited,
    /// The board says that a move failed of which it could not tell.
    Required,
}

/// A game of some turns, each of which is `POST /move` and `GET /findAll`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Toy {
    /// The client.
    pub player: Player,
    /// The server.
    pub board: Board,
    /// Who keeps the scores.
    pub scores: Scores,
    /// Turns of a game.
    pub turns: u32,
}

impl Toy {
    /// A game of three turns on a sound board.
    pub fn new(player: Player) -> Toy {
        Toy { player, board: Board::Sound, scores: Scores::Absent, turns: 3 }
    }

    /// Whether the player sends idempotency keys, and takes a senseless reply for none.
    fn knows_keys(self) -> bool {
        matches!(self.player, Player::Careful | Player::Hasty)
    }

    /// The run that `plan` describes.
    pub fn play(self, plan: &Plan) -> RunRecord {
        player::Game::new(self, plan).play()
    }
}

impl Runner for Toy {
    fn run(&mut self, plan: &Plan) -> Result<RunRecord, RunnerError> {
        Ok(self.play(plan))
    }
}
