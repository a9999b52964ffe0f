//! What header blocks say (HPACK, RFC 7541), as far as it names a call and tells how it ended.

use alloc::format;
use alloc::string::String;

use zerodds_hpack::Decoder;

use super::super::{Alien, Digest, path_of};

/// The size of a header table that nobody has spoken of (RFC 9113, section 6.5.2).
const TABLE_SIZE: u32 = 4096;
/// The longest code of Huffman's in HPACK, which is also the one that never occurs: thirty ones (RFC 7541, section 5.2).
const END_OF_STRING: u32 = 30;

/// What the fields of a message, or of its trailer, say.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::net) struct Head {
    /// Of a request: `POST /move`, or `grpc pacman.Board/Move`.
    pub(in crate::net) name: Option<String>,
    /// Of a request: its query.
    pub(in crate::net) digest: Digest,
    /// Of a reply of HTTP.
    pub(in crate::net) status: Option<u16>,
    /// The content is gRPC's.
    pub(in crate::net) is_grpc: bool,
    /// What gRPC says of the call at its end; 0 is success.
    pub(in crate::net) grpc_status: Option<u16>,
}

/// Decodes the header blocks of one direction of a connection.
pub(super) struct Headers {
    decoder: Decoder,
    /// How large the receiver lets the table become.
    allowed: u32,
}

impl Headers {
    pub(super) fn new() -> Headers {
        Headers { decoder: Decoder::with_max_size(TABLE_SIZE as usize), allowed: TABLE_SIZE }
    }

    /// The receiver takes a table of this size. The sender says when it uses that.
    pub(super) fn allow(&mut self, size: u32) {
        self.allowed = self.allowed.max(size);
    }

    /// Reads a whole block.
    pub(super) fn decode(&mut self, block: &[u8]) -> Result<Head, Alien> {
        // The decoder counts bits without end where a string holds the code that may not occur.
        if longest_run_of_ones(block) >= END_OF_STRING {
            return Err(Alien);
        }
        let fields = self.decoder.decode(block).map_err(|_| Alien)?;
        if self.decoder.table().max_size() > self.allowed as usize {
            return Err(Alien);
        }
        let (mut method, mut path, mut authority) = ("", None, "");
        let mut head = Head::default();
        for field in &fields {
            let value = field.value.as_str();
            match field.name.as_str() {
                ":method" => method = value,
                ":path" => path = Some(value),
                ":authority" => authority = value,
                ":status" => head.status = Some(value.parse().map_err(|_| Alien)?),
                "content-type" => head.is_grpc = is_grpc(value),
                "grpc-status" => head.grpc_status = value.parse().ok(),
                _ => {}
            }
        }
        if !method.is_empty() {
            // CONNECT has no path.
            let (path, query) = path_of(path.unwrap_or(authority));
            if !method.bytes().chain(path.bytes()).all(|byte| byte.is_ascii_graphic()) {
                return Err(Alien);
            }
            head.digest.write(query.as_bytes());
            head.name = Some(if head.is_grpc {
                format!("grpc {}", path.trim_start_matches('/'))
            } else {
                format!("{method} {path}")
            });
        }
        Ok(head)
    }
}

/// `application/grpc`, `application/grpc+proto`; not gRPC-Web, whose status is in the body.
fn is_grpc(content_type: &str) -> bool {
    content_type
        .strip_prefix("application/grpc")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']))
}

/// Of ones, one after the other, in bytes that are read from the highest bit.
fn longest_run_of_ones(bytes: &[u8]) -> u32 {
    let (mut longest, mut run) = (0, 0);
    for byte in bytes {
        if *byte == 0xff {
            run += 8;
            continue;
        }
        longest = longest.max(run + byte.leading_ones());
        run = byte.trailing_ones();
    }
    longest.max(run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn runs_of_ones_are_counted_over_bytes() {
        assert_eq!(longest_run_of_ones(&[]), 0);
        assert_eq!(longest_run_of_ones(&[0x7f, 0xff, 0xfe]), 22);
        assert_eq!(longest_run_of_ones(&[0xff, 0x0f, 0xff, 0x80, 0xff]), 13);
    }

    #[test]
    fn a_string_with_the_code_that_never_occurs_is_refused() {
        let mut block = Vec::from([0x00, 0x84, 0xff, 0xff, 0xff, 0xff]);
        block.extend_from_slice(&[0x81, 0xff]);
        assert_eq!(Headers::new().decode(&block), Err(Alien));
    }

    #[test]
    fn tables_may_be_as_large_as_the_receiver_says() {
        // A size update to 8192 (RFC 7541, section 6.3).
        let block = [0x3f, 0xe1, 0x3f];
        assert_eq!(Headers::new().decode(&block), Err(Alien));
        let mut headers = Headers::new();
        headers.allow(8192);
        assert_eq!(headers.decode(&block), Ok(Head::default()));
    }

    #[test]
    fn grpc_is_known_by_its_content() {
        for (content_type, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/json", false),
        ] {
            assert_eq!(is_grpc(content_type), expected, "{content_type}");
        }
    }
}
