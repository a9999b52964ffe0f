//! A generator of numbers that never gives one twice.

use std::hash::Hash;
use std::marker::PhantomData;

use crate::history::{Outcome, RawCall, Value};

use super::Model;
use super::raw::{self, FromRaw, Misfit};

/// A generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct UniqueId<V>(PhantomData<V>);

impl<V> UniqueId<V> {
    /// A generator.
    pub fn new() -> UniqueId<V> {
        UniqueId(PhantomData)
    }
}

/// What can be asked of a [`UniqueId`]; it answers an id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum UniqueIdCall {
    /// Give one that was never given.
    Generate,
}

impl<V: Clone + Ord + Hash> Model for UniqueId<V> {
    /// What was given, in order.
    type State = Vec<V>;
    type Call = UniqueIdCall;
    type Reply = V;
    type Part = ();

    fn initial(&self) -> Vec<V> {
        Vec::new()
    }

    fn step(&self, given: &Vec<V>, _: &UniqueIdCall, id: Option<&V>, next: &mut Vec<Vec<V>>) {
        let mut after = given.clone();
        if let Some(id) = id {
            match after.binary_search(id) {
                Ok(_) => return,
                Err(at) => after.insert(at, id.clone()),
            }
        }
        next.push(after);
    }

    fn part(&self, _: &UniqueIdCall) {}

    /// An id that nobody received is none of those that were.
    fn observes(&self, _: &UniqueIdCall, id: Option<&V>) -> bool {
        id.is_none()
    }

    fn weight(&self, given: &Vec<V>) -> usize {
        size_of_val(given) + size_of::<V>() * given.len()
    }
}

/// `generate`, which answers the id.
impl FromRaw for UniqueId<Value> {
    fn understand(
        &self,
        call: &RawCall,
        outcome: &Outcome<Value>,
    ) -> Result<(UniqueIdCall, Outcome<Value>), Misfit> {
        match &*call.function {
            "generate" => {
                Ok((UniqueIdCall::Generate, raw::reply(outcome, |value| Ok(value.clone()))?))
            }
            _ => Err(Misfit::function("generate", call)),
        }
    }
}
