//! The plan of a run: its seed, how it is scheduled and which faults strike.
//!
//! A plan is written in one line, as parts separated by `; `. Defaults are left out:
//!
//! | part | meaning |
//! |---|---|
//! | `baseline` | nothing: what is written where every part is left out |
//! | `seed=7` | feeds every draw of the run |
//! | `random` | the next task is drawn, and tasks are preempted at random |
//! | `pct=3/5000` | tasks have random priorities, which change at two of about 5000 system calls |
//! | `preempt board/101 #57` | task 101 of host board gives way before its 57th system call |
//! | `pass board/101 #12 for player/102` | when task 101 is next for its 12th turn, player's task 102 runs instead |
//! | `jitter=20ms` | each packet takes up to 20 ms longer |
//! | `faults=1/40 crash,lost` | at one in forty steps of exchanges one of these effects strikes |
//! | `player>board removed=refused` | board refuses every connection that player asks for, from the start to the end |
//! | `at 3s for 15s: pause board` | this [`Trouble`] begins at this [`Moment`] and lasts so long; see [`Incident`] |
//! | `player>board POST /move #3 deliver-reply=lost` | this fault strikes this exchange |
//! | `player>board POST /move #3+ deliver-reply=lost` | and every later one of this name, for a minute |
//!
//! In place of two hosts may stand their groups: `players>boards POST /move #3` is the third such request that any host of
//! the one group makes to any host of the other. A host that is in no group is a group of its own.
//!
//! `random`, `pct` and `faults` are *modes*: what they lead to is drawn from the seed. A run says in its record what
//! that was, so that the same run can be written down without modes, part by part.

mod deviation;
mod effect;
mod incident;
mod moment;
mod removal;
mod trouble;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

use crate::exchange::{ExchangeId, Step};
use crate::time::Nanos;

pub use deviation::{Deviation, TaskName};
pub use effect::Effect;
pub use incident::{IT, Incident};
pub use moment::{End, Milestone, Moment};
pub use removal::Removal;
pub use trouble::{
    ANYBODY, ClockFault, DiskTrouble, FORMS, Form, Lie, LinkTrouble, MachineFault, Survivors,
    Times, Trouble, Way,
};

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

/// How often a fault strikes.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Lasting {
    /// The exchange that it names.
    #[default]
    Once,
    /// This one and each later one of the same client, server and name, until [`HEALED_AFTER`] has passed since it
    /// struck first: a transient fault becomes one that a retry does not cure.
    Sticky,
}

/// Virtual time from the first strike of a sticky fault to the moment from which it strikes no more.
pub const HEALED_AFTER: Nanos = Nanos::from_secs(60);

/// One fault: what goes wrong at which step of which exchange.
///
/// Written `player>board POST /move #3 deliver-reply=lost`; `#3+` where it is sticky.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
pub struct Injection {
    /// The exchange that is struck.
    pub at: ExchangeId,
    /// How often.
    pub lasting: Lasting,
    /// The step that fails.
    pub step: Step,
    /// How it fails.
    pub effect: Effect,
}

impl Injection {
    /// A fault that strikes one exchange.
    pub fn once(at: ExchangeId, step: Step, effect: Effect) -> Injection {
        Injection { at, lasting: Lasting::Once, step, effect }
    }

    /// Whether `struck`, which says what struck where, is a strike of this fault.
    pub fn covers(&self, struck: &Injection) -> bool {
        (self.step, self.effect) == (struck.step, struck.effect) && self.aims_at(&struck.at)
    }

