//! Sets to which is added and which are read as a whole: whether each element is seen from when it was
//! known to be there. (Jepsen's `set-full`.)

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::{Findings, Rule, done, may_have_happened};
use crate::history::History;
use crate::model::{SetCall, SetReply};

/// Whether a read may miss what is in the set, as long as later reads do not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Staleness {
    /// It may: the set is eventually consistent.
    Allowed,
    /// It may not.
    #[default]
    Refused,
}

/// An element is known from the end of its addition or of the first read that saw it. Every read that
/// begins later has to contain it: where a later read does again, the one that does not is *stale*, and
/// otherwise the element is *lost*. No read contains what was not added, or anything twice.
///
/// Elements that are removed anywhere in the history are not looked at.
pub fn set_full<V: Ord + Debug>(
    history: &History<SetCall<V>, SetReply<V>>,
    staleness: Staleness,
) -> Findings {
    let mut findings = Findings::default();
    let mut elements = elements(history);
    let mut reads = Vec::new();
    for it in done(history) {
        let SetReply::Members(members) = it.reply else { continue };
        let number = reads.len() as u32;
        reads.push((it.index, it.invoked));
        for member in members {
            let element = elements.entry(member).or_default();
            let added = element.added.is_some_and(|(_, invoked)| invoked < it.ended);
            if !added && !element.removed {
                findings.add(Rule::NoCreation, &[it.index], || {
                    format!("the read contains {member:?}, which nobody had added")
                });
            }
            if element.seen_by.last() == Some(&number) {
                findings.add(Rule::NoDuplicate, &[it.index], || {
                    format!("the read contains {member:?} twice")
                });
                continue;
            }
            element.seen_by.push(number);
            element.know(it.index, it.ended);
        }
    }
    let mut elements: Vec<(&V, Element)> = elements.into_iter().collect();
    elements.sort_unstable_by_key(|(_, element)| element.known);
    for (value, element) in elements.iter().filter(|(_, element)| !element.removed) {
        missing(&mut findings, value, element, &reads, staleness);
    }
    findings
}

/// What is known of an element.
#[derive(Default)]
struct Element {
    /// The operation that may have added it first, and where that was invoked.
    added: Option<(u32, u32)>,
    removed: bool,
    /// The event from which it is known, and its operation.
    known: Option<(u32, u32)>,
    /// The reads that contain it, by their numbers.
    seen_by: Vec<u32>,
}

impl Element {
    fn know(&mut self, index: u32, ended: u32) {
        let earlier = (ended, index);
        self.known = Some(self.known.map_or(earlier, |known| known.min(earlier)));
    }
}

fn elements<V: Ord>(history: &History<SetCall<V>, SetReply<V>>) -> BTreeMap<&V, Element> {
    let mut elements: BTreeMap<&V, Element> = BTreeMap::new();
    for (index, it) in history.operations().iter().enumerate() {
        let index = index as u32;
        match &it.call {
            SetCall::Add(value) if may_have_happened(it) => {
                let element = elements.entry(value).or_default();
                element.added.get_or_insert((index, it.invoked.position));
                if let (Some(_), Some(ended)) = (it.outcome.reply(), it.ended) {
                    element.know(index, ended.position);
                }
            }
            SetCall::Remove(value) => elements.entry(value).or_default().removed = true,
            SetCall::Add(_) | SetCall::Contains(_) | SetCall::Read => {}
        }
    }
    elements
}

/// Finds the last read that misses an element which was known when it began.
fn missing<V: Debug>(
    findings: &mut Findings,
    value: &V,
    element: &Element,
    reads: &[(u32, u32)],
    staleness: Staleness,
) {
    let Some((known, by)) = element.known else { return };
    // Reads are in the order of their invocations.
    let first = reads.partition_point(|(_, invoked)| *invoked < known) as u32;
    let mut misses = reads.len() as u32;
    for seen in element.seen_by.iter().rev() {
        if seen + 1 != misses {
            break;
        }
        misses = *seen;
    }
    let Some(misses) = misses.checked_sub(1).filter(|misses| *misses >= first) else { return };
    let miss = reads[misses as usize].0;
    match reads.get(misses as usize + 1) {
        None => findings
            .add(Rule::NothingLost, &[by, miss], || format!("{value:?} was there, and is lost")),
        Some((again, _)) if staleness == Staleness::Refused => {
            findings.add(Rule::NothingStale, &[by, miss, *again], || {
                format!("{value:?} was there, was not there, and was there again")
            });
        }
        Some(_) => {}
    }
}
