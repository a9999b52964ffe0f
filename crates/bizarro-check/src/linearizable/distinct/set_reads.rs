//! A set that is only added to, every value once, and read whole. Then reads are in the order of what they
//! saw, each contains all that the one before it does, and a value comes between the reads that do not have it
//! and those that do. So all operations are in classes whose order is known, and only time can be against it.

use super::{Decision, Span, contradiction};
use crate::history::History;
use crate::model::SetUse;

/// None where something else is done, or a value is added twice.
pub(super) fn decide<C, R>(
    spans: &[Span],
    uses: &[SetUse],
    history: &History<C, R>,
) -> Option<Decision> {
    let mut adds: Vec<Option<Span>> = Vec::new();
    let mut reads: Vec<(&[u32], Span)> = Vec::new();
    for (span, it) in spans.iter().zip(uses) {
        match it {
            SetUse::Add(value, None | Some(true)) => {
                adds.resize(adds.len().max(*value as usize + 1), None);
                if adds[*value as usize].replace(*span).is_some() {
                    return None;
                }
            }
            SetUse::Read(Some(seen)) => reads.push((seen, *span)),
            SetUse::Read(None) | SetUse::Contains(_, None) => {}
            SetUse::Add(..) | SetUse::Remove(..) | SetUse::Contains(..) => return None,
        }
    }
    reads.sort_by_key(|(seen, _)| seen.len());
    Some(match in_order(&adds, &reads) {
        Ok(order) => Decision::Order(order),
        Err(operations) => contradiction(history, operations, []),
    })
}

/// The order of all; otherwise operations that contradict each other. Reads are in the order of how much they
/// saw.
fn in_order(adds: &[Option<Span>], reads: &[(&[u32], Span)]) -> Result<Vec<u32>, Vec<u32>> {
    // What is added first in a class of reads, and the reads.
    let mut classes: Vec<(Vec<Span>, Vec<Span>)> = Vec::new();
    let mut is_seen = vec![false; adds.len()];
    let mut before: Option<(&[u32], Span)> = None;
    for (seen, read) in reads {
        let known = before.map_or(&[][..], |(known, _)| known);
        if !is_subset(known, seen) {
            let other = before.expect("nothing is a subset of everything").1;
            return Err(vec![other.operation, read.operation]);
        }
        if before.is_none() || known.len() < seen.len() {
            let mut added = Vec::new();
            for value in *seen {
                let Some(Some(add)) = adds.get(*value as usize) else {
                    return Err(vec![read.operation]);
                };
                if !std::mem::replace(&mut is_seen[*value as usize], true) {
                    added.push(*add);
                }
            }
            classes.push((added, Vec::new()));
        }
        classes.last_mut().expect("there is one by now").1.push(*read);
        before = Some((seen, *read));
    }
    let unseen = adds.iter().zip(is_seen).filter(|(_, seen)| !seen).filter_map(|(add, _)| *add);
    // What is unknown and was not seen need not have been.
    let unseen: Vec<Span> = unseen.filter(|it| it.ends != u32::MAX).collect();
    classes.push((unseen, Vec::new()));
    against_time(&classes)?;
    let mut order = Vec::new();
    for (mut adds, mut reads) in classes {
        for group in [&mut adds, &mut reads] {
            group.sort_unstable_by_key(|it| it.begins);
            order.extend(group.iter().map(|it| it.operation));
        }
    }
    Ok(order)
}

/// Looks for an operation that ended before one of an earlier class began.
fn against_time(classes: &[(Vec<Span>, Vec<Span>)]) -> Result<(), Vec<u32>> {
    let mut first: Option<Span> = None;
    for (adds, reads) in classes.iter().rev() {
        for (group, witness) in [(reads, None), (adds, reads.first())] {
            for it in group {
                if let Some(first) = first.filter(|first| first.ends < it.begins) {
                    let both = [first.operation, it.operation];
                    return Err(both.into_iter().chain(witness.map(|it| it.operation)).collect());
                }
            }
            first = first.into_iter().chain(group.iter().copied()).min_by_key(|it| it.ends);
        }
    }
    Ok(())
}

/// Of two sets, both in order.
fn is_subset(one: &[u32], other: &[u32]) -> bool {
    let mut other = other.iter();
    one.iter().all(|value| other.find(|it| *it >= value) == Some(value))
}
