//! Entries of an open directory: getdents64(2).

use alloc::vec::Vec;

use crate::errno::{Errno, SysResult};
use crate::fs::{Dirent, Take};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::table::Args;

pub(super) fn getdents64(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    k.may(id, -1)?;
    let file = k.file(id).ok_or(Errno::ENOTDIR)?;
    let (ino, mut position) = (file.ino, file.offset);
    let room = a.word(2) as u32 as usize;
    let (mut bytes, mut too_small) = (Vec::new(), false);
    k.with_fs(|fs, caller| {
        fs.read_directory(caller, ino, position, &mut |entry| {
            if bytes.len() + entry_length(&entry) > room {
                too_small = bytes.is_empty();
                return Take::Full;
            }
            put_entry(&mut bytes, &entry);
            position = entry.next;
            Take::More
        })
    })?;
    if too_small {
        return Err(Errno::EINVAL.into());
    }
    memory.write(a.addr(1), &bytes)?;
    if let Some(file) = k.file_mut(id) {
        file.offset = position;
    }
    Ok(bytes.len() as u64)
}

/// Length of a `struct linux_dirent64`: 19 bytes, the name and its zero, rounded up to eight.
fn entry_length(entry: &Dirent<'_>) -> usize {
    (19 + entry.name.len() + 1).next_multiple_of(8)
}

fn put_entry(bytes: &mut Vec<u8>, entry: &Dirent<'_>) {
    let (start, length) = (bytes.len(), entry_length(entry));
    bytes.extend(entry.ino.to_le_bytes());
    bytes.extend(entry.next.to_le_bytes());
    bytes.extend((length as u16).to_le_bytes());
    bytes.push(entry.kind.dirent());
    bytes.extend(entry.name);
    bytes.resize(start + length, 0);
}
