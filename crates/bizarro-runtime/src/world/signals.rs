//! Signals of guests: their handlers, and what kills a process.

use alloc::string::String;
use core::ffi::c_void;

use bizarro_kernel::sys::signals::delivery::Delivery;
use bizarro_record::record::TaskState as TaskReport;
use bizarro_record::{Ending, Event};

use super::ending::finish;
use super::{leave_for_good, set_in_kernel, the_world};
use crate::trap::{self, Frame};
use crate::{backtrace, hypercall};

pub(super) fn deliver_signals(mut frame: Option<&mut Frame>) {
    while let Some(delivery) = the_world().kernel.next_delivery() {
        match delivery {
            Delivery::Kill(signal) => kill_current(signal, frame.as_deref().map(trap::instruction)),
            Delivery::Handler { action, info, mask, stack } => {
                let mut bytes = info.to_bytes();
                // SAFETY: all zero is a valid `ucontext_t`.
                let mut blank: Frame = unsafe { core::mem::zeroed() };
                let frame = frame.as_deref_mut().unwrap_or(&mut blank);
                call_handler(
                    action.handler,
                    info.signal,
                    bytes.as_mut_ptr().cast(),
                    frame,
                    mask,
                    stack,
                );
            }
        }
    }
}

/// Calls a guest's handler as Linux would: with the signal, what is known of it, and the interrupted registers.
fn call_handler(
    handler: u64,
    signal: i32,
    info: *mut c_void,
    frame: &mut Frame,
    mask: u64,
    stack: Option<(u64, u64)>,
) {
    let shown = &raw mut frame.uc_sigmask as *mut u64;
    // SAFETY: the mask's first word is the whole mask of Linux.
    unsafe { *shown = mask };
    let frame = (frame as *mut Frame).cast::<c_void>();
    set_in_kernel(false);
    let here = &raw const mask as u64;
    let top = stack
        .filter(|(base, size)| !(*base..base + size).contains(&here))
        .map(|(base, size)| (base + size) & !63);
    // SAFETY: the guest said that this is a handler, and gave the alternate stack if there is one.
    unsafe {
        match top {
            None => {
                let handler: extern "C" fn(i32, *mut c_void, *mut c_void) =
                    core::mem::transmute(handler as usize);
                handler(signal, info, frame);
            }
            Some(top) => core::arch::asm!(
                "mov r12, rsp",
                "mov rsp, {top}",
                "call {handler}",
                "mov rsp, r12",
                top = in(reg) top,
                handler = in(reg) handler,
                in("rdi") signal as usize,
                in("rsi") info,
                in("rdx") frame,
                out("r12") _,
                clobber_abi("C"),
            ),
        }
    }
    set_in_kernel(true);
    // SAFETY: as above. The handler may have changed the mask to return to; the real kernel, which reads the
    // same word when the trap returns, must not block anything.
    let left = unsafe { core::ptr::replace(shown, 0) };
    the_world().kernel.handler_returned(left);
}

/// A fault of the guest's own: its handler, or the end of its process.
pub fn guest_fault(signal: i32, info: &mut libc::siginfo_t, frame: &mut Frame) {
    set_in_kernel(true);
    match the_world().kernel.fault_delivery(signal) {
        Delivery::Kill(signal) => kill_current(signal, Some(trap::instruction(frame))),
        Delivery::Handler { action, mask, stack, .. } => {
            let info = (info as *mut libc::siginfo_t).cast();
            call_handler(action.handler, signal, info, frame, mask, stack);
        }
    }
    set_in_kernel(false);
}

/// Where the current task is. `at` is the instruction at which it was interrupted, where that is known.
fn backtrace(at: Option<usize>) -> String {
    set_in_kernel(false);
    backtrace::collect(at);
    set_in_kernel(true);
    backtrace::text()
}

/// A thread of the guest panicked, as its facade says; it is still where it did.
pub fn panicked(message: String) {
    let backtrace = backtrace(None);
    hypercall::note(the_world(), Event::Panicked { message, backtrace });
    set_in_kernel(false);
}

/// A process of the guest is about to end, and says that something went wrong.
pub fn exits_without_success() {
    let backtrace = backtrace(None);
    let world = the_world();
    world.recorder.exiting = Some((world.kernel.host_id().0, backtrace));
    set_in_kernel(false);
}

fn kill_current(signal: i32, at: Option<usize>) -> ! {
    let backtrace = backtrace(at);
    let world = the_world();
    let host = world.kernel.host_id();
    world.kernel.kill_process(host, signal, backtrace);
    leave_for_good()
}

/// A task used up its CPU time without a call.
pub fn spinning(frame: &mut Frame) {
    let backtrace = backtrace(Some(trap::instruction(frame)));
    let world = the_world();
    let task = world.kernel.task();
    let task = TaskReport {
        host: world.kernel.host().name().clone(),
        tid: task.tid,
        name: task.name().into_owned(),
        waits_for: String::from("running"),
        backtrace: String::new(),
    };
    world.kernel.stats.virtual_time = world.kernel.now;
    finish(Ending::Spinning { task, backtrace })
}
