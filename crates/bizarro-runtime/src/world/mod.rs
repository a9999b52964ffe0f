//! The world of this process, and the way of every call of a guest through its kernel.
//!
//! INVARIANT: everything here runs on one kernel thread. References to the world are taken afresh after every
//! switch and every return from guest code, since other tasks used it meanwhile.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use bizarro_kernel::fingerprint::Fingerprint;
use bizarro_kernel::host::HostId;
use bizarro_kernel::kernel::{Cloned, Flow, Kernel, Next, Via};
use bizarro_kernel::table::Args;
use bizarro_kernel::task::TaskId;
use bizarro_record::{Hooks, Nanos, RunRequest};

use crate::guest::Guest;
use crate::recorder::Recorder;
use crate::switch::{self, Context};
use crate::trap::{self, Frame};
use crate::{backtrace, image, raw, vectors};

mod branch;
mod ending;
mod run;
mod signals;
mod start;

use ending::{go_back_to_root, is_looking};
pub use run::{Images, adopt, create, run, start_trap, wait_for};
use signals::deliver_signals;
pub use signals::{exits_without_success, guest_fault, panicked, spinning};

/// Everything about the run of this process.
pub struct World {
    /// The simulated machines.
    pub kernel: Kernel,
    /// What happened so far.
    pub recorder: Box<Recorder>,
    guest: Guest,
    contexts: Vec<Context>,
    root: Context,
    request: RunRequest,
    started: u64,
    /// See `Stats::forked`.
    forked: Option<Nanos>,
}

static mut WORLD: *mut World = core::ptr::null_mut();
static mut IN_KERNEL: bool = false;
static mut ARMED: bool = false;
static mut HOOKS: Hooks = Hooks::On;
static mut LOOKING: bool = false;

/// The world of this process, once there is one.
pub fn world() -> Option<&'static mut World> {
    // SAFETY: see the invariant at the top: one kernel thread, references are short.
    unsafe { WORLD.as_mut() }
}

fn the_world() -> &'static mut World {
    match world() {
        Some(world) => world,
        None => {
            raw::complain(format_args!("there is no world"));
            raw::exit(crate::OUR_BUG)
        }
    }
}

/// Whether guests run in this process and their calls are caught.
#[inline]
pub fn is_armed() -> bool {
    // SAFETY: a plain flag.
    unsafe { ARMED }
}

/// Whether the simulator runs, not a guest.
#[inline]
pub fn in_kernel() -> bool {
    // SAFETY: a plain flag, read by signal handlers on the same kernel thread.
    unsafe { IN_KERNEL }
}

fn set_in_kernel(on: bool) {
    // SAFETY: as above.
    unsafe { core::ptr::write_volatile(&raw mut IN_KERNEL, on) };
}

/// Back to the guest; called by the first code of a thread.
pub extern "C" fn leave_kernel() {
    set_in_kernel(false);
}

/// Runs a function of the simulator on behalf of a guest.
pub fn inside<R>(f: impl FnOnce(&mut World) -> R) -> R {
    let was = in_kernel();
    set_in_kernel(true);
    let result = f(the_world());
    set_in_kernel(was);
    result
}

/// The heap of the current host has no room for this many bytes. Comes back where the allocation is to fail.
#[cold]
pub fn out_of_memory(wanted: usize) {
    if is_armed() && inside(|world| world.kernel.out_of_memory(wanted as u64)) {
        set_in_kernel(true);
        leave_for_good();
    }
}

/// How many calls guests have made: for the watchdog.
pub fn calls() -> u64 {
    world().map_or(0, |world| world.kernel.stats.syscalls)
}

/// What `rdtsc` shows: the oscillator of the current task's host. Reading it takes a little virtual time.
pub fn timestamp() -> u64 {
    let kernel = &mut the_world().kernel;
    kernel.now += bizarro_record::Nanos(20);
    kernel.host().clock.raw(kernel.now).0
}

// ---- A call of a guest.

/// A call that reached the shared object without a trap: it goes on as it is, or, where hooks are off, by the trap.
#[inline]
pub fn enter_by_hook(number: u64, args: &Args) -> u64 {
    // SAFETY: a plain word.
    if unsafe { HOOKS } == Hooks::Off && is_armed() && !in_kernel() {
        return trapped_call(number, args);
    }
    enter::<false>(number, args, Via::Hook, None)
}

/// As [`enter_by_hook`], from an instruction that was a system call: vector registers stay as they are.
#[inline]
pub fn enter_rewritten(number: u64, args: &Args) -> u64 {
    // SAFETY: a plain word.
    if unsafe { HOOKS } == Hooks::Off && is_armed() && !in_kernel() {
        return trapped_call(number, args);
    }
    enter::<true>(number, args, Via::Hook, None)
}

/// A call whose registers matter: it goes on by the trap.
pub fn enter_by_trap(number: u64, args: &Args) -> u64 {
    if is_armed() && !in_kernel() { trapped_call(number, args) } else { outside(number, args) }
}

