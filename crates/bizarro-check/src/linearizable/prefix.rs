//! How far a violated history is linearizable.
//!
//! The search of the whole history knows what is answered later, and leaves what does not lead there. A
//! prefix knows nothing of what is after it, so it may be linearizable where that search came less far.
//! Prefixes are searched, from where it got stuck.

use crate::budget::Ledger;
use crate::history::History;
use crate::model::Model;

use super::problem::{Problem, Role};
use super::search::{Outcome, Quota, Stuck};
use super::solve;

/// The longest prefix of a part that is known to be linearizable.
pub(super) struct Prefix {
    /// The operation before whose end it ends.
    pub(super) stuck: u32,
    /// A linearization of it.
    pub(super) order: Vec<u32>,
    /// Whether there is no longer one. Otherwise the budget ended first.
    pub(super) longest: bool,
    /// The event up to which the history is known not to be linearizable.
    pub(super) violated_at: u32,
}

/// Of a part whose search found nothing.
pub(super) fn longest<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    part: &[u32],
    found: Stuck,
    ledger: &Ledger,
) -> Prefix {
    let whole = Problem::new(model, history, part, |_| Role::Kept, u32::MAX);
    let operation = |rank: u32| whole.required[rank as usize].operation;
    let end = |rank: u32| {
        let ended = history.operations()[operation(rank) as usize].ended;
        ended.expect("an operation with a reply has ended").position
    };
    // All before `good` can be linearized; all up to and with `bad` cannot.
    let (mut good, mut order) = (found.rank, found.prefix);
    let mut bad = whole.required.len() as u32 - 1;
    let mut stride = 1;
    while good < bad {
        let rank = (good + stride - 1).min(good + (bad - good) / 2);
        match solve(model, history, part, end(rank), ledger, Quota::None).0 {
            Outcome::Found(found) => {
                (good, order) = (rank + 1, found);
                stride *= 2;
            }
            Outcome::None(stuck) => {
                bad = rank;
                if stuck.rank > good {
                    (good, order) = (stuck.rank, stuck.prefix);
                }
            }
            Outcome::Exhausted(_) | Outcome::Paused => break,
        }
    }
    Prefix { stuck: operation(good), order, longest: good == bad, violated_at: end(bad) }
}
