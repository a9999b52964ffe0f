//! What is done to the clocks of hosts, and what follows from it for everything that waits for them.
//!
//! A wait is kept as what a clock will show ([`Due`]); in the queue of timers it stands at the true time that this was
//! taken for. Whatever changes a clock ends here, in [`Kernel::clock_changed`], which puts each wait of the host into
//! the queue again. Entries of before stay there; when their time comes and the clock does not show it yet, nothing
//! happens.
//!
//! DIVERGENCE: the network's own timers (retransmission, keep-alive) run on true time, also where a host's clock drifts.

use bizarro_record::{Event, LeapHandling, LeapSecond, Nanos};

use crate::clock::ntp::Follower;
use crate::clock::{Base, Due};
use crate::errno::Errno;
use crate::host::HostId;
use crate::kernel::Kernel;
use crate::object::{Kind, ObjId};
use crate::task::{TaskState, Wait};
use crate::timers::Timer;

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

/// What the kernel keeps for the clock of a host.
#[derive(Debug, Default)]
pub(crate) struct TimeKeeping {
    /// The next second of CLOCK_REALTIME at which something is to be done.
    second: Option<Due>,
    /// Counts changes of it, so that an old one is not taken for a new one.
    generation: u32,
    /// The time daemon.
    pub(crate) follower: Option<Follower>,
    /// When it asks next.
    pub(crate) poll: Option<Due>,
}

/// A leap second that is spread over a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Smear {
    /// From here to this true time the clock gains one second, or loses it.
    Begin {
        /// In nanoseconds.
        gain: i64,
        /// True time.
        until: Nanos,
    },
    /// It has.
    End,
}

/// How a clock changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// It runs faster or slower than before.
    Rate,
    /// CLOCK_REALTIME jumped.
    Set,
}

impl Kernel {
    /// The end of a span on the current host's clock.
    #[inline]
    pub(crate) fn due_after(&self, span: Nanos) -> Due {
        self.host().clock.after(self.now, span)
    }

    /// Whether a moment has come on the current host's clock.
    #[inline]
    pub(crate) fn is_due(&self, due: Due) -> bool {
        self.host().clock.is_due(due, self.now)
    }

    /// How long it is until then on the current host's clock.
    pub(crate) fn left(&self, due: Due) -> Nanos {
        self.host().clock.left(due, self.now)
    }

    /// The true time at which a moment comes on the current host's clock, as things are.
    #[inline]
    pub(crate) fn when(&self, due: Due) -> Nanos {
        self.host().clock.when(due, self.now)
    }

    /// A wait was to end by time-out now. It goes on where the host's clock has become slower meanwhile.
    pub(crate) fn time_is_up(&mut self, wait: Wait) {
        let Some(task) = self.task_by_id(wait.task) else { return };
        let clock = &self.hosts[usize::from(task.host.0)].clock;
        let is_early = |due| !clock.is_due(due, self.now);
        if !task.call.deadline.is_some_and(is_early) {
            self.wake(wait);
        }
    }

    /// Sets the clock of a host: settimeofday(2) and its kin.
    ///
    /// # Errors
    /// `EINVAL` where CLOCK_REALTIME would be before CLOCK_MONOTONIC or after what can be written.
    pub fn set_clock(&mut self, host: HostId, to: Nanos) -> Result<(), Errno> {
        let shown = self.hosts[usize::from(host.0)].clock.realtime(self.now);
        let by = i128::from(to.0) - i128::from(shown.0);
        self.step_clock(host, i64::try_from(by).map_err(|_| Errno::EINVAL)?)
    }

