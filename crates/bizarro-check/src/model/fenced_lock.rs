//! A lock with fencing tokens (M. Kleppmann, *How to do distributed locking*, 2016).

use crate::history::{Outcome, RawCall, Value};

use super::Model;
use super::raw::{self, FromRaw, Misfit};

/// A lock whose every grant comes with a token above all before, and a store behind it that takes no
/// token below the highest that it has seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct FencedLock {
    /// Whether a grant can end without a release.
    pub expiry: Expiry,
}

/// Whether a grant can end by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Expiry {
    /// The lock is granted only after it was released.
    Never,
    /// It may be granted to another at any time.
    #[default]
    Possible,
}

/// What can be asked of a [`FencedLock`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum FencedLockCall {
    /// Grant it. A refusal is a failed operation.
    Acquire,
    /// The grant with this token is given back.
    Release(i64),
    /// The store is asked to do something under this token.
    Use(i64),
}

/// What a [`FencedLock`] can answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum FencedLockReply {
    /// It is granted, with this token.
    Granted(i64),
    /// It is given back; or the grant had ended before.
    Released,
    /// Whether the store accepted the token.
    Accepted(bool),
}

/// The last token that was granted, whether that grant lasts, and the highest that the store has seen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tokens {
    granted: i64,
    /// Whether the token is this one, or this one at least: the answer was not seen.
    exact: bool,
    held: bool,
    seen: i64,
}

impl Model for FencedLock {
    type State = Tokens;
    type Call = FencedLockCall;
    type Reply = FencedLockReply;
    type Part = ();

    /// Tokens begin above `i64::MIN`.
    fn initial(&self) -> Tokens {
        Tokens { granted: i64::MIN, exact: true, held: false, seen: i64::MIN }
    }

    fn step(
        &self,
        tokens: &Tokens,
        call: &FencedLockCall,
        reply: Option<&FencedLockReply>,
        next: &mut Vec<Tokens>,
    ) {
        match (call, reply) {
            (FencedLockCall::Acquire, reply) => {
                if tokens.held && self.expiry == Expiry::Never {
                    return;
                }
                let (granted, exact) = match reply {
                    Some(FencedLockReply::Granted(token)) => (*token, true),
                    // The least that it can have been leaves most room for later ones.
                    None => (tokens.granted.saturating_add(1), false),
                    Some(FencedLockReply::Released | FencedLockReply::Accepted(_)) => return,
                };
                if granted > tokens.granted {
                    next.push(Tokens { granted, exact, held: true, ..*tokens });
                }
            }
            (FencedLockCall::Release(token), None | Some(FencedLockReply::Released)) => {
                let is_greater = !tokens.exact && *token > tokens.granted;
                if tokens.held && (*token == tokens.granted || is_greater) {
                    next.push(Tokens { granted: *token, exact: true, held: false, ..*tokens });
                }
                if !tokens.held || *token != tokens.granted {
                    next.push(*tokens);
                }
            }
            (FencedLockCall::Use(token), reply) => {
                let accepted = *token >= tokens.seen;
                if reply.is_none_or(|reply| *reply == FencedLockReply::Accepted(accepted)) {
                    next.push(Tokens { seen: tokens.seen.max(*token), ..*tokens });
                }
            }
            (FencedLockCall::Release(_), Some(_)) => {}
        }
    }

    fn part(&self, _: &FencedLockCall) {}

    fn observes(&self, _: &FencedLockCall, reply: Option<&FencedLockReply>) -> bool {
        reply == Some(&FencedLockReply::Accepted(false))
    }
}

/// `acquire`, which answers a token; `release` and `use` with a token. A use that is ok was accepted,
/// unless it answered `false`.
impl FromRaw for FencedLock {
    fn understand(
        &self,
        call: &RawCall,
        outcome: &Outcome<Value>,
    ) -> Result<(FencedLockCall, Outcome<FencedLockReply>), Misfit> {
        match &*call.function {
            "acquire" => {
                let granted = |value: &Value| raw::int(value).map(FencedLockReply::Granted);
                Ok((FencedLockCall::Acquire, raw::reply(outcome, granted)?))
            }
            "release" => {
                let released = raw::reply(outcome, |_| Ok(FencedLockReply::Released))?;
                Ok((FencedLockCall::Release(raw::int(&call.value)?), released))
            }
            "use" => {
                let accepted =
                    |value: &Value| Ok(FencedLockReply::Accepted(*value != Value::Bool(false)));
                let token = raw::int(&call.value)?;
                Ok((FencedLockCall::Use(token), raw::reply(outcome, accepted)?))
            }
            _ => Err(Misfit::function("acquire, release, use", call)),
        }
    }
}
