//! One run of a world: from fork to record. The loop of the root task, and the way of every call of a guest
//! through the kernel.
//!
//! INVARIANT: everything here runs on one kernel thread. References to the world are taken afresh after every
//! switch and every return from guest code, since other tasks used it meanwhile.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::c_void;
use core::sync::atomic::{AtomicU64, Ordering};

use bizarro_fault::PlanDecider;
use bizarro_kernel::fingerprint::Fingerprint;
use bizarro_kernel::host::HostId;
use bizarro_kernel::kernel::{Cloned, Command, Flow, Kernel, Next, Via};
use bizarro_kernel::sys::signals::Delivery;
use bizarro_kernel::table::Args;
use bizarro_kernel::task::TaskId;
use bizarro_record::record::{KeptFile, TaskState as TaskReport};
use bizarro_record::{Ending, Event, Hooks, RunRecord, RunRequest};

use crate::guest::Guest;
use crate::outside::RealFiles;
use crate::recorder::{Forward, Handle, Recorder};
use crate::switch::{self, Context};
use crate::trap::Frame;
use crate::{backtrace, foreign, guest_heap, hypercall, image, raw, trap, vdso, watchdog};

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

/// How many calls guests have made: for the watchdog.
pub fn calls() -> u64 {
    world().map_or(0, |world| world.kernel.stats.syscalls)
}

/// What `rdtsc` shows; reading it takes a little virtual time.
pub fn timestamp() -> u64 {
    let kernel = &mut the_world().kernel;
    kernel.now += bizarro_record::Nanos(20);
    kernel.now.0 + bizarro_kernel::sys::clock::BOOT.0
}

// ---- A call of a guest.

/// A call that reached the shared object without a trap: it goes on as it is, or, where hooks are off, by the trap.
#[inline]
pub fn enter_by_hook(number: u64, args: [u64; 6]) -> u64 {
    // SAFETY: a plain word.
    if unsafe { HOOKS } == Hooks::Off && is_armed() && !in_kernel() {
        return trapped_call(number, args);
    }
    enter(number, args, Via::Hook, None)
}

/// A call whose registers matter: it goes on by the trap.
pub fn enter_by_trap(number: u64, args: [u64; 6]) -> u64 {
    if is_armed() && !in_kernel() { trapped_call(number, args) } else { outside(number, args) }
}

/// A system-call instruction that is not in `bizarro_text`, so that it is trapped.
#[cold]
fn trapped_call(number: u64, args: [u64; 6]) -> u64 {
    let result: u64;
    // SAFETY: the call is the guest's, and the trap handles it as one.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            out("rcx") _,
            out("r11") _,
        );
    }
    result
}

/// Makes a system call of the current task: returns what the guest's `rax` shows, whenever that is.
#[inline]
pub fn enter(number: u64, args: [u64; 6], via: Via, mut frame: Option<&mut Frame>) -> u64 {
    if !is_armed() || in_kernel() {
        return outside(number, args);
    }
    set_in_kernel(true);
    let result = loop {
        let world = the_world();
        match world.kernel.call(&mut world.guest, number, Args(args), via) {
            Flow::Return(value) => {
                if world.kernel.attention() {
                    deliver_signals(frame.as_deref_mut());
                }
                break value;
            }
            Flow::Again => switch_away(),
            Flow::Restart => deliver_signals(frame.as_deref_mut()),
            Flow::Gone => leave_for_good(),
            Flow::Cloned(cloned) => break make_thread(&cloned, frame.as_deref()),
        }
    };
    set_in_kernel(false);
    result
}

