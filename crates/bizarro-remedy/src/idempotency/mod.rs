//! Idempotency keys: a name for one request, under which it is done at most once however often it is sent.
//!
//! The client gives the same [`Key`] to every attempt of one logical call, across its own restarts too ([`KeyLayer`], or
//! by hand). The server keeps the key with the reply, and gives the same reply again. The header, the statuses and the
//! rules are those of the IETF's draft *The Idempotency-Key HTTP Header Field* (draft-ietf-httpapi-idempotency-key-header):
//!
//! | request | answer |
//! |---|---|
//! | first under its key | done, and its reply is kept until it expires |
//! | the same one again | the reply that was kept |
//! | another one under the same key | 422 |
//! | the same one while the first is being done | 409 |
//! | without a key, where one is needed, or with a malformed one | 400 |
//! | one that a process began and did not end, because it died | 500: nobody knows, and it is not done again |
//!
//! The last line is what a filter in front of a service can do at best: it cannot see whether the effect was there before
//! the process died. Where effect and key are in one database, [`sqlite::once`] puts them into one transaction, and the
//! line is never needed.
//!
//! A kept key expires. A client must have stopped asking before: its deadline has to be shorter than the server's time to
//! live, or an old request that is sent again counts as a new one.
//!
//! No published crate does this for tower with stores that survive a crash; hence this one.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

mod client;
mod memory;
mod server;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use client::{KeyLayer, Keyed};
pub use memory::Memory;
pub use server::{FilterLayer, Filtered, Keys};

/// The header that carries a key; in gRPC it is metadata of the same name.
pub const HEADER: &str = "idempotency-key";

/// The longest key, in bytes.
pub const KEY_MAX: usize = 255;

/// The name of one request: one to [`KEY_MAX`] visible characters of ASCII, without `"` and `\`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Key(String);

/// A text that is no key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAKey;

impl fmt::Display for NotAKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a key is 1 to {KEY_MAX} visible characters of ASCII without quotes and backslashes"
        )
    }
}

impl std::error::Error for NotAKey {}

impl Key {
    /// A new key: a random UUID, version 4.
    pub fn random() -> Key {
        Key(uuid::Uuid::new_v4().to_string())
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it stands in the header: a string of structured fields (RFC 8941, section 3.3.3).
    pub fn to_header(&self) -> http::HeaderValue {
        let quoted = format!("\"{}\"", self.0);
        quoted.parse().expect("visible characters of ASCII make a header")
    }

    /// Reads what [`Key::to_header`] writes.
    ///
    /// # Errors
    /// The value is something else.
    pub fn from_header(value: &[u8]) -> Result<Key, NotAKey> {
        let text = std::str::from_utf8(value).map_err(|_| NotAKey)?;
        let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        inner.ok_or(NotAKey)?.parse()
    }
}

impl FromStr for Key {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Key, NotAKey> {
        let is_plain = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
        if !text.is_empty() && text.len() <= KEY_MAX && text.bytes().all(is_plain) {
            Ok(Key(text.to_string()))
        } else {
            Err(NotAKey)
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a request asks for: SHA-256 over its parts, each with its length before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of these parts: method, path and body, or the fields of a message.
    pub fn of(parts: &[&[u8]]) -> Fingerprint {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Fingerprint(hash.finalize().into())
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A reply that is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// Its status of HTTP.
    pub status: u16,
    /// Its media type, if it said one.
    pub content_type: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

/// What a store knows of a key when a request comes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Begun {
    /// Nothing: the request is to be done, and then [`Store::finish`]ed or [`Store::abandon`]ed.
    New,
    /// It is being done now.
    InProgress,
    /// A process of before began it, and nobody knows what came of it.
    Orphaned,
    /// It was done, with this reply.
    Done(Reply),
    /// The key is another request's.
    OtherRequest,
}

/// A store failed. Nothing was begun.
#[derive(Debug)]
pub struct StoreError(pub Box<dyn std::error::Error + Send + Sync>);

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store of idempotency keys failed: {}", self.0)
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.0.as_ref())
    }
}

/// Where a server keeps keys. What it says survives whatever the store survives.
pub trait Store: Send + Sync + 'static {
    /// Asks for a key, and takes it if nobody has it or its time is over: `expires` is when this request's will be.
    fn begin(
        &self,
        key: &Key,
        request: Fingerprint,
        now: SystemTime,
        time_to_live: Duration,
    ) -> impl Future<Output = Result<Begun, StoreError>> + Send;

    /// Keeps the reply.
    fn finish(
        &self,
        key: &Key,
        reply: Reply,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Gives the key back: the request certainly changed nothing.
    fn abandon(&self, key: &Key) -> impl Future<Output = Result<(), StoreError>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        let key = Key::random();
        assert_eq!(Key::from_header(key.to_header().as_bytes()), Ok(key));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for bad in ["", "\"\"", "\"a", "a\"", "a", "\"a b\"", "\"a\\b\"", "\"\u{e9}\"", "\"a\"b\""]
        {
            assert_eq!(Key::from_header(bad.as_bytes()), Err(NotAKey), "{bad}");
        }
        assert!("k".repeat(KEY_MAX).parse::<Key>().is_ok());
        assert_eq!("k".repeat(KEY_MAX + 1).parse::<Key>(), Err(NotAKey));
    }

    #[test]
    fn no_byte_wanders_between_the_parts_of_a_request() {
        assert_ne!(Fingerprint::of(&[b"ab", b"c"]), Fingerprint::of(&[b"a", b"bc"]));
        assert_eq!(Fingerprint::of(&[b"ab", b"c"]), Fingerprint::of(&[b"ab", b"c"]));
    }
}
