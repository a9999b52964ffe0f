//! Open files: read(2), write(2) and their kin on everything that has bytes, offsets, sizes, getdents64(2), syncing.
//!
//! A file per kind of call; `description` has what they and other families ask of an open file.

mod copy;
mod description;
mod directory;
mod map;
mod memfd;
mod read;
mod seek;
mod size;
mod sync;
pub(super) mod transfer;
mod write;

use crate::errno::{Errno, SysResult};
use crate::fs::Ino;
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::table::Arg::{Fd, Hex, Int, Path, Ptr, Size};
use crate::table::{Args, Row, Support, row};

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_read, "read", &[Fd, Ptr, Size], read::read).restarts(),
    row(libc::SYS_write, "write", &[Fd, Ptr, Size], write::write).restarts(),
    row(libc::SYS_readv, "readv", &[Fd, Ptr, Int], read::readv).restarts(),
    row(libc::SYS_writev, "writev", &[Fd, Ptr, Int], write::writev).restarts(),
    row(libc::SYS_pread64, "pread64", &[Fd, Ptr, Size, Size], read::pread64),
    row(libc::SYS_pwrite64, "pwrite64", &[Fd, Ptr, Size, Size], write::pwrite64),
    row(libc::SYS_preadv, "preadv", &[Fd, Ptr, Int, Size], read::preadv),
    row(libc::SYS_pwritev, "pwritev", &[Fd, Ptr, Int, Size], write::pwritev),
    row(libc::SYS_preadv2, "preadv2", &[Fd, Ptr, Int, Size, Hex, Hex], read::preadv2).support(
        Support::Partial("RWF_HIPRI and RWF_NOWAIT have no effect: files are always ready"),
    ),
    row(libc::SYS_pwritev2, "pwritev2", &[Fd, Ptr, Int, Size, Hex, Hex], write::pwritev2)
        .support(Support::Partial("RWF_APPEND is not simulated")),
    row(libc::SYS_lseek, "lseek", &[Fd, Size, Int], seek::lseek),
    row(libc::SYS_ftruncate, "ftruncate", &[Fd, Size], size::ftruncate),
    row(libc::SYS_fallocate, "fallocate", &[Fd, Hex, Size, Size], size::fallocate),
    row(libc::SYS_fsync, "fsync", &[Fd], sync::fsync),
    row(libc::SYS_fdatasync, "fdatasync", &[Fd], sync::fdatasync),
    row(libc::SYS_sync, "sync", &[], sync::sync),
    row(libc::SYS_syncfs, "syncfs", &[Fd], sync::syncfs),
    row(
        libc::SYS_sync_file_range,
        "sync_file_range",
        &[Fd, Size, Size, Hex],
        sync::sync_file_range,
    ),
    row(libc::SYS_getdents64, "getdents64", &[Fd, Ptr, Size], directory::getdents64),
    row(libc::SYS_sendfile, "sendfile", &[Fd, Fd, Ptr, Size], copy::sendfile),
    row(
        libc::SYS_copy_file_range,
        "copy_file_range",
        &[Fd, Ptr, Fd, Ptr, Size, Hex],
        copy::copy_file_range,
    ),
    row(libc::SYS_fadvise64, "fadvise64", &[Fd, Size, Size, Int], fadvise64)
        .support(Support::Accepted("everything is in memory already")),
    row(libc::SYS_readahead, "readahead", &[Fd, Size, Size], fadvise64)
        .support(Support::Accepted("everything is in memory already")),
    row(libc::SYS_memfd_create, "memfd_create", &[Path, Hex], memfd::memfd_create)
        .support(Support::Partial("sealing and huge pages are not simulated")),
    row(libc::SYS_flock, "flock", &[Fd, Int], flock).restarts(),
];

/// An open file, directory or device.
#[derive(Debug)]
pub struct OpenFile {
    /// The node; the description retains it.
    pub ino: Ino,
    /// Where the next read or write happens; of a directory: the position of the next entry.
    pub offset: u64,
}

fn fadvise64(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = k.descriptor(a.fd(0))?;
    if k.file(id).is_none() {
        return Err(Errno::ESPIPE.into());
    }
    Ok(0)
}

fn flock(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    k.lock_whole_file(a.fd(0), a.int(1))
}
