//! The five outcomes of a request (the document's `switch error`): what does the client know about
//! the server?

use reqwest::StatusCode;

use crate::protocol::{ErrorBody, ErrorCode};

/// How an attempt ended. The texts are for a human reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// The server certainly did not get it.
    PostFailed(String),
    /// The server got it and says: not now. It certainly did not do it.
    Retryable(String),
    /// The server got it and says: never. It certainly did not do it.
    Fatal(String),
    /// Nothing is known: it may have been done, may be done yet, or may never be.
    Unknown(String),
    /// It was done, and this is the answer.
    Success(T),
}

impl<T> Outcome<T> {
    /// In a few words, for a log.
    pub fn describe(&self) -> String {
        match self {
            Outcome::PostFailed(why) => format!("not sent: {why}"),
            Outcome::Retryable(why) => format!("not now: {why}"),
            Outcome::Fatal(why) => format!("refused: {why}"),
            Outcome::Unknown(why) => format!("unknown: {why}"),
            Outcome::Success(_) => "done".to_owned(),
        }
    }
}

/// Classifies an error of reqwest.
///
/// A connection that was never made carried nothing, nor did a request that could not be built. Of
/// everything else, a timeout or a reset as much as an unreadable reply, only the absence of a
/// reply is known.
pub fn of_error<T>(error: &reqwest::Error) -> Outcome<T> {
    if error.is_connect() || error.is_builder() {
        Outcome::PostFailed(chain(error))
    } else {
        Outcome::Unknown(chain(error))
    }
}

/// Classifies an answer other than 200 whose seal holds. An answer that the protocol does not know,
/// or under the wrong status, says nothing that can be relied on.
pub fn of_refusal<T>(status: StatusCode, body: &[u8]) -> Outcome<T> {
    let body: ErrorBody = match serde_json::from_slice(body) {
        Ok(body) => body,
        Err(error) => return Outcome::Unknown(format!("status {status}, no error in it: {error}")),
    };
    if !body.error.allows(status) {
        return Outcome::Unknown(format!("status {status} does not go with {:?}", body.error));
    }
    match body.error {
        // The message was right when it was sent; the board says that it was damaged on the way and
        // not applied.
        ErrorCode::CorruptMessage | ErrorCode::RetryableError => Outcome::Retryable(body.reason),
        ErrorCode::InvalidMessage | ErrorCode::UserNotFound => Outcome::Fatal(body.reason),
        ErrorCode::OutcomeUnknown => Outcome::Unknown(body.reason),
    }
}

/// The error and its causes; reqwest's own text leaves the cause out.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16, body: &str) -> Outcome<()> {
        of_refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn refusals_are_told_apart() {
        let body = |code: &str| format!(r#"{{"error":"{code}","reason":"r"}}"#);
        assert_eq!(outcome(429, &body("RETRYABLE_ERROR")), Outcome::Retryable("r".into()));
        assert_eq!(outcome(503, &body("RETRYABLE_ERROR")), Outcome::Retryable("r".into()));
        assert_eq!(outcome(400, &body("CORRUPT_MESSAGE")), Outcome::Retryable("r".into()));
        assert_eq!(outcome(400, &body("INVALID_MESSAGE")), Outcome::Fatal("r".into()));
        assert_eq!(outcome(404, &body("USER_NOT_FOUND")), Outcome::Fatal("r".into()));
        assert_eq!(outcome(500, &body("OUTCOME_UNKNOWN")), Outcome::Unknown("r".into()));
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_unknown() {
        let contradiction = r#"{"error":"USER_NOT_FOUND","reason":"r"}"#;
        for (status, body) in [(200, contradiction), (404, "{}"), (404, ""), (503, "Bad gateway")] {
            assert!(matches!(outcome(status, body), Outcome::Unknown(_)), "{status} {body}");
        }
    }
}
