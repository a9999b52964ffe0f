//! Clocks and sleeping: clock_gettime(2), nanosleep(2), interval timers, timer_create(2).

use bizarro_record::Nanos;

use crate::errno::{Errno, Stop, SysResult};
use crate::host::HostId;
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::signal::{self, Info};
use crate::table::Arg::{Hex, Int, Ptr};
use crate::table::{Args, Row, Support, row};
use crate::task::WaitsFor;
use crate::timers::Timer;

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_clock_gettime, "clock_gettime", &[Int, Ptr], clock_gettime),
    row(libc::SYS_clock_getres, "clock_getres", &[Int, Ptr], clock_getres),
    row(libc::SYS_clock_settime, "clock_settime", &[Int, Ptr], clock_settime)
        .support(Support::Refused("EPERM, as for a program without CAP_SYS_TIME")),
    row(libc::SYS_gettimeofday, "gettimeofday", &[Ptr, Ptr], gettimeofday),
    row(libc::SYS_time, "time", &[Ptr], time),
    row(libc::SYS_nanosleep, "nanosleep", &[Ptr, Ptr], nanosleep),
    row(libc::SYS_clock_nanosleep, "clock_nanosleep", &[Int, Hex, Ptr, Ptr], clock_nanosleep),
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
    row(libc::SYS_times, "times", &[Ptr], times),
];

/// What CLOCK_MONOTONIC shows when the world starts: machines have been up for a while.
pub const BOOT: Nanos = Nanos::from_secs(1000);
/// TAI is ahead of UTC by this much since 2017.
const TAI_AHEAD: u64 = 37_000_000_000;

/// A clock, as far as it matters what it shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Clock {
    Realtime,
    Monotonic,
    Tai,
    Cpu,
}

fn clock(id: i32) -> Result<Clock, Errno> {
    match id {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_REALTIME_ALARM => {
            Ok(Clock::Realtime)
        }
        libc::CLOCK_MONOTONIC
        | libc::CLOCK_MONOTONIC_RAW
        | libc::CLOCK_MONOTONIC_COARSE
        | libc::CLOCK_BOOTTIME
        | libc::CLOCK_BOOTTIME_ALARM => Ok(Clock::Monotonic),
        libc::CLOCK_TAI => Ok(Clock::Tai),
        libc::CLOCK_PROCESS_CPUTIME_ID | libc::CLOCK_THREAD_CPUTIME_ID => Ok(Clock::Cpu),
        // LINUX: negative ids name another process's or thread's CPU clock, clock_getcpuclockid(3).
        id if id < 0 => Ok(Clock::Cpu),
        _ => Err(Errno::EINVAL),
    }
}

impl Kernel {
    /// What a clock of the current host shows.
    pub fn read_clock(&self, id: i32) -> Result<Nanos, Errno> {
        Ok(match clock(id)? {
            Clock::Realtime => Nanos(self.host().realtime(self.epoch, self.now)),
            Clock::Tai => Nanos(self.host().realtime(self.epoch, self.now) + TAI_AHEAD),
            Clock::Monotonic => self.now + BOOT,
            // DIVERGENCE: computing takes no virtual time; CPU time is the time since the process started.
            Clock::Cpu => self.now - self.host().process.started,
        })
    }

    /// The virtual time at which a clock of the current host will show `time`.
    pub fn when(&self, id: i32, time: Nanos) -> Result<Nanos, Errno> {
        let shown = self.read_clock(id)?;
        Ok(self.now + time.saturating_sub(shown))
    }

    pub(crate) fn interval_expired(&mut self, host: HostId, generation: u32) {
        let now = self.now;
        let timer = &mut self.hosts[usize::from(host.0)].process.interval;
        if timer.generation != generation || timer.expires.is_none() {
            return;
        }
        timer.expires = None;
        if timer.interval > Nanos::ZERO {
            let next = now + timer.interval;
            timer.expires = Some(next);
            self.timers.push(next, Timer::Interval(host, generation));
        }
        self.send_to_process(host, kernel_signal(libc::SIGALRM, libc::SI_KERNEL, 0));
    }

