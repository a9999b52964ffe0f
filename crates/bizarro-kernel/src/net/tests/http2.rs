//! Calls of HTTP/2 that share a connection: each is an exchange of its own.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bizarro_record::Nanos;
use expect_test::expect;
use proptest::prelude::*;

use super::captured;
use super::frames::*;
use super::world::World;
use crate::net::exchange::{Exchanges, Side};
use zerodds_hpack::Encoder;

/// What is seen of these writes, one after the other, where nothing is lost: a line for each exchange.
fn seen<'a>(writes: impl IntoIterator<Item = (Side, &'a [u8])>) -> String {
    let mut exchanges = Exchanges::new(Vec::from(["a".into(), "b".into()]));
    let connection = exchanges.connection(0, 1, 80);
    let mut pieces = Vec::new();
    for (now, (side, bytes)) in (0..).map(Nanos::from_micros).zip(writes) {
        pieces.clear();
        exchanges.sent(connection, side, bytes, now, &mut pieces);
        let length: usize = pieces.iter().map(|piece| piece.length).sum();
        assert_eq!(length, bytes.len(), "every byte is in a piece");
        for piece in &pieces {
            let span = piece.content.span(piece.length);
            assert!(span.start <= span.end && span.end <= piece.length, "{piece:?}");
            if piece.mark.is_some() && piece.mark.is_last() {
                exchanges.arrived(piece.mark, now);
            }
        }
    }
    let line = |x: &bizarro_record::Exchange| {
        let (delivered, completed) = (x.delivered.is_some(), x.completed.is_some());
        format!(
            "{} ({}): {} and {} bytes; delivered {delivered}, completed {completed}; {:?}, attempt {}\n",
            x.id, x.on_connection, x.request_bytes, x.reply_bytes, x.status, x.attempt
        )
    };
    exchanges.all().iter().map(line).collect()
}

fn borrowed(writes: &captured::Writes) -> impl Iterator<Item = (Side, &[u8])> {
    writes.iter().map(|(side, bytes)| (*side, &bytes[..]))
}

