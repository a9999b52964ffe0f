//! Checks evidence in the plainest way there is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Core, Evidence, Linearization, NonLinearizable};
use crate::history::{History, Outcome};
use crate::model::Model;

/// Why evidence was not accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// It does not show what it claims.
    Wrong(String),
    /// It could not be told within so many configurations.
    TooLarge(usize),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::Wrong(why) => f.write_str(why),
            Doubt::TooLarge(limit) => write!(f, "not shown within {limit} configurations"),
        }
    }
}

impl std::error::Error for Doubt {}

/// Checks what a verdict on this history rests on. `limit` is how many configurations it may look at to
/// see that a core cannot be linearized.
///
/// # Errors
/// Why the evidence does not show what it claims.
pub fn verify<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    evidence: Evidence<'_>,
    limit: usize,
) -> Result<(), Doubt> {
    match evidence {
        Evidence::Linearization(linearization) => whole(model, history, linearization),
        Evidence::NonLinearizable(violation) => {
            prefix(model, history, violation)?;
            core(model, history, &violation.core, limit)
        }
    }
}

/// Every part is in order, and nothing is missing.
fn whole<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    linearization: &Linearization,
) -> Result<(), Doubt> {
    let mut parts = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for order in &linearization.parts {
        if let Some(first) = order.first() {
            let part = model.part(&operation(history, *first)?.call);
            if !parts.insert(part) {
                return wrong("a part has two orders");
            }
        }
        legal(model, history, order, u32::MAX)?;
        seen.extend(order.iter().copied());
    }
    for (index, operation) in history.operations().iter().enumerate() {
        if operation.outcome.reply().is_some() && !seen.contains(&(index as u32)) {
            return wrong(format!("operation {index} took effect and is missing"));
        }
    }
    Ok(())
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
    let seen: BTreeSet<u32> = violation.prefix.iter().copied().collect();
    let part = model.part(&stuck.call);
    for (index, operation) in history.operations().iter().enumerate() {
        let ended = operation.ended.is_some_and(|it| it.position < end.position);
        let replied = operation.outcome.reply().is_some();
        if ended
            && replied
            && model.part(&operation.call) == part
            && !seen.contains(&(index as u32))
        {
            return wrong(format!("operation {index} ended before and is missing"));
        }
    }
    for index in &seen {
        if operation(history, *index)?.invoked.position > end.position {
            return wrong(format!("operation {index} was invoked later"));
        }
    }
    legal(model, history, &violation.prefix, end.position)
}

/// Whether an order is one that real time and the model allow. Replies after the event `until` are not
/// known yet.
fn legal<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    order: &[u32],
    until: u32,
) -> Result<(), Doubt> {
    let mut states = vec![model.initial()];
    let mut seen = BTreeSet::new();
    let mut latest_invoked = 0;
    let mut part = None;
    for &index in order {
        let operation = operation(history, index)?;
        if !seen.insert(index) {
            return wrong(format!("operation {index} takes effect twice"));
        }
        if matches!(operation.outcome, Outcome::Fail) {
            return wrong(format!("operation {index} failed and takes effect"));
        }
        let this = model.part(&operation.call);
        if *part.get_or_insert_with(|| model.part(&operation.call)) != this {
            return wrong(format!("operation {index} is of another part"));
        }
        // In order as long as nothing comes after an operation that was invoked when it had ended.
        let end = match operation.outcome {
            Outcome::Ok(_) => operation.ended.map_or(u32::MAX, |end| end.position),
            Outcome::Fail | Outcome::Unknown => u32::MAX,
        };
        if end < latest_invoked {
            return wrong(format!("operation {index} ended before one that comes earlier began"));
        }
        latest_invoked = latest_invoked.max(operation.invoked.position);
        let reply = operation.outcome.reply().filter(|_| end < until);
        let mut next = Vec::new();
        for state in &states {
            model.step(state, &operation.call, reply, &mut next);
        }
        if next.is_empty() {
            return wrong(format!("operation {index} cannot answer what it did"));
        }
        states = next;
    }
    Ok(())
}

