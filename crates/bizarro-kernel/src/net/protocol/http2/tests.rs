use super::*;
use crate::net::tests::frames::{self, ALL, PRIORITISED, asking, block, calling, frame};
use alloc::format;
use alloc::string::String;
use expect_test::{Expect, expect};
use zerodds_hpack::Encoder;

/// Reads parts one after the other and says what they were. Data is put together.
fn read<'a>(mut reader: Reader, parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut found: Vec<String> = Vec::new();
    let (mut total, mut told, mut content) = (0, 0, 0);
    for mut part in parts {
        while !part.is_empty() {
            let Ok(chunk) = reader.read(part) else {
                found.push("alien\n".into());
                return found.concat();
            };
            let (bytes, rest) = part.split_at(chunk.used);
            part = rest;
            total += chunk.used as u64;
            told += chunk.length;
            match chunk.what {
                What::Open | What::Aside => {}
                What::TableSize(size) => found.push(format!("table of {size}\n")),
                What::Reset { stream } => found.push(format!("{stream}: reset\n")),
                What::Headers { stream, head, ends, .. } => {
                    let end = if ends { ", the end" } else { "" };
                    let Head { name, status, is_grpc, grpc_status, .. } = head;
                    found.push(format!(
                        "{stream}: {name:?} {status:?} grpc {is_grpc} {grpc_status:?}{end}\n"
                    ));
                }
                What::Data { stream, content: span, ends, .. } => {
                    content += bytes[span.start..span.end].len();
                    if ends || reader.data.is_none() {
                        let end = if ends { ", the end" } else { "" };
                        found.push(format!("{stream}: content of {content}{end}\n"));
                        content = 0;
                    }
                }
            }
        }
    }
    if total > told {
        found.push(format!("{} bytes open\n", total - told));
    }
    found.concat()
}

/// However the bytes are cut into two, and into single bytes, the same is found.
#[track_caller]
fn check(reader: fn() -> Reader, bytes: &[u8], expected: Expect) {
    let whole = read(reader(), [bytes].into_iter());
    expected.assert_eq(&whole);
    for cut in 1..bytes.len() {
        let (start, end) = bytes.split_at(cut);
        assert_eq!(read(reader(), [start, end].into_iter()), whole, "cut at {cut}");
    }
    assert_eq!(read(reader(), bytes.chunks(1)), whole, "cut everywhere");
}

