//! Extended attributes: xattr(7).

use alloc::vec::Vec;

use crate::errno::{Errno, SysResult};
use crate::fs::{Ino, Lookup, XattrFlags};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::table::Args;

pub(super) fn getxattr(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let path = memory.read_path(a.addr(0))?;
    let ino = k.find_node(libc::AT_FDCWD, &path, Lookup::FOLLOW)?;
    get_attribute(k, memory, ino, a)
}

pub(super) fn lgetxattr(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let path = memory.read_path(a.addr(0))?;
    let ino = k.find_node(libc::AT_FDCWD, &path, Lookup::empty())?;
    get_attribute(k, memory, ino, a)
}

pub(super) fn fgetxattr(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, ino) = k.file_of(a.fd(0))?;
    get_attribute(k, memory, ino, a)
}

fn get_attribute(k: &mut Kernel, memory: &mut dyn GuestMemory, ino: Ino, a: &Args) -> SysResult {
    let name = read_name(memory, a.addr(1))?;
    let value = k.host().disk().xattr(k.host().cred(), ino, &name)?.to_vec();
    give(memory, a.addr(2), a.word(3), &value)
}

pub(super) fn setxattr(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let path = memory.read_path(a.addr(0))?;
    let ino = k.find_node(libc::AT_FDCWD, &path, Lookup::FOLLOW)?;
    set_attribute(k, memory, ino, a)
}

pub(super) fn fsetxattr(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, ino) = k.file_of(a.fd(0))?;
    set_attribute(k, memory, ino, a)
}

fn set_attribute(k: &mut Kernel, memory: &mut dyn GuestMemory, ino: Ino, a: &Args) -> SysResult {
    let name = read_name(memory, a.addr(1))?;
    if a.word(3) > 65536 {
        return Err(Errno::E2BIG.into());
    }
    let value = memory.read_vec(a.addr(2), a.word(3) as usize)?;
    let (by, flags) = (k.by(), XattrFlags::from_bits_retain(a.int(4)));
    k.with_disk(|fs| fs.set_xattr(by, ino, &name, &value, flags))?;
    Ok(0)
}

pub(super) fn listxattr(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let path = memory.read_path(a.addr(0))?;
    let ino = k.find_node(libc::AT_FDCWD, &path, Lookup::FOLLOW)?;
    let names = k.host().disk().list_xattrs(k.host().cred(), ino);
    give(memory, a.addr(1), a.word(2), &names)
}

pub(super) fn flistxattr(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, ino) = k.file_of(a.fd(0))?;
    let names = k.host().disk().list_xattrs(k.host().cred(), ino);
    give(memory, a.addr(1), a.word(2), &names)
}

fn give(memory: &mut dyn GuestMemory, addr: u64, room: u64, bytes: &[u8]) -> SysResult {
    if room > 0 {
        if (room as usize) < bytes.len() {
            return Err(Errno::ERANGE.into());
        }
        memory.write(addr, bytes)?;
    }
    Ok(bytes.len() as u64)
}

fn read_name(memory: &dyn GuestMemory, addr: u64) -> Result<Vec<u8>, Errno> {
    let name = memory.read_path(addr)?;
    if name.is_empty() || name.len() > 255 { Err(Errno::ERANGE) } else { Ok(name) }
}
