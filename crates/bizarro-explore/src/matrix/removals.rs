//! Runs without a dependency.

use bizarro_record::{Declared, Plan};

use super::fill::Filling;
use crate::cells::Skip;
use crate::dependency::{Criticality, Loss, dependencies, plan_without};
use crate::finding::Place;
use crate::job::try_plan_and;
use crate::pool::{Coverage, run_all};
use crate::progress::Phase;
use crate::runner::{RunnerError, Runners};
use crate::verdict::Verdict;

/// Takes away each dependency of the baseline, in each way that the model allows.
pub(super) fn explore(
    filling: &mut Filling<'_>,
    runners: Runners<'_>,
) -> Result<Coverage, RunnerError> {
    let baseline = filling.report.baseline.clone();
    let options = &filling.options;
    let mut all = dependencies(&baseline, options.level, options.model, &options.non_critical);
    let slots: Vec<(usize, usize, Plan)> = all
        .iter()
        .enumerate()
        .flat_map(|(at, dependency)| {
            let wanted = dependency.removals.iter().enumerate().filter(|(_, r)| r.skip.is_none());
            wanted.map(move |(nth, removed)| (at, nth, &removed.removal))
        })
        .map(|(at, nth, removal)| (at, nth, plan_without(removal, &baseline.plan)))
        .collect();
    filling.progress.begin(Phase::Dependencies, slots.len() as u64);
    let repeat = options.repeat;
    let first = filling.numbered;
    let mut done = vec![false; slots.len()];
    let coverage = run_all(
        runners,
        slots.len(),
        |runner, index| {
            let plan = &slots[index].2;
            let loss = |record: &_| Loss::of(record, &baseline, &plan.removals[0]);
            try_plan_and(runner, plan, &baseline, repeat, loss)
        },
        |index, (mut trial, loss)| {
            let (at, nth, plan) = &slots[index];
            done[index] = true;
            all[*at].removals[*nth].judge(trial.verdict.clone(), trial.impact, loss);
            filling.report.runs += trial.runs;
            filling.fingerprints.insert(trial.fingerprint);
            filling.difference.offer(first + index, trial.difference.take());
            // Only what has to hold without the server can be broken by its absence.
            if all[*at].declared == Declared::Nothing {
                filling.progress.ran(plan, &Verdict::held());
            } else {
                filling.progress.ran(plan, &trial.verdict);
                filling.report.properties.merge(&trial.properties);
                filling.findings.add(first + index, Place::of(plan), trial);
            }
        },
    )?;
    filling.numbered += slots.len();
    for ((at, nth, _), _) in slots.iter().zip(&done).filter(|(_, done)| !**done) {
        let removed = &mut all[*at].removals[*nth];
        removed.skip = Some(Skip::Interrupted);
        removed.criticality = Some(Criticality::Unknown);
    }
    filling.report.dependencies = all;
    Ok(coverage)
}
