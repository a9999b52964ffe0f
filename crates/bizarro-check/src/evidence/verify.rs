//! Checks orders and cores in the plainest way there is.
//!
//! What is trusted: the history, and of the model `initial`, `step`, `part` and `observes`, which say what an object
//! is. Nothing is taken from the checkers but the evidence itself, and they share no code with this file.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Core, Doubt, Evidence, NonLinearizable, wrong};
use crate::history::{History, Operation, Outcome, Process};
use crate::model::Model;

/// Checks what a verdict on this history rests on. `limit` is how many configurations it may look at to
/// see that a core cannot be put in order.
///
/// # Errors
/// Why the evidence does not show what it claims.
pub fn verify<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    evidence: Evidence<'_>,
    limit: usize,
) -> Result<(), Doubt> {
    let took_effect = |_: u32, it: &Operation<_, _>| it.outcome.reply().is_some();
    match evidence {
        Evidence::Linearization(linearization) => {
            let mut parts = BTreeSet::new();
            for order in &linearization.parts {
                let of_order = legal(model, history, order, Rule::RealTime { until: u32::MAX })?;
                if of_order.len() > 1 || of_order.into_iter().any(|it| !parts.insert(it)) {
                    return wrong("an order is of several parts, or a part has two orders");
                }
            }
            complete(history, linearization.parts.iter().flatten(), took_effect)
        }
        Evidence::Sequence(sequence) => {
            legal(model, history, &sequence.order, Rule::Programs)?;
            complete(history, sequence.order.iter(), took_effect)
        }
        Evidence::NonLinearizable(violation) => {
            prefix(model, history, violation)?;
            let Core { operations, until, .. } = &violation.core;
            core(model, history, operations, Rule::RealTime { until: *until }, limit)
        }
        Evidence::NonSequential(violation) => {
            core(model, history, &violation.core.operations, Rule::Programs, limit)
        }
    }
}

/// Which operations have to come before which.
#[derive(Clone, Copy)]
enum Rule {
    /// Those that had ended when another one was invoked. What is after the event `until` is not known yet.
    RealTime { until: u32 },
    /// Those of a process in their order. What is of unknown outcome may come later than what is after it.
    Programs,
}

impl Rule {
    /// The last event that counts.
    fn until(self) -> u32 {
        match self {
            Rule::RealTime { until } => until,
            Rule::Programs => u32::MAX,
        }
    }

    /// Where an operation ended, if it is known to have taken effect, and what it was answered.
    fn known<C, R>(self, operation: &Operation<C, R>) -> Option<(u32, &R)> {
        let end = operation.ended.filter(|end| end.position <= self.until())?;
        Some((end.position, operation.outcome.reply()?))
    }

    /// Whether one operation has to come before another one.
    fn is_before<C, R>(self, one: &Operation<C, R>, other: &Operation<C, R>) -> bool {
        let ended = self.known(one).is_some_and(|(end, _)| end < other.invoked.position);
        match self {
            Rule::RealTime { .. } => ended,
            Rule::Programs => ended && one.process == other.process,
        }
    }
}

/// Whether an order is one that the rule and the model allow; and which parts it is about.
fn legal<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    order: &[u32],
    rule: Rule,
) -> Result<BTreeSet<M::Part>, Doubt> {
    let mut states: BTreeMap<M::Part, Vec<M::State>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    // Of those that came, the one that was invoked last: of all, and of each process.
    let mut last: Option<u32> = None;
    let mut last_of: BTreeMap<Process, u32> = BTreeMap::new();
    for &index in order {
        let it = operation(history, index)?;
        if !seen.insert(index) || matches!(it.outcome, Outcome::Fail) {
            return wrong(format!("operation {index} failed, or takes effect twice"));
        }
        // In order as long as it did not have to come before the one that was invoked last.
        for other in last.into_iter().chain(last_of.get(&it.process).copied()) {
            if rule.is_before(it, operation(history, other)?) {
                return wrong(format!("operation {index} has to come before {other}"));
            }
        }
        last = last.max(Some(index));
        last_of.entry(it.process).and_modify(|last| *last = index.max(*last)).or_insert(index);
        let states = states.entry(model.part(&it.call)).or_insert_with(|| vec![model.initial()]);
        let reply = rule.known(it).map(|(_, reply)| reply);
        let mut next = Vec::new();
        states.iter().for_each(|state| model.step(state, &it.call, reply, &mut next));
        if next.is_empty() {
            return wrong(format!("operation {index} cannot answer what it did"));
        }
        *states = next;
    }
    Ok(states.into_keys().collect())
}

/// Whether nothing is missing that had to take effect.
fn complete<'o, C, R>(
    history: &History<C, R>,
    order: impl Iterator<Item = &'o u32>,
    took_effect: impl Fn(u32, &Operation<C, R>) -> bool,
) -> Result<(), Doubt> {
    let seen: BTreeSet<u32> = order.copied().collect();
    let mut all = (0..).zip(history.operations());
    match all.find(|(index, it)| took_effect(*index, it) && !seen.contains(index)) {
        Some((index, _)) => wrong(format!("operation {index} took effect and is missing")),
        None => Ok(()),
    }
}

