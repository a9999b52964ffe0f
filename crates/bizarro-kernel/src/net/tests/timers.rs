//! Loss and silence: retransmission, time-outs, keep-alive, hosts that lose their power or pause.

use core::time::Duration;

use bizarro_record::{LinkSpec, Nanos};
use expect_test::expect;

use super::world::{STREAM, World, inet, link_of};
use crate::errno::Errno;

const TCP: i32 = libc::IPPROTO_TCP;

/// Waits until the socket has an error, at most an hour, and writes it down.
fn wait_for_error(w: &mut World, name: &str) {
    while w.net.readiness(w.id(name)) & libc::EPOLLERR as u32 == 0 {
        assert!(w.now < Nanos::from_secs(9000), "no error in time");
        assert!(w.step(), "no error ever");
    }
    w.error(name);
}

#[test]
fn a_silent_host_lets_connect_time_out() {
    let mut w = World::new();
    w.call(1, |net, cx| net.host_powered_off(cx, 1));
    w.socket("client", 0, libc::AF_INET, STREAM);
    w.connect_blocking("client", &inet("10.0.0.2:80")).unwrap_err();
    w.socket("hasty", 0, libc::AF_INET, STREAM);
    w.set("hasty", TCP, libc::TCP_SYNCNT, 2).unwrap();
    w.connect_blocking("hasty", &inet("10.0.0.2:80")).unwrap_err();
    expect![[r#"
        127.000000 s client connect = ETIMEDOUT
        134.000000 s hasty connect = ETIMEDOUT
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn unacknowledged_bytes_time_out_after_a_quarter_of_an_hour() {
    let mut w = World::new();
    w.connected(0, 1);
    w.call(1, |net, cx| net.host_powered_off(cx, 1));
    w.send("client", b"hello").unwrap();
    wait_for_error(&mut w, "client");
    w.recv("client").unwrap();
    w.send("client", b"hello").unwrap_err();
    expect![[r#"
        0.000000 s client send 5 = 5
        924.600000 s client SO_ERROR = ETIMEDOUT
        924.600000 s client recv = end
        924.600000 s client send 5 = EPIPE
    "#]]
    .assert_eq(&w.transcript());
    assert_eq!(w.pending(), 0);
}

#[test]
fn the_user_timeout_is_sooner() {
    let mut w = World::new();
    w.connected(0, 1);
    w.set("client", TCP, libc::TCP_USER_TIMEOUT, 5000).unwrap();
    w.call(1, |net, cx| net.host_powered_off(cx, 1));
    w.send("client", b"hello").unwrap();
    wait_for_error(&mut w, "client");
    expect![[r#"
        0.000000 s client send 5 = 5
        5.000000 s client SO_ERROR = ETIMEDOUT
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn keep_alive_finds_out_that_nobody_is_there() {
    let mut w = World::new();
    w.connected(0, 1);
    w.set("client", libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1).unwrap();
    w.set("client", TCP, libc::TCP_KEEPIDLE, 10).unwrap();
    w.set("client", TCP, libc::TCP_KEEPINTVL, 5).unwrap();
    w.set("client", TCP, libc::TCP_KEEPCNT, 3).unwrap();
    w.sleep(Duration::from_secs(100));
    assert_eq!(w.pending(), 0, "no timer runs on a living path");
    w.call(1, |net, cx| net.host_powered_off(cx, 1));
    wait_for_error(&mut w, "client");
    // The server was last heard a second before: the probes of 109, 114 and 119 s, and 5 s more.
    expect![[r#"
        124.000000 s client SO_ERROR = ETIMEDOUT
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn without_keep_alive_an_idle_connection_stays_for_ever() {
    let mut w = World::new();
    w.connected(0, 1);
    w.call(1, |net, cx| net.host_powered_off(cx, 1));
    assert_eq!(w.pending(), 0);
    w.poll("client");
    expect![[r#"
        0.000000 s client poll = OUT
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn a_host_that_comes_back_does_not_know_its_connections() {
    let mut w = World::new();
    w.connected(0, 1);
    w.send("client", b"lost").unwrap();
    w.call(1, |net, cx| net.host_powered_off(cx, 1));
    w.sleep(Duration::from_secs(5));
    w.poll("client");
    w.net.host_powered_on(1);
    wait_for_error(&mut w, "client");
    expect![[r#"
        0.000000 s client send 4 = 4
        5.000000 s client poll = OUT
        6.202000 s client SO_ERROR = ECONNRESET
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn a_paused_host_gets_everything_when_it_goes_on() {
    let mut w = World::new();
    w.connected(0, 1);
    w.net.host_paused(1, w.now + Nanos::from_secs(15));
    w.send("client", b"one ").unwrap();
    w.socket("second", 0, libc::AF_INET, STREAM);
    w.connect("second", &inet("10.0.0.2:80")).unwrap_err();
    w.sleep(Duration::from_secs(14));
    w.recv("server").unwrap_err();
    w.poll("second");
    w.send("client", b"two").unwrap();
    w.sleep(Duration::from_secs(1));
    w.recv("server").unwrap();
    w.settle();
    w.poll("second");
    expect![[r#"
        0.000000 s client send 4 = 4
        0.000000 s second connect = EINPROGRESS
        14.000000 s server recv = EAGAIN
        14.000000 s second poll = 0
        14.000000 s client send 3 = 3
        15.000000 s server recv = "one two"
        16.000000 s second poll = OUT
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn lost_segments_come_later_and_in_order() {
    let link = LinkSpec { loss_ppm: 300_000, ..link_of(Nanos::from_millis(1)) };
    let mut w = World::with_link(link);
    w.socket("listener", 1, libc::AF_INET, STREAM);
    w.bind("listener", inet("0.0.0.0:80")).unwrap();
    w.listen("listener", 8).unwrap();
    w.socket("client", 0, libc::AF_INET, STREAM);
    w.connect_blocking("client", &inet("10.0.0.2:80")).unwrap();
    w.sleep(Duration::from_secs(60));
    w.accept("listener", "server").unwrap();
    let mut sent = alloc::vec::Vec::new();
    let start = w.now;
    for n in 0..200_u8 {
        w.send("client", &[n]).unwrap();
        sent.push(n);
        w.sleep(Duration::from_millis(3));
    }
    w.close("client");
    let mut received = alloc::vec::Vec::new();
    loop {
        match w.recv("server") {
            Ok(bytes) if bytes.is_empty() => break,
            Ok(bytes) => received.extend(bytes),
            Err(Errno::EAGAIN) => w.sleep(Duration::from_millis(10)),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(received, sent);
    assert!(w.now - start > Nanos::from_millis(800), "retransmissions take time");
    w.close("server");
    w.sleep(Duration::from_secs(200));
    assert_eq!(w.net.sockets.filter(|_| true).len(), 1, "only the listener is left");
}

#[test]
fn a_socket_that_nobody_holds_gives_up_sooner() {
    let mut w = World::new();
    w.connected(0, 1);
    w.call(1, |net, cx| net.host_powered_off(cx, 1));
    w.send("client", b"hello").unwrap();
    w.close("client");
    assert_eq!(w.net.sockets.filter(|_| true).len(), 1);
    while w.step() {}
    assert_eq!(w.net.sockets.filter(|_| true).len(), 0);
    // 0.2 + 0.4 + … nine timeouts.
    assert_eq!(w.time(), Nanos::from_millis(102_200));
}
