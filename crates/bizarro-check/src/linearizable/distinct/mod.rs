//! Objects whose every value is put there by one operation: then what was seen tells by whom, and no search
//! is needed. Where a history is not of this kind, these say nothing and it is searched.
//!
//! That several objects can be decided so, by taking values away one at a time, is shown by Z. H. Lee,
//! U. Mathur, *Efficient Decrease-and-Conquer Linearizability Monitoring*, 2025. Each file says why its own
//! way is right.

mod container;
mod coverage;
mod priority_queue;
mod queue;
mod register;
mod set;
mod set_reads;
mod stack;

use crate::budget::{Exhausted, Ledger, Share};
use crate::history::{History, Operation, Outcome};
use crate::model::{Model, Uses};

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
    let Some(first) = part.first().map(|first| &history.operations()[*first as usize].call) else {
        return Ok(None);
    };
    let mut share = Share::new(ledger);
    if model.register_use(first, None).is_some() {
        share.hold(part.len() * register::OPERATION_BYTES)?;
        share.in_time()?;
        let decision = register::decide(model, history, part, until);
        share.in_time()?;
        return Ok(decision);
    }
    if model.uses(&[(first, None)]).is_none() {
        return Ok(None);
    }
    share.hold(part.len() * 64)?;
    share.in_time()?;
    let known: Vec<Known<'_, M>> =
        part.iter().filter_map(|index| Known::of(history, *index, until)).collect();
    let asked: Vec<_> = known.iter().map(|it| (it.call, it.reply)).collect();
    let Some(uses) = model.uses(&asked) else { return Ok(None) };
    drop(asked);
    let spans: Vec<Span> = known.iter().map(|it| it.span).collect();
    match uses {
        Uses::Container(leaving, uses) => {
            share.hold(part.len() * container::OPERATION_BYTES)?;
            share.in_time()?;
            // What those were told later who are not answered yet is a good guess of what they took.
            let later = known.iter().map(|it| it.later);
            let hints = uses.contains(&crate::model::ContainerUse::Take(None)).then(|| {
                let told: Vec<_> =
                    known.iter().zip(later).map(|(it, later)| (it.call, later)).collect();
                match model.uses(&told) {
                    Some(Uses::Container(_, hints)) => hints,
                    Some(Uses::Set(_)) | None => Vec::new(),
                }
            });
            container::decide(leaving, &spans, &uses, hints.as_deref(), history, &share)
        }
        Uses::Set(uses) => {
            let members: usize = uses.iter().map(|it| it.members()).sum();
            share.hold(part.len() * set::OPERATION_BYTES + members * 8)?;
            share.in_time()?;
            Ok(set::decide(&spans, &uses, history))
        }
    }
}

/// What is known of an operation at an event.
struct Known<'h, M: Model> {
    span: Span,
    call: &'h M::Call,
    reply: Option<&'h M::Reply>,
    /// What it is answered in the end.
    later: Option<&'h M::Reply>,
}

impl<'h, M: Model> Known<'h, M> {
    /// None if it was not invoked before the event `until`, or has no effect.
    fn of(history: &'h History<M::Call, M::Reply>, index: u32, until: u32) -> Option<Known<'h, M>> {
        let operation = &history.operations()[index as usize];
        let begins = operation.invoked.position;
        if begins >= until || matches!(operation.outcome, Outcome::Fail) {
            return None;
        }
        let (end, reply) = known(operation, until);
        let span = Span { operation: index, begins, ends: end.unwrap_or(u32::MAX) };
        Some(Known { span, call: &operation.call, reply, later: operation.outcome.reply() })
    }
}

/// Where an operation ended and what it answered, as far as that is known at the event `until`.
pub(super) fn known<C, R>(operation: &Operation<C, R>, until: u32) -> (Option<u32>, Option<&R>) {
    let ended = operation.ended.map(|ended| ended.position).filter(|end| *end <= until);
    match (ended, operation.outcome.reply()) {
        (Some(end), Some(reply)) => (Some(end), Some(reply)),
        _ => (None, None),
    }
}

/// Where an operation is on the line of events. What did not end, or never was, ends behind all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Span {
    operation: u32,
    begins: u32,
    ends: u32,
}

/// Operations that contradict each other as soon as all of these have happened, and others `besides`.
fn contradiction<C, R>(
    history: &History<C, R>,
    mut operations: Vec<u32>,
    besides: impl IntoIterator<Item = u32>,
) -> Decision {
    operations.sort_unstable();
    operations.dedup();
    let happened = |index: u32| {
        let operation = &history.operations()[index as usize];
        match (&operation.outcome, operation.ended) {
            (Outcome::Ok(_), Some(ended)) => ended.position,
            _ => operation.invoked.position + 1,
        }
    };
    let last = operations.iter().copied().chain(besides).map(happened).max();
    Decision::Contradiction { operations, until: last.expect("no operation contradicts nothing") }
}
