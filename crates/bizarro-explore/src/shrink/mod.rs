//! Shrinking: from a failing run to the simplest one that fails alike.
//!
//! What makes a run complicated is what its plan decides. In this order: faults, deviations from the fair schedule,
//! jitter, the seed, and how late the faults strike. What is preserved is the verdict: its outcome, and which
//! properties are broken. The way there is Zeller and Hildebrandt's (*Simplifying and Isolating
//! Failure-Inducing Input*, IEEE TSE 2002), with one addition: faults are aimed at exchanges by their ordinals, and a fault
//! that is taken away takes with it the retries that it caused, so that what is left is aimed anew.
//!
//! First the run is written out: what its modes led to stands in its record, and a plan of just that gives the same
//! run.

mod faults;
mod schedule;

use std::collections::BTreeSet;

use bizarro_fault::SystemModel;
use bizarro_record::{Ending, Event, Injection, Nanos, Plan, RunRecord, Schedule};
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, Findings};
use crate::pool::{Coverage, run_all};
use crate::progress::{Phase, Progress};
use crate::runner::{Runner, RunnerError, Runners};
use crate::verdict::{Verdict, verdict};

/// Runs that shrinking may take for one finding.
pub const SHRINK_RUNS: u64 = 1_000;
/// The same where each run takes long in real time: a task that spins is noticed after a second.
const SHRINK_RUNS_SLOW: u64 = 30;

/// How a run was shrunk.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shrunk {
    /// The plan that was found to fail.
    pub original: Plan,
    /// Runs that were made to shrink it.
    pub runs: u64,
    /// Whether nothing simpler was left to try; else the runs were used up.
    pub is_finished: bool,
}

/// A failing run that was shrunk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Smallest {
    /// Its record; its plan is the simplest one that was found.
    pub record: RunRecord,
    /// Its verdict.
    pub verdict: Verdict,
    /// How it was found.
    pub shrunk: Shrunk,
}

/// Why an attempt was not made.
enum Stop {
    /// The runs are used up.
    Spent,
    Error(RunnerError),
}

impl From<RunnerError> for Stop {
    fn from(error: RunnerError) -> Stop {
        Stop::Error(error)
    }
}

/// The plan of the run of `record` without modes: each fault and each deviation that was drawn is named. A schedule
/// that deviated more often than a record keeps stays a mode.
pub fn written_out(record: &RunRecord) -> Plan {
    let mut plan = faults_written_out(record);
    if plan.schedule != Schedule::Fair
        && let Some(deviations) = &record.deviations
    {
        plan.schedule = Schedule::Fair;
        plan.deviations = deviations.clone();
    }
    plan
}

/// The same, but the schedule stays as it is.
pub(crate) fn faults_written_out(record: &RunRecord) -> Plan {
    let mut plan = record.plan.clone();
    if plan.faults.take().is_some() {
        let named = std::mem::take(&mut plan.injections);
        let struck = record.events.iter().filter_map(|stamped| match &stamped.event {
            Event::Struck { injection } => Some(&**injection),
            _ => None,
        });
        // In the order in which they struck. What never struck changed nothing.
        for injection in struck {
            let known = named.iter().find(|known| known.covers(injection)).unwrap_or(injection);
            if !plan.injections.contains(known) {
                plan.injections.push(known.clone());
            }
        }
    }
    plan
}

/// Shrinks the run of `record`, which fails, with at most `runs` runs, and without faults that `model` excludes.
///
/// # Errors
/// What the runner says.
pub fn shrink(
    runner: &mut dyn Runner,
    record: RunRecord,
    baseline: &RunRecord,
    model: SystemModel,
    runs: u64,
) -> Result<Smallest, RunnerError> {
    let verdict = verdict(&record, Some(baseline));
    let original = record.plan.clone();
    let mut shrinker = Shrinker {
        runner,
        baseline,
        model,
        target: Target::of(&verdict),
        tried: BTreeSet::new(),
        best: (record, verdict),
        runs: 0,
        runs_max: runs,
    };
    let is_finished = match shrinker.exhaust() {
        Ok(()) => true,
        Err(Stop::Spent) => false,
        Err(Stop::Error(error)) => return Err(error),
    };
    let shrunk = Shrunk { original, runs: shrinker.runs, is_finished };
    let (record, verdict) = shrinker.best;
    Ok(Smallest { record, verdict, shrunk })
}

/// What has to stay as it is.
#[derive(PartialEq, Eq)]
struct Target {
    verdict: crate::verdict::Outcome,
    properties: BTreeSet<String>,
}

impl Target {
    fn of(verdict: &Verdict) -> Target {
        let properties = verdict.properties().map(str::to_string).collect();
        Target { verdict: verdict.outcome, properties }
    }
}

struct Shrinker<'a> {
    runner: &'a mut dyn Runner,
    baseline: &'a RunRecord,
    model: SystemModel,
    target: Target,
    /// Plans that were run, written.
    tried: BTreeSet<String>,
    /// The simplest run so far that fails alike.
    best: (RunRecord, Verdict),
    runs: u64,
    runs_max: u64,
}

