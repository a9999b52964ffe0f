//! TCP as an application sees it: the end of a connection.

use core::time::Duration;

use expect_test::expect;

use super::world::{STREAM, World, inet};
use crate::errno::Errno;

const RD: i32 = libc::SHUT_RD;
const WR: i32 = libc::SHUT_WR;

#[test]
fn each_direction_ends_by_itself() {
    let mut w = World::new();
    w.connected(0, 1);
    w.send("client", b"question").unwrap();
    w.shutdown("client", WR).unwrap();
    w.send("client", b"more").unwrap_err();
    w.settle();
    w.poll("server");
    w.recv("server").unwrap();
    w.recv("server").unwrap();
    w.send("server", b"answer").unwrap();
    w.close("server");
    w.settle();
    w.poll("client");
    w.recv("client").unwrap();
    w.recv("client").unwrap();
    w.close("client");
    expect![[r#"
        0.000000 s client send 8 = 8
        0.000000 s client shutdown = ok
        0.000000 s client send 4 = EPIPE
        1.000000 s server poll = IN|OUT|RDHUP
        1.000000 s server recv = "question"
        1.000000 s server recv = end
        1.000000 s server send 6 = 6
        1.000000 s server close
        2.000000 s client poll = IN|OUT|RDHUP|HUP
        2.000000 s client recv = "answer"
        2.000000 s client recv = end
        2.000000 s client close
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn shutting_the_reading_side_still_takes_bytes() {
    let mut w = World::new();
    w.connected(0, 1);
    w.shutdown("server", RD).unwrap();
    w.recv("server").unwrap();
    w.poll("server");
    w.send("client", b"late").unwrap();
    w.settle();
    w.recv("server").unwrap();
    w.recv("server").unwrap();
    w.run("server", "shutdown 9", |net, cx, id| net.shutdown(cx, id, 9)).unwrap_err();
    expect![[r#"
        0.000000 s server shutdown = ok
        0.000000 s server recv = end
        0.000000 s server poll = IN|OUT|RDHUP
        0.000000 s client send 4 = 4
        1.000000 s server recv = "late"
        1.000000 s server recv = end
        1.000000 s server shutdown 9 = EINVAL
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn closing_with_unread_data_resets() {
    let mut w = World::new();
    w.connected(0, 1);
    w.send("server", b"greeting").unwrap();
    w.send("client", b"unread").unwrap();
    w.settle();
    w.close("server");
    w.settle();
    w.poll("client");
    w.recv("client").unwrap();
    w.recv("client").unwrap_err();
    w.recv("client").unwrap();
    w.send("client", b"x").unwrap_err();
    expect![[r#"
        0.000000 s server send 8 = 8
        0.000000 s client send 6 = 6
        1.000000 s server close
        2.000000 s client poll = IN|OUT|RDHUP|HUP|ERR
        2.000000 s client recv = "greeting"
        2.000000 s client recv = ECONNRESET
        2.000000 s client recv = end
        2.000000 s client send 1 = EPIPE
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn bytes_for_a_closed_socket_are_answered_with_a_reset() {
    let mut w = World::new();
    w.connected(0, 1);
    w.close("server");
    w.settle();
    w.recv("client").unwrap();
    w.send("client", b"first").unwrap();
    w.settle();
    w.send("client", b"second").unwrap_err();
    w.send("client", b"third").unwrap_err();
    w.recv("client").unwrap();
    expect![[r#"
        0.000000 s server close
        1.000000 s client recv = end
        1.000000 s client send 5 = 5
        2.000000 s client send 6 = EPIPE
        2.000000 s client send 5 = EPIPE
        2.000000 s client recv = end
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn a_killed_process_closes_or_resets() {
    let mut w = World::new();
    w.connected(0, 1);
    w.call(1, |net, cx| net.host_crashed(cx, 1));
    w.settle();
    w.poll("client");
    w.connect_blocking("client", &inet("10.0.0.2:80")).unwrap_err();
    let mut w2 = World::new();
    w2.connected(0, 1);
    w2.send("client", b"unread").unwrap();
    w2.settle();
    w2.call(1, |net, cx| net.host_crashed(cx, 1));
    w2.settle();
    w2.poll("client");
    w2.error("client");
    expect![[r#"
        1.000000 s client poll = IN|OUT|RDHUP
        1.000000 s client connect = EISCONN
        0.000000 s client send 6 = 6
        2.000000 s client poll = IN|OUT|RDHUP|HUP|ERR
        2.000000 s client SO_ERROR = ECONNRESET
    "#]]
    .assert_eq(&(w.transcript() + &w2.transcript()));
}

#[test]
fn connections_that_nobody_accepted_are_reset_with_their_listener() {
    let mut w = World::new();
    w.socket("listener", 1, libc::AF_INET, STREAM);
    w.bind("listener", inet("0.0.0.0:80")).unwrap();
    w.listen("listener", 8).unwrap();
    w.socket("client", 0, libc::AF_INET, STREAM);
    w.connect_blocking("client", &inet("10.0.0.2:80")).unwrap();
    w.settle();
    w.close("listener");
    w.settle();
    w.transcript();
    w.recv("client").unwrap_err();
    w.recv("client").unwrap();
    expect![[r#"
        2.002000 s client recv = ECONNRESET
        2.002000 s client recv = end
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn a_connection_that_was_reset_in_the_queue_is_still_accepted() {
    let mut w = World::new();
    w.socket("listener", 1, libc::AF_INET, STREAM);
    w.bind("listener", inet("0.0.0.0:80")).unwrap();
    w.listen("listener", 8).unwrap();
    w.socket("client", 0, libc::AF_INET, STREAM);
    let linger = [1_i32.to_ne_bytes(), 0_i32.to_ne_bytes()].concat();
    let id = w.id("client");
    w.call(0, |net, cx| net.setsockopt(cx, id, libc::SOL_SOCKET, libc::SO_LINGER, &linger))
        .unwrap();
    w.connect_blocking("client", &inet("10.0.0.2:80")).unwrap();
    w.settle();
    w.close("client");
    w.settle();
    w.transcript();
    w.accept("listener", "server").unwrap();
    w.recv("server").unwrap_err();
    w.close("server");
    expect![[r#"
        2.002000 s listener accept = server
        2.002000 s server recv = ECONNRESET
        2.002000 s server close
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn the_side_that_closes_first_keeps_its_ports_for_a_minute() {
    let mut w = World::new();
    w.connected(0, 1);
    w.close("listener");
    w.close("server");
    w.settle();
    w.close("client");
    w.settle();
    let again = |w: &mut World, name: &str, reuse: i32| {
        w.socket(name, 1, libc::AF_INET, STREAM);
        w.set(name, libc::SOL_SOCKET, libc::SO_REUSEADDR, reuse).unwrap();
        let bound = w.bind(name, inet("0.0.0.0:80")).and_then(|()| w.listen(name, 1));
        w.close(name);
        bound
    };
    assert_eq!(again(&mut w, "plain", 0), Err(Errno::EADDRINUSE));
    assert_eq!(again(&mut w, "reusing", 1), Ok(()));
    w.sleep(Duration::from_secs(60));
    assert_eq!(again(&mut w, "later", 0), Ok(()));
}
