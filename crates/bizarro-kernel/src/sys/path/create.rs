//! Making directories, special files and empty ones: mkdir(2), mknod(2), umask(2).

use alloc::format;

use crate::errno::{Errno, Stop, SysResult};
use crate::fs::{Device, Special};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::sys::path::lookup::with_name;
use crate::table::Args;

fn mkdir_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    dirfd: i32,
    path: u64,
    mode: u64,
) -> SysResult {
    let path = memory.read_path(path)?;
    with_name(k, dirfd, &path, |fs, caller, at| fs.mkdir(caller, at, mode as u32).map(drop))
}

pub(super) fn mkdir(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    mkdir_at(k, memory, libc::AT_FDCWD, a.addr(0), a.word(1))
}

pub(super) fn mkdirat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    mkdir_at(k, memory, a.fd(0), a.addr(1), a.word(2))
}

fn mknod_at(
    k: &mut Kernel,
    memory: &dyn GuestMemory,
    dirfd: i32,
    path: u64,
    mode: u32,
    device: u64,
) -> SysResult {
    let path = memory.read_path(path)?;
    let special = match mode & libc::S_IFMT {
        0 | libc::S_IFREG => Special::Regular,
        libc::S_IFIFO => Special::Fifo(0),
        libc::S_IFSOCK => Special::Socket(0),
        libc::S_IFCHR => {
            let number = (libc::major(device), libc::minor(device));
            match Device::from_number(number) {
                Some(device) => Special::Device(device),
                None => return Err(Stop::Unsupported(format!("a device {number:?}"))),
            }
        }
        libc::S_IFBLK => return Err(Stop::Unsupported("a block device".into())),
        _ => return Err(Errno::EINVAL.into()),
    };
    with_name(k, dirfd, &path, |fs, caller, at| {
        fs.mknod(caller, at, special, mode & 0o7777).map(drop)
    })
}

pub(super) fn mknod(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    mknod_at(k, memory, libc::AT_FDCWD, a.addr(0), a.int(1) as u32, a.word(2))
}

pub(super) fn mknodat(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    mknod_at(k, memory, a.fd(0), a.addr(1), a.int(2) as u32, a.word(3))
}

pub(super) fn umask(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let new = a.word(0) as u32 & 0o777;
    Ok(core::mem::replace(&mut k.host_mut().process.umask, new).into())
}