/// A call of the process around a world: of the test function that describes it, or of whoever looks at its end.
#[cold]
fn outside(number: u64, args: [u64; 6]) -> u64 {
    if number == libc::SYS_getrandom as u64 {
        return same_bytes_every_time(args[0], args[1]);
    }
    // SAFETY: outside a world this is what the C library would have done.
    unsafe { raw::call(number as i64, args.map(|word| word as usize)) as u64 }
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

/// Whether the root task wants to know where the others are: the run is over, and no guest goes on.
fn is_looking() -> bool {
    // SAFETY: a plain flag on the one kernel thread.
    unsafe { LOOKING }
}

fn go_back_to_root(from: *mut Context) -> ! {
    // SAFETY: the root task is suspended in `look_at_tasks`, and this task's context is its own.
    unsafe { switch::switch(from, &raw const the_world().root) };
    raw::complain(format_args!("a task was run again after the end"));
    raw::exit(crate::OUR_BUG)
}

/// Finds out where the tasks are, by letting each look for itself.
fn look_at_tasks(ending: &mut Ending) {
    /// Enough to see what is going on.
    const TASKS_MAX: usize = 32;
    let (Ending::Deadline { tasks } | Ending::Deadlock { tasks }) = ending else { return };
    let hosts = the_world().kernel.hosts.iter();
    let ids: Vec<TaskId> = hosts.flat_map(|host| host.process.tasks.iter().copied()).collect();
    for (id, report) in ids.into_iter().zip(tasks).take(TASKS_MAX) {
        let world = the_world();
        let task = world.kernel.task_by_id(id).filter(|task| task.tid == report.tid);
        let Some(host) = task.map(|task| task.host) else { continue };
        let to = context(world, id);
        // SAFETY: the context is one that a switch saved or `switch::start` made.
        if unsafe { switch::is_fresh(to) } {
            continue;
        }
        world.kernel.current = id;
        image::switch_to(slot(host));
        // SAFETY: a task that has run was saved by a switch in `switch_away`, which comes back here.
        unsafe {
            LOOKING = true;
            switch::switch(&raw mut world.root, to);
            LOOKING = false;
        }
        report.backtrace = backtrace::text();
        backtrace::forget();
    }
}

fn switch_to_task(world: &mut World, from: *mut Context, task: TaskId) {
    // The table may not move between taking the pointer and switching: `task` has a place in it already.
    let to = &raw const world.contexts[task.0 as usize];
    let host = world.kernel.task_by_id(task).map_or(0, |task| task.host.0);
    image::switch_to(slot(HostId(host)));
    // SAFETY: every task in the run queue has a context made by `make_thread` or saved by a switch.
    unsafe { switch::switch(from, to) };
}

fn leave_for_good() -> ! {
    switch_away();
    raw::complain(format_args!("a task that has gone was run again"));
    raw::exit(crate::OUR_BUG)
}

// ---- Signals.

fn deliver_signals(mut frame: Option<&mut Frame>) {
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

// ---- The run.

/// Waits for a child of the real kernel; gives its wait status.
pub fn wait_for(pid: usize) -> i32 {
    let mut status = 0i32;
    loop {
        let args = [pid, &raw mut status as usize, 0, 0, 0, 0];
        // SAFETY: the kernel writes one word.
        if unsafe { raw::call(libc::SYS_wait4, args) } != -(libc::EINTR as isize) {
            return status;
        }
    }
}

/// Makes a run in this process, which may have made others; gives its status.
pub fn run(request: RunRequest) -> i32 {
    let hosts = request.world.hosts.len();
    let limit = request.spin_limit_ms;
    create(request, Forward::Nothing);
    if is_armed() {
        image::start_over(hosts);
        watchdog::start(limit);
    } else {
        start_trap(Images::PerHost);
    }
    let status = write_ending(run_tasks());
    for host in 0..hosts as u16 {
        free_memory(HostId(host));
    }
    // SAFETY: nobody has a reference to the world: all guests have gone, and this is the root task.
    unsafe { drop(Box::from_raw(core::ptr::replace(&raw mut WORLD, core::ptr::null_mut()))) };
    status
}

/// Makes the world of this process.
pub fn create(request: RunRequest, forward: Forward) {
    let started = raw::monotonic();
    let hooks = request.hooks;
    let mut recorder = Recorder::new(request.trace_fd, forward);
    let observer = Box::new(Handle(&raw mut *recorder));
    let decider = Box::new(PlanDecider::new(&request.plan));
    let kernel = Kernel::new(&request.world, decider, observer, Box::new(RealFiles));
    let world = World {
        kernel,
        recorder,
        guest: Guest::default(),
        contexts: Vec::new(),
        root: Context { rsp: 0, fs: switch::thread_pointer() },
        request,
        started,
    };
    // SAFETY: one kernel thread; the world lives until the process ends.
    unsafe {
        HOOKS = hooks;
        WORLD = Box::into_raw(Box::new(world));
    }
}

/// Whether the hosts of a world have process images of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Images {
    /// Each has its own, over the one of the process.
    PerHost,
    /// The process as a whole is the only host's.
    One,
}

/// From here on every call of this kernel thread is caught.
pub fn start_trap(images: Images) {
    let hosts = the_world().request.world.hosts.len();
    set_in_kernel(true);
    // What is mapped from here on is the simulator's own.
    let foreign = if images == Images::PerHost { foreign::find() } else { Vec::new() };
    trap::install();
    if let Err(code) = vdso::redirect() {
        raw::complain(format_args!(
            "the vDSO cannot be redirected (errno {code}); see `cargo bizarro doctor`"
        ));
        raw::exit(crate::CANNOT_RUN);
    }
    if images == Images::PerHost {
        image::arm(hosts, foreign, the_world().request.hooks == Hooks::On);
    }
    // SAFETY: a plain flag.
    unsafe { ARMED = true };
    watchdog::start(the_world().request.spin_limit_ms);
    if let Err(code) = trap::arm() {
        raw::complain(format_args!(
            "this kernel has no Syscall User Dispatch (errno {code}); Linux 5.11 or later is needed"
        ));
        raw::exit(crate::CANNOT_RUN);
    }
}

/// Makes the thread that runs already the first task of a host, and goes on as the guest. The root task gets a
/// stack of its own.
pub fn adopt(host: HostId, start: Command) {
    const ROOT_STACK: usize = 1 << 20;
    let stack = match raw::map(None, ROOT_STACK, libc::PROT_READ | libc::PROT_WRITE) {
        Ok(stack) => stack,
        Err(code) => {
            raw::complain(format_args!("no room for a stack: errno {code}"));
            raw::exit(crate::OUR_BUG);
        }
    };
    forget_restartable_sequences();
    let world = the_world();
    // SAFETY: fresh pages that nobody else uses; `run_root` does not return.
    world.root =
        unsafe { switch::start_root(stack + ROOT_STACK, switch::thread_pointer(), run_root) };
    assert_eq!(world.kernel.take_command(), Some(start), "the one host is started first");
    world.kernel.start_process(host);
    let mut name = [0; 16];
    let text = world.request.world.hosts[usize::from(host.0)].name.as_bytes();
    let len = text.len().min(15);
    name[..len].copy_from_slice(&text[..len]);
    let task = world.kernel.adopt_main(host, name);
    context(world, task);
    start_trap(Images::One);
    set_in_kernel(false);
}

extern "C" fn run_root() -> ! {
    finish(run_tasks())
}

/// Unregisters the area in which the real kernel keeps the CPU's number for the C library (rseq(2)): it would
/// show the guest a number of the real machine.
fn forget_restartable_sequences() {
    const SIGNATURE: usize = 0x5305_3053;
    const UNREGISTER: usize = 1;
    // SAFETY: dlsym(3) with the name of a constant of the C library (2.35 and later).
    let offset = unsafe {
        let symbol = libc::dlsym(core::ptr::null_mut(), c"__rseq_offset".as_ptr());
        if symbol.is_null() {
            return;
        }
        *symbol.cast::<isize>()
    };
    let area = switch::thread_pointer().wrapping_add_signed(offset);
    // SAFETY: gives up what the C library registered for this thread; a refusal changes nothing. The first two words
    // of the area are the CPU's number.
    unsafe {
        raw::call(libc::SYS_rseq, [area, 32, UNREGISTER, SIGNATURE, 0, 0]);
        core::ptr::write(area as *mut u64, 0);
    }
}

/// The root task: starts and tears down processes between the turns of the guests' tasks, until the run ends.
fn run_tasks() -> Ending {
    loop {
        while let Some(command) = the_world().kernel.take_command() {
            match command {
                Command::Start(host) => start_host(host),
                Command::TearDown(host) => tear_down(host),
                Command::End(ending) => return ending,
            }
        }
        let world = the_world();
        let from = &raw mut world.root;
        match world.kernel.schedule() {
            Next::Root => {}
            Next::Task(task) => switch_to_task(world, from, task),
        }
    }
}

fn slot(host: HostId) -> usize {
    usize::from(host.0) + 1
}

/// Starts a host's program: the guest's own pthread_create makes its first thread, on the host.
fn start_host(host: HostId) {
    free_memory(host);
    let world = the_world();
    let spec = &world.request.world.hosts[usize::from(host.0)];
    let entry = spec.entry;
    guest_heap::set_limit(slot(host), spec.memory_limit);
    world.kernel.start_process(host);
    if entry == 0 {
        return;
    }
    let boot = world.kernel.begin_boot(host);
    context(world, boot);
    image::switch_to(slot(host));
    let code = with_boot_thread(host, || {
        let mut thread: libc::pthread_t = 0;
        // SAFETY: the attributes are initialised before they are used; `host_main` is a thread's function.
        unsafe {
            let mut attributes: libc::pthread_attr_t = core::mem::zeroed();
            libc::pthread_attr_init(&raw mut attributes);
            // A main thread's stack, as `ulimit -s` has it nearly everywhere.
            libc::pthread_attr_setstacksize(&raw mut attributes, 8 << 20);
            libc::pthread_create(
                &raw mut thread,
                &raw const attributes,
                host_main,
                usize::from(host.0) as *mut c_void,
            )
        }
    });
    the_world().kernel.end_boot(boot);
    if code != 0 {
        raw::complain(format_args!(
            "the first thread of host {} cannot be made: errno {code}",
            host.0
        ));
        raw::exit(crate::OUR_BUG);
    }
}

/// Room below and above a thread control block: thread-local data, and the C library's `struct pthread` with the
/// area for restartable sequences behind it.
const BELOW: usize = 0x1000;
const ABOVE: usize = 0xa00;

/// Runs guest code on a thread of the host that exists only for this: a copy of the outside's thread control
/// block with fresh thread-local data.
fn with_boot_thread<R>(host: HostId, f: impl FnOnce() -> R) -> R {
    let outer = switch::thread_pointer();
    let (template, len) = image::thread_local();
    let below = (len + BELOW).next_multiple_of(4096);
    let room = below + ABOVE + 4096;
    let world = the_world();
    let windows = bizarro_kernel::seams::GuestMemory::pages(&mut world.guest);
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    let at = match windows.map(host.0, None, room.next_multiple_of(4096) as u64, prot) {
        Ok(at) => at as usize,
        Err(error) => {
            raw::complain(format_args!("no room for host {}: {error}", host.0));
            raw::exit(crate::OUR_BUG);
        }
    };
    let boot = at + below + outer % 4096 % 64;
    let copied = below.min(len + 0x200);
    // SAFETY: the new pages have room for all that is copied, and the outside's thread control block is longer.
    unsafe {
        core::ptr::copy_nonoverlapping(
            (outer - copied) as *const u8,
            (boot - copied) as *mut u8,
            copied + ABOVE,
        );
        core::ptr::copy_nonoverlapping(template as *const u8, (boot - len) as *mut u8, len);
        // `tcb` and `self` point to the block itself.
        *(boot as *mut usize) = boot;
        *((boot + 16) as *mut usize) = boot;
        switch::set_thread_pointer(boot);
    }
    set_in_kernel(false);
    let result = f();
    set_in_kernel(true);
    // SAFETY: back to what it was.
    unsafe { switch::set_thread_pointer(outer) };
    result
}

/// First function of a host's first thread: what the C library's start code and `main` do in a new process.
extern "C" fn host_main(host: *mut c_void) -> *mut c_void {
    let index = host as usize;
    let spec = &the_world().request.world.hosts[index];
    let (count, arguments) = arguments(&spec.arguments);
    image::run_constructors(count, arguments);
    // SAFETY: the host has one thread, and what it forgets is its own copy of the world process's variables.
    unsafe { libc::clearenv() };
    for variable in &spec.env {
        set_variable(variable);
    }
    // SAFETY: the facade gave the address of a function of this type.
    let status = unsafe {
        let entry: extern "C" fn(usize) -> i32 = core::mem::transmute(spec.entry);
        entry(spec.data)
    };
    // SAFETY: runs what the program registered with atexit(3) and ends its process.
    unsafe { libc::exit(status) }
}

/// Makes `argv` of strings, in the host's memory, where it stays as long as the process: its count and address.
fn arguments(strings: &[String]) -> (i32, usize) {
    let words = strings.len() + 1;
    // SAFETY: calloc(3) and strndup(3) of the host's own memory; a null pointer ends the list, as in `main`'s.
    unsafe {
        let list = libc::calloc(words, size_of::<usize>()).cast::<*mut libc::c_char>();
        if list.is_null() {
            return (0, 0);
        }
        for (index, string) in strings.iter().enumerate() {
            *list.add(index) = libc::strndup(string.as_ptr().cast(), string.len());
        }
        (strings.len() as i32, list as usize)
    }
}

/// Puts `NAME=value` into the guest's environment.
fn set_variable(variable: &str) {
    let Some((name, value)) = variable.split_once('=') else { return };
    let (mut name, mut value) = (Vec::from(name), Vec::from(value));
    name.push(0);
    value.push(0);
    // SAFETY: both end with a zero; setenv(3) copies them.
    unsafe { libc::setenv(name.as_ptr().cast(), value.as_ptr().cast(), 1) };
}

/// A host's process has gone. Its memory goes when the host starts again, or with the run.
fn tear_down(host: HostId) {
    image::reset(slot(host));
}

/// Frees what is left of a host's earlier process.
fn free_memory(host: HostId) {
    let world = the_world();
    // SAFETY: no task of the host runs: its process has not begun, or has gone, or the run has ended. This is the
    // root's stack.
    unsafe {
        world.guest.windows.tear_down(host.0);
        guest_heap::tear_down(slot(host));
    }
}

/// Ends the process with the run.
fn finish(ending: Ending) -> ! {
    raw::exit(write_ending(ending))
}

/// Ends the run: writes the record and gives the status.
fn write_ending(mut ending: Ending) -> i32 {
    look_at_tasks(&mut ending);
    let world = the_world();
    let status = exit_status(&world.kernel, &ending);
    let fd = world.request.record_fd;
    if fd >= 0 {
        write_record(fd, &record(world, ending));
    }
    status
}

/// What the process of the world itself reports: for a program that is run by itself, the program's status.
fn exit_status(kernel: &Kernel, ending: &Ending) -> i32 {
    use bizarro_kernel::host::Life;
    let alone = matches!(kernel.hosts.as_slice(), [host] if host.spec.entry == 0);
    match (alone, kernel.hosts.first().map(|host| host.life), ending) {
        (true, Some(Life::Ended(status)), _) => status,
        (true, _, Ending::Completed) | (false, ..) => 0,
        (true, ..) => 1,
    }
}

/// The run as it was.
fn record(world: &mut World, ending: Ending) -> RunRecord {
    let mut stats = world.kernel.stats;
    stats.virtual_time = world.kernel.now;
    stats.wall_ns = raw::monotonic() - world.started;
    RunRecord {
        format: bizarro_record::FORMAT,
        build: String::new(),
        test: world.request.world.test.clone(),
        plan: world.request.plan.clone(),
        fingerprint: world.kernel.fingerprint.value(),
        ending,
        hosts: world.kernel.hosts.iter().map(|host| host.name().clone()).collect(),
        exchanges: world.kernel.net.exchanges(),
        properties: world.recorder.properties.values().cloned().collect(),
        events: world.recorder.events.clone(),
        files: kept_files(world),
        stats,
    }
}

fn kept_files(world: &mut World) -> Vec<KeptFile> {
    let hosts = world.request.world.hosts.iter().enumerate();
    let wanted = hosts.flat_map(|(index, host)| host.kept.iter().map(move |path| (index, path)));
    wanted
        .map(|(index, path)| {
            let host = index as u16;
            let content = world.kernel.file_content(HostId(host), path.as_bytes());
            KeptFile { host, path: path.clone(), content }
        })
        .collect()
}

/// A record is written as its length, eight bytes little-endian, and its postcard bytes.
fn write_record(fd: i32, record: &RunRecord) {
    match postcard::to_allocvec(record) {
        Ok(bytes) => {
            raw::write_all(fd, &(bytes.len() as u64).to_le_bytes());
            raw::write_all(fd, &bytes);
        }
        Err(error) => raw::complain(format_args!("the record cannot be written: {error}")),
    }
}
