//! What happens later: events ordered by virtual time, and by the order of their making where times are equal.

use alloc::collections::BinaryHeap;
use core::cmp::Reverse;

use bizarro_record::Nanos;

use crate::host::HostId;
use crate::net::NetEvent;
use crate::object::ObjId;
use crate::task::Wait;

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
    made: u64,
}

impl Timers {
    /// Makes `timer` happen at `at`.
    pub fn push(&mut self, at: Nanos, timer: Timer) {
        self.made += 1;
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
        self.heap.pop().map(|Reverse(entry)| entry.timer)
    }
}
