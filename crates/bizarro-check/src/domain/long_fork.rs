//! Long forks: two readers see two independent writes in different orders, which parallel snapshot isolation
//! allows and snapshot isolation does not (Y. Sovran et al., *Transactional storage for geo-replicated
//! systems*, 2011).

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::{Findings, Rule, done};
use crate::history::History;
use crate::model::Access;

/// Of reads of the same registers, each sees all that the other sees, or the other way round. This holds
/// where every register is written once and begins with `initial`.
///
/// Only reads of the same registers are compared. A read that says nothing of one is not looked at.
pub fn long_fork<V: Ord + Debug>(
    history: &History<Vec<Access<V>>, Vec<Option<V>>>,
    initial: &V,
) -> Findings {
    let mut findings = Findings::default();
    let mut groups: BTreeMap<Vec<&V>, Vec<(u32, Vec<bool>)>> = BTreeMap::new();
    for it in done(history) {
        let names = it.operation.call.iter().map(|access| match access {
            Access::Read(name) => Some(name),
            Access::Write(..) => None,
        });
        let Some(names) = names.collect::<Option<Vec<_>>>() else { continue };
        let Some(values) = it.reply.iter().map(Option::as_ref).collect::<Option<Vec<_>>>() else {
            continue;
        };
        let mut read: Vec<(&V, bool)> =
            names.into_iter().zip(values.into_iter().map(|value| value != initial)).collect();
        read.sort_unstable();
        read.dedup();
        let (names, seen) = read.into_iter().unzip();
        groups.entry(names).or_default().push((it.index, seen));
    }
    for (names, mut reads) in groups {
        // They can be put in one order if and only if each is part of the next larger one.
        reads.sort_by_key(|(_, seen)| seen.iter().filter(|seen| **seen).count());
        for pair in reads.windows(2) {
            let [(one, fewer), (other, more)] = pair else { continue };
            let only = |of: &[bool], not: &[bool]| (0..of.len()).find(|at| of[*at] && !not[*at]);
            if let (Some(first), Some(second)) = (only(fewer, more), only(more, fewer)) {
                let (first, second) = (names[first], names[second]);
                findings.add(Rule::NoFork, &[*one, *other], || {
                    format!("one saw the write of {first:?} and not of {second:?}, the other one the reverse")
                });
            }
        }
    }
    findings
}
