//! Another name for what is there: rename(2).

use crate::errno::SysResult;
use crate::fs::{At, Lookup, RenameFlags};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::table::Args;

fn rename_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    (old_fd, old): (i32, u64),
    (new_fd, new): (i32, u64),
    flags: u32,
) -> SysResult {
    let (old, new) = (memory.read_path(old)?, memory.read_path(new)?);
    let from = k.start(old_fd, &old, Lookup::empty())?;
    let to = k.start(new_fd, &new, Lookup::empty())?;
    let flags = RenameFlags::from_bits_retain(flags);
    k.with_fs(|fs, caller| fs.rename(caller, At::new(from, &old), At::new(to, &new), flags))?;
    Ok(0)
}

pub(super) fn rename(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let here = libc::AT_FDCWD;
    rename_at(k, memory, (here, a.addr(0)), (here, a.addr(1)), 0)
}

pub(super) fn renameat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    rename_at(k, memory, (a.fd(0), a.addr(1)), (a.fd(2), a.addr(3)), 0)
}

pub(super) fn renameat2(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    rename_at(k, memory, (a.fd(0), a.addr(1)), (a.fd(2), a.addr(3)), a.int(4) as u32)
}
