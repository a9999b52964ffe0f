//! Which exchanges are seen as another attempt at the same call.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::world::{STREAM, World, inet};

/// The attempts of all exchanges, in the order of their requests.
fn attempts(w: &World) -> Vec<u32> {
    w.net.exchanges().iter().map(|exchange| exchange.attempt).collect()
}

/// The attempts of all exchanges after [`World::after`].
fn attempts_of(parts: &[&str]) -> Vec<u32> {
    attempts(&World::after(parts))
}

fn post(target: &str, trace: &str, body: &str) -> String {
    let length = body.len();
    format!(
        ">POST {target} HTTP/1.1\r\ntraceparent: {trace}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

const BUSY: &str = "<HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n";
const OK: &str = "<HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

#[test]
fn a_refused_call_is_made_again() {
    let (first, second) = (post("/a?q=1", "1", "body"), post("/a?q=1", "2", "body"));
    assert_eq!(attempts_of(&[&first, BUSY, &second, BUSY, &first, OK, &first, OK]), [1, 2, 3, 1]);
}

#[test]
fn another_call_is_none_of_them() {
    let first = post("/a?q=1", "1", "body");
    for other in
        [post("/a?q=2", "1", "body"), post("/a?q=1", "1", "duty"), post("/b?q=1", "1", "body")]
    {
        assert_eq!(attempts_of(&[&first, BUSY, &other, BUSY, &first, OK]), [1, 1, 2], "{other}");
    }
}

#[test]
fn errors_of_redis_are_refusals() {
    let (set, get) = (">*2\r\n$3\r\nSET\r\n$1\r\nk\r\n", ">*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    assert_eq!(
        attempts_of(&[set, "<-ERR no\r\n", get, "<$-1\r\n", set, "<+OK\r\n", get, "<+v\r\n"]),
        [1, 1, 2, 1]
    );
}

/// Another connection of the two hosts, between sockets of this name and `server` behind it.
fn connect(w: &mut World, name: &str) {
    w.socket(name, 0, libc::AF_INET, STREAM);
    w.connect_blocking(name, &inet("10.0.0.2:80")).unwrap();
    w.settle();
    w.accept("listener", &format!("{name} server")).unwrap();
}

#[test]
fn what_a_client_gives_up_may_be_made_again() {
    let request = &post("/a", "1", "body").as_bytes()[1..].to_vec();
    let mut w = World::with_fault("a>b POST /a #1 deliver-reply=lost");
    w.connected(0, 1);
    w.send("client", request).unwrap();
    w.settle();
    w.recv("server").unwrap();
    w.send("server", &OK.as_bytes()[1..]).unwrap();
    // Another client's, while the first one still waits.
    connect(&mut w, "other");
    w.send("other", request).unwrap();
    w.settle();
    assert_eq!(attempts(&w), [1, 1]);
    w.close("client");
    w.close("other");
    connect(&mut w, "again");
    w.send("again", request).unwrap();
    w.settle();
    assert_eq!(attempts(&w), [1, 1, 2]);
}

#[test]
fn a_request_that_was_reset_is_made_again_and_half_a_request_is_not() {
    let request = post("/a", "1", "body");
    let (head, body) = request.as_bytes()[1..].split_at(30);
    let mut w = World::with_fault("a>b POST /a #1 post-request=reset");
    w.connected(0, 1);
    w.send("client", &request.as_bytes()[1..]).unwrap_err();
    connect(&mut w, "again");
    w.send("again", head).unwrap();
    w.close("again");
    connect(&mut w, "at last");
    w.send("at last", head).unwrap();
    w.send("at last", body).unwrap();
    assert_eq!(attempts(&w), [1, 1, 2]);
}

#[test]
fn what_was_given_up_is_known_when_nothing_is_left_of_its_connection() {
    let request = &post("/a", "1", "body").as_bytes()[1..].to_vec();
    let mut w = World::with_fault("a>b POST /other #1 deliver-reply=lost");
    w.connected(0, 1);
    for attempt in 0..50 {
        let (client, server) = (format!("{attempt}"), format!("{attempt} server"));
        connect(&mut w, &client);
        w.send(&client, request).unwrap();
        w.settle();
        w.recv(&server).unwrap();
        w.close(&client);
        w.settle();
        w.close(&server);
        w.settle();
    }
    assert_eq!(attempts(&w), (1..=50).collect::<Vec<u32>>());
    let connections: Vec<u32> =
        w.net.exchanges().iter().map(|exchange| exchange.connection).collect();
    assert_eq!(connections, (1..=50).collect::<Vec<u32>>());
    let places = w.net.lengths().into_iter().find(|(name, _)| *name == "conversations");
    assert_eq!(places, Some(("conversations", 1)));
}
