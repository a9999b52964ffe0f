//! Finds the bounds and the names of HTTP/1 messages (RFC 9112) in a stream of bytes, however it is cut.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem::MaybeUninit;

use super::{Alien, Asked, Digest, Part, Progress, path_of};

/// A head longer than this is not taken for HTTP.
const HEAD_MAX: usize = 256 * 1024;
/// A head with more fields than this is not taken for HTTP.
const FIELDS_MAX: usize = 128;

/// The methods by which HTTP is recognised (RFC 9110, RFC 5789), with the space that follows.
const METHODS: [&str; 9] =
    ["GET ", "POST ", "PUT ", "DELETE ", "HEAD ", "OPTIONS ", "PATCH ", "CONNECT ", "TRACE "];

/// Whether a client that begins with these bytes may be speaking HTTP/1.
pub(in crate::net) fn may_be_http(start: &[u8]) -> bool {
    METHODS.iter().any(|method| {
        let n = start.len().min(method.len());
        n > 0 && start[..n] == method.as_bytes()[..n]
    })
}

/// Which messages are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::net) enum Role {
    /// Requests.
    Request,
    /// Replies to such requests.
    Reply(Asked),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    Head,
    /// Bytes of the body that are missing.
    Length(u64),
    /// In the line that says how long the next chunk is; so far this long.
    ChunkSize {
        size: u64,
        in_extension: bool,
    },
    /// In a chunk and the line end after it.
    Chunk(u64),
    /// In the trailer, in a line of this many bytes so far.
    Trailer(u32),
    /// The body ends with the connection.
    UntilClose,
    /// No HTTP any more.
    Tunnel,
}

/// Reads the messages of one direction of a connection.
#[derive(Debug)]
pub(in crate::net) struct Parser {
    /// The head as far as it is there, where it did not come in one piece.
    head: Vec<u8>,
    at: At,
    /// `METHOD /path` of the current request, as soon as it is known.
    pub(in crate::net) name: Option<String>,
    /// What the method of the current request means for its reply.
    pub(in crate::net) asked: Asked,
    /// The query and the body of the current request.
    pub(in crate::net) digest: Digest,
    /// Status of the current reply.
    pub(in crate::net) status: Option<u16>,
}

impl Parser {
    pub(in crate::net) fn new() -> Parser {
        Parser {
            head: Vec::new(),
            at: At::Head,
            name: None,
            asked: Asked::Plain,
            digest: Digest::default(),
            status: None,
        }
    }

    /// The current message ends with the connection.
    pub(in crate::net) fn ends_with_connection(&self) -> bool {
        self.at == At::UntilClose
    }

    /// What follows is not HTTP.
    pub(in crate::net) fn is_tunnel(&self) -> bool {
        self.at == At::Tunnel
    }

    /// Reads bytes up to the end of the current message. `bytes` is not empty.
    pub(in crate::net) fn read(&mut self, role: Role, bytes: &[u8]) -> Result<Progress, Alien> {
        let mut used = 0;
        if self.at == At::Head {
            if self.head.is_empty() {
                self.name = None;
                self.status = None;
                self.digest = Digest::default();
            }
            match self.read_head(role, bytes)? {
                None => return Ok(unended(bytes.len())),
                Some(n) => used = n,
            }
        }
        loop {
            if self.at == At::Length(0) {
                self.at = At::Head;
                return Ok(Progress { used, part: Part::Message, ended: true });
            }
            if used == bytes.len() {
                return Ok(unended(used));
            }
            let body = &bytes[used..];
            let read = self.read_body(body)?;
            if role == Role::Request {
                self.digest.write(&body[..read]);
            }
            used += read;
        }
    }

    /// Reads of the head; gives how many of these bytes belong to it when it is complete.
    fn read_head(&mut self, role: Role, bytes: &[u8]) -> Result<Option<usize>, Alien> {
        let before = self.head.len();
        if before > 0 {
            self.head.extend_from_slice(bytes);
        }
        let head = core::mem::take(&mut self.head);
        let whole = if before > 0 { &head[..] } else { bytes };
        let parsed = match role {
            Role::Request => self.parse_request(whole),
            Role::Reply(asked) => self.parse_reply(asked, whole),
        };
        match parsed? {
            Some(length) => Ok(Some(length - before)),
            None if whole.len() > HEAD_MAX => Err(Alien),
            None => {
                self.head = if before > 0 { head } else { bytes.to_vec() };
                Ok(None)
            }
        }
    }

