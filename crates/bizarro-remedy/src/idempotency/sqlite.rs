//! Keys in SQLite: they survive crashes and power losses, as far as the disk keeps what was synced.
//!
//! [`once`] is for a service whose effects are in the same database, [`Sqlite`] for one whose effects are elsewhere.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{Begun, Fingerprint, Key, Reply, Store, StoreError};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS idempotency_keys (
    key TEXT PRIMARY KEY,
    request BLOB NOT NULL,
    expires INTEGER NOT NULL, -- milliseconds since 1970
    life INTEGER NOT NULL,    -- of the process that began it
    status INTEGER,           -- NULL while it is being done
    content_type TEXT,
    body BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS idempotency_keys_expire ON idempotency_keys (expires);";

/// Makes the table of keys in a database, where it is not there yet.
///
/// # Errors
/// Those of the database.
pub fn prepare(database: &Connection) -> rusqlite::Result<()> {
    database.execute_batch(TABLE)
}

/// What came of [`once`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Once {
    /// It was done, now or before, with this reply.
    Done(Reply),
    /// The key is another request's; nothing was done.
    OtherRequest,
}

/// Does something at most once under a key: the effect, which writes through the transaction that it is given, and the
/// key with the reply are committed together, or not at all. A database that was [`prepare`]d is needed.
///
/// A key is kept for `time_to_live` after `now`; those that have expired are forgotten here.
///
/// # Errors
/// Those of the database and of the effect. After one, whether it was committed is known only to the database: ask again
/// under the same key.
pub fn once<E: From<rusqlite::Error>>(
    database: &mut Connection,
    key: &Key,
    request: Fingerprint,
    now: SystemTime,
    time_to_live: Duration,
    effect: impl FnOnce(&Transaction<'_>) -> Result<Reply, E>,
) -> Result<Once, E> {
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    forget(&transaction, now)?;
    match look(&transaction, key, request, 0)? {
        Begun::Done(reply) => return Ok(Once::Done(reply)),
        Begun::OtherRequest => return Ok(Once::OtherRequest),
        // Other ways to use the table begin what they do not end; within a transaction there is no such thing.
        Begun::New | Begun::InProgress | Begun::Orphaned => {}
    }
    let reply = effect(&transaction)?;
    insert(&transaction, key, request, now + time_to_live, 0)?;
    keep(&transaction, key, &reply)?;
    transaction.commit()?;
    Ok(Once::Done(reply))
}

fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn forget(database: &Connection, now: SystemTime) -> rusqlite::Result<()> {
    let mut delete = database
        .prepare("DELETE FROM idempotency_keys WHERE expires <= ? AND status IS NOT NULL")?;
    delete.execute([millis(now)]).map(drop)
}

fn look(
    database: &Connection,
    key: &Key,
    request: Fingerprint,
    life: i64,
) -> rusqlite::Result<Begun> {
    let mut select = database.prepare(
        "SELECT request, life, status, content_type, body FROM idempotency_keys WHERE key = ?",
    )?;
    let found = select.query_row([key.as_str()], |row| {
        let status: Option<u16> = row.get(2)?;
        let reply = match status {
            Some(status) => Some(Reply { status, content_type: row.get(3)?, body: row.get(4)? }),
            None => None,
        };
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?, reply))
    });
    Ok(match found.optional()? {
        None => Begun::New,
        Some((other, ..)) if other != request.as_bytes() => Begun::OtherRequest,
        Some((_, _, Some(reply))) => Begun::Done(reply),
        Some((_, begun, None)) if begun == life => Begun::InProgress,
        Some(_) => Begun::Orphaned,
    })
}

fn insert(
    database: &Connection,
    key: &Key,
    request: Fingerprint,
    expires: SystemTime,
    life: i64,
) -> rusqlite::Result<()> {
    let mut insert = database.prepare(
        "INSERT INTO idempotency_keys (key, request, expires, life) VALUES (?, ?, ?, ?)",
    )?;
    insert.execute(params![key.as_str(), request.as_bytes(), millis(expires), life]).map(drop)
}

fn keep(database: &Connection, key: &Key, reply: &Reply) -> rusqlite::Result<()> {
    let mut update = database.prepare(
        "UPDATE idempotency_keys SET status = ?, content_type = ?, body = ? WHERE key = ?",
    )?;
    let Reply { status, content_type, body } = reply;
    update.execute(params![status, content_type, body, key.as_str()]).map(drop)
}

/// A store of keys in a database of its own.
///
/// One process at a time may use it: what another process is doing would look orphaned.
#[derive(Clone, Debug)]
pub struct Sqlite {
    database: Arc<Mutex<Connection>>,
    life: i64,
}

impl Sqlite {
    /// Opens the database, and makes it where it is not there yet.
    ///
    /// # Errors
    /// Those of the database.
    pub fn open(path: &Path) -> rusqlite::Result<Sqlite> {
        let database = Connection::open(path)?;
        // With FULL, what was committed may be undone by a power loss: https://sqlite.org/pragma.html#pragma_synchronous.
        database.pragma_update(None, "synchronous", "EXTRA")?;
        prepare(&database)?;
        let last: Option<i64> =
            database.query_row("SELECT max(life) FROM idempotency_keys", [], |row| row.get(0))?;
        Ok(Sqlite { database: Arc::new(Mutex::new(database)), life: last.unwrap_or(0) + 1 })
    }

    /// SQLite waits for the disk, so it does that on a thread where waiting is allowed.
    async fn with<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Connection, i64) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (database, life) = (Arc::clone(&self.database), self.life);
        let done = tokio::task::spawn_blocking(move || {
            let mut database = database.lock().unwrap_or_else(PoisonError::into_inner);
            what(&mut database, life)
        });
        let done = done.await.map_err(|error| StoreError(Box::new(error)))?;
        done.map_err(|error| StoreError(Box::new(error)))
    }
}

impl Store for Sqlite {
    async fn begin(
        &self,
        key: &Key,
        request: Fingerprint,
        now: SystemTime,
        time_to_live: Duration,
    ) -> Result<Begun, StoreError> {
        let key = key.clone();
        let begin = move |database: &mut Connection, life| {
            let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
            forget(&transaction, now)?;
            let begun = look(&transaction, &key, request, life)?;
            if begun == Begun::New {
                insert(&transaction, &key, request, now + time_to_live, life)?;
            }
            transaction.commit()?;
            Ok(begun)
        };
        self.with(begin).await
    }

    async fn finish(&self, key: &Key, reply: Reply) -> Result<(), StoreError> {
        let key = key.clone();
        self.with(move |database, _| keep(database, &key, &reply)).await
    }

    async fn abandon(&self, key: &Key) -> Result<(), StoreError> {
        let key = key.clone();
        let delete = "DELETE FROM idempotency_keys WHERE key = ?";
        self.with(move |database, _| database.execute(delete, [key.as_str()]).map(drop)).await
    }
}
