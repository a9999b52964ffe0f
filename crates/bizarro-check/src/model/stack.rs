//! A stack.

use std::hash::Hash;
use std::marker::PhantomData;

use crate::history::{Outcome, RawCall, Value};

use super::queue::{allows, understand};
use super::raw::{FromRaw, Misfit};
use super::{Model, QueueCall, QueueReply};

/// A stack: what was put last is taken first. Empty first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stack<V>(PhantomData<V>);

impl<V> Stack<V> {
    /// A stack.
    pub fn new() -> Stack<V> {
        Stack(PhantomData)
    }
}

impl<V: Clone + Eq + Hash> Model for Stack<V> {
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
            QueueCall::Put(value) => after.push(value.clone()),
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

/// `push` and `pop`, which answers `nil` where the stack was empty.
impl FromRaw for Stack<Value> {
    fn understand(
        &self,
        call: &RawCall,
        outcome: &Outcome<Value>,
    ) -> Result<(Self::Call, Outcome<Self::Reply>), Misfit> {
        understand(["push", "pop"], call, outcome)
    }
}
