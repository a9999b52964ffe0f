//! The two players, and what they have in common: the user, the result of a game, and a way to be
//! watched.

pub mod careful;
pub mod naive;
pub mod outcome;
pub mod progress;
pub mod wire;

use std::fmt;
use std::io;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use crate::board::{Direction, Position};
use crate::config::{ClientConfig, ConfigError};

/// The end of a game, as both players report it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slain {
    /// The ghost's name.
    pub ghost: String,
    /// Where it happened.
    pub at: Position,
    /// Moves that the player made.
    pub moves: u32,
    /// The board's clock after Pac-Man was removed.
    pub clock: u64,
}

impl fmt::Display for Slain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Slain { ghost, at, moves, clock } = self;
        write!(f, "pacman: slain by ghost {ghost} at {at} after {moves} moves, clock {clock}")
    }
}

/// Why a game did not come to its end.
#[derive(Debug)]
pub enum GameError {
    /// The joystick came to rest and no ghost was met.
    NeverSlain {
        /// Moves made.
        moves: u32,
    },
    /// The board did not do it, in all the time there was.
    GaveUp {
        /// What was tried.
        operation: Operation,
        /// How the last attempt ended.
        last: String,
    },
    /// The board understood and does not do it.
    Refused {
        /// What was asked.
        operation: Operation,
        /// What the board said.
        reason: String,
    },
    /// The player cannot keep its progress on its own disk.
    Progress(io::Error),
    /// A setting makes no sense.
    Config(ConfigError),
    /// The HTTP client cannot be made.
    Client(reqwest::Error),
}

impl fmt::Display for GameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GameError::NeverSlain { moves } => write!(f, "no ghost was met in {moves} moves"),
            GameError::GaveUp { operation, last } => write!(f, "gave up on {operation}: {last}"),
            GameError::Refused { operation, reason } => write!(f, "{operation} refused: {reason}"),
            GameError::Progress(error) => write!(f, "the progress cannot be kept: {error}"),
            GameError::Config(error) => write!(f, "{error}"),
            GameError::Client(error) => write!(f, "no HTTP client: {error}"),
        }
    }
}

impl std::error::Error for GameError {}

/// What a player asks the board to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Where is Pac-Man?
    Find,
    /// Move Pac-Man; `step` counts from 1.
    Move {
        /// Which frame of the game.
        step: u32,
        /// Where the joystick points in it.
        direction: Direction,
    },
    /// Where are the ghosts?
    FindAll,
    /// Take Pac-Man off the board.
    Remove,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Find => f.write_str("find"),
            Operation::Move { step, direction } => write!(f, "move {step} ({direction})"),
            Operation::FindAll => f.write_str("findAll"),
            Operation::Remove => f.write_str("remove"),
        }
    }
}

/// How an operation ended, as far as the player can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was done.
    Done,
    /// It certainly was not done.
    Failed,
    /// It may or may not have been done.
    Unknown,
}

/// Somebody who looks over the player's shoulder. Every method may be left out.
pub trait Watch {
    /// The player begins an operation.
    fn invoked(&mut self, _operation: Operation) {}
    /// An attempt at it ended; `how` is a sentence. An operation has at least one.
    fn attempted(&mut self, _operation: Operation, _how: &str) {}
    /// The player is through with the operation.
    fn ended(&mut self, _operation: Operation, _end: End) {}
}

/// Nobody watches.
impl Watch for () {}

/// Tells the log what the player does.
#[derive(Debug, Default)]
pub struct Narrator;

impl Watch for Narrator {
    fn attempted(&mut self, operation: Operation, how: &str) {
        tracing::info!(%operation, how, "attempt");
    }
    fn ended(&mut self, operation: Operation, end: End) {
        tracing::info!(%operation, ?end, "ended");
    }
}

/// The user at the joystick, who sits beside the player's program and not beyond the network.
#[derive(Debug)]
pub struct User;

impl User {
    /// Tells the user that Pac-Man met this ghost.
    pub fn slay_by(&self, ghost: &str) {
        tracing::info!(ghost, "Pac-Man is slain");
    }
}

/// The settings of a player as a host's program.
pub(crate) fn host_config() -> Result<ClientConfig, GameError> {
    ClientConfig::for_host().with_env().map_err(GameError::Config)
}

/// Prints how a game ended. 0: Pac-Man was slain as meant; 1: the game failed; 2: a setting is
/// wrong.
pub fn report(result: Result<Slain, GameError>) -> ExitCode {
    match result {
        Ok(slain) => {
            println!("{slain}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("pacman: {error}");
            ExitCode::from(if matches!(error, GameError::Config(_)) { 2 } else { 1 })
        }
    }
}
