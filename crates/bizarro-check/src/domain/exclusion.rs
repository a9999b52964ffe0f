//! Mutual exclusion.

use std::collections::BTreeMap;

use super::{Findings, Rule, done};
use crate::history::{History, Process};
use crate::model::MutexCall;

/// No process certainly holds the lock while another one certainly does: from the end of its acquisition to
/// the invocation of its release, whatever comes of that. A lock that is never released is held to the end.
pub fn mutual_exclusion(history: &History<MutexCall, ()>) -> Findings {
    let mut findings = Findings::default();
    let mut holds = holds(history);
    holds.sort_unstable_by_key(|hold| hold.from);
    // The one that lasts longest of those that began before.
    let mut longest: Option<Hold> = None;
    for hold in holds {
        if let Some(earlier) = longest.filter(|earlier| earlier.to > hold.from) {
            findings.add(Rule::MutualExclusion, &[earlier.index, hold.index], || {
                let (one, other) = (earlier.process, hold.process);
                format!("process {other} acquired the lock while process {one} held it")
            });
        }
        longest = longest.filter(|earlier| earlier.to >= hold.to).or(Some(hold));
    }
    findings
}

/// Positions between which a process certainly holds the lock, and the index of its acquisition.
#[derive(Clone, Copy)]
struct Hold {
    index: u32,
    process: Process,
    from: u32,
    to: u32,
}

fn holds(history: &History<MutexCall, ()>) -> Vec<Hold> {
    let mut releases: BTreeMap<Process, Vec<u32>> = BTreeMap::new();
    for it in history.operations().iter().filter(|it| it.call == MutexCall::Release) {
        releases.entry(it.process).or_default().push(it.invoked.position);
    }
    done(history)
        .filter(|it| it.operation.call == MutexCall::Acquire)
        .map(|it| {
            let process = it.operation.process;
            let of_process = releases.get(&process).map_or(&[][..], Vec::as_slice);
            let next = of_process.partition_point(|release| *release < it.ended);
            let to = of_process.get(next).copied().unwrap_or(u32::MAX);
            Hold { index: it.index, process, from: it.ended, to }
        })
        .collect()
}
