//! TCP as an application sees it: beginning and data.

use core::time::Duration;

use bizarro_record::{LinkSpec, Nanos};
use expect_test::expect;

use super::world::{STREAM, World, inet, link_of};
use crate::errno::Errno;

#[test]
fn a_connection_between_hosts_costs_a_round_trip() {
    let mut w = World::new();
    w.socket("listener", 1, libc::AF_INET, STREAM);
    w.bind("listener", inet("0.0.0.0:80")).unwrap();
    w.listen("listener", 8).unwrap();
    w.socket("client", 0, libc::AF_INET, STREAM);
    w.poll("client");
    w.connect("client", &inet("10.0.0.2:80")).unwrap_err();
    w.poll("client");
    w.connect("client", &inet("10.0.0.2:80")).unwrap_err();
    w.sleep(Duration::from_millis(2));
    w.poll("client");
    w.accept("listener", "server").unwrap_err();
    w.connect("client", &inet("10.0.0.2:80")).unwrap();
    w.connect("client", &inet("10.0.0.2:80")).unwrap_err();
    w.sleep(Duration::from_millis(1));
    w.poll("listener");
    w.accept("listener", "server").unwrap();
    w.poll("server");
    w.send("client", b"ping").unwrap();
    w.recv("server").unwrap_err();
    w.sleep(Duration::from_millis(1));
    w.poll("server");
    w.recv("server").unwrap();
    expect![[r#"
        0.000000 s listener bind = ok
        0.000000 s listener listen = ok
        0.000000 s client poll = OUT|HUP
        0.000000 s client connect = EINPROGRESS
        0.000000 s client poll = 0
        0.000000 s client connect = EALREADY
        0.002000 s client poll = OUT
        0.002000 s listener accept = EAGAIN
        0.002000 s client connect = ok
        0.002000 s client connect = EISCONN
        0.003000 s listener poll = IN
        0.003000 s listener accept = server
        0.003000 s server poll = OUT
        0.003000 s client send 4 = 4
        0.003000 s server recv = EAGAIN
        0.004000 s server poll = IN|OUT
        0.004000 s server recv = "ping"
    "#]]
    .assert_eq(&w.transcript());
    let peer = w.net.getpeername(w.id("server")).unwrap();
    assert_eq!(peer, w.net.getsockname(w.id("client")).unwrap());
    assert_eq!(w.net.getpeername(w.id("client")).unwrap(), inet("10.0.0.2:80"));
}

#[test]
fn on_one_host_everything_happens_at_once() {
    let mut w = World::new();
    w.socket("listener", 0, libc::AF_INET, STREAM);
    w.bind("listener", inet("127.0.0.1:80")).unwrap();
    w.listen("listener", 8).unwrap();
    w.socket("client", 0, libc::AF_INET, STREAM);
    w.connect("client", &inet("127.0.0.1:80")).unwrap_err();
    w.poll("client");
    w.connect("client", &inet("127.0.0.1:80")).unwrap();
    w.accept("listener", "server").unwrap();
    w.send("client", b"ping").unwrap();
    w.recv("server").unwrap();
    w.close("client");
    w.recv("server").unwrap();
    w.close("server");
    assert_eq!(w.pending(), 0);
    expect![[r#"
        0.000000 s listener bind = ok
        0.000000 s listener listen = ok
        0.000000 s client connect = EINPROGRESS
        0.000000 s client poll = OUT
        0.000000 s client connect = ok
        0.000000 s listener accept = server
        0.000000 s client send 4 = 4
        0.000000 s server recv = "ping"
        0.000000 s client close
        0.000000 s server recv = end
        0.000000 s server close
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn a_closed_port_refuses() {
    let mut w = World::new();
    w.socket("client", 0, libc::AF_INET, STREAM);
    w.connect("client", &inet("10.0.0.2:80")).unwrap_err();
    w.settle();
    w.poll("client");
    w.error("client");
    w.error("client");
    w.connect("client", &inet("10.0.0.2:80")).unwrap_err();
    w.connect_blocking("client", &inet("10.0.0.2:80")).unwrap_err();
    w.connect_blocking("client", &inet("127.0.0.1:80")).unwrap_err();
    w.send("client", b"x").unwrap_err();
    w.recv("client").unwrap_err();
    expect![[r#"
        0.000000 s client connect = EINPROGRESS
        1.000000 s client poll = IN|OUT|RDHUP|HUP|ERR
        1.000000 s client SO_ERROR = ECONNREFUSED
        1.000000 s client SO_ERROR = 0
        1.000000 s client connect = ECONNABORTED
        1.002000 s client connect = ECONNREFUSED
        1.002000 s client connect = ECONNREFUSED
        1.002000 s client send 1 = EPIPE
        1.002000 s client recv = ENOTCONN
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn addresses_that_nobody_has_cannot_be_reached() {
    let mut w = World::new();
    w.socket("lan", 0, libc::AF_INET, STREAM);
    w.connect_blocking("lan", &inet("10.9.9.9:80")).unwrap_err();
    w.socket("internet", 0, libc::AF_INET, STREAM);
    w.connect_blocking("internet", &inet("8.8.8.8:80")).unwrap_err();
    w.socket("v6", 0, libc::AF_INET6, STREAM);
    w.connect_blocking("v6", &inet("[2001:db8::1]:80")).unwrap_err();
    w.socket("bound", 0, libc::AF_INET, STREAM);
    w.bind("bound", inet("127.0.0.1:0")).unwrap();
    w.connect_blocking("bound", &inet("10.0.0.2:80")).unwrap_err();
    w.socket("foreign", 0, libc::AF_INET, STREAM);
    w.bind("foreign", inet("10.0.0.2:80")).unwrap_err();
    w.socket("family", 0, libc::AF_INET, STREAM);
    w.connect_blocking("family", &inet("[::1]:80")).unwrap_err();
    expect![[r#"
        3.000000 s lan connect = EHOSTUNREACH
        3.000000 s internet connect = ENETUNREACH
        3.000000 s v6 connect = ENETUNREACH
        3.000000 s bound bind = ok
        3.000000 s bound connect = EINVAL
        3.000000 s foreign bind = EADDRNOTAVAIL
        3.000000 s family connect = EAFNOSUPPORT
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn a_full_queue_drops_connections_until_the_client_tries_again() {
    let mut w = World::new();
    w.socket("listener", 1, libc::AF_INET, STREAM);
    w.bind("listener", inet("0.0.0.0:80")).unwrap();
    w.listen("listener", 0).unwrap();
    for name in ["first", "second"] {
        w.socket(name, 0, libc::AF_INET, STREAM);
        w.connect(name, &inet("10.0.0.2:80")).unwrap_err();
        w.sleep(Duration::from_millis(10));
        w.poll(name);
    }
    w.accept("listener", "server").unwrap();
    w.connect_blocking("second", &inet("10.0.0.2:80")).unwrap();
    expect![[r#"
        0.000000 s listener bind = ok
        0.000000 s listener listen = ok
        0.000000 s first connect = EINPROGRESS
        0.010000 s first poll = OUT
        0.010000 s second connect = EINPROGRESS
        0.020000 s second poll = 0
        0.020000 s listener accept = server
        1.012000 s second connect = ok
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn a_port_has_one_listener() {
    let mut w = World::new();
    let bound = |w: &mut World, name: &str, domain: i32, option: i32, to: &str| {
        w.socket(name, 0, domain, STREAM);
        if option != 0 {
            w.set(name, libc::SOL_SOCKET, option, 1).unwrap();
        }
        let _ = w.bind(name, inet(to)).and_then(|()| w.listen(name, 16));
    };
    bound(&mut w, "first", libc::AF_INET, 0, "0.0.0.0:80");
    bound(&mut w, "second", libc::AF_INET, 0, "127.0.0.1:80");
    bound(&mut w, "reusing", libc::AF_INET, libc::SO_REUSEADDR, "0.0.0.0:80");
    bound(&mut w, "dual", libc::AF_INET6, 0, "[::]:80");
    bound(&mut w, "only6", libc::AF_INET6, 0, "[::1]:80");
    bound(&mut w, "one", libc::AF_INET, 0, "127.0.0.1:81");
    bound(&mut w, "other", libc::AF_INET, 0, "10.0.0.1:81");
    bound(&mut w, "left", libc::AF_INET, libc::SO_REUSEPORT, "0.0.0.0:82");
    bound(&mut w, "right", libc::AF_INET, libc::SO_REUSEPORT, "0.0.0.0:82");
    bound(&mut w, "alone", libc::AF_INET, 0, "0.0.0.0:82");
    expect![[r#"
        0.000000 s first bind = ok
        0.000000 s first listen = ok
        0.000000 s second bind = EADDRINUSE
        0.000000 s reusing bind = EADDRINUSE
        0.000000 s dual bind = EADDRINUSE
        0.000000 s only6 bind = ok
        0.000000 s only6 listen = ok
        0.000000 s one bind = ok
        0.000000 s one listen = ok
        0.000000 s other bind = ok
        0.000000 s other listen = ok
        0.000000 s left bind = ok
        0.000000 s left listen = ok
        0.000000 s right bind = ok
        0.000000 s right listen = ok
        0.000000 s alone bind = EADDRINUSE
    "#]]
    .assert_eq(&w.transcript());
    // Connections are spread over the two.
    for n in 0..20 {
        let name = alloc::format!("client{n}");
        w.socket(&name, 1, libc::AF_INET, STREAM);
        w.connect_blocking(&name, &inet("10.0.0.1:82")).unwrap();
    }
    w.settle();
    let mut accepted = [0, 0];
    for (count, name) in accepted.iter_mut().zip(["left", "right"]) {
        while w.accept(name, "child").is_ok() {
            *count += 1;
        }
    }
    assert_eq!(accepted[0] + accepted[1], 20);
    assert!(accepted[0] >= 4 && accepted[1] >= 4, "{accepted:?}");
}

#[test]
fn a_dual_stack_listener_shows_mapped_addresses() {
    let mut w = World::new();
    w.socket("listener", 1, libc::AF_INET6, STREAM);
    w.bind("listener", inet("[::]:80")).unwrap();
    w.listen("listener", 8).unwrap();
    w.socket("four", 0, libc::AF_INET, STREAM);
    w.bind("four", inet("0.0.0.0:5000")).unwrap();
    w.connect_blocking("four", &inet("10.0.0.2:80")).unwrap();
    w.socket("six", 0, libc::AF_INET6, STREAM);
    w.bind("six", inet("[::]:5001")).unwrap();
    w.connect_blocking("six", &inet("[fdb1:2a22::a00:2]:80")).unwrap();
    w.socket("mapped", 0, libc::AF_INET6, STREAM);
    w.bind("mapped", inet("[::]:5002")).unwrap();
    w.connect_blocking("mapped", &inet("[::ffff:10.0.0.2]:80")).unwrap();
    w.settle();
    for peer in ["[::ffff:10.0.0.1]:5000", "[fdb1:2a22::a00:1]:5001", "[::ffff:10.0.0.1]:5002"] {
        w.accept("listener", "server").unwrap();
        assert_eq!(w.net.getpeername(w.id("server")).unwrap(), inet(peer));
    }
    assert_eq!(w.net.getsockname(w.id("mapped")).unwrap(), inet("[::ffff:10.0.0.1]:5002"));
    w.socket("only", 0, libc::AF_INET6, STREAM);
    w.set("only", libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1).unwrap();
    assert_eq!(w.connect("only", &inet("[::ffff:10.0.0.2]:80")), Err(Errno::ENETUNREACH));
}

#[test]
fn a_sender_is_stopped_by_a_reader_who_does_not_read() {
    let mut w = World::new();
    w.connected(0, 1);
    let block = alloc::vec![7; 1 << 20];
    let mut sent = 0;
    loop {
        match w.send("client", &block) {
            Ok(n) => sent += n,
            Err(Errno::EAGAIN) => {
                let before = w.net.unread(w.id("server")).unwrap();
                w.settle();
                if w.net.unread(w.id("server")).unwrap() == before {
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    w.transcript();
    // The segment that fills the window is not cut.
    let unread = w.net.unread(w.id("server")).unwrap();
    assert!((3 << 20..(3 << 20) + 65536).contains(&unread), "{unread}");
    assert_eq!(sent, unread + w.net.unsent(w.id("client")).unwrap());
    w.poll("client");
    w.wakes.clear();
    // Half a megabyte is not enough to write again, and a third of the buffer is.
    let read = |w: &mut World, n: usize| {
        w.recv_with("server", n, libc::MSG_DONTWAIT).unwrap();
        w.settle();
    };
    read(&mut w, 500_000);
    w.poll("client");
    let client = w.id("client");
    assert!(w.wakes.iter().all(|wake| wake.sock != client));
    read(&mut w, 600_000);
    w.poll("client");
    assert!(w.wakes.iter().any(|wake| wake.sock == client && wake.events & 4 != 0));
    let polls = w.transcript();
    let mut received = 1_100_000;
    while let Ok(bytes) = w.recv("server") {
        assert!(bytes.iter().all(|byte| *byte == 7));
        received += bytes.len();
        w.settle();
    }
    assert_eq!(received, sent);
    expect![[r#"
        3.000000 s client poll = 0
        3.000000 s server recv = 500000 bytes
        4.000000 s client poll = 0
        4.000000 s server recv = 600000 bytes
        5.000000 s client poll = OUT
    "#]]
    .assert_eq(&polls);
}

#[test]
fn loopback_stops_a_sender_too() {
    let mut w = World::new();
    w.connected(0, 0);
    let block = alloc::vec![1; 8 << 20];
    let sent = w.send("client", &block).unwrap();
    assert_eq!(sent, (3 << 20) + 2_626_560);
    assert_eq!(w.send("client", b"x"), Err(Errno::EAGAIN));
    w.close("client");
    let mut received = 0;
    while received < sent {
        received += w.recv("server").unwrap().len();
    }
    assert_eq!(w.recv("server").unwrap().len(), 0);
    assert_eq!(w.pending(), 0);
}

#[test]
fn bandwidth_takes_its_time() {
    let link = LinkSpec { bandwidth: 1_000_000, ..link_of(Nanos::from_millis(1)) };
    let mut w = World::with_link(link);
    w.connected(0, 1);
    w.send("client", &alloc::vec![0; 500_000]).unwrap();
    w.sleep(Duration::from_millis(260));
    let half = w.net.unread(w.id("server")).unwrap();
    assert!((150_000..260_000).contains(&half), "{half}");
    w.sleep(Duration::from_millis(270));
    assert_eq!(w.net.unread(w.id("server")).unwrap(), 500_000);
}

#[test]
fn peeking_and_waiting_for_all() {
    let mut w = World::new();
    w.connected(0, 1);
    w.send("client", b"hello ").unwrap();
    w.send("client", b"world").unwrap();
    w.settle();
    let peek = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    w.recv_with("server", 8, peek).unwrap();
    w.recv_with("server", 100, libc::MSG_WAITALL).unwrap_err();
    w.recv_with("server", 100, libc::MSG_WAITALL | libc::MSG_DONTWAIT | libc::MSG_PEEK).unwrap();
    w.recv_with("server", 2, libc::MSG_TRUNC).unwrap();
    w.recv_with("server", 3, 0).unwrap();
    w.set("server", libc::SOL_SOCKET, libc::SO_RCVLOWAT, 7).unwrap();
    w.poll("server");
    w.recv_with("server", 100, 0).unwrap_err();
    w.close("client");
    w.settle();
    w.recv_with("server", 100, libc::MSG_WAITALL).unwrap();
    w.recv_with("server", 100, libc::MSG_WAITALL).unwrap();
    expect![[r#"
        0.000000 s client send 6 = 6
        0.000000 s client send 5 = 5
        1.000000 s server recv = "hello wo"
        1.000000 s server recv = EAGAIN
        1.000000 s server recv = "hello world"
        1.000000 s server recv = "" of 2
        1.000000 s server recv = "llo"
        1.000000 s server poll = OUT
        1.000000 s server recv = EAGAIN
        1.000000 s client close
        2.000000 s server recv = " world"
        2.000000 s server recv = end
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn a_fault_of_the_guests_memory_loses_nothing() {
    let mut w = World::new();
    w.connected(0, 0);
    w.send("client", b"hello").unwrap();
    let id = w.id("server");
    let failed = w.call(0, |net, cx| net.recv(cx, id, &mut |_| Err(Errno::EFAULT), 10, 0));
    assert_eq!(failed, Err(Errno::EFAULT));
    assert_eq!(w.recv("server").unwrap(), b"hello");
}

#[test]
fn sockets_in_the_wrong_state_say_so() {
    let mut w = World::new();
    w.socket("new", 0, libc::AF_INET, STREAM);
    w.recv("new").unwrap_err();
    w.send("new", b"x").unwrap_err();
    w.accept("new", "child").unwrap_err();
    w.shutdown("new", libc::SHUT_WR).unwrap_err();
    w.listen("new", 1).unwrap();
    w.recv("new").unwrap_err();
    w.send("new", b"x").unwrap_err();
    w.connect("new", &inet("10.0.0.2:80")).unwrap_err();
    w.bind("new", inet("0.0.0.0:80")).unwrap_err();
    w.shutdown("new", libc::SHUT_RD).unwrap();
    w.accept("new", "child").unwrap_err();
    w.poll("new");
    assert_eq!(w.net.getpeername(w.id("new")), Err(Errno::ENOTCONN));
    w.close("new");
    w.accept("new", "child").unwrap_err();
    expect![[r#"
        0.000000 s new recv = ENOTCONN
        0.000000 s new send 1 = EPIPE
        0.000000 s new accept = EINVAL
        0.000000 s new shutdown = ENOTCONN
        0.000000 s new listen = ok
        0.000000 s new recv = ENOTCONN
        0.000000 s new send 1 = EPIPE
        0.000000 s new connect = EISCONN
        0.000000 s new bind = EINVAL
        0.000000 s new shutdown = ok
        0.000000 s new accept = EINVAL
        0.000000 s new poll = OUT|HUP
        0.000000 s new close
        0.000000 s new accept = EBADF
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn many_connections_leave_nothing_behind() {
    let mut w = World::new();
    w.socket("listener", 1, libc::AF_INET, STREAM);
    w.bind("listener", inet("0.0.0.0:80")).unwrap();
    w.listen("listener", 8).unwrap();
    for round in 0..200 {
        w.socket("client", 0, libc::AF_INET, STREAM);
        w.connect_blocking("client", &inet("10.0.0.2:80")).unwrap();
        w.sleep(Duration::from_millis(2));
        w.accept("listener", "server").unwrap();
        w.send("client", b"x").unwrap();
        let (first, second) =
            if round % 2 == 0 { ("client", "server") } else { ("server", "client") };
        w.close(first);
        if round % 3 == 0 {
            w.sleep(Duration::from_millis(5));
        }
        w.close(second);
        w.sleep(Duration::from_millis(10));
        w.transcript();
    }
    w.sleep(Duration::from_secs(2));
    let alive = w.net.sockets.filter(|_| true);
    assert_eq!(alive.len(), 1, "the listener");
    assert_eq!(w.pending(), 0);
}
