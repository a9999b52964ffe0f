//! When something begins, and when it ends.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

use super::{SpecError, Written, span};
use crate::exchange::{ExchangeId, Step};
use crate::time::Nanos;

/// When an incident begins.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// Written `at 3s`: so long after the start of the run, in true virtual time.
    Time(Nanos),
    /// Written `at call db #1234`: before the system call of this number that the host makes, from 1. Those of all its
    /// incarnations are counted.
    Call {
        /// Name of the host.
        host: String,
        /// Which call.
        number: u64,
    },
    /// Written `at disk db #57`: at this change of the host's disk (bytes, names, attributes, syncs), from 1. What
    /// ends the host's process does so before the change; anything else begins when the call that makes the change has
    /// ended.
    Disk {
        /// Name of the host.
        host: String,
        /// Which change.
        change: u64,
    },
    /// Written `at player>board POST /move #3 post-reply`: when the exchange comes to this step.
    Step {
        /// The exchange, between hosts.
        exchange: ExchangeId,
        /// The step.
        step: Step,
    },
    /// Written `after "committed" #3`, or `after "committed" #3 +2s`: when a program has said so for the third time, or two
    /// seconds later. It is before the next system call of the host that said it.
    Milestone {
        /// What was said.
        milestone: Milestone,
        /// How much later.
        later: Nanos,
    },
}

/// Something that programs say to have reached, and for the how-manieth time. Written `"committed" #3`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
pub struct Milestone {
    /// What they say.
    pub name: String,
    /// How many times anybody has, from 1.
    pub count: u32,
}

/// When an incident ends that does not last as long as its kind does by itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Written `for 15s`: so long after it began.
    After(Nanos),
    /// Written `until "done" #10`: when a program has said so for the tenth time since it began.
    Milestone(Milestone),
}

impl Milestone {
    /// Whether a plan can name a milestone of this name.
    pub fn is_name(name: &str) -> bool {
        !name.is_empty() && !name.contains(['"', ';', '\n'])
    }
}

impl fmt::Display for Milestone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" #{}", self.name, self.count)
    }
}

impl FromStr for Milestone {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<Milestone, SpecError> {
        let wrong = || SpecError::new(s, "\"NAME\" #N, such as `\"committed\" #3`");
        let (name, count) = s.rsplit_once(" #").ok_or_else(wrong)?;
        let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
        let name = name.filter(|name| Milestone::is_name(name)).ok_or_else(wrong)?;
        let count = count.parse().ok().filter(|count| *count > 0).ok_or_else(wrong)?;
        Ok(Milestone { name: name.to_string(), count })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Time(at) => write!(f, "at {}", Written(*at)),
            Moment::Call { host, number } => write!(f, "at call {host} #{number}"),
            Moment::Disk { host, change } => write!(f, "at disk {host} #{change}"),
            Moment::Step { exchange, step } => write!(f, "at {exchange} {step}"),
            Moment::Milestone { milestone, later: Nanos::ZERO } => write!(f, "after {milestone}"),
            Moment::Milestone { milestone, later } => {
                write!(f, "after {milestone} +{}", Written(*later))
            }
        }
    }
}

impl FromStr for Moment {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<Moment, SpecError> {
        if let Some(rest) = s.strip_prefix("after ") {
            let (milestone, later) = match rest.rsplit_once(" +") {
                Some((milestone, later)) if !later.contains('"') => {
                    let wrong = || SpecError::new(later, "a time, such as `2s`");
                    (milestone, span(later).ok_or_else(wrong)?)
                }
                _ => (rest, Nanos::ZERO),
            };
            return Ok(Moment::Milestone { milestone: milestone.parse()?, later });
        }
        let wrong = || {
            SpecError::new(
                s,
                "a moment: `at 3s`, `at call db #1234`, `at disk db #57`, `at player>board POST /move #3 post-reply`, `after \"committed\" #3` or `after \"committed\" #3 +2s`",
            )
        };
        let rest = s.strip_prefix("at ").ok_or_else(wrong)?;
        if rest.split_whitespace().next().is_some_and(|first| first.contains('>')) {
            let (exchange, step) = rest.rsplit_once(' ').ok_or_else(wrong)?;
            return Ok(Moment::Step { exchange: exchange.parse()?, step: step.parse()? });
        }
        match rest.split_once(' ') {
            None => span(rest).map(Moment::Time).ok_or_else(wrong),
            Some(("call", rest)) => {
                let (host, number) = counted(rest).ok_or_else(wrong)?;
                Ok(Moment::Call { host, number })
            }
            Some(("disk", rest)) => {
                let (host, change) = counted(rest).ok_or_else(wrong)?;
                Ok(Moment::Disk { host, change })
            }
            Some(_) => Err(wrong()),
        }
    }
}

/// `db #57`
fn counted(text: &str) -> Option<(String, u64)> {
    let (host, count) = text.split_once(" #")?;
    let count = count.parse().ok().filter(|count| *count > 0)?;
    (!host.is_empty() && !host.contains(' ')).then(|| (host.to_string(), count))
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::After(span) => write!(f, "for {}", Written(*span)),
            End::Milestone(milestone) => write!(f, "until {milestone}"),
        }
    }
}

impl FromStr for End {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<End, SpecError> {
        let wrong = || {
            SpecError::new(
                s,
                "`for TIME`, longer than nothing, or `until \"NAME\" #N`, such as `for 15s`",
            )
        };
        if let Some(milestone) = s.strip_prefix("until ") {
            return milestone.parse().map(End::Milestone);
        }
        let lasting = s.strip_prefix("for ").and_then(span).filter(|span| *span > Nanos::ZERO);
        lasting.map(End::After).ok_or_else(wrong)
    }
}