/// A system-call instruction that is not in `bizarro_text`, so that it is trapped.
#[cold]
fn trapped_call(number: u64, args: &Args) -> u64 {
    let result: u64;
    // SAFETY: the call is the guest's, and the trap handles it as one.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") args.0[0],
            in("rsi") args.0[1],
            in("rdx") args.0[2],
            in("r10") args.0[3],
            in("r8") args.0[4],
            in("r9") args.0[5],
            out("rcx") _,
            out("r11") _,
        );
    }
    result
}

/// Makes a system call of the current task: returns what the guest's `rax` shows, whenever that is. `KEEP`: with vector
/// registers as they are; else the caller keeps them.
#[inline]
pub fn enter<const KEEP: bool>(
    number: u64,
    args: &Args,
    via: Via,
    mut frame: Option<&mut Frame>,
) -> u64 {
    if !is_armed() || in_kernel() {
        return outside(number, args);
    }
    set_in_kernel(true);
    let result = loop {
        let world = the_world();
        match world.kernel.call(&mut world.guest, number, args, via) {
            Flow::Return(value) => {
                if world.kernel.attention() {
                    keep::<KEEP>(|| deliver_signals(frame.as_deref_mut()));
                }
                break value;
            }
            Flow::Again => keep::<KEEP>(switch_away),
            Flow::Restart => keep::<KEEP>(|| deliver_signals(frame.as_deref_mut())),
            Flow::Gone => leave_for_good(),
            Flow::Cloned(cloned) => break make_thread(&cloned, frame.as_deref()),
        }
    };
    set_in_kernel(false);
    result
}

#[inline]
fn keep<const KEEP: bool>(f: impl FnOnce()) {
    if KEEP { vectors::keeping(f) } else { f() }
}

/// A call of the process around a world: of the test function that describes it, or of whoever looks at its end.
#[cold]
fn outside(number: u64, args: &Args) -> u64 {
    if number == libc::SYS_getrandom as u64 {
        return same_bytes_every_time(args.0[0], args.0[1]);
    }
    // SAFETY: outside a world this is what the C library would have done.
    unsafe { raw::call(number as i64, args.0.map(|word| word as usize)) as u64 }
}

/// Random bytes for the description of a world: a `HashMap` that a closure captures has to have the same order in
/// every process.
fn same_bytes_every_time(at: u64, len: u64) -> u64 {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    let start = DRAWN.fetch_add(len, Ordering::Relaxed);
    for index in 0..len {
        let mut mixed = Fingerprint::default();
        mixed.mix(start + index);
        // SAFETY: the caller gave a buffer of this length, getrandom(2).
        unsafe { core::ptr::write((at + index) as *mut u8, mixed.value() as u8) };
    }
    len
}

fn context(world: &mut World, task: TaskId) -> *mut Context {
    let index = task.0 as usize;
    if index >= world.contexts.len() {
        world.contexts.resize(index + 64, Context::default());
    }
    &raw mut world.contexts[index]
}

fn make_thread(cloned: &Cloned, frame: Option<&Frame>) -> u64 {
    let Some(frame) = frame else {
        raw::complain(format_args!("a thread was made by a call that was not trapped"));
        raw::exit(crate::OUR_BUG);
    };
    let mut registers = trap::registers(frame);
    registers.rsp = cloned.stack;
    let fs = cloned.tls.map_or_else(switch::thread_pointer, |tls| tls as usize);
    let world = the_world();
    let place = context(world, cloned.task);
    // SAFETY: the stack is the one that the guest made for its thread.
    unsafe { *place = switch::start(registers, fs) };
    u64::from(cloned.tid)
}

/// Gives the processor to whoever is next; returns when it is the current task's turn again.
fn switch_away() {
    let world = the_world();
    let me = world.kernel.current;
    let from = context(world, me);
    if is_looking() {
        // The unwinder has to wait for something: what it found so far is what there is.
        go_back_to_root(from);
    }
    match world.kernel.schedule() {
        Next::Task(task) if task == me => {}
        Next::Task(task) => switch_to_task(world, from, task),
        Next::Root => {
            // Whatever image is in place stays there: the root task does not look at it.
            // SAFETY: the root task is suspended in `run_tasks`, and this task's context is its own.
            unsafe { switch::switch(from, &raw const world.root) };
        }
    }
    if is_looking() {
        set_in_kernel(false);
        backtrace::collect(None);
        set_in_kernel(true);
        go_back_to_root(from);
    }
}

fn switch_to_task(world: &mut World, from: *mut Context, task: TaskId) {
    // The table may not move between taking the pointer and switching: `task` has a place in it already.
    let to = &raw const world.contexts[task.0 as usize];
    let host = world.kernel.task_by_id(task).map_or(0, |task| task.host.0);
    image::slots::switch_to(slot(HostId(host)));
    // SAFETY: every task in the run queue has a context made by `make_thread` or saved by a switch.
    unsafe { switch::switch(from, to) };
}

fn leave_for_good() -> ! {
    switch_away();
    raw::complain(format_args!("a task that has gone was run again"));
    raw::exit(crate::OUR_BUG)
}

fn slot(host: HostId) -> usize {
    usize::from(host.0) + 1
}
