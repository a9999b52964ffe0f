//! Every effect of every step: it strikes, once, and it matters.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bizarro_record::{Effect, LinkSpec, Nanos, Step};
use expect_test::{Expect, expect};

use super::world::{DGRAM, World, inet};
use crate::net::HostFault;

const GET: &[u8] = b"GET /a HTTP/1.1\r\nhost: b\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A request and its reply, with this fault: what was seen at both ends, and what the hosts are to suffer.
fn tcp_with(fault: &str) -> String {
    let mut w = World::with_fault(&format!("a>b GET /a #1 {fault}"));
    w.connected(0, 1);
    let sent = w.send("client", GET);
    w.settle();
    w.poll("server");
    if sent.is_ok() && w.recv("server").is_ok_and(|bytes| !bytes.is_empty()) {
        let _ = w.send("server", OK);
        w.settle();
        w.poll("client");
        let _ = w.recv("client");
    } else {
        w.poll("client");
    }
    let strikes = core::mem::take(&mut w.strikes);
    for strike in strikes {
        w.note(&format!("{strike:?}"));
    }
    w.transcript()
}

#[track_caller]
fn check(fault: &str, expected: Expect) {
    let seen = tcp_with(fault);
    assert_eq!(seen.matches("struck").count(), 1, "{seen}");
    expected.assert_eq(&seen);
}

