//! The log of a lock server, and whom it voted for.

use std::fmt::Debug;
use std::ops::RangeBounds;

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{
    Entry, ErrorSubject, LogId, LogState, OptionalSend, RaftLogId as _, RaftLogReader, Vote,
};
use redb::ReadableTable as _;

use super::Types;
use super::disk::{Disk, ENTRIES, Stored, decode, encode, write_note};

/// Names of notes.
const VOTE: &str = "vote";
const PURGED: &str = "purged";

/// The log, on a disk.
#[derive(Clone, Debug)]
pub struct Log {
    disk: Disk,
}

impl Log {
    /// What is on this disk.
    pub fn new(disk: Disk) -> Log {
        Log { disk }
    }
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Stored<Vec<Entry<Types>>> {
        let range = (range.start_bound().cloned(), range.end_bound().cloned());
        self.disk.look(|entries| {
            let found = entries.range::<u64>(range)?;
            found.map(|entry| decode(entry?.1.value())).collect()
        })
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Log;

    async fn get_log_state(&mut self) -> Stored<LogState<Types>> {
        let last_purged_log_id: Option<LogId<u64>> = self.disk.note(PURGED)?;
        let last = self.disk.look(|entries| {
            let last = entries.last()?;
            last.map(|(_, entry)| decode::<Entry<Types>>(entry.value())).transpose()
        });
        let last_log_id = last?.map(|entry| *entry.get_log_id()).or(last_purged_log_id);
        Ok(LogState { last_purged_log_id, last_log_id })
    }

    async fn get_log_reader(&mut self) -> Log {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Stored<()> {
        self.disk.change(ErrorSubject::Vote, |begun| write_note(begun, VOTE, vote))
    }

    async fn read_vote(&mut self) -> Stored<Option<Vote<u64>>> {
        self.disk.note(VOTE)
    }

    async fn append<I>(&mut self, entries: I, flushed: LogFlushed<Types>) -> Stored<()>
    where
        I: IntoIterator<Item = Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.disk.change(ErrorSubject::Logs, |begun| {
            let mut log = begun.open_table(ENTRIES)?;
            for entry in entries {
                log.insert(entry.log_id.index, encode(&entry)?.as_slice())?;
            }
            Ok(())
        })?;
        flushed.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId<u64>) -> Stored<()> {
        self.disk.change(ErrorSubject::Log(log_id), |begun| {
            Ok(begun.open_table(ENTRIES)?.retain_in(log_id.index.., |_, _| false)?)
        })
    }

    async fn purge(&mut self, log_id: LogId<u64>) -> Stored<()> {
        self.disk.change(ErrorSubject::Log(log_id), |begun| {
            begun.open_table(ENTRIES)?.retain_in(..=log_id.index, |_, _| false)?;
            write_note(begun, PURGED, &log_id)
        })
    }
}
