//! Datagrams, the DNS server and netlink.

use core::net::Ipv4Addr;

use bizarro_record::{LinkSpec, Nanos};
use expect_test::expect;

use super::world::{DGRAM, World, inet};
use crate::errno::Errno;
use crate::net::{Control, SockAddr};

const UDP4: i32 = libc::AF_INET;

fn bound(w: &mut World, name: &str, host: u16, domain: i32, to: &str) {
    w.socket(name, host, domain, DGRAM);
    w.bind(name, inet(to)).unwrap();
}

#[test]
fn a_datagram_and_its_answer() {
    let mut w = World::new();
    bound(&mut w, "server", 1, UDP4, "0.0.0.0:53");
    bound(&mut w, "client", 0, UDP4, "0.0.0.0:5000");
    w.poll("client");
    w.send_to("client", b"who?", Some(&inet("10.0.0.2:53")), &[]).unwrap();
    w.recv("server").unwrap_err();
    w.settle();
    w.poll("server");
    w.recv_with("server", 2, libc::MSG_PEEK).unwrap();
    w.recv_with("server", 2, libc::MSG_TRUNC).unwrap();
    w.recv("server").unwrap_err();
    w.send_to("server", b"", Some(&inet("10.0.0.1:5000")), &[]).unwrap();
    w.settle();
    w.recv("client").unwrap();
    w.send("client", b"x").unwrap_err();
    expect![[r#"
        0.000000 s server bind = ok
        0.000000 s client bind = ok
        0.000000 s client poll = OUT
        0.000000 s client send 4 = 4
        0.000000 s server recv = EAGAIN
        1.000000 s server poll = IN|OUT
        1.000000 s server recv = "wh" from 10.0.0.1:5000
        1.000000 s server recv = "wh" of 4 from 10.0.0.1:5000
        1.000000 s server recv = EAGAIN
        1.000000 s server send 0 = 0
        2.000000 s client recv = end from 10.0.0.2:53
        2.000000 s client send 1 = EDESTADDRREQ
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn a_connected_socket_hears_of_closed_ports_and_of_its_peer_only() {
    let mut w = World::new();
    bound(&mut w, "client", 0, UDP4, "0.0.0.0:5000");
    bound(&mut w, "other", 2, UDP4, "0.0.0.0:53");
    w.connect("client", &inet("10.0.0.2:53")).unwrap();
    w.send("client", b"x").unwrap();
    w.send_to("other", b"stray", Some(&inet("10.0.0.1:5000")), &[]).unwrap();
    w.settle();
    w.poll("client");
    w.send("client", b"x").unwrap_err();
    w.send("client", b"x").unwrap();
    w.settle();
    w.recv("client").unwrap_err();
    w.recv("client").unwrap_err();
    w.connect("client", &SockAddr::Unspec).unwrap();
    w.send("client", b"x").unwrap_err();
    w.connect("client", &inet("127.0.0.1:9")).unwrap();
    expect![[r#"
        0.000000 s client bind = ok
        0.000000 s other bind = ok
        0.000000 s client connect = ok
        0.000000 s client send 1 = 1
        0.000000 s other send 5 = 5
        1.000000 s client poll = OUT|ERR
        1.000000 s client send 1 = ECONNREFUSED
        1.000000 s client send 1 = 1
        2.000000 s client recv = ECONNREFUSED
        2.000000 s client recv = EAGAIN
        2.000000 s client connect = ok
        2.000000 s client send 1 = EDESTADDRREQ
        2.000000 s client connect = ok
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn what_does_not_fit_is_refused_or_dropped() {
    let mut w = World::new();
    bound(&mut w, "server", 0, UDP4, "127.0.0.1:53");
    w.socket("client", 0, UDP4, DGRAM);
    let to = inet("127.0.0.1:53");
    let send =
        |w: &mut World, length: usize| w.send_to("client", &alloc::vec![0; length], Some(&to), &[]);
    assert_eq!(send(&mut w, 65508), Err(Errno::EMSGSIZE));
    for _ in 0..5 {
        assert_eq!(send(&mut w, 65507), Ok(65507));
    }
    let mut received = 0;
    while w.recv("server").is_ok() {
        received += 1;
    }
    assert_eq!(received, 4, "the receive buffer holds 212992 bytes and what goes beyond");
    for _ in 0..400 {
        send(&mut w, 1).unwrap();
    }
    while w.recv("server").is_ok() {
        received += 1;
    }
    assert_eq!(received, 4 + 278, "a small datagram is charged 768 bytes");
    assert_eq!(w.send_to("client", b"x", Some(&inet("10.255.255.255:9")), &[]), Err(Errno::EACCES));
    assert_eq!(w.send_to("client", b"x", Some(&inet("8.8.8.8:9")), &[]), Err(Errno::ENETUNREACH));
    assert_eq!(w.send_to("client", b"x", Some(&inet("10.0.0.2:0")), &[]), Err(Errno::EINVAL));
    w.set("client", libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE).unwrap();
    let far = inet("10.0.0.2:9");
    assert_eq!(w.send_to("client", &[0; 1473], Some(&far), &[]), Err(Errno::EMSGSIZE));
    assert_eq!(w.send_to("client", &[0; 1472], Some(&far), &[]), Ok(1472));
}

#[test]
fn datagrams_overtake_each_other_and_get_lost() {
    let link = LinkSpec {
        latency_min: Nanos::from_millis(1),
        latency_max: Nanos::from_millis(50),
        loss_ppm: 200_000,
        ..LinkSpec::default()
    };
    let mut w = World::with_link(link);
    bound(&mut w, "server", 1, UDP4, "0.0.0.0:53");
    w.socket("client", 0, UDP4, DGRAM);
    for n in 0..100_u8 {
        w.send_to("client", &[n], Some(&inet("10.0.0.2:53")), &[]).unwrap();
    }
    w.settle();
    let mut received = alloc::vec::Vec::new();
    while let Ok(bytes) = w.recv("server") {
        received.push(bytes[0]);
    }
    assert!((60..95).contains(&received.len()), "{}", received.len());
    assert!(!received.is_sorted(), "some overtook others");
    let mut sorted = received.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), received.len(), "none came twice");
}

#[test]
fn control_messages_tell_where_a_datagram_came_from() {
    let mut w = World::new();
    bound(&mut w, "server", 1, libc::AF_INET6, "[::]:53");
    for (level, option) in [
        (libc::IPPROTO_IP, libc::IP_PKTINFO),
        (libc::IPPROTO_IP, libc::IP_RECVTOS),
        (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS),
        (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    ] {
        w.set("server", level, option, 1).unwrap();
    }
    bound(&mut w, "client", 0, libc::AF_INET6, "[::]:5000");
    let tos = [Control::Tos(2)];
    w.send_to("client", b"four", Some(&inet("[::ffff:10.0.0.2]:53")), &tos).unwrap();
    let class = [Control::Tclass(3)];
    w.send_to("client", b"six", Some(&inet("[fdb1:2a22::a00:2]:53")), &class).unwrap();
    w.settle();
    w.recv("server").unwrap();
    w.recv("server").unwrap();
    let own = |local: [u8; 4]| {
        let local = Ipv4Addr::from(local);
        [Control::PktInfo { interface: 0, local, destination: local }]
    };
    let to = inet("10.0.0.2:53");
    assert_eq!(w.send_to("client", b"x", Some(&to), &own([10, 0, 0, 9])), Err(Errno::EINVAL));
    assert_eq!(w.send_to("client", b"x", Some(&to), &own([10, 0, 0, 1])), Ok(1));
    expect![[r#"
        0.000000 s server bind = ok
        0.000000 s client bind = ok
        0.000000 s client send 4 = 4
        0.000000 s client send 3 = 3
        1.000000 s server recv = "four" from [::ffff:10.0.0.1]:5000 PktInfo6 { address: ::ffff:10.0.0.2, interface: 2 } PktInfo { interface: 2, local: 10.0.0.2, destination: 10.0.0.2 } Tos(2)
        1.000000 s server recv = "six" from [fdb1:2a22::a00:1]:5000 PktInfo6 { address: fdb1:2a22::a00:2, interface: 2 } Tclass(3)
        1.000000 s client send 1 = EINVAL
        1.000000 s client send 1 = 1
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn broadcast_and_multicast_reach_those_who_want_them() {
    let mut w = World::new();
    for (name, host) in [("a", 0), ("b", 1), ("c", 2)] {
        bound(&mut w, name, host, UDP4, "0.0.0.0:4000");
    }
    let group = [224, 0, 0, 5, 0, 0, 0, 0];
    let id = w.id("b");
    w.call(1, |net, cx| net.setsockopt(cx, id, libc::IPPROTO_IP, libc::IP_ADD_MEMBERSHIP, &group))
        .unwrap();
    w.transcript();
    w.send_to("a", b"group", Some(&inet("224.0.0.5:4000")), &[]).unwrap();
    w.set("a", libc::SOL_SOCKET, libc::SO_BROADCAST, 1).unwrap();
    w.send_to("a", b"all", Some(&inet("255.255.255.255:4000")), &[]).unwrap();
    w.settle();
    for name in ["a", "b", "b", "c"] {
        w.recv(name).unwrap();
    }
    expect![[r#"
        0.000000 s a send 5 = 5
        0.000000 s a send 3 = 3
        1.000000 s a recv = "all" from 10.0.0.1:4000
        1.000000 s b recv = "group" from 10.0.0.1:4000
        1.000000 s b recv = "all" from 10.0.0.1:4000
        1.000000 s c recv = "all" from 10.0.0.1:4000
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn ports_are_shared_by_those_who_agree() {
    let mut w = World::new();
    bound(&mut w, "first", 0, UDP4, "0.0.0.0:53");
    w.socket("second", 0, UDP4, DGRAM);
    assert_eq!(w.bind("second", inet("127.0.0.1:53")), Err(Errno::EADDRINUSE));
    for name in ["third", "fourth"] {
        w.socket(name, 0, UDP4, DGRAM);
        w.set(name, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1).unwrap();
        assert_eq!(w.bind(name, inet("0.0.0.0:54")), Ok(()));
    }
    w.send_to("second", b"x", Some(&inet("127.0.0.1:54")), &[]).unwrap();
    assert_eq!(w.recv("third"), Err(Errno::EAGAIN));
    assert_eq!(w.recv("fourth").unwrap(), b"x", "the last one bound hears");
    w.close("fourth");
    w.send_to("second", b"y", Some(&inet("127.0.0.1:54")), &[]).unwrap();
    assert_eq!(w.recv("third").unwrap(), b"y");
}

#[test]
fn shutting_a_datagram_socket() {
    let mut w = World::new();
    bound(&mut w, "a", 0, UDP4, "127.0.0.1:1000");
    w.shutdown("a", libc::SHUT_RD).unwrap_err();
    w.poll("a");
    w.recv("a").unwrap_err();
    w.recv_with("a", 10, 0).unwrap();
    w.connect("a", &inet("127.0.0.1:1000")).unwrap();
    w.shutdown("a", libc::SHUT_WR).unwrap();
    w.send("a", b"x").unwrap_err();
    w.poll("a");
    expect![[r#"
        0.000000 s a bind = ok
        0.000000 s a shutdown = ENOTCONN
        0.000000 s a poll = IN|OUT|RDHUP
        0.000000 s a recv = EAGAIN
        0.000000 s a recv = end
        0.000000 s a connect = ok
        0.000000 s a shutdown = ok
        0.000000 s a send 1 = EPIPE
        0.000000 s a poll = IN|OUT|RDHUP|HUP
    "#]]
    .assert_eq(&w.transcript());
}

#[test]
fn the_dns_server_answers() {
    let mut w = World::new();
    w.socket("resolver", 0, UDP4, DGRAM);
    w.connect("resolver", &inet("10.255.255.53:53")).unwrap();
    let query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01b\x00\x00\x01\x00\x01";
    w.send("resolver", query).unwrap();
    w.settle();
    let answer = w.recv("resolver").unwrap();
    assert!(answer.ends_with(&[10, 0, 0, 2]), "{answer:?}");
    assert!(w.net.exchanges().is_empty(), "looking up a name is no exchange");
    w.socket("tcp", 0, libc::AF_INET, libc::SOCK_STREAM);
    assert_eq!(w.connect_blocking("tcp", &inet("10.255.255.53:53")), Err(Errno::ECONNREFUSED));
}

#[test]
fn netlink_tells_the_addresses() {
    let mut w = World::new();
    w.socket("netlink", 0, libc::AF_NETLINK, libc::SOCK_RAW);
    // struct nlmsghdr for RTM_GETADDR, and struct rtgenmsg for all families.
    let mut request = alloc::vec![20, 0, 0, 0, 22, 0, 1, 3, 7, 0, 0, 0, 0, 0, 0, 0];
    request.extend([0; 4]);
    w.send("netlink", &request).unwrap();
    let facts = w.recv("netlink").unwrap();
    let has = |part: &[u8]| facts.windows(part.len()).any(|window| window == part);
    assert!(has(&[127, 0, 0, 1]) && has(&[10, 0, 0, 1]) && has(b"eth0\0"));
    assert!(has(&[0xfd, 0xb1, 0x2a, 0x22, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]));
    let mut at = 0;
    while at < facts.len() {
        let length = u32::from_ne_bytes(facts[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!(facts[at + 4..at + 6], [20, 0], "RTM_NEWADDR");
        assert_eq!(facts[at + 8], 7, "the sequence number");
        at += length;
    }
    assert_eq!(at, facts.len());
    let done = w.recv("netlink").unwrap();
    assert_eq!(done[4..6], [3, 0], "NLMSG_DONE");
    assert_eq!(w.recv("netlink"), Err(Errno::EAGAIN));
}
