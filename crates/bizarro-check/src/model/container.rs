//! Queue, stack and priority queue: containers that differ only in which of their values is taken next.

use std::cmp::Ordering;
use std::hash::Hash;
use std::marker::PhantomData;

use crate::history::{Outcome, RawCall, Value};
use crate::intern::Interner;

use super::raw::{self, FromRaw, Misfit};
use super::{ContainerUse, HEAP_BYTES, Leaving, Model, Uses};

/// A container, empty first, from which values are taken as its discipline says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Container<V, D>(PhantomData<(V, D)>);

impl<V, D> Container<V, D> {
    /// A container.
    pub fn new() -> Container<V, D> {
        Container(PhantomData)
    }
}

/// A queue: what was put first is taken first.
pub type Queue<V> = Container<V, Fifo>;

/// A stack: what was put last is taken first.
pub type Stack<V> = Container<V, Lifo>;

/// A priority queue: the least is taken first.
pub type PriorityQueue<V> = Container<V, LeastFirst>;

/// Which value of a container is taken next.
pub trait Discipline<V> {
    /// What putting and taking are called in files.
    const FUNCTIONS: [&'static str; 2];

    /// The well-known kind that it is of, if it is: see [`Model::uses`].
    const LEAVING: Option<Leaving> = None;

    /// Where a value comes to stand among those that are held. The last of them is taken next.
    fn place(held: &[V], value: &V) -> usize;

    /// The order in which values leave, where that does not depend on when they came.
    fn compare(one: &V, other: &V) -> Ordering {
        let _ = (one, other);
        Ordering::Equal
    }
}

/// First in, first out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fifo;

/// Last in, first out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lifo;

/// The least of all comes out first.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeastFirst;

impl<V> Discipline<V> for Fifo {
    const FUNCTIONS: [&'static str; 2] = ["enqueue", "dequeue"];
    const LEAVING: Option<Leaving> = Some(Leaving::FirstIn);

    fn place(_: &[V], _: &V) -> usize {
        0
    }
}

impl<V> Discipline<V> for Lifo {
    const FUNCTIONS: [&'static str; 2] = ["push", "pop"];
    const LEAVING: Option<Leaving> = Some(Leaving::LastIn);

    fn place(held: &[V], _: &V) -> usize {
        held.len()
    }
}

impl<V: Ord> Discipline<V> for LeastFirst {
    const FUNCTIONS: [&'static str; 2] = ["insert", "take-min"];
    const LEAVING: Option<Leaving> = Some(Leaving::Least);

    fn place(held: &[V], value: &V) -> usize {
        held.partition_point(|other| other > value)
    }

    fn compare(one: &V, other: &V) -> Ordering {
        one.cmp(other)
    }
}

/// What can be asked of a [`Container`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum ContainerCall<V> {
    /// Keep this.
    Put(V),
    /// Give one.
    Take,
}

/// What a [`Container`] can answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum ContainerReply<V> {
    /// It was put.
    Put,
    /// This was taken.
    Taken(V),
    /// There was nothing to take.
    Empty,
}

impl<V: Clone + Eq + Hash, D: Discipline<V>> Model for Container<V, D> {
    /// The one that is taken next is last.
    type State = Vec<V>;
    type Call = ContainerCall<V>;
    type Reply = ContainerReply<V>;
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
        // Exactly as much room as is needed: states are kept in great numbers.
        next.push(match call {
            ContainerCall::Put(value) => {
                let (below, above) = held.split_at(D::place(held, value));
                let mut after = Vec::with_capacity(held.len() + 1);
                after.extend_from_slice(below);
                after.push(value.clone());
                after.extend_from_slice(above);
                after
            }
            ContainerCall::Take => held[..held.len().saturating_sub(1)].to_vec(),
        });
    }

    fn part(&self, _: &Self::Call) {}

    fn observes(&self, _: &Self::Call, reply: Option<&Self::Reply>) -> bool {
        reply == Some(&ContainerReply::Empty)
    }

    fn allows(&self, held: &Vec<V>, call: &Self::Call, reply: Option<&Self::Reply>) -> bool {
        match (call, reply) {
            (_, None) | (ContainerCall::Put(_), Some(ContainerReply::Put)) => true,
            (ContainerCall::Take, Some(ContainerReply::Taken(taken))) => held.last() == Some(taken),
            (ContainerCall::Take, Some(ContainerReply::Empty)) => held.is_empty(),
            (ContainerCall::Take, Some(ContainerReply::Put)) => false,
            (ContainerCall::Put(_), Some(ContainerReply::Taken(_) | ContainerReply::Empty)) => {
                false
            }
        }
    }

    fn uses(&self, operations: &[(&Self::Call, Option<&Self::Reply>)]) -> Option<Uses> {
        let leaving = D::LEAVING?;
        let mut values: Interner<&V> = Interner::new();
        let uses = operations.iter().map(|(call, reply)| match (call, reply) {
            (ContainerCall::Put(value), None | Some(ContainerReply::Put)) => {
                Some(ContainerUse::Put(values.intern(value)))
            }
            (ContainerCall::Take, None) => Some(ContainerUse::Take(None)),
            (ContainerCall::Take, Some(ContainerReply::Taken(value))) => {
                Some(ContainerUse::Take(Some(values.intern(value))))
            }
            (ContainerCall::Take, Some(ContainerReply::Empty)) => Some(ContainerUse::Empty),
            (ContainerCall::Put(_), Some(ContainerReply::Taken(_) | ContainerReply::Empty))
            | (ContainerCall::Take, Some(ContainerReply::Put)) => None,
        });
        let mut uses: Vec<ContainerUse> = uses.collect::<Option<_>>()?;
        if leaving == Leaving::Least {
            let values = values.into_things();
            let mut order: Vec<u32> = (0..values.len() as u32).collect();
            order.sort_by(|one, other| D::compare(values[*one as usize], values[*other as usize]));
            let mut rank = vec![0; order.len()];
            (0..).zip(order).for_each(|(at, value)| rank[value as usize] = at);
            for it in &mut uses {
                if let ContainerUse::Put(value) | ContainerUse::Take(Some(value)) = it {
                    *value = rank[*value as usize];
                }
            }
        }
        Some(Uses::Container(leaving, uses))
    }

    fn weight(&self, held: &Vec<V>) -> usize {
        size_of_val(held) + size_of::<V>() * held.len() + HEAP_BYTES
    }
}

/// Putting and taking, under the names that the [discipline](Discipline::FUNCTIONS) has for them. Taking
/// answers `nil` where nothing was held.
impl<D: Discipline<Value>> FromRaw for Container<Value, D> {
    fn understand(
        &self,
        call: &RawCall,
        outcome: &Outcome<Value>,
    ) -> Result<(Self::Call, Outcome<Self::Reply>), Misfit> {
        let [put, take] = D::FUNCTIONS;
        if &*call.function == put {
            let done = raw::reply(outcome, |_| Ok(ContainerReply::Put))?;
            return Ok((ContainerCall::Put(call.value.clone()), done));
        }
        if &*call.function != take {
            return Err(Misfit::function(&format!("{put}, {take}"), call));
        }
        let taken = raw::reply(outcome, |value| match value {
            Value::Nil => Ok(ContainerReply::Empty),
            value => Ok(ContainerReply::Taken(value.clone())),
        })?;
        Ok((ContainerCall::Take, taken))
    }
}
