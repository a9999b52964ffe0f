//! Swarm: many runs, each under its own random schedule, latencies and faults.
//!
//! What a run is made of is drawn for it alone: which kinds of faults are on, how often they strike, how tasks are
//! scheduled, how much packets jitter (Groce et al., *Swarm Testing*, ISSTA 2012: leaving features out at random
//! finds more than always using all of them). A run's plan says all of this in a line, and so repeats it.
//!
//! Runs come in batches. The plan of a run is a function of the swarm's seed, the run's number and, where the swarm is
//! directed, of what the batches before found; so it does not depend on how many runners there are.

mod coverage;
mod draw;
mod trouble;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bizarro_fault::SystemModel;
use bizarro_record::{ExchangeId, Plan, RunRecord};
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, Findings, Place};
use crate::job::{EarliestDifference, Trial, judge};
use crate::pool::{Coverage, run_all};
use crate::progress::{Phase, Progress};
use crate::property::Properties;
use crate::runner::{Runner, RunnerError, Runners};
use crate::self_check::{Difference, compare};
use crate::shrink::{faults_written_out, shrink_all};
use crate::verdict::Outcome;

pub use draw::{Space, swarm_plan};

/// Runs of a batch. The first one of each is made twice and compared.
const BATCH: u64 = 64;
/// Failing runs that are shrunk of each kind: those that break the same properties may do so for different reasons.
const SHRUNK_OF_A_KIND: usize = 3;
/// Exchanges that are kept of a run for later ones to strike.
const EXCHANGES_KEPT: usize = 64;

/// How plans are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guidance {
    /// Half of them anew, half of them by changing the plans of runs that came to combinations of state,
    /// exchange and fault that no run before them had come to.
    #[default]
    Directed,
    /// All of them anew.
    Blind,
}

/// What a swarm may cost, and where it draws from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SwarmOptions {
    /// What the test has to survive; nothing else is drawn.
    pub model: SystemModel,
    /// Feeds the plans of all runs.
    pub seed: u64,
    /// How many runs are made, at the most.
    pub runs: Option<u64>,
    /// How much real time they may take. Shrinking comes on top.
    pub time: Option<Duration>,
    /// How plans are chosen.
    pub guidance: Guidance,
}

/// What a swarm found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SwarmReport {
    /// Name of the test.
    pub test: String,
    /// Where faults were drawn from.
    pub model: SystemModel,
    /// The swarm's seed.
    pub seed: u64,
    /// The run without faults.
    pub baseline: RunRecord,
    /// Runs of the swarm: those that were drawn.
    pub drawn: u64,
    /// How many different runs they gave, by fingerprint.
    pub distinct: u64,
    /// How many combinations of state, exchange and fault they came to.
    pub combinations: u64,
    /// How many of them broke something.
    pub failed: u64,
    /// What is broken or in doubt, the worst first: some of each kind, shrunk. The plans of a finding are those that
    /// were shrunk to it.
    pub findings: Vec<Finding>,
    /// How two runs of one plan differed, if they did.
    pub difference: Option<Difference>,
    /// What all runs together saw of the properties.
    pub properties: Properties,
    /// Runs that were made in all, with those that shrinking took.
    pub runs: u64,
    /// Whether the exploration was stopped before its end.
    pub interrupted: bool,
    /// Real time of the swarm without shrinking. Differs from one exploration to the next, like [`drawn`](Self::drawn)
    /// where the time was limited.
    pub wall: Duration,
}

/// What is kept of a run.
struct Flown {
    trial: Trial,
    points: Vec<u64>,
    parent: Parent,
}

/// A run with its number.
type Numbered = (usize, Trial);

/// A run that came to something new: where other runs may begin.
pub(crate) struct Parent {
    /// Its plan, with the faults that struck named.
    pub(crate) plan: Plan,
    /// The exchanges that it had.
    pub(crate) exchanges: Vec<ExchangeId>,
}

/// Makes a swarm of runs, as many at a time as there are `runners`, and shrinks what fails.
///
/// # Errors
/// What a runner says, but for an interruption after the baseline: then the report tells what is known.
///
/// # Panics
/// Where there is no runner, or neither runs nor time are limited.
pub fn swarm(
    runners: Runners<'_>,
    options: SwarmOptions,
    progress: &mut dyn Progress,
) -> Result<SwarmReport, RunnerError> {
    assert!(options.runs.is_some() || options.time.is_some(), "a swarm without an end");
    let started = Instant::now();
    let baseline =
        runners.first_mut().expect("an exploration needs a runner").run(&Plan::default())?;
    let mut flock = Flock::new(baseline, options);
    progress.begin(Phase::Swarm, options.runs.unwrap_or(0));
    let mut coverage = Coverage::Complete;
    while coverage == Coverage::Complete && !flock.is_over(started) {
        coverage = flock.batch(runners, started, progress)?;
    }
    let wall = started.elapsed();
    let mut report = flock.into_report(wall);
    if coverage == Coverage::Complete {
        let found = std::mem::take(&mut report.findings);
        let (shrunk, runs, shrinking) =
            shrink_all(runners, found, &report.baseline, options.model, progress)?;
        report.findings = shrunk;
        report.runs += runs;
        coverage = shrinking;
    }
    report.interrupted = coverage == Coverage::Interrupted;
    Ok(report)
}

