//! eventfd(2) and timerfd_create(2).

use bizarro_record::Nanos;

use crate::clock::Due;
use crate::errno::{Errno, Stop, SysResult};
use crate::kernel::Kernel;
use crate::object::{Kind, ObjId};
use crate::seams::GuestMemory;
use crate::sys::timer::expirations;
use crate::table::Arg::{Fd, Hex, Int, Ptr};
use crate::table::{Args, Row, row};
use crate::timers::Timer;

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_eventfd, "eventfd", &[Int], eventfd),
    row(libc::SYS_eventfd2, "eventfd2", &[Int, Hex], eventfd2),
    row(libc::SYS_timerfd_create, "timerfd_create", &[Int, Hex], timerfd_create),
    row(libc::SYS_timerfd_settime, "timerfd_settime", &[Fd, Hex, Ptr, Ptr], timerfd_settime),
    row(libc::SYS_timerfd_gettime, "timerfd_gettime", &[Fd, Ptr], timerfd_gettime),
];

/// A counter that can be waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventFd {
    count: u64,
    semaphore: bool,
}

impl EventFd {
    /// LINUX: writable while a 1 can be added, eventfd(2).
    pub(crate) fn readiness(&self) -> u32 {
        let mut ready = 0;
        if self.count > 0 {
            ready |= libc::EPOLLIN;
        }
        if self.count < u64::MAX - 1 {
            ready |= libc::EPOLLOUT;
        }
        if self.count == u64::MAX {
            ready |= libc::EPOLLERR;
        }
        ready as u32
    }

    fn take(&mut self) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let taken = if self.semaphore { 1 } else { self.count };
        self.count -= taken;
        Some(taken)
    }

    fn add(&mut self, n: u64) -> bool {
        match self.count.checked_add(n) {
            Some(sum) if sum < u64::MAX => {
                self.count = sum;
                true
            }
            _ => false,
        }
    }
}

/// A timer that is read from a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimerFd {
    clock: i32,
    expirations: u64,
    pub(crate) expires: Option<Due>,
    interval: Nanos,
    pub(crate) generation: u32,
    /// TFD_TIMER_CANCEL_ON_SET: whether the clock has been set since the last read.
    cancel: Option<bool>,
}

impl TimerFd {
    pub(crate) fn readiness(&self) -> u32 {
        if self.expirations > 0 { libc::EPOLLIN as u32 } else { 0 }
    }
}

impl Kernel {
    fn eventfd_mut(&mut self, id: ObjId) -> Option<&mut EventFd> {
        match self.objects.get_mut(id).map(|object| &mut object.kind) {
            Some(Kind::Event(event)) => Some(event),
            _ => None,
        }
    }

    fn timerfd_mut(&mut self, id: ObjId) -> Option<&mut TimerFd> {
        match self.objects.get_mut(id).map(|object| &mut object.kind) {
            Some(Kind::Timer(timer)) => Some(timer),
            _ => None,
        }
    }

    /// read(2) on an eventfd.
    pub(crate) fn read_eventfd(&mut self, id: ObjId, len: u64) -> Result<u64, Stop> {
        if len < 8 {
            return Err(Errno::EINVAL.into());
        }
        match self.eventfd_mut(id).and_then(EventFd::take) {
            Some(count) => {
                self.notify(id);
                Ok(count)
            }
            None => Err(self.wait_unless_nonblocking(id)),
        }
    }

    /// write(2) on an eventfd.
    pub(crate) fn write_eventfd(&mut self, id: ObjId, value: u64) -> Result<(), Stop> {
        if value == u64::MAX {
            return Err(Errno::EINVAL.into());
        }
        if self.eventfd_mut(id).is_some_and(|event| event.add(value)) {
            self.notify(id);
            Ok(())
        } else {
            Err(self.wait_unless_nonblocking(id))
        }
    }

    /// read(2) on a timerfd: how often it expired since the last read.
    pub(crate) fn read_timerfd(&mut self, id: ObjId, len: u64) -> Result<u64, Stop> {
        if len < 8 {
            return Err(Errno::EINVAL.into());
        }
        match self.timerfd_mut(id) {
            Some(timer) if timer.cancel == Some(true) => {
                (timer.cancel, timer.expirations) = (Some(false), 0);
                Err(Errno::ECANCELED.into())
            }
            Some(timer) if timer.expirations > 0 => Ok(core::mem::take(&mut timer.expirations)),
            _ => Err(self.wait_unless_nonblocking(id)),
        }
    }