/// No order of the core's operations is possible, whatever the others of their part do.
fn core<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    core: &Core,
    limit: usize,
) -> Result<(), Doubt> {
    let Some(first) = core.operations.first() else { return wrong("the core is empty") };
    let part = model.part(&operation(history, *first)?.call);
    let (mut kept, mut free) = (Vec::new(), Vec::new());
    for (index, operation) in history.operations().iter().enumerate() {
        let in_core = core.operations.contains(&(index as u32));
        let counts = operation.invoked.position < core.until
            && model.part(&operation.call) == part
            && !matches!(operation.outcome, Outcome::Fail);
        let end = operation.ended.map(|end| end.position).filter(|end| *end <= core.until);
        let reply = operation.outcome.reply().filter(|_| end.is_some());
        let (call, invoked) = (&operation.call, operation.invoked.position);
        match (in_core, counts) {
            (true, false) => return wrong(format!("operation {index} is not of the core's part")),
            (true, true) => kept.push(Kept { call, reply, invoked, end }),
            (false, false) => {}
            (false, true) if model.observes(call, reply) => {}
            (false, true) => free.push((call, reply)),
        }
    }
    impossible(model, &kept, &free, limit)
}

/// An operation of the core.
struct Kept<'h, M: Model> {
    call: &'h M::Call,
    /// None where it may take effect later, or never.
    reply: Option<&'h M::Reply>,
    invoked: u32,
    end: Option<u32>,
}

/// An operation outside the core.
type Free<'h, M> = (&'h <M as Model>::Call, Option<&'h <M as Model>::Reply>);

/// Which operations of the core took effect, and how many others.
type Done = (Vec<bool>, usize);

/// Looks at everything that can happen, and sees that some operation of the core is always left.
fn impossible<M: Model>(
    model: &M,
    kept: &[Kept<'_, M>],
    free: &[Free<'_, M>],
    limit: usize,
) -> Result<(), Doubt> {
    // States are told apart by themselves; their hash only says where to look.
    let mut seen: BTreeMap<(Done, u64), Vec<M::State>> = BTreeMap::new();
    let mut open = vec![((vec![false; kept.len()], 0), model.initial())];
    let mut looked_at = 0;
    while let Some((done, state)) = open.pop() {
        let mut hasher = DefaultHasher::new();
        state.hash(&mut hasher);
        let states = seen.entry((done.clone(), hasher.finish())).or_default();
        if states.contains(&state) {
            continue;
        }
        states.push(state.clone());
        looked_at += 1;
        if looked_at > limit {
            return Err(Doubt::TooLarge(limit));
        }
        let left = |at: &usize| kept[*at].reply.is_some() && !done.0[*at];
        let Some(first_end) = (0..kept.len()).filter(left).filter_map(|at| kept[at].end).min()
        else {
            return wrong("the core can be linearized");
        };
        let mut next = Vec::new();
        for (at, operation) in kept.iter().enumerate() {
            if !done.0[at] && operation.invoked < first_end {
                model.step(&state, operation.call, operation.reply, &mut next);
                let mut after = done.clone();
                after.0[at] = true;
                open.extend(next.drain(..).map(|state| (after.clone(), state)));
            }
        }
        if done.1 < free.len() {
            free.iter().for_each(|(call, reply)| model.step(&state, call, *reply, &mut next));
            let after = (done.0.clone(), done.1 + 1);
            open.extend(next.drain(..).map(|state| (after.clone(), state)));
        }
    }
    Ok(())
}

fn operation<C, R>(
    history: &History<C, R>,
    index: u32,
) -> Result<&crate::history::Operation<C, R>, Doubt> {
    let found = history.operations().get(index as usize);
    found.ok_or_else(|| Doubt::Wrong(format!("there is no operation {index}")))
}

pub(super) fn wrong<T>(why: impl Into<String>) -> Result<T, Doubt> {
    Err(Doubt::Wrong(why.into()))
}
