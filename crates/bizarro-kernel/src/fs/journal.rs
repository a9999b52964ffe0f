//! The one place through which every change of a disk goes.
//!
//! # What survives
//!
//! **A crash of a process** loses nothing: the page cache is the kernel's, so whatever a call
//! reported as done is there for the next process, synced or not. Files without a name go with the
//! last descriptor, and locks with their owners.
//!
//! **A power loss** ([`Fs::power_lost`]) keeps what was *synced* and may lose, or half lose, the rest:
//!
//! - The content of a file that changed after its last fsync(2) or fdatasync(2): any of the pages
//!   written since may be there, be as before, or (where the file grew) read as zeroes; a page may
//!   be torn at a boundary of 512 bytes.
//! - The size of a file is durable with its content: fdatasync(2) covers a size that is needed to
//!   read the content back. Times, owner, mode and extended attributes need fsync(2).
//! - A name (create, link, rename, unlink, mkdir, rmdir) belongs to its directory and is durable
//!   once the *directory* was synced. Syncing the file alone does not promise its name: fsync(2)
//!   says so, though some file systems are kinder.
//! - A rename is one step, in both directories if there are two, as on every file system with a
//!   journal: the new name shows the old or the new node, never none.
//! - Changes of one directory that were not synced are lost from some moment on, never an earlier
//!   one without the later ones.
//! - Where a file was cut off and written anew, the cut may be there without the bytes.
//! - Owner, mode and times stay as they are.
//! - A write with O_DSYNC or O_SYNC, and msync(2), make the pages durable that they name, not the rest of the file.
//!   sync_file_range(2) makes nothing durable, as its manual page warns.
//! - What was stored in a shared mapping is as if it had been written when the kernel looked for it ([`crate::shared`]).
//! - What has waited for thirty seconds is written back without being asked for (`vm.dirty_expire_centisecs`, by a
//!   flusher that wakes every five): it is durable as it was then.
//! - sync(2) makes everything durable. A failed fsync(2) makes nothing durable, and the next one
//!   does not remember the failure: pages that were dirty then count as clean for Linux, so a program
//!   that ignores EIO, or tries again, loses them unless it writes them again.
//! - /dev/shm and /run are memory: nothing there survives. /proc, /sys and /dev hold no data.
//!
//! # What fails
//!
//! [`Fs::fail_changes`] arms a failure. It strikes the next change that a disk would see, and
//! only there, or every one (see `faults.rs`): `ENOSPC` strikes what needs room (writing, extending, making a name, renaming),
//! `EIO` also what only touches the medium (cutting off, fsync). Removing names and changing
//! attributes never fail so. The change that is struck does not happen.

use alloc::vec::Vec;
use core::ops::Range;

use super::Fs;
use super::mount::MountId;
use super::types::Ino;
use crate::errno::Errno;

/// What kind of change goes to the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// Bytes are written or reserved.
    Write,
    /// Bytes are cut off or punched out.
    Cut,
    /// A name is made.
    Create,
    /// A name moves.
    Rename,
    /// A name is taken away.
    Remove,
    /// Owner, mode, times or extended attributes change.
    Attributes,
    /// What changed is made durable.
    Sync,
}

impl Journal {
    /// How many changes there were.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// Goes on counting where another one ended.
    pub(super) fn follow(&mut self, other: &Journal) {
        self.changes = other.changes;
        self.watched.clone_from(&other.watched);
    }
}

impl Change {
    pub(super) fn suffers(self, errno: Errno) -> bool {
        match self {
            Change::Write | Change::Create | Change::Rename => true,
            Change::Cut | Change::Sync => errno != Errno::ENOSPC,
            Change::Remove | Change::Attributes => false,
        }
    }
}

/// How far an inode is durable: positions in the order of all changes of this host's disk.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Mark {
    /// Its content (of a directory: its names), or its size, last changed here.
    pub(super) content: u64,
    /// Anything else of it last changed here.
    pub(super) attributes: u64,
    /// Content is durable up to here.
    pub(super) content_synced: u64,
    /// Everything is durable up to here.
    pub(super) synced: u64,
    /// A sync failed while content was dirty. Linux counts such pages as clean, so a later sync
    /// that succeeds does not save them; only emptying the file starts afresh.
    pub(super) forsaken: bool,
}

/// The order of changes.
#[derive(Clone, Default, Debug)]
pub(super) struct Journal {
    changes: u64,
    /// Changes that are watched, the last one first, and whether they come about.
    watched: Vec<(u64, bool)>,
    /// Nothing is changed any more.
    is_stopped: bool,
    /// A watched change has come.
    is_seen: bool,
}

/// How durable a node is, should the power fail now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durable {
    /// Nothing of it can be lost.
    Fully,
    /// Its bytes (names, for a directory) cannot be lost; times, owner or mode can.
    Content,
    /// Bytes or names that were written can be lost.
    No,
}

impl Fs {
    /// How many times something was written to this host's disk since it was made.
    pub fn writes(&self) -> u64 {
        self.journal.changes
    }

    /// Has [`Fs::has_seen_changes`] say so when the disk comes to one of these changes, which are in order. Where `true` stands
    /// with it the disk stops before it: the call that would make it fails, and so does every other until
    /// [`Fs::go_on`] or [`Fs::power_lost`].
    pub fn watch_changes(&mut self, changes: Vec<(u64, bool)>) {
        self.journal.watched = changes;
        self.journal.watched.reverse();
    }

    /// Whether the disk has come to a change that is watched, since [`Fs::seen_changes`].
    pub fn has_seen_changes(&self) -> bool {
        self.journal.is_seen
    }

