//! What keeps the heap consistent while the process still has several kernel threads.

use core::sync::atomic::{AtomicBool, Ordering};

/// Taken while the process still has several kernel threads, that is, outside a world.
static LOCK: AtomicBool = AtomicBool::new(false);

pub(super) fn lock() -> bool {
    if crate::world::is_armed() {
        return false;
    }
    while LOCK.swap(true, Ordering::Acquire) {
        core::hint::spin_loop();
    }
    true
}

pub(super) fn unlock(taken: bool) {
    if taken {
        LOCK.store(false, Ordering::Release);
    }
}

/// Keeps the heap still while the process forks, so that the child does not inherit a held lock.
pub fn locked<R>(f: impl FnOnce() -> R) -> R {
    let taken = lock();
    let result = f();
    unlock(taken);
    result
}
