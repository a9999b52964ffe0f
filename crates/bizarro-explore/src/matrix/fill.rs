//! Fills the cells: faults that strike once, then sticky ones, then pairs.

use std::collections::{BTreeMap, BTreeSet};

use bizarro_record::{Event, Exchange, Injection, Lasting, Plan, RunRecord};

use super::{MatrixOptions, MatrixReport, pairs};
use crate::cells::{Cell, cells, interrupt, same_as_once};
use crate::finding::{Findings, Place};
use crate::job::{EarliestDifference, try_branches};
use crate::pool::{Coverage, run_groups};
use crate::progress::{Phase, Progress};
use crate::runner::{RunnerError, Runners};
use crate::self_check::compare;
use crate::shrink::shrink_all;
use crate::verdict::Outcome;

/// A run of the matrix.
pub(super) struct Slot {
    /// Its cell and variant in the report; of a pair of faults there is none.
    pub(super) place: Option<(usize, usize)>,
    pub(super) plan: Plan,
}

/// What is wanted of a run for those that come after it.
pub(super) struct Seen {
    pub(super) outcome: Outcome,
    /// Whether the client made the struck call again.
    is_tried_again: bool,
    /// The exchanges from the struck one on, where pairs are wanted.
    pub(super) exchanges: Vec<Exchange>,
}

/// The exploration so far.
pub(super) struct Filling<'a> {
    pub(super) report: &'a mut MatrixReport,
    pub(super) options: MatrixOptions,
    pub(super) progress: &'a mut dyn Progress,
    findings: Findings,
    difference: EarliestDifference,
    fingerprints: BTreeSet<u64>,
    /// Runs of the phases before.
    numbered: usize,
}

/// Fills the cells of the report.
pub(super) fn explore(
    report: &mut MatrixReport,
    runners: Runners<'_>,
    options: MatrixOptions,
    progress: &mut dyn Progress,
) -> Result<(), RunnerError> {
    let (model, lasting) = (options.model, options.lasting.all());
    let baseline = &report.baseline;
    report.cells = baseline.exchanges.iter().flat_map(|e| cells(e, model, lasting)).collect();
    let mut filling = Filling {
        fingerprints: BTreeSet::from([baseline.fingerprint]),
        report,
        options,
        progress,
        findings: Findings::default(),
        difference: EarliestDifference::default(),
        numbered: 0,
    };
    let coverage = filling.phases(runners)?;
    let Filling { report, findings, difference, fingerprints, progress, .. } = filling;
    report.interrupted = coverage == Coverage::Interrupted;
    report.distinct = fingerprints.len() as u64;
    report.findings = findings.into_sorted();
    report.difference = difference.take();
    if !report.interrupted {
        let found = std::mem::take(&mut report.findings);
        let (shrunk, runs, coverage) =
            shrink_all(runners, found, &report.baseline, model, progress)?;
        report.findings = shrunk;
        report.runs += runs;
        report.interrupted = coverage == Coverage::Interrupted;
    }
    Ok(())
}

