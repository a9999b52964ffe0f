//! Ids that are given once.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::{Findings, Rule, done};
use crate::history::History;
use crate::model::UniqueIdCall;

/// No id is given twice.
pub fn unique_ids<V: Ord + Debug>(history: &History<UniqueIdCall, V>) -> Findings {
    let mut findings = Findings::default();
    let mut first_with: BTreeMap<&V, u32> = BTreeMap::new();
    for it in done(history) {
        match first_with.get(it.reply) {
            None => {
                first_with.insert(it.reply, it.index);
            }
            Some(first) => findings.add(Rule::UniqueId, &[*first, it.index], || {
                format!("both were given {:?}", it.reply)
            }),
        }
    }
    findings
}
