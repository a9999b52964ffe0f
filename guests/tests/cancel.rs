//! Threads that are cancelled (pthreads(7)) in calls that wait: on Linux itself and simulated.

use std::ffi::c_void;
use std::io::Write;

use bizarro::prelude::*;
use guests::prints;

extern "C-unwind" fn reads(fd: *mut c_void) -> *mut c_void {
    let mut byte = 0_u8;
    // SAFETY: one byte may be written there.
    unsafe { libc::read(fd as i32, (&raw mut byte).cast(), 1) };
    std::ptr::null_mut()
}

extern "C-unwind" fn receives(fd: *mut c_void) -> *mut c_void {
    let mut byte = 0_u8;
    // SAFETY: as above.
    unsafe { libc::recv(fd as i32, (&raw mut byte).cast(), 1, 0) };
    std::ptr::null_mut()
}

extern "C-unwind" fn polls(fd: *mut c_void) -> *mut c_void {
    let mut wanted = libc::pollfd { fd: fd as i32, events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry.
    unsafe { libc::poll(&raw mut wanted, 1, -1) };
    std::ptr::null_mut()
}

extern "C-unwind" fn sleeps(_: *mut c_void) -> *mut c_void {
    // SAFETY: sleep(3) touches nothing.
    unsafe { libc::sleep(100) };
    std::ptr::null_mut()
}

type Start = extern "C-unwind" fn(*mut c_void) -> *mut c_void;

/// Cancels a thread that waits, and tells how each ended.
fn cancel_all(out: &mut dyn Write) {
    let mut pair = [0; 2];
    // SAFETY: two descriptors are written.
    unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()) };
    let starts: [(&str, Start); 4] =
        [("read", reads), ("recv", receives), ("poll", polls), ("sleep", sleeps)];
    for (name, start) in starts {
        // SAFETY: the functions are of this type but for the unwinding that cancellation does; what a thread returns is
        // a word.
        let result = unsafe {
            let start =
                std::mem::transmute::<Start, extern "C" fn(*mut c_void) -> *mut c_void>(start);
            let mut thread: libc::pthread_t = 0;
            let argument = pair[0] as usize as *mut c_void;
            libc::pthread_create(&raw mut thread, std::ptr::null(), start, argument);
            libc::usleep(2000);
            libc::pthread_cancel(thread);
            let mut result = std::ptr::null_mut();
            libc::pthread_join(thread, &raw mut result);
            result as isize
        };
        // PTHREAD_CANCELED
        writeln!(out, "{name} {}", result == -1).expect("a vector and stdout take it");
    }
}

const EXPECTED: [&str; 4] = ["read true", "recv true", "poll true", "sleep true"];

#[test]
fn threads_are_cancelled_on_linux() {
    let mut out = Vec::new();
    cancel_all(&mut out);
    assert_eq!(String::from_utf8_lossy(&out).lines().collect::<Vec<_>>(), EXPECTED);
}

#[bizarro::test]
fn threads_are_cancelled(world: &mut World) {
    world.host("one").workload(|| cancel_all(&mut std::io::stdout()));
    prints(world, "one", &EXPECTED);
}
