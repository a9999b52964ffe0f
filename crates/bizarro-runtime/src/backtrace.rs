//! Where the current task is: return addresses, collected by the unwinder that the program itself uses.
//!
//! Addresses are written down as they stand in the files that they come from; names and lines are looked up
//! by whoever reads the record, once, and not in the world.

use alloc::format;
use alloc::string::String;
use core::ffi::{c_int, c_void};

use bizarro_record::event::PROGRAM;

use crate::{image, objects};

/// Frames that are kept, the innermost ones. A stack that overflowed has a hundred thousand.
const MOST: usize = 64;

/// `_Unwind_Backtrace` and `_Unwind_GetIPInfo` of the program's unwinder (Linux Standard Base, "Exception
/// handling").
#[derive(Clone, Copy)]
struct Unwinder {
    backtrace: extern "C" fn(Step, *mut c_void) -> c_int,
    instruction: extern "C" fn(*mut c_void, *mut c_int) -> usize,
}

type Step = extern "C" fn(*mut c_void, *mut c_void) -> c_int;

/// What was found so far. It outlives a fault of the unwinder, which a ruined stack can cause.
struct Frames {
    addresses: [usize; MOST],
    found: usize,
    /// Whether the unwinder runs now.
    at_work: bool,
}

static mut UNWINDER: Option<Unwinder> = None;
static mut FRAMES: Frames = Frames { addresses: [0; MOST], found: 0, at_work: false };

fn frames() -> &'static mut Frames {
    // SAFETY: one kernel thread; the unwinder calls back before it returns, and nothing is kept across that.
    unsafe { &mut *(&raw mut FRAMES) }
}

/// Finds the program's unwinder: to be called in the constructor. Programs in C may have none.
pub fn capture() {
    // SAFETY: dlsym(3) with names of functions of these types.
    unsafe {
        let find = |name: &core::ffi::CStr| libc::dlsym(core::ptr::null_mut(), name.as_ptr());
        let (backtrace, instruction) = (find(c"_Unwind_Backtrace"), find(c"_Unwind_GetIPInfo"));
        if !backtrace.is_null() && !instruction.is_null() {
            UNWINDER = Some(Unwinder {
                backtrace: core::mem::transmute::<
                    *mut c_void,
                    extern "C" fn(Step, *mut c_void) -> c_int,
                >(backtrace),
                instruction: core::mem::transmute::<
                    *mut c_void,
                    extern "C" fn(*mut c_void, *mut c_int) -> usize,
                >(instruction),
            });
        }
    }
}

/// Collects the frames of the current task: to be called as the guest, whose unwinder runs. `at` is the address
/// of the instruction that faulted, for where there is no unwinder.
pub fn collect(at: Option<usize>) {
    if frames().at_work {
        // The unwinder itself faulted: what it found so far is what there is.
        frames().at_work = false;
        return;
    }
    frames().found = 0;
    // SAFETY: written once, in the constructor.
    match unsafe { UNWINDER } {
        Some(unwinder) => {
            frames().at_work = true;
            (unwinder.backtrace)(keep, core::ptr::null_mut());
            frames().at_work = false;
        }
        None => at.into_iter().for_each(push),
    }
}

/// Gives up what was found, and whatever the unwinder was about to find.
pub fn forget() {
    (frames().found, frames().at_work) = (0, false);
}

extern "C" fn keep(context: *mut c_void, _: *mut c_void) -> c_int {
    const GO_ON: c_int = 0;
    const STOP: c_int = 5;
    // SAFETY: whoever calls this was found in `capture`.
    let Some(unwinder) = (unsafe { UNWINDER }) else { return STOP };
    let mut is_exact = 0;
    let address = (unwinder.instruction)(context, &raw mut is_exact);
    // A return address may belong to the next line: the call stands before it.
    push(if is_exact == 0 { address.wrapping_sub(1) } else { address });
    if frames().found < MOST { GO_ON } else { STOP }
}

fn push(address: usize) {
    let frames = frames();
    // Ours are between the guest and the unwinder, and between a signal handler and what it interrupted.
    if frames.found < MOST && address != 0 && !image::regions::is_own(address) {
        frames.addresses[frames.found] = address;
        frames.found += 1;
    }
}

/// The frames that were collected, as a record holds them: a line each.
pub fn text() -> String {
    let frames = frames();
    let lines = frames.addresses[..frames.found].iter().map(|address| line(*address));
    let text = lines.fold(String::new(), |text, line| text + &line + "\n");
    if frames.found == MOST { text + "…\n" } else { text }
}

fn line(address: usize) -> String {
    match objects::place_of(address) {
        Some((path, offset)) => format!("{}+{offset:#x}", path.unwrap_or(PROGRAM)),
        None => format!("unknown+{address:#x}"),
    }
}
