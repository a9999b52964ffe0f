//! Linearizability and sequential consistency as they are defined: there is an order. Tries all of them.

use bizarro_check::history::{History, Operation, Outcome};
use bizarro_check::model::Model;

/// Whether what happened up to and with the event `until` is linearizable.
pub(crate) fn is_linearizable<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    until: u32,
) -> bool {
    has_order(model, history, until, |_, _| true)
}

/// Whether there is an order in which what ended comes before what was invoked later, where it is `bound` to.
pub(crate) fn has_order<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    until: u32,
    bound: impl Fn(&Operation<M::Call, M::Reply>, &Operation<M::Call, M::Reply>) -> bool,
) -> bool {
    let operations: Vec<_> = history
        .operations()
        .iter()
        .filter(|it| it.invoked.position < until && !matches!(it.outcome, Outcome::Fail))
        .map(|it| {
            let end = it.ended.map(|end| end.position).filter(|end| *end <= until);
            let reply = it.outcome.reply().filter(|_| end.is_some());
            (it, end.filter(|_| reply.is_some()), reply)
        })
        .collect();
    // All parts at once: the definition knows none.
    let mut parts: Vec<M::Part> = operations.iter().map(|(it, ..)| model.part(&it.call)).collect();
    parts.sort();
    parts.dedup();
    let states: Vec<M::State> = parts.iter().map(|_| model.initial()).collect();
    let part = |at: usize| parts.binary_search(&model.part(&operations[at].0.call)).unwrap();
    go(&mut vec![false; operations.len()], &states, &|done, states, go| {
        if operations.iter().zip(&*done).all(|((_, end, _), done)| *done || end.is_none()) {
            return true;
        }
        for at in 0..operations.len() {
            let (operation, _, reply) = operations[at];
            let first = operations.iter().zip(&*done).all(|((other, end, _), done)| {
                *done
                    || end.is_none_or(|end| end > operation.invoked.position)
                    || !bound(other, operation)
            });
            if done[at] || !first {
                continue;
            }
            let mut next = Vec::new();
            model.step(&states[part(at)], &operation.call, reply, &mut next);
            for state in next {
                let mut after = states.to_vec();
                after[part(at)] = state;
                done[at] = true;
                if go(done, &after) {
                    return true;
                }
                done[at] = false;
            }
        }
        false
    })
}

type Recur<'a, S> = &'a dyn Fn(&mut Vec<bool>, &[S], &dyn Fn(&mut Vec<bool>, &[S]) -> bool) -> bool;

/// A closure that calls itself.
fn go<S>(done: &mut Vec<bool>, states: &[S], step: Recur<'_, S>) -> bool {
    step(done, states, &|done, states| go(done, states, step))
}
