//! Which protocol a client speaks, by its first bytes.

use super::http1::may_be_http;
use super::http2::PREFACE;

/// What the first bytes of a client look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::net) enum Guess {
    /// More bytes are needed.
    Open,
    Http1,
    /// HTTP/2 by prior knowledge (RFC 9113, section 3.3).
    Http2,
    Redis,
    Postgres,
    /// None of these.
    Unknown,
}

/// Commands of Redis by which a client that types them as lines is recognised: none of them begins a session of
/// another protocol in which the client speaks first.
const INLINE: [&str; 6] = ["PING", "ECHO", "AUTH", "SELECT", "INFO", "EXISTS"];

/// Guesses from the first bytes that a client sends. It is careful: a wrong guess costs the name of an exchange, none
/// costs nothing.
pub(in crate::net) fn guess(start: &[u8]) -> Guess {
    if start.starts_with(PREFACE) {
        Guess::Http2
    } else if PREFACE.starts_with(start) {
        Guess::Open
    } else if may_be_http(start) {
        Guess::Http1
    } else if start.first() == Some(&b'*') {
        redis_array(start)
    } else if is_inline_command(start) {
        Guess::Redis
    } else if is_postgres(start) {
        Guess::Postgres
    } else {
        Guess::Unknown
    }
}

/// `*2`, `$3`, and the first letter of a command, each line ended by CR and LF.
fn redis_array(start: &[u8]) -> Guess {
    let mut rest = start;
    for sign in [b'*', b'$'] {
        let Some((first, after)) = rest.split_first() else { return Guess::Open };
        let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, end) = after.split_at(digits);
        let is_number = digits < 10 && number.first() != Some(&b'0');
        if *first != sign || !is_number || !b"\r\n".starts_with(&end[..end.len().min(2)]) {
            return Guess::Unknown;
        }
        if end.len() < 2 {
            return Guess::Open;
        }
        if digits == 0 {
            return Guess::Unknown;
        }
        rest = &end[2..];
    }
    match rest.first() {
        None => Guess::Open,
        Some(byte) if byte.is_ascii_alphabetic() => Guess::Redis,
        Some(_) => Guess::Unknown,
    }
}

fn is_inline_command(start: &[u8]) -> bool {
    let Some(end) = start.windows(2).position(|end| end == b"\r\n") else { return false };
    let line = &start[..end];
    let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    line.iter().all(|byte| (b' '..=b'~').contains(byte))
        && INLINE.iter().any(|command| word.eq_ignore_ascii_case(command.as_bytes()))
}

/// A packet that may begin a session of PostgreSQL (protocol 3, "Message Formats"). Clients send it in one piece, so
/// eight bytes are wanted at once: other protocols begin with a length too, and lose nothing by waiting for none.
fn is_postgres(start: &[u8]) -> bool {
    let Some((length, rest)) = start.split_first_chunk::<4>() else { return false };
    let Some((code, rest)) = rest.split_first_chunk::<4>() else { return false };
    let length = u32::from_be_bytes(*length);
    match u32::from_be_bytes(*code) {
        super::postgres::SSL_REQUEST | super::postgres::GSSENC_REQUEST => length == 8,
        super::postgres::CANCEL_REQUEST => length == 16,
        code => {
            let is_text = rest.first().is_none_or(u8::is_ascii_lowercase);
            code >> 16 == 3 && (9..=10_000).contains(&length) && is_text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_known_by_their_first_bytes() {
        let all: [(&[u8], Guess); 25] = [
            (b"P", Guess::Open),
            (b"PR", Guess::Open),
            (b"PO", Guess::Http1),
            (b"GET /", Guess::Http1),
            (b"GET key\r\n", Guess::Http1),
            (PREFACE, Guess::Http2),
            (&PREFACE[..23], Guess::Open),
            (b"PRI * HTTP/2.1", Guess::Unknown),
            (b"*", Guess::Open),
            (b"*1\r\n$4\r\n", Guess::Open),
            (b"*1\r\n$4\r\nPING\r\n", Guess::Redis),
            (b"*1\r\n:4\r\n", Guess::Unknown),
            (b"*\r\n", Guess::Unknown),
            (b"* OK", Guess::Unknown),
            (b"*1\r\n$4\r\n\0", Guess::Unknown),
            (b"ping\r\n", Guess::Redis),
            (b"PING\n", Guess::Unknown),
            (b"PINGER\r\n", Guess::Unknown),
            (b"get key\r\n", Guess::Unknown),
            (b"\0\0\0\x08\x04\xd2\x16\x2f", Guess::Postgres),
            (b"\0\0\0\x20\0\x03\0\0user\0me\0", Guess::Postgres),
            (b"\0\0\0\x20\0\x03\0\0\x01", Guess::Unknown),
            (b"\0\0\0\x20", Guess::Unknown),
            (b"\0\0\0\x05hello", Guess::Unknown),
            (b"\x16\x03\x01", Guess::Unknown),
        ];
        for (start, expected) in all {
            assert_eq!(guess(start), expected, "{}", start.escape_ascii());
        }
    }
}
