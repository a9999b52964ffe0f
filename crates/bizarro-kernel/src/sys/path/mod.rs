//! Paths: open(2), stat(2), mkdir(2), rename(2) and everything else that names a file.
//!
//! A file per kind of call; what they share, from a path to what it leads to, is in `lookup`.

mod access;
mod attributes;
mod create;
mod links;
mod lookup;
mod open;
mod remove;
mod rename;
mod socket_name;
mod stat;
mod statfs;
mod working_directory;
mod xattr;

use crate::errno::{Errno, SysResult};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::table::Arg::{Fd, Hex, Int, Path, Ptr, Size};
use crate::table::{Args, Row, Support, row};

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_open, "open", &[Path, Hex, Hex], open::open).restarts(),
    row(libc::SYS_openat, "openat", &[Fd, Path, Hex, Hex], open::openat).restarts(),
    row(libc::SYS_openat2, "openat2", &[Fd, Path, Ptr, Size], open::openat2)
        .support(Support::Refused("ENOSYS, as on kernels before 5.6: libraries use openat")),
    row(libc::SYS_creat, "creat", &[Path, Hex], open::creat),
    row(libc::SYS_stat, "stat", &[Path, Ptr], stat::stat),
    row(libc::SYS_lstat, "lstat", &[Path, Ptr], stat::lstat),
    row(libc::SYS_fstat, "fstat", &[Fd, Ptr], stat::fstat),
    row(libc::SYS_newfstatat, "newfstatat", &[Fd, Path, Ptr, Hex], stat::newfstatat),
    row(libc::SYS_statx, "statx", &[Fd, Path, Hex, Hex, Ptr], stat::statx),
    row(libc::SYS_statfs, "statfs", &[Path, Ptr], statfs::statfs),
    row(libc::SYS_fstatfs, "fstatfs", &[Fd, Ptr], statfs::fstatfs),
    row(libc::SYS_access, "access", &[Path, Hex], access::access),
    row(libc::SYS_faccessat, "faccessat", &[Fd, Path, Hex], access::faccessat),
    row(libc::SYS_faccessat2, "faccessat2", &[Fd, Path, Hex, Hex], access::faccessat2),
    row(libc::SYS_readlink, "readlink", &[Path, Ptr, Size], links::readlink),
    row(libc::SYS_readlinkat, "readlinkat", &[Fd, Path, Ptr, Size], links::readlinkat),
    row(libc::SYS_mkdir, "mkdir", &[Path, Hex], create::mkdir),
    row(libc::SYS_mkdirat, "mkdirat", &[Fd, Path, Hex], create::mkdirat),
    row(libc::SYS_mknod, "mknod", &[Path, Hex, Hex], create::mknod),
    row(libc::SYS_mknodat, "mknodat", &[Fd, Path, Hex, Hex], create::mknodat).support(
        Support::Partial("block devices, and devices that no host has, are not simulated"),
    ),
    row(libc::SYS_rmdir, "rmdir", &[Path], remove::rmdir),
    row(libc::SYS_unlink, "unlink", &[Path], remove::unlink),
    row(libc::SYS_unlinkat, "unlinkat", &[Fd, Path, Hex], remove::unlinkat),
    row(libc::SYS_link, "link", &[Path, Path], links::link),
    row(libc::SYS_linkat, "linkat", &[Fd, Path, Fd, Path, Hex], links::linkat),
    row(libc::SYS_symlink, "symlink", &[Path, Path], links::symlink),
    row(libc::SYS_symlinkat, "symlinkat", &[Path, Fd, Path], links::symlinkat),
    row(libc::SYS_rename, "rename", &[Path, Path], rename::rename),
    row(libc::SYS_renameat, "renameat", &[Fd, Path, Fd, Path], rename::renameat),
    row(libc::SYS_renameat2, "renameat2", &[Fd, Path, Fd, Path, Hex], rename::renameat2),
    row(libc::SYS_truncate, "truncate", &[Path, Size], attributes::truncate),
    row(libc::SYS_chmod, "chmod", &[Path, Hex], attributes::chmod),
    row(libc::SYS_fchmod, "fchmod", &[Fd, Hex], attributes::fchmod),
    row(libc::SYS_fchmodat, "fchmodat", &[Fd, Path, Hex], attributes::fchmodat),
    row(libc::SYS_chown, "chown", &[Path, Int, Int], attributes::chown),
    row(libc::SYS_lchown, "lchown", &[Path, Int, Int], attributes::lchown),
    row(libc::SYS_fchown, "fchown", &[Fd, Int, Int], attributes::fchown),
    row(libc::SYS_fchownat, "fchownat", &[Fd, Path, Int, Int, Hex], attributes::fchownat),
    row(libc::SYS_utimensat, "utimensat", &[Fd, Path, Ptr, Hex], attributes::utimensat),
    row(libc::SYS_getcwd, "getcwd", &[Ptr, Size], working_directory::getcwd),
    row(libc::SYS_chdir, "chdir", &[Path], working_directory::chdir),
    row(libc::SYS_fchdir, "fchdir", &[Fd], working_directory::fchdir),
    row(libc::SYS_umask, "umask", &[Hex], create::umask),
    row(libc::SYS_getxattr, "getxattr", &[Path, Path, Ptr, Size], xattr::getxattr),
    row(libc::SYS_lgetxattr, "lgetxattr", &[Path, Path, Ptr, Size], xattr::lgetxattr),
    row(libc::SYS_fgetxattr, "fgetxattr", &[Fd, Path, Ptr, Size], xattr::fgetxattr),
    row(libc::SYS_setxattr, "setxattr", &[Path, Path, Ptr, Size, Hex], xattr::setxattr),
    row(libc::SYS_fsetxattr, "fsetxattr", &[Fd, Path, Ptr, Size, Hex], xattr::fsetxattr),
    row(libc::SYS_listxattr, "listxattr", &[Path, Ptr, Size], xattr::listxattr),
    row(libc::SYS_flistxattr, "flistxattr", &[Fd, Ptr, Size], xattr::flistxattr),
    row(libc::SYS_inotify_init1, "inotify_init1", &[Hex], no_watches)
        .support(Support::Refused("EMFILE, as where the limit of instances is reached")),
];

fn no_watches(_: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Err(Errno::EMFILE.into())
}
