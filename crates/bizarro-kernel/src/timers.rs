//! What happens later: events ordered by virtual time, and by the order of their making where times are equal.

use alloc::collections::BinaryHeap;
use core::cmp::Reverse;

use bizarro_record::Nanos;

use crate::host::HostId;
use crate::kernel::ntp::Ntp;
use crate::kernel::time::Smear;
use crate::net::NetEvent;
use crate::object::ObjId;
use crate::task::{TaskId, Wait};

/// Something that will happen.
#[derive(Debug)]
pub enum Timer {
    /// A task's wait ends by time-out.
    Wake(Wait),
    /// Something on the network.
    Net(NetEvent),
    /// A timerfd expires, if its generation is still this one.
    TimerFd(ObjId, u32),
    /// An interval timer (setitimer(2), ITIMER_REAL) of a host expires, if its generation is still this one.
    Interval(HostId, u32),
    /// A POSIX timer (timer_create(2)) of a host expires: its number and generation.
    Posix(HostId, u32, u32),
    /// A second of CLOCK_REALTIME begins on a host whose clock has something to do then, if the generation is still
    /// this one.
    Second(HostId, u32),
    /// A host begins or ends to smear a leap second.
    Smear(HostId, Smear),
    /// What a host's time daemon does next.
    Ntp(HostId, Ntp),
    /// A task that was held back may run.
    Release(TaskId),
    /// A paused host goes on.
    Resume(HostId),
    /// A crashed host's program starts again.
    Restart(HostId),
    /// The moment of an incident has come, at this host.
    Incident(usize, HostId),
    /// Processes of this crash loop have lived long enough.
    CrashAgain(usize),
    /// An incident that lasted is over.
    Heal(usize),
}

impl Timer {
    /// Whether it is part of what clocks do for ever, whoever looks at them: nobody waits for it.
    fn is_background(&self) -> bool {
        matches!(self, Timer::Second(..) | Timer::Smear(..) | Timer::Ntp(..))
    }
}

struct Entry {
    at: Nanos,
    order: u64,
    timer: Timer,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.order == other.order
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> core::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// The queue of everything that will happen.
#[derive(Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<Entry>>,
    /// How many of them go on for ever by themselves.
    background: usize,
    made: u64,
}

impl Timers {
    /// Makes `timer` happen at `at`.
    pub fn push(&mut self, at: Nanos, timer: Timer) {
        self.made += 1;
        self.background += usize::from(timer.is_background());
        self.heap.push(Reverse(Entry { at, order: self.made, timer }));
    }

    /// When the next event happens.
    #[inline]
    pub fn next(&self) -> Option<Nanos> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// Takes the next event that happens at `now` or before.
    #[inline]
    pub fn due(&mut self, now: Nanos) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let Reverse(Entry { timer, .. }) = self.heap.pop()?;
        self.background -= usize::from(timer.is_background());
        Some(timer)
    }

    /// How many there are, with those that will find nothing to do.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing will happen that a program could wait for.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.heap.len() == self.background
    }
}
