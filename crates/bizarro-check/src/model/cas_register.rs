//! A register with compare-and-set.

use std::hash::Hash;

use crate::history::{Outcome, RawCall, Value};

use super::raw::{self, FromRaw, Misfit};
use super::{Model, RegisterUse};

/// A register that can also be set on condition of what it holds.
#[derive(Clone, Debug, Default)]
pub struct CasRegister<V> {
    /// What it holds first.
    pub initial: V,
}

impl<V> CasRegister<V> {
    /// A register that holds `initial` first.
    pub fn new(initial: V) -> CasRegister<V> {
        CasRegister { initial }
    }
}

/// What can be asked of a [`CasRegister`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum CasRegisterCall<V> {
    /// What does it hold?
    Read,
    /// Hold this.
    Write(V),
    /// Hold the second, if it is the first that is held.
    Cas(V, V),
}

/// What a [`CasRegister`] can answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum CasRegisterReply<V> {
    /// A read saw this.
    Value(V),
    /// It was written.
    Written,
    /// Whether it was set; where it was not, it held something else.
    Set(bool),
}

impl<V: Clone + Eq + Hash> Model for CasRegister<V> {
    type State = V;
    type Call = CasRegisterCall<V>;
    type Reply = CasRegisterReply<V>;
    type Part = ();

    fn initial(&self) -> V {
        self.initial.clone()
    }

    fn step(&self, held: &V, call: &Self::Call, reply: Option<&Self::Reply>, next: &mut Vec<V>) {
        let (answer, after) = match call {
            CasRegisterCall::Read => (CasRegisterReply::Value(held.clone()), held),
            CasRegisterCall::Write(value) => (CasRegisterReply::Written, value),
            CasRegisterCall::Cas(from, to) if from == held => (CasRegisterReply::Set(true), to),
            CasRegisterCall::Cas(..) => (CasRegisterReply::Set(false), held),
        };
        if reply.is_none_or(|reply| *reply == answer) {
            next.push(after.clone());
        }
    }

    fn part(&self, _: &Self::Call) {}

    fn observes(&self, call: &Self::Call, reply: Option<&Self::Reply>) -> bool {
        matches!(call, CasRegisterCall::Read) || reply == Some(&CasRegisterReply::Set(false))
    }

    fn register_use<'c>(
        &self,
        call: &'c Self::Call,
        reply: Option<&'c Self::Reply>,
    ) -> Option<RegisterUse<'c, V>> {
        match (call, reply) {
            (CasRegisterCall::Read, None) => Some(RegisterUse::Read(None)),
            (CasRegisterCall::Read, Some(CasRegisterReply::Value(seen))) => {
                Some(RegisterUse::Read(Some(seen)))
            }
            (CasRegisterCall::Write(value), None | Some(CasRegisterReply::Written)) => {
                Some(RegisterUse::Write(value))
            }
            (CasRegisterCall::Read | CasRegisterCall::Write(_), Some(_)) => None,
            (CasRegisterCall::Cas(..), _) => None,
        }
    }
}

/// `read`, `write` and `cas` with a list of two values. A `cas` that is ok was set, unless it answered
/// `false`. A read that answered `nil` says nothing, unless the register holds `nil` first.
impl FromRaw for CasRegister<Value> {
    fn understand(
        &self,
        call: &RawCall,
        outcome: &Outcome<Value>,
    ) -> Result<(Self::Call, Outcome<Self::Reply>), Misfit> {
        match &*call.function {
            "read" => {
                let said_nothing =
                    *outcome == Outcome::Ok(Value::Nil) && self.initial != Value::Nil;
                let outcome = if said_nothing { &Outcome::Unknown } else { outcome };
                let seen = |value: &Value| Ok(CasRegisterReply::Value(value.clone()));
                Ok((CasRegisterCall::Read, raw::reply(outcome, seen)?))
            }
            "write" => {
                let outcome = raw::reply(outcome, |_| Ok(CasRegisterReply::Written))?;
                Ok((CasRegisterCall::Write(call.value.clone()), outcome))
            }
            "cas" => {
                let (from, to) = raw::pair(&call.value)?;
                let set = |value: &Value| Ok(CasRegisterReply::Set(*value != Value::Bool(false)));
                Ok((CasRegisterCall::Cas(from, to), raw::reply(outcome, set)?))
            }
            _ => Err(Misfit::function("read, write, cas", call)),
        }
    }
}
