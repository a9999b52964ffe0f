//! Random schedules: the same program without faults, its tasks in another order each time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bizarro_fault::SystemModel;
use bizarro_record::{Plan, Schedule};
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, Findings, Place};
use crate::job::{EarliestDifference, Trial, try_plan};
use crate::matrix::Repeat;
use crate::pool::{Coverage, run_all};
use crate::progress::{Phase, Progress};
use crate::property::Properties;
use crate::runner::{RunnerError, Runners};
use crate::self_check::Difference;
use crate::shrink::shrink_all;

/// What random schedules found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SchedulesReport {
    /// Name of the test.
    pub test: String,
    /// How many seeds were asked for; they are 1, 2, ….
    pub seeds: u64,
    /// How many different runs they gave, by fingerprint.
    pub distinct: u64,
    /// What is broken or in doubt, the worst first.
    pub findings: Vec<Finding>,
    /// How two runs of one seed differed, if they did.
    pub difference: Option<Difference>,
    /// What all runs together saw of the properties.
    pub properties: Properties,
    /// Runs that were made, with those that shrinking took.
    pub runs: u64,
    /// Whether the exploration was stopped before its end.
    pub interrupted: bool,
    /// Real time. The only field that differs from one exploration to the next.
    pub wall: Duration,
}

/// Runs the seeds `1..=seeds` with random schedules, as many at a time as there are `runners`.
///
/// The baseline that the impact of a schedule is measured against is the run of seed 0 with a fair
/// schedule, and is made first.
///
/// # Errors
/// What a runner says, but for an interruption after the baseline: then the report tells what is known.
///
/// # Panics
/// Where there is no runner.
pub fn schedules(
    runners: Runners<'_>,
    seeds: u64,
    repeat: Repeat,
    progress: &mut dyn Progress,
) -> Result<SchedulesReport, RunnerError> {
    let started = Instant::now();
    let baseline =
        runners.first_mut().expect("an exploration needs a runner").run(&Plan::default())?;
    progress.begin(Phase::Schedules, seeds);
    let plan = |index: usize| Plan {
        seed: index as u64 + 1,
        schedule: Schedule::Random,
        ..Plan::default()
    };
    let mut findings = Findings::default();
    let mut difference = EarliestDifference::default();
    let mut properties = Properties::default();
    properties.add(&baseline);
    let mut fingerprints = BTreeSet::new();
    let mut runs = 1;
    let coverage = run_all(
        runners,
        usize::try_from(seeds).unwrap_or(usize::MAX),
        |runner, index| try_plan(runner, &plan(index), &baseline, repeat),
        |index, mut trial: Trial| {
            progress.ran(&plan(index), &trial.verdict);
            fingerprints.insert(trial.fingerprint);
            properties.merge(&trial.properties);
            runs += trial.runs;
            difference.offer(index, trial.difference.take());
            findings.add(index, Place::Schedule, trial);
        },
    )?;
    let mut is_complete = coverage == Coverage::Complete;
    let mut findings = findings.into_sorted();
    if is_complete {
        let (shrunk, shrinking, coverage) =
            shrink_all(runners, findings, &baseline, SystemModel::default(), progress)?;
        findings = shrunk;
        runs += shrinking;
        is_complete = coverage == Coverage::Complete;
    }
    Ok(SchedulesReport {
        test: baseline.test,
        seeds,
        distinct: fingerprints.len() as u64,
        findings,
        difference: difference.take(),
        properties,
        runs,
        interrupted: !is_complete,
        wall: started.elapsed(),
    })
}
