//! Descriptors: reading, writing, duplicating.

use libc::{c_int, c_ulong, iovec};

pub(crate) fn read(fd: i32, buffer: &mut [u8]) -> isize {
    // SAFETY: the pointer and length are those of one slice.
    unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) }
}

pub(crate) fn write(fd: i32, bytes: &[u8]) -> isize {
    // SAFETY: the pointer and length are those of one slice.
    unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) }
}

pub(crate) fn pread(fd: i32, buffer: &mut [u8], offset: i64) -> isize {
    // SAFETY: the pointer and length are those of one slice.
    unsafe { libc::pread(fd, buffer.as_mut_ptr().cast(), buffer.len(), offset) }
}

pub(crate) fn pwrite(fd: i32, bytes: &[u8], offset: i64) -> isize {
    // SAFETY: the pointer and length are those of one slice.
    unsafe { libc::pwrite(fd, bytes.as_ptr().cast(), bytes.len(), offset) }
}

/// The pieces of one gathering or scattering call.
pub(crate) fn iovecs<const N: usize>(pieces: [&mut [u8]; N]) -> [iovec; N] {
    pieces.map(|piece| iovec { iov_base: piece.as_mut_ptr().cast(), iov_len: piece.len() })
}

pub(crate) fn readv<const N: usize>(fd: i32, pieces: [&mut [u8]; N]) -> isize {
    let pieces = iovecs(pieces);
    // SAFETY: each piece is a slice that outlives the call.
    unsafe { libc::readv(fd, pieces.as_ptr(), N as c_int) }
}

pub(crate) fn writev<const N: usize>(fd: i32, pieces: [&[u8]; N]) -> isize {
    let pieces =
        pieces.map(|piece| iovec { iov_base: piece.as_ptr() as *mut _, iov_len: piece.len() });
    // SAFETY: each piece is a slice that outlives the call; writev only reads it.
    unsafe { libc::writev(fd, pieces.as_ptr(), N as c_int) }
}

pub(crate) fn close(fd: i32) -> i32 {
    // SAFETY: closing a number is memory-safe; bodies own the fds they close.
    unsafe { libc::close(fd) }
}

pub(crate) fn dup(fd: i32) -> i32 {
    // SAFETY: no memory is involved.
    unsafe { libc::dup(fd) }
}

pub(crate) fn dup2(fd: i32, to: i32) -> i32 {
    // SAFETY: no memory is involved.
    unsafe { libc::dup2(fd, to) }
}

pub(crate) fn dup3(fd: i32, to: i32, flags: i32) -> i32 {
    // SAFETY: no memory is involved.
    unsafe { libc::dup3(fd, to, flags) }
}

/// fcntl(2) for the commands that take an integer or nothing.
pub(crate) fn fcntl(fd: i32, command: i32, argument: i32) -> i32 {
    // SAFETY: no memory is involved with these commands.
    unsafe { libc::fcntl(fd, command, argument) }
}

/// ioctl(2) for the requests that take a pointer to an int.
pub(crate) fn ioctl(fd: i32, request: c_ulong, value: &mut i32) -> i32 {
    // SAFETY: the requests used here read or write one int.
    unsafe { libc::ioctl(fd, request, value as *mut i32) }
}

pub(crate) fn pipe2(ends: &mut [i32; 2], flags: i32) -> i32 {
    // SAFETY: pipe2 writes two ints.
    unsafe { libc::pipe2(ends.as_mut_ptr(), flags) }
}

/// A pipe as `[read end, write end]`.
pub(crate) fn pipe(flags: i32) -> [i32; 2] {
    let mut ends = [-1; 2];
    assert_eq!(pipe2(&mut ends, flags), 0, "pipe2");
    ends
}

pub(crate) fn set_nonblocking(fd: i32) {
    let flags = fcntl(fd, libc::F_GETFL, 0);
    assert_eq!(fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK), 0, "F_SETFL");
}

/// Closes several descriptors of the body's own.
pub(crate) fn close_all(fds: &[i32]) {
    for fd in fds {
        assert_eq!(close(*fd), 0, "close");
    }
}

/// How many bytes FIONREAD says can be read.
pub(crate) fn readable_bytes(fd: i32) -> i32 {
    let mut count = -1;
    assert_eq!(ioctl(fd, libc::FIONREAD, &mut count), 0, "FIONREAD");
    count
}