    /// What was seen is known.
    pub fn seen_changes(&mut self) {
        self.journal.is_seen = false;
    }

    /// Whether the disk has stopped.
    pub fn is_stopped(&self) -> bool {
        self.journal.is_stopped
    }

    /// Lets a disk that has stopped go on as if nothing had been.
    pub fn go_on(&mut self) {
        self.journal.is_stopped = false;
    }

    /// Whether the next change does not come about, because the disk stops.
    fn stops(&mut self) -> bool {
        let journal = &mut self.journal;
        let next = journal.changes + 1;
        while !journal.is_stopped && journal.watched.last().is_some_and(|(at, _)| *at <= next) {
            journal.is_seen = true;
            journal.is_stopped = journal.watched.pop().is_some_and(|(_, stops)| stops);
        }
        journal.is_stopped
    }

    /// fsync(2): makes content, attributes and (of a directory) names durable.
    ///
    /// # Errors
    /// `EINVAL` for nodes that cannot be synced, `EIO` if that is armed.
    pub fn fsync(&mut self, ino: Ino) -> Result<(), Errno> {
        self.sync_one(ino)?;
        let now = self.journal.changes;
        if let Some(mark) = self.mark_mut(ino) {
            mark.content_synced = now;
            mark.synced = now;
        }
        self.was_synced(ino);
        Ok(())
    }

    /// fdatasync(2): makes content, size and (of a directory) names durable.
    ///
    /// # Errors
    /// As [`Fs::fsync`].
    pub fn fdatasync(&mut self, ino: Ino) -> Result<(), Errno> {
        self.sync_one(ino)?;
        let now = self.journal.changes;
        if let Some(mark) = self.mark_mut(ino) {
            mark.content_synced = now;
        }
        self.was_synced(ino);
        Ok(())
    }

    /// msync(2), and a write with O_DSYNC: makes the pages of a file that hold these bytes durable, with what is needed to
    /// read them back.
    ///
    /// # Errors
    /// As [`Fs::fsync`].
    pub(crate) fn sync_range(&mut self, ino: Ino, range: Range<u64>) -> Result<(), Errno> {
        self.sync_pages(ino, range.clone())?;
        self.range_was_synced(ino, range);
        Ok(())
    }

    /// syncfs(2): makes everything durable that is on the file system of a node.
    ///
    /// # Errors
    /// `EIO` if that is armed.
    pub(crate) fn sync_file_system(&mut self, ino: Ino) -> Result<(), Errno> {
        let mount = self.mount_of(ino);
        self.change(mount, Change::Sync)?;
        if self.mounts.is_disk(mount) {
            self.everything_is_synced();
        }
        Ok(())
    }

    /// sync(2): makes everything durable. It reports no error, so an armed `EIO` stays armed.
    pub fn sync_all(&mut self) {
        if self.stops() || self.is_frozen() {
            return;
        }
        self.journal.changes += 1;
        self.everything_is_synced();
    }

    fn everything_is_synced(&mut self) {
        let now = self.journal.changes;
        for inode in self.nodes.iter_mut() {
            inode.mark.content_synced = now;
            inode.mark.synced = now;
        }
        self.all_was_synced();
    }

    /// What of this node a power loss could take. Nodes that are not on the disk are durable while
    /// the host has power, and are answered with [`Durable::No`].
    pub fn durable(&self, ino: Ino) -> Durable {
        match self.nodes.find(ino) {
            Some(inode) if self.mounts.is_disk(inode.mount) => {
                let mark = inode.mark;
                if mark.forsaken || mark.content > mark.content_synced {
                    Durable::No
                } else if mark.attributes > mark.synced || mark.content > mark.synced {
                    Durable::Content
                } else {
                    Durable::Fully
                }
            }
            _ => Durable::No,
        }
    }

    fn sync_one(&mut self, ino: Ino) -> Result<(), Errno> {
        self.sync_pages(ino, 0..u64::MAX)
    }

    fn sync_pages(&mut self, ino: Ino, range: Range<u64>) -> Result<(), Errno> {
        let Some(inode) = self.nodes.find(ino) else { return Err(Errno::EINVAL) };
        if !inode.is_file() && !inode.is_directory() {
            return Err(Errno::EINVAL);
        }
        let outcome = self.change(inode.mount, Change::Sync);
        if self.journal.is_stopped {
            return outcome;
        }
        let mark = &mut self.nodes.get_mut(ino).mark;
        if outcome.is_err() && mark.content > mark.content_synced {
            mark.forsaken = true;
        }
        if outcome.is_err() {
            self.sync_failed(ino, range);
        }
        outcome
    }

    fn mark_mut(&mut self, ino: Ino) -> Option<&mut Mark> {
        self.nodes.find(ino)?;
        Some(&mut self.nodes.get_mut(ino).mark)
    }

    /// The choke point. Called once for every change, when nothing but the disk can stop it any
    /// more and before anything is changed.
    pub(super) fn change(&mut self, mount: MountId, change: Change) -> Result<(), Errno> {
        if !self.mounts.is_disk(mount) {
            return Ok(());
        }
        if self.stops() {
            return Err(Errno::EIO);
        }
        self.faults.strike(change)?;
        self.journal.changes += 1;
        Ok(())
    }

    /// Notes that the content (or the names) of `ino` took part in the last change.
    pub(super) fn content_changed(&mut self, ino: Ino) {
        self.nodes.get_mut(ino).mark.content = self.journal.changes;
    }

    /// Notes that the attributes of `ino` took part in the last change.
    pub(super) fn attributes_changed(&mut self, ino: Ino) {
        self.nodes.get_mut(ino).mark.attributes = self.journal.changes;
    }
}
