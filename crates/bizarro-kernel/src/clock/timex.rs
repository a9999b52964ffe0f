//! The kernel's side of NTP: what adjtimex(2) sets and shows, and what comes of it once a second.
//!
//! The phase-locked loop, the error bounds and the leap second are those of Mills, *A Kernel Model for Precision
//! Timekeeping* (RFC 1589) with nanoseconds, with Linux's constants (adjtimex(2), `kernel/time/ntp.c`): an offset is
//! worked off by a fraction of what is left each second, adjtime(3)'s by at most 500 µs a second, and the maximum error
//! grows by 500 µs a second until 16 s, where the clock counts as unsynchronised.
//!
//! It knows nothing of hosts and waits: [`Timex::second`] is to be called at each second of CLOCK_REALTIME while
//! [`Timex::needs_seconds`].

use bizarro_record::Nanos;

const NANOS: i64 = 1_000_000_000;
const FRACTION: u32 = super::FRACTION;
/// A millionth, as what a second gains by it, in nanoseconds with [`FRACTION`] binary digits, of a millionth's 65536th
/// part (the unit of `timex.freq`): the factor between the two.
const PPM_SCALE: i64 = 1000 << (FRACTION - 16);
/// Largest frequency: 500 ppm.
const MAX_FREQUENCY: i64 = (500 << 16) * PPM_SCALE;
/// The same in `timex.freq`'s unit: `timex.tolerance`.
pub const TOLERANCE: i64 = 500 << 16;
/// Largest phase that the loop takes: half a second.
const MAX_PHASE: i64 = NANOS / 2;
/// Largest error, in microseconds: 16 s.
pub const MAX_ERROR: i64 = 16_000_000;
/// How much the maximum error grows in a second, in microseconds.
const ERROR_PER_SECOND: i64 = 500;
/// What adjtime(3) works off in a second, in microseconds.
const ADJTIME_PER_SECOND: i64 = 500;
const MAX_CONSTANT: i64 = 10;
const SHIFT_PLL: i64 = 2;
const SHIFT_FLL: i64 = 2;
/// From this age of the last update on, in seconds, the frequency is taken from offsets (FLL), if STA_FLL asks for it.
const FLL_FROM: i64 = 256;
/// From this one on in any case.
const FLL_ALWAYS: i64 = 2048;
const DAY: u64 = 86_400;
/// Microseconds in the timer tick that `timex.tick` counts in: hundredths of a second.
const TICK_US: i64 = 10_000;

/// Where the clock is with respect to a leap second, and whether it is synchronised: what adjtimex(2) returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// TIME_OK.
    Ok,
    /// TIME_INS: a second will be put in at the end of the day.
    Insert,
    /// TIME_DEL: a second will be left out at the end of the day.
    Delete,
    /// TIME_OOP: the second that was put in is under way.
    Inserting,
    /// TIME_WAIT: it has been.
    Wait,
}

/// Why a change is refused: `EINVAL`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimexError;

/// The kernel's state. Where no unit is said, it is that of `struct timex`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timex {
    /// STA_ bits.
    pub status: i32,
    /// See [`State`].
    pub state: State,
    /// What a second gains by the frequency, in nanoseconds with [`FRACTION`] binary digits.
    frequency: i64,
    /// Time constant of the loop.
    pub constant: i64,
    /// Microseconds between ticks of a hundredth of a second.
    pub tick: i64,
    /// Estimated error, in microseconds.
    pub estimated_error: i64,
    /// What adjtime(3) has still to work off, in microseconds.
    pub adjtime: i64,
    /// Maximum error in microseconds, as of [`Timex::error_of`].
    max_error: i64,
    /// CLOCK_MONOTONIC when the maximum error was set.
    error_of: Nanos,
    /// What the loop has still to work off, in nanoseconds with [`FRACTION`] binary digits.
    offset: i128,
    /// Nanoseconds that this second gains beside the frequency, with [`FRACTION`] binary digits.
    gain: i64,
    /// CLOCK_MONOTONIC, in seconds, when an offset was given last.
    updated: i64,
    /// The second of CLOCK_REALTIME that the leap second comes before.
    leap_at: Option<u64>,
}

impl Default for Timex {
    /// What Linux boots with: nobody has set the clock.
    fn default() -> Timex {
        Timex {
            status: libc::STA_UNSYNC,
            state: State::Ok,
            frequency: 0,
            constant: SHIFT_PLL,
            tick: TICK_US,
            estimated_error: MAX_ERROR,
            adjtime: 0,
            max_error: MAX_ERROR,
            error_of: Nanos::ZERO,
            offset: 0,
            gain: 0,
            updated: 0,
            leap_at: None,
        }
    }
}

