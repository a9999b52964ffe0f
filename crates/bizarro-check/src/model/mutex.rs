//! A mutex.

use crate::history::{Outcome, RawCall, Value};

use super::Model;
use super::raw::{self, FromRaw, Misfit};

/// A mutex, free first. It does not know who holds it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mutex;

/// What can be asked of a [`Mutex`]. An acquisition that was refused has failed, and is no operation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum MutexCall {
    /// Only possible while it is free.
    Acquire,
    /// Only possible while it is held.
    Release,
}

impl Model for Mutex {
    /// Whether it is held.
    type State = bool;
    type Call = MutexCall;
    type Reply = ();
    type Part = ();

    fn initial(&self) -> bool {
        false
    }

    fn step(&self, held: &bool, call: &MutexCall, _: Option<&()>, next: &mut Vec<bool>) {
        match (call, held) {
            (MutexCall::Acquire, false) => next.push(true),
            (MutexCall::Release, true) => next.push(false),
            (MutexCall::Acquire, true) | (MutexCall::Release, false) => {}
        }
    }

    fn part(&self, _: &MutexCall) {}
}

/// `acquire` and `release`.
impl FromRaw for Mutex {
    fn understand(
        &self,
        call: &RawCall,
        outcome: &Outcome<Value>,
    ) -> Result<(MutexCall, Outcome<()>), Misfit> {
        let call = match &*call.function {
            "acquire" => MutexCall::Acquire,
            "release" => MutexCall::Release,
            _ => return Err(Misfit::function("acquire, release", call)),
        };
        Ok((call, raw::reply(outcome, |_| Ok(()))?))
    }
}
