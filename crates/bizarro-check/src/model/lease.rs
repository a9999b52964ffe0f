//! A lease: a lock whose grant ends by itself, nobody knows when.

use crate::history::{Outcome, RawCall, Value};

use super::Model;
use super::raw::{self, FromRaw, Misfit};

/// A lease. It knows no time: a grant may have ended at any moment. What it promises is that a client is
/// told that it holds the lease only while no other one was granted it since.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lease;

/// What can be asked of a [`Lease`]. The number is the client.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum LeaseCall {
    /// Grant it to this client.
    Acquire(i64),
    /// Let this client keep it.
    Renew(i64),
    /// Does this client hold it?
    Holds(i64),
    /// This client gives it back, where it holds it.
    Release(i64),
}

/// What a [`Lease`] can answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum LeaseReply {
    /// Granted, renewed, held.
    Yes,
    /// Refused, not renewed, not held.
    No,
    /// Given back.
    Released,
}

impl Model for Lease {
    /// Who holds it.
    type State = Option<i64>;
    type Call = LeaseCall;
    type Reply = LeaseReply;
    type Part = ();

    fn initial(&self) -> Option<i64> {
        None
    }

    fn step(
        &self,
        holder: &Option<i64>,
        call: &LeaseCall,
        reply: Option<&LeaseReply>,
        next: &mut Vec<Option<i64>>,
    ) {
        // A grant may have ended before the call: then nobody holds it.
        let before = [Some(*holder), holder.is_some().then_some(None)];
        for holder in before.into_iter().flatten() {
            let (answer, after) = match *call {
                LeaseCall::Acquire(client) if holder.is_none_or(|it| it == client) => {
                    (LeaseReply::Yes, Some(client))
                }
                LeaseCall::Acquire(_) => (LeaseReply::No, holder),
                LeaseCall::Renew(client) | LeaseCall::Holds(client) if holder == Some(client) => {
                    (LeaseReply::Yes, holder)
                }
                LeaseCall::Renew(_) | LeaseCall::Holds(_) => (LeaseReply::No, holder),
                LeaseCall::Release(client) if holder == Some(client) => {
                    (LeaseReply::Released, None)
                }
                LeaseCall::Release(_) => (LeaseReply::Released, holder),
            };
            if reply.is_none_or(|reply| *reply == answer) {
                next.push(after);
            }
        }
    }

    fn part(&self, _: &LeaseCall) {}
}

/// `acquire`, `renew` and `holds`, with the number of a client; ok means yes, unless they answered
/// `false`. And `release`.
impl FromRaw for Lease {
    fn understand(
        &self,
        call: &RawCall,
        outcome: &Outcome<Value>,
    ) -> Result<(LeaseCall, Outcome<LeaseReply>), Misfit> {
        let client = raw::int(&call.value)?;
        let answer = raw::reply(outcome, |value| match value {
            Value::Bool(false) => Ok(LeaseReply::No),
            _ => Ok(LeaseReply::Yes),
        })?;
        match &*call.function {
            "acquire" => Ok((LeaseCall::Acquire(client), answer)),
            "renew" => Ok((LeaseCall::Renew(client), answer)),
            "holds" => Ok((LeaseCall::Holds(client), answer)),
            "release" => {
                Ok((LeaseCall::Release(client), raw::reply(outcome, |_| Ok(LeaseReply::Released))?))
            }
            _ => Err(Misfit::function("acquire, renew, holds, release", call)),
        }
    }
}