impl Timex {
    /// How much faster CLOCK_MONOTONIC runs than the oscillator: nanoseconds a second, with binary digits.
    pub(super) fn slew(&self) -> i64 {
        let tick = (self.tick - TICK_US) * 100_000;
        (tick << FRACTION) + self.frequency + self.gain
    }

    /// Whether [`Timex::second`] has something to do.
    pub fn needs_seconds(&self) -> bool {
        let leap = libc::STA_INS | libc::STA_DEL;
        self.offset != 0
            || self.adjtime != 0
            || self.gain != 0
            || self.state != State::Ok
            || self.status & leap != 0
    }

    /// The maximum error in microseconds; `monotonic` is what CLOCK_MONOTONIC shows.
    pub fn max_error(&self, monotonic: Nanos) -> i64 {
        let seconds = ((monotonic - self.error_of).0 / NANOS as u64) as i64;
        self.max_error.saturating_add(seconds.saturating_mul(ERROR_PER_SECOND)).min(MAX_ERROR)
    }

    /// Sets the maximum error: ADJ_MAXERROR.
    pub fn set_max_error(&mut self, monotonic: Nanos, microseconds: i64) {
        self.max_error = microseconds.clamp(0, MAX_ERROR);
        self.error_of = monotonic;
    }

    /// STA_ bits, with STA_UNSYNC where the maximum error has grown to its limit. That bit stays once it is set.
    pub fn status(&mut self, monotonic: Nanos) -> i32 {
        // LINUX: the second in which the error passes the limit sets the bit, not the one in which somebody sets it.
        if self.max_error < MAX_ERROR && self.max_error(monotonic) >= MAX_ERROR {
            self.set_max_error(monotonic, MAX_ERROR);
            self.status |= libc::STA_UNSYNC;
        }
        self.status
    }

    /// What adjtimex(2) returns.
    pub fn result(&mut self, monotonic: Nanos) -> i32 {
        let status = self.status(monotonic);
        // Nothing here has a pulse per second, so only these two bits can mean an error.
        let wants_pulses = libc::STA_PPSFREQ | libc::STA_PPSTIME;
        if status & (libc::STA_UNSYNC | libc::STA_CLOCKERR | wants_pulses) != 0 {
            return libc::TIME_ERROR;
        }
        match self.state {
            State::Ok => libc::TIME_OK,
            State::Insert => libc::TIME_INS,
            State::Delete => libc::TIME_DEL,
            State::Inserting => libc::TIME_OOP,
            State::Wait => libc::TIME_WAIT,
        }
    }

    /// `timex.offset`: what the loop has still to work off, in nanoseconds or microseconds as STA_NANO says.
    pub fn offset(&self) -> i64 {
        let nanos = (self.offset >> FRACTION) as i64;
        if self.status & libc::STA_NANO != 0 { nanos } else { nanos / 1000 }
    }

    /// Sets STA_ bits: ADJ_STATUS.
    pub fn set_status(&mut self, monotonic: Nanos, status: i32) {
        if self.status & libc::STA_PLL != 0 && status & libc::STA_PLL == 0 {
            self.state = State::Ok;
            self.status = libc::STA_UNSYNC;
            self.leap_at = None;
        }
        if self.status & libc::STA_PLL == 0 && status & libc::STA_PLL != 0 {
            self.updated = seconds(monotonic);
        }
        self.status = self.status & READ_ONLY | status & !READ_ONLY;
    }

    /// Sets the frequency: ADJ_FREQUENCY.
    pub fn set_frequency(&mut self, frequency: i64) -> Result<(), TimexError> {
        let gain = frequency.checked_mul(PPM_SCALE).ok_or(TimexError)?;
        self.frequency = gain.clamp(-MAX_FREQUENCY, MAX_FREQUENCY);
        Ok(())
    }

    /// `timex.freq`: 65536th parts of a millionth.
    pub fn frequency(&self) -> i64 {
        self.frequency / PPM_SCALE
    }

    /// Sets the time constant: ADJ_TIMECONST.
    pub fn set_constant(&mut self, constant: i64) {
        let constant = constant.clamp(0, MAX_CONSTANT);
        // LINUX: a program that counts in microseconds means an older scale.
        let shift = if self.status & libc::STA_NANO == 0 { 4 } else { 0 };
        self.constant = (constant + shift).min(MAX_CONSTANT);
    }

