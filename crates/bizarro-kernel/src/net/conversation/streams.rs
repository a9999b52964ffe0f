//! Messages of HTTP/2: each stream that the client opens is an exchange, and many are under way at a time.
//!
//! The frames of a stream are its messages' bytes; the preface, and frames of the connection such as SETTINGS and
//! GOAWAY, are nobody's. A stream that one side breaks off (RST_STREAM) stays without the rest of its messages. Where
//! the client does so, what the server still sends of it is nobody's, too.

use alloc::collections::BTreeMap;

use bizarro_record::Nanos;

use super::super::exchange::{Connection, Content, Exchanges, Mark, Piece};
use super::super::protocol::Digest;
use super::super::protocol::http2::{Chunk, Head, Reader, What};
use super::turns::{self, Turns};
use super::{AGAIN, Mode};

/// How far two hosts are.
pub(in crate::net) struct Streams {
    requests: Reader,
    replies: Reader,
    /// The first of the bytes that the client has sent and that cannot be told yet was sent then.
    since: Option<Nanos>,
    open: BTreeMap<u32, Stream>,
    /// The last stream that the client opened.
    highest: u32,
}

/// A call that is under way.
struct Stream {
    exchange: u32,
    /// Of the request's query and content.
    digest: Digest,
    is_request_whole: bool,
    is_reply_whole: bool,
    /// The first byte of the reply was sent.
    has_begun: bool,
    /// The first content of the message was sent.
    request_has_content: bool,
    reply_has_content: bool,
    /// The reply is gRPC's: its trailer says how the call ended.
    is_grpc: bool,
}

impl Stream {
    fn is_over(&self) -> bool {
        self.is_request_whole && self.is_reply_whole
    }
}

impl Streams {
    pub(super) fn new() -> Streams {
        Streams {
            requests: Reader::of_client(),
            replies: Reader::of_server(),
            since: None,
            open: BTreeMap::new(),
            highest: 0,
        }
    }
}

/// A part of a stream's message.
struct Part {
    exchange: u32,
    bits: u8,
    content: Content,
}

impl Part {
    fn piece(self, length: usize) -> Piece {
        Piece {
            length,
            mark: Mark { exchange: self.exchange, bits: self.bits },
            content: self.content,
        }
    }
}

/// Bytes of no stream.
fn nobodys(length: usize) -> Piece {
    Piece { length, ..AGAIN }
}

impl Exchanges {
    fn streams(&mut self, connection: Connection) -> Option<&mut Streams> {
        match self.mode(connection) {
            Mode::Streams(streams) => Some(streams),
            _ => None,
        }
    }

    pub(super) fn stream_request(
        &mut self,
        connection: Connection,
        bytes: &[u8],
        now: Nanos,
    ) -> Piece {
        let Some(streams) = self.streams(connection) else { return AGAIN };
        let Ok(chunk) = streams.requests.read(bytes) else {
            return self.give_up_streams(connection);
        };
        let Chunk { used, length, what } = chunk;
        let since = match what {
            What::Open => *streams.since.get_or_insert(now),
            _ => streams.since.take().unwrap_or(now),
        };
        let part = match what {
            What::Open | What::Aside => return nobodys(used),
            What::TableSize(size) => {
                streams.replies.allow_table(size);
                return nobodys(used);
            }
            What::Reset { stream } => {
                if let Some(stream) = streams.open.remove(&stream) {
                    self.given_up.insert(stream.exchange, now);
                }
                return nobodys(used);
            }
            What::Headers { stream, head, block, ends } => {
                let is_new = stream > streams.highest;
                let mut bits = if ends { Mark::LAST } else { 0 };
                if is_new {
                    let Some(exchange) = self.call(connection, stream, head, since) else {
                        return self.give_up_streams(connection);
                    };
                    bits |= Mark::FIRST;
                    if ends {
                        bits |= Mark::CONTENT;
                    }
                    Some((stream, Part { exchange, bits, content: Content::Headers(block) }))
                } else {
                    // A trailer, or of a stream that is over.
                    streams.open.get(&stream).map(|open| {
                        let part = Part { exchange: open.exchange, bits, content: Content::Whole };
                        (stream, part)
                    })
                }
            }
            What::Data { stream, frame, content, ends } => {
                if stream > streams.highest {
                    return self.give_up_streams(connection);
                }
                streams.open.get_mut(&stream).map(|open| {
                    open.digest.write(&bytes[content.start..content.end]);
                    let mut bits = if ends { Mark::LAST } else { 0 };
                    if content.start < content.end && !open.request_has_content {
                        open.request_has_content = true;
                        bits |= Mark::CONTENT;
                    }
                    let content = Content::Data { frame, span: content };
                    (stream, Part { exchange: open.exchange, bits, content })
                })
            }
        };
        let Some((stream, part)) = part else { return nobodys(used) };
        let record = &mut self.records[part.exchange as usize];
        record.request_bytes += length;
        if part.bits & Mark::LAST != 0 {
            self.request_ended(connection, stream);
        }
        part.piece(used)
    }

