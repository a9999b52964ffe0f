//! A reply of success whose body is an error: some servers, gateways and proxies answer so.

use alloc::vec::Vec;
use core::mem::MaybeUninit;
use core::ops::Range;

use super::exchange::Content;

/// More fields than this in a head, and it is left alone.
const FIELDS_MAX: usize = 128;

/// What stands in the place of the body, as far as it fits; spaces follow.
const ERROR: &[u8] = br#"{"error":"internal error"}"#;

/// Replaces the body of a reply of success of HTTP by an error of the same length, as far as it is among these bytes: of
/// HTTP/1 the head has to be, too; of HTTP/2 `status` is what it said. Gives whether there was anything to replace.
pub(super) fn put_error_into(content: Content, status: Option<u16>, reply: &mut [u8]) -> bool {
    let ranges = match content {
        Content::Whole => bodies(reply),
        Content::Data { span, .. } if status.is_some_and(|status| status / 100 == 2) => {
            alloc::vec![span.start..span.end]
        }
        _ => Vec::new(),
    };
    let mut error = ERROR.iter().copied().chain(core::iter::repeat(b' '));
    let mut is_replaced = false;
    for range in ranges {
        for (byte, new) in reply[range].iter_mut().zip(&mut error) {
            *byte = new;
            is_replaced = true;
        }
    }
    is_replaced
}

/// Where bytes of a message say something, without what frames it: of HTTP/1 in the body or, in a request without one, in
/// the target; of other protocols everywhere.
pub(super) fn said_in(message: &[u8]) -> Vec<Range<usize>> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut head = httparse::Request::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_request_with_uninit_headers(&mut head, message, &mut fields) {
        Ok(httparse::Status::Complete(length)) if length == message.len() => {
            let target = head.path.unwrap_or_default().as_bytes();
            let start = head.method.map_or(0, |method| method.len() + 1);
            return alloc::vec![start..(start + target.len()).min(length)];
        }
        Ok(httparse::Status::Complete(length)) => return parts(head.headers, message, length),
        _ => {}
    }
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut head = httparse::Response::new(&mut []);
    match config.parse_response_with_uninit_headers(&mut head, message, &mut fields) {
        Ok(httparse::Status::Complete(length)) => parts(head.headers, message, length),
        _ => alloc::vec![0..message.len()],
    }
}

/// Where the bytes of the body are, without what frames them (RFC 9112, 6 and 7).
fn bodies(reply: &[u8]) -> Vec<Range<usize>> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut head = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let parsed = config.parse_response_with_uninit_headers(&mut head, reply, &mut fields);
    let Ok(httparse::Status::Complete(length)) = parsed else { return Vec::new() };
    if head.code.is_none_or(|code| code / 100 != 2) {
        return Vec::new();
    }
    parts(head.headers, reply, length)
}

/// The body behind a head of this length, in its parts.
fn parts(fields: &[httparse::Header<'_>], message: &[u8], head: usize) -> Vec<Range<usize>> {
    let is_chunked = fields.iter().any(|field| {
        field.name.eq_ignore_ascii_case("transfer-encoding")
            && field.value.to_ascii_lowercase().ends_with(b"chunked")
    });
    if is_chunked { chunks(message, head) } else { alloc::vec![head..message.len()] }
}

fn chunks(reply: &[u8], mut at: usize) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    while let Ok(httparse::Status::Complete((line, size))) =
        httparse::parse_chunk_size(&reply[at..])
    {
        let start = at + line;
        let end =
            reply.len().min(start.saturating_add(usize::try_from(size).unwrap_or(usize::MAX)));
        ranges.push(start..end);
        // The line end after it.
        at = reply.len().min(end + 2);
        if size == 0 {
            break;
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    #[track_caller]
    fn check(reply: &str, expected: Option<&str>) {
        let mut bytes = reply.as_bytes().to_vec();
        let is_replaced = put_error_into(Content::Whole, None, &mut bytes);
        assert_eq!(is_replaced, expected.is_some());
        assert_eq!(String::from_utf8(bytes).unwrap(), expected.unwrap_or(reply));
    }

    #[test]
    fn the_body_changes_and_its_length_does_not() {
        check(
            "HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n{\"xPos\":1,\"yPos\":2,\"clock\":33}",
            Some("HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n{\"error\":\"internal error\"}    "),
        );
        check(
            "HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok",
            Some("HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{\""),
        );
    }

    #[test]
    fn what_frames_the_chunks_stays() {
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n6\r\npedia \r\n0\r\n\r\n",
            Some(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"er\r\n6\r\nror\":\"\r\n0\r\n\r\n",
            ),
        );
    }

    #[test]
    fn an_error_is_one_already_and_without_a_body_there_is_none() {
        check("HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno", None);
        check("HTTP/1.1 204 No Content\r\n\r\n", None);
        check("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", None);
        check("+OK\r\n", None);
        check("HTTP/1.1 200 OK\r\ncontent-le", None);
    }
}