#[test]
fn step_1_the_request_is_not_sent() {
    check(
        "post-request=reset",
        expect![[r#"
        0.000000 s host 0: struck a>b GET /a #1 post-request=reset
        0.000000 s client send 28 = ECONNRESET
        1.000000 s server poll = IN|OUT|RDHUP|HUP|ERR
        1.000000 s client poll = IN|OUT|RDHUP|HUP
    "#]],
    );
}

#[test]
fn step_2_the_request_does_not_arrive() {
    check(
        "deliver-request=lost",
        expect![[r#"
        0.000000 s host 0: struck a>b GET /a #1 deliver-request=lost
        0.000000 s client send 28 = 28
        1.000000 s server poll = OUT
        1.000000 s server recv = EAGAIN
        1.000000 s client poll = OUT
    "#]],
    );
    check(
        "deliver-request=crash",
        expect![[r#"
        0.000000 s client send 28 = 28
        0.001000 s host 1: struck a>b GET /a #1 deliver-request=crash
        1.000000 s server poll = 0
        1.000000 s server recv = EBADF
        1.000000 s client poll = IN|OUT|RDHUP|HUP|ERR
        1.000000 s Crash(1)
    "#]],
    );
}

#[test]
fn step_3_the_request_is_damaged() {
    check(
        "validate-request=bit-flip",
        expect![[r#"
        0.000000 s host 0: struck a>b GET /a #1 validate-request=bit-flip
        0.000000 s client send 28 = 28
        1.000000 s server poll = IN|OUT
        1.000000 s server recv = "GET /a \u{8}TTP/1.1\r\nhost: b\r\n\r\n"
        1.000000 s server send 40 = 40
        2.000000 s client poll = IN|OUT
        2.000000 s client recv = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    "#]],
    );
    check(
        "validate-request=garbage",
        expect![[r#"
        0.000000 s host 0: struck a>b GET /a #1 validate-request=garbage
        0.000000 s client send 28 = 28
        1.000000 s server poll = IN|OUT
        1.000000 s server recv = "g�e���^U2�\u{e893}�\u{b}�B\u{e406}�q��\u{1}�"
        1.000000 s server send 40 = 40
        2.000000 s client poll = IN|OUT
        2.000000 s client recv = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    "#]],
    );
    check(
        "validate-request=truncated",
        expect![[r#"
        0.000000 s host 0: struck a>b GET /a #1 validate-request=truncated
        0.000000 s client send 28 = 28
        1.000000 s server poll = IN|OUT|RDHUP
        1.000000 s server recv = "GET /a HTTP/1."
        1.000000 s server send 40 = 40
        2.000000 s client poll = IN|OUT
        2.000000 s client recv = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    "#]],
    );
}

#[test]
fn step_4_the_server_fails() {
    check(
        "update-server=disk-full",
        expect![[r#"
        0.000000 s client send 28 = 28
        0.001000 s host 1: struck a>b GET /a #1 update-server=disk-full
        1.000000 s server poll = IN|OUT
        1.000000 s server recv = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n"
        1.000000 s server send 40 = 40
        2.000000 s client poll = IN|OUT
        2.000000 s client recv = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        2.000000 s DiskFull(1)
    "#]],
    );
    check(
        "update-server=io-error",
        expect![[r#"
        0.000000 s client send 28 = 28
        0.001000 s host 1: struck a>b GET /a #1 update-server=io-error
        1.000000 s server poll = IN|OUT
        1.000000 s server recv = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n"
        1.000000 s server send 40 = 40
        2.000000 s client poll = IN|OUT
        2.000000 s client recv = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        2.000000 s IoError(1)
    "#]],
    );
    check(
        "update-server=crash",
        expect![[r#"
        0.000000 s client send 28 = 28
        1.000000 s server poll = IN|OUT
        1.000000 s host 1: struck a>b GET /a #1 update-server=crash
        1.000000 s server recv = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n"
        1.000000 s server send 40 = 40
        2.000000 s client poll = IN|OUT
        2.000000 s client recv = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        2.000000 s CrashSoon(1)
    "#]],
    );
    check(
        "update-server=pause",
        expect![[r#"
        0.000000 s client send 28 = 28
        0.001000 s host 1: struck a>b GET /a #1 update-server=pause
        1.000000 s server poll = IN|OUT
        1.000000 s server recv = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n"
        1.000000 s server send 40 = 40
        2.000000 s client poll = IN|OUT
        2.000000 s client recv = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        2.000000 s Pause(1)
    "#]],
    );
}

#[test]
fn step_5_the_reply_is_not_sent() {
    check(
        "post-reply=reset",
        expect![[r#"
        0.000000 s client send 28 = 28
        1.000000 s server poll = IN|OUT
        1.000000 s server recv = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n"
        1.000000 s host 1: struck a>b GET /a #1 post-reply=reset
        1.000000 s server send 40 = ECONNRESET
        2.000000 s client poll = IN|OUT|RDHUP|HUP|ERR
        2.000000 s client recv = ECONNRESET
    "#]],
    );
    check(
        "post-reply=crash",
        expect![[r#"
        0.000000 s client send 28 = 28
        1.000000 s server poll = IN|OUT
        1.000000 s server recv = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n"
        1.000000 s host 1: struck a>b GET /a #1 post-reply=crash
        1.000000 s server send 40 = ECONNRESET
        2.000000 s client poll = IN|OUT|RDHUP
        2.000000 s client recv = end
        2.000000 s Crash(1)
    "#]],
    );
}

#[test]
fn step_6_the_reply_does_not_arrive() {
    check(
        "deliver-reply=lost",
        expect![[r#"
        0.000000 s client send 28 = 28
        1.000000 s server poll = IN|OUT
        1.000000 s server recv = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n"
        1.000000 s host 1: struck a>b GET /a #1 deliver-reply=lost
        1.000000 s server send 40 = 40
        2.000000 s client poll = OUT
        2.000000 s client recv = EAGAIN
    "#]],
    );
    check(
        "deliver-reply=late",
        expect![[r#"
        0.000000 s client send 28 = 28
        1.000000 s server poll = IN|OUT
        1.000000 s server recv = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n"
        1.000000 s host 1: struck a>b GET /a #1 deliver-reply=late
        1.000000 s server send 40 = 40
        2.000000 s client poll = OUT
        2.000000 s client recv = EAGAIN
    "#]],
    );
}

#[test]
fn step_7_the_reply_is_damaged() {
    check(
        "validate-reply=bit-flip",
        expect![[r#"
        0.000000 s client send 28 = 28
        1.000000 s server poll = IN|OUT
        1.000000 s server recv = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n"
        1.000000 s host 1: struck a>b GET /a #1 validate-reply=bit-flip
        1.000000 s server send 40 = 40
        2.000000 s client poll = IN|OUT
        2.000000 s client recv = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no+"
    "#]],
    );
    check(
        "validate-reply=garbage",
        expect![[r#"
        0.000000 s client send 28 = 28
        1.000000 s server poll = IN|OUT
        1.000000 s server recv = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n"
        1.000000 s host 1: struck a>b GET /a #1 validate-reply=garbage
        1.000000 s server send 40 = 40
        2.000000 s client poll = IN|OUT
        2.000000 s client recv = "g�e���^U2�\u{e893}�\u{b}�B\u{e406}�q��\u{1}��T�q�\u{2}\u{15}��\u{b}M�"
    "#]],
    );
    check(
        "validate-reply=truncated",
        expect![[r#"
        0.000000 s client send 28 = 28
        1.000000 s server poll = IN|OUT
        1.000000 s server recv = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n"
        1.000000 s host 1: struck a>b GET /a #1 validate-reply=truncated
        1.000000 s server send 40 = 40
        2.000000 s client poll = IN|OUT|RDHUP
        2.000000 s client recv = "HTTP/1.1 200 OK\r\ncon"
    "#]],
    );
    check(
        "validate-reply=empty",
        expect![[r#"
        0.000000 s client send 28 = 28
        1.000000 s server poll = IN|OUT
        1.000000 s server recv = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n"
        1.000000 s host 1: struck a>b GET /a #1 validate-reply=empty
        1.000000 s server send 40 = 40
        2.000000 s client poll = IN|OUT|RDHUP
        2.000000 s client recv = end
    "#]],
    );
}

#[test]
fn step_8_the_client_fails() {
    check(
        "update-client=crash",
        expect![[r#"
        0.000000 s client send 28 = 28
        1.000000 s server poll = IN|OUT
        1.000000 s server recv = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n"
        1.000000 s server send 40 = 40
        2.000000 s client poll = IN|OUT
        2.000000 s host 0: struck a>b GET /a #1 update-client=crash
        2.000000 s client recv = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        2.000000 s CrashSoon(0)
    "#]],
    );
    check(
        "update-client=pause",
        expect![[r#"
        0.000000 s client send 28 = 28
        1.000000 s server poll = IN|OUT
        1.000000 s server recv = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n"
        1.000000 s server send 40 = 40
        1.001000 s host 0: struck a>b GET /a #1 update-client=pause
        2.000000 s client poll = IN|OUT
        2.000000 s client recv = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        2.000000 s Pause(0)
    "#]],
    );
    check(
        "update-client=disk-full",
        expect![[r#"
        0.000000 s client send 28 = 28
        1.000000 s server poll = IN|OUT
        1.000000 s server recv = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n"
        1.000000 s server send 40 = 40
        1.001000 s host 0: struck a>b GET /a #1 update-client=disk-full
        2.000000 s client poll = IN|OUT
        2.000000 s client recv = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        2.000000 s DiskFull(0)
    "#]],
    );
}

#[test]
fn every_effect_strikes_streams_and_datagrams() {
    for step in Step::ALL {
        for effect in Effect::of(step) {
            // There is no request before the first one, a crash between two calls is shown by whoever counts
            // the calls, and datagrams are no HTTP: see the tests in `replaced`.
            let (of_stream, of_datagram) = match effect {
                Effect::Older | Effect::CrashAt(_) => (0, 0),
                Effect::ErrorBody => (1, 0),
                _ => (1, 1),
            };
            let seen = tcp_with(&format!("{step}={effect}"));
            assert_eq!(seen.matches("struck").count(), of_stream, "{step}={effect}: {seen}");
            let seen = udp_with(&format!("{step}={effect}"));
            assert_eq!(seen.matches("struck").count(), of_datagram, "{step}={effect}: {seen}");
        }
    }
}

/// A datagram and its answer, with this fault.
fn udp_with(fault: &str) -> String {
    let mut w = World::with_fault(&format!("a>b udp:99 #1 {fault}"));
    w.socket("server", 1, libc::AF_INET, DGRAM);
    w.bind("server", inet("0.0.0.0:99")).unwrap();
    w.socket("client", 0, libc::AF_INET, DGRAM);
    w.bind("client", inet("0.0.0.0:1000")).unwrap();
    w.transcript();
    let to = inet("10.0.0.2:99");
    let _ = w.send_to("client", b"question", Some(&to), &[]);
    w.settle();
    if w.recv("server").is_ok() {
        let _ = w.send_to("server", b"answer", Some(&inet("10.0.0.1:1000")), &[]);
        w.settle();
        let _ = w.recv("client");
    }
    let strikes = core::mem::take(&mut w.strikes);
    for strike in strikes {
        w.note(&format!("{strike:?}"));
    }
    w.transcript()
}

#[test]
fn datagrams_suffer_too() {
    let all = [
        "post-request=reset",
        "deliver-request=lost",
        "validate-reply=truncated",
        "validate-reply=empty",
    ];
    let seen: Vec<String> = all.iter().map(|fault| udp_with(fault)).collect();
    expect![[r#"
        0.000000 s host 0: struck a>b udp:99 #1 post-request=reset
        0.000000 s client send 8 = ECONNREFUSED
        1.000000 s server recv = EAGAIN

        0.000000 s host 0: struck a>b udp:99 #1 deliver-request=lost
        0.000000 s client send 8 = 8
        1.000000 s server recv = EAGAIN

        0.000000 s client send 8 = 8
        1.000000 s server recv = "question" from 10.0.0.1:1000
        1.000000 s host 1: struck a>b udp:99 #1 validate-reply=truncated
        1.000000 s server send 6 = 6
        2.000000 s client recv = "ans" from 10.0.0.2:99

        0.000000 s client send 8 = 8
        1.000000 s server recv = "question" from 10.0.0.1:1000
        1.000000 s host 1: struck a>b udp:99 #1 validate-reply=empty
        1.000000 s server send 6 = 6
        2.000000 s client recv = end from 10.0.0.2:99
    "#]]
    .assert_eq(&seen.join("\n"));
}

/// Both speak at the same time, and whichever datagram is faster: it is the server that a request kills.
#[test]
fn datagrams_that_cross_kill_the_server() {
    let link = LinkSpec { latency_max: Nanos::from_millis(100), ..LinkSpec::default() };
    for draws in 0..20 {
        let mut w = World::with_fault_on(link.clone(), "a>b udp:99 #1 deliver-request=crash");
        for _ in 0..draws {
            w.draw(2);
        }
        w.socket("a", 0, libc::AF_INET, DGRAM);
        w.bind("a", inet("0.0.0.0:99")).unwrap();
        w.socket("b", 1, libc::AF_INET, DGRAM);
        w.bind("b", inet("0.0.0.0:99")).unwrap();
        w.send_to("a", b"me", Some(&inet("10.0.0.2:99")), &[]).unwrap();
        w.send_to("b", b"me", Some(&inet("10.0.0.1:99")), &[]).unwrap();
        w.settle();
        assert_eq!(w.strikes, [HostFault::Crash(1)], "after {draws} draws");
    }
}

#[test]
fn a_late_datagram_comes_a_minute_later() {
    let mut w = World::with_fault("a>b udp:99 #1 deliver-reply=late");
    w.socket("server", 1, libc::AF_INET, DGRAM);
    w.bind("server", inet("0.0.0.0:99")).unwrap();
    w.socket("client", 0, libc::AF_INET, DGRAM);
    w.connect("client", &inet("10.0.0.2:99")).unwrap();
    let own = w.net.getsockname(w.id("client")).unwrap();
    w.send("client", b"question").unwrap();
    w.settle();
    w.send_to("server", b"answer", Some(&own), &[]).unwrap();
    w.sleep(Duration::from_secs(60));
    w.recv("client").unwrap_err();
    w.settle();
    assert_eq!(w.recv("client").unwrap(), b"answer");
}

#[test]
fn a_late_reply_and_what_follows_it_come_a_minute_later() {
    let mut w = World::with_fault("a>b GET /a #1 deliver-reply=late");
    w.connected(0, 1);
    w.send("client", GET).unwrap();
    w.settle();
    w.recv("server").unwrap();
    w.send("server", OK).unwrap();
    w.close("server");
    w.sleep(Duration::from_secs(60));
    w.recv("client").unwrap_err();
    w.sleep(Duration::from_millis(1));
    assert_eq!(w.recv("client").unwrap(), OK);
    assert_eq!(w.recv("client").unwrap(), b"");
}

#[test]
fn a_lost_request_leaves_a_silent_connection() {
    let mut w = World::with_fault("a>b GET /a #1 deliver-request=lost");
    w.connected(0, 1);
    w.set("client", libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, 30_000).unwrap();
    w.send("client", GET).unwrap();
    w.sleep(Duration::from_secs(29));
    assert_eq!(w.net.unsent(w.id("client")), Ok(GET.len()));
    w.send("server", b"unasked").unwrap();
    w.sleep(Duration::from_secs(2));
    w.error("client");
    w.close("client");
    w.sleep(Duration::from_secs(100));
    w.transcript();
    // The server never hears that the client is gone, but for its own retransmissions.
    w.poll("server");
    w.recv("server").unwrap_err();
    w.sleep(Duration::from_secs(900));
    w.error("server");
    expect![[r#"
        131.000000 s server poll = OUT
        131.000000 s server recv = EAGAIN
        1031.000000 s server SO_ERROR = ETIMEDOUT
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn a_crash_at_the_servers_update_comes_when_the_request_was_read() {
    let mut w = World::with_fault("a>b GET /a #1 update-server=crash");
    w.connected(0, 1);
    w.send("client", GET).unwrap();
    w.settle();
    assert!(w.strikes.is_empty());
    w.recv_with("server", GET.len() - 1, libc::MSG_DONTWAIT).unwrap();
    assert!(w.strikes.is_empty());
    w.recv("server").unwrap();
    assert_eq!(w.strikes, [HostFault::CrashSoon(1)]);
    w.call(1, |net, cx| net.host_crashed(cx, 1));
    w.settle();
    assert_eq!(w.recv("client").unwrap(), b"");
}

#[test]
fn only_the_planned_exchange_is_struck() {
    let mut w = World::with_fault("a>b GET /a #2 validate-request=garbage");
    w.connected(0, 1);
    for round in 1..4 {
        w.send("client", GET).unwrap();
        w.settle();
        let received = w.recv("server").unwrap();
        assert_eq!(received.len(), GET.len());
        assert_eq!(received == GET, round != 2);
        w.send("server", OK).unwrap();
        w.settle();
        assert_eq!(w.recv("client").unwrap(), OK);
    }
}

#[test]
fn a_truncated_request_is_the_last_thing_that_the_server_hears() {
    let mut w = World::with_fault("a>b GET /a #1 validate-request=truncated");
    w.connected(0, 1);
    assert_eq!(w.send("client", GET), Ok(GET.len()));
    assert_eq!(w.send("client", GET), Ok(GET.len()), "the client suspects nothing");
    w.settle();
    assert_eq!(w.recv("server").unwrap(), &GET[..GET.len() / 2]);
    assert_eq!(w.recv("server").unwrap(), b"");
    w.close("server");
    w.settle();
    assert_eq!(w.recv("client").unwrap(), b"");
    w.close("client");
    w.settle();
    assert_eq!(w.net.sockets.filter(|_| true).len(), 1, "only the listener is left");
}
