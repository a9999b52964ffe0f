//! The database of a lock server.

use std::path::Path;
use std::sync::Arc;

use openraft::{AnyError, ErrorSubject, ErrorVerb, StorageError, StorageIOError};
use redb::{Database, Error, ReadableDatabase, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::database;

/// The entries of the log by their index, in JSON.
pub(super) const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
/// What there is one of, in JSON.
const NOTES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("notes");

/// What Raft's storage answers.
pub(super) type Stored<T> = Result<T, StorageError<u64>>;

/// Log, vote and snapshot of a lock server. What was changed is on the disk when the change is acknowledged: the default
/// of redb, each commit is synced. The disk is waited for in place: a lock server can do nothing else until it is done.
#[derive(Clone, Debug)]
pub struct Disk {
    database: Arc<Database>,
}

impl Disk {
    /// Opens the database, or makes it.
    ///
    /// # Errors
    /// Those of the disk, or the file is no database, or another one has it open.
    pub fn open(path: &Path) -> Result<Disk, Error> {
        let database = database::open(path)?;
        let begun = database.begin_write()?;
        begun.open_table(ENTRIES)?;
        begun.open_table(NOTES)?;
        begun.commit()?;
        Ok(Disk { database: Arc::new(database) })
    }

    /// Changes what is kept, all of it or nothing, and comes back when it is on the disk.
    pub(super) fn change(
        &self,
        subject: ErrorSubject<u64>,
        change: impl FnOnce(&WriteTransaction) -> Result<(), Error>,
    ) -> Stored<()> {
        let changed = || {
            let begun = self.database.begin_write()?;
            change(&begun)?;
            Ok::<(), Error>(begun.commit()?)
        };
        changed().map_err(|error| failed(subject, ErrorVerb::Write, &error))
    }

    /// Looks at the entries.
    pub(super) fn look<T>(
        &self,
        look: impl FnOnce(redb::ReadOnlyTable<u64, &'static [u8]>) -> Result<T, Error>,
    ) -> Stored<T> {
        let seen = || look(self.database.begin_read()?.open_table(ENTRIES)?);
        seen().map_err(|error| failed(ErrorSubject::Logs, ErrorVerb::Read, &error))
    }

    /// What is kept under this name, if there is something.
    pub(super) fn note<T: DeserializeOwned>(&self, name: &str) -> Stored<Option<T>> {
        let noted = || {
            let note = self.database.begin_read()?.open_table(NOTES)?.get(name)?;
            note.map(|note| decode(note.value())).transpose()
        };
        noted().map_err(|error: Error| failed(ErrorSubject::Store, ErrorVerb::Read, &error))
    }
}

fn failed(subject: ErrorSubject<u64>, verb: ErrorVerb, error: &Error) -> StorageError<u64> {
    StorageIOError::new(subject, verb, AnyError::new(error)).into()
}

/// Keeps this under a name.
pub(super) fn write_note(
    begun: &WriteTransaction,
    name: &str,
    value: &impl Serialize,
) -> Result<(), Error> {
    begun.open_table(NOTES)?.insert(name, encode(value)?.as_slice())?;
    Ok(())
}

pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| Error::Io(error.into()))
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::Io(error.into()))
}
