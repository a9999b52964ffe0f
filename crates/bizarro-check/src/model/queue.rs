//! A queue, and the calls and replies that it shares with the stack and the priority queue.

use std::collections::VecDeque;
use std::hash::Hash;
use std::marker::PhantomData;

use crate::history::{Outcome, RawCall, Value};

use super::Model;
use super::raw::{self, FromRaw, Misfit};

/// A queue: what was put first is taken first. Empty first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queue<V>(PhantomData<V>);

impl<V> Queue<V> {
    /// A queue.
    pub fn new() -> Queue<V> {
        Queue(PhantomData)
    }
}

/// What can be asked of a queue, a stack or a priority queue.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum QueueCall<V> {
    /// Keep this.
    Put(V),
    /// Give one.
    Take,
}

/// What they can answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum QueueReply<V> {
    /// It was put.
    Put,
    /// This was taken.
    Taken(V),
    /// There was nothing to take.
    Empty,
}

impl<V: Clone + Eq + Hash> Model for Queue<V> {
    type State = VecDeque<V>;
    type Call = QueueCall<V>;
    type Reply = QueueReply<V>;
    type Part = ();

    fn initial(&self) -> VecDeque<V> {
        VecDeque::new()
    }

    fn step(
        &self,
        held: &VecDeque<V>,
        call: &Self::Call,
        reply: Option<&Self::Reply>,
        next: &mut Vec<VecDeque<V>>,
    ) {
        if !allows(call, reply, held.front()) {
            return;
        }
        let mut after = held.clone();
        match call {
            QueueCall::Put(value) => after.push_back(value.clone()),
            QueueCall::Take => {
                after.pop_front();
            }
        }
        next.push(after);
    }

    fn part(&self, _: &Self::Call) {}

    fn observes(&self, _: &Self::Call, reply: Option<&Self::Reply>) -> bool {
        reply == Some(&QueueReply::Empty)
    }

    fn weight(&self, held: &VecDeque<V>) -> usize {
        size_of_val(held) + size_of::<V>() * held.len()
    }
}

/// Whether this can be the reply where `first` is the one that would be taken.
pub(super) fn allows<V: Eq>(
    call: &QueueCall<V>,
    reply: Option<&QueueReply<V>>,
    first: Option<&V>,
) -> bool {
    match (call, reply) {
        (_, None) | (QueueCall::Put(_), Some(QueueReply::Put)) => true,
        (QueueCall::Take, Some(QueueReply::Taken(taken))) => first == Some(taken),
        (QueueCall::Take, Some(QueueReply::Empty)) => first.is_none(),
        (QueueCall::Take, Some(QueueReply::Put)) => false,
        (QueueCall::Put(_), Some(QueueReply::Taken(_) | QueueReply::Empty)) => false,
    }
}

/// `enqueue` and `dequeue`, which answers `nil` where the queue was empty.
impl FromRaw for Queue<Value> {
    fn understand(
        &self,
        call: &RawCall,
        outcome: &Outcome<Value>,
    ) -> Result<(Self::Call, Outcome<Self::Reply>), Misfit> {
        understand(["enqueue", "dequeue"], call, outcome)
    }
}

/// Putting and taking under these names.
pub(super) fn understand(
    [put, take]: [&str; 2],
    call: &RawCall,
    outcome: &Outcome<Value>,
) -> Result<(QueueCall<Value>, Outcome<QueueReply<Value>>), Misfit> {
    if &*call.function == put {
        let done = raw::reply(outcome, |_| Ok(QueueReply::Put))?;
        return Ok((QueueCall::Put(call.value.clone()), done));
    }
    if &*call.function != take {
        return Err(Misfit::function(&format!("{put}, {take}"), call));
    }
    let taken = raw::reply(outcome, |value| match value {
        Value::Nil => Ok(QueueReply::Empty),
        value => Ok(QueueReply::Taken(value.clone())),
    })?;
    Ok((QueueCall::Take, taken))
}
