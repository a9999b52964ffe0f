//! What a test says of the clock of a host.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

use crate::plan::SpecError;
use crate::time::Nanos;

/// The clock of a host.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ClockSpec {
    /// What its CLOCK_REALTIME is ahead of (or, negative, behind) the true time when the world starts, in nanoseconds.
    pub offset: i64,
    /// How much too fast its oscillator is, in parts per billion; at most [`DRIFT_MAX`] either way.
    pub drift_ppb: i64,
    /// What all its clocks are rounded down to; 0 for a nanosecond.
    pub resolution: Nanos,
    /// What it does at a leap second.
    pub leap: LeapHandling,
    /// Whom its time daemon asks; `None` where it has none.
    pub ntp: Option<NtpSpec>,
}

/// A clock that is wrong by more than a tenth is broken, not drifting.
pub const DRIFT_MAX: i64 = 100_000_000;

/// A time daemon.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NtpSpec {
    /// Names of the hosts whose CLOCK_REALTIME it asks for.
    pub servers: Vec<String>,
    /// How often, by the host's own clock.
    pub poll: Nanos,
}

/// What a host does at a leap second.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeapHandling {
    /// Its kernel repeats 23:59:59, or leaves it out.
    #[default]
    Step,
    /// Its clock runs slower, or faster, from noon to noon, so that no second is repeated or missing.
    Smear,
    /// Nothing: it is a second off from then on.
    Ignore,
}

/// A leap second at the end of a day of UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeapSecond {
    /// One more: 23:59:60.
    Insert,
    /// One less: there is no 23:59:59.
    Delete,
}

impl fmt::Display for LeapSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LeapSecond::Insert => "insert",
            LeapSecond::Delete => "delete",
        })
    }
}

impl FromStr for LeapSecond {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<LeapSecond, SpecError> {
        match s {
            "insert" => Ok(LeapSecond::Insert),
            "delete" => Ok(LeapSecond::Delete),
            _ => Err(SpecError::new(s, "insert or delete")),
        }
    }
}

/// What happens to a process that wants more memory than its host has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutOfMemory {
    /// The allocation fails: `ENOMEM`.
    #[default]
    Fails,
    /// The host's kernel kills it with SIGKILL, and it is started again.
    Kills,
}