impl Filling<'_> {
    fn phases(&mut self, runners: Runners<'_>) -> Result<Coverage, RunnerError> {
        let once = self.slots(Lasting::Once);
        // And the baseline at the end.
        self.progress.begin(Phase::Matrix, once.len() as u64 + 1);
        let (coverage, seen) = self.run(runners, &once)?;
        let sticky = self.sticky(&once, &seen);
        if coverage == Coverage::Interrupted {
            self.interrupt(&sticky);
            return Ok(coverage);
        }
        if !sticky.is_empty() {
            self.progress.begin(Phase::Sticky, sticky.len() as u64);
            if self.run(runners, &sticky)?.0 == Coverage::Interrupted {
                return Ok(Coverage::Interrupted);
            }
        }
        if self.options.pairs > 0 {
            return pairs::explore(self, runners, &once, seen);
        }
        Ok(Coverage::Complete)
    }

    /// Makes the runs of one phase.
    pub(super) fn run(
        &mut self,
        runners: Runners<'_>,
        slots: &[Slot],
    ) -> Result<(Coverage, Vec<Option<Seen>>), RunnerError> {
        let baseline = self.report.baseline.clone();
        let (repeat, wants_pairs) = (self.options.repeat, self.options.pairs > 0);
        let mut all: Vec<Option<Seen>> = slots.iter().map(|_| None).collect();
        let size = if self.options.forks.are_wanted(&baseline) { GROUP } else { 1 };
        let groups = groups(slots, size);
        let coverage = run_groups(
            runners,
            groups.len(),
            |runner, index, done| {
                let Group { plan, faults, slots } = &groups[index];
                let look = |record: &RunRecord| look(record, wants_pairs);
                let mut done = |place: usize, trial| done(slots[place], trial);
                try_branches(runner, (plan, faults), &baseline, repeat, look, &mut done)
            },
            |index, (mut trial, mut seen)| {
                let slot = &slots[index];
                let number = self.numbered + index;
                self.progress.ran(&slot.plan, &trial.verdict);
                seen.outcome = trial.verdict.outcome;
                all[index] = Some(seen);
                if let Some((cell, variant)) = slot.place {
                    let variant = &mut self.report.cells[cell].variants[variant];
                    variant.verdict = trial.verdict.clone();
                    variant.impact = Some(trial.impact);
                }
                self.report.properties.merge(&trial.properties);
                self.report.runs += trial.runs;
                self.fingerprints.insert(trial.fingerprint);
                self.difference.offer(number, trial.difference.take());
                self.findings.add(number, Place::of(&slot.plan), trial);
            },
        )?;
        self.numbered += slots.len();
        let missed = slots.iter().zip(&all).filter(|(_, seen)| seen.is_none());
        for (cell, variant) in missed.filter_map(|(slot, _)| slot.place) {
            interrupt(&mut self.report.cells[cell].variants[variant]);
        }
        Ok((coverage, all))
    }

    /// The variants that need a run, in the order of the report, with their plans.
    fn slots(&self, lasting: Lasting) -> Vec<Slot> {
        let mut slots = Vec::new();
        for (at, cell) in self.report.cells.iter().enumerate() {
            for (nth, variant) in cell.variants.iter().enumerate() {
                if variant.lasting == lasting && variant.skip.is_none() {
                    let plan = plan_of(cell, nth, &self.report.baseline.plan);
                    slots.push(Slot { place: Some((at, nth)), plan });
                }
            }
        }
        slots
    }

    /// The sticky faults that need a run: until there is a second attempt, a sticky fault is one that strikes once. The
    /// others get the verdict that is known.
    fn sticky(&mut self, once: &[Slot], seen: &[Option<Seen>]) -> Vec<Slot> {
        let mut sticky = self.slots(Lasting::Sticky);
        let known = once
            .iter()
            .zip(seen)
            .filter(|(_, seen)| seen.as_ref().is_some_and(|seen| !seen.is_tried_again));
        for (at, nth) in known.filter_map(|(slot, _)| slot.place) {
            let variants = &mut self.report.cells[at].variants;
            let once = variants[nth].clone();
            let other = variants
                .iter()
                .position(|v| v.lasting == Lasting::Sticky && v.effect == once.effect);
            let Some(other) = other else { continue };
            same_as_once(&mut variants[other], &once);
            self.report.pruned += 1;
            sticky.retain(|slot| slot.place != Some((at, other)));
        }
        sticky
    }

    fn interrupt(&mut self, slots: &[Slot]) {
        for (cell, variant) in slots.iter().filter_map(|slot| slot.place) {
            interrupt(&mut self.report.cells[cell].variants[variant]);
        }
    }
}

fn plan_of(cell: &Cell, variant: usize, baseline: &Plan) -> Plan {
    let variant = &cell.variants[variant];
    let once = Injection::once(cell.exchange.clone(), cell.step, variant.effect);
    let injection = Injection { lasting: variant.lasting, ..once };
    Plan { injections: vec![injection], ..baseline.clone() }
}

/// Runs that begin alike.
struct Group {
    /// What they have in common.
    plan: Plan,
    /// The last fault of each.
    faults: Vec<Injection>,
    /// Their numbers.
    slots: Vec<usize>,
}

/// Runs of a group, at most: with more of them a runner would have nothing to do while another one has.
const GROUP: usize = 24;

/// Puts runs together whose plans differ in their last fault only, at most `size` of them.
fn groups(slots: &[Slot], size: usize) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut last: BTreeMap<String, usize> = BTreeMap::new();
    for (number, slot) in slots.iter().enumerate() {
        let mut plan = slot.plan.clone();
        let fault = plan.injections.pop().expect("a run of the matrix has a fault");
        let key = plan.to_string();
        let open = last.get(&key).copied().filter(|at| groups[*at].slots.len() < size);
        let at = open.unwrap_or_else(|| {
            groups.push(Group { plan, faults: Vec::new(), slots: Vec::new() });
            groups.len() - 1
        });
        groups[at].faults.push(fault);
        groups[at].slots.push(number);
        last.insert(key, at);
    }
    groups
}

/// Looks at the run of a plan with a fault.
fn look(record: &RunRecord, wants_exchanges: bool) -> Seen {
    let struck = &record.plan.injections[0].at;
    let is_later = |exchange: &Exchange| {
        let at = &exchange.id;
        at.ordinal > struck.ordinal
            && (&at.client, &at.server, &at.name) == (&struck.client, &struck.server, &struck.name)
    };
    let strike = record.events.iter().find(|s| matches!(s.event, Event::Struck { .. }));
    let from = record.exchanges.iter().position(|exchange| exchange.id == *struck);
    let exchanges = match (wants_exchanges && strike.is_some(), from) {
        (true, Some(from)) => record.exchanges[from..].to_vec(),
        _ => vec![],
    };
    Seen {
        outcome: Outcome::NotApplicable,
        is_tried_again: record.exchanges.iter().any(is_later),
        exchanges,
    }
}

/// Makes the baseline once more, after all the other runs: what one of them left behind would show.
pub(super) fn afterwards(
    report: &mut MatrixReport,
    runners: Runners<'_>,
    progress: &mut dyn Progress,
) -> Result<(), RunnerError> {
    let runner = runners.first_mut().expect("an exploration needs a runner");
    let again = match runner.run(&report.baseline.plan) {
        Ok(again) => again,
        Err(RunnerError::Interrupted) => {
            report.interrupted = true;
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    progress.ran(&again.plan, &report.baseline_verdict);
    report.runs += 1;
    report.difference = compare(&report.baseline, &again);
    Ok(())
}