    pub(crate) fn timerfd_expired(&mut self, id: ObjId, generation: u32) {
        let now = self.now;
        let Some(object) = self.objects.get_mut(id) else { return };
        let clock = &self.hosts[usize::from(object.host.0)].clock;
        let Kind::Timer(timer) = &mut object.kind else { return };
        let Some(expires) = timer.expires.filter(|_| timer.generation == generation) else {
            return;
        };
        let Some((count, next)) = expirations(clock, now, expires, timer.interval) else { return };
        timer.expirations += count;
        timer.expires = next;
        if let Some(next) = next {
            self.timers.push(clock.when(next, now), Timer::TimerFd(id, generation));
        }
        self.notify(id);
    }

    /// The clock was set: who asked for it is told (TFD_TIMER_CANCEL_ON_SET). The timer stays armed.
    pub(crate) fn cancel_timerfd(&mut self, id: ObjId) {
        let Some(timer) = self.timerfd_mut(id) else { return };
        if timer.cancel.is_none() {
            return;
        }
        timer.cancel = Some(true);
        timer.expirations += 1;
        self.notify(id);
    }
}

fn eventfd(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    make_eventfd(k, a.int(0) as u32, 0)
}

fn eventfd2(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    make_eventfd(k, a.int(0) as u32, a.int(1))
}

fn make_eventfd(k: &mut Kernel, count: u32, flags: i32) -> SysResult {
    if flags & !(libc::EFD_CLOEXEC | libc::EFD_NONBLOCK | libc::EFD_SEMAPHORE) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let semaphore = flags & libc::EFD_SEMAPHORE != 0;
    let event = EventFd { count: count.into(), semaphore };
    let status = libc::O_RDWR | flags & libc::O_NONBLOCK;
    Ok(k.open_descriptor(Kind::Event(event), status, flags)? as u64)
}

fn timerfd_create(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let clocks = [
        libc::CLOCK_REALTIME,
        libc::CLOCK_MONOTONIC,
        libc::CLOCK_BOOTTIME,
        libc::CLOCK_REALTIME_ALARM,
        libc::CLOCK_BOOTTIME_ALARM,
    ];
    let flags = a.int(1);
    if !clocks.contains(&a.int(0)) || flags & !(libc::TFD_CLOEXEC | libc::TFD_NONBLOCK) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let timer = TimerFd {
        clock: a.int(0),
        expirations: 0,
        expires: None,
        interval: Nanos::ZERO,
        generation: 0,
        cancel: None,
    };
    let status = libc::O_RDWR | flags & libc::O_NONBLOCK;
    Ok(k.open_descriptor(Kind::Timer(timer), status, flags)? as u64)
}

/// The timerfd that a descriptor names.
fn timerfd(k: &Kernel, fd: i32) -> Result<(ObjId, TimerFd), Errno> {
    let (id, object) = k.object(fd)?;
    match &object.kind {
        Kind::Timer(timer) => Ok((id, *timer)),
        _ => Err(Errno::EINVAL),
    }
}

fn write_state(
    k: &Kernel,
    memory: &mut dyn GuestMemory,
    addr: u64,
    timer: &TimerFd,
) -> Result<(), Errno> {
    memory.write_timespec(addr, timer.interval)?;
    memory.write_timespec(addr + 16, timer.expires.map_or(Nanos::ZERO, |at| k.left(at)))
}

fn timerfd_settime(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let known = libc::TFD_TIMER_ABSTIME | libc::TFD_TIMER_CANCEL_ON_SET;
    if a.int(1) & !known != 0 {
        return Err(Errno::EINVAL.into());
    }
    let interval = memory.read_timespec(a.addr(2))?;
    let first = memory.read_timespec(a.addr(2) + 16)?;
    let (id, old) = timerfd(k, a.fd(0))?;
    if a.addr(3) != 0 {
        write_state(k, memory, a.addr(3), &old)?;
    }
    let expires = if first == Nanos::ZERO {
        None
    } else if a.int(1) & libc::TFD_TIMER_ABSTIME != 0 {
        Some(k.due_at(old.clock, first)?)
    } else {
        Some(k.due_after(first))
    };
    let generation = old.generation + 1;
    // LINUX: only an absolute timer of CLOCK_REALTIME can be cancelled, timerfd_create(2).
    let can_cancel = a.int(1) & known == known
        && matches!(old.clock, libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_ALARM);
    let was_set = can_cancel && old.cancel == Some(true) && expires.is_some();
    let cancel = can_cancel.then_some(old.cancel == Some(true) && !was_set);
    if let Some(timer) = k.timerfd_mut(id) {
        *timer = TimerFd { expirations: 0, expires, interval, generation, cancel, ..old };
    }
    if let Some(due) = expires {
        k.timers.push(k.when(due), Timer::TimerFd(id, generation));
    }
    // LINUX: the timer is armed all the same.
    if was_set { Err(Errno::ECANCELED.into()) } else { Ok(0) }
}

fn timerfd_gettime(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, timer) = timerfd(k, a.fd(0))?;
    write_state(k, memory, a.addr(1), &timer)?;
    Ok(0)
}
