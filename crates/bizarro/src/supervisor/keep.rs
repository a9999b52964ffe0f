//! Keeps runs of an exploration for its report, as many as fit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bizarro_explore::{Runner, RunnerError, verdict};
use bizarro_record::{Injection, Plan, RunRecord};

use super::runner::{TestCase, WorldRunner};

/// Runs are kept until they have this many events together: some tens of megabytes.
const EVENTS_MAX: usize = 300_000;

/// The runs that are kept, shared by all runners. Nothing is kept where nobody asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keep(Option<Arc<Mutex<Kept>>>);

/// Which runs a reader wants most: those that break something, then those of the first exchanges; the plan's
/// text decides among the rest, so that what is kept does not depend on the order in which runs end.
type Rank = (bool, u32, String);

#[derive(Debug, Default)]
struct Kept {
    runs: BTreeMap<Rank, RunRecord>,
    events: usize,
    /// The best rank that ever had to go: nothing from there on is kept.
    end: Option<Rank>,
}

impl Keep {
    /// Keeps runs if there will be a report.
    pub(crate) fn for_reports(wanted: bool) -> Keep {
        Keep(wanted.then(Arc::default))
    }

    /// The runs, by their plans' texts.
    pub(crate) fn into_runs(self) -> BTreeMap<String, RunRecord> {
        let Some(kept) = self.0 else { return BTreeMap::new() };
        let runs = std::mem::take(&mut lock(&kept).runs);
        runs.into_iter().map(|((.., plan), record)| (plan, record)).collect()
    }

    fn offer(&self, record: &RunRecord) {
        if let (Some(kept), Some(injection)) = (&self.0, record.plan.injections.first()) {
            let holds = !verdict(record, None).outcome.is_failure();
            lock(kept).add((holds, injection.at.ordinal, record.plan.to_string()), record);
        }
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    fn add(&mut self, rank: Rank, record: &RunRecord) {
        if self.end.as_ref().is_some_and(|end| rank >= *end) || self.runs.contains_key(&rank) {
            return;
        }
        self.events += record.events.len();
        self.runs.insert(rank, record.clone());
        while self.events > EVENTS_MAX
            && let Some((rank, record)) = self.runs.pop_last()
        {
            self.events -= record.events.len();
            self.end = Some(rank);
        }
    }
}

/// Makes runs, and offers each to be kept.
#[derive(Debug)]
pub(crate) struct Keeping {
    runner: WorldRunner,
    keep: Keep,
}

impl Keeping {
    pub(crate) fn new(test: Arc<TestCase>, keep: &Keep) -> Keeping {
        Keeping { runner: WorldRunner::new(test), keep: keep.clone() }
    }
}

impl Runner for Keeping {
    fn run(&mut self, plan: &Plan) -> Result<RunRecord, RunnerError> {
        let record = self.runner.run(plan)?;
        self.keep.offer(&record);
        Ok(record)
    }

    fn run_branches(
        &mut self,
        plan: &Plan,
        faults: &[Injection],
        each: &mut dyn FnMut(usize, RunRecord),
    ) -> Result<(), RunnerError> {
        self.runner.run_branches(plan, faults, &mut |place, record| {
            self.keep.offer(&record);
            each(place, record);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::fixtures;
    use bizarro_record::{Event, Nanos, Stamped};

    fn run(ordinal: u32, events: usize) -> RunRecord {
        let mut record = fixtures::record();
        record.plan = format!("a>b GET / #{ordinal} deliver-reply=lost").parse().unwrap();
        let note = |n| Stamped {
            at: Nanos(n),
            host: 0,
            tid: 0,
            event: Event::Note { text: String::new() },
        };
        record.events = (0..events as u64).map(note).collect();
        record
    }

    fn kept(order: &[(u32, usize)]) -> Vec<String> {
        let keep = Keep::for_reports(true);
        order.iter().for_each(|(ordinal, events)| keep.offer(&run(*ordinal, *events)));
        keep.into_runs().into_keys().collect()
    }

    /// The second is too large beside the first, and the third would fit; but then what is kept would depend
    /// on which of them came first.
    #[test]
    fn the_order_of_runs_does_not_matter() {
        let runs = [(1, EVENTS_MAX / 2), (2, EVENTS_MAX / 2 + 1), (3, 1)];
        let first = ["a>b GET / #1 deliver-reply=lost"];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            assert_eq!(kept(&order.map(|index| runs[index])), first);
        }
        assert_eq!(kept(&[(1, 1), (2, 1), (3, 1)]).len(), 3);
    }

    #[test]
    fn nothing_is_kept_where_nobody_asked() {
        let keep = Keep::for_reports(false);
        keep.offer(&run(1, 1));
        assert!(keep.into_runs().is_empty());
    }
}
