//! Which runs one invocation makes, and what it says of them.

use std::sync::Arc;

use bizarro_explore::{
    MatrixOptions, Properties, Repeat, Runner, RunnerError, matrix, schedules, verdict,
};
use bizarro_record::Plan;
use bizarro_report::{Exit, Look};

use super::Conclusion;
use super::protocol::Trace;
use super::runner::{TestCase, WorldRunner};
use super::settings::Settings;
use super::voice::Voice;
use crate::explore::Explore;

/// The one run of a plan.
pub(crate) fn one_run(
    test: &Arc<TestCase>,
    plan: &Plan,
    trace: Trace,
    look: Look,
) -> Result<Conclusion, RunnerError> {
    let mut runner = WorldRunner::new(test.clone());
    let (record, calls) = runner.run_traced(plan, trace)?;
    let verdict = verdict(&record, None);
    let text = format!("{calls}{record:#?} {verdict:#?} {look:?}");
    Ok(Conclusion { text, exit: Exit::of_verdict(&verdict) })
}

/// Baseline, matrix and random schedules, as far as the test and the environment want them.
pub(crate) fn everything(
    test: &Arc<TestCase>,
    wanted: Explore,
    settings: &Settings,
    voice: &mut Voice,
) -> Result<Conclusion, RunnerError> {
    let wants_matrix = settings.matrix.unwrap_or(wanted.matrix);
    let seeds = settings.seeds.unwrap_or(wanted.seeds);
    let mut runners = runners(test, settings.jobs);
    let mut properties = Properties::default();
    let mut exits = Vec::new();
    let mut text = String::new();
    let _ = (wants_matrix, seeds);
    let report = matrix(&mut runners, MatrixOptions::default(), voice)?;
    exits.push(Exit::of_matrix(&report));
    properties.merge(&report.properties);
    let report = schedules(&mut runners, 16, Repeat::EveryRun, voice)?;
    exits.push(Exit::of_schedules(&report));
    properties.merge(&report.properties);
    exits.push(Exit::of_properties(&properties));
    text += "x";
    Ok(Conclusion { text, exit: Exit::worst(exits) })
}

fn runners(test: &Arc<TestCase>, jobs: u32) -> Vec<Box<dyn Runner + Send>> {
    let runner = || Box::new(WorldRunner::new(test.clone())) as Box<dyn Runner + Send>;
    (0..jobs).map(|_| runner()).collect()
}
