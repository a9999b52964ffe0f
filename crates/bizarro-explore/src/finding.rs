//! Findings: failing runs of one kind, told once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use bizarro_record::{Effect, Injection, Lasting, Plan, RunRecord};
use serde::{Deserialize, Serialize};

use crate::job::Trial;
use crate::measure::Impact;
use crate::shrink::{Shrunk, Smallest};
use crate::verdict::{Outcome, Verdict};

/// Where a run was disturbed, as far as it matters for its kind: the same mistake of a program shows
/// at many steps and at every repetition of a request.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Nothing was disturbed.
    Baseline,
    /// The order in which tasks run, or how long packets take.
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
    /// A dependency was missing.
    Dependency {
        /// The host, or group, that asks.
        client: String,
        /// The host, or group, that is asked.
        server: String,
    },
    /// Something went wrong with a host, its disk or its clock, or the network around it.
    Trouble {
        /// What, as plans name it: `power-off db`.
        trouble: String,
    },
}

impl Place {
    /// Where a plan disturbs its run.
    pub fn of(plan: &Plan) -> Place {
        let undisturbed = Plan { injections: vec![], faults: None, ..plan.clone() };
        if let (Some(removal), true) = (plan.removals.first(), plan.injections.is_empty()) {
            let (client, server) = (removal.client.clone(), removal.server.clone());
            return Place::Dependency { client, server };
        }
        if let (Some(incident), true) = (plan.incidents.first(), plan.injections.is_empty()) {
            return Place::Trouble { trouble: incident.trouble.to_string() };
        }
        match plan.injections.first() {
            Some(injection) => Place::Exchange {
                client: injection.at.client.clone(),
                server: injection.at.server.clone(),
                name: injection.at.name.clone(),
            },
            None if undisturbed == Plan::default() => Place::Baseline,
            None => Place::Schedule,
        }
    }
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
    /// How the representative was shrunk from one of [`plans`](Finding::plans), if it was.
    pub shrunk: Option<Shrunk>,
}

impl Finding {
    /// The plan of the representative.
    pub fn plan(&self) -> &Plan {
        &self.record.plan
    }

    /// Puts a shrunk run in the place of the representative.
    pub(crate) fn replace(&mut self, smallest: Smallest, baseline: &RunRecord) {
        self.place = Place::of(&smallest.record.plan);
        self.impact = Impact::of(&smallest.record, baseline);
        self.verdict = smallest.verdict;
        self.record = smallest.record;
        self.shrunk = Some(smallest.shrunk);
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

/// Fewest faults, then fewest deviations from the fair schedule, then fewest that need explaining, then the lowest number.
type Rank = (usize, usize, usize, usize);

struct Kind {
    plans: Vec<(usize, Plan)>,
    rank: Rank,
    verdict: Verdict,
    impact: Impact,
    record: Box<RunRecord>,
    shrunk: Option<Shrunk>,
}

impl Findings {
    /// Adds the run with number `index` where something is broken or in doubt in it.
    pub(crate) fn add(&mut self, index: usize, place: Place, trial: Trial) {
        let Some(record) = trial.record else { return };
        let plan = record.plan.clone();
        let rank = rank(&plan, index);
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
            shrunk: None,
        });
        kind.plans.push((index, plan));
        if rank < kind.rank {
            kind.rank = rank;
            kind.verdict = trial.verdict;
            kind.impact = trial.impact;
            kind.record = record;
        }
    }

    /// Adds a finding that is made already; `index` is its place among its like.
    pub(crate) fn add_finding(&mut self, index: usize, finding: Finding) {
        let rank = rank(finding.plan(), index);
        let key = (finding.verdict.outcome, finding.place, finding.properties);
        let new = Kind {
            plans: finding.plans.into_iter().map(|plan| (index, plan)).collect(),
            rank,
            verdict: finding.verdict,
            impact: finding.impact,
            record: Box::new(finding.record),
            shrunk: finding.shrunk,
        };
        match self.kinds.entry(key) {
            Entry::Vacant(entry) => drop(entry.insert(new)),
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                let mut plans = std::mem::take(&mut known.plans);
                plans.extend(new.plans.iter().cloned());
                if new.rank < known.rank {
                    *known = new;
                }
                known.plans = plans;
            }
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
                    shrunk: kind.shrunk,
                }
            })
            .collect()
    }
}

