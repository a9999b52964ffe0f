//! libc's functions with slices and addresses in place of pointers and lengths.
//!
//! Each wrapper is one libc call and returns what libc returned, so that
//! [`crate::Transcript::call`] can read `errno` straight after it. Calls that a
//! single body makes, and calls with deliberately wrong pointers, stand in that
//! body as plain `libc`.

mod fd;
mod file;
mod net;
mod signal;
mod wait;

pub(crate) use fd::*;
pub(crate) use file::*;
pub(crate) use net::*;
pub(crate) use signal::*;
pub(crate) use wait::*;

use std::time::{Duration, Instant};

/// A pointer that no process may use: the first page is never mapped, and this
/// is not null, which many calls treat specially.
pub(crate) const BAD_POINTER: usize = 8;

/// A descriptor number that is far above any limit a body runs under.
pub(crate) const BAD_FD: i32 = 1_000_000;

/// How long a body waits for what must happen, before it calls it missing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Asks again every millisecond until `condition` holds; false when it did not
/// within [`PATIENCE`].
pub(crate) fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > PATIENCE {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

/// `millis` as a `timespec`.
pub(crate) fn timespec(millis: i64) -> libc::timespec {
    libc::timespec { tv_sec: millis / 1000, tv_nsec: millis % 1000 * 1_000_000 }
}

/// `millis` as a `timeval`.
pub(crate) fn timeval(millis: i64) -> libc::timeval {
    libc::timeval { tv_sec: millis / 1000, tv_usec: millis % 1000 * 1000 }
}

/// The time of `clock`; see clock_gettime(2).
pub(crate) fn now(clock: libc::clockid_t) -> Duration {
    let mut time = timespec(0);
    // SAFETY: `time` is a timespec of our own.
    let result = unsafe { libc::clock_gettime(clock, &mut time) };
    assert_eq!(result, 0, "clock_gettime");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The calling thread's id; see gettid(2).
pub(crate) fn gettid() -> i32 {
    // SAFETY: gettid takes nothing and cannot fail.
    unsafe { libc::gettid() }
}
