//! An answer that is not 200.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::protocol::{ErrorBody, ErrorCode};

/// Why a request was not carried out, as status and body.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    body: ErrorBody,
}

impl Refusal {
    pub(crate) fn invalid(reason: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidMessage, reason)
    }

    pub(crate) fn corrupt(reason: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::CorruptMessage, reason)
    }

    pub(crate) fn throttled() -> Refusal {
        let status = StatusCode::TOO_MANY_REQUESTS;
        Refusal::new(status, ErrorCode::RetryableError, "too many requests")
    }

    pub(crate) fn not_written(reason: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::RetryableError, reason)
    }

    pub(crate) fn in_doubt(reason: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::OutcomeUnknown, reason)
    }

    pub(crate) fn not_found(reason: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, ErrorCode::UserNotFound, reason)
    }

    fn new(status: StatusCode, error: ErrorCode, reason: impl Into<String>) -> Refusal {
        debug_assert!(error.allows(status));
        Refusal { status, body: ErrorBody { error, reason: reason.into() } }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        tracing::info!(status = self.status.as_u16(), reason = self.body.reason, "refused");
        let damaged = self.body.error == ErrorCode::CorruptMessage;
        let mut response = (self.status, Json(self.body)).into_response();
        if damaged {
            // The damage may be in the length, and then what follows on this connection is not a
            // request.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }
}
