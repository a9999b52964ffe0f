//! Frames of HTTP/2, made by hand.

use alloc::string::ToString;
use alloc::vec::Vec;

use zerodds_hpack::{Encoder, HeaderField};

pub(in crate::net) const DATA: u8 = 0;
pub(in crate::net) const HEADERS: u8 = 1;
pub(in crate::net) const PRIORITY: u8 = 2;
pub(in crate::net) const RST_STREAM: u8 = 3;
pub(in crate::net) const SETTINGS: u8 = 4;
pub(in crate::net) const GOAWAY: u8 = 7;

pub(in crate::net) const END_STREAM: u8 = 0x1;
pub(in crate::net) const END_HEADERS: u8 = 0x4;
pub(in crate::net) const PRIORITISED: u8 = 0x20;
/// A header block in one frame, and nothing after it.
pub(in crate::net) const ALL: u8 = END_HEADERS | END_STREAM;

/// A frame (RFC 9113, section 4.1).
pub(in crate::net) fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), body].concat()
}

/// A header block.
pub(in crate::net) fn block(encoder: &mut Encoder, fields: &[(&str, &str)]) -> Vec<u8> {
    let field = |(name, value): &(&str, &str)| HeaderField {
        name: name.to_string(),
        value: value.to_string(),
    };
    encoder.encode(&fields.iter().map(field).collect::<Vec<_>>())
}

/// The fields of a request.
pub(in crate::net) fn asking<'a>(method: &'a str, path: &'a str) -> [(&'a str, &'a str); 4] {
    [(":method", method), (":scheme", "http"), (":path", path), (":authority", "b:80")]
}

/// The fields of a call of gRPC.
pub(in crate::net) fn calling(path: &str) -> [(&str, &str); 5] {
    let [method, scheme, path, authority] = asking("POST", path);
    [method, scheme, path, authority, ("content-type", "application/grpc")]
}

/// What a client sends first: the preface and its settings.
pub(in crate::net) fn preface() -> Vec<u8> {
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, &[])].concat()
}
