//! Timers that send signals: setitimer(2), alarm(2), timer_create(2).

use bizarro_record::Nanos;

use crate::clock::{Due, HostClock};
use crate::errno::{Errno, Stop, SysResult};
use crate::host::HostId;
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::signal::{self, Info};
use crate::sys::clock::kind;
use crate::table::Arg::{Hex, Int, Ptr};
use crate::table::{Args, Row, Support, row};
use crate::timers::Timer;

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_setitimer, "setitimer", &[Int, Ptr, Ptr], setitimer)
        .support(Support::Partial("ITIMER_REAL")),
    row(libc::SYS_getitimer, "getitimer", &[Int, Ptr], getitimer)
        .support(Support::Partial("ITIMER_REAL")),
    row(libc::SYS_alarm, "alarm", &[Int], alarm),
    row(libc::SYS_timer_create, "timer_create", &[Int, Ptr, Ptr], timer_create)
        .support(Support::Partial("SIGEV_SIGNAL, SIGEV_THREAD_ID and SIGEV_NONE")),
    row(libc::SYS_timer_settime, "timer_settime", &[Int, Hex, Ptr, Ptr], timer_settime),
    row(libc::SYS_timer_gettime, "timer_gettime", &[Int, Ptr], timer_gettime),
    row(libc::SYS_timer_getoverrun, "timer_getoverrun", &[Int], timer_getoverrun).support(
        Support::Partial("0: expirations that found their signal pending are not counted"),
    ),
    row(libc::SYS_timer_delete, "timer_delete", &[Int], timer_delete),
];

/// How often a timer has expired that was to expire at `expires` and then every `interval`, and when it will next.
/// `None` where it has not: its clock was set back, or runs slower than it did.
pub(crate) fn expirations(
    clock: &HostClock,
    now: Nanos,
    expires: Due,
    interval: Nanos,
) -> Option<(u64, Option<Due>)> {
    let shown = clock.read(expires.base, now);
    let late = shown.0.checked_sub(expires.at.0)?;
    let Some(more) = late.checked_div(interval.0) else { return Some((1, None)) };
    // LINUX: a timer that comes late has expired several times, and keeps its pace (timerfd_create(2), timer_getoverrun(2)).
    let next = expires.at + Nanos(interval.0.saturating_mul(more + 1));
    Some((more + 1, Some(Due { at: next, ..expires })))
}

impl Kernel {
    pub(crate) fn interval_expired(&mut self, host: HostId, generation: u32) {
        let now = self.now;
        let host_clock = &self.hosts[usize::from(host.0)].clock;
        let timer = self.hosts[usize::from(host.0)].process.interval;
        let Some(expires) = timer.expires.filter(|_| timer.generation == generation) else {
            return;
        };
        let Some((_, next)) = expirations(host_clock, now, expires, timer.interval) else { return };
        if let Some(next) = next {
            self.timers.push(host_clock.when(next, now), Timer::Interval(host, generation));
        }
        self.hosts[usize::from(host.0)].process.interval.expires = next;
        self.send_to_process(host, kernel_signal(libc::SIGALRM, libc::SI_KERNEL, 0));
    }

    pub(crate) fn posix_timer_expired(&mut self, host: HostId, number: u32, generation: u32) {
        let now = self.now;
        let owner = &mut self.hosts[usize::from(host.0)];
        let Some(Some(timer)) = owner.process.posix_timers.get_mut(number as usize) else { return };
        let Some(expires) = timer.expires.filter(|_| timer.generation == generation) else {
            return;
        };
        let Some((_, next)) = expirations(&owner.clock, now, expires, timer.interval) else {
            return;
        };
        if let Some(next) = next {
            let at = owner.clock.when(next, now);
            self.timers.push(at, Timer::Posix(host, number, generation));
        }
        timer.expires = next;
        let (notify, value) = (timer.notify, timer.value);
        match notify {
            Notify::Nobody => {}
            Notify::Process(sig) => {
                self.send_to_process(host, kernel_signal(sig, libc::SI_TIMER, value));
            }
            Notify::Thread(sig, tid) => {
                let task = self.hosts[usize::from(host.0)]
                    .process
                    .tasks
                    .iter()
                    .copied()
                    .find(|id| self.task_by_id(*id).is_some_and(|task| task.tid == tid));
                if let Some(task) = task {
                    self.send_to_task(task, kernel_signal(sig, libc::SI_TIMER, value));
                }
            }
        }
    }
}

fn kernel_signal(signal: i32, code: i32, value: u64) -> Info {
    Info { signal, code, pid: 0, uid: 0, value }
}

fn setitimer(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    real_only(a.int(0))?;
    let new = if a.addr(1) == 0 {
        (Nanos::ZERO, Nanos::ZERO)
    } else {
        (memory.read_timeval(a.addr(1))?, memory.read_timeval(a.addr(1) + 16)?)
    };
    let old = set_interval(k, new.0, new.1);
    if a.addr(2) != 0 {
        memory.write_timeval(a.addr(2), old.0)?;
        memory.write_timeval(a.addr(2) + 16, old.1)?;
    }
    Ok(0)
}

