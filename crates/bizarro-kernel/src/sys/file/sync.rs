//! What a power loss leaves: fsync(2), sync(2), and writes that are synced at once.

use crate::errno::{Errno, SysResult};
use crate::fs::{Ino, Kind as Node};
use crate::kernel::Kernel;
use crate::object::ObjId;
use crate::seams::GuestMemory;
use crate::table::Args;

pub(super) fn fsync(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, ino) = k.file_of(a.fd(0))?;
    k.collect_here(memory, ino);
    k.with_disk(|fs| fs.fsync(ino))?;
    Ok(0)
}

pub(super) fn fdatasync(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, ino) = k.file_of(a.fd(0))?;
    k.collect_here(memory, ino);
    k.with_disk(|fs| fs.fdatasync(ino))?;
    Ok(0)
}

pub(super) fn sync(k: &mut Kernel, memory: &mut dyn GuestMemory, _: &Args) -> SysResult {
    k.collect_all(memory, k.host_id());
    k.with_disk(|fs| fs.sync_all());
    Ok(0)
}

/// LINUX: syncs the file system of the descriptor only, syncfs(2): nothing where that is memory.
pub(super) fn syncfs(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    k.refuse_path_only(id)?;
    k.collect_all(memory, k.host_id());
    if let Some(ino) = k.file(id).map(|file| file.ino) {
        k.with_disk(|fs| fs.sync_file_system(ino))?;
    }
    Ok(0)
}

/// LINUX: writes out pages, but neither sizes nor what leads to the pages, and not the disk's own cache: nothing is
/// certain afterwards that was not before, sync_file_range(2), "Warning".
pub(super) fn sync_file_range(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let known = libc::SYNC_FILE_RANGE_WAIT_BEFORE
        | libc::SYNC_FILE_RANGE_WRITE
        | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    let id = k.descriptor(a.fd(0))?;
    k.refuse_path_only(id)?;
    let (offset, length) = (a.offset(1), a.offset(2));
    let end = offset.checked_add(length).filter(|end| *end >= offset);
    if a.word(3) & !u64::from(known) != 0 || offset < 0 || end.is_none() {
        return Err(Errno::EINVAL.into());
    }
    let file = k.file(id).ok_or(Errno::ESPIPE)?;
    match k.host().disk().kind(file.ino) {
        Node::Regular | Node::Directory | Node::Symlink => Ok(0),
        _ => Err(Errno::ESPIPE.into()),
    }
}

/// Whether a write waits until it is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Durability {
    /// It does not.
    Cached,
    /// O_DSYNC and RWF_DSYNC; O_SYNC and RWF_SYNC wait for the file's attributes too, which are never lost here.
    Synced,
}

impl Durability {
    /// Of writes to a description with these status flags. LINUX: O_SYNC is a bit more than O_DSYNC.
    pub(super) fn of_status(status: i32) -> Durability {
        if status & libc::O_DSYNC != 0 { Durability::Synced } else { Durability::Cached }
    }

    /// Of pwritev2(2).
    pub(super) fn of_flags(flags: i32) -> Durability {
        let synced = flags & (libc::RWF_SYNC | libc::RWF_DSYNC) != 0;
        if synced { Durability::Synced } else { Durability::Cached }
    }
}

impl Kernel {
    /// Makes a write of `length` bytes at `start` durable where that was asked for.
    ///
    /// LINUX: only the pages that were written, not the rest of the file (`generic_write_sync`).
    pub(super) fn make_durable(
        &mut self,
        ino: Ino,
        (start, length): (u64, u64),
        durability: Durability,
    ) -> Result<(), Errno> {
        if length == 0 || durability == Durability::Cached {
            return Ok(());
        }
        self.with_disk(|fs| fs.sync_range(ino, start..start + length))
    }

    /// Where the last `length` bytes lie that were written through a description at its own place.
    pub(super) fn just_written(&self, id: ObjId, length: u64) -> u64 {
        self.file_offset(id).map_or(0, |end| end.saturating_sub(length))
    }
}
