//! A priority queue.

use std::hash::Hash;
use std::marker::PhantomData;

use crate::history::{Outcome, RawCall, Value};

use super::queue::{allows, understand};
use super::raw::{FromRaw, Misfit};
use super::{Model, QueueCall, QueueReply};

/// A priority queue: the least is taken first. Empty first.
#[derive(Clone, Copy, Debug, Default)]
pub struct PriorityQueue<V>(PhantomData<V>);

impl<V> PriorityQueue<V> {
    /// A priority queue.
    pub fn new() -> PriorityQueue<V> {
        PriorityQueue(PhantomData)
    }
}

impl<V: Clone + Ord + Hash> Model for PriorityQueue<V> {
    /// The greatest first, so that the least is taken from the end.
    type State = Vec<V>;
    type Call = QueueCall<V>;
    type Reply = QueueReply<V>;
    type Part = ();

    fn initial(&self) -> Vec<V> {
        Vec::new()
    }

    fn step(
        &self,
        held: &Vec<V>,
        call: &Self::Call,
        reply: Option<&Self::Reply>,
        next: &mut Vec<Vec<V>>,
    ) {
        if !allows(call, reply, held.last()) {
            return;
        }
        let mut after = held.clone();
        match call {
            QueueCall::Put(value) => {
                let at = after.partition_point(|other| other > value);
                after.insert(at, value.clone());
            }
            QueueCall::Take => {
                after.pop();
            }
        }
        next.push(after);
    }

    fn part(&self, _: &Self::Call) {}

    fn observes(&self, _: &Self::Call, reply: Option<&Self::Reply>) -> bool {
        reply == Some(&QueueReply::Empty)
    }

    fn weight(&self, held: &Vec<V>) -> usize {
        size_of_val(held) + size_of::<V>() * held.len()
    }
}

/// `insert` and `take-min`, which answers `nil` where nothing was in it.
impl FromRaw for PriorityQueue<Value> {
    fn understand(
        &self,
        call: &RawCall,
        outcome: &Outcome<Value>,
    ) -> Result<(Self::Call, Outcome<Self::Reply>), Misfit> {
        understand(["insert", "take-min"], call, outcome)
    }
}
