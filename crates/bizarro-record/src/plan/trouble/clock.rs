//! A host's clock is wrong.

use core::fmt;
use serde::{Deserialize, Serialize};

use super::Form;
use crate::clock::DRIFT_MAX;
use crate::plan::{Written, span};
use crate::time::Nanos;

/// What goes wrong with a clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockFault {
    /// CLOCK_REALTIME is set forward by this many nanoseconds, and back by as many when it ends.
    Step(i64),
    /// Everything that the host measures is too fast by this many parts per billion.
    Drift(i64),
    /// The host stands still, and its clocks do, too: a virtual machine that its monitor has stopped.
    Freeze,
    /// All clocks step by this much.
    Coarse(Nanos),
}

/// How long a frozen host stands still.
pub(super) const FREEZE_LASTS: Nanos = Nanos::from_secs(15);
const TO_THE_END: &str = "to the end of the run";

pub(super) const STEP: Form = Form {
    word: "clock-step",
    form: "clock-step HOST +TIME or -TIME, such as `clock-step db -30s`",
    example: "at 3s: clock-step db -30s",
    meaning: "its CLOCK_REALTIME is set forward or back; no span that it measures changes. At its end the clock is set back by as much",
    lasts: TO_THE_END,
};

pub(super) const DRIFT: Form = Form {
    word: "clock-drift",
    form: "clock-drift HOST +RATE or -RATE in ppm or ppb, at most 100000ppm, such as `clock-drift db +200ppm`",
    example: "at 0s: clock-drift db +200ppm",
    meaning: "its oscillator is too fast or too slow: all its clocks, sleeps and time-outs are. At its end it is what the test said of it",
    lasts: TO_THE_END,
};

pub(super) const FREEZE: Form = Form {
    word: "freeze",
    form: "freeze HOST, such as `freeze db`",
    example: "after \"elected\" #2 for 60s: freeze @it",
    meaning: "a virtual machine that its monitor stops: the host stands still, and so do all its clocks, so that CLOCK_REALTIME is behind afterwards",
    lasts: "15 s",
};

pub(super) const COARSE: Form = Form {
    word: "coarse-clock",
    form: "coarse-clock HOST TIME, at most 1s, such as `coarse-clock db 4ms`",
    example: "at 3s: coarse-clock db 4ms",
    meaning: "all its clocks step by so much, as without a fine clock source. At its end they are as fine as the test said",
    lasts: TO_THE_END,
};

pub(super) const LEAP_SECOND: Form = Form {
    word: "leap-second",
    form: "leap-second insert or leap-second delete",
    example: "at 3s: leap-second insert",
    meaning: "the day of UTC that is now ends with a second more or less: each host does what the test said of it",
    lasts: TO_THE_END,
};

impl ClockFault {
    pub(super) fn form(&self) -> &'static Form {
        match self {
            ClockFault::Step(_) => &STEP,
            ClockFault::Drift(_) => &DRIFT,
            ClockFault::Freeze => &FREEZE,
            ClockFault::Coarse(_) => &COARSE,
        }
    }

    /// The fault that a word and its arguments behind the host's name mean.
    pub(super) fn read(word: &str, arguments: &[&str]) -> Option<ClockFault> {
        match (word, arguments) {
            ("clock-step", [by]) => {
                let (sign, time) = signed(by)?;
                let time = i64::try_from(span(time)?.0).ok().filter(|time| *time > 0)?;
                Some(ClockFault::Step(sign * time))
            }
            ("clock-drift", [by]) => {
                let (sign, rate) = signed(by)?;
                let (count, unit) = match (rate.strip_suffix("ppm"), rate.strip_suffix("ppb")) {
                    (Some(count), _) => (count, 1000),
                    (_, Some(count)) => (count, 1),
                    _ => return None,
                };
                let ppb = count.parse::<i64>().ok()?.checked_mul(unit)?;
                (1..=DRIFT_MAX).contains(&ppb).then_some(ClockFault::Drift(sign * ppb))
            }
            ("freeze", []) => Some(ClockFault::Freeze),
            ("coarse-clock", [step]) => {
                let step = span(step)?;
                let known = Nanos(1)..=Nanos::from_secs(1);
                known.contains(&step).then_some(ClockFault::Coarse(step))
            }
            _ => None,
        }
    }
}

impl fmt::Display for ClockFault {
    /// As it stands behind the host's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = |value: i64| if value < 0 { '-' } else { '+' };
        match self {
            ClockFault::Step(by) => {
                write!(f, " {}{}", sign(*by), Written(Nanos(by.unsigned_abs())))
            }
            ClockFault::Drift(ppb) if ppb % 1000 == 0 => {
                write!(f, " {}{}ppm", sign(*ppb), ppb.unsigned_abs() / 1000)
            }
            ClockFault::Drift(ppb) => write!(f, " {}{}ppb", sign(*ppb), ppb.unsigned_abs()),
            ClockFault::Freeze => Ok(()),
            ClockFault::Coarse(step) => write!(f, " {}", Written(*step)),
        }
    }
}

fn signed(text: &str) -> Option<(i64, &str)> {
    match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(rest), _) => Some((1, rest)),
        (_, Some(rest)) => Some((-1, rest)),
        _ => None,
    }
}