    /// Sets the length of the tick: ADJ_TICK.
    pub fn set_tick(&mut self, tick: i64) -> Result<(), TimexError> {
        if !(9_000..=11_000).contains(&tick) {
            return Err(TimexError);
        }
        self.tick = tick;
        Ok(())
    }

    /// Gives the loop an offset: ADJ_OFFSET. Without STA_PLL nothing happens.
    pub fn set_offset(&mut self, monotonic: Nanos, offset: i64) {
        if self.status & libc::STA_PLL == 0 {
            return;
        }
        let nanos = if self.status & libc::STA_NANO != 0 {
            offset
        } else {
            offset.clamp(-1_000_000, 1_000_000) * 1000
        };
        let offset = i128::from(nanos.clamp(-MAX_PHASE, MAX_PHASE));
        let now = seconds(monotonic);
        let mut age = now - self.updated;
        if self.status & libc::STA_FREQHOLD != 0 {
            age = 0;
        }
        self.updated = now;
        self.status &= !libc::STA_MODE;
        let mut gain = 0;
        if age > FLL_ALWAYS || age >= FLL_FROM && self.status & libc::STA_FLL != 0 {
            self.status |= libc::STA_MODE;
            gain += (offset << (FRACTION - SHIFT_FLL as u32)) / i128::from(age);
        }
        let age = age.min(1 << (SHIFT_PLL + 1 + self.constant));
        let damping = 2 * (SHIFT_PLL + 2 + self.constant);
        gain += (offset * i128::from(age)) << (i64::from(FRACTION) - damping);
        let frequency = i128::from(self.frequency) + gain;
        let limit = i128::from(MAX_FREQUENCY);
        self.frequency = frequency.clamp(-limit, limit) as i64;
        self.offset = offset << FRACTION;
    }

    /// The clock was set: what was known of its error is known no more.
    pub fn clear(&mut self, monotonic: Nanos) {
        self.adjtime = 0;
        self.offset = 0;
        self.gain = 0;
        self.status |= libc::STA_UNSYNC;
        self.set_max_error(monotonic, MAX_ERROR);
        self.estimated_error = MAX_ERROR;
        self.leap_at = None;
    }

    /// A second of CLOCK_REALTIME begins, `second` since 1970. Gives the seconds that the clock is to be set forward
    /// by: −1 where the last one is to be repeated, 1 where this one is left out, else 0.
    pub fn second(&mut self, second: u64) -> i32 {
        let leap = self.leap(second);
        let part = SHIFT_PLL + self.constant;
        // Shifting rounds towards nothing, so that an offset is worked off to the end from either side.
        let chunk = if self.offset < 0 { -(-self.offset >> part) } else { self.offset >> part };
        self.offset -= chunk;
        if chunk == 0 {
            self.offset = 0;
        }
        let worked_off = self.adjtime.clamp(-ADJTIME_PER_SECOND, ADJTIME_PER_SECOND);
        self.adjtime -= worked_off;
        self.gain = chunk as i64 + ((worked_off * 1000) << FRACTION);
        leap
    }

    /// RFC 1589, 3.3; the states follow each other as in Linux.
    fn leap(&mut self, second: u64) -> i32 {
        let (inserts, deletes) =
            (self.status & libc::STA_INS != 0, self.status & libc::STA_DEL != 0);
        match self.state {
            State::Ok if inserts => {
                self.leap_at = Some(second + DAY - second % DAY);
                self.state = State::Insert;
            }
            State::Ok if deletes => {
                self.leap_at = Some(second + DAY - (second + 1) % DAY);
                self.state = State::Delete;
            }
            State::Ok => {}
            State::Insert if !inserts => self.state = State::Ok,
            State::Insert if self.leap_at == Some(second) => {
                self.state = State::Inserting;
                return -1;
            }
            State::Delete if !deletes => self.state = State::Ok,
            State::Delete if self.leap_at == Some(second) => {
                self.leap_at = None;
                self.state = State::Wait;
                return 1;
            }
            State::Insert | State::Delete => {}
            State::Inserting => {
                self.leap_at = None;
                self.state = State::Wait;
            }
            State::Wait if !inserts && !deletes => self.state = State::Ok,
            State::Wait => {}
        }
        0
    }
}

/// The bits that only the kernel sets.
const READ_ONLY: i32 = libc::STA_PPSSIGNAL
    | libc::STA_PPSJITTER
    | libc::STA_PPSWANDER
    | libc::STA_PPSERROR
    | libc::STA_CLOCKERR
    | libc::STA_NANO
    | libc::STA_MODE
    | libc::STA_CLK;

fn seconds(monotonic: Nanos) -> i64 {
    (monotonic.0 / NANOS as u64) as i64
}
