use super::*;
use alloc::vec;
use expect_test::{Expect, expect};

fn message(kind: char, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 4).to_be_bytes();
    [&[kind as u8], &length[..], body].concat()
}

fn untyped(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 4).to_be_bytes()[..], body].concat()
}

fn show(progress: Progress, what: &str, length: &mut usize) -> String {
    *length += progress.used;
    match (progress.part, progress.ended) {
        (Part::Message, false) => String::new(),
        (Part::Message, true) => format!("{what}: {} bytes\n", core::mem::take(length)),
        (part, _) => format!("{part:?}: {} bytes\n", core::mem::take(length)),
    }
}

fn requests<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let (mut reader, mut found, mut length) = (Requests::new(), String::new(), 0);
    for mut part in parts {
        while !part.is_empty() {
            let Ok(progress) = reader.read(part) else { return found + "alien\n" };
            part = &part[progress.used..];
            let name = reader.name.clone().unwrap_or_default();
            found += &show(progress, &format!("{name} ({:?})", reader.asked), &mut length);
        }
    }
    found
}

fn replies(asked: Option<Asked>, bytes: &[u8], size: usize) -> String {
    let (mut reader, mut found, mut length) = (Replies::default(), String::new(), 0);
    for mut part in bytes.chunks(size) {
        while !part.is_empty() {
            let Ok(progress) = reader.read(asked, part) else { return found + "alien\n" };
            part = &part[progress.used..];
            let what = if reader.is_refusal { "error" } else { "reply" };
            found += &show(progress, what, &mut length);
        }
    }
    found
}

/// However the bytes are cut into two, and into single bytes, the same requests are found.
#[track_caller]
fn check(bytes: &[u8], expected: Expect) {
    let whole = requests([bytes].into_iter());
    expected.assert_eq(&whole);
    for cut in 1..bytes.len() {
        let (start, end) = bytes.split_at(cut);
        assert_eq!(requests([start, end].into_iter()), whole, "cut at {cut}");
    }
    assert_eq!(requests(bytes.chunks(1)), whole, "cut everywhere");
}

