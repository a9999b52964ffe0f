//! A run from its request to its end: the process it happens in, and the loop of the root task.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bizarro_fault::PlanDecider;
use bizarro_kernel::fs::Fs;
use bizarro_kernel::host::HostId;
use bizarro_kernel::kernel::{Command, Kernel, Next};
use bizarro_kernel::seams::Decider;
use bizarro_record::{Ending, Hooks, Injection, Memory, RunRequest, WorldSpec};

use super::branch::{Branching, is_branch};
use super::ending::{finish, write_ending};
use super::start::{free_memory, start_host, tear_down};
use super::{
    ARMED, HOOKS, WORLD, World, context, is_armed, set_in_kernel, slot, switch_to_task, the_world,
};
use crate::guest::Guest;
use crate::outside::RealFiles;
use crate::recorder::{Forward, Handle, Recorder};
use crate::runner::Supervisor;
use crate::switch::{self, Context};
use crate::{foreign, guest_heap, image, own_heap, raw, trap, vdso, watchdog};

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

/// Makes a run in this process, which may have made others, and the branches that begin as it does; gives its status, and
/// what it had left.
pub fn run(request: RunRequest, branches: Vec<Injection>, supervisor: Supervisor) -> (i32, Memory) {
    let hosts = request.world.hosts.len();
    let limit = request.spin_limit_ms;
    create(request, Forward::Nothing, |plan| Branching::decider(plan, branches, supervisor));
    if is_armed() {
        image::slots::start_over(hosts);
        watchdog::start(limit);
    } else {
        start_trap(Images::PerHost);
    }
    let ending = run_tasks();
    let held = own_heap::used();
    let status = write_ending(ending);
    let rest = own_heap::used();
    let memory = Memory { record: held.saturating_sub(rest), rest };
    if is_branch() {
        raw::exit(status);
    }
    free_memory(0..hosts as u16);
    // SAFETY: nobody has a reference to the world: all guests have gone, and this is the root task.
    unsafe { drop(Box::from_raw(core::ptr::replace(&raw mut WORLD, core::ptr::null_mut()))) };
    (status, memory)
}

/// The hosts' disks before the run. Those of the world that this process ran last are kept: making them anew takes
/// longer than many a call.
fn disks(spec: &WorldSpec) -> Vec<Fs> {
    static mut KEPT: Option<(WorldSpec, Vec<Fs>)> = None;
    // SAFETY: one kernel thread, and no other reference to it lives.
    let kept = unsafe { &mut *(&raw mut KEPT) };
    match kept {
        Some((of, disks)) if of == spec => disks.clone(),
        _ => {
            let disks = Kernel::disks(spec, &mut RealFiles);
            kept.insert((spec.clone(), disks)).1.clone()
        }
    }
}

/// Makes the world of this process. `decider` takes the plan for what decides in it.
pub fn create(
    request: RunRequest,
    forward: Forward,
    decider: impl FnOnce(PlanDecider) -> Box<dyn Decider>,
) {
    let started = raw::monotonic();
    let hooks = request.hooks;
    let mut recorder = Recorder::new(request.trace_fd, request.messages, forward);
    let observer = Box::new(Handle(&raw mut *recorder));
    let hosts = request.world.hosts.iter().map(|host| (host.name.as_str(), host.group_name()));
    let hosts: Vec<(&str, &str)> = hosts.collect();
    let decider = decider(PlanDecider::new(&request.plan, &hosts));
    let disks = disks(&request.world);
    let kernel = Kernel::new(&request.world, disks, decider, observer, Box::new(RealFiles));
    let world = World {
        kernel,
        recorder,
        guest: Guest::default(),
        contexts: Vec::new(),
        root: Context { rsp: 0, fs: switch::thread_pointer() },
        request,
        started,
        forked: None,
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
        image::tracking::arm(hosts, foreign, the_world().request.hooks == Hooks::On);
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
                Command::LimitHeap(host, bytes) => guest_heap::set_limit(slot(host), bytes),
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