/// All that ended before the end of the stuck operation is in an order.
fn prefix<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    violation: &NonLinearizable,
) -> Result<(), Doubt> {
    let stuck = operation(history, violation.stuck)?;
    let Some(end) = stuck.ended else {
        return wrong("the operation at which it got stuck never ended");
    };
    let rule = Rule::RealTime { until: end.position - 1 };
    for index in &violation.prefix {
        if operation(history, *index)?.invoked.position > end.position {
            return wrong(format!("operation {index} was invoked later"));
        }
    }
    let part = model.part(&stuck.call);
    complete(history, violation.prefix.iter(), |_, it| {
        rule.known(it).is_some() && model.part(&it.call) == part
    })?;
    match legal(model, history, &violation.prefix, rule)?.into_iter().all(|it| it == part) {
        true => Ok(()),
        false => wrong("the prefix is of another part"),
    }
}

/// An operation of a core.
struct Kept<'h, M: Model> {
    operation: &'h Operation<M::Call, M::Reply>,
    /// None where it may take effect later, or never.
    reply: Option<&'h M::Reply>,
    /// Its object among those of the core.
    object: usize,
    /// Those of the core that have to come before it.
    before: Vec<usize>,
}

/// No order of the core's operations is possible, whatever the others of its parts do.
fn core<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    core: &[u32],
    rule: Rule,
    limit: usize,
) -> Result<(), Doubt> {
    if core.iter().collect::<BTreeSet<_>>().len() < core.len() {
        return wrong("an operation is in the core twice");
    }
    let mut objects: Vec<M::Part> = Vec::new();
    let mut kept: Vec<Kept<'_, M>> = Vec::new();
    for index in core {
        let it = operation(history, *index)?;
        if it.invoked.position >= rule.until() || matches!(it.outcome, Outcome::Fail) {
            return wrong(format!("operation {index} has no effect by then"));
        }
        let part = model.part(&it.call);
        let object = objects.iter().position(|it| *it == part).unwrap_or(objects.len());
        if object == objects.len() {
            objects.push(part);
        }
        let before = (0..core.len()).filter(|at| {
            history.operations().get(core[*at] as usize).is_some_and(|one| rule.is_before(one, it))
        });
        let reply = rule.known(it).map(|(_, reply)| reply);
        kept.push(Kept { operation: it, reply, object, before: before.collect() });
    }
    let mut free = Vec::new();
    for (index, it) in (0..).zip(history.operations()) {
        let object = objects.iter().position(|part| *part == model.part(&it.call));
        let reply = rule.known(it).map(|(_, reply)| reply);
        let counts = it.invoked.position < rule.until() && !matches!(it.outcome, Outcome::Fail);
        if let (Some(object), true, false) = (object, counts, core.contains(&index)) {
            free.extend((!model.observes(&it.call, reply)).then_some((&it.call, reply, object)));
        }
    }
    impossible(model, &kept, &free, objects.len(), limit)
}

/// An operation outside the core, and its object.
type Free<'h, M> = (&'h <M as Model>::Call, Option<&'h <M as Model>::Reply>, usize);

/// Which operations of the core took effect, and how many others.
type Done = (Vec<bool>, usize);

/// Looks at everything that can happen, and sees that some operation of the core is always left.
fn impossible<M: Model>(
    model: &M,
    kept: &[Kept<'_, M>],
    free: &[Free<'_, M>],
    objects: usize,
    limit: usize,
) -> Result<(), Doubt> {
    // States are told apart by themselves; their hash only says where to look.
    let mut seen: BTreeMap<(Done, u64), Vec<Vec<M::State>>> = BTreeMap::new();
    let initial: Vec<M::State> = (0..objects).map(|_| model.initial()).collect();
    let mut open = vec![((vec![false; kept.len()], 0), initial)];
    let mut looked_at = 0;
    while let Some((done, held)) = open.pop() {
        if kept.iter().zip(&done.0).all(|(it, done)| *done || it.reply.is_none()) {
            return wrong("the core can be put in order");
        }
        let mut hasher = DefaultHasher::new();
        held.hash(&mut hasher);
        let same = seen.entry((done.clone(), hasher.finish())).or_default();
        if same.contains(&held) {
            continue;
        }
        same.push(held.clone());
        looked_at += 1;
        if looked_at > limit {
            return Err(Doubt::TooLarge(limit));
        }
        let mut go_on = |object: usize, call: &M::Call, reply: Option<&M::Reply>, after: Done| {
            let mut next = Vec::new();
            model.step(&held[object], call, reply, &mut next);
            open.extend(next.into_iter().map(|state| {
                let mut held = held.clone();
                held[object] = state;
                (after.clone(), held)
            }));
        };
        for (at, it) in kept.iter().enumerate() {
            if !done.0[at] && it.before.iter().all(|before| done.0[*before]) {
                let mut after = done.clone();
                after.0[at] = true;
                go_on(it.object, &it.operation.call, it.reply, after);
            }
        }
        if done.1 < free.len() {
            for (call, reply, object) in free {
                go_on(*object, call, *reply, (done.0.clone(), done.1 + 1));
            }
        }
    }
    Ok(())
}

fn operation<C, R>(history: &History<C, R>, index: u32) -> Result<&Operation<C, R>, Doubt> {
    let found = history.operations().get(index as usize);
    found.ok_or_else(|| Doubt::Wrong(format!("there is no operation {index}")))
}
