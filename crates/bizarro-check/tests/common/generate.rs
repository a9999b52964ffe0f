//! Small histories: an object that mostly behaves, and processes that mostly are told what it said.

use bizarro_check::history::{Builder, History, Outcome};
use bizarro_check::model::Model;
use proptest::collection::vec;
use proptest::prelude::*;

/// Processes at work at one time.
const PROCESSES: u8 = 4;

/// What processes do, one thing after the other.
#[derive(Clone, Debug)]
pub(crate) struct Script(Vec<Act>);

#[derive(Clone, Copy, Debug)]
struct Act {
    process: u8,
    /// Which call, and where among the replies to begin looking for one that is possible.
    choice: u8,
    what: What,
}

/// What a process with an open operation does; one without invokes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Its operation takes effect, and it does not hear of it yet.
    Effect,
    /// It hears of it.
    Ok,
    /// It hears something else.
    Lie,
    /// It gives up.
    Unknown,
    /// It fails, where it has had no effect.
    Fail,
}

/// Scripts that make histories of up to about eight operations.
pub(crate) fn histories() -> impl Strategy<Value = Script> {
    let what = prop_oneof![
        4 => Just(What::Effect),
        8 => Just(What::Ok),
        3 => Just(What::Lie),
        1 => Just(What::Unknown),
        1 => Just(What::Fail),
    ];
    let act = (0..PROCESSES, any::<u8>(), what).prop_map(|(process, choice, what)| Act {
        process,
        choice,
        what,
    });
    vec(act, 2..24).prop_map(Script)
}

/// An open operation, and the reply that it got when it took effect.
struct Open<M: Model> {
    call: M::Call,
    effect: Option<M::Reply>,
}

impl Script {
    /// Lets an object of this model answer.
    pub(crate) fn play<M: Model>(
        &self,
        model: &M,
        calls: &[M::Call],
        replies: impl Fn(&M::Call) -> Vec<M::Reply>,
    ) -> History<M::Call, M::Reply> {
        let mut builder = Builder::new();
        let mut open: Vec<Option<Open<M>>> = (0..PROCESSES).map(|_| None).collect();
        let mut states: Vec<(M::Part, M::State)> = Vec::new();
        for act in &self.0 {
            let (process, choice) = (i64::from(act.process), usize::from(act.choice));
            let slot = &mut open[usize::from(act.process)];
            let Some(operation) = slot else {
                let call = calls[choice % calls.len()].clone();
                builder.invoke(process, call.clone()).expect("none is open");
                *slot = Some(Open { call, effect: None });
                continue;
            };
            let domain = replies(&operation.call);
            if matches!(act.what, What::Effect | What::Ok) && operation.effect.is_none() {
                operation.effect = effect(model, &mut states, &operation.call, &domain, choice);
            }
            let outcome = match (act.what, operation.effect.take()) {
                (What::Effect, effect) => {
                    operation.effect = effect;
                    continue;
                }
                (What::Ok, Some(reply)) => Outcome::Ok(reply),
                (What::Lie, _) => Outcome::Ok(domain[choice % domain.len()].clone()),
                (What::Fail, None) => Outcome::Fail,
                (What::Ok, None) | (What::Unknown, _) | (What::Fail, Some(_)) => Outcome::Unknown,
            };
            builder.end(process, outcome).expect("one is open");
            *slot = None;
        }
        builder.finish()
    }
}

/// The first reply that is possible, from `choice` on, and the state after it.
fn effect<M: Model>(
    model: &M,
    states: &mut Vec<(M::Part, M::State)>,
    call: &M::Call,
    domain: &[M::Reply],
    choice: usize,
) -> Option<M::Reply> {
    let part = model.part(call);
    let at = states.iter().position(|(other, _)| *other == part).unwrap_or_else(|| {
        states.push((part, model.initial()));
        states.len() - 1
    });
    let mut next = Vec::new();
    for offset in 0..domain.len() {
        let reply = &domain[(choice + offset) % domain.len()];
        model.step(&states[at].1, call, Some(reply), &mut next);
        if let Some(state) = next.pop() {
            states[at].1 = state;
            return Some(reply.clone());
        }
    }
    None
}
