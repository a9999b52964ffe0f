//! Reads HTTP/2 (RFC 9113) as somebody who looks on: which bytes of one direction of a connection are of which stream,
//! and what the headers say that name a call.
//!
//! Frames and their bounds are here; header blocks are decoded in [`headers`]. Flow control is not followed, for what
//! breaks it breaks nothing here, and pushed streams are no exchanges. Only prior knowledge begins HTTP/2: after an
//! upgrade from HTTP/1 the bytes take turns.

mod headers;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

pub(in crate::net) use headers::Head;
use headers::Headers;

use super::Alien;

/// With what a client begins (section 3.4).
pub(in crate::net) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Length, type, flags and stream (section 4.1).
const FRAME_HEAD: usize = 9;
/// A frame, of those that are kept until they are whole, longer than this is taken for none. Peers that never said they
/// take more (SETTINGS_MAX_FRAME_SIZE) refuse more than 16,384 bytes.
const FRAME_MAX: usize = 1 << 20;
/// A header block longer than this is taken for none.
const BLOCK_MAX: usize = 1 << 20;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 0x1;
/// Of SETTINGS.
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// SETTINGS_HEADER_TABLE_SIZE (section 6.5.2).
const HEADER_TABLE_SIZE: u16 = 1;

/// Where in the bytes that were read some of them are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::net) struct Span {
    pub(in crate::net) start: usize,
    pub(in crate::net) end: usize,
}

/// Bytes of one direction that belong together.
#[derive(Debug)]
pub(in crate::net) struct Chunk {
    /// How many were read, at least one.
    pub(in crate::net) used: usize,
    /// How many there were with those that came in earlier pieces and could not be told then.
    pub(in crate::net) length: u64,
    pub(in crate::net) what: What,
}

/// What a chunk is.
#[derive(Debug)]
pub(in crate::net) enum What {
    /// Nothing that can be told before more comes.
    Open,
    /// Of no stream, or of no exchange.
    Aside,
    /// A whole header block of this stream.
    Headers { stream: u32, head: Head, block: Span, ends: bool },
    /// Bytes of a DATA frame: its head where `frame` says so, and content.
    Data { stream: u32, frame: Option<usize>, content: Span, ends: bool },
    /// The stream is broken off.
    Reset { stream: u32 },
    /// The sender of this takes header tables of this size.
    TableSize(u32),
}

/// The head of a frame.
#[derive(Clone, Copy, Default)]
struct Frame {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Frame {
    fn read(bytes: &[u8; FRAME_HEAD]) -> Frame {
        let [a, b, c, kind, flags, s, t, u, v] = *bytes;
        Frame {
            length: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes([s & 0x7f, t, u, v]),
        }
    }

    fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// A DATA frame that is being read.
#[derive(Clone, Copy)]
struct Data {
    stream: u32,
    ends: bool,
    /// The length of the padding comes next.
    is_padding_unknown: bool,
    content_left: usize,
    padding_left: usize,
}

/// A header block that is being read: of HEADERS, or of a promise.
struct Block {
    stream: u32,
    ends: bool,
    is_promise: bool,
    bytes: Vec<u8>,
}

/// Reads one direction of a connection.
pub(in crate::net) struct Reader {
    /// Bytes of the preface that are missing.
    preface_left: usize,
    /// The current frame as far as it is there, unless it is DATA.
    frame: Vec<u8>,
    data: Option<Data>,
    block: Option<Block>,
    headers: Headers,
    /// Bytes that were read and not told of.
    untold: u64,
}

impl Reader {
    /// Reads what a client sends.
    pub(in crate::net) fn of_client() -> Reader {
        Reader { preface_left: PREFACE.len(), ..Reader::of_server() }
    }

    /// Reads what a server sends.
    pub(in crate::net) fn of_server() -> Reader {
        Reader {
            preface_left: 0,
            frame: Vec::new(),
            data: None,
            block: None,
            headers: Headers::new(),
            untold: 0,
        }
    }

    /// The other side takes header tables of this size.
    pub(in crate::net) fn allow_table(&mut self, size: u32) {
        self.headers.allow(size);
    }

