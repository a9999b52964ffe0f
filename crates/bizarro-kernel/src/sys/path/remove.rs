//! Taking names away: unlink(2), rmdir(2).

use crate::errno::{Errno, SysResult};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::sys::path::lookup::with_name;
use crate::table::Args;

fn remove_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    dirfd: i32,
    path: u64,
    flags: i32,
) -> SysResult {
    if flags & !libc::AT_REMOVEDIR != 0 {
        return Err(Errno::EINVAL.into());
    }
    let path = memory.read_path(path)?;
    with_name(k, dirfd, &path, |fs, caller, at| {
        if flags == 0 { fs.unlink(caller, at) } else { fs.rmdir(caller, at) }
    })
}

pub(super) fn unlink(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    remove_at(k, memory, libc::AT_FDCWD, a.addr(0), 0)
}

pub(super) fn unlinkat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    remove_at(k, memory, a.fd(0), a.addr(1), a.int(2))
}

pub(super) fn rmdir(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    remove_at(k, memory, libc::AT_FDCWD, a.addr(0), libc::AT_REMOVEDIR)
}
