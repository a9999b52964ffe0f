//! A task that computes for long without a system call stops the whole world: a timer on the CPU time of this
//! process notices.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::trap::Frame;
use crate::{keys, raw, world};

/// How often it looks, in CPU milliseconds.
const TICK_MS: u32 = 50;

static LIMIT_MS: AtomicU32 = AtomicU32::new(u32::MAX);
static SEEN: AtomicU64 = AtomicU64::new(0);
static QUIET_MS: AtomicU32 = AtomicU32::new(0);

/// Calls a task spinning once it has used `limit_ms` of CPU time without a system call; 0 for never.
pub fn start(limit_ms: u32) {
    LIMIT_MS.store(if limit_ms == 0 { u32::MAX } else { limit_ms }, Ordering::Relaxed);
    QUIET_MS.store(0, Ordering::Relaxed);
    if limit_ms == 0 {
        return;
    }
    let tick = libc::timeval { tv_sec: 0, tv_usec: i64::from(TICK_MS) * 1000 };
    let timer = libc::itimerval { it_interval: tick, it_value: tick };
    let args = [libc::ITIMER_VIRTUAL as usize, &raw const timer as usize, 0, 0, 0, 0];
    // SAFETY: the handler is in place, see `trap::install`.
    unsafe { raw::call(libc::SYS_setitimer, args) };
}

/// SIGVTALRM.
///
/// # Safety
/// Called by the real kernel only, with a frame of its own.
pub unsafe extern "C" fn ticked(_: i32, _: *mut libc::siginfo_t, frame: *mut Frame) {
    keys::restore();
    let calls = world::calls();
    if world::in_kernel() || SEEN.swap(calls, Ordering::Relaxed) != calls {
        QUIET_MS.store(0, Ordering::Relaxed);
        return;
    }
    let quiet = QUIET_MS.load(Ordering::Relaxed) + TICK_MS;
    QUIET_MS.store(quiet, Ordering::Relaxed);
    if quiet >= LIMIT_MS.load(Ordering::Relaxed) {
        // SAFETY: the kernel's frame lives until the handler returns.
        world::spinning(unsafe { &mut *frame });
    }
}
