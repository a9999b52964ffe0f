//! One run of an exploration, and what is kept of it.

use bizarro_record::{Injection, Plan, RunRecord};

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

/// Makes the run of each plan that is `plan` with one of these faults, or two to compare, and judges it; `look` takes
/// what else is wanted of its record.
pub(crate) fn try_branches<T>(
    runner: &mut dyn Runner,
    (plan, faults): (&Plan, &[Injection]),
    baseline: &RunRecord,
    repeat: Repeat,
    look: impl Fn(&RunRecord) -> T,
    done: &mut dyn FnMut(usize, (Trial, T)),
) -> Result<(), RunnerError> {
    let mut firsts = Vec::new();
    runner.run_branches(plan, faults, &mut |place, record| match repeat {
        Repeat::Baseline => {
            let seen = look(&record);
            done(place, (judge(record, baseline), seen));
        }
        Repeat::EveryRun => firsts.push((place, record)),
    })?;
    for (place, record) in firsts {
        let again = runner.run(&record.plan)?;
        let seen = look(&record);
        done(place, (judge_twice(record, &again, baseline), seen));
    }
    Ok(())
}

/// Makes a run, or two to compare, and judges it.
pub(crate) fn try_plan(
    runner: &mut dyn Runner,
    plan: &Plan,
    baseline: &RunRecord,
    repeat: Repeat,
) -> Result<Trial, RunnerError> {
    let record = runner.run(plan)?;
    Ok(match repeat {
        Repeat::Baseline => judge(record, baseline),
        Repeat::EveryRun => judge_twice(record, &runner.run(plan)?, baseline),
    })
}

/// Judges a run that was made twice.
fn judge_twice(record: RunRecord, again: &RunRecord, baseline: &RunRecord) -> Trial {
    let difference = compare(&record, again).map(Box::new);
    Trial { runs: 2, difference, ..judge(record, baseline) }
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
