//! What is told of a file system: statfs(2).

use crate::errno::{Errno, SysResult};
use crate::fs::{Lookup, StatFs};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::table::Args;

pub(super) fn statfs(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let path = memory.read_path(a.addr(0))?;
    let ino = k.find_node(libc::AT_FDCWD, &path, Lookup::FOLLOW)?;
    let stat = k.host().disk().statfs(ino);
    write_statfs(memory, a.addr(1), &stat)?;
    Ok(0)
}

pub(super) fn fstatfs(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, ino) = k.file_of(a.fd(0))?;
    let stat = k.host().disk().statfs(ino);
    write_statfs(memory, a.addr(1), &stat)?;
    Ok(0)
}

fn write_statfs(memory: &mut dyn GuestMemory, addr: u64, s: &StatFs) -> Result<(), Errno> {
    let words = [
        s.magic as u64,
        s.block_size,
        s.blocks,
        s.blocks_free,
        s.blocks_free,
        s.files,
        s.files_free,
        s.id,
        s.name_max,
        s.block_size,
        s.flags,
    ];
    let mut bytes = [0; 120];
    for (n, word) in words.into_iter().enumerate() {
        bytes[n * 8..n * 8 + 8].copy_from_slice(&word.to_le_bytes());
    }
    memory.write(addr, &bytes)
}
