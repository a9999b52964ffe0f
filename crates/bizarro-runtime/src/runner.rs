//! The process that makes runs: a fork of the one that described the world. It makes one run after the other, for a
//! fork for each would cost more than a short run itself; what a run leaves behind is torn down, as when a host's
//! process ends. It takes the supervisor's commands itself. One that died, or made many runs, is replaced.
//!
//! INVARIANT: a run is the same in a new process and in a used one. The failure matrix ends with the baseline that it
//! began with, and compares the two.

use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

use bizarro_record::{Command, Done, RunRequest, ServeRequest, Trace};

use crate::{guest_heap, own_heap, raw, touched, world};

/// After so many runs a new process takes over: what a run may have left in the simulator's own memory goes with it.
const RUNS: u32 = 256;
/// Exit status of one that is to be replaced.
const USED_UP: i32 = 119;
/// Exit status of one that found the pipe of commands closed.
const CLOSED: i32 = 120;

/// Has runs made until the supervisor closes the pipe of commands. `Err`: an errno of the real kernel.
pub fn serve(request: &[u8]) -> Result<(), i32> {
    let request: ServeRequest = postcard::from_bytes(request).map_err(|_| libc::EINVAL)?;
    let busy = shared_flag()?;
    loop {
        // SAFETY: the child has this kernel thread only and never returns from `make_runs`.
        let child = guest_heap::locked(|| unsafe { raw::call(libc::SYS_fork, [0; 6]) });
        if child == 0 {
            own_heap::start_page();
            make_runs(&request, busy);
        }
        let done = match usize::try_from(child) {
            Ok(child) => match world::wait_for(child) {
                status if status == CLOSED << 8 => return Ok(()),
                // What was killed between two runs owes nobody an answer.
                status if status == USED_UP << 8 || !busy.swap(false, Relaxed) => continue,
                status => Done::Ended(status),
            },
            Err(_) => {
                // A run that cannot be made is one that somebody wants.
                let refused = Done::Refused(-child as i32);
                if receive(request.commands_fd).is_none() {
                    return Ok(());
                }
                refused
            }
        };
        send(request.results_fd, &done);
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
fn make_runs(serve: &ServeRequest, busy: &AtomicBool) -> ! {
    const PR_SET_PDEATHSIG: usize = 1;
    // SAFETY: asks to be killed with the parent; touches no memory.
    unsafe {
        raw::call(libc::SYS_prctl, [PR_SET_PDEATHSIG, libc::SIGKILL as usize, 0, 0, 0, 0]);
    }
    touched::open();
    for _ in 0..RUNS {
        let Some(command) = receive(serve.commands_fd) else {
            raw::exit(CLOSED);
        };
        busy.store(true, Relaxed);
        let status = world::run(request(serve, command));
        busy.store(false, Relaxed);
        send(serve.results_fd, &Done::Ended(status << 8));
    }
    raw::exit(USED_UP)
}

fn request(serve: &ServeRequest, command: Command) -> RunRequest {
    let Command { plan, messages, trace, until } = command;
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

/// Writes a frame. Where nobody reads, the process is about to be killed.
fn send(pipe: i32, done: &Done) {
    match postcard::to_allocvec(done) {
        Ok(body) => {
            let mut frame = Vec::from((body.len() as u64).to_le_bytes());
            frame.extend(body);
            raw::write_all(pipe, &frame);
        }
        Err(error) => raw::complain(format_args!("a result cannot be written: {error}")),
    }
}

/// Reads a frame; `None` where the other side has closed.
fn receive(pipe: i32) -> Option<Command> {
    let mut len = [0; 8];
    fill(pipe, &mut len)?;
    let mut body = vec![0; u64::from_le_bytes(len) as usize];
    fill(pipe, &mut body)?;
    match postcard::from_bytes(&body) {
        Ok(command) => Some(command),
        Err(error) => {
            raw::complain(format_args!("a command cannot be read: {error}"));
            raw::exit(crate::OUR_BUG)
        }
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