#[test]
fn requests_are_delimited_and_named() {
    let all = [
        untyped(&SSL_REQUEST.to_be_bytes()),
        untyped(b"\0\x03\0\0user\0me\0\0"),
        message('p', b"secret\0"),
        message('Q', b"insert into accounts values (1)\0"),
        // A statement is prepared, and run twice.
        message('P', b"s0\0UPDATE accounts SET x = $1\0\0\0"),
        message('D', b"Ss0\0"),
        message('S', b""),
        message('B', b"\0s0\0\0\0\0\0\0\0"),
        message('E', b"\0\0\0\0\0"),
        message('S', b""),
        message('B', b"portal\0s0\0\0\0\0\0\0\0"),
        message('E', b"portal\0\0\0\0\0"),
        message('H', b""),
        message('S', b""),
        // All of it at once.
        message('P', b"\0SELECT 1 FROM trips\0\0\0"),
        message('B', b"\0\0\0\0\0\0\0\0"),
        message('D', b"P\0"),
        message('E', b"\0\0\0\0\0"),
        message('S', b""),
        message('C', b"Ss0\0"),
        message('S', b""),
        message('S', b""),
        message('Q', b"COPY t FROM STDIN\0"),
        message('d', &vec![b'x'; 3000]),
        message('c', b""),
        message('Q', b"\0"),
        message('X', b""),
    ];
    check(
        &all.concat(),
        expect![[r#"
        postgres ssl (Encryption): 8 bytes
        postgres startup (Session): 17 bytes
        postgres password (Session): 12 bytes
        postgres INSERT accounts (Plain): 37 bytes
        postgres prepare UPDATE accounts (Plain): 51 bytes
        postgres UPDATE accounts (Plain): 30 bytes
        postgres UPDATE accounts (Plain): 47 bytes
        postgres SELECT trips (Plain): 63 bytes
        postgres close (Plain): 14 bytes
        postgres sync (Plain): 5 bytes
        postgres COPY (Plain): 23 bytes
        Tail: 3005 bytes
        Tail: 5 bytes
        postgres query (Plain): 6 bytes
        Aside: 5 bytes
    "#]],
    );
}

#[test]
fn replies_end_when_the_server_is_ready_or_asks() {
    let ready = message('Z', b"I");
    let select = [
        message('T', b"\0\0"),
        message('D', &vec![0; 2000]),
        message('C', b"SELECT 1\0"),
        ready.clone(),
        message('E', b"SERROR\0\0"),
        ready.clone(),
    ]
    .concat();
    let session = [
        message('R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"),
        message('R', b"\0\0\0\x0bserver-first"),
        message('R', b"\0\0\0\x0cserver-final"),
        message('R', b"\0\0\0\0"),
        message('S', b"a\0b\0"),
        ready,
        message('E', b"SFATAL\0\0"),
    ]
    .concat();
    let unasked = [message('A', b"\0\0\0\x01c\0p\0"), message('Q', b"")].concat();
    for size in [1, 2, 5, 7, 100_000] {
        let of_select = replies(Some(Asked::Plain), &select, size);
        assert_eq!(of_select, "reply: 2032 bytes\nerror: 19 bytes\n", "in pieces of {size}");
        let of_session = replies(Some(Asked::Session), &session, size);
        let expected = "reply: 24 bytes\nreply: 21 bytes\nreply: 45 bytes\nerror: 13 bytes\n";
        assert_eq!(of_session, expected, "in pieces of {size}");
        assert_eq!(replies(Some(Asked::Encryption), b"N", size), "reply: 1 bytes\n");
        assert_eq!(replies(Some(Asked::Encryption), b"x", size), "alien\n");
    }
    assert_eq!(replies(None, &unasked, 100), "Aside: 13 bytes\nalien\n");
}

/// The hash of what is asked for, of requests after the session's beginning.
fn digests(messages: &[Vec<u8>]) -> Vec<u64> {
    let bytes = [untyped(b"\0\x03\0\0user\0me\0\0"), messages.concat()].concat();
    let (mut reader, mut found, mut rest) = (Requests::new(), Vec::new(), &bytes[..]);
    while !rest.is_empty() {
        let progress = reader.read(rest).unwrap();
        rest = &rest[progress.used..];
        if progress.ended {
            found.push(reader.digest.value().get());
        }
    }
    found[1..].to_vec()
}

#[test]
fn the_names_that_a_client_gives_do_not_count() {
    let run = |name: &str, sql: &str, value: u8| {
        let parse = message('P', format!("{name}\0{sql}\0\0\0").as_bytes());
        let bind = [name.as_bytes(), b"\0", name.as_bytes(), b"\0\0\0\0\x01\0\0\0\x01", &[value]];
        let bind = message('B', &bind.concat());
        let execute = message('E', format!("{name}\0\0\0\0\0").as_bytes());
        digests(&[parse, bind, execute, message('S', b"")])
    };
    assert_eq!(run("s1", "UPDATE a SET x = $1", 7), run("s20", "UPDATE a SET x = $1", 7));
    assert_ne!(run("s1", "UPDATE a SET x = $1", 7), run("s1", "UPDATE a SET x = $1", 8));
    assert_ne!(run("s1", "UPDATE a SET x = $1", 7), run("s1", "UPDATE a SET y = $1", 7));
    let queries =
        [message('Q', b"SELECT 1\0"), message('Q', b"SELECT 2\0"), message('Q', b"SELECT 1\0")];
    let queries = digests(&queries);
    assert!(queries[0] == queries[2] && queries[0] != queries[1]);
}

#[test]
fn other_bytes_are_alien() {
    let startup = untyped(b"\0\x03\0\0user\0me\0\0");
    for rest in [&b"Q\0\0\0\x03"[..], b"Q\xff\xff\xff\xff", b"hello"] {
        let all = [&startup[..], rest].concat();
        let found = requests([&all[..]].into_iter());
        assert_eq!(found, "postgres startup (Session): 17 bytes\nalien\n", "{rest:?}");
    }
    assert_eq!(requests([&untyped(b"\0\x02\0\0")[..]].into_iter()), "alien\n");
}