    /// Whether it is meant for this exchange.
    pub fn aims_at(&self, exchange: &ExchangeId) -> bool {
        match self.lasting {
            Lasting::Once => self.at == *exchange,
            Lasting::Sticky => self.at.ordinal <= exchange.ordinal && self.at.is_of_kind(exchange),
        }
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plus = match self.lasting {
            Lasting::Once => "",
            Lasting::Sticky => "+",
        };
        write!(f, "{}{plus} {}={}", self.at, self.step, self.effect)
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
        let (at, lasting) = match at.strip_suffix('+') {
            Some(first) => (first, Lasting::Sticky),
            None => (at, Lasting::Once),
        };
        let (at, step, effect): (_, Step, Effect) = (at.parse()?, step.parse()?, effect.parse()?);
        if !effect.strikes_at(step) {
            return Err(SpecError::new(fault, "an effect that this step can suffer"));
        }
        Ok(Injection { at, lasting, step, effect })
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
    /// Each task has a random priority, and the highest one that can run runs; at `depth - 1` system calls, drawn from
    /// the first `steps`, the priority of the task that makes the call falls below all others. A bug that needs
    /// `depth` ordering constraints is found with a probability of at least 1 / (tasks × steps^(depth - 1))
    /// (Burckhardt et al., *A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs*, ASPLOS 2010).
    Priority {
        /// How many ordering constraints are aimed at, from 1.
        depth: u32,
        /// System calls among which the changes are drawn, from 1: about as many as a run makes.
        steps: u64,
    },
}

/// Faults that are drawn while the run goes on.
#[derive(Clone, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
pub struct RandomFaults {
    /// One in this many steps of exchanges is struck, from 1.
    pub one_in: u32,
    /// By one of these effects, as far as the step can suffer it; sorted.
    pub effects: Vec<Effect>,
}

/// Everything that decides a run, beside the program itself. How it is written is said at the top of this module.
#[derive(Clone, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// Feeds every random draw of the run.
    pub seed: u64,
    /// Order of runnable tasks.
    pub schedule: Schedule,
    /// Where a fair schedule is left. A schedule of another kind takes no notice of them.
    pub deviations: Vec<Deviation>,
    /// How much longer than its link says a packet may take.
    pub jitter: Nanos,
    /// Faults that are drawn.
    pub faults: Option<RandomFaults>,
    /// Dependencies that are missing.
    pub removals: Vec<Removal>,
    /// What goes wrong with hosts, their disks and clocks, and the network around them.
    pub incidents: Vec<Incident>,
    /// Faults of exchanges that are named.
    pub injections: Vec<Injection>,
}

/// What a plan says by name of what goes wrong.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// At a step of an exchange.
    Injection(Injection),
    /// From the start to the end.
    Removal(Removal),
    /// From one moment to another.
    Incident(Incident),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Injection(injection) => injection.fmt(f),
            Fault::Removal(removal) => removal.fmt(f),
            Fault::Incident(incident) => incident.fmt(f),
        }
    }
}

impl Plan {
    /// Whether it names something that goes wrong.
    pub fn names_faults(&self) -> bool {
        !self.injections.is_empty() || !self.removals.is_empty() || !self.incidents.is_empty()
    }
}

impl fmt::Display for RandomFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faults=1/{} ", self.one_in)?;
        for (index, effect) in self.effects.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{effect}")?;
        }
        Ok(())
    }
}

impl FromStr for RandomFaults {
    type Err = SpecError;
    /// Reads what stands behind `faults=`.
    fn from_str(s: &str) -> Result<RandomFaults, SpecError> {
        let wrong = || SpecError::new(s, "1/N EFFECT,EFFECT,…, such as `faults=1/40 crash,lost`");
        let (rate, effects) = s.split_once(' ').ok_or_else(wrong)?;
        let one_in = rate.strip_prefix("1/").and_then(|n| n.parse().ok()).filter(|n| *n > 0);
        let effects: Result<Vec<Effect>, SpecError> = effects.split(',').map(str::parse).collect();
        let mut effects = effects?;
        effects.sort();
        effects.dedup();
        Ok(RandomFaults { one_in: one_in.ok_or_else(wrong)?, effects })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut part = |f: &mut fmt::Formatter<'_>, text: fmt::Arguments<'_>| {
            write!(f, "{separator}{text}")?;
            separator = "; ";
            Ok(())
        };
        if self.seed != 0 {
            part(f, format_args!("seed={}", self.seed))?;
        }
        match self.schedule {
            Schedule::Fair => {}
            Schedule::Random => part(f, format_args!("random"))?,
            Schedule::Priority { depth, steps } => part(f, format_args!("pct={depth}/{steps}"))?,
        }
        for deviation in &self.deviations {
            part(f, format_args!("{deviation}"))?;
        }
        if self.jitter > Nanos::ZERO {
            part(f, format_args!("jitter={}", Written(self.jitter)))?;
        }
        if let Some(faults) = &self.faults {
            part(f, format_args!("{faults}"))?;
        }
        for removal in &self.removals {
            part(f, format_args!("{removal}"))?;
        }
        for incident in &self.incidents {
            part(f, format_args!("{incident}"))?;
        }
        for injection in &self.injections {
            part(f, format_args!("{injection}"))?;
        }
        if *self == Plan::default() { f.write_str("baseline") } else { Ok(()) }
    }
}