    /// Sets the clock of a host forward by this many nanoseconds; CLOCK_REALTIME only.
    ///
    /// # Errors
    /// As [`Kernel::set_clock`].
    pub fn step_clock(&mut self, host: HostId, by: i64) -> Result<(), Errno> {
        let now = self.now;
        let clock = &mut self.hosts[usize::from(host.0)].clock;
        if !clock.step(by) {
            return Err(Errno::EINVAL);
        }
        let monotonic = clock.monotonic(now);
        clock.timex.clear(monotonic);
        clock.follow_timex(now);
        self.clock_changed(host, Change::Set);
        Ok(())
    }

    /// A host is about to start its program again. Where it had lost its power, it is a machine that has just been booted.
    pub(super) fn boot(&mut self, host: HostId) {
        let (now, owner) = (self.now, &mut self.hosts[usize::from(host.0)]);
        if !core::mem::take(&mut owner.is_off) {
            return;
        }
        owner.boots += 1;
        owner.clock.rebooted(now);
        if owner.time.follower.is_some() {
            owner.time.poll = Some(owner.clock.after(now, Nanos::ZERO));
        }
        self.clock_changed(host, Change::Rate);
    }

    /// From now on the oscillator of a host is this much too fast, in parts per billion.
    pub fn drift_clock(&mut self, host: HostId, ppb: i64) {
        let now = self.now;
        self.hosts[usize::from(host.0)].clock.drift(now, ppb);
        self.clock_changed(host, Change::Rate);
    }

    /// From now on the clocks of a host are as coarse as this.
    pub fn coarsen_clock(&mut self, host: HostId, resolution: Nanos) {
        let now = self.now;
        self.hosts[usize::from(host.0)].clock.coarsen(now, resolution);
        self.clock_changed(host, Change::Rate);
    }

    /// The clocks of a host stand still, or go on.
    pub(super) fn freeze_clock(&mut self, host: HostId, frozen: bool) {
        let now = self.now;
        self.hosts[usize::from(host.0)].clock.freeze(now, frozen);
        self.clock_changed(host, Change::Rate);
    }

    /// What adjtimex(2) was told of a host may make its clock run otherwise.
    pub(crate) fn timex_changed(&mut self, host: HostId) {
        let now = self.now;
        let owner = &mut self.hosts[usize::from(host.0)];
        if owner.clock.follow_timex(now) {
            self.clock_changed(host, Change::Rate);
        } else if owner.time.second.is_none() {
            self.await_second(host);
        }
    }

    /// The day of UTC that is now ends with a leap second: each host does what the test said of it.
    pub fn leap_second(&mut self, leap: LeapSecond) {
        let gain = if leap == LeapSecond::Insert { -(SECOND as i64) } else { SECOND as i64 };
        let true_time = self.epoch + self.now.0;
        let midnight = self.now + Nanos(DAY - true_time % DAY);
        for index in 0..self.hosts.len() as u16 {
            let host = HostId(index);
            let owner = &mut self.hosts[usize::from(index)];
            match owner.spec.clock.leap {
                LeapHandling::Ignore => {}
                LeapHandling::Step => {
                    // What a time daemon tells the kernel on such a day.
                    owner.clock.timex.status &= !(libc::STA_INS | libc::STA_DEL);
                    owner.clock.timex.status |=
                        if leap == LeapSecond::Insert { libc::STA_INS } else { libc::STA_DEL };
                    self.timex_changed(host);
                }
                LeapHandling::Smear => {
                    let from = (midnight - Nanos(DAY / 2)).max(self.now);
                    let until = midnight + Nanos(DAY / 2);
                    self.timers.push(from, Timer::Smear(host, Smear::Begin { gain, until }));
                    self.timers.push(until, Timer::Smear(host, Smear::End));
                }
            }
        }
    }

    pub(crate) fn smear(&mut self, host: HostId, smear: Smear) {
        let now = self.now;
        let clock = &mut self.hosts[usize::from(host.0)].clock;
        match smear {
            Smear::Begin { gain, until } => clock.smear(now, gain, until - now),
            Smear::End => clock.smear(now, 0, Nanos(DAY)),
        }
        self.clock_changed(host, Change::Rate);
    }

