//! Objects whose every value is put there by one operation: then what was seen tells by whom, and no search
//! is needed. Where a history is not of this kind, these say nothing and it is searched.

mod queue;
mod register;

use crate::budget::{Exhausted, Ledger};
use crate::history::History;
use crate::model::Model;

/// What is found without a search.
pub(super) enum Decision {
    /// A linearization: operations of the history in order.
    Order(Vec<u32>),
    /// A few operations that contradict each other whatever others do, as soon as the event `until` has
    /// happened.
    Contradiction { operations: Vec<u32>, until: u32 },
}

/// Decides whether the operations of one part can be linearized up to and with the event `until`; none where
/// values are not distinct, or the model is another one.
pub(super) fn decide<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    part: &[u32],
    until: u32,
    ledger: &Ledger,
) -> Result<Option<Decision>, Exhausted> {
    match register::decide(model, history, part, until, ledger)? {
        None => queue::decide(model, history, part, until, ledger),
        decision => Ok(decision),
    }
}