/// Units in which spans are written.
const UNITS: [(&str, u64); 4] = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];
/// Those in which they may be read, too.
const LONG_UNITS: [(&str, u64); 3] =
    [("m", 60_000_000_000), ("h", 3_600_000_000_000), ("d", 86_400_000_000_000)];

/// A span as a whole number of the largest unit, up to seconds, that it is a multiple of.
pub(crate) struct Written(pub(crate) Nanos);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Written(span) = self;
        let whole = UNITS.into_iter().find(|(_, nanos)| span.0.is_multiple_of(*nanos));
        let (unit, nanos) = whole.unwrap_or(("ns", 1));
        write!(f, "{}{unit}", span.0 / nanos)
    }
}

pub(crate) fn span(text: &str) -> Option<Nanos> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at(digits);
    let (_, nanos) = UNITS.into_iter().chain(LONG_UNITS).find(|(name, _)| *name == unit)?;
    count.parse::<u64>().ok()?.checked_mul(nanos).map(Nanos)
}

impl FromStr for Plan {
    type Err = SpecError;
    fn from_str(s: &str) -> Result<Plan, SpecError> {
        let mut plan = Plan::default();
        for part in parts(s).map(str::trim).filter(|part| !part.is_empty()) {
            plan.read(part)?;
        }
        Ok(plan)
    }
}

impl Plan {
    /// This plan without what it says by name to go wrong.
    pub fn without_faults(&self) -> Plan {
        let (injections, removals, incidents) = (Vec::new(), Vec::new(), Vec::new());
        Plan { injections, removals, incidents, ..self.clone() }
    }

    /// Takes in what `part` says; of what there can be only one, that of `part` holds where it is not the default.
    pub fn take_in(&mut self, part: Plan) {
        if part.seed != 0 {
            self.seed = part.seed;
        }
        if part.schedule != Schedule::Fair {
            self.schedule = part.schedule;
        }
        if part.jitter > Nanos::ZERO {
            self.jitter = part.jitter;
        }
        self.faults = part.faults.or(self.faults.take());
        self.deviations.extend(part.deviations);
        self.removals.extend(part.removals);
        self.incidents.extend(part.incidents);
        self.injections.extend(part.injections);
    }

    /// This plan with one more fault.
    pub fn and(&self, fault: &Injection) -> Plan {
        let mut plan = self.clone();
        plan.injections.push(fault.clone());
        plan
    }

    fn read(&mut self, part: &str) -> Result<(), SpecError> {
        if part == "baseline" {
        } else if part == "random" {
            self.schedule = Schedule::Random;
        } else if let Some(seed) = part.strip_prefix("seed=") {
            let wrong = |_| SpecError::new(part, "seed=NUMBER, such as `seed=7`");
            self.seed = seed.parse().map_err(wrong)?;
        } else if let Some(numbers) = part.strip_prefix("pct=") {
            self.schedule = priorities(numbers)
                .ok_or_else(|| SpecError::new(part, "pct=DEPTH/STEPS, such as `pct=3/5000`"))?;
        } else if let Some(longer) = part.strip_prefix("jitter=") {
            self.jitter = span(longer)
                .ok_or_else(|| SpecError::new(part, "jitter=TIME, such as `jitter=20ms`"))?;
        } else if let Some(faults) = part.strip_prefix("faults=") {
            self.faults = Some(faults.parse()?);
        } else if deviation::is_deviation(part) {
            self.deviations.push(part.parse()?);
        } else if removal::is_removal(part) {
            self.removals.push(part.parse()?);
        } else if incident::is_incident(part) {
            self.incidents.push(part.parse()?);
        } else {
            self.injections.push(part.parse()?);
        }
        Ok(())
    }
}