    /// A second of CLOCK_REALTIME begins on a host.
    pub(crate) fn second_begins(&mut self, host: HostId, generation: u32) {
        let now = self.now;
        let owner = &mut self.hosts[usize::from(host.0)];
        let Some(second) = owner.time.second.filter(|_| owner.time.generation == generation) else {
            return;
        };
        if !owner.clock.is_due(second, now) {
            return;
        }
        owner.time.second = None;
        let leap = owner.clock.timex.second(second.at.0 / SECOND);
        if leap != 0 {
            owner.clock.leap(leap);
            let what = if leap < 0 { "a leap second is put in" } else { "a second is left out" };
            self.observer.event(now, host.0, 0, Event::Note { text: what.into() });
        }
        let owner = &mut self.hosts[usize::from(host.0)];
        let is_slewed = owner.clock.follow_timex(now);
        match (leap != 0, is_slewed) {
            (true, _) => self.clock_changed(host, Change::Set),
            (_, true) => self.clock_changed(host, Change::Rate),
            _ => self.await_second(host),
        }
    }

    /// Has [`Kernel::second_begins`] called at the next second, if there is something to do then.
    fn await_second(&mut self, host: HostId) {
        let now = self.now;
        let owner = &mut self.hosts[usize::from(host.0)];
        owner.time.generation += 1;
        owner.time.second = None;
        if !owner.clock.timex.needs_seconds() {
            return;
        }
        let shown = owner.clock.realtime(now).0;
        let second = Due { base: Base::Realtime, at: Nanos((shown / SECOND + 1) * SECOND) };
        owner.time.second = Some(second);
        let (at, generation) = (owner.clock.when(second, now), owner.time.generation);
        self.push_timer(at, Timer::Second(host, generation));
    }

    /// Puts a timer into the queue, unless it is for when a frozen host goes on.
    fn push_timer(&mut self, at: Nanos, timer: Timer) {
        if at < Nanos::MAX {
            self.timers.push(at, timer);
        }
    }

    /// The clock of a host has changed: what waits for it does so until another true time.
    pub(crate) fn clock_changed(&mut self, host: HostId, change: Change) {
        self.fingerprint.mix(0xc10c << 48 | u64::from(host.0));
        self.await_second(host);
        let now = self.now;
        let owner = &self.hosts[usize::from(host.0)];
        let clock = owner.clock.clone();
        let mut moved = alloc::vec::Vec::new();
        for id in &owner.process.tasks {
            let Some(task) = self.task_by_id(*id) else { continue };
            if let (TaskState::Waiting, Some(due)) = (task.state, task.call.deadline) {
                let wait = Wait { task: task.id, ticket: task.ticket };
                moved.push((due, Timer::Wake(wait)));
            }
        }
        let interval = owner.process.interval;
        moved.extend(interval.expires.map(|due| (due, Timer::Interval(host, interval.generation))));
        for (number, timer) in owner.process.posix_timers.iter().enumerate() {
            let Some(timer) = timer else { continue };
            let posix = Timer::Posix(host, number as u32, timer.generation);
            moved.extend(timer.expires.map(|due| (due, posix)));
        }
        moved.extend(owner.time.poll.map(|due| (due, Timer::Ntp(host, super::ntp::Ntp::Poll))));
        let timers: alloc::vec::Vec<ObjId> = self.objects.timers_of(host).collect();
        for id in &timers {
            if let Some(Kind::Timer(timer)) = self.objects.get(*id).map(|object| &object.kind) {
                let expiry = Timer::TimerFd(*id, timer.generation);
                moved.extend(timer.expires.map(|due| (due, expiry)));
            }
        }
        for (due, timer) in moved {
            self.push_timer(clock.when(due, now), timer);
        }
        if change == Change::Set {
            for id in timers {
                self.cancel_timerfd(id);
            }
        }
    }
}
