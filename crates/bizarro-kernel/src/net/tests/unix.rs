//! Unix sockets.

use expect_test::expect;

use super::world::{DGRAM, STREAM, World, path};
use crate::errno::Errno;
use crate::net::{Control, SockAddr, SockId, Ucred, UnixName};

const UNIX: i32 = libc::AF_UNIX;

fn abstract_name(name: &[u8]) -> SockAddr {
    SockAddr::Unix(UnixName::Abstract(name.into()))
}

/// Makes two sockets that are connected with each other, named `left` and `right`.
fn pair(w: &mut World, kind: i32) {
    let (left, right) = w.call(0, |net, cx| net.socketpair(cx, UNIX, kind, 0)).unwrap();
    w.adopt("left", left);
    w.adopt("right", right);
}

fn listening(w: &mut World, kind: i32, backlog: i32) {
    w.socket("listener", 0, UNIX, kind);
    w.bind("listener", path(7)).unwrap();
    w.listen("listener", backlog).unwrap();
}

#[test]
fn a_stream_is_connected_at_once() {
    let mut w = World::new();
    listening(&mut w, STREAM, 8);
    w.socket("client", 0, UNIX, STREAM);
    w.poll("client");
    w.connect("client", &path(7)).unwrap();
    w.connect("client", &path(7)).unwrap_err();
    w.send("client", b"early").unwrap();
    w.poll("listener");
    w.accept("listener", "server").unwrap();
    w.accept("listener", "server").unwrap_err();
    w.recv("server").unwrap();
    w.send("server", b"answer").unwrap();
    w.close("server");
    w.poll("client");
    w.recv("client").unwrap();
    w.recv("client").unwrap();
    w.send("client", b"x").unwrap_err();
    expect![[r#"
        0.000000 s listener bind = ok
        0.000000 s listener listen = ok
        0.000000 s client poll = OUT|HUP
        0.000000 s client connect = ok
        0.000000 s client connect = EISCONN
        0.000000 s client send 5 = 5
        0.000000 s listener poll = IN
        0.000000 s listener accept = server
        0.000000 s listener accept = EAGAIN
        0.000000 s server recv = "early"
        0.000000 s server send 6 = 6
        0.000000 s server close
        0.000000 s client poll = IN|OUT|RDHUP|HUP
        0.000000 s client recv = "answer"
        0.000000 s client recv = end
        0.000000 s client send 1 = EPIPE
    "#]]
    .assert_eq(&w.transcript());
    assert_eq!(w.net.getpeername(w.id("client")), Ok(path(7)));
}

#[test]
fn a_stream_that_cannot_be_connected() {
    let mut w = World::new();
    w.socket("client", 0, UNIX, STREAM);
    w.connect("client", &path(7)).unwrap_err();
    w.send("client", b"x").unwrap_err();
    w.recv("client").unwrap_err();
    w.socket("bound", 0, UNIX, STREAM);
    w.bind("bound", path(7)).unwrap();
    w.connect("client", &path(7)).unwrap_err();
    w.socket("datagrams", 0, UNIX, DGRAM);
    w.connect("datagrams", &path(7)).unwrap_err();
    w.listen("client", 1).unwrap_err();
    w.listen("bound", 0).unwrap();
    w.connect("client", &path(7)).unwrap();
    w.socket("second", 0, UNIX, STREAM);
    w.connect("second", &path(7)).unwrap_err();
    w.wakes.clear();
    w.accept("bound", "server").unwrap();
    let second = w.id("second");
    assert!(w.wakes.iter().any(|wake| wake.sock == second), "there is room again");
    w.connect("second", &path(7)).unwrap();
    w.close("bound");
    w.recv("second").unwrap_err();
    w.recv("second").unwrap();
    expect![[r#"
        0.000000 s client connect = ECONNREFUSED
        0.000000 s client send 1 = ENOTCONN
        0.000000 s client recv = EINVAL
        0.000000 s bound bind = ok
        0.000000 s client connect = ECONNREFUSED
        0.000000 s datagrams connect = EPROTOTYPE
        0.000000 s client listen = EINVAL
        0.000000 s bound listen = ok
        0.000000 s client connect = ok
        0.000000 s second connect = EAGAIN
        0.000000 s bound accept = server
        0.000000 s second connect = ok
        0.000000 s bound close
        0.000000 s second recv = ECONNRESET
        0.000000 s second recv = end
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn closing_with_unread_data_resets() {
    let mut w = World::new();
    pair(&mut w, STREAM);
    w.send("left", b"unread").unwrap();
    w.close("right");
    w.poll("left");
    w.recv("left").unwrap_err();
    w.recv("left").unwrap();
    w.send("left", b"x").unwrap_err();
    expect![[r#"
        0.000000 s left send 6 = 6
        0.000000 s right close
        0.000000 s left poll = IN|OUT|RDHUP|HUP|ERR
        0.000000 s left recv = ECONNRESET
        0.000000 s left recv = end
        0.000000 s left send 1 = EPIPE
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn shutting_one_side_shuts_the_other_sides_other_side() {
    let mut w = World::new();
    pair(&mut w, STREAM);
    w.shutdown("left", libc::SHUT_WR).unwrap();
    w.poll("right");
    w.recv("right").unwrap();
    w.send("right", b"still").unwrap();
    w.recv("left").unwrap();
    w.shutdown("left", libc::SHUT_RD).unwrap();
    w.send("right", b"not").unwrap_err();
    w.poll("left");
    expect![[r#"
        0.000000 s left shutdown = ok
        0.000000 s right poll = IN|OUT|RDHUP
        0.000000 s right recv = end
        0.000000 s right send 5 = 5
        0.000000 s left recv = "still"
        0.000000 s left shutdown = ok
        0.000000 s right send 3 = EPIPE
        0.000000 s left poll = IN|OUT|RDHUP|HUP
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn descriptions_travel_with_the_bytes() {
    let mut w = World::new();
    pair(&mut w, STREAM);
    w.send("left", b"plain ").unwrap();
    w.send_to("left", b"with ", None, &[Control::Rights(alloc::vec![11, 12])]).unwrap();
    w.send("left", b"after").unwrap();
    w.recv_with("right", 8, libc::MSG_DONTWAIT).unwrap();
    w.recv("right").unwrap();
    w.recv("right").unwrap_err();
    w.send_to("left", b"lost", None, &[Control::Rights(alloc::vec![13])]).unwrap();
    w.close("right");
    assert_eq!(w.released, [13]);
    expect![[r#"
        0.000000 s left send 6 = 6
        0.000000 s left send 5 = 5
        0.000000 s left send 5 = 5
        0.000000 s right recv = "plain wi" Rights([11, 12])
        0.000000 s right recv = "th after"
        0.000000 s right recv = EAGAIN
        0.000000 s left send 4 = 4
        0.000000 s right close
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn credentials_are_told_to_those_who_ask() {
    let mut w = World::new();
    listening(&mut w, STREAM, 8);
    w.socket("client", 0, UNIX, STREAM);
    w.connect("client", &path(7)).unwrap();
    w.accept("listener", "server").unwrap();
    let raw = w.net.getsockopt(w.id("server"), libc::SOL_SOCKET, libc::SO_PEERCRED).unwrap();
    assert_eq!(raw, [100_u32, 1000, 1000].map(u32::to_ne_bytes).concat());
    w.set("server", libc::SOL_SOCKET, libc::SO_PASSCRED, 1).unwrap();
    w.send("client", b"one").unwrap();
    let other = Ucred { pid: 100, uid: 1, gid: 2 };
    w.send_to("client", b"two", None, &[Control::Credentials(other)]).unwrap();
    w.transcript();
    w.recv("server").unwrap();
    w.recv("server").unwrap();
    expect![[r#"
        0.000000 s server recv = "one" Credentials(Ucred { pid: 100, uid: 1000, gid: 1000 })
        0.000000 s server recv = "two" Credentials(Ucred { pid: 100, uid: 1, gid: 2 })
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn a_stream_holds_what_linux_would_hold() {
    let mut w = World::new();
    pair(&mut w, STREAM);
    let mut count = 0;
    while w.send("left", b"x").is_ok() {
        count += 1;
    }
    assert_eq!(count, 278, "a byte is charged 768, the buffer holds 212992");
    w.poll("left");
    w.wakes.clear();
    w.transcript();
    w.recv_with("right", 200, libc::MSG_DONTWAIT).unwrap();
    w.poll("left");
    assert!(w.wakes.is_empty());
    w.recv_with("right", 20, libc::MSG_DONTWAIT).unwrap();
    w.poll("left");
    assert!(!w.wakes.is_empty());
    expect![[r#"
        0.000000 s right recv = 200 bytes
        0.000000 s left poll = 0
        0.000000 s right recv = "xxxxxxxxxxxxxxxxxxxx"
        0.000000 s left poll = OUT
    "#]]
    .assert_eq(&w.transcript());
    let block = alloc::vec![3; 1 << 20];
    let sent = w.send("left", &block).unwrap();
    assert!((100_000..220_000).contains(&sent), "{sent}");
}

#[test]
fn datagrams_keep_their_bounds() {
    let mut w = World::new();
    w.socket("server", 0, UNIX, DGRAM);
    w.bind("server", abstract_name(b"srv")).unwrap();
    w.socket("client", 0, UNIX, DGRAM);
    w.send("client", b"x").unwrap_err();
    w.send_to("client", b"one", Some(&abstract_name(b"srv")), &[]).unwrap();
    w.connect("client", &abstract_name(b"srv")).unwrap();
    w.send("client", b"two").unwrap();
    w.recv_with("server", 2, libc::MSG_DONTWAIT).unwrap();
    w.recv("server").unwrap();
    w.recv("server").unwrap_err();
    let big = alloc::vec![0; 300_000];
    w.send("client", &big).unwrap_err();
    let mut count = 0;
    while w.send("client", b"x").is_ok() {
        count += 1;
    }
    assert_eq!(count, 11, "max_dgram_qlen and one");
    w.transcript();
    w.poll("client");
    w.wakes.clear();
    w.recv("server").unwrap();
    let client = w.id("client");
    assert!(w.wakes.iter().any(|wake| wake.sock == client && wake.events & 4 != 0));
    w.poll("client");
    w.close("server");
    w.send("client", b"x").unwrap_err();
    w.send("client", b"x").unwrap_err();
    expect![[r#"
        0.000000 s client poll = 0
        0.000000 s server recv = "x"
        0.000000 s client poll = OUT
        0.000000 s server close
        0.000000 s client send 1 = ECONNREFUSED
        0.000000 s client send 1 = ENOTCONN
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn a_connected_datagram_socket_hears_its_peer_only() {
    let mut w = World::new();
    for (name, own) in [("a", b"a"), ("b", b"b"), ("c", b"c")] {
        w.socket(name, 0, UNIX, DGRAM);
        w.bind(name, abstract_name(own)).unwrap();
    }
    w.connect("a", &abstract_name(b"b")).unwrap();
    assert_eq!(w.send_to("c", b"x", Some(&abstract_name(b"a")), &[]), Err(Errno::EPERM));
    assert_eq!(w.send_to("b", b"x", Some(&abstract_name(b"a")), &[]), Ok(1));
    let (bytes, received) = w.recv_with("a", 10, 0).unwrap();
    assert_eq!((bytes, received.from), (b"x".to_vec(), Some(abstract_name(b"b"))));
}

#[test]
fn packets_are_connected_and_keep_their_bounds() {
    let mut w = World::new();
    pair(&mut w, libc::SOCK_SEQPACKET);
    w.send("left", b"one").unwrap();
    w.send("left", b"two").unwrap();
    w.recv("right").unwrap();
    w.recv_with("right", 1, 0).unwrap();
    w.shutdown("left", libc::SHUT_WR).unwrap();
    w.recv("right").unwrap();
    w.close("left");
    w.send("right", b"x").unwrap_err();
    w.socket("alone", 0, UNIX, libc::SOCK_SEQPACKET);
    w.recv("alone").unwrap_err();
    expect![[r#"
        0.000000 s left send 3 = 3
        0.000000 s left send 3 = 3
        0.000000 s right recv = "one"
        0.000000 s right recv = "t"
        0.000000 s left shutdown = ok
        0.000000 s right recv = end
        0.000000 s left close
        0.000000 s right send 1 = EPIPE
        0.000000 s alone recv = ENOTCONN
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn names_are_given_and_taken() {
    let mut w = World::new();
    for name in ["a", "b", "c"] {
        w.socket(name, 0, UNIX, DGRAM);
    }
    let unnamed = SockAddr::Unix(UnixName::Unnamed);
    assert_eq!(w.net.getsockname(w.id("a")), Ok(unnamed.clone()));
    w.bind("a", unnamed).unwrap();
    let Ok(SockAddr::Unix(UnixName::Abstract(name))) = w.net.getsockname(w.id("a")) else {
        panic!("no abstract name");
    };
    assert!(name.len() == 5 && name.iter().all(u8::is_ascii_hexdigit), "{name:?}");
    w.bind("b", abstract_name(b"n")).unwrap();
    assert_eq!(w.bind("c", abstract_name(b"n")), Err(Errno::EADDRINUSE));
    assert_eq!(w.bind("b", abstract_name(b"m")), Err(Errno::EINVAL));
    w.close("b");
    assert_eq!(w.bind("c", abstract_name(b"n")), Ok(()));
    assert_eq!(w.net.readiness(SockId::NONE), 0x20);
}
