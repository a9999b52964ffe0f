//! Refused, unreachable, partitioned: faults that last, and what passes when they are over.

use core::time::Duration;

use bizarro_record::{Effect, Nanos};
use expect_test::{Expect, expect};

use super::world::{DGRAM, STREAM, World, inet};

const GET: &[u8] = b"GET /a HTTP/1.1\r\nhost: b\r\n\r\n";

/// A request with this fault; then what a new connection meets at once, after two seconds and after six.
fn asked_again(fault: &str) -> alloc::string::String {
    let mut w = World::with_fault(&alloc::format!("a>b GET /a #1 {fault}"));
    w.connected(0, 1);
    let _ = w.send("client", GET);
    w.sleep(Duration::from_millis(500));
    w.poll("client");
    w.poll("server");
    for (name, pause) in [("second", 0), ("third", 2), ("fourth", 4)] {
        w.sleep(Duration::from_secs(pause));
        w.socket(name, 0, libc::AF_INET, STREAM);
        let _ = w.connect_blocking(name, &inet("10.0.0.2:80"));
    }
    w.transcript()
}

#[track_caller]
fn check(fault: &str, expected: Expect) {
    expected.assert_eq(&asked_again(fault));
}

#[test]
fn a_server_that_is_gone_refuses_for_five_seconds() {
    check(
        "post-request=refused",
        expect![[r#"
        0.000000 s host 0: struck a>b GET /a #1 post-request=refused
        0.000000 s client send 28 = ECONNRESET
        0.500000 s client poll = IN|OUT|RDHUP|HUP
        0.500000 s server poll = IN|OUT|RDHUP|HUP|ERR
        0.502000 s second connect = ECONNREFUSED
        2.504000 s third connect = ECONNREFUSED
        6.506000 s fourth connect = ok
    "#]],
    );
}

#[test]
fn a_server_that_cannot_be_reached_is_so_for_five_seconds() {
    check(
        "post-request=unreachable",
        expect![[r#"
        0.000000 s host 0: struck a>b GET /a #1 post-request=unreachable
        0.000000 s client send 28 = EHOSTUNREACH
        0.500000 s client poll = IN|OUT|RDHUP|HUP
        0.500000 s server poll = OUT
        0.502000 s second connect = EHOSTUNREACH
        2.504000 s third connect = EHOSTUNREACH
        6.506000 s fourth connect = ok
    "#]],
    );
}

#[test]
fn what_was_sent_before_a_partition_ends_arrives_after_it() {
    let mut w = World::with_fault("a>b GET /a #1 deliver-request=partition");
    w.connected(0, 1);
    // Nothing of any connection passes, either way.
    w.socket("other", 0, libc::AF_INET, STREAM);
    w.send("client", GET).unwrap();
    w.connect("other", &inet("10.0.0.2:80")).unwrap_err();
    w.send("server", b"unasked").unwrap();
    w.sleep(Duration::from_secs(29));
    w.recv("server").unwrap_err();
    w.recv("client").unwrap_err();
    w.poll("other");
    // Retransmissions come at longer and longer intervals.
    w.sleep(Duration::from_secs(60));
    w.recv("server").unwrap();
    w.recv("client").unwrap();
    w.poll("other");
    expect![[r#"
        0.000000 s host 0: struck a>b GET /a #1 deliver-request=partition
        0.000000 s client send 28 = 28
        0.000000 s other connect = EINPROGRESS
        0.000000 s server send 7 = 7
        29.000000 s server recv = EAGAIN
        29.000000 s client recv = EAGAIN
        29.000000 s other poll = 0
        89.000000 s server recv = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n"
        89.000000 s client recv = "unasked"
        89.000000 s other poll = OUT
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn other_hosts_notice_nothing() {
    for fault in ["post-request=refused", "post-request=unreachable", "deliver-request=partition"] {
        let mut w = World::with_fault(&alloc::format!("a>b GET /a #1 {fault}"));
        w.connected(0, 1);
        let _ = w.send("client", GET);
        w.sleep(Duration::from_millis(10));
        w.socket("other", 2, libc::AF_INET, STREAM);
        w.connect_blocking("other", &inet("10.0.0.2:80")).unwrap();
        assert!(w.time() < Nanos::from_millis(20));
    }
}

#[test]
fn datagrams_are_turned_away_and_lost() {
    let mut all = alloc::string::String::new();
    for fault in ["post-request=refused", "post-request=unreachable", "deliver-request=partition"] {
        let mut w = World::with_fault(&alloc::format!("a>b udp:99 #1 {fault}"));
        w.socket("server", 1, libc::AF_INET, DGRAM);
        w.bind("server", inet("0.0.0.0:99")).unwrap();
        w.socket("client", 0, libc::AF_INET, DGRAM);
        w.bind("client", inet("0.0.0.0:1000")).unwrap();
        w.transcript();
        let to = inet("10.0.0.2:99");
        for seconds in [1, 30, 1] {
            let _ = w.send_to("client", b"question", Some(&to), &[]);
            w.sleep(Duration::from_secs(seconds));
            let _ = w.recv("server");
        }
        all += &w.transcript();
        all.push('\n');
    }
    expect![[r#"
        0.000000 s host 0: struck a>b udp:99 #1 post-request=refused
        0.000000 s client send 8 = ECONNREFUSED
        1.000000 s server recv = EAGAIN
        1.000000 s client send 8 = ECONNREFUSED
        31.000000 s server recv = EAGAIN
        31.000000 s client send 8 = 8
        32.000000 s server recv = "question" from 10.0.0.1:1000

        0.000000 s host 0: struck a>b udp:99 #1 post-request=unreachable
        0.000000 s client send 8 = EHOSTUNREACH
        1.000000 s server recv = EAGAIN
        1.000000 s client send 8 = EHOSTUNREACH
        31.000000 s server recv = EAGAIN
        31.000000 s client send 8 = 8
        32.000000 s server recv = "question" from 10.0.0.1:1000

        0.000000 s host 0: struck a>b udp:99 #1 deliver-request=partition
        0.000000 s client send 8 = 8
        1.000000 s server recv = EAGAIN
        1.000000 s client send 8 = 8
        31.000000 s server recv = EAGAIN
        31.000000 s client send 8 = 8
        32.000000 s server recv = "question" from 10.0.0.1:1000

    "#]]
    .assert_eq(&all);
}

/// A server that is missing from the start: what a first connection and a datagram meet, and what the server itself may
/// still ask of the client.
fn missing(effect: Effect) -> alloc::string::String {
    let mut w = World::without(0, 1, effect);
    for (name, host, port) in [("server", 1, 80), ("client's", 0, 81)] {
        w.socket(name, host, libc::AF_INET, STREAM);
        w.bind(name, inet(&alloc::format!("0.0.0.0:{port}"))).unwrap();
        w.listen(name, 8).unwrap();
    }
    w.socket("datagrams", 0, libc::AF_INET, DGRAM);
    w.socket("third", 2, libc::AF_INET, STREAM);
    w.socket("back", 1, libc::AF_INET, STREAM);
    w.socket("client", 0, libc::AF_INET, STREAM);
    w.transcript();
    let _ = w.send_to("datagrams", b"question", Some(&inet("10.0.0.2:99")), &[]);
    w.connect_blocking("third", &inet("10.0.0.2:80")).unwrap();
    w.connect_blocking("back", &inet("10.0.0.1:81")).unwrap();
    let _ = w.connect_blocking("client", &inet("10.0.0.2:80"));
    w.transcript()
}

#[test]
fn the_very_first_connection_to_a_missing_server_fails() {
    expect![[r#"
        0.000000 s host 0: asks host 1, which is missing: refused
        0.000000 s datagrams send 8 = ECONNREFUSED
        0.002000 s third connect = ok
        0.004000 s back connect = ok
        0.006000 s client connect = ECONNREFUSED
    "#]]
    .assert_eq(&missing(Effect::Refused));
    expect![[r#"
        0.000000 s host 0: asks host 1, which is missing: unreachable
        0.000000 s datagrams send 8 = EHOSTUNREACH
        0.002000 s third connect = ok
        0.004000 s back connect = ok
        0.006000 s client connect = EHOSTUNREACH
    "#]]
    .assert_eq(&missing(Effect::Unreachable));
    expect![[r#"
        0.000000 s host 0: asks host 1, which is missing: partition
        0.000000 s datagrams send 8 = 8
        0.002000 s third connect = ok
        0.004000 s back connect = ok
        127.004000 s client connect = ETIMEDOUT
    "#]]
    .assert_eq(&missing(Effect::Partition));
}