    pub(crate) fn posix_timer_expired(&mut self, host: HostId, number: u32, generation: u32) {
        let now = self.now;
        let timers = &mut self.hosts[usize::from(host.0)].process.posix_timers;
        let Some(Some(timer)) = timers.get_mut(number as usize) else { return };
        if timer.generation != generation || timer.expires.is_none() {
            return;
        }
        timer.expires = None;
        if timer.interval > Nanos::ZERO {
            let next = now + timer.interval;
            timer.expires = Some(next);
            self.timers.push(next, Timer::Posix(host, number, generation));
        }
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

fn clock_gettime(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let time = k.read_clock(a.int(0))?;
    memory.write_timespec(a.addr(1), time)?;
    Ok(0)
}

fn clock_getres(_: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    clock(a.int(0))?;
    let coarse = matches!(a.int(0), libc::CLOCK_REALTIME_COARSE | libc::CLOCK_MONOTONIC_COARSE);
    if a.addr(1) != 0 {
        // LINUX: the coarse clocks step with the timer tick, 4 ms at CONFIG_HZ=250.
        memory.write_timespec(a.addr(1), Nanos(if coarse { 4_000_000 } else { 1 }))?;
    }
    Ok(0)
}

fn clock_settime(_: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    match clock(a.int(0))? {
        Clock::Realtime => Err(Errno::EPERM.into()),
        _ => Err(Errno::EINVAL.into()),
    }
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

fn sleep_until(k: &mut Kernel, deadline: Nanos) -> SysResult {
    k.task_mut().call.deadline.get_or_insert(deadline);
    if k.timed_out() {
        return Ok(0);
    }
    k.wait(WaitsFor::Time);
    Err(Stop::Block)
}

fn nanosleep(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let span = memory.read_timespec(a.addr(0))?;
    let deadline = k.now + span;
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
        k.when(id, time)?
    } else {
        clock(id)?;
        note_remainder(k, a.addr(3));
        k.now + time
    };
    sleep_until(k, deadline)
}

/// Remembers where the unslept rest is to be written if a signal ends the sleep.
fn note_remainder(k: &mut Kernel, addr: u64) {
    k.task_mut().call.remainder = addr;
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
    let (now, host) = (k.now, k.host_id());
    let timer = &mut k.host_mut().process.interval;
    let old = (timer.interval, timer.expires.map_or(Nanos::ZERO, |at| at - now));
    timer.generation += 1;
    timer.interval = interval;
    timer.expires = (first > Nanos::ZERO).then(|| now + first);
    let generation = timer.generation;
    if first > Nanos::ZERO {
        k.timers.push(now + first, Timer::Interval(host, generation));
    }
    old
}

fn getitimer(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    real_only(a.int(0))?;
    let timer = k.host().process.interval;
    memory.write_timeval(a.addr(1), timer.interval)?;
    memory.write_timeval(a.addr(1) + 16, timer.expires.map_or(Nanos::ZERO, |at| at - k.now))?;
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
    expires: Option<Nanos>,
    interval: Nanos,
    generation: u32,
}

fn timer_create(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    clock(a.int(0))?;
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
        write_timer(memory, a.addr(3), &old, k.now)?;
    }
    let at = if first == Nanos::ZERO {
        None
    } else if a.int(1) & libc::TIMER_ABSTIME != 0 {
        Some(k.when(old.clock, first)?)
    } else {
        Some(k.now + first)
    };
    let timer = posix_timer(k, a.int(0))?;
    timer.generation += 1;
    timer.interval = interval;
    timer.expires = at;
    let generation = timer.generation;
    if let Some(at) = at {
        k.timers.push(at, Timer::Posix(k.host_id(), a.int(0) as u32, generation));
    }
    Ok(0)
}

fn write_timer(
    memory: &mut dyn GuestMemory,
    addr: u64,
    timer: &PosixTimer,
    now: Nanos,
) -> Result<(), Errno> {
    memory.write_timespec(addr, timer.interval)?;
    memory.write_timespec(addr + 16, timer.expires.map_or(Nanos::ZERO, |at| at - now))
}

fn timer_gettime(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let timer = *posix_timer(k, a.int(0))?;
    write_timer(memory, a.addr(1), &timer, k.now)?;
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

fn times(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    // Clock ticks are hundredths of a second (sysconf(_SC_CLK_TCK)).
    let ticks = |span: Nanos| span.0 / 10_000_000;
    if a.addr(0) != 0 {
        let used = ticks(k.now - k.host().process.started);
        for (n, value) in [used, 0, 0, 0].into_iter().enumerate() {
            memory.write_u64(a.addr(0) + 8 * n as u64, value)?;
        }
    }
    Ok(ticks(k.now + BOOT))
}