/// The swarm so far.
struct Flock {
    options: SwarmOptions,
    space: Space,
    baseline: RunRecord,
    parents: Vec<Parent>,
    points: BTreeSet<u64>,
    fingerprints: BTreeSet<u64>,
    /// The first failing runs of each kind.
    kinds: BTreeMap<(Outcome, Vec<String>), Vec<Numbered>>,
    difference: EarliestDifference,
    properties: Properties,
    drawn: u64,
    failed: u64,
    runs: u64,
}

impl Flock {
    fn new(baseline: RunRecord, options: SwarmOptions) -> Flock {
        let mut properties = Properties::default();
        properties.add(&baseline);
        Flock {
            space: Space::of(&baseline, options.model),
            options,
            baseline,
            parents: vec![],
            points: BTreeSet::new(),
            fingerprints: BTreeSet::new(),
            kinds: BTreeMap::new(),
            difference: EarliestDifference::default(),
            properties,
            drawn: 0,
            failed: 0,
            runs: 1,
        }
    }

    fn is_over(&self, started: Instant) -> bool {
        self.options.runs.is_some_and(|runs| self.drawn >= runs)
            || self.options.time.is_some_and(|time| started.elapsed() >= time)
    }

    fn batch(
        &mut self,
        runners: Runners<'_>,
        started: Instant,
        progress: &mut dyn Progress,
    ) -> Result<Coverage, RunnerError> {
        let left = self.options.runs.map_or(BATCH, |runs| runs - self.drawn);
        let first = self.drawn + 1;
        let plans: Vec<Plan> =
            (first..first + left.min(BATCH)).map(|number| self.plan(number)).collect();
        let mut flown: Vec<Option<Flown>> = plans.iter().map(|_| None).collect();
        let is_late = || self.options.time.is_some_and(|time| started.elapsed() >= time);
        let coverage = run_all(
            runners,
            plans.len(),
            |runner, index| match is_late() {
                true => Ok(None),
                false => fly(runner, &plans[index], &self.baseline, index == 0).map(Some),
            },
            |index, result| {
                if let Some(result) = &result {
                    progress.ran(&plans[index], &result.trial.verdict);
                }
                flown[index] = result;
            },
        )?;
        // In the order of their numbers, whatever the order in which they ended.
        for (index, flown) in flown.into_iter().enumerate() {
            if let Some(flown) = flown {
                self.land(first as usize + index, flown);
            }
        }
        progress.combinations(self.points.len() as u64);
        Ok(coverage)
    }

    fn plan(&self, number: u64) -> Plan {
        match self.options.guidance {
            Guidance::Blind => swarm_plan(self.options.seed, number, &self.space),
            Guidance::Directed => {
                draw::directed(self.options.seed, number, &self.space, &self.parents)
            }
        }
    }

    fn land(&mut self, number: usize, flown: Flown) {
        let Flown { mut trial, points, parent } = flown;
        self.drawn += 1;
        self.runs += trial.runs;
        self.fingerprints.insert(trial.fingerprint);
        self.properties.merge(&trial.properties);
        self.difference.offer(number, trial.difference.take());
        let known = self.points.len();
        self.points.extend(points);
        if self.points.len() > known {
            self.parents.push(parent);
        }
        let outcome = trial.verdict.outcome;
        self.failed += u64::from(outcome.is_failure());
        if outcome >= Outcome::Inconclusive {
            let mut properties: Vec<String> =
                trial.verdict.properties().map(str::to_string).collect();
            properties.sort();
            let kind = self.kinds.entry((outcome, properties)).or_default();
            if kind.len() < SHRUNK_OF_A_KIND {
                kind.push((number, trial));
            }
        }
    }

    fn into_report(self, wall: Duration) -> SwarmReport {
        let mut findings = Vec::new();
        for (number, trial) in self.kinds.into_values().flatten() {
            let Some(record) = &trial.record else { continue };
            let mut alone = Findings::default();
            alone.add(number, Place::of(&record.plan), trial);
            findings.extend(alone.into_sorted().into_iter().map(|finding| (number, finding)));
        }
        // The worst first, and of these the earliest.
        findings.sort_by_key(|(number, f)| (std::cmp::Reverse(f.verdict.outcome), *number));
        SwarmReport {
            test: self.baseline.test.clone(),
            model: self.options.model,
            seed: self.options.seed,
            baseline: self.baseline,
            drawn: self.drawn,
            distinct: self.fingerprints.len() as u64,
            combinations: self.points.len() as u64,
            failed: self.failed,
            findings: findings.into_iter().map(|(_, finding)| finding).collect(),
            difference: self.difference.take(),
            properties: self.properties,
            runs: self.runs,
            interrupted: false,
            wall,
        }
    }
}

/// Makes a run, or two to compare.
fn fly(
    runner: &mut dyn Runner,
    plan: &Plan,
    baseline: &RunRecord,
    is_compared: bool,
) -> Result<Flown, RunnerError> {
    let record = runner.run(plan)?;
    let difference = match is_compared {
        true => compare(&record, &runner.run(plan)?),
        false => None,
    };
    let points = coverage::points(&record);
    let exchanges = record.exchanges.iter().take(EXCHANGES_KEPT).map(|e| e.id.clone()).collect();
    let parent = Parent { plan: faults_written_out(&record), exchanges };
    let mut trial = judge(record, baseline);
    trial.runs += u64::from(is_compared);
    trial.difference = difference.map(Box::new);
    Ok(Flown { trial, points, parent })
}

#[cfg(test)]
mod tests;
