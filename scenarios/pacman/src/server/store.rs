//! The board in memory and on disk, together: a change is in force on disk first, then seen in
//! memory.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Mutex, RwLock};

use crate::board::{Applied, Board, Order, Plan, Refused};
use crate::journal::{AppendError, Journal};

/// Why an order was not carried out.
#[derive(Debug)]
pub enum Failure {
    /// The board does not allow it.
    Refused(Refused),
    /// The disk failed; the order certainly was not applied.
    NotWritten(io::Error),
    /// The disk failed so that a restart decides whether it was applied. Until then it is not seen.
    InDoubt(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(refused) => write!(f, "{refused}"),
            Failure::NotWritten(error) => write!(f, "the board's disk failed: {error}"),
            Failure::InDoubt(error) => {
                write!(f, "the board's disk failed, the change is in doubt: {error}")
            }
        }
    }
}

/// The board and its journal.
///
/// INVARIANT: the board is changed only under the journal's lock, after the journal has the change.
/// So readers never see a change that a crash could take back, and never wait for the disk.
#[derive(Debug)]
pub struct Store {
    board: RwLock<Board>,
    journal: Mutex<Journal>,
}

impl Store {
    /// The board as the journal in `dir` tells it. Blocks on the disk.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open(dir: &Path) -> io::Result<Store> {
        let (journal, changes) = Journal::open(dir)?;
        let mut board = Board::new();
        tracing::info!(clock = changes.len(), dir = %dir.display(), "the board is there");
        changes.into_iter().for_each(|change| board.apply(change));
        Ok(Store { board: RwLock::new(board), journal: Mutex::new(journal) })
    }

    /// What `look` sees on the board.
    pub fn read<T>(&self, look: impl FnOnce(&Board) -> T) -> T {
        look(&self.board.read().expect("no holder of the lock panics"))
    }

    /// Carries out `order`, or finds that it was carried out before. Blocks until the disk has it.
    ///
    /// # Errors
    /// [`Failure`]; the board is then as it was.
    pub fn change(&self, order: &Order) -> Result<Applied, Failure> {
        let mut journal = self.journal.lock().expect("no holder of the lock panics");
        let plan = self.read(|board| board.plan(order)).map_err(Failure::Refused)?;
        let change = match plan {
            Plan::Repeated(before) => return Ok(before),
            Plan::Change(change) => change,
        };
        journal.append(&change).map_err(|error| match error {
            AppendError::NotWritten(error) => Failure::NotWritten(error),
            AppendError::InDoubt(error) => Failure::InDoubt(error),
        })?;
        self.board.write().expect("no holder of the lock panics").apply(change.clone());
        tracing::info!(?change, "applied");
        Ok(change)
    }
}
