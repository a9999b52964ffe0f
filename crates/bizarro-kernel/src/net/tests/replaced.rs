//! Messages that say something else: an older request, an error in a reply of success; and a reply that is cut off.

use expect_test::expect;

use super::world::World;
use crate::net::HostFault;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn put(body: &str) -> alloc::vec::Vec<u8> {
    alloc::format!("PUT /a HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Three requests of one name with this fault, and their replies.
fn three(fault: &str) -> World {
    let mut w = World::with_fault(fault);
    w.connected(0, 1);
    for body in ["one", "two", "three"] {
        w.send("client", &put(body)).unwrap();
        w.settle();
        let _ = w.recv("server");
        let _ = w.send("server", OK);
        w.settle();
        let _ = w.recv("client");
    }
    w
}

#[test]
fn the_request_before_comes_once_more() {
    let seen = three("a>b PUT /a #2 validate-request=older").transcript();
    let received: alloc::vec::Vec<&str> = seen
        .lines()
        .filter(|line| line.contains("server recv") || line.contains("struck"))
        .collect();
    expect![[r#"
        1.000000 s server recv = "PUT /a HTTP/1.1\r\ncontent-length: 3\r\n\r\none"
        2.000000 s host 0: struck a>b PUT /a #2 validate-request=older
        3.000000 s server recv = "PUT /a HTTP/1.1\r\ncontent-length: 3\r\n\r\none"
        5.000000 s server recv = "PUT /a HTTP/1.1\r\ncontent-length: 5\r\n\r\nthree""#]]
    .assert_eq(&received.join("\n"));
}

#[test]
fn before_the_first_request_there_was_none() {
    let seen = three("a>b PUT /a #1 validate-request=older").transcript();
    assert_eq!(seen.matches("struck").count(), 0, "{seen}");
}

#[test]
fn a_reply_of_success_holds_an_error() {
    let seen = three("a>b PUT /a #2 validate-reply=error-body").transcript();
    let received: alloc::vec::Vec<&str> = seen
        .lines()
        .filter(|line| line.contains("client recv") || line.contains("struck"))
        .collect();
    expect![[r#"
        2.000000 s client recv = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        3.000000 s host 1: struck a>b PUT /a #2 validate-reply=error-body
        4.000000 s client recv = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{\""
        6.000000 s client recv = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok""#]]
    .assert_eq(&received.join("\n"));
}

#[test]
fn a_reply_that_was_sent_is_lost_with_its_connection() {
    let mut w = World::with_fault("a>b PUT /a #1 deliver-reply=reset");
    w.connected(0, 1);
    w.send("client", &put("one")).unwrap();
    w.settle();
    w.recv("server").unwrap();
    w.send("server", OK).unwrap();
    w.settle();
    w.recv("client").unwrap_err();
    w.error("server");
    w.send("server", OK).unwrap_err();
    expect![[r#"
        0.000000 s client send 41 = 41
        1.000000 s server recv = "PUT /a HTTP/1.1\r\ncontent-length: 3\r\n\r\none"
        1.000000 s host 1: struck a>b PUT /a #1 deliver-reply=reset
        1.000000 s server send 40 = 40
        2.000000 s client recv = ECONNRESET
        2.000000 s server SO_ERROR = ECONNRESET
        2.000000 s server send 40 = EPIPE
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn a_crash_between_two_calls_is_counted_from_the_arrival() {
    let w = three("a>b PUT /a #2 update-server=crash@3");
    let [HostFault::CrashAt(1, 3, deadly)] = w.strikes[..] else { panic!("{:?}", w.strikes) };
    // It is shown when it strikes.
    let mut w = w;
    assert_eq!(w.transcript().matches("struck").count(), 0);
    w.call(1, |net, cx| net.show_deadly(cx, deadly));
    assert!(w.transcript().contains("host 1: struck a>b PUT /a #2 update-server=crash@3"));
}

#[test]
fn calls_are_counted_between_a_request_and_its_reply() {
    let mut w = World::new();
    w.connected(0, 1);
    for (call_before, calls) in [(2, 3), (0, 1)] {
        for _ in 0..call_before {
            w.net.call_begun(1);
        }
        w.send("client", &put("one")).unwrap();
        w.settle();
        for _ in 0..calls {
            w.net.call_begun(1);
            w.net.call_begun(0);
        }
        w.recv("server").unwrap();
        w.send("server", OK).unwrap();
        w.settle();
        w.recv("client").unwrap();
    }
    let counted: alloc::vec::Vec<u32> =
        w.net.exchanges().iter().map(|exchange| exchange.server_calls).collect();
    assert_eq!(counted, [3, 1]);
}
