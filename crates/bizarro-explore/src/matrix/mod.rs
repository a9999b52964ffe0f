//! The failure matrix: every exchange of the baseline × the eight steps × what each can suffer.
//!
//! Gabrielson (*Challenges with distributed systems*, Amazon Builders' Library) counts eight ways in
//! which one request and its reply can fail, and asks that each be tested at every call. Nobody writes
//! these tests by hand; here they are read off the fault-free run.

mod fill;
mod pairs;

use std::time::{Duration, Instant};

use bizarro_fault::SystemModel;
use bizarro_record::{Lasting, Plan, RunRecord, Schedule};
use serde::{Deserialize, Serialize};

use crate::cells::Cell;
use crate::finding::{Finding, Place};
use crate::measure::Impact;
use crate::progress::{Phase, Progress};
use crate::property::Properties;
use crate::runner::{RunnerError, Runners};
use crate::self_check::{Difference, self_check};
use crate::verdict::{Outcome, Verdict, verdict};

pub use pairs::Pairs;

/// Which runs are made twice and compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeat {
    /// The baseline.
    #[default]
    Baseline,
    /// All of them.
    EveryRun,
}

/// How long faults last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variants {
    /// Each is tried once as one that strikes once, and once as a sticky one.
    #[default]
    OnceAndSticky,
    /// They strike once.
    Once,
}

impl Variants {
    fn all(self) -> &'static [Lasting] {
        match self {
            Variants::OnceAndSticky => &[Lasting::Once, Lasting::Sticky],
            Variants::Once => &[Lasting::Once],
        }
    }
}

/// Whether runs that begin alike are forked where their faults strike ([`Runner::run_branches`](crate::Runner)), or each
/// made from its beginning. They are the same runs either way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forks {
    /// Where the baseline takes so long that a fork costs less than what it saves.
    #[default]
    WherePaid,
    /// Never.
    Never,
    /// Always.
    Always,
}

impl Forks {
    /// A fork of a world with its end, and the pages that it copies, take about a millisecond; on average a fault strikes
    /// half way through.
    const PAID_NS: u64 = 4_000_000;

    fn are_wanted(self, baseline: &RunRecord) -> bool {
        match self {
            Forks::WherePaid => baseline.stats.wall_ns >= Forks::PAID_NS,
            Forks::Never => false,
            Forks::Always => true,
        }
    }
}

/// What to explore.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MatrixOptions {
    /// Seed of all runs.
    pub seed: u64,
    /// Schedule of all runs.
    pub schedule: Schedule,
    /// What the test has to survive; other faults are not tried.
    pub model: SystemModel,
    /// Which runs are made twice.
    pub repeat: Repeat,
    /// How long the faults last.
    pub lasting: Variants,
    /// How many pairs of faults are run, at the most.
    pub pairs: u64,
    /// Whether what runs have in common is made once.
    pub forks: Forks,
}

/// The failure matrix of a test.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MatrixReport {
    /// Name of the test.
    pub test: String,
    /// Where faults were drawn from.
    pub model: SystemModel,
    /// The run without faults.
    pub baseline: RunRecord,
    /// Its verdict. Unless it held, there are no cells: a fault would explain nothing.
    pub baseline_verdict: Verdict,
    /// How two runs of one plan differed, if they did. If the baseline's did, there are no cells.
    pub difference: Option<Difference>,
    /// The eight cells of each exchange, in the order of the baseline's requests.
    pub cells: Vec<Cell>,
    /// What is broken or in doubt, the worst first.
    pub findings: Vec<Finding>,
    /// What all runs together saw of the properties.
    pub properties: Properties,
    /// What became of pairs of faults, where they were wanted.
    pub pairs: Option<Pairs>,
    /// Runs that were made, with those that shrinking took.
    pub runs: u64,
    /// How many different runs the faults and the baseline gave, by fingerprint.
    pub distinct: u64,
    /// Variants whose verdict was known without a run, because it would have been the run of another one.
    pub pruned: u64,
    /// Whether the exploration was stopped before its end.
    pub interrupted: bool,
    /// Real time. The only field that differs from one exploration to the next.
    pub wall: Duration,
}

impl MatrixReport {
    /// Cells in which something is broken.
    pub fn cells_broken(&self) -> usize {
        self.cells.iter().filter(|cell| cell.outcome().is_failure()).count()
    }

    /// Cells that could not be judged.
    pub fn cells_in_doubt(&self) -> usize {
        self.cells.iter().filter(|cell| cell.outcome() == Outcome::Inconclusive).count()
    }
}

/// Explores the failure matrix of a test with as many runs at a time as there are `runners`.
///
/// # Errors
/// What a runner says, but for an interruption after the baseline: then the report tells what is known.
///
/// # Panics
/// Where there is no runner.
pub fn matrix(
    runners: Runners<'_>,
    options: MatrixOptions,
    progress: &mut dyn Progress,
) -> Result<MatrixReport, RunnerError> {
    let started = Instant::now();
    let mut report = baseline_report(runners, options, progress)?;
    if report.difference.is_none() && report.baseline_verdict.outcome == Outcome::Held {
        fill::explore(&mut report, runners, options, progress)?;
        if report.difference.is_none() && !report.interrupted {
            fill::afterwards(&mut report, runners, progress)?;
        }
    }
    report.wall = started.elapsed();
    Ok(report)
}

/// The report as it is when nothing but the baseline is known.
fn baseline_report(
    runners: Runners<'_>,
    options: MatrixOptions,
    progress: &mut dyn Progress,
) -> Result<MatrixReport, RunnerError> {
    let runner = runners.first_mut().expect("an exploration needs a runner");
    let plan = Plan { seed: options.seed, schedule: options.schedule, ..Plan::default() };
    progress.begin(Phase::Baseline, 2);
    let (baseline, difference) = self_check(&mut **runner, &plan)?;
    let baseline_verdict = verdict(&baseline, None);
    progress.ran(&plan, &baseline_verdict);
    progress.ran(&plan, &baseline_verdict);
    let mut properties = Properties::default();
    properties.add(&baseline);
    Ok(MatrixReport {
        test: baseline.test.clone(),
        model: options.model,
        difference,
        cells: vec![],
        findings: baseline_finding(&baseline, &baseline_verdict).into_iter().collect(),
        properties,
        pairs: None,
        distinct: 1,
        pruned: 0,
        runs: 2,
        interrupted: false,
        wall: Duration::ZERO,
        baseline,
        baseline_verdict,
    })
}

fn baseline_finding(baseline: &RunRecord, verdict: &Verdict) -> Option<Finding> {
    if verdict.outcome == Outcome::Held {
        return None;
    }
    let mut properties: Vec<String> = verdict.properties().map(str::to_string).collect();
    properties.sort();
    Some(Finding {
        place: Place::Baseline,
        properties,
        plans: vec![baseline.plan.clone()],
        verdict: verdict.clone(),
        impact: Impact::of(baseline, baseline),
        record: baseline.clone(),
        shrunk: None,
    })
}