#[test]
fn real_calls_are_kept_apart() {
    expect![[r#"
        a>b grpc bank.Bank/Withdraw #1 (1): 114 and 39 bytes; delivered true, completed true; Some(0), attempt 1
        a>b grpc bank.Bank/Close #1 (2): 43 and 35 bytes; delivered true, completed true; Some(9), attempt 1
        a>b GET /a #1 (3): 22 and 10 bytes; delivered true, completed true; Some(404), attempt 1
        a>b POST /upload #1 (4): 40056 and 20028 bytes; delivered true, completed true; Some(200), attempt 1
        a>b grpc bank.Bank/Withdraw #2 (5): 47 and 37 bytes; delivered true, completed true; Some(0), attempt 1
        a>b grpc bank.Bank/Close #2 (6): 43 and 12 bytes; delivered true, completed true; Some(9), attempt 2
        a>b GET /a #2 (7): 21 and 10 bytes; delivered true, completed true; Some(404), attempt 2
        a>b POST /upload #2 (8): 40048 and 20028 bytes; delivered true, completed true; Some(200), attempt 1
    "#]].assert_eq(&seen(borrowed(&captured::writes())));
}

#[test]
fn a_stream_that_is_reset_is_not_answered() {
    let mut encoder = Encoder::new();
    let call = block(&mut encoder, &calling("/bank.Bank/Watch"));
    let again = block(&mut encoder, &calling("/bank.Bank/Watch"));
    let mut replies = Encoder::new();
    let head = block(&mut replies, &[(":status", "200"), ("content-type", "application/grpc")]);
    let client = [
        preface(),
        frame(HEADERS, END_HEADERS, 1, &call),
        frame(DATA, END_STREAM, 1, b"x"),
        frame(HEADERS, END_HEADERS, 3, &again),
        frame(DATA, END_STREAM, 3, b"x"),
    ]
    .concat();
    let server = [
        frame(SETTINGS, 0, 0, &[]),
        frame(HEADERS, END_HEADERS, 1, &head),
        frame(DATA, 0, 1, b"first"),
        frame(RST_STREAM, 0, 3, &[0, 0, 0, 7]),
    ]
    .concat();
    let cancel = frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    let late = frame(DATA, END_STREAM, 1, b"late");
    let last = [
        frame(HEADERS, END_HEADERS, 5, &block(&mut encoder, &calling("/bank.Bank/Watch"))),
        frame(DATA, END_STREAM, 5, b"x"),
        frame(GOAWAY, 0, 0, &[0; 8]),
    ]
    .concat();
    let writes = [
        (Side::Client, &client[..]),
        (Side::Server, &server),
        (Side::Client, &cancel),
        (Side::Server, &late),
        (Side::Client, &last),
    ];
    expect![[r#"
        a>b grpc bank.Bank/Watch #1 (1): 63 and 42 bytes; delivered true, completed false; None, attempt 1
        a>b grpc bank.Bank/Watch #2 (2): 24 and 13 bytes; delivered true, completed true; None, attempt 1
        a>b grpc bank.Bank/Watch #3 (3): 24 and 0 bytes; delivered true, completed false; None, attempt 2
    "#]].assert_eq(&seen(writes));
}

#[test]
fn what_breaks_goes_on_in_turns() {
    let get = block(&mut Encoder::new(), &asking("GET", "/a"));
    let broken =
        [preface(), frame(HEADERS, ALL, 1, &get), frame(HEADERS, ALL, 3, &[0x80])].concat();
    let writes = [
        (Side::Client, &broken[..]),
        (Side::Server, b"what?"),
        (Side::Client, b"sorry"),
        (Side::Server, b"well"),
    ];
    expect![[r#"
        a>b GET /a #1 (1): 31 and 5 bytes; delivered true, completed false; None, attempt 1
        a>b tcp:80 #1 (2): 5 and 4 bytes; delivered false, completed false; None, attempt 1
    "#]]
    .assert_eq(&seen(writes));
    // A stream that may not be opened, and content of one that was not.
    for (kind, stream) in [(HEADERS, 2), (DATA, 5)] {
        let broken = [preface(), frame(kind, ALL, stream, &get)].concat();
        assert_eq!(seen([(Side::Client, &broken[..])]).matches("tcp:80 #1").count(), 1);
    }
}

/// Cuts each write at places that follow from `cuts`.
fn cut<'a>(writes: &'a captured::Writes, cuts: &'a [u16]) -> Vec<(Side, &'a [u8])> {
    let mut cuts = cuts.iter().cycle();
    let mut parts = Vec::new();
    for (side, bytes) in writes {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let length = usize::from(*cuts.next().unwrap_or(&1)).clamp(1, rest.len());
            let (part, after) = rest.split_at(length);
            parts.push((*side, part));
            rest = after;
        }
    }
    parts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn segments_make_no_difference(cuts in prop::collection::vec(1..600_u16, 1..40)) {
        let writes = captured::writes();
        prop_assert_eq!(seen(cut(&writes, &cuts)), seen(borrowed(&writes)));
    }

    #[test]
    fn damaged_bytes_break_nothing(
        cuts in prop::collection::vec(1..3000_u16, 1..20),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut writes = captured::writes();
        for (write, place, byte) in damage {
            let write = write.index(writes.len());
            let bytes = &mut writes[write].1;
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        // That every byte is in a piece is asserted there.
        seen(cut(&writes, &cuts));
    }

    #[test]
    fn any_bytes_break_nothing(
        start in prop::sample::select(Vec::from([
            preface(),
            b"GET / HTTP/1.1\r\n".to_vec(),
            b"*2\r\n$3\r\nGET\r\n".to_vec(),
            b"\0\0\0\x10\0\x03\0\0user\0me\0".to_vec(),
            b"".to_vec(),
        ])),
        rest in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 1..80)), 0..12),
    ) {
        let rest = rest.iter().map(|(is_client, bytes)| {
            (if *is_client { Side::Client } else { Side::Server }, &bytes[..])
        });
        seen([(Side::Client, &start[..])].into_iter().filter(|(_, b)| !b.is_empty()).chain(rest));
    }
}

/// Two calls on one connection, of which the first one's reply or request meets this fault: what arrives.
fn two_calls_with(fault: &str) -> String {
    let mut w = World::with_fault(&format!("a>b grpc bank.Bank/Get #1 {fault}"));
    w.connected(0, 1);
    let (mut requests, mut replies) = (Encoder::new(), Encoder::new());
    let mut ask = |stream| {
        let head = block(&mut requests, &calling("/bank.Bank/Get"));
        [frame(HEADERS, END_HEADERS, stream, &head), frame(DATA, END_STREAM, stream, b"question")]
            .concat()
    };
    let mut answer = |stream| {
        let head = block(&mut replies, &[(":status", "200"), ("content-type", "application/grpc")]);
        let trailer = block(&mut replies, &[("grpc-status", "0")]);
        [
            frame(HEADERS, END_HEADERS, stream, &head),
            frame(DATA, 0, stream, b"answer"),
            frame(HEADERS, ALL, stream, &trailer),
        ]
        .concat()
    };
    let request = [preface(), ask(1), ask(3)].concat();
    let reply = [frame(SETTINGS, 0, 0, &[]), answer(3), answer(1)].concat();
    let mut differences = String::new();
    let _ = w.send("client", &request);
    w.settle();
    differences += &received(&mut w, "server", &request);
    let _ = w.send("server", &reply);
    w.settle();
    differences += &received(&mut w, "client", &reply);
    let struck = w.transcript().matches("struck").count();
    assert_eq!(struck, 1, "{fault}");
    differences
}

/// How what arrived differs from what was sent.
fn received(w: &mut World, end: &str, sent: &[u8]) -> String {
    let bytes = match w.recv(end) {
        Ok(bytes) => bytes,
        Err(error) => return format!("{end}: {error}\n"),
    };
    let end_of_stream = match w.recv(end) {
        Ok(rest) if rest.is_empty() => ", and the end",
        _ => "",
    };
    if bytes.len() != sent.len() {
        return format!("{end}: {} of {} bytes{end_of_stream}\n", bytes.len(), sent.len());
    }
    let differs: Vec<usize> = (0..sent.len()).filter(|at| bytes[*at] != sent[*at]).collect();
    match (differs.first(), differs.last()) {
        (Some(first), Some(last)) => {
            let was = sent[*first..=*last].escape_ascii();
            format!("{end}: other bytes for `{was}` at {first}{end_of_stream}\n")
        }
        _ => format!("{end}: all{end_of_stream}\n"),
    }
}

/// Two uploads, one after the other, of which the second one meets this fault: what the server gets of it, and the
/// client.
fn uploads_with(fault: &str) -> String {
    let mut w = World::with_fault(&format!("a>b PUT /a #2 {fault}"));
    w.connected(0, 1);
    let (mut requests, mut replies) = (Encoder::new(), Encoder::new());
    w.send("client", &preface()).unwrap();
    w.send("server", &frame(SETTINGS, 0, 0, &[])).unwrap();
    let mut seen = String::new();
    for (stream, content, reply) in
        [(1, "the first", "kept it"), (3, "second", r#"{"kept":"it too, as it was"}"#)]
    {
        w.settle();
        let _ = (w.recv("server"), w.recv("client"));
        let head = block(&mut requests, &asking("PUT", "/a"));
        w.send("client", &frame(HEADERS, END_HEADERS, stream, &head)).unwrap();
        w.send("client", &frame(DATA, END_STREAM, stream, content.as_bytes())).unwrap();
        w.settle();
        let got = w.recv("server").unwrap();
        seen = format!("{}\n", got[9 + head.len()..].escape_ascii());
        let head = block(&mut replies, &[(":status", "200")]);
        let data = frame(DATA, END_STREAM, stream, reply.as_bytes());
        w.send("server", &[frame(HEADERS, END_HEADERS, stream, &head), data].concat()).unwrap();
        w.settle();
        let got = w.recv("client").unwrap();
        seen += &format!("{}\n", got[9 + head.len()..].escape_ascii());
    }
    assert_eq!(w.transcript().matches("struck").count(), 1, "{fault}");
    seen
}

#[test]
fn contents_are_replaced_within_their_frames() {
    expect![[r#"
        \x00\x00\t\x00\x01\x00\x00\x00\x03the first
        \x00\x00\x1c\x00\x01\x00\x00\x00\x03{\"kept\":\"it too, as it was\"}
    "#]]
    .assert_eq(&uploads_with("validate-request=older"));
    expect![[r#"
        \x00\x00\x06\x00\x01\x00\x00\x00\x03second
        \x00\x00\x1c\x00\x01\x00\x00\x00\x03{\"error\":\"internal error\"}  
    "#]]
    .assert_eq(&uploads_with("validate-reply=error-body"));
}

#[test]
fn faults_strike_the_stream_that_is_meant() {
    let faults = [
        "post-request=reset",
        "deliver-request=lost",
        "validate-request=bit-flip",
        "validate-request=garbage",
        "validate-request=truncated",
        "post-reply=reset",
        "deliver-reply=lost",
        "deliver-reply=late",
        "deliver-reply=reset",
        "validate-reply=bit-flip",
        "validate-reply=garbage",
        "validate-reply=truncated",
        "validate-reply=empty",
    ];
    let seen: String = faults.map(|fault| format!("{fault}\n{}", two_calls_with(fault))).concat();
    expect![[r#"
        post-request=reset
        server: 33 of 132 bytes
        client: ECONNRESET
        deliver-request=lost
        server: EAGAIN
        client: EAGAIN
        validate-request=bit-flip
        server: other bytes for `n` at 100
        client: all
        validate-request=garbage
        server: other bytes for `question` at 93
        client: all
        validate-request=truncated
        server: 97 of 132 bytes, and the end
        client: all
        post-reply=reset
        server: all
        client: 76 of 112 bytes
        deliver-reply=lost
        server: all
        client: EAGAIN
        deliver-reply=late
        server: all
        client: 76 of 112 bytes
        deliver-reply=reset
        server: all
        client: 76 of 112 bytes
        validate-reply=bit-flip
        server: all
        client: other bytes for `n` at 97
        validate-reply=garbage
        server: all
        client: other bytes for `answer` at 96
        validate-reply=truncated
        server: all
        client: 99 of 112 bytes, and the end
        validate-reply=empty
        server: all
        client: 76 of 112 bytes, and the end
    "#]]
    .assert_eq(&seen);
}
