//! A run that is stopped somewhere, to see where every task is.

use std::sync::Arc;

use bizarro_explore::RunnerError;
use bizarro_record::{Ending, Nanos, Plan, RunRecord};
use bizarro_report::{Exit, Look, event_lines, stopped};

use super::admissible::objection;
use super::runner::{TestCase, WorldRunner};
use super::session::Conclusion;
use super::settings::{Settings, Until};
use super::symbols::Symbols;

/// Stops the run of a plan and tells what its tasks are doing. A stopped run has no verdict.
pub(crate) fn told(
    test: &Arc<TestCase>,
    plan: &Plan,
    until: &Until,
    settings: &Settings,
    look: Look,
) -> Result<Conclusion, RunnerError> {
    if let Some(objection) = objection(test, plan) {
        return Err(RunnerError::Usage(format!("error: {objection}")));
    }
    let mut runner = WorldRunner::new(test.clone());
    let at = match until {
        Until::Time(time) => *time,
        // The same plan gives the same run: where it is to stop is seen in a run that goes on.
        Until::Event(text) => {
            moment(&runner.run_traced(plan, bizarro_record::Trace::Off)?.0, text)?
        }
    };
    let (mut record, calls) = runner.run_until(plan, at, settings.trace)?;
    Symbols::own().name_record(&mut record);
    let exit = match &record.ending {
        Ending::Lost { .. } => Exit::Inconclusive,
        _ => Exit::Held,
    };
    Ok(Conclusion { text: calls + &stopped(&record, at, look), exit })
}

/// When the first event happens whose line holds `text`.
fn moment(record: &RunRecord, text: &str) -> Result<Nanos, RunnerError> {
    let lines = event_lines(record);
    let found = lines.iter().find(|(_, line)| line.contains(text));
    found.map(|(at, _)| *at).ok_or_else(|| {
        RunnerError::Usage(format!(
            "error: no event of this run has `{text}` in its line\n  \
             = the lines are those of `cargo bizarro replay {} '{}'`\n  \
             = or stop at a time, such as `--until 1.5s`",
            record.test, record.plan
        ))
    })
}