#[test]
fn requests_are_told_by_their_streams() {
    let mut encoder = Encoder::new();
    let get = block(&mut encoder, &asking("GET", "/a?q=1"));
    let call = block(&mut encoder, &calling("/bank.Bank/Withdraw"));
    let trailer = block(&mut encoder, &[("checksum", "1")]);
    let connect = block(&mut encoder, &[(":method", "CONNECT"), (":authority", "b:443")]);
    let bytes = [
        frames::preface(),
        frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9, 0, 1, 0, 0, 0x20, 0]),
        frame(SETTINGS, ACK, 0, &[]),
        frame(HEADERS, ALL, 1, &get),
        frame(HEADERS, END_HEADERS, 3, &call),
        frame(frames::PRIORITY, 0, 3, &[0; 5]),
        frame(DATA, 0, 3, b"hello"),
        frame(8, 0, 0, &[0, 0, 1, 0]),
        frame(DATA, 0, 3, b""),
        frame(HEADERS, ALL, 3, &trailer),
        frame(HEADERS, END_HEADERS, 5, &connect),
        frame(RST_STREAM, 0, 5, &[0, 0, 0, 8]),
        frame(frames::GOAWAY, 0, 0, &[0; 8]),
        frame(0x77, 0xff, 9, b"of an extension"),
        vec_of(7),
    ];
    check(
        Reader::of_client,
        &bytes.concat(),
        expect![[r#"
        table of 8192
        1: Some("GET /a") None grpc false None, the end
        3: Some("grpc bank.Bank/Withdraw") None grpc true None
        3: content of 5
        3: content of 0
        3: None None grpc false None, the end
        5: Some("CONNECT b:443") None grpc false None
        5: reset
        7 bytes open
    "#]],
    );
}

/// Some bytes of a frame that does not end.
fn vec_of(length: usize) -> Vec<u8> {
    frame(HEADERS, 0, 7, &[0; 20])[..length].to_vec()
}

#[test]
fn replies_are_told_by_their_streams() {
    let mut encoder = Encoder::new();
    encoder.use_huffman = true;
    let interim = block(&mut encoder, &[(":status", "103"), ("link", "</style.css>")]);
    let head =
        block(&mut encoder, &[(":status", "200"), ("content-type", "application/grpc+proto")]);
    let promise = block(&mut encoder, &asking("GET", "/pushed"));
    let trailer = block(&mut encoder, &[("grpc-status", "14"), ("grpc-message", "no")]);
    let refusal = block(&mut encoder, &[(":status", "404")]);
    let bytes = [
        frame(HEADERS, END_HEADERS, 1, &interim),
        frame(HEADERS, END_HEADERS, 1, &head),
        frame(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2], &promise[..]].concat()),
        frame(DATA, 0, 1, b"12345"),
        frame(HEADERS, ALL, 3, &refusal),
        frame(HEADERS, ALL, 1, &trailer),
    ];
    check(
        Reader::of_server,
        &bytes.concat(),
        expect![[r#"
        1: None Some(103) grpc false None
        1: None Some(200) grpc true None
        1: content of 5
        3: None Some(404) grpc false None, the end
        1: None None grpc false Some(14), the end
    "#]],
    );
}

#[test]
fn padding_priority_and_continuations_are_taken_off() {
    let mut encoder = Encoder::new();
    let get = block(&mut encoder, &asking("GET", "/a"));
    let (start, rest) = get.split_at(3);
    let (middle, end) = rest.split_at(4);
    let padded = [&[2], &[0, 0, 0, 0, 9][..], start, &[0, 0]].concat();
    let bytes = [
        frames::preface(),
        frame(HEADERS, PADDED | PRIORITISED, 1, &padded),
        frame(CONTINUATION, 0, 1, middle),
        frame(CONTINUATION, END_HEADERS, 1, end),
        frame(DATA, PADDED, 1, b"\x03hello\0\0\0"),
        frame(DATA, PADDED, 1, b"\x09\0\0"),
        frame(DATA, PADDED | END_STREAM, 1, b"\0x"),
    ];
    check(
        Reader::of_client,
        &bytes.concat(),
        expect![[r#"
        1: Some("GET /a") None grpc false None
        1: content of 5
        1: content of 0
        1: content of 1, the end
    "#]],
    );
}

#[test]
fn what_breaks_the_framing_is_alien() {
    let get = block(&mut Encoder::new(), &asking("GET", "/a"));
    let post = block(&mut Encoder::new(), &asking("PO ST", "/a"));
    let huge = [&[0xff, 0xff, 0xff, 0xfe], &[0; 5][..]].concat();
    let wrong = [
        b"PRI * HTTP/2.0\r\n\r\nMS".to_vec(),
        // Between the parts of a header block.
        [frame(HEADERS, 0, 1, &get), frame(DATA, 0, 1, b"")].concat(),
        [frame(HEADERS, 0, 1, &get), frame(CONTINUATION, END_HEADERS, 3, b"")].concat(),
        frame(CONTINUATION, END_HEADERS, 1, &get),
        // Of no stream.
        frame(HEADERS, ALL, 0, &get),
        frame(DATA, 0, 0, b"x"),
        frame(RST_STREAM, 0, 0, &[0; 4]),
        // Bodies that cannot be.
        frame(RST_STREAM, 0, 1, &[0; 3]),
        frame(SETTINGS, 0, 0, &[0; 7]),
        frame(HEADERS, ALL | PADDED, 1, &[9, 0]),
        frame(HEADERS, ALL | PADDED, 1, &[]),
        frame(DATA, PADDED, 1, &[]),
        frame(HEADERS, ALL | PRIORITISED, 1, &[0; 4]),
        huge,
        // Header blocks that say nothing.
        frame(HEADERS, ALL, 1, &[0x80]),
        frame(HEADERS, ALL, 1, &[0xff; 40]),
        frame(HEADERS, ALL, 1, &[0xc0]),
        frame(HEADERS, ALL, 1, &post),
    ];
    for bytes in wrong {
        let bytes = if bytes.starts_with(b"PRI") { bytes } else { [PREFACE, &bytes].concat() };
        let found = read(Reader::of_client(), [&bytes[..]].into_iter());
        assert_eq!(found, "alien\n", "{}", bytes.escape_ascii());
    }
}

#[test]
fn content_is_replaced_with_its_frame() {
    let mut bytes =
        [frame(DATA, 0, 1, b"a"), frame(DATA, PADDED, 3, b"\x01old\0"), b"rest".to_vec()].concat();
    assert!(replace_content(&mut bytes, 10, b"older"));
    assert_eq!(
        bytes,
        [frame(DATA, 0, 1, b"a"), frame(DATA, 0, 3, b"older"), b"rest".to_vec()].concat()
    );
    assert!(!replace_content(&mut bytes, 24, b"x"), "this is no whole frame");
    let half = &mut frame(DATA, 0, 1, b"abc")[..11].to_vec();
    assert!(!replace_content(half, 0, b"x"));
}