    /// Reads bytes that belong together. `bytes` is not empty.
    pub(in crate::net) fn read(&mut self, bytes: &[u8]) -> Result<Chunk, Alien> {
        if self.preface_left > 0 {
            return self.read_preface(bytes);
        }
        if let Some(data) = self.data {
            return Ok(self.read_data(data, bytes, 0, None));
        }
        let mut used = 0;
        loop {
            let (read, frame) = self.read_frame(&bytes[used..])?;
            let Some(frame) = frame else { return Ok(self.told(bytes.len(), What::Open)) };
            let start = used;
            used += read;
            if frame.kind == DATA {
                let head = (start == 0 && read == FRAME_HEAD).then_some(0);
                let data = self.begin_data(frame)?;
                return Ok(self.read_data(data, bytes, used, head));
            }
            let frame_bytes = core::mem::take(&mut self.frame);
            // The head of a frame that came in earlier pieces is not among these bytes.
            let body = used - frame.length.min(used - start);
            let body = if read == FRAME_HEAD + frame.length { body } else { start };
            let what =
                self.take(frame, &frame_bytes[FRAME_HEAD..], Span { start: body, end: used })?;
            // Its room is used again.
            self.frame = frame_bytes;
            self.frame.clear();
            // A header block may go on in the frames that follow.
            if !matches!(what, What::Open) || used == bytes.len() {
                return Ok(self.told(used, what));
            }
        }
    }

    /// These bytes, and all that were not told of, are a chunk.
    fn told(&mut self, used: usize, what: What) -> Chunk {
        self.untold += used as u64;
        let length = match what {
            What::Open => 0,
            _ => core::mem::take(&mut self.untold),
        };
        Chunk { used, length, what }
    }

    fn read_preface(&mut self, bytes: &[u8]) -> Result<Chunk, Alien> {
        let missing = &PREFACE[PREFACE.len() - self.preface_left..];
        let used = missing.len().min(bytes.len());
        if missing[..used] != bytes[..used] {
            return Err(Alien);
        }
        self.preface_left -= used;
        Ok(self.told(used, What::Aside))
    }

    /// Reads of a frame: only the head of DATA, all of any other. Gives how many bytes were read, and its head if that
    /// much is there.
    fn read_frame(&mut self, bytes: &[u8]) -> Result<(usize, Option<Frame>), Alien> {
        let of_head = bytes.len().min(FRAME_HEAD.saturating_sub(self.frame.len()));
        self.frame.extend_from_slice(&bytes[..of_head]);
        let Some(head) = self.frame.first_chunk::<FRAME_HEAD>() else { return Ok((of_head, None)) };
        let frame = Frame::read(head);
        let is_of_block =
            |block: &Block| frame.kind == CONTINUATION && frame.stream == block.stream;
        match &self.block {
            // Nothing may come between the parts of a header block (section 6.10).
            Some(block) if !is_of_block(block) => return Err(Alien),
            None if frame.kind == CONTINUATION => return Err(Alien),
            _ => {}
        }
        if frame.kind == DATA {
            self.frame.clear();
            return Ok((of_head, Some(frame)));
        }
        if frame.length > FRAME_MAX {
            return Err(Alien);
        }
        let missing = FRAME_HEAD + frame.length - self.frame.len();
        let of_body = missing.min(bytes.len() - of_head);
        self.frame.extend_from_slice(&bytes[of_head..of_head + of_body]);
        Ok((of_head + of_body, (of_body == missing).then_some(frame)))
    }

    fn begin_data(&mut self, frame: Frame) -> Result<Data, Alien> {
        if frame.stream == 0 || frame.has(PADDED) && frame.length == 0 {
            return Err(Alien);
        }
        Ok(Data {
            stream: frame.stream,
            ends: frame.has(END_STREAM),
            is_padding_unknown: frame.has(PADDED),
            content_left: frame.length,
            padding_left: 0,
        })
    }

    /// Reads of a DATA frame from `bytes[start..]`, the bytes before being its head. Padding that is longer than the
    /// frame leaves no content; the receiver will say what it thinks of that.
    fn read_data(&mut self, data: Data, bytes: &[u8], start: usize, frame: Option<usize>) -> Chunk {
        let mut data = data;
        let mut at = start;
        if data.is_padding_unknown && at < bytes.len() {
            let rest = data.content_left - 1;
            data.padding_left = usize::from(bytes[at]).min(rest);
            data.content_left = rest - data.padding_left;
            data.is_padding_unknown = false;
            at += 1;
        }
        let content_length =
            if data.is_padding_unknown { 0 } else { data.content_left.min(bytes.len() - at) };
        let content = Span { start: at, end: at + content_length };
        data.content_left -= content_length;
        let padding = if data.content_left > 0 {
            0
        } else {
            data.padding_left.min(bytes.len() - content.end)
        };
        data.padding_left -= padding;
        let is_over = !data.is_padding_unknown && data.content_left == 0 && data.padding_left == 0;
        self.data = if is_over { None } else { Some(data) };
        let (stream, ends) = (data.stream, data.ends && is_over);
        self.told(content.end + padding, What::Data { stream, frame, content, ends })
    }

