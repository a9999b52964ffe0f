//! The hypercall between a guest's facade and the simulator's shared object.
//!
//! The shared object exports one C function under the name [`SYMBOL`]. A program that was started
//! without it (an ordinary process on Linux) does not find the symbol, and [`call`] says so: that is
//! what makes `always!` and its kin no-ops outside a world.
//!
//! Inputs and outputs are byte strings; what they hold is documented at each [`Op`]. This crate is the
//! one small place with unsafe code beside the runtime.
#![no_std]

#[cfg(feature = "program")]
extern crate alloc;

#[cfg(all(feature = "probe", target_os = "linux"))]
mod probe;
#[cfg(feature = "program")]
mod program;

#[cfg(all(feature = "probe", target_os = "linux"))]
pub use probe::has_syscall_user_dispatch;
#[cfg(feature = "program")]
pub use program::{Leaked, Program, leak};

#[cfg(target_os = "linux")]
use core::ffi::c_char;
use core::ffi::{CStr, c_void};
use core::sync::atomic::{AtomicPtr, Ordering};

/// Name of the exported function. The number is the version of the ABI: a shared object of another
/// version does not export it, so that a mismatch is found at once.
pub const SYMBOL: &CStr = c"bizarro_call_v1";

/// Environment variable that makes the shared object take over a program that knows nothing of it:
/// the whole process is the world's only host, and the host's `entry` is 0.
///
/// Its value is the decimal number of a descriptor that holds the postcard of a `RunRequest` from its
/// first byte to its end. The constructor reads it (from position 0), forks, and
/// the parent ends with what became of the child: its exit status, or 128 and the signal's number.
pub const EXEC_ENV: &str = "BIZARRO_EXEC";

/// What is asked of the simulator. Values are part of the ABI and never reused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Op {
    /// A property was looked at. Input: postcard of `Assertion`. Returns 0.
    Assert = 2,
    /// An operation of a history begins. Input: postcard of `(history name, value bytes)`.
    /// Returns the operation's number.
    Invoke = 3,
    /// An operation of a history ends. Input: postcard of `(op number, outcome, value bytes)`. Returns 0.
    Return = 4,
    /// A note for the run's timeline. Input: UTF-8. Returns 0.
    Note = 5,
    /// A thread panicked. Input: UTF-8 message and place. Returns 0.
    Panic = 6,
    /// True virtual time in nanoseconds since the world started. Returns it.
    Now = 9,
    /// Outside a world: make runs of one, in processes forked from this one. Input: postcard of `ServeRequest`. Returns
    /// 0 when nobody wants any more.
    Serve = 10,
    /// The program has come to something that plans can name. Input: its name, UTF-8. Returns 0.
    Milestone = 11,
    /// Whether the caller's host is a traitor now. Returns 1 if it is, else 0.
    Traitor = 13,
}

impl Op {
    /// The operation of this number.
    pub fn from_number(n: u32) -> Option<Op> {
        let all = [
            Op::Assert,
            Op::Invoke,
            Op::Return,
            Op::Note,
            Op::Panic,
            Op::Now,
            Op::Serve,
            Op::Milestone,
            Op::Traitor,
        ];
        all.into_iter().find(|op| *op as u32 == n)
    }
}

/// The exported function: operation, input and its length, output and its capacity; returns what the
/// operation says, or a negative errno.
pub type Entry = unsafe extern "C" fn(u32, *const u8, usize, *mut u8, usize) -> isize;

#[cfg(target_os = "linux")]
fn look_up() -> *mut c_void {
    unsafe extern "C" {
        fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    }
    // SAFETY: the name is a C string, and a null handle is RTLD_DEFAULT: search every loaded object (dlsym(3)).
    unsafe { dlsym(core::ptr::null_mut(), SYMBOL.as_ptr()) }
}

/// Worlds are on Linux.
#[cfg(not(target_os = "linux"))]
fn look_up() -> *mut c_void {
    core::ptr::null_mut()
}

/// Not looked up yet.
const UNKNOWN: *mut c_void = usize::MAX as *mut c_void;
static ENTRY: AtomicPtr<c_void> = AtomicPtr::new(UNKNOWN);

fn entry() -> Option<Entry> {
    let mut found = ENTRY.load(Ordering::Relaxed);
    if found == UNKNOWN {
        found = look_up();
        ENTRY.store(found, Ordering::Relaxed);
    }
    if found.is_null() {
        return None;
    }
    // SAFETY: only Bizarro's shared object exports this name, as a function of exactly this type.
    Some(unsafe { core::mem::transmute::<*mut c_void, Entry>(found) })
}

/// Whether this process was started by Bizarro.
pub fn present() -> bool {
    entry().is_some()
}

/// Asks the simulator. `None` where there is none: the process runs on Linux itself.
///
/// The result is what the operation returns, or a negative errno (`-EINVAL`: not allowed here or not understood).
pub fn call(op: Op, input: &[u8], output: &mut [u8]) -> Option<isize> {
    let entry = entry()?;
    // SAFETY: both pointers come from slices with the lengths given, and the simulator keeps neither.
    Some(unsafe {
        entry(op as u32, input.as_ptr(), input.len(), output.as_mut_ptr(), output.len())
    })
}
