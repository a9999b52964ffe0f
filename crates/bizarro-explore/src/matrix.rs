//! The failure matrix: every exchange of the baseline × the eight steps × what each can suffer.
//!
//! Gabrielson (*Challenges with distributed systems*, Amazon Builders' Library) counts eight ways in
//! which one request and its reply can fail, and asks that each be tested at every call. Nobody writes
//! these tests by hand; here they are read off the fault-free run.

use std::time::{Duration, Instant};

use bizarro_fault::SystemModel;
use bizarro_record::{Injection, Plan, RunRecord, Schedule};
use serde::{Deserialize, Serialize};

use crate::cells::{Cell, cells, interrupt};
use crate::finding::{Finding, Findings, Place};
use crate::job::{EarliestDifference, Trial, try_plan};
use crate::measure::Impact;
use crate::pool::{Coverage, run_all};
use crate::progress::{Phase, Progress};
use crate::property::Properties;
use crate::runner::{RunnerError, Runners};
use crate::self_check::{Difference, compare, self_check};
use crate::verdict::{Outcome, Verdict, verdict};

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
    /// Runs that were made.
    pub runs: u64,
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
        explore(&mut report, runners, options, progress)?;
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

/// Position of a variant in the report.
struct Slot {
    cell: usize,
    variant: usize,
    plan: Plan,
}

/// Fills the cells.
fn explore(
    report: &mut MatrixReport,
    runners: Runners<'_>,
    options: MatrixOptions,
    progress: &mut dyn Progress,
) -> Result<(), RunnerError> {
    let baseline = &report.baseline;
    report.cells = baseline.exchanges.iter().flat_map(|e| cells(e, options.model)).collect();
    let slots = slots(&report.cells, &baseline.plan);
    // And the baseline at the end.
    progress.begin(Phase::Matrix, slots.len() as u64 + 1);
    let mut findings = Findings::default();
    let mut difference = EarliestDifference::default();
    let mut done = vec![false; slots.len()];
    let coverage = run_all(
        runners,
        slots.len(),
        |runner, index| try_plan(runner, &slots[index].plan, baseline, options.repeat),
        |index, mut trial: Trial| {
            let slot = &slots[index];
            progress.ran(&slot.plan, &trial.verdict);
            done[index] = true;
            let variant = &mut report.cells[slot.cell].variants[slot.variant];
            variant.verdict = trial.verdict.clone();
            variant.impact = Some(trial.impact);
            report.properties.merge(&trial.properties);
            report.runs += trial.runs;
            difference.offer(index, trial.difference.take());
            findings.add(index, Place::of(&slot.plan), trial);
        },
    )?;
    for slot in slots.iter().zip(done).filter(|(_, done)| !done).map(|(slot, _)| slot) {
        interrupt(&mut report.cells[slot.cell].variants[slot.variant]);
    }
    report.interrupted = coverage == Coverage::Interrupted;
    report.findings = findings.into_sorted();
    report.difference = difference.take();
    if report.difference.is_none() && !report.interrupted {
        report.difference = afterwards(report, runners, progress)?;
    }
    Ok(())
}

/// Makes the baseline once more, after all the other runs: what one of them left behind would show.
fn afterwards(
    report: &mut MatrixReport,
    runners: Runners<'_>,
    progress: &mut dyn Progress,
) -> Result<Option<Difference>, RunnerError> {
    let runner = runners.first_mut().expect("an exploration needs a runner");
    let again = match runner.run(&report.baseline.plan) {
        Ok(again) => again,
        Err(RunnerError::Interrupted) => {
            report.interrupted = true;
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    progress.ran(&again.plan, &report.baseline_verdict);
    report.runs += 1;
    Ok(compare(&report.baseline, &again))
}

/// The variants that need a run, in the order of the report, with their plans.
fn slots(cells: &[Cell], baseline: &Plan) -> Vec<Slot> {
    let mut slots = Vec::new();
    for (cell_index, cell) in cells.iter().enumerate() {
        for (variant_index, variant) in cell.variants.iter().enumerate() {
            if variant.skip.is_some() {
                continue;
            }
            let injection = Injection::once(cell.exchange.clone(), cell.step, variant.effect);
            let plan = Plan { injections: vec![injection], ..baseline.clone() };
            slots.push(Slot { cell: cell_index, variant: variant_index, plan });
        }
    }
    slots
}