fn rank(plan: &Plan, index: usize) -> Rank {
    // A crash at some system call is harder to picture than any other fault, and a sticky one than a transient one.
    let is_intricate = |fault: &&Injection| {
        fault.lasting == Lasting::Sticky || matches!(fault.effect, Effect::CrashAt(_))
    };
    let intricate = plan.injections.iter().filter(is_intricate).count();
    (
        plan.injections.len() + plan.removals.len() + plan.incidents.len(),
        plan.deviations.len(),
        intricate,
        index,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::try_plan;
    use crate::matrix::Repeat;
    use crate::toy::{Player, Toy};
    use bizarro_record::Step;
    use proptest::prelude::*;

    /// Runs of the naive player with up to two faults, numbered.
    fn trials(plans: &[Plan]) -> Vec<(usize, Place, Trial)> {
        let mut toy = Toy::new(Player::Naive);
        let baseline = toy.play(&Plan::default());
        plans
            .iter()
            .enumerate()
            .map(|(index, plan)| {
                let trial = try_plan(&mut toy, plan, &baseline, Repeat::Baseline).unwrap();
                (index, Place::Schedule, trial)
            })
            .collect()
    }

    fn found(trials: Vec<(usize, Place, Trial)>) -> Vec<Finding> {
        let mut findings = Findings::default();
        for (index, place, trial) in trials {
            findings.add(index, place, trial);
        }
        findings.into_sorted()
    }

    fn plans() -> impl Strategy<Value = Vec<Plan>> {
        let faults: Vec<(Step, Effect)> = Step::ALL
            .into_iter()
            .flat_map(|step| Effect::of(step).iter().map(move |effect| (step, *effect)))
            .collect();
        let injection = (1u32..4, any::<bool>(), prop::sample::select(faults)).prop_map(
            |(ordinal, moves, (step, effect))| {
                let name = if moves { "POST /move" } else { "GET /findAll" };
                let at = format!("player>board {name} #{ordinal}").parse().unwrap();
                Injection::once(at, step, effect)
            },
        );
        let plan = prop::collection::vec(injection, 0..3)
            .prop_map(|injections| Plan { injections, ..Plan::default() });
        prop::collection::vec(plan, 1..12)
    }

    proptest! {
        #[test]
        fn the_order_in_which_runs_end_does_not_matter(
            (plans, order) in plans().prop_flat_map(|plans| {
                let numbers: Vec<usize> = (0..plans.len()).collect();
                (Just(plans), Just(numbers).prop_shuffle())
            })
        ) {
            let in_order = found(trials(&plans));
            let mut numbered: Vec<_> = trials(&plans).into_iter().map(Some).collect();
            let shuffled = order.iter().map(|index| numbered[*index].take().unwrap()).collect();
            prop_assert_eq!(found(shuffled), in_order);
        }

        #[test]
        fn every_failing_run_is_in_one_finding_whose_representative_is_the_simplest(plans in plans()) {
            let failing = trials(&plans)
                .into_iter()
                .filter(|(_, _, trial)| trial.verdict.outcome.is_failure())
                .count();
            let findings = found(trials(&plans));
            prop_assert_eq!(findings.iter().map(|f| f.plans.len()).sum::<usize>(), failing);
            for finding in findings {
                let simplest = finding.plans.iter().map(|plan| plan.injections.len()).min();
                prop_assert_eq!(Some(finding.plan().injections.len()), simplest);
                let ranks = finding.plans.iter().enumerate().map(|(n, plan)| rank(plan, n));
                let first = ranks.min().map(|(.., n)| &finding.plans[n]);
                prop_assert_eq!(Some(finding.plan()), first);
            }
        }
    }
}
