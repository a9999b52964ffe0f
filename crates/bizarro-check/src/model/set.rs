//! A set.

use std::hash::Hash;

use crate::history::{Outcome, RawCall, Value};

use super::raw::{self, FromRaw, Misfit};
use super::{HEAP_BYTES, Model, SetUse, Uses};
use crate::intern::Interner;

/// A set, empty first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Set<V>(std::marker::PhantomData<V>);

impl<V> Set<V> {
    /// A set.
    pub fn new() -> Set<V> {
        Set(std::marker::PhantomData)
    }
}

/// What can be asked of a [`Set`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum SetCall<V> {
    /// Have this.
    Add(V),
    /// Do not have this.
    Remove(V),
    /// Is this in it?
    Contains(V),
    /// What is in it?
    Read,
}

/// What a [`Set`] can answer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum SetReply<V> {
    /// It was added or removed; or it was so already.
    Done,
    /// Whether the set was changed by adding or removing.
    Changed(bool),
    /// Whether it is in the set.
    Contains(bool),
    /// What is in it, in order.
    Members(Vec<V>),
}

impl<V: Clone + Ord + Hash> Model for Set<V> {
    /// In order.
    type State = Vec<V>;
    type Call = SetCall<V>;
    type Reply = SetReply<V>;
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
        if !self.allows(held, call, reply) {
            return;
        }
        let mut after = Vec::with_capacity(held.len() + 1);
        after.extend_from_slice(held);
        match call {
            SetCall::Add(value) => {
                if let Err(at) = after.binary_search(value) {
                    after.insert(at, value.clone());
                }
            }
            SetCall::Remove(value) => {
                if let Ok(at) = after.binary_search(value) {
                    after.remove(at);
                }
            }
            SetCall::Contains(_) | SetCall::Read => {}
        }
        next.push(after);
    }

    fn part(&self, _: &Self::Call) {}

    fn observes(&self, call: &Self::Call, reply: Option<&Self::Reply>) -> bool {
        matches!(call, SetCall::Contains(_) | SetCall::Read)
            || reply == Some(&SetReply::Changed(false))
    }

    fn allows(&self, held: &Vec<V>, call: &Self::Call, reply: Option<&Self::Reply>) -> bool {
        let Some(reply) = reply else { return true };
        let has = |value: &V| held.binary_search(value).is_ok();
        match (call, reply) {
            (SetCall::Add(_) | SetCall::Remove(_), SetReply::Done) => true,
            (SetCall::Add(value), SetReply::Changed(changed)) => *changed != has(value),
            (SetCall::Remove(value), SetReply::Changed(changed)) => *changed == has(value),
            (SetCall::Contains(value), SetReply::Contains(seen)) => *seen == has(value),
            (SetCall::Read, SetReply::Members(members)) => members == held,
            _ => false,
        }
    }

    fn grows(&self, call: &Self::Call) -> bool {
        matches!(call, SetCall::Add(_))
    }

    fn is_blind(&self, call: &Self::Call, reply: Option<&Self::Reply>) -> bool {
        let adds = matches!(call, SetCall::Add(_));
        adds && reply.is_none_or(|reply| *reply == SetReply::Done)
    }

    fn out_of_reach(&self, held: &Vec<V>, call: &Self::Call, reply: &Self::Reply) -> bool {
        match (call, reply) {
            (SetCall::Contains(value), SetReply::Contains(false)) => {
                held.binary_search(value).is_ok()
            }
            (SetCall::Read, SetReply::Members(seen)) => {
                held.len() > seen.len() || !held.iter().all(|it| seen.binary_search(it).is_ok())
            }
            _ => false,
        }
    }

    fn uses(&self, operations: &[(&Self::Call, Option<&Self::Reply>)]) -> Option<Uses> {
        let mut values: Interner<&V> = Interner::new();
        let uses = operations.iter().map(|(call, reply)| match (call, reply) {
            (SetCall::Add(value), None | Some(SetReply::Done)) => {
                Some(SetUse::Add(values.intern(value), None))
            }
            (SetCall::Add(value), Some(SetReply::Changed(changed))) => {
                Some(SetUse::Add(values.intern(value), Some(*changed)))
            }
            (SetCall::Remove(value), None | Some(SetReply::Done)) => {
                Some(SetUse::Remove(values.intern(value), None))
            }
            (SetCall::Remove(value), Some(SetReply::Changed(changed))) => {
                Some(SetUse::Remove(values.intern(value), Some(*changed)))
            }
            (SetCall::Contains(value), None) => Some(SetUse::Contains(values.intern(value), None)),
            (SetCall::Contains(value), Some(SetReply::Contains(seen))) => {
                Some(SetUse::Contains(values.intern(value), Some(*seen)))
            }
            (SetCall::Read, None) => Some(SetUse::Read(None)),
            (SetCall::Read, Some(SetReply::Members(members))) => {
                let is_set = members.windows(2).all(|pair| pair[0] < pair[1]);
                let mut seen: Vec<u32> = members.iter().map(|it| values.intern(it)).collect();
                seen.sort_unstable();
                is_set.then_some(SetUse::Read(Some(seen)))
            }
            _ => None,
        });
        uses.collect::<Option<_>>().map(Uses::Set)
    }

    fn weight(&self, held: &Vec<V>) -> usize {
        size_of_val(held) + size_of::<V>() * (held.len() + 1) + HEAP_BYTES
    }
}

/// `add` and `remove` (which may answer whether they changed the set), `contains`, and `read`.
impl FromRaw for Set<Value> {
    fn understand(
        &self,
        call: &RawCall,
        outcome: &Outcome<Value>,
    ) -> Result<(Self::Call, Outcome<Self::Reply>), Misfit> {
        let value = call.value.clone();
        let changed = raw::reply(outcome, |reply| match reply {
            Value::Bool(changed) => Ok(SetReply::Changed(*changed)),
            _ => Ok(SetReply::Done),
        })?;
        match &*call.function {
            "add" => Ok((SetCall::Add(value), changed)),
            "remove" => Ok((SetCall::Remove(value), changed)),
            "contains" => {
                let seen = |reply: &Value| raw::truth(reply).map(SetReply::Contains);
                Ok((SetCall::Contains(value), raw::reply(outcome, seen)?))
            }
            "read" => {
                let seen = |reply: &Value| {
                    let mut members = raw::list(reply)?;
                    members.sort();
                    Ok(SetReply::Members(members))
                };
                Ok((SetCall::Read, raw::reply(outcome, seen)?))
            }
            _ => Err(Misfit::function("add, remove, contains, read", call)),
        }
    }
}