    /// Takes a whole frame that is not DATA. `read` are the bytes of this call up to its end.
    fn take(&mut self, frame: Frame, body: &[u8], read: Span) -> Result<What, Alien> {
        match frame.kind {
            HEADERS | PUSH_PROMISE => {
                if frame.stream == 0 {
                    return Err(Alien);
                }
                let mut block = unpadded(frame, body)?;
                let before = match frame.kind {
                    PUSH_PROMISE => 4,
                    _ if frame.has(PRIORITY) => 5,
                    _ => 0,
                };
                block = block.get(before..).ok_or(Alien)?;
                self.block = Some(Block {
                    stream: frame.stream,
                    ends: frame.kind == HEADERS && frame.has(END_STREAM),
                    is_promise: frame.kind == PUSH_PROMISE,
                    bytes: block.to_vec(),
                });
                self.end_block(frame, read)
            }
            CONTINUATION => {
                if let Some(block) = &mut self.block {
                    block.bytes.extend_from_slice(body);
                }
                self.end_block(frame, read)
            }
            RST_STREAM => match (frame.stream, body.len()) {
                (0, _) => Err(Alien),
                (stream, 4) => Ok(What::Reset { stream }),
                _ => Err(Alien),
            },
            SETTINGS if !frame.has(ACK) => {
                let (settings, rest) = body.as_chunks::<6>();
                if !rest.is_empty() || frame.stream != 0 {
                    return Err(Alien);
                }
                let size =
                    settings.iter().rev().find(|s| s[..2] == HEADER_TABLE_SIZE.to_be_bytes());
                Ok(size.map_or(What::Aside, |s| {
                    What::TableSize(u32::from_be_bytes([s[2], s[3], s[4], s[5]]))
                }))
            }
            // PRIORITY, PING, GOAWAY, WINDOW_UPDATE, and what extensions add.
            _ => Ok(What::Aside),
        }
    }

    fn end_block(&mut self, frame: Frame, read: Span) -> Result<What, Alien> {
        if self.block.as_ref().is_some_and(|block| block.bytes.len() > BLOCK_MAX) {
            return Err(Alien);
        }
        if !frame.has(END_HEADERS) {
            return Ok(What::Open);
        }
        let Some(block) = self.block.take() else { return Err(Alien) };
        let head = self.headers.decode(&block.bytes)?;
        if block.is_promise {
            return Ok(What::Aside);
        }
        Ok(What::Headers { stream: block.stream, head, block: read, ends: block.ends })
    }
}

/// The body of a frame without its padding.
fn unpadded(frame: Frame, body: &[u8]) -> Result<&[u8], Alien> {
    if !frame.has(PADDED) {
        return Ok(body);
    }
    let (padding, rest) = body.split_first().ok_or(Alien)?;
    let length = rest.len().checked_sub(usize::from(*padding)).ok_or(Alien)?;
    Ok(&rest[..length])
}

/// Puts `content` in the place of what a whole DATA frame holds, which begins at `frame`, as its sender would have sent
/// it without padding. `bytes` go on after it. Gives whether the frame is whole.
pub(in crate::net) fn replace_content(bytes: &mut Vec<u8>, frame: usize, content: &[u8]) -> bool {
    let Some(head) = bytes.get(frame..).and_then(|rest| rest.first_chunk::<FRAME_HEAD>()) else {
        return false;
    };
    let (mut head, was) = (*head, Frame::read(head));
    let body = frame + FRAME_HEAD;
    let (Some(_), Ok(length)) = (bytes.get(body..body + was.length), u32::try_from(content.len()))
    else {
        return false;
    };
    head[..3].copy_from_slice(&length.to_be_bytes()[1..]);
    head[4] &= !PADDED;
    bytes.splice(frame..body + was.length, head.into_iter().chain(content.iter().copied()));
    true
}
