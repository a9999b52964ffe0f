//! The ledger: what became of the payment for each order, decided once. The order's number is the idempotency key.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Transaction};
use tonic::Status;

use crate::CARD_MAX;
use crate::proto::Order;
use crate::proto::answer::State;

/// The ledger.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    /// None until it was opened, and after an error: what SQLite knows of a disk that failed may be wrong.
    database: Mutex<Option<Connection>>,
}

impl Ledger {
    /// The ledger at this path. It is opened when it is needed.
    pub fn new(path: &Path) -> Ledger {
        Ledger { path: path.to_path_buf(), database: Mutex::new(None) }
    }

    /// Takes the money, unless it was decided before what becomes of the order.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a number with another price, and `INTERNAL`, after which nobody knows.
    pub fn charge(&self, order: Order) -> Result<State, Status> {
        let decided = if order.cents > CARD_MAX { State::Declined } else { State::Charged };
        self.decide(order, |before| before.unwrap_or(decided))
    }

    /// Gives the money back. An order that was never charged will never be: a charge may still be on its way.
    ///
    /// # Errors
    /// As for [`Ledger::charge`].
    pub fn void(&self, order: Order) -> Result<State, Status> {
        self.decide(order, |_| State::Voided)
    }

    fn decide(
        &self,
        order: Order,
        decide: impl FnOnce(Option<State>) -> State,
    ) -> Result<State, Status> {
        let mut guard = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let internal = |error: rusqlite::Error| Status::internal(error.to_string());
        let mut database = match guard.take() {
            Some(database) => database,
            None => open(&self.path).map_err(internal)?,
        };
        let decided = decided(&mut database, order, decide).map_err(internal)?;
        *guard = Some(database);
        decided.ok_or_else(|| Status::invalid_argument("the order has another price"))
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let database = Connection::open(path)?;
    // With FULL, what was committed may be undone by a power loss: https://sqlite.org/pragma.html#pragma_synchronous.
    database.pragma_update(None, "synchronous", "EXTRA")?;
    database.execute_batch(
        "CREATE TABLE IF NOT EXISTS payments (number INTEGER PRIMARY KEY, cents INTEGER NOT NULL, state INTEGER NOT NULL) STRICT;",
    )?;
    Ok(database)
}

/// `None`: the order has another price.
fn decided(
    database: &mut Connection,
    order: Order,
    decide: impl FnOnce(Option<State>) -> State,
) -> rusqlite::Result<Option<State>> {
    let transaction = database.transaction()?;
    let (number, cents) = (order.number.cast_signed(), order.cents.cast_signed());
    if price_of(&transaction, number)?.is_some_and(|price| price != cents) {
        return Ok(None);
    }
    let state = decide(state_of(&transaction, order.number)?);
    let insert = "INSERT INTO payments VALUES (?, ?, ?) ON CONFLICT (number) DO UPDATE SET state = excluded.state";
    transaction.execute(insert, (number, cents, i32::from(state)))?;
    transaction.commit()?;
    Ok(Some(state))
}

fn price_of(transaction: &Transaction<'_>, number: i64) -> rusqlite::Result<Option<i64>> {
    let select = "SELECT cents FROM payments WHERE number = ?";
    transaction.query_row(select, [number], |row| row.get(0)).optional()
}

/// What became of the payment for an order, if it was decided.
///
/// # Errors
/// Those of the database.
pub fn state_of(database: &Connection, number: u64) -> rusqlite::Result<Option<State>> {
    let select = "SELECT state FROM payments WHERE number = ?";
    let state = database.query_row(select, [number.cast_signed()], |row| row.get::<_, i32>(0));
    Ok(state.optional()?.and_then(|state| State::try_from(state).ok()))
}
