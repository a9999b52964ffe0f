//! Reading clocks and sleeping: clock_gettime(2), nanosleep(2), times(2).

use bizarro_record::Nanos;

use crate::clock::{Base, Due, TICK};
use crate::errno::{Errno, Stop, SysResult};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::table::Arg::{Hex, Int, Ptr};
use crate::table::{Args, Row, row};
use crate::task::WaitsFor;

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_clock_gettime, "clock_gettime", &[Int, Ptr], clock_gettime),
    row(libc::SYS_clock_getres, "clock_getres", &[Int, Ptr], clock_getres),
    row(libc::SYS_gettimeofday, "gettimeofday", &[Ptr, Ptr], gettimeofday),
    row(libc::SYS_time, "time", &[Ptr], time),
    row(libc::SYS_nanosleep, "nanosleep", &[Ptr, Ptr], nanosleep),
    row(libc::SYS_clock_nanosleep, "clock_nanosleep", &[Int, Hex, Ptr, Ptr], clock_nanosleep),
    row(libc::SYS_times, "times", &[Ptr], times),
];

/// A clock, as far as it matters what can wait for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Clock {
    Base(Base),
    Cpu,
}

pub(super) fn kind(id: i32) -> Result<Clock, Errno> {
    match id {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_REALTIME_ALARM => {
            Ok(Clock::Base(Base::Realtime))
        }
        libc::CLOCK_MONOTONIC
        | libc::CLOCK_MONOTONIC_RAW
        | libc::CLOCK_MONOTONIC_COARSE
        | libc::CLOCK_BOOTTIME
        | libc::CLOCK_BOOTTIME_ALARM => Ok(Clock::Base(Base::Monotonic)),
        libc::CLOCK_TAI => Ok(Clock::Base(Base::Tai)),
        libc::CLOCK_PROCESS_CPUTIME_ID | libc::CLOCK_THREAD_CPUTIME_ID => Ok(Clock::Cpu),
        // LINUX: negative ids name another process's or thread's CPU clock, clock_getcpuclockid(3).
        id if id < 0 => Ok(Clock::Cpu),
        _ => Err(Errno::EINVAL),
    }
}

impl Kernel {
    /// What a clock of the current host shows.
    pub fn read_clock(&self, id: i32) -> Result<Nanos, Errno> {
        let (clock, now) = (&self.host().clock, self.now);
        Ok(match (kind(id)?, id) {
            (_, libc::CLOCK_REALTIME_COARSE) => clock.realtime_coarse(now),
            (_, libc::CLOCK_MONOTONIC_COARSE) => clock.monotonic_coarse(now),
            (_, libc::CLOCK_MONOTONIC_RAW) => clock.raw(now),
            (Clock::Base(base), _) => clock.read(base, now),
            // DIVERGENCE: computing takes no virtual time; CPU time is the time since the process started.
            (Clock::Cpu, _) => now - self.host().process.started,
        })
    }

    /// When a clock of the current host will show `time`. A CPU clock is taken to run on as CLOCK_MONOTONIC does.
    pub(crate) fn due_at(&self, id: i32, time: Nanos) -> Result<Due, Errno> {
        Ok(match kind(id)? {
            Clock::Base(base) => Due { base, at: time },
            Clock::Cpu => self.due_after(time - self.read_clock(id)?),
        })
    }
}

fn clock_gettime(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let time = k.read_clock(a.int(0))?;
    memory.write_timespec(a.addr(1), time)?;
    Ok(0)
}

fn clock_getres(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    kind(a.int(0))?;
    let coarse = matches!(a.int(0), libc::CLOCK_REALTIME_COARSE | libc::CLOCK_MONOTONIC_COARSE);
    if a.addr(1) != 0 {
        let finest = k.host().clock.resolution();
        memory.write_timespec(a.addr(1), if coarse { finest.max(TICK) } else { finest })?;
    }
    Ok(0)
}

fn gettimeofday(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if a.addr(0) != 0 {
        let time = k.read_clock(libc::CLOCK_REALTIME)?;
        memory.write_timeval(a.addr(0), time)?;
    }
    if a.addr(1) != 0 {
        memory.write_u64(a.addr(1), 0)?;
    }
    Ok(0)
}

fn time(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let secs = k.read_clock(libc::CLOCK_REALTIME)?.0 / 1_000_000_000;
    if a.addr(0) != 0 {
        memory.write_u64(a.addr(0), secs)?;
    }
    Ok(secs)
}

fn sleep_until(k: &mut Kernel, deadline: Due) -> SysResult {
    k.task_mut().call.deadline.get_or_insert(deadline);
    if k.timed_out() {
        return Ok(0);
    }
    k.wait(WaitsFor::Time);
    Err(Stop::Block)
}

fn nanosleep(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let span = memory.read_timespec(a.addr(0))?;
    let deadline = k.due_after(span);
    note_remainder(k, a.addr(1));
    sleep_until(k, deadline)
}

fn clock_nanosleep(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let id = a.int(0);
    // LINUX: a thread cannot sleep on its own CPU clock, clock_nanosleep(2).
    if id == libc::CLOCK_THREAD_CPUTIME_ID {
        return Err(Errno::EINVAL.into());
    }
    let time = memory.read_timespec(a.addr(2))?;
    let deadline = if a.int(1) & libc::TIMER_ABSTIME != 0 {
        k.due_at(id, time)?
    } else {
        kind(id)?;
        note_remainder(k, a.addr(3));
        k.due_after(time)
    };
    sleep_until(k, deadline)
}

/// Remembers where the unslept rest is to be written if a signal ends the sleep.
fn note_remainder(k: &mut Kernel, addr: u64) {
    k.task_mut().call.remainder = addr;
}

fn times(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    // Clock ticks are hundredths of a second (sysconf(_SC_CLK_TCK)).
    let ticks = |span: Nanos| span.0 / 10_000_000;
    if a.addr(0) != 0 {
        let used = ticks(k.now - k.host().process.started);
        for (n, value) in [used, 0, 0, 0].into_iter().enumerate() {
            memory.write_u64(a.addr(0) + 8 * n as u64, value)?;
        }
    }
    Ok(ticks(k.host().clock.monotonic(k.now)))
}
