//! What the clocks of a host show, and when, in true time, they will show something.
//!
//! A host has one oscillator. Everything that it measures comes from it:
//!
//! | clock | follows |
//! |---|---|
//! | CLOCK_MONOTONIC_RAW, `rdtsc` | the oscillator as it is, with its drift |
//! | CLOCK_MONOTONIC, CLOCK_BOOTTIME | the oscillator, slewed by adjtimex(2) |
//! | CLOCK_REALTIME | CLOCK_MONOTONIC plus what the clock was last set to |
//! | CLOCK_TAI | CLOCK_REALTIME plus whole seconds |
//!
//! Between two changes all of them are straight lines over true time, so a change ends one line and begins the next
//! at the same place: CLOCK_MONOTONIC never goes back and never jumps, as long as the host has power. What waits for a
//! clock is kept as what the clock will show ([`Due`]), never as true time: a change moves its true time, which
//! [`crate::kernel`] looks up again.
//!
//! A frozen host (a stopped virtual machine) has no running clock at all. CLOCK_BOOTTIME stands still, too: the guest's
//! kernel was not suspended and cannot know how long it was away. CLOCK_REALTIME is behind afterwards, until somebody
//! sets it. This is what a guest of KVM sees when its monitor stops and continues it.

pub mod ntp;
pub mod timex;

use timex::Timex;

use bizarro_record::{ClockSpec, Nanos};

/// What CLOCK_MONOTONIC shows when the world starts: machines have been up for a while.
pub const BOOT: Nanos = Nanos::from_secs(1000);
/// What it shows when a program starts on a host that lost its power: a machine takes a while to come so far.
pub const BOOTED: Nanos = Nanos::from_secs(5);
/// The timer tick, which the coarse clocks step with: CONFIG_HZ=250.
pub const TICK: Nanos = Nanos::from_millis(4);
/// TAI is ahead of UTC by this many seconds since 2017.
const TAI_AHEAD: i32 = 37;
const SECOND: u64 = 1_000_000_000;
/// Binary digits behind the point of what is kept of a clock, in nanoseconds.
const FRACTION: u32 = 32;

/// The clocks that something can wait for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Base {
    /// CLOCK_MONOTONIC, CLOCK_BOOTTIME, and every span.
    Monotonic,
    /// CLOCK_REALTIME, where a point in time was named.
    Realtime,
    /// CLOCK_TAI, where a point in time was named.
    Tai,
}

/// A moment, as a clock of the host shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Due {
    /// The clock.
    pub base: Base,
    /// What it shows then.
    pub at: Nanos,
}

/// The clocks of a host.
#[derive(Clone, Debug)]
pub struct HostClock {
    /// True time at which the current lines begin.
    from: Nanos,
    /// What the oscillator shows there, in nanoseconds with [`FRACTION`] binary digits.
    raw: u128,
    /// What CLOCK_MONOTONIC shows there, likewise.
    monotonic: u128,
    /// What CLOCK_REALTIME is ahead of CLOCK_MONOTONIC, in nanoseconds.
    wall: i64,
    /// What CLOCK_TAI is ahead of CLOCK_REALTIME, in seconds.
    tai: i32,
    drift_ppb: i64,
    /// How much adjtimex(2) makes CLOCK_MONOTONIC faster: nanoseconds a second, with [`FRACTION`] binary digits.
    slew: i64,
    /// The part of it that smears a leap second.
    smear: i64,
    is_frozen: bool,
    /// All rates are one and nothing is rounded: clocks are sums.
    is_exact: bool,
    resolution: Nanos,
    /// The state of adjtimex(2).
    pub timex: Timex,
}

impl HostClock {
    /// The clocks of a host whose world started at `epoch`, in nanoseconds since 1970, which is now.
    pub fn new(spec: &ClockSpec, epoch: u64) -> HostClock {
        let wall = i64::try_from(epoch).unwrap_or(i64::MAX).saturating_add(spec.offset);
        let mut clock = HostClock {
            from: Nanos::ZERO,
            raw: u128::from(BOOT.0) << FRACTION,
            monotonic: u128::from(BOOT.0) << FRACTION,
            wall: wall.saturating_sub(BOOT.0 as i64),
            tai: TAI_AHEAD,
            drift_ppb: spec.drift_ppb,
            slew: 0,
            smear: 0,
            is_frozen: false,
            is_exact: false,
            resolution: spec.resolution.max(Nanos(1)),
            timex: Timex::default(),
        };
        clock.note_rates();
        clock
    }

    fn note_rates(&mut self) {
        self.is_exact =
            self.drift_ppb == 0 && self.slew == 0 && !self.is_frozen && self.resolution == Nanos(1);
    }