    fn parse_request(&mut self, whole: &[u8]) -> Result<Option<usize>, Alien> {
        let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let mut request = httparse::Request::new(&mut []);
        let parsed = request.parse_with_uninit_headers(whole, &mut fields).map_err(|_| Alien)?;
        if let (None, Some(method), Some(target)) = (&self.name, request.method, request.path) {
            let (path, query) = path_of(target);
            self.name = Some(format!("{method} {path}"));
            self.digest.write(query.as_bytes());
            self.asked = match method {
                "HEAD" => Asked::Head,
                "CONNECT" => Asked::Connect,
                _ => Asked::Plain,
            };
        }
        let httparse::Status::Complete(length) = parsed else { return Ok(None) };
        self.at = match framing(request.headers)? {
            Framing::Chunked => At::ChunkSize { size: 0, in_extension: false },
            Framing::Length(n) => At::Length(n),
            Framing::Unsaid => At::Length(0),
        };
        Ok(Some(length))
    }

    fn parse_reply(&mut self, asked: Asked, whole: &[u8]) -> Result<Option<usize>, Alien> {
        let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let mut reply = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let parsed = config
            .parse_response_with_uninit_headers(&mut reply, whole, &mut fields)
            .map_err(|_| Alien)?;
        self.status = reply.code;
        let httparse::Status::Complete(length) = parsed else { return Ok(None) };
        let status = reply.code.unwrap_or(0);
        let is_tunnel = status == 101 || asked == Asked::Connect && status / 100 == 2;
        let has_no_body =
            status / 100 == 1 || status == 204 || status == 304 || asked == Asked::Head;
        self.at = if is_tunnel {
            At::Tunnel
        } else if has_no_body {
            At::Length(0)
        } else {
            match framing(reply.headers)? {
                Framing::Chunked => At::ChunkSize { size: 0, in_extension: false },
                Framing::Length(n) => At::Length(n),
                Framing::Unsaid => At::UntilClose,
            }
        };
        Ok(Some(length))
    }

    /// Reads of the body; gives how many bytes were read, at least one.
    fn read_body(&mut self, bytes: &[u8]) -> Result<usize, Alien> {
        match &mut self.at {
            At::Length(left) => {
                let n = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= n as u64;
                Ok(n)
            }
            At::Chunk(left) => {
                let n = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= n as u64;
                if *left == 0 {
                    self.at = At::ChunkSize { size: 0, in_extension: false };
                }
                Ok(n)
            }
            At::ChunkSize { size, in_extension } => {
                match bytes[0] {
                    b'\n' => {
                        // The chunk is followed by an empty line; the last one by the trailer.
                        self.at = if *size == 0 { At::Trailer(0) } else { At::Chunk(*size + 2) };
                    }
                    b'\r' => {}
                    b';' => *in_extension = true,
                    _ if *in_extension => {}
                    byte => {
                        let digit = char::from(byte).to_digit(16).ok_or(Alien)?;
                        *size = size
                            .checked_mul(16)
                            .and_then(|n| n.checked_add(u64::from(digit)))
                            .filter(|n| *n < u64::MAX - 2)
                            .ok_or(Alien)?;
                    }
                }
                Ok(1)
            }
            At::Trailer(length) => {
                match bytes[0] {
                    b'\n' if *length == 0 => self.at = At::Length(0),
                    b'\n' => *length = 0,
                    b'\r' => {}
                    _ => *length = length.saturating_add(1),
                }
                Ok(1)
            }
            At::Head | At::UntilClose | At::Tunnel => Ok(bytes.len()),
        }
    }
}

/// All of these bytes, and more are to come.
fn unended(used: usize) -> Progress {
    Progress { used, part: Part::Message, ended: false }
}

enum Framing {
    Chunked,
    Length(u64),
    Unsaid,
}

