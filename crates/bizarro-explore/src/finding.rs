//! Findings: failing runs of one kind, told once.

use std::collections::BTreeMap;

use bizarro_record::{Plan, RunRecord};
use serde::{Deserialize, Serialize};

use crate::job::Trial;
use crate::measure::Impact;
use crate::verdict::{Outcome, Verdict};

/// Where a run was disturbed, as far as it matters for its kind: the same mistake of a program shows
/// at many steps and at every repetition of a request.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Nothing was disturbed.
    Baseline,
    /// The order in which tasks run.
    Schedule,
    /// An exchange between these hosts, of this name.
    Exchange {
        /// The host that asks.
        client: String,
        /// The host that is asked.
        server: String,
        /// What is asked.
        name: String,
    },
}

/// Failing runs that break the same properties at the same kind of place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// Where they were disturbed.
    pub place: Place,
    /// The properties that they break, sorted; none where the runs are inconclusive.
    pub properties: Vec<String>,
    /// The plans of all of them, in order.
    pub plans: Vec<Plan>,
    /// The verdict of the representative: the run with the fewest faults, and of these the earliest.
    pub verdict: Verdict,
    /// What the representative's faults did, in numbers.
    pub impact: Impact,
    /// The representative.
    pub record: RunRecord,
}

impl Finding {
    /// The plan of the representative.
    pub fn plan(&self) -> &Plan {
        &self.record.plan
    }

    /// Whether something is broken; else the runs are inconclusive.
    pub fn is_failure(&self) -> bool {
        self.verdict.outcome.is_failure()
    }
}

/// Gathers findings from runs that come in any order.
#[derive(Default)]
pub(crate) struct Findings {
    kinds: BTreeMap<(Outcome, Place, Vec<String>), Kind>,
}

struct Kind {
    plans: Vec<(usize, Plan)>,
    /// Fewest faults, then the lowest number.
    rank: (usize, usize),
    verdict: Verdict,
    impact: Impact,
    record: Box<RunRecord>,
}

impl Findings {
    /// Adds the run with number `index` where something is broken or in doubt in it.
    pub(crate) fn add(&mut self, index: usize, place: Place, trial: Trial) {
        let Some(record) = trial.record else { return };
        let plan = record.plan.clone();
        let rank = (plan.injections.len(), index);
        let outcome = trial.verdict.outcome;
        let mut properties: Vec<String> = match outcome {
            Outcome::Inconclusive => vec![],
            _ => trial.verdict.properties().map(str::to_string).collect(),
        };
        properties.sort();
        let kind = self.kinds.entry((outcome, place, properties)).or_insert_with(|| Kind {
            plans: vec![],
            rank,
            verdict: trial.verdict.clone(),
            impact: trial.impact,
            record: record.clone(),
        });
        kind.plans.push((index, plan));
        if rank < kind.rank {
            kind.rank = rank;
            kind.verdict = trial.verdict;
            kind.impact = trial.impact;
            kind.record = record;
        }
    }

    /// The findings, the worst outcome first, and in the order of their representatives.
    pub(crate) fn into_sorted(self) -> Vec<Finding> {
        let mut kinds: Vec<_> = self.kinds.into_iter().collect();
        kinds.sort_by_key(|((outcome, ..), kind)| (std::cmp::Reverse(*outcome), kind.rank));
        kinds
            .into_iter()
            .map(|((_, place, properties), mut kind)| {
                kind.plans.sort_by_key(|(index, _)| *index);
                Finding {
                    place,
                    properties,
                    plans: kind.plans.into_iter().map(|(_, plan)| plan).collect(),
                    verdict: kind.verdict,
                    impact: kind.impact,
                    record: *kind.record,
                }
            })
            .collect()
    }
}