fn priorities(text: &str) -> Option<Schedule> {
    let (depth, steps) = text.split_once('/')?;
    let (depth, steps) = (depth.parse().ok()?, steps.parse().ok()?);
    (depth > 0 && steps > 0).then_some(Schedule::Priority { depth, steps })
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
        round_trips("seed=3; pct=3/5000; jitter=20ms; faults=1/40 lost,crash");
        round_trips("preempt a/101 #57; pass a/101 #12 for b/102; a>b GET / #3+ post-reply=reset");
        round_trips("jitter=1500us; a>b GET /+ #3 post-reply=reset");
        round_trips("jitter=7ns");
        round_trips(
            "at disk db #57: power-off db; at disk db #1: power-off db some; at 3s: power-off other all; a>b x #1 post-reply=reset",
        );
        round_trips("at 3s for 15s: pause board; at call board #7 for 1ms: crash board");
        round_trips("after \"committed\" #3 +2s until \"read: a\" #10: power-off @it some");
        round_trips("at a>b GET /x for 3s: y #2 post-reply for 2s: crash b");
        for Form { example, .. } in FORMS {
            // Those for people may use longer units.
            let plan: Plan = example.parse().unwrap();
            round_trips(&plan.to_string());
        }
        round_trips(
            "at 0s: lie a>b mutate 1/1; at 0s: lie a>* withhold 1/2; at 0s: lie a>b replay 1/3",
        );
        round_trips("after \"up\" #1 for 2s: partition @it<>*; at 1ms: reorder *>b 1/2 1500us");
        round_trips("a>b GET / #1 update-server=crash@17");
        round_trips(
            "seed=2; a>b removed=refused; b>c removed=partition; a>b x #1 post-reply=reset",
        );
        round_trips("a>b removed=unreachable #1 post-reply=reset");
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
        refused("a>b GET / #1 update-server=crash@", "crash@");
        refused("a>b GET / #1 update-server=crash@0", "crash@0");
        refused("nonsense", "nonsense");
        refused("a>b removed=lost", "a>b removed=lost");
        refused("a>b removed=", "a>b removed=");
        refused(">b removed=refused", ">b removed=refused");
        refused("pct=3", "pct=3");
        refused("pct=0/9", "pct=0/9");
        refused("jitter=20", "jitter=20");
        refused("jitter=99999999999s", "jitter=99999999999s");
        refused("faults=1/0 crash", "1/0 crash");
        refused("faults=1/9 crush", "crush");
        refused("preempt a/101 57", "preempt a/101 57");
        refused("pass a/101 #0 for b/7", "pass a/101 #0 for b/7");
        refused("pass a #1 for b/7", "a");
        refused("at disk db #0: power-off db", "at disk db #0");
        refused("at disk db #3: power-off db none", "power-off db none");
        refused("at 3s: power off", "power off");
        refused("at -3s: crash db", "at -3s");
        refused("at 3: crash db", "at 3");
        refused("at 3s", "at 3s");
        for wrong in [
            "partition db",
            "partition a<b",
            "partition a>",
            "loss a>b",
            "loss a>b 1/0",
            "loss a>b 2/3",
            "delay a>b 0s",
            "delay a>b -1s",
            "limp a>b 0B/s",
            "limp a>b 10",
            "refuse a<>b",
            "lie a<>b mutate 1/2",
            "lie a>b boast 1/2",
            "burst a>b 0",
            "burst a>b 10001",
            "traitor",
        ] {
            refused(&format!("at 3s: {wrong}"), wrong);
        }
        refused("at 3s for 0s: crash db", "for 0s");
        refused("at 3s for -1s: crash db", "for -1s");
        refused("at 3s: crash", "crash");
        refused("after committed #3: crash db", "committed #3");
        refused("after \"committed\" #0: crash db", "\"committed\" #0");
        refused("at 3s until \"done\" #1: pause db", "at 3s until \"done\" #1");
    }
}
