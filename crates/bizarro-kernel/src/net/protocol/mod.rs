//! Finds the messages of known protocols in streams of bytes, however they are cut, and gives requests names.
//!
//! A file or folder for each protocol. They know nothing of connections, exchanges, time or faults, keep no bodies, and
//! never panic, whatever the bytes: what is not of a protocol is [`Alien`] to it.

mod digest;
pub(super) mod http1;
pub(super) mod http2;
pub(super) mod postgres;
pub(super) mod redis;
mod sniff;
mod sql;

pub(super) use digest::Digest;
pub(super) use sniff::{Guess, guess};

/// These bytes are not of this protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Alien;

/// What a request means for the bounds of its reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// Nothing special.
    Plain,
    /// HTTP/1: the reply has no body whatever its head says.
    Head,
    /// HTTP/1: a successful reply is the last one, a tunnel follows.
    Connect,
    /// PostgreSQL: whether to encrypt. The reply is one byte.
    Encryption,
    /// PostgreSQL: to begin a session, or a part of that. The reply may be a question.
    Session,
}

/// Whose bytes were read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    /// Of the current message.
    Message,
    /// Of the request before, whose message has ended: data that the server asked for.
    Tail,
    /// Of no message: what one side says without being asked, and without expecting an answer.
    Aside,
}

/// How far a message was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Progress {
    /// Bytes that were read, at least one.
    pub(super) used: usize,
    /// What they belong to.
    pub(super) part: Part,
    /// The last of them is the message's last byte.
    pub(super) ended: bool,
}

/// The path of a request's target, and what follows it: without the origin of an absolute form, cut before the query.
fn path_of(target: &str) -> (&str, &str) {
    let (path, rest) = target.split_at(target.find(['?', '#']).unwrap_or(target.len()));
    match path.split_once("://") {
        Some((_, path)) => (path.find('/').map_or("/", |at| &path[at..]), rest),
        None => (path, rest),
    }
}
