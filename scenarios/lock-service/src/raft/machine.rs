//! The locks as the log makes them, and since when a server knows of each grant.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use openraft::storage::RaftStateMachine;
use openraft::{
    BasicNode, Entry, EntryPayload, ErrorSubject, ErrorVerb, LogId, OptionalSend,
    RaftSnapshotBuilder, Snapshot, SnapshotMeta, StorageIOError, StoredMembership,
};
use serde::{Deserialize, Serialize};

use super::Types;
use super::disk::{Disk, Stored, decode, encode, write_note};
use crate::locks::{Command, Grant, Locks, Reply};

/// The name of the note.
const SNAPSHOT: &str = "snapshot";

/// The state machine. It is in memory: a server that starts again begins with its last snapshot, and Raft has it do again
/// what the log says after that.
#[derive(Clone, Debug)]
pub struct Machine {
    disk: Disk,
    view: View,
}

/// A snapshot as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    meta: SnapshotMeta<u64, BasicNode>,
    locks: Locks,
}

/// The locks as a server knows them: perhaps not the last that was decided.
#[derive(Clone, Debug)]
pub struct View {
    known: Arc<Mutex<Known>>,
}

#[derive(Debug)]
struct Known {
    applied: Option<LogId<u64>>,
    membership: StoredMembership<u64, BasicNode>,
    locks: Locks,
    /// Since when this server knows of the grant of a lock, as its monotonic clock counts; of others, `begun`.
    since: BTreeMap<String, Instant>,
    begun: Instant,
}

impl Known {
    fn new(kept: Option<Kept>) -> Known {
        let (meta, locks) = kept.map(|kept| (kept.meta, kept.locks)).unwrap_or_default();
        let (applied, membership) = (meta.last_log_id, meta.last_membership);
        Known { applied, membership, locks, since: BTreeMap::new(), begun: Instant::now() }
    }

    fn apply(&mut self, entry: Entry<Types>) -> Reply {
        self.applied = Some(entry.log_id);
        match entry.payload {
            EntryPayload::Blank => Reply::Nothing,
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(self.applied, membership);
                Reply::Nothing
            }
            EntryPayload::Normal(command) => {
                let asked = match &command {
                    Command::Acquire { lock, .. } => Some(lock.clone()),
                    Command::Release { .. } => None,
                };
                let reply = self.locks.apply(command);
                // Who is granted a lock again counts from when it asked again.
                if let (Some(lock), Reply::Granted(_)) = (asked, &reply) {
                    self.since.insert(lock, Instant::now());
                }
                reply
            }
        }
    }
}

impl View {
    /// Who has the lock, and for how long this server has known that: its lease began before.
    pub fn held(&self, lock: &str) -> Option<(Grant, Duration)> {
        let known = self.known();
        let grant = known.locks.held(lock)?.clone();
        let since = known.since.get(lock).copied().unwrap_or(known.begun);
        Some((grant, since.elapsed()))
    }

    /// Nothing in here panics half way.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machine {
    /// The state of the last snapshot on this disk.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn open(disk: Disk) -> Stored<Machine> {
        let known = Known::new(disk.note(SNAPSHOT)?);
        Ok(Machine { disk, view: View { known: Arc::new(Mutex::new(known)) } })
    }

    /// The locks as they are at any time.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    fn keep(&self, kept: &Kept) -> Stored<()> {
        let subject = ErrorSubject::Snapshot(Some(kept.meta.signature()));
        self.disk.change(subject, |begun| write_note(begun, SNAPSHOT, kept))
    }
}

/// A snapshot as Raft passes it on.
fn packed(kept: Kept) -> Stored<Snapshot<Types>> {
    let failed = |error| StorageIOError::write_snapshot(Some(kept.meta.signature()), &error);
    let bytes = encode(&kept.locks).map_err(failed)?;
    Ok(Snapshot { meta: kept.meta, snapshot: Box::new(Cursor::new(bytes)) })
}

impl RaftSnapshotBuilder<Types> for Machine {
    async fn build_snapshot(&mut self) -> Stored<Snapshot<Types>> {
        let kept = {
            let known = self.view.known();
            // The same entries make the same state on every server.
            let snapshot_id = known.applied.map_or_else(String::new, |id| id.to_string());
            let (last_log_id, last_membership) = (known.applied, known.membership.clone());
            let meta = SnapshotMeta { last_log_id, last_membership, snapshot_id };
            Kept { meta, locks: known.locks.clone() }
        };
        self.keep(&kept)?;
        packed(kept)
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotBuilder = Machine;

    async fn applied_state(
        &mut self,
    ) -> Stored<(Option<LogId<u64>>, StoredMembership<u64, BasicNode>)> {
        let known = self.view.known();
        Ok((known.applied, known.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Stored<Vec<Reply>>
    where
        I: IntoIterator<Item = Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut known = self.view.known();
        Ok(entries.into_iter().map(|entry| known.apply(entry)).collect())
    }

    async fn get_snapshot_builder(&mut self) -> Machine {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Stored<Box<Cursor<Vec<u8>>>> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<u64, BasicNode>,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Stored<()> {
        let locks = decode(snapshot.get_ref()).map_err(|error| {
            let subject = ErrorSubject::Snapshot(Some(meta.signature()));
            StorageIOError::new(subject, ErrorVerb::Read, &error)
        })?;
        let kept = Kept { meta: meta.clone(), locks };
        self.keep(&kept)?;
        *self.view.known() = Known::new(Some(kept));
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Stored<Option<Snapshot<Types>>> {
        self.disk.note(SNAPSHOT)?.map(packed).transpose()
    }
}

#[cfg(test)]
mod tests {
    use openraft::StorageError;
    use openraft::testing::{StoreBuilder, Suite};
    use tempfile::TempDir;

    use super::*;
    use crate::raft::Log;

    struct OnDisk;

    impl StoreBuilder<Types, Log, Machine, TempDir> for OnDisk {
        async fn build(&self) -> Result<(TempDir, Log, Machine), StorageError<u64>> {
            let directory = tempfile::tempdir().expect("there is room");
            let disk = Disk::open(&directory.path().join("raft.redb")).expect("it can be made");
            let machine = Machine::open(disk.clone())?;
            Ok((directory, Log::new(disk), machine))
        }
    }

    /// What openraft expects of a log and a state machine, as it says itself.
    #[test]
    fn storage_is_what_openraft_expects() {
        Suite::test_all(OnDisk).unwrap();
    }
}