impl Shrinker<'_> {
    fn plan(&self) -> &Plan {
        &self.best.0.plan
    }

    /// Runs a plan, which is simpler than the best one so far; takes it for the best one if it fails alike.
    fn attempt(&mut self, plan: Plan) -> Result<bool, Stop> {
        if plan == *self.plan() || !self.tried.insert(plan.to_string()) {
            return Ok(false);
        }
        if self.runs == self.runs_max {
            return Err(Stop::Spent);
        }
        self.runs += 1;
        let record = self.runner.run(&plan)?;
        let verdict = verdict(&record, Some(self.baseline));
        let is_alike = Target::of(&verdict) == self.target;
        if is_alike {
            self.best = (record, verdict);
        }
        Ok(is_alike)
    }

    /// Runs the best plan with a change.
    fn attempt_with(&mut self, change: impl FnOnce(&mut Plan)) -> Result<bool, Stop> {
        let mut plan = self.plan().clone();
        change(&mut plan);
        self.attempt(plan)
    }

    fn exhaust(&mut self) -> Result<(), Stop> {
        self.attempt(faults_written_out(&self.best.0))?;
        // As long as the schedule is drawn, it does the same wherever fewer faults lead the run.
        self.fewest_faults()?;
        self.attempt(written_out(&self.best.0))?;
        loop {
            let before = self.plan().clone();
            self.fewest_faults()?;
            self.simplest_schedule()?;
            self.deviations_alone()?;
            self.least_jitter()?;
            self.smallest_seed()?;
            self.earliest_faults()?;
            if *self.plan() == before {
                return Ok(());
            }
        }
    }

    fn least_jitter(&mut self) -> Result<(), Stop> {
        const HALVES: u32 = 6;
        let drawn = self.plan().jitter;
        if drawn == Nanos::ZERO || self.attempt_with(|plan| plan.jitter = Nanos::ZERO)? {
            return Ok(());
        }
        for half in (1..=HALVES).rev() {
            if self.attempt_with(|plan| plan.jitter = Nanos(drawn.0 >> half))? {
                break;
            }
        }
        Ok(())
    }

    /// Once nothing else is drawn, the seed is left with latencies and with what guests see as random.
    fn smallest_seed(&mut self) -> Result<(), Stop> {
        const TRIED: u64 = 4;
        let smaller = self.plan().seed.min(TRIED);
        for seed in 0..smaller {
            if self.attempt_with(|plan| plan.seed = seed)? {
                break;
            }
        }
        Ok(())
    }
}

/// Whether a plan of this kind can be no simpler: nothing but one fault, or nothing at all.
fn is_smallest(plan: &Plan, baseline: &Plan) -> bool {
    let bare = Plan { injections: vec![], ..plan.clone() };
    bare == *baseline && plan.injections.iter().all(is_plain) && plan.injections.len() <= 1
}

fn is_plain(injection: &Injection) -> bool {
    injection.lasting == bizarro_record::Lasting::Once
}

/// Shrinks the representatives of findings, as many at a time as there are runners. Findings that become alike become one. Gives the
/// runs that it took.
pub(crate) fn shrink_all(
    runners: Runners<'_>,
    findings: Vec<Finding>,
    baseline: &RunRecord,
    model: SystemModel,
    progress: &mut dyn Progress,
) -> Result<(Vec<Finding>, u64, Coverage), RunnerError> {
    let wanted: Vec<usize> = (0..findings.len())
        .filter(|at| findings[*at].is_failure())
        .filter(|at| !is_smallest(findings[*at].plan(), &baseline.plan))
        .collect();
    if wanted.is_empty() {
        return Ok((findings, 0, Coverage::Complete));
    }
    progress.begin(Phase::Shrink, wanted.len() as u64);
    let mut smallest: Vec<Option<Smallest>> = findings.iter().map(|_| None).collect();
    let mut runs = 0;
    let coverage = run_all(
        runners,
        wanted.len(),
        |runner, index| {
            let record = findings[wanted[index]].record.clone();
            let runs = match record.ending {
                Ending::Spinning { .. } => SHRINK_RUNS_SLOW,
                _ => SHRINK_RUNS,
            };
            shrink(runner, record, baseline, model, runs)
        },
        |index, shrunk| {
            progress.shrunk(&shrunk.record.plan);
            runs += shrunk.shrunk.runs;
            smallest[wanted[index]] = Some(shrunk);
        },
    )?;
    let mut merged = Findings::default();
    for (index, (mut finding, smallest)) in findings.into_iter().zip(smallest).enumerate() {
        if let Some(smallest) = smallest {
            finding.replace(smallest, baseline);
        }
        merged.add_finding(index, finding);
    }
    Ok((merged.into_sorted(), runs, coverage))
}

#[cfg(test)]
mod tests;
