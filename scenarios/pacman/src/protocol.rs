//! The messages between players and board, as JSON.
//!
//! There are two ways to speak to the board, with the same four calls:
//!
//! - `/find`, `/findAll`, `/move`, `/remove`: plain HTTP, as the document draws it.
//! - the same under `/v2`: every request must be sealed ([`crate::seal`]), and every change must
//!   carry a key.
//!
//! Why `/v2` is a separate path and not a header that says "I am sealing": a flipped bit in that
//! header's name would silently turn the check off. Turning `/v2/move` into `/move` takes several
//! bytes at once, and the seal, which `/move` verifies wherever it finds one, would have to be lost
//! in the same breath. Why the key is in the body and not in an `Idempotency-Key` header: so that
//! no damage to a header separates an order from its key; and a damaged name of the field is
//! refused, because unknown fields are.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::board::{Direction, Kind, Position};

/// What stands before the path of a request whose seal is mandatory.
pub const SEALED: &str = "/v2";
/// The longest user name, piece name or key, in bytes.
pub const NAME_MAX: usize = 64;
/// The longest request body, in bytes.
pub const BODY_MAX: usize = 4096;

/// `GET /find?user=…&name=…`: where is this piece?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// Who asks.
    pub user: String,
    /// The piece's name.
    pub name: String,
}

/// `GET /findAll?user=…&kind=…`: where are all pieces of this kind?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindAll {
    /// Who asks.
    pub user: String,
    /// What is looked for.
    pub kind: Kind,
}

/// `POST /move`: put a piece on the neighbouring field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// Who asks.
    pub user: String,
    /// The piece's name.
    pub piece: String,
    /// Where to.
    pub direction: Direction,
    /// Applied at most once under this key; the user's own choice of a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// `POST /remove`: take a piece off the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remove {
    /// Who asks.
    pub user: String,
    /// The piece's name.
    pub piece: String,
    /// As in [`Move`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// The answer to `find`, `move` and `remove`: `{xPos, yPos, clock}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Column of the piece; for `remove`, of the field it was taken from.
    #[serde(rename = "xPos")]
    pub x: u32,
    /// Row of the piece.
    #[serde(rename = "yPos")]
    pub y: u32,
    /// The board's logical clock; of a change, the clock right after it.
    pub clock: u64,
}

impl Location {
    /// A field and the clock it was seen at.
    pub fn new(at: Position, clock: u64) -> Location {
        Location { x: at.x, y: at.y, clock }
    }

    /// The field.
    pub fn at(self) -> Position {
        Position { x: self.x, y: self.y }
    }
}

/// One of the pieces that `findAll` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// The piece's name.
    pub name: String,
    /// Column.
    #[serde(rename = "xPos")]
    pub x: u32,
    /// Row.
    #[serde(rename = "yPos")]
    pub y: u32,
}

impl Found {
    /// The field.
    pub fn at(&self) -> Position {
        Position { x: self.x, y: self.y }
    }
}

/// The answer to `findAll`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundAll {
    /// The pieces, in the order of their names.
    pub pieces: Vec<Found>,
    /// The board's logical clock.
    pub clock: u64,
}

/// What the board says when it did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// The message makes no sense, and never will. Nothing was applied.
    InvalidMessage,
    /// The message was damaged on its way: its seal is broken or missing. Nothing was applied.
    CorruptMessage,
    /// Not now: throttled, or the disk failed. Nothing was applied.
    RetryableError,
    /// The user or the piece is not there, or the user was silent so long that the board gave it
    /// up.
    UserNotFound,
    /// The disk failed in a way that leaves open whether the change will be there after a restart.
    OutcomeUnknown,
}

impl ErrorCode {
    /// Whether an answer with this code may come under this status: 400, 429 or 503, 404, 500.
    pub fn allows(self, status: StatusCode) -> bool {
        match self {
            ErrorCode::InvalidMessage | ErrorCode::CorruptMessage => {
                status == StatusCode::BAD_REQUEST
            }
            ErrorCode::RetryableError => {
                status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE
            }
            ErrorCode::UserNotFound => status == StatusCode::NOT_FOUND,
            ErrorCode::OutcomeUnknown => status == StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The body of an answer that is not 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorBody {
    /// What kind of error.
    pub error: ErrorCode,
    /// For a human reader.
    pub reason: String,
}
