//! poll(2), ppoll(2), select(2), pselect6(2).

use alloc::vec;
use alloc::vec::Vec;

use bizarro_record::Nanos;

use crate::errno::{Errno, Stop, SysResult};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::sys::fd::milliseconds;
use crate::table::Arg::{Int, Ptr, Size};
use crate::table::{Args, Row, row};
use crate::task::WaitsFor;

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_poll, "poll", &[Ptr, Size, Int], poll),
    row(libc::SYS_ppoll, "ppoll", &[Ptr, Size, Ptr, Ptr, Size], ppoll),
    row(libc::SYS_select, "select", &[Int, Ptr, Ptr, Ptr, Ptr], select),
    row(libc::SYS_pselect6, "pselect6", &[Int, Ptr, Ptr, Ptr, Ptr, Ptr], pselect6),
];

/// Descriptors and what is asked of each, as poll bits.
struct Question {
    fd: i32,
    events: u32,
}

impl Kernel {
    /// What poll(2) says of a descriptor; POLLNVAL where nothing is open.
    fn poll_one(&self, question: &Question) -> u32 {
        match self.descriptor(question.fd) {
            Err(_) => libc::POLLNVAL as u32,
            Ok(id) => {
                let always = (libc::POLLERR | libc::POLLHUP) as u32;
                self.readiness(id) & (question.events | always)
            }
        }
    }

    /// Waits until one of the descriptors changes or time is up.
    fn wait_for_any(&mut self, questions: &[Question], timeout: Option<Nanos>) -> Result<(), Stop> {
        if let Some(timeout) = timeout {
            self.give_up_after(timeout);
            if timeout == Nanos::ZERO || self.timed_out() {
                return Ok(());
            }
        }
        let wait = self.wait(WaitsFor::Objects);
        for question in questions {
            let Ok(id) = self.descriptor(question.fd) else { continue };
            if let Some(object) = self.objects.get_mut(id) {
                object.waiters.push(wait);
            }
        }
        Err(Stop::Block)
    }
}

fn poll(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    poll_for(k, memory, a, milliseconds(a.int(2)))
}

fn ppoll(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let timeout = if a.addr(2) == 0 { None } else { Some(memory.read_timespec(a.addr(2))?) };
    k.replace_mask_for_call(memory, a.addr(3), a.word(4))?;
    let ready = poll_for(k, memory, a, timeout)?;
    write_time_left(k, memory, timeout, a.addr(2));
    Ok(ready)
}

/// LINUX: the calls that take a `timespec` write the time that was left into it; the C library hides it
/// where POSIX wants it hidden, select(2), "C library/kernel differences".
fn write_time_left(k: &Kernel, memory: &mut dyn GuestMemory, timeout: Option<Nanos>, addr: u64) {
    let Some(timeout) = timeout else { return };
    let left = k.task().call.deadline.map_or(timeout, |deadline| k.left(deadline));
    // LINUX: a time in read-only memory is left as it is.
    let _ = memory.write_timespec(addr, left);
}

fn poll_for(
    k: &mut Kernel,
    memory: &mut dyn GuestMemory,
    a: &Args,
    timeout: Option<Nanos>,
) -> SysResult {
    let count = a.word(1);
    if count > k.host().process.limits[libc::RLIMIT_NOFILE as usize].soft {
        return Err(Errno::EINVAL.into());
    }
    let mut table = memory.read_vec(a.addr(0), count as usize * 8)?;
    let mut questions = Vec::with_capacity(count as usize);
    let mut ready = 0;
    for entry in table.chunks_exact_mut(8) {
        let fd = i32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]);
        let events = u32::from(u16::from_le_bytes([entry[4], entry[5]]));
        let question = Question { fd, events };
        // LINUX: a negative descriptor is skipped, poll(2).
        let got = if fd < 0 { 0 } else { k.poll_one(&question) };
        entry[6..].copy_from_slice(&(got as u16).to_le_bytes());
        ready += u64::from(got != 0);
        questions.push(question);
    }
    if ready == 0 {
        k.wait_for_any(&questions, timeout)?;
    }
    memory.write(a.addr(0), &table)?;
    Ok(ready)
}

/// What the three sets of select(2) mean in poll's bits (select(2), "Correspondence between select() and poll()").
const SETS: [u32; 3] = [
    (libc::POLLIN | libc::POLLRDNORM | libc::POLLRDBAND | libc::POLLHUP | libc::POLLERR) as u32,
    (libc::POLLOUT | libc::POLLWRNORM | libc::POLLWRBAND | libc::POLLERR) as u32,
    libc::POLLPRI as u32,
];

fn select(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let timeout = if a.addr(4) == 0 { None } else { Some(memory.read_timeval(a.addr(4))?) };
    let ready = select_for(k, memory, a, timeout)?;
    // LINUX: select(2) writes the time that was left.
    if let (Some(_), Some(deadline)) = (timeout, k.task().call.deadline) {
        memory.write_timeval(a.addr(4), k.left(deadline))?;
    }
    Ok(ready)
}

fn pselect6(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let timeout = if a.addr(4) == 0 { None } else { Some(memory.read_timespec(a.addr(4))?) };
    if a.addr(5) != 0 {
        let (mask, size) = (memory.read_u64(a.addr(5))?, memory.read_u64(a.addr(5) + 8)?);
        k.replace_mask_for_call(memory, mask, size)?;
    }
    let ready = select_for(k, memory, a, timeout)?;
    write_time_left(k, memory, timeout, a.addr(4));
    Ok(ready)
}

fn select_for(
    k: &mut Kernel,
    memory: &mut dyn GuestMemory,
    a: &Args,
    timeout: Option<Nanos>,
) -> SysResult {
    if a.int(0) < 0 {
        return Err(Errno::EINVAL.into());
    }
    let count = (a.int(0) as usize).min(1 << 20);
    let bytes = count.div_ceil(64) * 8;
    let mut sets = Vec::new();
    for n in 0..3 {
        let addr = a.addr(n + 1);
        sets.push(if addr == 0 { vec![0; bytes] } else { memory.read_vec(addr, bytes)? });
    }
    let (mut ready, mut questions) = (0, Vec::new());
    let mut results = vec![vec![0u8; bytes]; 3];
    for fd in 0..count {
        for (n, wanted) in SETS.iter().enumerate() {
            if sets[n][fd / 8] >> (fd % 8) & 1 == 0 {
                continue;
            }
            let question = Question { fd: fd as i32, events: *wanted };
            let got = k.poll_one(&question);
            if got & libc::POLLNVAL as u32 != 0 {
                return Err(Errno::EBADF.into());
            }
            if got & wanted != 0 {
                results[n][fd / 8] |= 1 << (fd % 8);
                ready += 1;
            }
            questions.push(question);
        }
    }
    if ready == 0 {
        k.wait_for_any(&questions, timeout)?;
    }
    for (n, result) in results.iter().enumerate() {
        if a.addr(n + 1) != 0 {
            memory.write(a.addr(n + 1), result)?;
        }
    }
    Ok(ready)
}
