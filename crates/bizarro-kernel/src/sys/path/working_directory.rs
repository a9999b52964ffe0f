//! The directory at which relative paths start: getcwd(2), chdir(2).

use crate::errno::{Errno, SysResult};
use crate::fs::{Access, Ino, Kind as Node, Lookup};
use crate::kernel::Kernel;
use crate::object::Kind;
use crate::seams::GuestMemory;
use crate::table::Args;

pub(super) fn getcwd(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let cwd = k.host().process.cwd;
    let mut path = k.host().disk().cwd_path(cwd)?;
    path.push(0);
    if path.len() as u64 > a.word(1) {
        return Err(Errno::ERANGE.into());
    }
    memory.write(a.addr(0), &path)?;
    Ok(path.len() as u64)
}

pub(super) fn chdir(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let path = memory.read_path(a.addr(0))?;
    let ino = k.find_node(libc::AT_FDCWD, &path, Lookup::FOLLOW | Lookup::DIRECTORY)?;
    enter(k, ino)
}

pub(super) fn fchdir(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    let ino = match k.objects.get(id).map(|object| &object.kind) {
        Some(Kind::File(file)) if k.host().disk().kind(file.ino) == Node::Directory => file.ino,
        _ => return Err(Errno::ENOTDIR.into()),
    };
    enter(k, ino)
}

fn enter(k: &mut Kernel, ino: Ino) -> SysResult {
    let cred = k.host().cred();
    k.host().disk().permit(cred, ino, Access::EXECUTE)?;
    let before = core::mem::replace(&mut k.host_mut().process.cwd, ino);
    k.with_disk(|fs| {
        fs.retain(ino);
        fs.release(before);
    });
    Ok(0)
}
