//! Signals.

use std::mem::zeroed;
use std::ptr::null_mut;

use libc::{c_int, sigset_t};

/// A set of these signals.
pub(crate) fn sigset(signals: &[c_int]) -> sigset_t {
    // SAFETY: the set is of our own, and sigemptyset gives it a value.
    unsafe {
        let mut set = zeroed();
        libc::sigemptyset(&mut set);
        for signal in signals {
            libc::sigaddset(&mut set, *signal);
        }
        set
    }
}

pub(crate) fn is_member(set: &sigset_t, signal: c_int) -> bool {
    // SAFETY: the set has a value.
    unsafe { libc::sigismember(set, signal) == 1 }
}

/// Installs a plain handler.
pub(crate) fn on_signal(signal: c_int, handler: extern "C" fn(c_int), flags: c_int) -> c_int {
    set_disposition(signal, handler as *const () as usize, flags)
}

/// Installs a handler, SIG_DFL or SIG_IGN.
pub(crate) fn set_disposition(signal: c_int, handler: usize, flags: c_int) -> c_int {
    // SAFETY: all fields are integers, for which zero is a value; the handler
    // is a function of the body's, of the type the flags say.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        libc::sigaction(signal, &action, null_mut())
    }
}

/// Changes the calling thread's mask; `how` as SIG_BLOCK.
pub(crate) fn mask(how: c_int, signals: &[c_int]) -> c_int {
    // SAFETY: the set has a value, and null asks for no old one.
    unsafe { libc::pthread_sigmask(how, &sigset(signals), null_mut()) }
}

/// Whether a signal is pending for this thread or its process.
pub(crate) fn is_pending(signal: c_int) -> bool {
    let mut set = sigset(&[]);
    // SAFETY: the set is of our own.
    assert_eq!(unsafe { libc::sigpending(&mut set) }, 0, "sigpending");
    is_member(&set, signal)
}

/// Sends a signal to the calling thread.
pub(crate) fn raise(signal: c_int) -> c_int {
    // SAFETY: no memory is involved.
    unsafe { libc::raise(signal) }
}

/// The calling thread, to be named in [`pthread_kill`].
pub(crate) fn pthread_self() -> libc::pthread_t {
    // SAFETY: pthread_self takes nothing and cannot fail.
    unsafe { libc::pthread_self() }
}

/// Sends a signal to a thread that has not been joined yet.
pub(crate) fn pthread_kill(thread: libc::pthread_t, signal: c_int) -> c_int {
    // SAFETY: the bodies keep the thread joinable while they name it.
    unsafe { libc::pthread_kill(thread, signal) }
}
