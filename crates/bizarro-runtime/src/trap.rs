//! The trap: every system-call instruction outside `bizarro_text` raises SIGSYS (Syscall User Dispatch) and
//! ends in [`crate::world::enter`]. Page faults and timestamps come here too.

use core::ffi::c_void;

use bizarro_kernel::kernel::Via;
use bizarro_kernel::table::Args;

use crate::{guest, image, keys, raw, switch, world};

const PR_SET_SYSCALL_USER_DISPATCH: usize = 59;
const PR_SYS_DISPATCH_OFF: usize = 0;
const PR_SYS_DISPATCH_ON: usize = 1;
const BLOCK: u8 = 1;
/// SIGSEGV for a general protection fault carries this code: `rdtsc` while PR_SET_TSC forbids it.
const SI_KERNEL: i32 = 0x80;
/// SIGSEGV for a page that is mapped but may not be accessed so.
const SEGV_ACCERR: i32 = 2;
/// The real stack of fault handlers.
const FAULT_STACK: usize = 1 << 20;

/// Always "block": what is let through is decided by address alone.
static SELECTOR: u8 = BLOCK;

/// Traps system calls of this kernel thread from now on. Not inherited by fork(2).
pub fn arm() -> Result<(), i32> {
    let (start, len) = raw::text();
    let selector = &raw const SELECTOR as usize;
    let args = [PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, start, len, selector, 0];
    // SAFETY: the handler is in place, see `install`.
    match unsafe { raw::call(libc::SYS_prctl, args) } {
        0 => Ok(()),
        error => Err(-error as i32),
    }
}

/// Lets system calls through again.
pub fn disarm() {
    let args = [PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0, 0];
    // SAFETY: afterwards this is an ordinary process.
    unsafe { raw::call(libc::SYS_prctl, args) };
}

#[repr(C)]
struct RealAction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

/// Sets a handler of the real kernel.
fn handle(signal: i32, handler: usize, flags: i32) {
    const SA_RESTORER: u64 = 0x0400_0000;
    let flags = (libc::SA_SIGINFO | libc::SA_NODEFER | flags) as u64 | SA_RESTORER;
    let restorer = raw::restorer as *const () as usize;
    let action = RealAction { handler, flags, restorer, mask: 0 };
    let args = [signal as usize, &raw const action as usize, 0, 8, 0, 0];
    // SAFETY: the handlers below follow the signal ABI.
    unsafe { raw::call(libc::SYS_rt_sigaction, args) };
}

/// Sets the default action of the real kernel for a signal.
fn reset(signal: i32) {
    let action = RealAction { handler: 0, flags: 0, restorer: 0, mask: 0 };
    let args = [signal as usize, &raw const action as usize, 0, 8, 0, 0];
    // SAFETY: the default action needs nothing.
    unsafe { raw::call(libc::SYS_rt_sigaction, args) };
}

/// Puts all handlers in place and forbids `rdtsc`.
pub fn install() {
    if let Ok(stack) = raw::map(None, FAULT_STACK, libc::PROT_READ | libc::PROT_WRITE) {
        let stack =
            libc::stack_t { ss_sp: stack as *mut c_void, ss_flags: 0, ss_size: FAULT_STACK };
        // SAFETY: fresh pages that nobody else uses.
        unsafe { raw::call(libc::SYS_sigaltstack, [&raw const stack as usize, 0, 0, 0, 0, 0]) };
    }
    handle(libc::SIGSYS, trapped as *const () as usize, 0);
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP] {
        handle(signal, faulted as *const () as usize, libc::SA_ONSTACK);
    }
    handle(libc::SIGVTALRM, crate::watchdog::ticked as *const () as usize, libc::SA_ONSTACK);
    const PR_SET_TSC: usize = 26;
    const PR_TSC_SIGSEGV: usize = 2;
    // SAFETY: `faulted` emulates the instruction.
    unsafe { raw::call(libc::SYS_prctl, [PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0, 0]) };
    // The mask of the real kernel is empty; the guest's is virtual.
    let empty = 0u64;
    let args = [libc::SIG_SETMASK as usize, &raw const empty as usize, 0, 8, 0, 0];
    // SAFETY: the kernel reads eight bytes.
    unsafe { raw::call(libc::SYS_rt_sigprocmask, args) };
}

/// The registers that a signal handler was called with.
pub type Frame = libc::ucontext_t;

fn register(frame: &Frame, which: i32) -> usize {
    frame.uc_mcontext.gregs[which as usize] as usize
}

