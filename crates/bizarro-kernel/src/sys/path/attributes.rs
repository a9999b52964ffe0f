//! Changing what is told of a node: truncate(2), chmod(2), chown(2), utimensat(2).

use crate::errno::{Errno, SysResult};
use crate::fs::{Lookup, Realtime, SetTime};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::table::Args;

pub(super) fn truncate(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let size = u64::try_from(a.offset(1)).map_err(|_| Errno::EINVAL)?;
    let path = memory.read_path(a.addr(0))?;
    let ino = k.find_node(libc::AT_FDCWD, &path, Lookup::FOLLOW)?;
    k.check_size(ino, size)?;
    let by = k.by();
    k.with_disk(|fs| fs.truncate(by, ino, size))?;
    Ok(0)
}

fn chmod_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    dirfd: i32,
    path: u64,
    mode: u64,
) -> SysResult {
    let path = memory.read_path(path)?;
    let ino = k.find_node(dirfd, &path, Lookup::FOLLOW)?;
    let by = k.by();
    k.with_disk(|fs| fs.chmod(by, ino, mode as u32 & 0o7777))?;
    Ok(0)
}

pub(super) fn chmod(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    chmod_at(k, memory, libc::AT_FDCWD, a.addr(0), a.word(1))
}

pub(super) fn fchmodat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    chmod_at(k, memory, a.fd(0), a.addr(1), a.word(2))
}

pub(super) fn fchmod(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, ino) = k.file_of(a.fd(0))?;
    let by = k.by();
    k.with_disk(|fs| fs.chmod(by, ino, a.word(1) as u32 & 0o7777))?;
    Ok(0)
}

/// -1 leaves an owner as it is.
fn owner(id: i32) -> Option<u32> {
    (id != -1).then_some(id as u32)
}

fn chown_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    (dirfd, path): (i32, u64),
    (uid, gid): (i32, i32),
    flags: i32,
) -> SysResult {
    let path = memory.read_path(path)?;
    let ino = k.find_node(dirfd, &path, Lookup::following(flags))?;
    let by = k.by();
    k.with_disk(|fs| fs.chown(by, ino, owner(uid), owner(gid)))?;
    Ok(0)
}

pub(super) fn chown(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    chown_at(k, memory, (libc::AT_FDCWD, a.addr(0)), (a.int(1), a.int(2)), 0)
}

pub(super) fn lchown(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let flags = libc::AT_SYMLINK_NOFOLLOW;
    chown_at(k, memory, (libc::AT_FDCWD, a.addr(0)), (a.int(1), a.int(2)), flags)
}

pub(super) fn fchownat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    chown_at(k, memory, (a.fd(0), a.addr(1)), (a.int(2), a.int(3)), a.int(4))
}

pub(super) fn fchown(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, ino) = k.file_of(a.fd(0))?;
    let by = k.by();
    k.with_disk(|fs| fs.chown(by, ino, owner(a.int(1)), owner(a.int(2))))?;
    Ok(0)
}

fn set_time(memory: &dyn GuestMemory, addr: u64) -> Result<SetTime, Errno> {
    let (secs, nanos) = (memory.read_i64(addr)?, memory.read_i64(addr + 8)?);
    match nanos {
        libc::UTIME_NOW => Ok(SetTime::Now),
        libc::UTIME_OMIT => Ok(SetTime::Omit),
        0..1_000_000_000 => Ok(SetTime::To(Realtime(secs.saturating_mul(1_000_000_000) + nanos))),
        _ => Err(Errno::EINVAL),
    }
}

pub(super) fn utimensat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (atime, mtime) = if a.addr(2) == 0 {
        (SetTime::Now, SetTime::Now)
    } else {
        (set_time(memory, a.addr(2))?, set_time(memory, a.addr(2) + 16)?)
    };
    let ino = if a.addr(1) == 0 {
        // futimens(3): the descriptor's own file.
        k.file_of(a.fd(0))?.1
    } else {
        let path = memory.read_path(a.addr(1))?;
        k.find_node(a.fd(0), &path, Lookup::following(a.int(3)))?
    };
    let by = k.by();
    k.with_disk(|fs| fs.utimens(by, ino, atime, mtime))?;
    Ok(0)
}
