//! What an error of hyper-util's client says (`hyper_util::client::legacy`).
//!
//! | error | outcome | why |
//! |---|---|---|
//! | [`is_connect`](Error::is_connect) | post failed | no connection was made, and the client sends a request a second time only if nothing of it was sent |
//! | what hyper [says](super::hyper) below it | as there | |
//! | all others | unknown | |

use ::hyper_util::client::legacy::Error;

use super::{Outcome, hyper};

/// The outcome of a request that ended with this error.
pub fn of_error<T>(error: Error) -> Outcome<T> {
    if is_unsent(&error) {
        Outcome::PostFailed(Box::new(error))
    } else if is_refused(&error) {
        Outcome::Retryable(Box::new(error))
    } else {
        Outcome::Unknown(Box::new(error))
    }
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
