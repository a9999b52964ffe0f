//! What can be wrong with a disk, beyond its power: failures of changes and of reads, once or from now on; a file system
//! that Linux has made read-only; a bit that has flipped on the medium; a write that lands in another place.
//!
//! - A failure strikes what [`super::journal`] says: `ENOSPC` what needs room, `EIO` also what touches the medium. One
//!   that strikes once is over with the change that it struck.
//! - A read fails with `EIO` where bytes of a regular file of the disk are read. Metadata is in memory.
//! - A read-only file system refuses every change and every sync with `EROFS`, through descriptors that are open for
//!   writing too: ext4(5), `errors=remount-ro`. What was not on the disk when it became so does not get there.
//! - A flipped bit and a misplaced write are on the medium, and seen at once.
//!   DIVERGENCE: Linux goes on showing a page that it has in memory, so that a program would see them later; the bytes
//!   that it sees then are the same.

use super::Fs;
use super::inode::Body;
use super::journal::Change;
use bizarro_record::Times;

use super::mount::{MountAccess, MountId};
use super::types::Ino;
use crate::errno::Errno;

/// The smallest piece that a disk writes.
const SECTOR: u64 = 512;

/// See the module.
#[derive(Clone, Default, Debug)]
pub(super) struct Faults {
    changes: Option<(Errno, Times)>,
    reads: Option<Times>,
    read_only: bool,
    /// The next write lands in another place of its file, which this says.
    misplaced: Option<u64>,
}

impl Faults {
    /// The failure that waits for a change.
    pub(super) fn armed(&self) -> Option<Errno> {
        self.changes.map(|(errno, _)| errno)
    }

    /// Whether this change fails, and how.
    #[inline]
    pub(super) fn strike(&mut self, change: Change) -> Result<(), Errno> {
        if self.read_only {
            return Err(Errno::EROFS);
        }
        match self.changes {
            Some((errno, times)) if change.suffers(errno) => {
                if times == Times::Once {
                    self.changes = None;
                }
                Err(errno)
            }
            _ => Ok(()),
        }
    }
}

impl Fs {
    /// Whether nothing can be written.
    pub(super) fn is_frozen(&self) -> bool {
        self.faults.read_only
    }

    /// Makes the next change of the disk fail with `errno`, once.
    pub fn fail_next_write(&mut self, errno: Errno) {
        self.fail_changes(errno, Times::Once);
    }

    /// Makes changes of the disk fail with `errno`.
    pub fn fail_changes(&mut self, errno: Errno, times: Times) {
        self.faults.changes = Some((errno, times));
    }

    /// Makes reads of files of the disk fail with `EIO`.
    pub fn fail_reads(&mut self, times: Times) {
        self.faults.reads = Some(times);
    }

    /// Remounts the disk so that it can only be read.
    pub fn become_read_only(&mut self) {
        self.write_back_all();
        self.faults.read_only = true;
        self.mounts.set_access(MountId::DISK, MountAccess::Read);
    }

    /// Changes fail no more.
    pub fn take_changes(&mut self) {
        self.faults.changes = None;
    }

    /// Reads fail no more.
    pub fn give_reads(&mut self) {
        self.faults.reads = None;
    }

    /// Remounts the disk so that it can be written to.
    pub fn become_writable(&mut self) {
        if core::mem::take(&mut self.faults.read_only) {
            self.mounts.set_access(MountId::DISK, MountAccess::Write);
        }
    }

    /// Whether a bit of some file can flip: [`Fs::flip_bit`] without a file.
    pub fn has_written_bytes(&self) -> bool {
        self.written_files().any(|(_, size)| size > 0)
    }

    /// The failure that still waits for a change.
    pub fn failing(&self) -> Option<Errno> {
        self.faults.armed()
    }

    /// Whether a node is on the disk.
    pub(crate) fn is_on_disk(&self, ino: Ino) -> bool {
        self.nodes.find(ino).is_some_and(|node| node.mount == MountId::DISK)
    }

    /// To be asked before bytes of a node are read.
    ///
    /// # Errors
    /// `EIO` where the read fails.
    #[inline]
    pub(crate) fn may_read(&mut self, ino: Ino) -> Result<(), Errno> {
        let Some(times) = self.faults.reads else { return Ok(()) };
        if !self.is_on_disk(ino) {
            return Ok(());
        }
        if times == Times::Once {
            self.faults.reads = None;
        }
        Err(Errno::EIO)
    }

    /// Files of the disk that hold bytes which somebody wrote since the host was made, and the bytes of each, in the order
    /// of their making.
    fn written_files(&self) -> impl Iterator<Item = (Ino, u64)> {
        self.nodes.numbers().into_iter().filter_map(|ino| {
            let inode = self.nodes.get(ino);
            let was_written = inode.mount == MountId::DISK && inode.mark.content > 0;
            match &inode.body {
                Body::File(content) if was_written => Some((ino, content.size())),
                _ => None,
            }
        })
    }

    /// Flips a bit of a file: of this one, or of any that was written since the host was made; which, `draw` says, which
    /// gives a number below its argument. Says where, as the inode and the byte; `None` where there is none.
    pub fn flip_bit(
        &mut self,
        file: Option<Ino>,
        draw: &mut dyn FnMut(u64) -> u64,
    ) -> Option<(Ino, u64)> {
        let (ino, byte) = match file {
            Some(ino) => (ino, draw(self.size(ino).max(1))),
            None => {
                let total: u64 = self.written_files().map(|(_, size)| size).sum();
                let mut byte = draw(total.max(1));
                self.written_files().find_map(|(ino, size)| {
                    let here = (byte < size).then_some((ino, byte));
                    byte = byte.saturating_sub(size);
                    here
                })?
            }
        };
        let mut bytes = [0];
        if self.read_at(ino, byte, &mut bytes) != Ok(1) {
            return None;
        }
        bytes[0] ^= 1 << draw(8);
        self.overwrite(ino, byte, &bytes);
        Some((ino, byte))
    }

    /// Has the next write to the disk that is given at least a sector land in another place of its file; which, `number`
    /// says.
    pub fn misplace_next_write(&mut self, number: u64) {
        self.faults.misplaced = Some(number);
    }

    /// Where a write of `length` bytes at `offset` of a file of `size` bytes lands: elsewhere at sectors, if that was
    /// asked for and the file has another place.
    pub(super) fn place_of_write(
        &mut self,
        mount: MountId,
        size: u64,
        at: u64,
        length: u64,
    ) -> u64 {
        let Some(number) = self.faults.misplaced.filter(|_| mount == MountId::DISK) else {
            return at;
        };
        let places = size.saturating_sub(length) / SECTOR;
        if length < SECTOR || places == 0 {
            return at;
        }
        self.faults.misplaced = None;
        let place = number % places * SECTOR + at % SECTOR;
        if place == at { place + SECTOR } else { place }
    }

    /// Changes bytes of a file where they lie on the medium, without anybody having written them.
    fn overwrite(&mut self, ino: Ino, offset: u64, bytes: &[u8]) {
        let range = offset..offset + bytes.len() as u64;
        if let Body::File(content) = &mut self.nodes.get_mut(ino).body {
            content.write(offset, bytes);
        }
        self.medium_changed(ino, offset, bytes);
        self.shown.changed(ino, range);
    }
}
