//! What an error of reqwest says.
//!
//! | error | outcome | why |
//! |---|---|---|
//! | the client below [could not connect](super::hyper_util) or did not send it | post failed | |
//! | [`is_builder`](Error::is_builder) | post failed | there was never a request |
//! | a stream that the server reset with REFUSED_STREAM, again and again | retryable | reqwest itself sends such a request three times |
//! | [`is_status`](Error::is_status) | as its [status](super::status::kind) says | |
//! | all others: time ran out, a reply that cannot be read, … | unknown | a timeout of the whole request may end it in any of its phases |
//!
//! **With redirects that are followed, nothing of this holds**: a server that did what it was asked may answer with one,
//! and the error is then that of the second request. Say so ([`Redirects::Followed`]), or switch them off with
//! `reqwest::redirect::Policy::none()`. The same goes for a client with a retry policy of its own.

use ::reqwest::{Error, Response};

use super::{Kind, Outcome, first, hyper_util, status};

/// Whether the client follows redirects, or sends requests again by a policy of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Redirects {
    /// It was built with `redirect::Policy::none()` and without a retry policy.
    Refused,
    /// It may have sent more than one request.
    Followed,
}

/// The outcome of a request whose whole reply is in memory, or could not be had: `Success` only with a status that says
/// so, and with `body` read to its end.
pub async fn of_sent(sent: Result<Response, Error>, redirects: Redirects) -> Outcome<Vec<u8>> {
    let reply = match sent {
        Ok(reply) => reply,
        Err(error) => return of_error(error, redirects),
    };
    match status::of_status(reply.status()) {
        Outcome::Success(()) => match reply.bytes().await {
            Ok(body) => Outcome::Success(body.to_vec()),
            Err(error) => Outcome::Unknown(Box::new(error)),
        },
        refused => refused.map(|()| Vec::new()),
    }
}

/// What is known of a request that ended with this error.
pub fn kind(error: &Error, redirects: Redirects) -> Kind {
    if let Some(code) = error.status() {
        return status::kind(code);
    }
    if redirects == Redirects::Followed {
        return Kind::Unknown;
    }
    let client = first::<::hyper_util::client::legacy::Error>(error);
    if error.is_builder() {
        Kind::PostFailed
    } else {
        client.map_or(Kind::Unknown, hyper_util::kind)
    }
}

/// The outcome of a request that ended with this error: its [`kind`].
pub fn of_error<T>(error: Error, redirects: Redirects) -> Outcome<T> {
    kind(&error, redirects).because(error)
}