/// The instruction at which a guest was interrupted.
pub fn instruction(frame: &Frame) -> usize {
    register(frame, libc::REG_RIP)
}

/// The registers of the trapped instruction, for a thread that is made from them.
pub fn registers(frame: &Frame) -> switch::Registers {
    let r = |which: i32| register(frame, which) as u64;
    switch::Registers {
        rdi: r(libc::REG_RDI),
        rsi: r(libc::REG_RSI),
        rdx: r(libc::REG_RDX),
        r8: r(libc::REG_R8),
        r9: r(libc::REG_R9),
        r10: r(libc::REG_R10),
        r12: r(libc::REG_R12),
        r13: r(libc::REG_R13),
        r14: r(libc::REG_R14),
        r15: r(libc::REG_R15),
        rbp: r(libc::REG_RBP),
        rbx: r(libc::REG_RBX),
        rsp: r(libc::REG_RSP),
        rip: r(libc::REG_RIP),
    }
}

/// SIGSYS: a system-call instruction of the guest.
unsafe extern "C" fn trapped(_: i32, _: *mut libc::siginfo_t, frame: *mut Frame) {
    keys::restore();
    // SAFETY: the kernel's frame lives until the handler returns, and only this function has it.
    let frame = unsafe { &mut *frame };
    let r = |which| register(frame, which) as u64;
    let number = r(libc::REG_RAX);
    let args = [
        r(libc::REG_RDI),
        r(libc::REG_RSI),
        r(libc::REG_RDX),
        r(libc::REG_R10),
        r(libc::REG_R8),
        r(libc::REG_R9),
    ];
    if world::in_kernel() {
        raw::complain(format_args!("system call {number} inside the simulator"));
        raw::exit(crate::OUR_BUG);
    }
    if number == libc::SYS_exit_group as u64 && args[0] as u8 != 0 {
        world::exits_without_success();
    }
    let result = world::enter::<false>(number, &Args(args), Via::Trap, Some(frame));
    frame.uc_mcontext.gregs[libc::REG_RAX as usize] = result as i64;
}

/// SIGSEGV and its kin: a first write to a page of the image, a bad address in a call, a timestamp, or a fault of
/// the guest's own.
unsafe extern "C" fn faulted(signal: i32, info: *mut libc::siginfo_t, frame: *mut Frame) {
    keys::restore();
    // SAFETY: as above.
    let (info, frame) = unsafe { (&mut *info, &mut *frame) };
    // SAFETY: these signals carry an address.
    let addr = unsafe { info.si_addr() } as usize;
    let rip = register(frame, libc::REG_RIP);
    if signal == libc::SIGSEGV {
        let is_ours = match info.si_code {
            SEGV_ACCERR => image::tracking::fault(addr),
            keys::SEGV_PKUERR => image::cold::forbidden(addr),
            _ => false,
        };
        if is_ours {
            return;
        }
    }
    // SIGBUS: beyond the end of a mapped file.
    if [libc::SIGSEGV, libc::SIGBUS].contains(&signal)
        && let Some(to) = guest::fixed_up(rip)
    {
        frame.uc_mcontext.gregs[libc::REG_RIP as usize] = to as i64;
        return;
    }
    if signal == libc::SIGSEGV && info.si_code == SI_KERNEL && emulate_timestamp(frame, rip) {
        return;
    }
    if world::in_kernel() || !world::is_armed() {
        raw::complain(format_args!(
            "signal {signal} inside the simulator at {rip:#x}, address {addr:#x}"
        ));
        reset(signal);
        return;
    }
    world::guest_fault(signal, info, frame);
}

/// `rdtsc` and `rdtscp` show virtual time at 1 GHz.
fn emulate_timestamp(frame: &mut Frame, rip: usize) -> bool {
    // SAFETY: the instruction was fetched from there a moment ago; at most three bytes are read, and one that
    // ends a page after two is `rdtsc`, which is found first.
    let length = unsafe {
        let at = rip as *const u8;
        match (*at, *at.add(1)) {
            (0x0f, 0x31) => 2,
            (0x0f, 0x01) if *at.add(2) == 0xf9 => 3,
            _ => return false,
        }
    };
    let time = world::timestamp();
    let registers = &mut frame.uc_mcontext.gregs;
    registers[libc::REG_RAX as usize] = (time & 0xffff_ffff) as i64;
    registers[libc::REG_RDX as usize] = (time >> 32) as i64;
    if length == 3 {
        registers[libc::REG_RCX as usize] = 0;
    }
    registers[libc::REG_RIP as usize] += length;
    true
}
