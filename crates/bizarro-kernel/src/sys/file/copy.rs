//! From a file to a descriptor: sendfile(2), copy_file_range(2).

use alloc::vec;

use crate::errno::{Errno, Stop, SysResult};
use crate::fs::Kind as Node;
use crate::kernel::Kernel;
use crate::object::ObjId;
use crate::seams::GuestMemory;
use crate::sys::file::transfer::{CHUNK, Place};
use crate::table::Args;

pub(super) fn sendfile(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (to, from) = (k.descriptor(a.fd(0))?, k.descriptor(a.fd(1))?);
    k.may(to, libc::O_RDONLY)?;
    k.may(from, libc::O_WRONLY)?;
    let file = k.file(from).ok_or(Errno::EINVAL)?;
    if k.host().disk().kind(file.ino) != Node::Regular {
        return Err(Errno::EINVAL.into());
    }
    let current = file.offset;
    let offset = match a.addr(2) {
        0 => current,
        addr => u64::try_from(memory.read_i64(addr)?).map_err(|_| Errno::EINVAL)?,
    };
    k.collect_open(memory, from);
    let (sent, offset) = copy(k, from, to, offset, Place::Current, a.word(3) as usize)?;
    if a.addr(2) == 0 {
        if let Some(file) = k.file_mut(from) {
            file.offset = offset;
        }
    } else {
        memory.write_u64(a.addr(2), offset)?;
    }
    Ok(sent)
}

pub(super) fn copy_file_range(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if a.int(5) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (from, to) = (k.descriptor(a.fd(0))?, k.descriptor(a.fd(2))?);
    let (source, target) = (k.file(from), k.file(to));
    let (Some(source), Some(target)) = (source, target) else { return Err(Errno::EINVAL.into()) };
    let disk = k.host().disk();
    for ino in [source.ino, target.ino] {
        match disk.kind(ino) {
            Node::Regular => {}
            Node::Directory => return Err(Errno::EISDIR.into()),
            _ => return Err(Errno::EINVAL.into()),
        }
    }
    k.may(from, libc::O_WRONLY)?;
    k.may(to, libc::O_RDONLY)?;
    if k.objects.get(to).is_some_and(|object| object.status & libc::O_APPEND != 0) {
        return Err(Errno::EBADF.into());
    }
    let start = if a.addr(1) == 0 { source.offset } else { memory.read_u64(a.addr(1))? };
    let place =
        if a.addr(3) == 0 { Place::Current } else { Place::At(memory.read_u64(a.addr(3))?) };
    k.collect_open(memory, from);
    let (copied, end) = copy(k, from, to, start, place, a.word(4) as usize)?;
    match a.addr(1) {
        0 => {
            if let Some(file) = k.file_mut(from) {
                file.offset = end;
            }
        }
        addr => memory.write_u64(addr, end)?,
    }
    if let Place::At(at) = place {
        memory.write_u64(a.addr(3), at + copied)?;
    }
    Ok(copied)
}

/// Copies bytes of a file to a descriptor; gives how many went.
fn copy(
    k: &mut Kernel,
    from: ObjId,
    to: ObjId,
    mut offset: u64,
    place: Place,
    len: usize,
) -> Result<(u64, u64), Stop> {
    let len = len.min(CHUNK);
    let mut buffer = vec![0; len];
    let got = k.read_file_at(from, offset, &mut buffer)?;
    if got == 0 {
        return Ok((0, offset));
    }
    // One transfer at a time, and what is not taken is not sent: the progress of a blocking write is its own.
    let written = k.write_bytes(to, &buffer[..got], place)?;
    offset += written;
    Ok((written, offset))
}
