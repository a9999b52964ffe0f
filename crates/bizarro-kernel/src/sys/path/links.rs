//! Links of both kinds: link(2), symlink(2), readlink(2).

use crate::errno::{Errno, SysResult};
use crate::fs::Lookup;
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::sys::path::lookup::with_name;
use crate::table::Args;

fn link_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    (old_fd, old): (i32, u64),
    (new_fd, new): (i32, u64),
    flags: i32,
) -> SysResult {
    if flags & !(libc::AT_SYMLINK_FOLLOW | libc::AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (old, new) = (memory.read_path(old)?, memory.read_path(new)?);
    let from = k.find(old_fd, &old, Lookup::not_following(flags))?;
    with_name(k, new_fd, &new, |fs, caller, at| fs.link(caller, from, at))
}

pub(super) fn link(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let here = libc::AT_FDCWD;
    link_at(k, memory, (here, a.addr(0)), (here, a.addr(1)), 0)
}

pub(super) fn linkat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    link_at(k, memory, (a.fd(0), a.addr(1)), (a.fd(2), a.addr(3)), a.int(4))
}

fn symlink_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    target: u64,
    dirfd: i32,
    path: u64,
) -> SysResult {
    let (target, path) = (memory.read_path(target)?, memory.read_path(path)?);
    with_name(k, dirfd, &path, |fs, caller, at| fs.symlink(caller, &target, at).map(drop))
}

pub(super) fn symlink(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    symlink_at(k, memory, a.addr(0), libc::AT_FDCWD, a.addr(1))
}

pub(super) fn symlinkat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    symlink_at(k, memory, a.addr(0), a.fd(1), a.addr(2))
}

fn readlink_at(
    k: &mut Kernel,
    memory: &mut dyn GuestMemory,
    dirfd: i32,
    path: u64,
    (into, room): (u64, u64),
) -> SysResult {
    if room as i32 <= 0 {
        return Err(Errno::EINVAL.into());
    }
    let path = memory.read_path(path)?;
    let ino = k.find_node(dirfd, &path, Lookup::EMPTY)?;
    let target = k.with_fs(|fs, caller| fs.readlink(caller, ino))?;
    let len = target.len().min(room as usize);
    memory.write(into, &target[..len])?;
    Ok(len as u64)
}

pub(super) fn readlink(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    readlink_at(k, memory, libc::AT_FDCWD, a.addr(0), (a.addr(1), a.word(2)))
}

pub(super) fn readlinkat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    readlink_at(k, memory, a.fd(0), a.addr(1), (a.addr(2), a.word(3)))
}