    /// The client opens a stream; `None` where it may not (RFC 9113, section 5.1.1) or does not say for what.
    fn call(
        &mut self,
        connection: Connection,
        stream: u32,
        head: Head,
        since: Nanos,
    ) -> Option<u32> {
        if stream.is_multiple_of(2) {
            return None;
        }
        let name = self.intern(connection, head.name?);
        let exchange = self.begin(connection, name, since);
        let streams = self.streams(connection)?;
        streams.highest = stream;
        let new = Stream {
            exchange,
            digest: head.digest,
            is_request_whole: false,
            is_reply_whole: false,
            has_begun: false,
            request_has_content: false,
            reply_has_content: false,
            is_grpc: false,
        };
        streams.open.insert(stream, new);
        Some(exchange)
    }

    fn request_ended(&mut self, connection: Connection, number: u32) {
        let Some(streams) = self.streams(connection) else { return };
        let Some(stream) = streams.open.get_mut(&number) else { return };
        stream.is_request_whole = true;
        let (exchange, body) = (stream.exchange, stream.digest.value());
        if stream.is_over() {
            streams.open.remove(&number);
        }
        self.records[exchange as usize].body = Some(body);
    }

    pub(super) fn stream_reply(
        &mut self,
        connection: Connection,
        bytes: &[u8],
        now: Nanos,
    ) -> Piece {
        let Some(streams) = self.streams(connection) else { return AGAIN };
        let Ok(chunk) = streams.replies.read(bytes) else {
            return self.give_up_streams(connection);
        };
        let Chunk { used, length, what } = chunk;
        let (number, ends) = match &what {
            What::Open | What::Aside => return nobodys(used),
            What::TableSize(size) => {
                streams.requests.allow_table(*size);
                return nobodys(used);
            }
            What::Reset { stream } => (*stream, false),
            What::Headers { stream, ends, .. } | What::Data { stream, ends, .. } => {
                (*stream, *ends)
            }
        };
        let Some(stream) = streams.open.get_mut(&number) else { return nobodys(used) };
        let exchange = stream.exchange;
        let begins = !core::mem::replace(&mut stream.has_begun, true);
        let mut part = Part { exchange, bits: Mark::REPLY, content: Content::Whole };
        if begins {
            part.bits |= Mark::FIRST;
        }
        if ends {
            part.bits |= Mark::LAST;
            stream.is_reply_whole = true;
        }
        let mut is_broken = false;
        match what {
            What::Headers { head, block, .. } => {
                part.content = Content::Headers(block);
                if ends && !stream.reply_has_content {
                    part.bits |= Mark::CONTENT;
                }
                stream.is_grpc |= head.is_grpc;
                let is_grpc = stream.is_grpc;
                self.replied(exchange, &head, is_grpc);
            }
            What::Data { frame, content, .. } => {
                part.content = Content::Data { frame, span: content };
                if content.start < content.end && !stream.reply_has_content {
                    stream.reply_has_content = true;
                    part.bits |= Mark::CONTENT;
                }
            }
            _ => {
                // All the answer that there is, or the end of one that was under way.
                is_broken = !stream.is_reply_whole;
                if begins {
                    part.bits |= Mark::LAST;
                }
            }
        }
        self.records[exchange as usize].reply_bytes += length;
        if begins {
            self.answered(exchange, now);
        }
        if is_broken {
            self.records[exchange as usize].is_refused = true;
            self.given_up.insert(exchange, now);
        }
        if let Some(streams) = self.streams(connection)
            && (is_broken || streams.open.get(&number).is_some_and(Stream::is_over))
        {
            streams.open.remove(&number);
        }
        part.piece(used)
    }

    /// What the headers or the trailer of a reply say of how the call ended.
    fn replied(&mut self, exchange: u32, head: &Head, is_grpc: bool) {
        let record = &mut self.records[exchange as usize];
        if is_grpc {
            record.status = head.grpc_status.or(record.status);
            record.is_refused = record.status != Some(0);
        } else if let Some(status) = head.status {
            record.status = Some(status);
            record.is_refused = status >= 400;
        }
    }

    /// It is no HTTP/2 after all, or broken. The oldest exchange that is under way goes on as a turn.
    fn give_up_streams(&mut self, connection: Connection) -> Piece {
        let Some(streams) = self.streams(connection) else { return AGAIN };
        let current = streams.open.values().next().map(|stream| {
            let progress =
                if stream.has_begun { turns::Progress::Answered } else { turns::Progress::Asked };
            (stream.exchange, progress)
        });
        *self.mode(connection) = Mode::Turns(Turns::with(current));
        AGAIN
    }
}
