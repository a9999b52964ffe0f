//! What a status code of HTTP says of the request (RFC 9110, section 15).
//!
//! | code | outcome | why |
//! |---|---|---|
//! | 2xx, 304 | success | 15.3, 15.4.5 |
//! | 307, 308 | fatal | to be done elsewhere, and so not done here (15.4.8, 15.4.9) |
//! | other 3xx | unknown | 303 is the answer to what *was* done (15.4.4), and 302 is used so too |
//! | 408 | retryable | the request did not arrive in full (15.5.9) |
//! | 421 | retryable | by another connection (15.5.20) |
//! | 425 | retryable | without early data (RFC 8470, 5.2) |
//! | 429 | retryable | too many requests (RFC 6585, 4) |
//! | 503 | retryable | the server is unable to handle the request now (15.6.4) |
//! | other 4xx | fatal | the client's mistake (15.5) |
//! | 501, 505 | fatal | what is asked is not supported (15.6.2, 15.6.6) |
//! | 511 | fatal | a network between the two wants to be paid first (RFC 6585, 6) |
//! | other 5xx | unknown | the server, or one behind it, failed at some point of doing it (15.6) |
//! | 1xx | unknown | no answer at all |
//!
//! Some gateways answer 503 where the server behind them was lost in the middle of a request; where such a one is in
//! between, use [`of_gateway`].

use std::error::Error;
use std::fmt;

use ::http::StatusCode;

use super::{Kind, Outcome};

/// A status code that says no success, as a cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answered(pub StatusCode);

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {}", self.0)
    }
}

impl Error for Answered {}

/// What is known of a request that was answered so by its server, after the [table](self).
pub fn kind(status: StatusCode) -> Kind {
    match status.as_u16() {
        200..=299 | 304 => Kind::Success,
        408 | 421 | 425 | 429 | 503 => Kind::Retryable,
        307 | 308 | 400..=499 | 501 | 505 | 511 => Kind::Fatal,
        _ => Kind::Unknown,
    }
}

/// The outcome of a request that was answered so by its server, after the [table](self).
pub fn of_status(status: StatusCode) -> Outcome<()> {
    match kind(status) {
        Kind::Success => Outcome::Success(()),
        other => other.because(Answered(status)),
    }
}

/// The same, where a gateway stands between that answers 503 for a server that it lost.
pub fn of_gateway(status: StatusCode) -> Outcome<()> {
    match status {
        StatusCode::SERVICE_UNAVAILABLE => Kind::Unknown.because(Answered(status)),
        other => of_status(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(status: u16) -> &'static str {
        of_status(StatusCode::from_u16(status).unwrap()).name()
    }

    #[test]
    fn every_code_has_an_outcome() {
        for (status, wanted) in [
            (200, "SUCCESS"),
            (202, "SUCCESS"),
            (304, "SUCCESS"),
            (302, "UNKNOWN"),
            (303, "UNKNOWN"),
            (307, "FATAL"),
            (400, "FATAL"),
            (404, "FATAL"),
            (408, "RETRYABLE"),
            (409, "FATAL"),
            (422, "FATAL"),
            (429, "RETRYABLE"),
            (500, "UNKNOWN"),
            (501, "FATAL"),
            (502, "UNKNOWN"),
            (503, "RETRYABLE"),
            (504, "UNKNOWN"),
            (100, "UNKNOWN"),
            (999, "UNKNOWN"),
        ] {
            assert_eq!(name(status), wanted, "{status}");
        }
    }

    #[test]
    fn a_gateway_is_not_believed_when_it_says_unavailable() {
        assert_eq!(of_gateway(StatusCode::SERVICE_UNAVAILABLE).name(), "UNKNOWN");
        assert_eq!(of_gateway(StatusCode::TOO_MANY_REQUESTS).name(), "RETRYABLE");
    }
}
