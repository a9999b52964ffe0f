//! lseek(2).

use crate::errno::{Errno, SysResult};
use crate::fs::{Kind as Node, Seek};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::table::Args;

pub(super) fn lseek(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    k.refuse_path_only(id)?;
    let Some(file) = k.file(id) else { return Err(Errno::ESPIPE.into()) };
    let (ino, current) = (file.ino, file.offset);
    let size = k.host().disk().size(ino);
    let target = match a.int(2) {
        libc::SEEK_SET => Some(a.offset(1)),
        libc::SEEK_CUR => (current as i64).checked_add(a.offset(1)),
        libc::SEEK_END => (size as i64).checked_add(a.offset(1)),
        libc::SEEK_DATA | libc::SEEK_HOLE => {
            let offset = u64::try_from(a.offset(1)).map_err(|_| Errno::ENXIO)?;
            k.collect_here(memory, ino);
            let what = if a.int(2) == libc::SEEK_DATA { Seek::Data } else { Seek::Hole };
            Some(k.host().disk().seek(ino, offset, what)? as i64)
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    let target = target.ok_or(Errno::EINVAL)?;
    let target = u64::try_from(target).map_err(|_| Errno::EINVAL)?;
    if let Node::Device(_) = k.host().disk().kind(ino) {
        return Ok(0);
    }
    if let Some(file) = k.file_mut(id) {
        file.offset = target;
    }
    Ok(target)
}
