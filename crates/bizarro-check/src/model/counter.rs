//! A counter.

use crate::history::{Outcome, RawCall, Value};

use super::Model;
use super::raw::{self, FromRaw, Misfit};

/// A number that is added to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter {
    /// What it is first.
    pub initial: i64,
}

/// What can be asked of a [`Counter`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum CounterCall {
    /// What is it?
    Read,
    /// Add this.
    Add(i64),
    /// Add this, and say what it is then.
    AddAndGet(i64),
}

/// What a [`Counter`] can answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum CounterReply {
    /// It is this.
    Value(i64),
    /// It was added.
    Added,
}

impl Model for Counter {
    type State = i64;
    type Call = CounterCall;
    type Reply = CounterReply;
    type Part = ();

    fn initial(&self) -> i64 {
        self.initial
    }

    /// Sums wrap around at the ends of 64 bits.
    fn step(
        &self,
        sum: &i64,
        call: &CounterCall,
        reply: Option<&CounterReply>,
        next: &mut Vec<i64>,
    ) {
        let (answer, after) = match call {
            CounterCall::Read => (CounterReply::Value(*sum), *sum),
            CounterCall::Add(more) => (CounterReply::Added, sum.wrapping_add(*more)),
            CounterCall::AddAndGet(more) => {
                (CounterReply::Value(sum.wrapping_add(*more)), sum.wrapping_add(*more))
            }
        };
        if reply.is_none_or(|reply| *reply == answer) {
            next.push(after);
        }
    }

    fn part(&self, _: &CounterCall) {}

    /// Only small numbers, so that no history of them wraps around.
    fn grows(&self, call: &CounterCall) -> bool {
        match call {
            CounterCall::Add(more) | CounterCall::AddAndGet(more) => {
                (0..=i64::from(i32::MAX)).contains(more)
            }
            CounterCall::Read => true,
        }
    }

    fn is_blind(&self, call: &CounterCall, reply: Option<&CounterReply>) -> bool {
        let adds = self.grows(call) && matches!(call, CounterCall::Add(_));
        adds && reply.is_none_or(|reply| *reply == CounterReply::Added)
    }

    fn out_of_reach(&self, sum: &i64, call: &CounterCall, reply: &CounterReply) -> bool {
        match (call, reply) {
            // A history has fewer than 2^31 operations; so many numbers below 2^31 do not wrap around.
            (CounterCall::Read, CounterReply::Value(seen)) => *sum < i64::MAX / 4 && seen < sum,
            _ => false,
        }
    }

    fn observes(&self, call: &CounterCall, _: Option<&CounterReply>) -> bool {
        matches!(call, CounterCall::Read | CounterCall::Add(0) | CounterCall::AddAndGet(0))
    }
}

/// `read`, `add` and `add-and-get`, which answers the sum.
impl FromRaw for Counter {
    fn understand(
        &self,
        call: &RawCall,
        outcome: &Outcome<Value>,
    ) -> Result<(CounterCall, Outcome<CounterReply>), Misfit> {
        let seen = |value: &Value| raw::int(value).map(CounterReply::Value);
        match &*call.function {
            "read" => Ok((CounterCall::Read, raw::reply(outcome, seen)?)),
            "add" => {
                let added = raw::reply(outcome, |_| Ok(CounterReply::Added))?;
                Ok((CounterCall::Add(raw::int(&call.value)?), added))
            }
            "add-and-get" => {
                let more = raw::int(&call.value)?;
                Ok((CounterCall::AddAndGet(more), raw::reply(outcome, seen)?))
            }
            _ => Err(Misfit::function("read, add, add-and-get", call)),
        }
    }
}
