//! Several registers, which are read and written together.

use std::hash::Hash;

use crate::history::{Outcome, RawCall, Value};

use super::Model;
use super::raw::{self, FromRaw, Misfit};

/// Registers that are all reached in one operation.
#[derive(Clone, Debug, Default)]
pub struct MultiRegister<V> {
    /// What each of them holds first.
    pub initial: V,
}

impl<V> MultiRegister<V> {
    /// Registers that hold `initial` first.
    pub fn new(initial: V) -> MultiRegister<V> {
        MultiRegister { initial }
    }
}

/// One access of several.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum Access<V> {
    /// What does the register of this name hold?
    Read(V),
    /// Let the register of the first name hold the second.
    Write(V, V),
}

/// A call is a list of accesses. A reply is a list of what the reads among them saw; a read may say
/// nothing.
impl<V: Clone + Ord + Hash> Model for MultiRegister<V> {
    /// Names and values of registers that were written, in the order of names.
    type State = Vec<(V, V)>;
    type Call = Vec<Access<V>>;
    type Reply = Vec<Option<V>>;
    type Part = ();

    fn initial(&self) -> Self::State {
        Vec::new()
    }

    fn step(
        &self,
        state: &Self::State,
        call: &Self::Call,
        reply: Option<&Self::Reply>,
        next: &mut Vec<Self::State>,
    ) {
        let mut after = state.clone();
        let mut seen = reply.map(|reply| reply.iter());
        for access in call {
            match access {
                Access::Read(name) => {
                    let Some(seen) = &mut seen else { continue };
                    match seen.next() {
                        Some(None) => {}
                        Some(Some(value)) if value == self.held(&after, name) => {}
                        Some(Some(_)) | None => return,
                    }
                }
                Access::Write(name, value) => {
                    match after.binary_search_by(|(other, _)| other.cmp(name)) {
                        Ok(at) => after[at].1 = value.clone(),
                        Err(at) => after.insert(at, (name.clone(), value.clone())),
                    }
                }
            }
        }
        if seen.is_none_or(|mut left| left.next().is_none()) {
            next.push(after);
        }
    }

    fn part(&self, _: &Self::Call) {}

    fn observes(&self, call: &Self::Call, _: Option<&Self::Reply>) -> bool {
        call.iter().all(|access| matches!(access, Access::Read(_)))
    }

    fn weight(&self, state: &Self::State) -> usize {
        size_of_val(state) + state.len() * size_of::<(V, V)>()
    }
}

impl<V: Ord> MultiRegister<V> {
    fn held<'a>(&'a self, state: &'a [(V, V)], name: &V) -> &'a V {
        match state.binary_search_by(|(other, _)| other.cmp(name)) {
            Ok(at) => &state[at].1,
            Err(_) => &self.initial,
        }
    }
}

/// Any function, with a list of `[:read name value]` and `[:write name value]` (or `r` and `w`). A read of
/// `nil` says nothing, unless the registers hold `nil` first.
impl FromRaw for MultiRegister<Value> {
    fn understand(
        &self,
        call: &RawCall,
        outcome: &Outcome<Value>,
    ) -> Result<(Self::Call, Outcome<Self::Reply>), Misfit> {
        let accesses = accesses(&call.value)?;
        let call = accesses
            .iter()
            .map(|(reads, name, value)| match reads {
                Does::Read => Access::Read(name.clone()),
                Does::Write => Access::Write(name.clone(), value.clone()),
            })
            .collect();
        let reply = raw::reply(outcome, |value| {
            let seen = accesses_seen(value)?;
            let says =
                |value: Value| (value != Value::Nil || self.initial == Value::Nil).then_some(value);
            Ok(seen.into_iter().map(says).collect())
        })?;
        Ok((call, reply))
    }
}

#[derive(PartialEq, Eq)]
enum Does {
    Read,
    Write,
}

fn accesses(value: &Value) -> Result<Vec<(Does, Value, Value)>, Misfit> {
    let one = |access: &Value| {
        let wanted = || Misfit::new("[:read name value] or [:write name value]", access);
        let Some([does, name, value]) = access.members() else { return Err(wanted()) };
        let does = match does.word() {
            Some("read" | "r") => Does::Read,
            Some("write" | "w") => Does::Write,
            _ => return Err(wanted()),
        };
        Ok((does, name.clone(), value.clone()))
    };
    raw::list(value)?.iter().map(one).collect()
}

fn accesses_seen(value: &Value) -> Result<Vec<Value>, Misfit> {
    let reads = accesses(value)?.into_iter().filter(|(does, ..)| *does == Does::Read);
    Ok(reads.map(|(_, _, value)| value).collect())
}
