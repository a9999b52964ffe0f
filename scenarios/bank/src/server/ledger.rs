//! The ledger: accounts, and the keys under which money was withdrawn, in one database.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bizarro_remedy::idempotency::sqlite::{self, Once};
use bizarro_remedy::idempotency::{Fingerprint, Key, Reply};
use prost::Message;
use rusqlite::{Connection, OptionalExtension, Transaction};
use scenario_programs::disk;
use tonic::Status;

use crate::proto::answer::Result as Verdict;
use crate::proto::{Answer, Withdrawal};
use crate::{ACCOUNT, OPENING};

/// How long a key is remembered: longer than any teller asks.
const TIME_TO_LIVE: Duration = Duration::from_secs(24 * 3600);
/// The name of the database in the bank's directory.
const FILE: &str = "bank.db";

/// The bank's ledger.
#[derive(Debug)]
pub struct Ledger {
    directory: PathBuf,
    /// None until it was opened, and after an error: what SQLite knows of a disk that failed may be wrong, and reading it
    /// anew is the cure.
    database: Mutex<Option<Connection>>,
}

/// Why a request was not done, or perhaps was.
enum Trouble {
    NoAccount,
    Database(rusqlite::Error),
    Disk(io::Error),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Trouble {
        Trouble::Database(error)
    }
}

impl From<Trouble> for Status {
    fn from(trouble: Trouble) -> Status {
        match trouble {
            Trouble::NoAccount => Status::not_found("there is no such account"),
            // INTERNAL says nothing of whether it was done, and neither does an error of a commit.
            Trouble::Database(error) => Status::internal(error.to_string()),
            Trouble::Disk(error) => Status::internal(error.to_string()),
        }
    }
}

impl Ledger {
    /// The ledger in this directory. It is opened when it is needed.
    pub fn new(directory: &Path) -> Ledger {
        Ledger { directory: directory.to_path_buf(), database: Mutex::new(None) }
    }

    /// Withdraws, at most once under a key if there is one.
    ///
    /// # Errors
    /// `NOT_FOUND`, `INVALID_ARGUMENT` for a key of another withdrawal, and `INTERNAL`, after which nobody knows.
    pub fn withdraw(&self, key: Option<&Key>, withdrawal: &Withdrawal) -> Result<Answer, Status> {
        self.with(|database| match key {
            Some(key) => withdraw_once(database, key, withdrawal),
            None => {
                let transaction = database.transaction()?;
                let answer = withdraw(&transaction, withdrawal)?;
                transaction.commit()?;
                Ok(Ok(answer))
            }
        })?
    }

    /// What is on the account, in cents.
    ///
    /// # Errors
    /// `NOT_FOUND` and `INTERNAL`.
    pub fn balance(&self, account: &str) -> Result<u64, Status> {
        self.with(|database| balance_of(database, account)?.ok_or(Trouble::NoAccount))
    }

    fn with<T>(
        &self,
        what: impl FnOnce(&mut Connection) -> Result<T, Trouble>,
    ) -> Result<T, Status> {
        let mut guard = self.database();
        let mut database = match guard.take() {
            Some(database) => database,
            None => open(&self.directory)?,
        };
        let done = what(&mut database);
        if !matches!(done, Err(Trouble::Database(_))) {
            *guard = Some(database);
        }
        Ok(done?)
    }

    fn database(&self) -> MutexGuard<'_, Option<Connection>> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the database in this directory, and makes it where it is not there yet.
fn open(directory: &Path) -> Result<Connection, Trouble> {
    disk::make_directory(directory).map_err(Trouble::Disk)?;
    let mut database = Connection::open(directory.join(FILE))?;
    // FULL would not sync the directory after the journal is removed, which is what commits: after a power loss the journal
    // could be back, and undo a withdrawal that was answered (https://sqlite.org/pragma.html#pragma_synchronous).
    database.pragma_update(None, "synchronous", "EXTRA")?;
    let transaction = database.transaction()?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, cents INTEGER NOT NULL) STRICT;",
    )?;
    sqlite::prepare(&transaction)?;
    transaction.execute(
        "INSERT OR IGNORE INTO accounts VALUES (?, ?)",
        (ACCOUNT, OPENING.cast_signed()),
    )?;
    transaction.commit()?;
    Ok(database)
}

/// What is on an account, if there is one.
///
/// # Errors
/// Those of the database.
pub fn balance_of(database: &Connection, account: &str) -> rusqlite::Result<Option<u64>> {
    let select = "SELECT cents FROM accounts WHERE name = ?";
    // SQLite's integers have a sign; no balance is below 0.
    let cents = database.query_row(select, [account], |row| row.get::<_, i64>(0));
    Ok(cents.optional()?.map(i64::unsigned_abs))
}

fn withdraw_once(
    database: &mut Connection,
    key: &Key,
    withdrawal: &Withdrawal,
) -> Result<Result<Answer, Status>, Trouble> {
    let request = withdrawal.encode_to_vec();
    let print = Fingerprint::of(&[b"Withdraw", &request]);
    let now = SystemTime::now();
    let once = sqlite::once(database, key, print, now, TIME_TO_LIVE, |transaction| {
        let body = withdraw(transaction, withdrawal)?.encode_to_vec();
        Ok::<_, Trouble>(Reply { status: 200, content_type: None, body })
    });
    Ok(match once? {
        Once::Done(reply) => Answer::decode(&reply.body[..])
            .map_err(|error| Status::data_loss(format!("the ledger is damaged: {error}"))),
        Once::OtherRequest => Err(Status::invalid_argument("the key is another withdrawal's")),
    })
}

fn withdraw(transaction: &Transaction<'_>, withdrawal: &Withdrawal) -> Result<Answer, Trouble> {
    let Withdrawal { account, cents } = withdrawal;
    let balance = balance_of(transaction, account)?.ok_or(Trouble::NoAccount)?;
    let verdict = match balance.checked_sub(*cents) {
        Some(left) => {
            let update = "UPDATE accounts SET cents = ? WHERE name = ?";
            transaction.execute(update, (left.cast_signed(), account))?;
            Verdict::Success
        }
        None => Verdict::InsufficientFunds,
    };
    Ok(Answer { result: verdict.into() })
}
