//! The process that makes runs: a fork of the one that described the world. It makes one run after the other, for a
//! fork for each would cost more than a short run itself; what a run leaves behind is torn down, as when a host's
//! process ends. One that died, or made many runs, is replaced.
//!
//! INVARIANT: a run is the same in a new process and in a used one. The failure matrix ends with the baseline that it
//! began with, and compares the two.

use alloc::vec;
use alloc::vec::Vec;

use bizarro_record::RunRequest;

use crate::{guest_heap, own_heap, raw, touched, world};

/// After so many runs a new process takes over: what a run may have left in the simulator's own memory goes with it.
const RUNS: u32 = 256;

/// A process that waits for a request, as the one that described the world knows it.
struct Runner {
    pid: usize,
    /// The socket to it.
    socket: usize,
    runs: u32,
}

static mut RUNNER: Option<Runner> = None;

/// Makes a run in another process; gives the wait status of that process, or what it would be if it had ended with the
/// run. `Err`: an errno of the real kernel.
pub fn run(request: &[u8]) -> Result<i32, i32> {
    // SAFETY: one kernel thread at a time asks for runs, and no other reference to it lives.
    let slot = unsafe { &mut *(&raw mut RUNNER) };
    if let Some(used) = slot.take_if(|runner| runner.runs >= RUNS) {
        used.end();
    }
    let runner = match slot {
        Some(runner) => runner,
        None => slot.insert(Runner::start()?),
    };
    runner.runs += 1;
    match runner.ask(request) {
        Some(status) => Ok(status << 8),
        None => Ok(slot.take().map_or(0, Runner::end)),
    }
}

impl Runner {
    fn start() -> Result<Runner, i32> {
        let mut ends = [0i32; 2];
        let kind = (libc::SOCK_STREAM | libc::SOCK_CLOEXEC) as usize;
        let args = [libc::AF_UNIX as usize, kind, 0, ends.as_mut_ptr() as usize, 0, 0];
        // SAFETY: the kernel writes two words.
        match unsafe { raw::call(libc::SYS_socketpair, args) } {
            0 => {}
            error => return Err(-error as i32),
        }
        let [ours, theirs] = ends.map(|fd| fd as usize);
        // SAFETY: the child has this kernel thread only and never returns from `serve`.
        let child = guest_heap::locked(|| unsafe { raw::call(libc::SYS_fork, [0; 6]) });
        if child == 0 {
            close(ours);
            own_heap::start_page();
            serve(theirs);
        }
        close(theirs);
        if child < 0 {
            close(ours);
            return Err(-child as i32);
        }
        Ok(Runner { pid: child as usize, socket: ours, runs: 0 })
    }

    /// Has it make a run; gives the run's status. `None` where it has gone.
    fn ask(&mut self, request: &[u8]) -> Option<i32> {
        let mut status = [0; 4];
        send(self.socket, &(request.len() as u64).to_le_bytes())?;
        send(self.socket, request)?;
        receive(self.socket, &mut status)?;
        Some(i32::from_le_bytes(status))
    }

    /// Has it end, if it has not yet; gives its wait status.
    fn end(self) -> i32 {
        close(self.socket);
        world::wait_for(self.pid)
    }
}

fn close(fd: usize) {
    // SAFETY: the descriptor is this module's.
    unsafe { raw::call(libc::SYS_close, [fd, 0, 0, 0, 0, 0]) };
}

/// Sends all of it; `None` where nobody receives.
fn send(socket: usize, mut bytes: &[u8]) -> Option<()> {
    while !bytes.is_empty() {
        let flags = libc::MSG_NOSIGNAL as usize;
        let args = [socket, bytes.as_ptr() as usize, bytes.len(), flags, 0, 0];
        // SAFETY: the bytes are a live slice.
        match unsafe { raw::call(libc::SYS_sendto, args) } {
            sent if sent > 0 => bytes = &bytes[sent as usize..],
            error if error == -(libc::EINTR as isize) => {}
            _ => return None,
        }
    }
    Some(())
}

/// Fills the buffer; `None` where nobody sends any more.
fn receive(socket: usize, mut buffer: &mut [u8]) -> Option<()> {
    while !buffer.is_empty() {
        let args = [socket, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0];
        // SAFETY: the kernel writes at most the buffer's length.
        match unsafe { raw::call(libc::SYS_recvfrom, args) } {
            received if received > 0 => buffer = &mut buffer[received as usize..],
            error if error == -(libc::EINTR as isize) => {}
            _ => return None,
        }
    }
    Some(())
}

/// The life of the process that makes runs.
fn serve(socket: usize) -> ! {
    const PR_SET_PDEATHSIG: usize = 1;
    // SAFETY: asks to be killed with the parent; touches no memory.
    unsafe {
        raw::call(libc::SYS_prctl, [PR_SET_PDEATHSIG, libc::SIGKILL as usize, 0, 0, 0, 0]);
    }
    touched::open();
    while let Some(request) = next(socket) {
        let status = world::run(request);
        // Nobody to tell is found out by the next request.
        let _ = send(socket, &status.to_le_bytes());
    }
    raw::exit(0)
}

fn next(socket: usize) -> Option<RunRequest> {
    let mut len = [0; 8];
    receive(socket, &mut len)?;
    let mut bytes: Vec<u8> = vec![0; u64::from_le_bytes(len) as usize];
    receive(socket, &mut bytes)?;
    match postcard::from_bytes(&bytes) {
        Ok(request) => Some(request),
        Err(error) => {
            raw::complain(format_args!("the run's request cannot be read: {error}"));
            raw::exit(crate::OUR_BUG)
        }
    }
}
