//! What a power loss leaves: fsync(2), sync(2).

use crate::errno::SysResult;
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::table::Args;

pub(super) fn fsync(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, ino) = k.file_of(a.fd(0))?;
    k.with_disk(|fs| fs.fsync(ino))?;
    Ok(0)
}

pub(super) fn fdatasync(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, ino) = k.file_of(a.fd(0))?;
    k.with_disk(|fs| fs.fdatasync(ino))?;
    Ok(0)
}

pub(super) fn sync(k: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    k.with_disk(|fs| fs.sync_all());
    Ok(0)
}

pub(super) fn syncfs(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    k.descriptor(a.fd(0))?;
    k.with_disk(|fs| fs.sync_all());
    Ok(0)
}
