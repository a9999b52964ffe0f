//! What a status of tonic says.
//!
//! A status with a cause was made on this side, and only the cause counts: its code is a translation (a connection that
//! could not be made and a stream that was reset are both `UNAVAILABLE`).
//!
//! | cause | outcome |
//! |---|---|
//! | [`ConnectError`] | post failed |
//! | what hyper [says](super::hyper) | as there |
//! | all others: time ran out, the connection was lost, … | unknown |
//!
//! A status without a cause came from the server, or was made here from a reply that could not be read. gRPC's
//! documentation (`statuscodes.md`) lists the codes that a library never makes by itself; only these are taken as the
//! server's word:
//!
//! | code | outcome |
//! |---|---|
//! | `INVALID_ARGUMENT`, `NOT_FOUND`, `ALREADY_EXISTS`, `FAILED_PRECONDITION`, `PERMISSION_DENIED`, `UNAUTHENTICATED` | fatal |
//! | `ABORTED` | retryable: by the caller, from the beginning of what it was about to do |
//! | `OUT_OF_RANGE` | unknown: tonic gives it to a reply that is too long |
//! | `UNAVAILABLE` | unknown: *it is not always safe to retry*, and 502 and 504 are translated to it |
//! | `CANCELLED`, `DEADLINE_EXCEEDED`, `UNKNOWN`, `INTERNAL`, `DATA_LOSS`, `RESOURCE_EXHAUSTED`, `UNIMPLEMENTED` | unknown: made on either side, before or after it was done |

use std::error::Error;

use ::tonic::{Code, ConnectError, Response, Status};

use super::{Kind, Outcome, first, hyper};

/// The outcome of a call.
pub fn of_result<T>(result: Result<Response<T>, Status>) -> Outcome<T> {
    match result {
        Ok(response) => Outcome::Success(response.into_inner()),
        Err(status) => of_status(status),
    }
}

/// What is known of a call that ended with this status, after the [tables](self).
pub fn kind(status: &Status) -> Kind {
    match status.source() {
        Some(cause) if is_unsent(cause) => Kind::PostFailed,
        Some(cause) if is_refused(cause) => Kind::Retryable,
        Some(_) => Kind::Unknown,
        None => kind_of_answer(status.code()),
    }
}

/// The outcome of a call that ended with this status: its [`kind`].
pub fn of_status<T>(status: Status) -> Outcome<T> {
    kind(&status).because(status)
}

fn kind_of_answer(code: Code) -> Kind {
    match code {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::PermissionDenied
        | Code::Unauthenticated => Kind::Fatal,
        Code::Aborted => Kind::Retryable,
        _ => Kind::Unknown,
    }
}

/// Only the topmost error of a connection counts: below that of a request's body there may be one of another connection.
fn is_unsent(cause: &(dyn Error + 'static)) -> bool {
    let mut chain = std::iter::successors(Some(cause), |cause| (**cause).source());
    chain.find_map(|cause| match cause.downcast_ref::<::hyper::Error>() {
        Some(error) => Some(hyper::is_unsent(error)),
        None => cause.is::<ConnectError>().then_some(true),
    }) == Some(true)
}

fn is_refused(cause: &(dyn Error + 'static)) -> bool {
    first::<::hyper::Error>(cause).is_some_and(hyper::is_refused)
}
