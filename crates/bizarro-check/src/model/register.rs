//! A register: a value that is written and read whole.

use std::hash::Hash;

use crate::history::{Outcome, RawCall, Value};

use super::raw::{self, FromRaw, Misfit};
use super::{Model, RegisterUse};

/// A register.
#[derive(Clone, Debug, Default)]
pub struct Register<V> {
    /// What it holds first.
    pub initial: V,
}

impl<V> Register<V> {
    /// A register that holds `initial` first.
    pub fn new(initial: V) -> Register<V> {
        Register { initial }
    }
}

/// What can be asked of a [`Register`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum RegisterCall<V> {
    /// What does it hold?
    Read,
    /// Hold this.
    Write(V),
}

/// What a [`Register`] can answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum RegisterReply<V> {
    /// A read saw this.
    Value(V),
    /// It was written.
    Written,
}

impl<V: Clone + Eq + Hash> Model for Register<V> {
    type State = V;
    type Call = RegisterCall<V>;
    type Reply = RegisterReply<V>;
    type Part = ();

    fn initial(&self) -> V {
        self.initial.clone()
    }

    fn step(&self, held: &V, call: &Self::Call, reply: Option<&Self::Reply>, next: &mut Vec<V>) {
        match (call, reply) {
            (RegisterCall::Read, None) => next.push(held.clone()),
            (RegisterCall::Read, Some(RegisterReply::Value(seen))) if seen == held => {
                next.push(held.clone());
            }
            (RegisterCall::Write(value), None | Some(RegisterReply::Written)) => {
                next.push(value.clone());
            }
            (RegisterCall::Read | RegisterCall::Write(_), Some(_)) => {}
        }
    }

    fn part(&self, _: &Self::Call) {}

    fn observes(&self, call: &Self::Call, _: Option<&Self::Reply>) -> bool {
        matches!(call, RegisterCall::Read)
    }

    fn register_use<'c>(
        &self,
        call: &'c Self::Call,
        reply: Option<&'c Self::Reply>,
    ) -> Option<RegisterUse<'c, V>> {
        match (call, reply) {
            (RegisterCall::Read, None) => Some(RegisterUse::Read(None)),
            (RegisterCall::Read, Some(RegisterReply::Value(seen))) => {
                Some(RegisterUse::Read(Some(seen)))
            }
            (RegisterCall::Write(value), None | Some(RegisterReply::Written)) => {
                Some(RegisterUse::Write(value))
            }
            (RegisterCall::Read | RegisterCall::Write(_), Some(_)) => None,
        }
    }
}

/// `read` and `write`. A read that answered `nil` says nothing, unless the register holds `nil` first.
impl FromRaw for Register<Value> {
    fn understand(
        &self,
        call: &RawCall,
        outcome: &Outcome<Value>,
    ) -> Result<(Self::Call, Outcome<Self::Reply>), Misfit> {
        match &*call.function {
            "read" => Ok((RegisterCall::Read, read(&self.initial, outcome))),
            "write" => {
                let outcome = raw::reply(outcome, |_| Ok(RegisterReply::Written))?;
                Ok((RegisterCall::Write(call.value.clone()), outcome))
            }
            _ => Err(Misfit::function("read, write", call)),
        }
    }
}

fn read(initial: &Value, outcome: &Outcome<Value>) -> Outcome<RegisterReply<Value>> {
    match outcome {
        Outcome::Ok(Value::Nil) if *initial != Value::Nil => Outcome::Unknown,
        Outcome::Ok(value) => Outcome::Ok(RegisterReply::Value(value.clone())),
        Outcome::Fail => Outcome::Fail,
        Outcome::Unknown => Outcome::Unknown,
    }
}
