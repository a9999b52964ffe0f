//! Replaced symbols of the C library, for speed only: each goes to the handler that the trap would reach,
//! without the trap. Leaving any of them out changes no result: `BIZARRO_HOOKS=0` has
//! all of them make the system call.
//!
//! Two are more than that where the vDSO had to be hidden: the C library looks `time` and `gettimeofday` up in it
//! when they are first called.

use core::ffi::CStr;
use core::sync::atomic::Ordering;

use bizarro_kernel::table::Args;

use crate::{cancel, world};

/// What the C library's wrapper does with the kernel's result.
fn wrapped(number: libc::c_long, args: &Args) -> isize {
    finished(world::enter_by_hook(number as u64, args))
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

/// A call's arguments; those that it does not have are zero.
#[inline(always)]
fn six<const N: usize>(given: [usize; N]) -> Args {
    Args(core::array::from_fn(|index| if index < N { given[index] as u64 } else { 0 }))
}

macro_rules! hooks {
    ($($number:ident $name:ident($($arg:ident),*) -> $result:ty;)*) => {
        $(
            /// # Safety
            /// As for the call, in section 2 of the manual.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($($arg: usize),*) -> $result {
                wrapped(libc::$number, &six([$($arg),*])) as $result
            }
        )*
    };
}

hooks! {
    SYS_epoll_ctl epoll_ctl(epoll, operation, fd, event) -> i32;
    SYS_socket socket(domain, kind, protocol) -> i32;
    SYS_bind bind(fd, address, len) -> i32;
    SYS_listen listen(fd, backlog) -> i32;
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

/// Calls at which a thread can be cancelled: where the program does that, the C library makes them.
macro_rules! cancellation_points {
    ($($number:ident $name:ident($($arg:ident),*) [$($given:expr),*] -> $result:ty;)*) => {
        $(
            /// # Safety
            /// As for the call, in section 2 of the manual.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($($arg: usize),*) -> $result {
                if cancel::is_used() {
                    // SAFETY: the function that this one stands before has the same type.
                    return unsafe {
                        let next: unsafe extern "C" fn($(cancellation_points!(@word $arg)),*) -> $result =
                            core::mem::transmute(next::$name.load(Ordering::Relaxed));
                        next($($arg),*)
                    };
                }
                wrapped(libc::$number, &six([$($given),*])) as $result
            }
        )*

        /// The C library's functions that these stand before.
        #[expect(non_upper_case_globals, reason = "each is named as its function")]
        mod next {
            use core::ffi::c_void;
            use core::sync::atomic::AtomicPtr;

            $(pub(super) static $name: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());)*
        }

        /// Finds the C library's functions: to be called in the constructor of a program that cancels threads. Done
        /// later, a host's first call would differ from what comes after.
        pub fn find_next() {
            $({
                const NAME: &CStr =
                    match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                        Ok(name) => name,
                        Err(_) => unreachable!(),
                    };
                // SAFETY: dlsym(3), which looks behind the object that asks.
                let function = unsafe { libc::dlsym(libc::RTLD_NEXT, NAME.as_ptr()) };
                next::$name.store(function, Ordering::Relaxed);
            })*
        }
    };
    (@word $arg:ident) => { usize };
}

cancellation_points! {
    SYS_read read(fd, buffer, len) [fd, buffer, len] -> isize;
    SYS_write write(fd, buffer, len) [fd, buffer, len] -> isize;
    SYS_readv readv(fd, vecs, count) [fd, vecs, count] -> isize;
    SYS_writev writev(fd, vecs, count) [fd, vecs, count] -> isize;
    SYS_close close(fd) [fd] -> i32;
    SYS_sendto sendto(fd, buffer, len, flags, address, address_len)
        [fd, buffer, len, flags, address, address_len] -> isize;
    SYS_recvfrom recvfrom(fd, buffer, len, flags, address, address_len)
        [fd, buffer, len, flags, address, address_len] -> isize;
    SYS_sendto send(fd, buffer, len, flags) [fd, buffer, len, flags, 0, 0] -> isize;
    SYS_recvfrom recv(fd, buffer, len, flags) [fd, buffer, len, flags, 0, 0] -> isize;
    SYS_sendmsg sendmsg(fd, message, flags) [fd, message, flags] -> isize;
    SYS_recvmsg recvmsg(fd, message, flags) [fd, message, flags] -> isize;
    SYS_poll poll(fds, count, timeout) [fds, count, timeout] -> i32;
    SYS_connect connect(fd, address, len) [fd, address, len] -> i32;
    SYS_accept4 accept4(fd, address, len, flags) [fd, address, len, flags] -> i32;
    SYS_epoll_wait epoll_wait(epoll, events, max, timeout) [epoll, events, max, timeout] -> i32;
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
    let args = six([a, b, c, d, e, f]);
    if [libc::SYS_clone, libc::SYS_clone3, libc::SYS_fork, libc::SYS_vfork].contains(&number) {
        return finished(world::enter_by_trap(number as u64, &args));
    }
    wrapped(number, &args)
}
