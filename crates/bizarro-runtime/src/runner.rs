//! The process that makes runs: a fork of the one that described the world. It makes one run after the other, for a
//! fork for each would cost more than a short run itself; what a run leaves behind is torn down, as when a host's
//! process ends. It takes the supervisor's commands itself. One that died in a run, or made many runs, is replaced.
//!
//! INVARIANT: a run is the same in a new process and in a used one. The failure matrix ends with the baseline that it
//! began with, and compares the two.

use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

use bizarro_record::{Command, DIED_IDLE, Done, Memory, RunRequest, ServeRequest, Trace};

use crate::{guest_heap, own_heap, raw, touched, world};

/// After so many runs a new process takes over: what a run may have left in the simulator's own memory goes with it.
const RUNS: u32 = 256;
/// Exit status of one that is to be replaced.
pub const USED_UP: i32 = 119;
/// Exit status of one that found the pipe of commands closed.
pub const CLOSED: i32 = 120;

/// The pipes to the supervisor.
#[derive(Clone, Copy)]
pub struct Supervisor {
    commands: i32,
    results: i32,
}

/// Has runs made until the supervisor closes the pipe of commands. `Err`: an errno of the real kernel.
pub fn serve(request: &[u8]) -> Result<(), i32> {
    let request: ServeRequest = postcard::from_bytes(request).map_err(|_| libc::EINVAL)?;
    let supervisor = Supervisor { commands: request.commands_fd, results: request.results_fd };
    let busy = shared_flag()?;
    loop {
        // SAFETY: the child has this kernel thread only and never returns from `make_runs`.
        let child = guest_heap::lock::locked(|| unsafe { raw::call(libc::SYS_fork, [0; 6]) });
        if child == 0 {
            own_heap::start_page();
            make_runs(&request, supervisor, busy);
        }
        let done = match usize::try_from(child) {
            Ok(child) => match world::wait_for(child) {
                status if status == CLOSED << 8 => return Ok(()),
                status if status == USED_UP << 8 => {
                    busy.store(false, Relaxed);
                    continue;
                }
                status if busy.swap(false, Relaxed) => Done::Ended(status, Memory::default()),
                _ => raw::exit(DIED_IDLE),
            },
            Err(_) => {
                // A run that cannot be made is one that somebody wants.
                let refused = Done::Refused(-child as i32);
                if supervisor.receive().is_none() {
                    return Ok(());
                }
                refused
            }
        };
        supervisor.send(&done);
    }
}

/// A flag that this process shares with those that it forks: whether a command was taken and not answered yet.
fn shared_flag() -> Result<&'static AtomicBool, i32> {
    let (prot, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    let args = [0, size_of::<AtomicBool>(), prot as usize, flags as usize, usize::MAX, 0];
    // SAFETY: a new page, which is never unmapped; zero is `false`.
    unsafe {
        match raw::call(libc::SYS_mmap, args) {
            at if at > 0 => Ok(&*(at as *const AtomicBool)),
            error => Err(-error as i32),
        }
    }
}

/// The life of the process that makes runs.
fn make_runs(serve: &ServeRequest, supervisor: Supervisor, busy: &AtomicBool) -> ! {
    die_with_parent();
    touched::open();
    for _ in 0..RUNS {
        let Some(mut command) = supervisor.receive() else {
            raw::exit(CLOSED);
        };
        busy.store(true, Relaxed);
        let branches = core::mem::take(&mut command.branches);
        let (status, memory) = world::run(request(serve, command), branches, supervisor);
        busy.store(false, Relaxed);
        supervisor.send(&Done::Ended(status << 8, memory));
    }
    raw::exit(USED_UP)
}

/// Asks the real kernel to kill this process with the one that forked it.
pub fn die_with_parent() {
    const PR_SET_PDEATHSIG: usize = 1;
    // SAFETY: touches no memory.
    unsafe {
        raw::call(libc::SYS_prctl, [PR_SET_PDEATHSIG, libc::SIGKILL as usize, 0, 0, 0, 0]);
    }
}

fn request(serve: &ServeRequest, command: Command) -> RunRequest {
    let Command { plan, messages, trace, until, branches: _ } = command;
    let trace_fd = match trace {
        Trace::On => serve.trace_fd,
        Trace::Off => -1,
    };
    let mut request = RunRequest { plan, messages, trace_fd, ..serve.run.clone() };
    if let Some(until) = until {
        request.world.deadline = request.world.deadline.min(until);
    }
    request
}

impl Supervisor {
    /// Writes a frame. Where nobody reads, the process is about to be killed.
    pub fn send(self, done: &Done) {
        match postcard::to_allocvec(done) {
            Ok(body) => {
                let mut frame = Vec::from((body.len() as u64).to_le_bytes());
                frame.extend(body);
                raw::write_all(self.results, &frame);
            }
            Err(error) => raw::complain(format_args!("a result cannot be written: {error}")),
        }
    }

    /// Waits until the record of a branch was taken (`GoOn`); `None` where the other side has closed.
    pub fn may_go_on(self) -> Option<()> {
        self.frame().map(drop)
    }

    /// Reads a command; `None` where the other side has closed.
    fn receive(self) -> Option<Command> {
        match postcard::from_bytes(&self.frame()?) {
            Ok(command) => Some(command),
            Err(error) => {
                raw::complain(format_args!("a command cannot be read: {error}"));
                raw::exit(crate::OUR_BUG)
            }
        }
    }

    fn frame(self) -> Option<Vec<u8>> {
        let mut len = [0; 8];
        fill(self.commands, &mut len)?;
        let mut body = vec![0; u64::from_le_bytes(len) as usize];
        fill(self.commands, &mut body)?;
        Some(body)
    }
}

/// Fills the buffer; `None` where nobody writes any more.
fn fill(pipe: i32, mut buffer: &mut [u8]) -> Option<()> {
    while !buffer.is_empty() {
        let args = [pipe as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0];
        // SAFETY: the kernel writes at most the buffer's length.
        match unsafe { raw::call(libc::SYS_read, args) } {
            read if read > 0 => buffer = &mut buffer[read as usize..],
            error if error == -(libc::EINTR as isize) => {}
            _ => return None,
        }
    }
    Some(())
}