    /// What CLOCK_MONOTONIC shows at `now`.
    #[inline]
    pub fn monotonic(&self, now: Nanos) -> Nanos {
        if self.is_exact {
            return Nanos((self.monotonic >> FRACTION) as u64) + (now - self.from);
        }
        let shown = (self.lines(now).1 >> FRACTION) as u64;
        Nanos(shown - shown % self.resolution.0)
    }

    /// What CLOCK_MONOTONIC_RAW and `rdtsc` show at `now`.
    pub fn raw(&self, now: Nanos) -> Nanos {
        let shown = (self.lines(now).0 >> FRACTION) as u64;
        Nanos(shown - shown % self.resolution.0)
    }

    /// What CLOCK_REALTIME shows at `now`, in nanoseconds since 1970.
    #[inline]
    pub fn realtime(&self, now: Nanos) -> Nanos {
        Nanos(self.monotonic(now).0.saturating_add_signed(self.wall))
    }

    /// What CLOCK_REALTIME showed at `then`, which may have been before the clock last changed: as if it had not.
    pub fn realtime_then(&self, then: Nanos) -> Nanos {
        if then >= self.from {
            return self.realtime(then);
        }
        Nanos(self.realtime(self.from).0 - (self.from - then).0)
    }

    /// What CLOCK_TAI shows at `now`.
    pub fn tai(&self, now: Nanos) -> Nanos {
        Nanos(self.realtime(now).0.saturating_add_signed(i64::from(self.tai) * SECOND as i64))
    }

    /// What CLOCK_TAI is ahead of CLOCK_REALTIME, in seconds.
    pub fn tai_offset(&self) -> i32 {
        self.tai
    }

    /// Sets that: ADJ_TAI.
    pub fn set_tai_offset(&mut self, seconds: i32) {
        self.tai = seconds;
    }

    /// What a clock shows at `now`.
    #[inline]
    pub fn read(&self, base: Base, now: Nanos) -> Nanos {
        match base {
            Base::Monotonic => self.monotonic(now),
            Base::Realtime => self.realtime(now),
            Base::Tai => self.tai(now),
        }
    }

    /// What CLOCK_MONOTONIC showed at the last timer tick.
    pub fn monotonic_coarse(&self, now: Nanos) -> Nanos {
        let shown = self.monotonic(now);
        Nanos(shown.0 - shown.0 % TICK.0)
    }

    /// What CLOCK_REALTIME showed at the last timer tick.
    pub fn realtime_coarse(&self, now: Nanos) -> Nanos {
        Nanos(self.monotonic_coarse(now).0.saturating_add_signed(self.wall))
    }

    /// How fine the clocks are: 1 ns, or the tick of a coarse clock source.
    pub fn resolution(&self) -> Nanos {
        self.resolution
    }

    /// The end of a span that begins at `now`.
    #[inline]
    pub fn after(&self, now: Nanos, span: Nanos) -> Due {
        let mut at = self.monotonic(now) + span;
        // LINUX: where the clock is coarse, the beginning of the span may have been seen up to a tick too early.
        if self.resolution > Nanos(1) && span > Nanos::ZERO {
            at += self.resolution;
        }
        Due { base: Base::Monotonic, at }
    }

    /// Whether the moment has come.
    #[inline]
    pub fn is_due(&self, due: Due, now: Nanos) -> bool {
        self.read(due.base, now) >= due.at
    }

    /// How long it is until then, as the clock counts.
    pub fn left(&self, due: Due, now: Nanos) -> Nanos {
        due.at - self.read(due.base, now)
    }

    /// The true time at which the moment comes, if nothing changes: the first at which the clock shows it. Never
    /// before `now`; [`Nanos::MAX`] while the host is frozen, unless the moment has come.
    #[inline]
    pub fn when(&self, due: Due, now: Nanos) -> Nanos {
        if self.is_exact {
            return now + (due.at - self.read(due.base, now));
        }
        self.search(due, now)
    }

    #[cold]
    fn search(&self, due: Due, now: Nanos) -> Nanos {
        if self.is_due(due, now) {
            return now;
        }
        if self.is_frozen {
            return Nanos::MAX;
        }
        // No rate is below one half, so the clock has come there in twice the span, and a tick.
        let (mut early, mut late) = (now.0, now.0);
        late = late.saturating_add(self.left(due, now).0.saturating_mul(2));
        late = late.saturating_add(2 * self.resolution.0);
        if late == u64::MAX {
            return Nanos::MAX;
        }
        while late - early > 1 {
            let middle = early + (late - early) / 2;
            if self.is_due(due, Nanos(middle)) { late = middle } else { early = middle }
        }
        Nanos(late)
    }

