//! What an error of hyper-util's client says (`hyper_util::client::legacy`).
//!
//! | error | outcome | why |
//! |---|---|---|
//! | [`is_connect`](Error::is_connect) | post failed | no connection was made, and the client sends a request a second time only if nothing of it was sent |
//! | what hyper [says](super::hyper) below it | as there | |
//! | all others | unknown | |

use ::hyper_util::client::legacy::Error;

use super::{Kind, Outcome, hyper};

/// What is known of a request that ended with this error.
pub fn kind(error: &Error) -> Kind {
    if is_unsent(error) {
        Kind::PostFailed
    } else if is_refused(error) {
        Kind::Retryable
    } else {
        Kind::Unknown
    }
}

/// The outcome of a request that ended with this error: its [`kind`].
pub fn of_error<T>(error: Error) -> Outcome<T> {
    kind(&error).because(error)
}

pub(super) fn is_unsent(error: &Error) -> bool {
    error.is_connect() || below(error).is_some_and(hyper::is_unsent)
}

pub(super) fn is_refused(error: &Error) -> bool {
    below(error).is_some_and(hyper::is_refused)
}

/// The connection's error. No other one may stand in between: what a body of a request failed with is not ours.
fn below(error: &Error) -> Option<&::hyper::Error> {
    std::error::Error::source(error).and_then(|source| source.downcast_ref())
}
