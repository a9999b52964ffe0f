//! Replaced symbols of the C library, for speed only: each goes to the handler that the trap would reach,
//! without the trap. Leaving any of them out changes no result: `BIZARRO_HOOKS=0` has
//! all of them make the system call.
//!
//! Two are more than that where the vDSO had to be hidden: the C library looks `time` and `gettimeofday` up in it
//! when they are first called.

use crate::world;

/// What the C library's wrapper does with the kernel's result.
fn wrapped(number: libc::c_long, args: [usize; 6]) -> isize {
    finished(world::enter_by_hook(number as u64, args.map(|word| word as u64)))
}

/// What a program sees of the kernel's result: -1 and `errno` where it is an error.
fn finished(result: u64) -> isize {
    let result = result as isize;
    if (-4095..0).contains(&result) {
        // SAFETY: the C library's own location for the current thread.
        unsafe { *libc::__errno_location() = -result as i32 };
        return -1;
    }
    result
}

macro_rules! hooks {
    ($($number:ident $name:ident($($arg:ident),*) -> $result:ty;)*) => {
        $(
            /// # Safety
            /// As for the call, in section 2 of the manual.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($($arg: usize),*) -> $result {
                let given = [$($arg),*];
                let mut args = [0; 6];
                args[..given.len()].copy_from_slice(&given);
                wrapped(libc::$number, args) as $result
            }
        )*
    };
}

hooks! {
    SYS_read read(fd, buffer, len) -> isize;
    SYS_write write(fd, buffer, len) -> isize;
    SYS_readv readv(fd, vecs, count) -> isize;
    SYS_writev writev(fd, vecs, count) -> isize;
    SYS_close close(fd) -> i32;
    SYS_sendto sendto(fd, buffer, len, flags, address, address_len) -> isize;
    SYS_recvfrom recvfrom(fd, buffer, len, flags, address, address_len) -> isize;
    SYS_sendmsg sendmsg(fd, message, flags) -> isize;
    SYS_recvmsg recvmsg(fd, message, flags) -> isize;
    SYS_epoll_ctl epoll_ctl(epoll, operation, fd, event) -> i32;
    SYS_poll poll(fds, count, timeout) -> i32;
    SYS_socket socket(domain, kind, protocol) -> i32;
    SYS_connect connect(fd, address, len) -> i32;
    SYS_bind bind(fd, address, len) -> i32;
    SYS_listen listen(fd, backlog) -> i32;
    SYS_accept4 accept4(fd, address, len, flags) -> i32;
    SYS_getsockname getsockname(fd, address, len) -> i32;
    SYS_getpeername getpeername(fd, address, len) -> i32;
    SYS_setsockopt setsockopt(fd, level, name, value, len) -> i32;
    SYS_getsockopt getsockopt(fd, level, name, value, len) -> i32;
    SYS_shutdown shutdown(fd, how) -> i32;
    SYS_sched_yield sched_yield() -> i32;
    SYS_getrandom getrandom(buffer, len, flags) -> isize;
    SYS_gettid gettid() -> i32;
    SYS_gettimeofday gettimeofday(time, zone) -> i32;
    SYS_time time(at) -> isize;
    SYS_sigaltstack sigaltstack(new, old) -> i32;
    SYS_timerfd_settime timerfd_settime(fd, flags, new, old) -> i32;
}

/// # Safety
/// send(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn send(fd: usize, buffer: usize, len: usize, flags: usize) -> isize {
    wrapped(libc::SYS_sendto, [fd, buffer, len, flags, 0, 0])
}

/// # Safety
/// recv(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn recv(fd: usize, buffer: usize, len: usize, flags: usize) -> isize {
    wrapped(libc::SYS_recvfrom, [fd, buffer, len, flags, 0, 0])
}

/// # Safety
/// epoll_wait(2). The C library's is this call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn epoll_wait(
    epoll: usize,
    events: usize,
    max: usize,
    timeout: usize,
) -> i32 {
    wrapped(libc::SYS_epoll_wait, [epoll, events, max, timeout, 0, 0]) as i32
}

/// # Safety
/// syscall(2). Calls that make threads or return twice need the trapped registers: they are made for real
/// and so trapped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syscall(
    number: usize,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> isize {
    let number = number as libc::c_long;
    let args = [a, b, c, d, e, f];
    if [libc::SYS_clone, libc::SYS_clone3, libc::SYS_fork, libc::SYS_vfork].contains(&number) {
        return finished(world::enter_by_trap(number as u64, args.map(|word| word as u64)));
    }
    wrapped(number, args)
}
