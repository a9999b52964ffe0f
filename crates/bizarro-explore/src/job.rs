//! One run of an exploration, and what is kept of it.

use bizarro_record::{Plan, RunRecord};

use crate::matrix::Repeat;
use crate::measure::Impact;
use crate::property::Properties;
use crate::runner::{Runner, RunnerError};
use crate::self_check::{Difference, compare};
use crate::verdict::{Outcome, Verdict, verdict};

/// What is kept of a run: of most runs little, so that a long exploration fits in memory.
pub(crate) struct Trial {
    pub(crate) verdict: Verdict,
    pub(crate) impact: Impact,
    pub(crate) properties: Properties,
    pub(crate) fingerprint: u64,
    /// Real runs that were made.
    pub(crate) runs: u64,
    /// How the second run differed, where there was one.
    pub(crate) difference: Option<Box<Difference>>,
    /// The record, where something is broken or in doubt.
    pub(crate) record: Option<Box<RunRecord>>,
}

/// Makes a run, or two to compare, and judges it; `look` takes what else is wanted of its record.
pub(crate) fn try_plan_and<T>(
    runner: &mut dyn Runner,
    plan: &Plan,
    baseline: &RunRecord,
    repeat: Repeat,
    look: impl FnOnce(&RunRecord) -> T,
) -> Result<(Trial, T), RunnerError> {
    let record = runner.run(plan)?;
    let (runs, difference) = match repeat {
        Repeat::Baseline => (1, None),
        Repeat::EveryRun => (2, compare(&record, &runner.run(plan)?)),
    };
    let seen = look(&record);
    let difference = difference.map(Box::new);
    Ok((Trial { runs, difference, ..judge(record, baseline) }, seen))
}

/// Makes a run, or two to compare, and judges it.
pub(crate) fn try_plan(
    runner: &mut dyn Runner,
    plan: &Plan,
    baseline: &RunRecord,
    repeat: Repeat,
) -> Result<Trial, RunnerError> {
    try_plan_and(runner, plan, baseline, repeat, |_| ()).map(|(trial, ())| trial)
}

/// Judges the run of `record`.
pub(crate) fn judge(record: RunRecord, baseline: &RunRecord) -> Trial {
    let verdict = verdict(&record, Some(baseline));
    let mut properties = Properties::default();
    properties.add(&record);
    Trial {
        impact: Impact::of(&record, baseline),
        properties,
        fingerprint: record.fingerprint,
        runs: 1,
        difference: None,
        record: (verdict.outcome >= Outcome::Inconclusive).then(|| Box::new(record)),
        verdict,
    }
}

/// Keeps the difference of the run with the lowest number, whatever the order in which runs end.
#[derive(Default)]
pub(crate) struct EarliestDifference(Option<(usize, Box<Difference>)>);

impl EarliestDifference {
    pub(crate) fn offer(&mut self, index: usize, difference: Option<Box<Difference>>) {
        let Some(difference) = difference else { return };
        if self.0.as_ref().is_none_or(|(known, _)| index < *known) {
            self.0 = Some((index, difference));
        }
    }

    pub(crate) fn take(self) -> Option<Difference> {
        self.0.map(|(_, difference)| *difference)
    }
}
