//! What an error of hyper's connections says (`hyper::client::conn`, HTTP/1 and HTTP/2).
//!
//! | error | outcome | why |
//! |---|---|---|
//! | [`is_canceled`](::hyper::Error::is_canceled) | post failed | the request was still in the queue of a connection that ended, or the connection took none |
//! | a stream that the server reset with REFUSED_STREAM | retryable | it was not processed (RFC 9113, 8.7) |
//! | GOAWAY | unknown | a stream above its last stream id was not processed (RFC 9113, 6.8), but the error does not tell which id that was, and hyper gives the same one where a connection learns of it after the request was sent |
//! | [`is_incomplete_message`](::hyper::Error::is_incomplete_message), and all others | unknown | the connection broke after a byte of the request may have been sent |
//!
//! A request that hyper does not take because `SendRequest::ready` fails was never its own; that needs no classification.

use ::hyper::Error;
use ::hyper::client::conn::TrySendError;
use h2::Reason;

use super::{Kind, Outcome};

/// What is known of a request that ended with this error.
///
/// Only the error itself is looked at, not those below it: in a proxy, a request's body may fail with an error of another
/// connection.
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

/// The outcome of a request that ended with this error of `try_send_request`, and the request, where it was never sent.
pub fn of_try_send<T, R>(mut error: TrySendError<R>) -> (Outcome<T>, Option<R>) {
    match error.take_message() {
        Some(request) => (Outcome::PostFailed(Box::new(error.into_error())), Some(request)),
        None => (of_error(error.into_error()), None),
    }
}

/// Whether nothing of the request was ever written.
pub(super) fn is_unsent(error: &Error) -> bool {
    error.is_canceled()
}

/// Whether the server's side of HTTP/2 said that it did not look at the request. Where hyper uses another version of h2
/// than this crate, nothing is found, which is the safe side.
pub(super) fn is_refused(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    let stream = source.and_then(|source| source.downcast_ref::<h2::Error>());
    stream.is_some_and(|error| {
        error.is_reset() && error.is_remote() && error.reason() == Some(Reason::REFUSED_STREAM)
    })
}