    /// The oscillator and CLOCK_MONOTONIC at `now`, with their fractions.
    fn lines(&self, now: Nanos) -> (u128, u128) {
        if self.is_frozen {
            return (self.raw, self.monotonic);
        }
        let passed = i128::from((now - self.from).0) << FRACTION;
        let passed = passed + passed * i128::from(self.drift_ppb) / 1_000_000_000;
        let slewed = passed + (passed >> FRACTION) * i128::from(self.slew) / i128::from(SECOND);
        (self.raw + passed as u128, self.monotonic + slewed as u128)
    }

    /// Begins new lines at `now`.
    fn turn(&mut self, now: Nanos) {
        (self.raw, self.monotonic) = self.lines(now);
        self.from = now;
    }

    /// From `now` on the oscillator is this much too fast, in parts per billion.
    pub fn drift(&mut self, now: Nanos, ppb: i64) {
        self.turn(now);
        self.drift_ppb = ppb;
        self.note_rates();
    }

    /// How much too fast the oscillator is, in parts per billion.
    pub fn drift_ppb(&self) -> i64 {
        self.drift_ppb
    }

    /// All clocks stand still from `now` on, or go on.
    pub fn freeze(&mut self, now: Nanos, frozen: bool) {
        self.turn(now);
        self.is_frozen = frozen;
        self.note_rates();
    }

    /// Whether all clocks stand still.
    pub fn is_frozen(&self) -> bool {
        self.is_frozen
    }

    /// The clocks become as coarse as this from `now` on; one nanosecond is as fine as they are.
    pub fn coarsen(&mut self, now: Nanos, resolution: Nanos) {
        self.turn(now);
        self.resolution = resolution.max(Nanos(1));
        self.note_rates();
    }

    /// From `now` on CLOCK_MONOTONIC follows what `timex` says. Says whether that changed anything.
    pub fn follow_timex(&mut self, now: Nanos) -> bool {
        let slew = self.timex.slew() + self.smear;
        if slew == self.slew {
            return false;
        }
        self.turn(now);
        self.slew = slew;
        self.note_rates();
        true
    }

    /// CLOCK_REALTIME is set forward by this many nanoseconds. Says whether it could be: it may be neither earlier than
    /// CLOCK_MONOTONIC (LINUX: since 4.3), nor later than the last moment that can be written.
    pub fn step(&mut self, by: i64) -> bool {
        match self.wall.checked_add(by) {
            Some(wall) if (0..=LATEST).contains(&wall) => {
                self.wall = wall;
                true
            }
            _ => false,
        }
    }

    /// A second has been left out or put in: CLOCK_REALTIME steps, CLOCK_TAI goes on.
    pub(crate) fn leap(&mut self, seconds: i32) {
        self.wall = self.wall.saturating_add(i64::from(seconds) * SECOND as i64);
        self.tai -= seconds;
    }

    /// From `now` on the clock gains this many nanoseconds in a span, spread evenly over it; until told otherwise.
    pub fn smear(&mut self, now: Nanos, gain: i64, span: Nanos) {
        let seconds = i128::from(span.0.max(SECOND)) / i128::from(SECOND);
        self.smear = ((i128::from(gain) << FRACTION) / seconds) as i64;
        self.follow_timex(now);
    }

    /// The host has lost its power: what adjtimex(2) was told is forgotten.
    ///
    /// DIVERGENCE: CLOCK_REALTIME goes on by the same oscillator. A machine has another one for the time without power,
    /// which counts seconds.
    pub fn lost_power(&mut self, now: Nanos) {
        self.timex = Timex::default();
        self.follow_timex(now);
    }

    /// The host has started anew after a loss of power: CLOCK_MONOTONIC and the others that count from there show
    /// [`BOOTED`].
    pub fn rebooted(&mut self, now: Nanos) {
        self.turn(now);
        let before = (self.monotonic >> FRACTION) as u64;
        self.wall = self.wall.saturating_add(before as i64 - BOOTED.0 as i64);
        let fraction = self.monotonic & ((1 << FRACTION) - 1);
        self.monotonic = u128::from(BOOTED.0) << FRACTION | fraction;
        self.raw = u128::from(BOOTED.0) << FRACTION;
    }
}

/// LINUX: the clock cannot be set to within thirty years of the end of its range (TIME_SETTOD_SEC_MAX).
const LATEST: i64 = i64::MAX - 30 * 365 * 86_400 * SECOND as i64;

#[cfg(test)]
mod tests;
