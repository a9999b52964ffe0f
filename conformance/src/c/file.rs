//! Files and paths.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A path as the NUL-terminated string that system calls take.
pub(crate) fn path(path: impl AsRef<Path>) -> CString {
    CString::new(path.as_ref().as_os_str().as_bytes()).expect("a path without NUL")
}

pub(crate) fn open(at: impl AsRef<Path>, flags: i32) -> i32 {
    open_mode(at, flags, 0o644)
}

pub(crate) fn open_mode(at: impl AsRef<Path>, flags: i32, mode: u32) -> i32 {
    let at = path(at);
    // SAFETY: `at` is a NUL-terminated string of our own.
    unsafe { libc::open(at.as_ptr(), flags, mode) }
}

pub(crate) fn openat(dir: i32, at: impl AsRef<Path>, flags: i32) -> i32 {
    let at = path(at);
    // SAFETY: `at` is a NUL-terminated string of our own.
    unsafe { libc::openat(dir, at.as_ptr(), flags, 0o644) }
}

pub(crate) fn lseek(fd: i32, offset: i64, whence: i32) -> i64 {
    // SAFETY: no memory is involved.
    unsafe { libc::lseek(fd, offset, whence) }
}

pub(crate) fn ftruncate(fd: i32, size: i64) -> i32 {
    // SAFETY: no memory is involved.
    unsafe { libc::ftruncate(fd, size) }
}

pub(crate) fn mkdir(at: impl AsRef<Path>, mode: u32) -> i32 {
    let at = path(at);
    // SAFETY: `at` is a NUL-terminated string of our own.
    unsafe { libc::mkdir(at.as_ptr(), mode) }
}

pub(crate) fn rmdir(at: impl AsRef<Path>) -> i32 {
    let at = path(at);
    // SAFETY: `at` is a NUL-terminated string of our own.
    unsafe { libc::rmdir(at.as_ptr()) }
}

pub(crate) fn unlink(at: impl AsRef<Path>) -> i32 {
    let at = path(at);
    // SAFETY: `at` is a NUL-terminated string of our own.
    unsafe { libc::unlink(at.as_ptr()) }
}

pub(crate) fn unlinkat(dir: i32, at: impl AsRef<Path>, flags: i32) -> i32 {
    let at = path(at);
    // SAFETY: `at` is a NUL-terminated string of our own.
    unsafe { libc::unlinkat(dir, at.as_ptr(), flags) }
}

pub(crate) fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> i32 {
    let (from, to) = (path(from), path(to));
    // SAFETY: both are NUL-terminated strings of our own.
    unsafe { libc::rename(from.as_ptr(), to.as_ptr()) }
}

/// renameat2(2) on paths that do not depend on a directory descriptor.
pub(crate) fn renameat2(from: impl AsRef<Path>, to: impl AsRef<Path>, flags: u32) -> i32 {
    let (from, to) = (path(from), path(to));
    let here = libc::AT_FDCWD;
    // SAFETY: both are NUL-terminated strings of our own.
    unsafe { libc::renameat2(here, from.as_ptr(), here, to.as_ptr(), flags) }
}

pub(crate) fn link(from: impl AsRef<Path>, to: impl AsRef<Path>) -> i32 {
    let (from, to) = (path(from), path(to));
    // SAFETY: both are NUL-terminated strings of our own.
    unsafe { libc::link(from.as_ptr(), to.as_ptr()) }
}

pub(crate) fn symlink(target: impl AsRef<Path>, at: impl AsRef<Path>) -> i32 {
    let (target, at) = (path(target), path(at));
    // SAFETY: both are NUL-terminated strings of our own.
    unsafe { libc::symlink(target.as_ptr(), at.as_ptr()) }
}

pub(crate) fn readlink(at: impl AsRef<Path>, buffer: &mut [u8]) -> isize {
    let at = path(at);
    // SAFETY: the pointer and length are those of one slice.
    unsafe { libc::readlink(at.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) }
}

pub(crate) fn chmod(at: impl AsRef<Path>, mode: u32) -> i32 {
    let at = path(at);
    // SAFETY: `at` is a NUL-terminated string of our own.
    unsafe { libc::chmod(at.as_ptr(), mode) }
}

pub(crate) fn access(at: impl AsRef<Path>, mode: i32) -> i32 {
    let at = path(at);
    // SAFETY: `at` is a NUL-terminated string of our own.
    unsafe { libc::access(at.as_ptr(), mode) }
}

pub(crate) fn stat(at: impl AsRef<Path>, into: &mut libc::stat) -> i32 {
    let at = path(at);
    // SAFETY: `into` is a stat of the caller's.
    unsafe { libc::stat(at.as_ptr(), into) }
}

pub(crate) fn lstat(at: impl AsRef<Path>, into: &mut libc::stat) -> i32 {
    let at = path(at);
    // SAFETY: `into` is a stat of the caller's.
    unsafe { libc::lstat(at.as_ptr(), into) }
}

pub(crate) fn fstat(fd: i32, into: &mut libc::stat) -> i32 {
    // SAFETY: `into` is a stat of the caller's.
    unsafe { libc::fstat(fd, into) }
}

pub(crate) fn fstatat(dir: i32, at: &str, into: &mut libc::stat, flags: i32) -> i32 {
    let at = path(at);
    // SAFETY: `into` is a stat of the caller's.
    unsafe { libc::fstatat(dir, at.as_ptr(), into, flags) }
}

/// A stat to be filled.
pub(crate) fn no_stat() -> libc::stat {
    // SAFETY: all of a stat's fields are integers, for which zero is a value.
    unsafe { std::mem::zeroed() }
}

/// What fstat says about a descriptor that is open.
pub(crate) fn stat_of(fd: i32) -> libc::stat {
    let mut stat = no_stat();
    assert_eq!(fstat(fd, &mut stat), 0, "fstat");
    stat
}

/// What stat says about a path that exists.
pub(crate) fn stat_at(at: impl AsRef<Path>) -> libc::stat {
    let mut found = no_stat();
    assert_eq!(stat(at, &mut found), 0, "stat");
    found
}

/// Opens a path that must open.
pub(crate) fn must_open(at: impl AsRef<Path>, flags: i32) -> i32 {
    let fd = open(at.as_ref(), flags);
    assert!(fd >= 0, "{} does not open", at.as_ref().display());
    fd
}
