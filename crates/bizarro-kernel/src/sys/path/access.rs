//! Asking what one may do: access(2).

use crate::errno::{Errno, SysResult};
use crate::fs::{Access, Found, Lookup};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::table::Args;

fn access_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    dirfd: i32,
    path: u64,
    mode: i32,
    flags: i32,
) -> SysResult {
    let wanted = Access::from_bits(mode as u32).ok_or(Errno::EINVAL)?;
    let path = memory.read_path(path)?;
    let ino = match k.find(dirfd, &path, Lookup::following(flags))? {
        Found::Node(ino) => ino,
        Found::Foreign { .. } => return Ok(0),
    };
    let cred = k.host().cred();
    k.host().disk().permit(cred, ino, wanted)?;
    Ok(0)
}

pub(super) fn access(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    access_at(k, memory, libc::AT_FDCWD, a.addr(0), a.int(1), 0)
}

pub(super) fn faccessat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    access_at(k, memory, a.fd(0), a.addr(1), a.int(2), 0)
}

pub(super) fn faccessat2(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let known = libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH | libc::AT_EACCESS;
    if a.int(3) & !known != 0 {
        return Err(Errno::EINVAL.into());
    }
    access_at(k, memory, a.fd(0), a.addr(1), a.int(2), a.int(3))
}