/// Sets ITIMER_REAL; gives its interval and remaining time before.
fn set_interval(k: &mut Kernel, interval: Nanos, first: Nanos) -> (Nanos, Nanos) {
    let host = k.host_id();
    let old = k.host().process.interval;
    let before = (old.interval, old.expires.map_or(Nanos::ZERO, |expires| k.left(expires)));
    let expires = (first > Nanos::ZERO).then(|| k.due_after(first));
    let timer = &mut k.host_mut().process.interval;
    timer.generation += 1;
    timer.interval = interval;
    timer.expires = expires;
    let generation = timer.generation;
    if let Some(expires) = expires {
        k.timers.push(k.when(expires), Timer::Interval(host, generation));
    }
    before
}

fn getitimer(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    real_only(a.int(0))?;
    let timer = k.host().process.interval;
    memory.write_timeval(a.addr(1), timer.interval)?;
    memory.write_timeval(a.addr(1) + 16, timer.expires.map_or(Nanos::ZERO, |at| k.left(at)))?;
    Ok(0)
}

fn real_only(which: i32) -> Result<(), Stop> {
    match which {
        libc::ITIMER_REAL => Ok(()),
        libc::ITIMER_VIRTUAL | libc::ITIMER_PROF => {
            Err(Stop::Unsupported("interval timers on CPU time".into()))
        }
        _ => Err(Errno::EINVAL.into()),
    }
}

fn alarm(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, left) = set_interval(k, Nanos::ZERO, Nanos::from_secs(a.word(0) as u32 as u64));
    // LINUX: a remainder is rounded to the nearest second, but never down to none, alarm(2).
    let secs = (left.0 + 500_000_000) / 1_000_000_000;
    Ok(if left > Nanos::ZERO { secs.max(1) } else { 0 })
}

/// Whom an expiring timer tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notify {
    /// Nobody: it is read with timer_gettime(2).
    Nobody,
    /// The process, by a signal.
    Process(i32),
    /// One thread, by a signal.
    Thread(i32, u32),
}

/// A timer of timer_create(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PosixTimer {
    clock: i32,
    notify: Notify,
    value: u64,
    pub(crate) expires: Option<Due>,
    interval: Nanos,
    pub(crate) generation: u32,
}

fn timer_create(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    kind(a.int(0))?;
    let number = k.host().process.posix_timers.len() as u32;
    let (notify, value) = if a.addr(1) == 0 {
        (Notify::Process(libc::SIGALRM), u64::from(number))
    } else {
        let value = memory.read_u64(a.addr(1))?;
        let sig = memory.read_i32(a.addr(1) + 8)?;
        let tid = memory.read_u32(a.addr(1) + 16)?;
        let notify = match memory.read_i32(a.addr(1) + 12)? {
            libc::SIGEV_SIGNAL => Notify::Process(signal::checked(sig as u64)?),
            libc::SIGEV_THREAD_ID => Notify::Thread(signal::checked(sig as u64)?, tid),
            libc::SIGEV_NONE => Notify::Nobody,
            _ => return Err(Errno::EINVAL.into()),
        };
        (notify, value)
    };
    let timer = PosixTimer {
        clock: a.int(0),
        notify,
        value,
        expires: None,
        interval: Nanos::ZERO,
        generation: 0,
    };
    k.host_mut().process.posix_timers.push(Some(timer));
    memory.write_u32(a.addr(2), number)?;
    Ok(0)
}

fn posix_timer(k: &mut Kernel, number: i32) -> Result<&mut PosixTimer, Errno> {
    let timers = &mut k.host_mut().process.posix_timers;
    timers.get_mut(number as usize).and_then(Option::as_mut).ok_or(Errno::EINVAL)
}

fn timer_settime(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let interval = memory.read_timespec(a.addr(2))?;
    let first = memory.read_timespec(a.addr(2) + 16)?;
    let old = *posix_timer(k, a.int(0))?;
    if a.addr(3) != 0 {
        write_timer(k, memory, a.addr(3), &old)?;
    }
    let at = if first == Nanos::ZERO {
        None
    } else if a.int(1) & libc::TIMER_ABSTIME != 0 {
        Some(k.due_at(old.clock, first)?)
    } else {
        Some(k.due_after(first))
    };
    let timer = posix_timer(k, a.int(0))?;
    timer.generation += 1;
    timer.interval = interval;
    timer.expires = at;
    let generation = timer.generation;
    if let Some(at) = at {
        k.timers.push(k.when(at), Timer::Posix(k.host_id(), a.int(0) as u32, generation));
    }
    Ok(0)
}

fn write_timer(
    k: &Kernel,
    memory: &mut dyn GuestMemory,
    addr: u64,
    timer: &PosixTimer,
) -> Result<(), Errno> {
    memory.write_timespec(addr, timer.interval)?;
    memory.write_timespec(addr + 16, timer.expires.map_or(Nanos::ZERO, |at| k.left(at)))
}

fn timer_gettime(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let timer = *posix_timer(k, a.int(0))?;
    write_timer(k, memory, a.addr(1), &timer)?;
    Ok(0)
}

fn timer_getoverrun(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    posix_timer(k, a.int(0))?;
    Ok(0)
}

fn timer_delete(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    posix_timer(k, a.int(0))?;
    k.host_mut().process.posix_timers[a.int(0) as usize] = None;
    Ok(0)
}
