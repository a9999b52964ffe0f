//! Eventual convergence: when updates have ended, all come to see the same (W. Vogels, *Eventually
//! Consistent*, 2009).

use std::fmt::Debug;
use std::time::Duration;

use super::{Findings, Rule, done, may_have_happened};
use crate::history::{History, RawCall, RawHistory, Value};
use crate::model::Misfit;

/// What is asked.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ReplicaCall {
    /// Change something, whatever it is.
    Update,
    /// What is there?
    Read,
}

/// What is answered.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ReplicaReply<V> {
    /// It was changed.
    Updated,
    /// This is there.
    State(V),
}

/// A history of updates and reads, wherever they were made.
pub type Replicas<V> = History<ReplicaCall, ReplicaReply<V>>;

/// All reads are equal that begin when every update has ended, and `settling` of virtual time has passed
/// since. Without virtual times nothing has to settle.
///
/// An update with an unknown outcome counts as ended where its process was told so, or else where it was
/// invoked: what comes of it later is for `settling` to cover.
pub fn convergence<V: Eq + Debug>(history: &Replicas<V>, settling: Duration) -> Findings {
    let mut findings = Findings::default();
    let updates = history.operations().iter().filter(|it| it.call == ReplicaCall::Update);
    let last = updates
        .filter(|it| may_have_happened(it))
        .map(|it| it.ended.unwrap_or(it.invoked))
        .max_by_key(|moment| moment.position);
    let settling_ns = u64::try_from(settling.as_nanos()).unwrap_or(u64::MAX);
    let mut first: Option<(u32, &V)> = None;
    for it in done(history) {
        let ReplicaReply::State(state) = it.reply else { continue };
        let begin = it.operation.invoked;
        if last.is_some_and(|last| begin.position < last.position) {
            continue;
        }
        let since = last.and_then(|last| last.times.virtual_ns);
        if let (Some(since), Some(now)) = (since, begin.times.virtual_ns)
            && now.saturating_sub(since) < settling_ns
        {
            continue;
        }
        match first {
            None => first = Some((it.index, state)),
            Some((earlier, before)) if before != state => {
                findings.add(Rule::Convergence, &[earlier, it.index], || {
                    format!("after the last update one read {before:?}, the other one {state:?}")
                });
            }
            Some(_) => {}
        }
    }
    findings
}

/// `read`, and any other function as an update.
///
/// # Errors
/// None: every operation is one of the two.
pub fn from_raw(raw: &RawHistory) -> Result<Replicas<Value>, (usize, Misfit)> {
    raw.translate(|call: &RawCall, outcome| {
        Ok(match &*call.function {
            "read" => {
                let state = outcome.map(|value| ReplicaReply::State(value.clone()));
                (ReplicaCall::Read, state)
            }
            _ => (ReplicaCall::Update, outcome.map(|_| ReplicaReply::Updated)),
        })
    })
}
