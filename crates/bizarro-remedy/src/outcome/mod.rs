//! What is known after a call: the five outcomes of a request that travels over a network.
//!
//! Jacob Gabrielson (*Challenges with distributed systems*, Amazon Builders' Library) names them: the request was never
//! posted, the server says *not now*, it says *never*, it says *done*, or nothing is known. A library's error says what
//! went wrong on this side of the network. What a program needs in order to go on is another thing: **can the server have
//! received the request?** The modules below answer that for the errors of real libraries; where an error leaves it open,
//! or an answer cannot be told from one that a library makes itself, the outcome is [`Outcome::Unknown`].
//!
//! # What it rests on
//! An answer is believed: over a network that changes bytes, any status may be a damaged one, and TLS or a seal over the
//! reply has to come first. A gateway between the two counts as the server. What a library means by an error was read in
//! its source, and is checked by running the failure matrix of each of them (`tests/outcomes.rs`); the table at the end is
//! what that run saw.
//!
//! # What was seen
#![doc = include_str!("seen.md")]

use std::error::Error;
use std::fmt;

#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(feature = "hyper-util")]
pub mod hyper_util;
#[cfg(feature = "reqwest")]
pub mod reqwest;
#[cfg(feature = "http")]
pub mod status;
#[cfg(feature = "tonic")]
pub mod tonic;

/// Why a call did not succeed: the library's own error, or what the server answered.
pub type Cause = Box<dyn Error + Send + Sync>;

/// What is known after a call.
#[derive(Debug)]
#[must_use]
pub enum Outcome<T> {
    /// The server certainly did not get the request, and never will.
    PostFailed(Cause),
    /// The server, or its side of the protocol, says *not now*. It certainly did not do it.
    Retryable(Cause),
    /// The server says *never* to this request. It certainly did not do it.
    Fatal(Cause),
    /// Nothing is known: it may have been done, may be done yet, or may never be.
    Unknown(Cause),
    /// It was done, and this is the answer.
    Success(T),
}

/// An [`Outcome`] without its cause and its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// [`Outcome::PostFailed`]
    PostFailed,
    /// [`Outcome::Retryable`]
    Retryable,
    /// [`Outcome::Fatal`]
    Fatal,
    /// [`Outcome::Unknown`]
    Unknown,
    /// [`Outcome::Success`]
    Success,
}

impl Kind {
    /// The outcome of a call that ended with this error. That a call succeeded is no error's to say: then it is unknown.
    #[cfg(feature = "http")]
    fn because<T>(self, cause: impl Into<Cause>) -> Outcome<T> {
        match self {
            Kind::PostFailed => Outcome::PostFailed(cause.into()),
            Kind::Retryable => Outcome::Retryable(cause.into()),
            Kind::Fatal => Outcome::Fatal(cause.into()),
            Kind::Unknown | Kind::Success => Outcome::Unknown(cause.into()),
        }
    }
}

impl<T> Outcome<T> {
    /// Without cause and answer.
    pub fn kind(&self) -> Kind {
        match self {
            Outcome::PostFailed(_) => Kind::PostFailed,
            Outcome::Retryable(_) => Kind::Retryable,
            Outcome::Fatal(_) => Kind::Fatal,
            Outcome::Unknown(_) => Kind::Unknown,
            Outcome::Success(_) => Kind::Success,
        }
    }

    /// Whether the same request may be sent again even if doing it twice is wrong.
    ///
    /// After [`Outcome::Unknown`] it may be sent again only where twice is as good as once: a pure function, or a request
    /// with an idempotency key.
    pub fn may_repeat(&self) -> bool {
        matches!(self, Outcome::PostFailed(_) | Outcome::Retryable(_))
    }

    /// Whether the request certainly changed nothing.
    pub fn is_undone(&self) -> bool {
        matches!(self, Outcome::PostFailed(_) | Outcome::Retryable(_) | Outcome::Fatal(_))
    }

    /// The outcome with another answer.
    pub fn map<U>(self, answer: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Outcome::PostFailed(cause) => Outcome::PostFailed(cause),
            Outcome::Retryable(cause) => Outcome::Retryable(cause),
            Outcome::Fatal(cause) => Outcome::Fatal(cause),
            Outcome::Unknown(cause) => Outcome::Unknown(cause),
            Outcome::Success(value) => Outcome::Success(answer(value)),
        }
    }

    /// The answer, if there is one.
    pub fn success(self) -> Option<T> {
        match self {
            Outcome::Success(value) => Some(value),
            _ => None,
        }
    }

    /// Why there is no answer.
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match self {
            Outcome::PostFailed(cause)
            | Outcome::Retryable(cause)
            | Outcome::Fatal(cause)
            | Outcome::Unknown(cause) => Some(cause.as_ref()),
            Outcome::Success(_) => None,
        }
    }

    /// The document's name: `POST_FAILED`, `RETRYABLE`, `FATAL`, `UNKNOWN` or `SUCCESS`.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::PostFailed(_) => "POST_FAILED",
            Outcome::Retryable(_) => "RETRYABLE",
            Outcome::Fatal(_) => "FATAL",
            Outcome::Unknown(_) => "UNKNOWN",
            Outcome::Success(_) => "SUCCESS",
        }
    }
}

/// The document's name, and the cause with its own causes, which libraries leave out of their texts.
impl<T> fmt::Display for Outcome<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let first = self.cause().map(|cause| cause as &dyn Error);
        for cause in std::iter::successors(first, |cause| (**cause).source()) {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

/// The first error of this type, from an error to its causes.
#[cfg(any(feature = "reqwest", feature = "tonic"))]
fn first<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(error), |error| (**error).source())
        .find_map(<dyn Error>::downcast_ref)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> [Outcome<u8>; 5] {
        [
            Outcome::PostFailed("a".into()),
            Outcome::Retryable("b".into()),
            Outcome::Fatal("c".into()),
            Outcome::Unknown("d".into()),
            Outcome::Success(5),
        ]
    }

    #[test]
    fn what_may_be_sent_again_was_not_done() {
        assert_eq!(all().map(|o| o.may_repeat()), [true, true, false, false, false]);
        assert_eq!(all().map(|o| o.is_undone()), [true, true, true, false, false]);
        assert_eq!(all().map(Outcome::success), [None, None, None, None, Some(5)]);
    }

    #[test]
    fn an_outcome_tells_its_causes() {
        let texts = all().map(|o| o.map(|n| n + 1).to_string());
        assert_eq!(texts, ["POST_FAILED: a", "RETRYABLE: b", "FATAL: c", "UNKNOWN: d", "SUCCESS"]);
    }
}
