//! A log that is only appended to.

use std::hash::Hash;
use std::marker::PhantomData;

use crate::history::{Outcome, RawCall, Value};

use super::Model;
use super::raw::{self, FromRaw, Misfit};

/// A log, empty first. Its places are numbered from zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct AppendLog<V>(PhantomData<V>);

impl<V> AppendLog<V> {
    /// A log.
    pub fn new() -> AppendLog<V> {
        AppendLog(PhantomData)
    }
}

/// What can be asked of an [`AppendLog`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum AppendLogCall<V> {
    /// Add this to the end.
    Append(V),
    /// What is at this place?
    Get(usize),
    /// What is in it, from its beginning?
    Read,
}

/// What an [`AppendLog`] can answer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum AppendLogReply<V> {
    /// It was appended.
    Appended,
    /// It was appended at this place.
    AppendedAt(usize),
    /// This is at the place; `None` where the log does not reach it.
    At(Option<V>),
    /// All that is in it.
    Entries(Vec<V>),
}

impl<V: Clone + Eq + Hash> Model for AppendLog<V> {
    type State = Vec<V>;
    type Call = AppendLogCall<V>;
    type Reply = AppendLogReply<V>;
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
        let more = match call {
            AppendLogCall::Append(value) => Some(value),
            AppendLogCall::Get(_) | AppendLogCall::Read => None,
        };
        next.push(held.iter().chain(more).cloned().collect());
    }

    fn part(&self, _: &Self::Call) {}

    fn observes(&self, call: &Self::Call, _: Option<&Self::Reply>) -> bool {
        matches!(call, AppendLogCall::Get(_) | AppendLogCall::Read)
    }

    fn allows(&self, held: &Vec<V>, call: &Self::Call, reply: Option<&Self::Reply>) -> bool {
        let Some(reply) = reply else { return true };
        match (call, reply) {
            (AppendLogCall::Append(_), AppendLogReply::Appended) => true,
            (AppendLogCall::Append(_), AppendLogReply::AppendedAt(place)) => *place == held.len(),
            (AppendLogCall::Get(place), AppendLogReply::At(seen)) => {
                held.get(*place) == seen.as_ref()
            }
            (AppendLogCall::Read, AppendLogReply::Entries(seen)) => seen == held,
            _ => false,
        }
    }

    fn grows(&self, call: &Self::Call) -> bool {
        matches!(call, AppendLogCall::Append(_))
    }

    fn is_blind(&self, call: &Self::Call, reply: Option<&Self::Reply>) -> bool {
        let appends = matches!(call, AppendLogCall::Append(_));
        appends && reply.is_none_or(|reply| *reply == AppendLogReply::Appended)
    }

    fn out_of_reach(&self, held: &Vec<V>, call: &Self::Call, reply: &Self::Reply) -> bool {
        match (call, reply) {
            (AppendLogCall::Get(place), AppendLogReply::At(seen)) => {
                held.get(*place).is_some_and(|entry| seen.as_ref() != Some(entry))
            }
            (AppendLogCall::Read, AppendLogReply::Entries(seen)) => !seen.starts_with(held),
            _ => false,
        }
    }

    fn weight(&self, held: &Vec<V>) -> usize {
        size_of_val(held) + size_of::<V>() * held.len()
    }
}

/// `append`, which may answer its place as `{:at place}`; `get` with a place, which answers `nil` beyond the end; and `read`.
impl FromRaw for AppendLog<Value> {
    fn understand(
        &self,
        call: &RawCall,
        outcome: &Outcome<Value>,
    ) -> Result<(Self::Call, Outcome<Self::Reply>), Misfit> {
        match &*call.function {
            "append" => {
                let appended = raw::reply(outcome, |reply| match reply.get("at") {
                    Some(at) => place(at).map(AppendLogReply::AppendedAt),
                    None => Ok(AppendLogReply::Appended),
                })?;
                Ok((AppendLogCall::Append(call.value.clone()), appended))
            }
            "get" => {
                let seen = |reply: &Value| {
                    Ok(AppendLogReply::At((*reply != Value::Nil).then(|| reply.clone())))
                };
                Ok((AppendLogCall::Get(place(&call.value)?), raw::reply(outcome, seen)?))
            }
            "read" => {
                let seen = |reply: &Value| raw::list(reply).map(AppendLogReply::Entries);
                Ok((AppendLogCall::Read, raw::reply(outcome, seen)?))
            }
            _ => Err(Misfit::function("append, get, read", call)),
        }
    }
}

fn place(value: &Value) -> Result<usize, Misfit> {
    let place = value.int().and_then(|place| usize::try_from(place).ok());
    place.ok_or_else(|| Misfit::new("a place, which is a whole number from 0", value))
}
