//! The self-check: the same plan twice has to give the same run.

use bizarro_record::{Ending, Plan, RunRecord, Stamped};
use serde::{Deserialize, Serialize};

use crate::runner::{Runner, RunnerError};

/// How many common events are shown before the first difference.
const CONTEXT: usize = 5;

/// How two runs of one plan differ: nondeterminism that Bizarro did not tame.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Difference {
    /// The plan of both runs.
    pub plan: Plan,
    /// Names of the hosts, by index.
    pub hosts: Vec<String>,
    /// The fingerprints of the first and the second run.
    pub fingerprints: [u64; 2],
    /// Where the runs part.
    pub first: FirstDifference,
}

/// Where two runs of one plan part.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirstDifference {
    /// At an event.
    Event {
        /// Position in both sequences of events, from 0.
        index: usize,
        /// The common events just before.
        before: Vec<Stamped>,
        /// The event of each run; absent where that run had no more.
        sides: [Option<Box<Stamped>>; 2],
    },
    /// Their events are equal, and they end in different ways.
    Ending {
        /// The ending of each run.
        sides: Box<[Ending; 2]>,
    },
    /// Everything recorded is equal, and the fingerprints differ: an effect that leaves no event.
    Hidden,
}

/// Runs `plan` twice; gives the first record, and how the second differs.
pub fn self_check(
    runner: &mut dyn Runner,
    plan: &Plan,
) -> Result<(RunRecord, Option<Difference>), RunnerError> {
    let first = runner.run(plan)?;
    let second = runner.run(plan)?;
    let difference = compare(&first, &second);
    Ok((first, difference))
}

/// How two records of one plan differ, or `None` where they are the same run.
///
/// A run that was lost, or stopped for spinning, ended at a moment of real time: it is compared with
/// nothing.
pub fn compare(first: &RunRecord, second: &RunRecord) -> Option<Difference> {
    let timed = |r: &RunRecord| matches!(r.ending, Ending::Lost { .. } | Ending::Spinning { .. });
    if timed(first) || timed(second) {
        return None;
    }
    Some(Difference {
        plan: first.plan.clone(),
        hosts: first.hosts.clone(),
        fingerprints: [first.fingerprint, second.fingerprint],
        first: first_difference(first, second)?,
    })
}

fn first_difference(first: &RunRecord, second: &RunRecord) -> Option<FirstDifference> {
    let (a, b) = (&first.events, &second.events);
    let common = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    if common < a.len().max(b.len()) {
        let side = |events: &[Stamped]| events.get(common).cloned().map(Box::new);
        return Some(FirstDifference::Event {
            index: common,
            before: a[common.saturating_sub(CONTEXT)..common].to_vec(),
            sides: [side(a), side(b)],
        });
    }
    if first.ending != second.ending {
        let sides = Box::new([first.ending.clone(), second.ending.clone()]);
        return Some(FirstDifference::Ending { sides });
    }
    (first.fingerprint != second.fingerprint).then_some(FirstDifference::Hidden)
}
