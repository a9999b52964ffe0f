//! The plan of a run: its seed, how it is scheduled and which faults strike.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

use crate::exchange::{ExchangeId, Step};

/// A text that is not what a spec looks like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpecError {
    /// What was found.
    pub found: String,
    /// What would have been understood.
    pub expected: &'static str,
}

impl SpecError {
    pub(crate) fn new(found: &str, expected: &'static str) -> SpecError {
        SpecError { found: found.to_string(), expected }
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "found `{}`, expected {}", self.found, self.expected)
    }
}

impl core::error::Error for SpecError {}

/// What goes wrong at a step of an exchange.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The connection is reset before a byte leaves: the sender's `send` fails with ECONNRESET.
    Reset,
    /// The message vanishes, and its connection is silent from then on.
    Lost,
    /// The message arrives, but only a minute later.
    Late,
    /// One bit of the message is flipped; checksums of the network did not notice.
    BitFlip,
    /// The second half of the message is missing and the connection ends.
    Truncated,
    /// The message's bytes are replaced by noise of the same length.
    Garbage,
    /// The message is replaced by nothing: the connection ends in its place.
    Empty,
    /// The next write to the host's disk fails with ENOSPC.
    DiskFull,
    /// The next write to the host's disk fails with EIO.
    IoError,
    /// The host's process is killed and started again after a second; its disk survives.
    Crash,
    /// The whole host stops for fifteen seconds while the world goes on.
    Pause,
}

impl Effect {
    /// All effects.
    pub const ALL: [Effect; 11] = [
        Effect::Reset,
        Effect::Lost,
        Effect::Late,
        Effect::BitFlip,
        Effect::Truncated,
        Effect::Garbage,
        Effect::Empty,
        Effect::DiskFull,
        Effect::IoError,
        Effect::Crash,
        Effect::Pause,
    ];

    /// The word used in specs: `bit-flip`.
    pub fn key(self) -> &'static str {
        match self {
            Effect::Reset => "reset",
            Effect::Lost => "lost",
            Effect::Late => "late",
            Effect::BitFlip => "bit-flip",
            Effect::Truncated => "truncated",
            Effect::Garbage => "garbage",
            Effect::Empty => "empty",
            Effect::DiskFull => "disk-full",
            Effect::IoError => "io-error",
            Effect::Crash => "crash",
            Effect::Pause => "pause",
        }
    }

    /// The effects that a step can suffer, in the order in which the matrix tries them.
    pub fn of(step: Step) -> &'static [Effect] {
        match step {
            Step::PostRequest => &[Effect::Reset],
            Step::DeliverRequest => &[Effect::Lost, Effect::Crash],
            Step::ValidateRequest => &[Effect::BitFlip, Effect::Truncated, Effect::Garbage],
            Step::UpdateServer => {
                &[Effect::DiskFull, Effect::IoError, Effect::Crash, Effect::Pause]
            }
            Step::PostReply => &[Effect::Reset, Effect::Crash],
            Step::DeliverReply => &[Effect::Lost, Effect::Late],
            Step::ValidateReply => {
                &[Effect::BitFlip, Effect::Truncated, Effect::Garbage, Effect::Empty]
            }
            Step::UpdateClient => &[Effect::Crash, Effect::Pause, Effect::DiskFull],
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl FromStr for Effect {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<Effect, SpecError> {
        Effect::ALL.into_iter().find(|e| e.key() == s).ok_or_else(|| {
            SpecError::new(s, "one of reset, lost, late, bit-flip, truncated, garbage, empty, disk-full, io-error, crash, pause")
        })
    }
}

/// One fault: what goes wrong at which step of which exchange.
///
/// Written `player>board POST /move #3 deliver-reply=lost`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
pub struct Injection {
    /// The exchange that is struck.
    pub at: ExchangeId,
    /// The step that fails.
    pub step: Step,
    /// How it fails.
    pub effect: Effect,
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}={}", self.at, self.step, self.effect)
    }
}