/// How the body is delimited (RFC 9112, section 6).
fn framing(fields: &[httparse::Header<'_>]) -> Result<Framing, Alien> {
    let mut framing = Framing::Unsaid;
    for field in fields {
        if field.name.eq_ignore_ascii_case("transfer-encoding") {
            let value = field.value.trim_ascii();
            let start = value.len().saturating_sub(7);
            if value[start..].eq_ignore_ascii_case(b"chunked") {
                return Ok(Framing::Chunked);
            }
        } else if field.name.eq_ignore_ascii_case("content-length") {
            let value = core::str::from_utf8(field.value).map_err(|_| Alien)?;
            framing = Framing::Length(value.trim().parse().map_err(|_| Alien)?);
        }
    }
    Ok(framing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use expect_test::{Expect, expect};

    /// Reads `text` cut into parts at `cuts`, and says what was found: name or status, and length.
    fn read(role: Role, text: &[u8], cuts: &[usize]) -> String {
        let mut parser = Parser::new();
        let mut found = String::new();
        let (mut length, mut start) = (0, 0);
        for end in cuts.iter().copied().chain([text.len()]) {
            let mut part = &text[start..end];
            start = end;
            while !part.is_empty() {
                let Ok(progress) = parser.read(role, part) else { return found + "not http\n" };
                length += progress.used;
                part = &part[progress.used..];
                if progress.ended {
                    let status = parser.status.map(|status| status.to_string());
                    let what = parser.name.clone().or(status).unwrap_or_default();
                    found += &format!("{what}: {length} bytes\n");
                    length = 0;
                }
            }
        }
        if length > 0 {
            let how = if parser.ends_with_connection() { "until the end" } else { "unfinished" };
            found += &format!("{how}: {length} bytes\n");
        }
        found
    }

    /// However the bytes are cut into two, and into single bytes, the same is found.
    #[track_caller]
    fn check(role: Role, text: &str, expected: Expect) {
        let whole = read(role, text.as_bytes(), &[]);
        expected.assert_eq(&whole);
        for cut in 1..text.len() {
            assert_eq!(read(role, text.as_bytes(), &[cut]), whole, "cut at {cut}");
        }
        let every: Vec<usize> = (1..text.len()).collect();
        assert_eq!(read(role, text.as_bytes(), &every), whole, "cut everywhere");
    }

    #[test]
    fn requests_are_delimited_and_named() {
        check(
            Role::Request,
            "GET /a?x=1 HTTP/1.1\r\nhost: h\r\n\r\n\
             POST /move HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello\
             PUT http://h:80/p#f HTTP/1.1\r\ntransfer-encoding: gzip, Chunked\r\n\r\n\
             5;x=1\r\nhello\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nt: 1\r\n\r\n\
             OPTIONS * HTTP/1.0\r\n\r\n",
            expect![[r#"
                GET /a: 32 bytes
                POST /move: 47 bytes
                PUT /p: 123 bytes
                OPTIONS *: 22 bytes
            "#]],
        );
    }

    #[test]
    fn replies_are_delimited() {
        check(
            Role::Reply(Asked::Plain),
            "HTTP/1.1 100 Continue\r\n\r\n\
             HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok\
             HTTP/1.1 204 No Content\r\ncontent-length: 9\r\n\r\n\
             HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
             HTTP/1.0 200 OK\r\n\r\nthe rest",
            expect![[r#"
                100: 25 bytes
                200: 40 bytes
                204: 46 bytes
                500: 62 bytes
                until the end: 27 bytes
            "#]],
        );
    }

    #[test]
    fn a_reply_to_head_has_no_body() {
        check(
            Role::Reply(Asked::Head),
            "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nHTTP/1.1 404 No\r\n\r\n",
            expect![[r#"
                200: 40 bytes
                404: 19 bytes
            "#]],
        );
    }

    #[test]
    fn other_protocols_are_not_http() {
        for text in ["\x16\x03\x01", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "*1\r\n$4\r\nPING\r\n"] {
            assert_eq!(read(Role::Request, text.as_bytes(), &[]), "not http\n", "{text:?}");
        }
        assert!(!may_be_http(b"ping"));
        assert!(!may_be_http(b"PRI * HTTP/2.0"));
        assert!(may_be_http(b"P"));
        assert!(may_be_http(b"POST /x"));
    }
}