impl FromStr for Injection {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<Injection, SpecError> {
        let wrong = || {
            SpecError::new(
                s,
                "EXCHANGE STEP=EFFECT, such as `player>board POST /move #3 deliver-reply=lost`",
            )
        };
        let (at, fault) = s.rsplit_once(' ').ok_or_else(wrong)?;
        let (step, effect) = fault.split_once('=').ok_or_else(wrong)?;
        let injection = Injection { at: at.parse()?, step: step.parse()?, effect: effect.parse()? };
        if !Effect::of(injection.step).contains(&injection.effect) {
            return Err(SpecError::new(fault, "an effect that this step can suffer"));
        }
        Ok(injection)
    }
}

/// In which order runnable tasks run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// First come, first served; a task runs until it blocks.
    #[default]
    Fair,
    /// The next task is drawn from the seed, and a task may be preempted at any system call.
    Random,
}

/// Everything that decides a run, beside the program itself.
///
/// Written as parts separated by `; `: `seed=7; random; player>board POST /move #3 deliver-reply=lost`.
/// Defaults are left out, and the default plan is written `baseline`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// Feeds every random draw of the run.
    pub seed: u64,
    /// Order of runnable tasks.
    pub schedule: Schedule,
    /// Faults, each of which strikes once.
    pub injections: Vec<Injection>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if self.seed != 0 {
            write!(f, "seed={}", self.seed)?;
            separator = "; ";
        }
        if self.schedule == Schedule::Random {
            write!(f, "{separator}random")?;
            separator = "; ";
        }
        for injection in &self.injections {
            write!(f, "{separator}{injection}")?;
            separator = "; ";
        }
        if separator.is_empty() {
            f.write_str("baseline")?;
        }
        Ok(())
    }
}

impl FromStr for Plan {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<Plan, SpecError> {
        let mut plan = Plan::default();
        for part in parts(s).map(str::trim).filter(|part| !part.is_empty()) {
            if part == "baseline" {
            } else if part == "random" {
                plan.schedule = Schedule::Random;
            } else if let Some(seed) = part.strip_prefix("seed=") {
                plan.seed = seed
                    .parse()
                    .map_err(|_| SpecError::new(part, "seed=NUMBER, such as `seed=7`"))?;
            } else {
                plan.injections.push(part.parse()?);
            }
        }
        Ok(plan)
    }
}

/// Splits at `; `. A semicolon alone is part of a name, and so is one before ` #`: a path may hold
/// semicolons and end with one (RFC 3986, 3.3).
fn parts(s: &str) -> impl Iterator<Item = &str> {
    let ends = s.match_indices("; ").map(|(at, _)| at);
    let ends = ends.filter(|at| !s[at + 2..].starts_with('#')).chain([s.len()]);
    let mut start = 0;
    ends.map(move |end| {
        let part = &s[start..end];
        start = s.len().min(end + 2);
        part
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[track_caller]
    fn round_trips(text: &str) {
        let plan: Plan = text.parse().unwrap();
        assert_eq!(format!("{plan}"), text);
    }

    #[test]
    fn plans_are_read_as_they_are_written() {
        round_trips("baseline");
        round_trips("seed=7");
        round_trips("random");
        round_trips(
            "seed=1; a>b GET /cart;v=1 #2 post-request=reset; a>b GET /; #1 post-reply=reset",
        );
        round_trips("seed=9; random; a>b GET /x?y=1 #12 validate-reply=bit-flip");
        round_trips(
            "player>board POST /move #3 deliver-reply=lost; player>board udp:53 #1 update-server=crash",
        );
    }

    #[test]
    fn every_effect_of_every_step_round_trips() {
        for step in Step::ALL {
            for effect in Effect::of(step) {
                round_trips(&format!("a>b tcp:80 #1 {step}={effect}"));
            }
        }
    }

    #[track_caller]
    fn refused(text: &str, found: &str) {
        assert_eq!(text.parse::<Plan>().unwrap_err().found, found);
    }

    #[test]
    fn what_is_not_a_plan_is_refused_with_what_was_found() {
        refused("seed=x", "seed=x");
        refused("a>b GET / #0 deliver-reply=lost", "a>b GET / #0");
        refused("a>b GET / #1 deliver-reply=crash", "deliver-reply=crash");
        refused("a>b GET / #1 deliver=lost", "deliver");
        refused("nonsense", "nonsense");
    }
}
