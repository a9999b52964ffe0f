//! Socket options.

use expect_test::expect;

use super::world::{DGRAM, STREAM, World, inet};
use crate::errno::Errno;

const SOCKET: i32 = libc::SOL_SOCKET;
const TCP: i32 = libc::IPPROTO_TCP;
const IP: i32 = libc::IPPROTO_IP;
const V6: i32 = libc::IPPROTO_IPV6;

#[test]
fn values_are_what_linux_makes_of_them() {
    let mut w = World::new();
    w.socket("tcp", 0, libc::AF_INET, STREAM);
    w.socket("udp", 0, libc::AF_INET6, DGRAM);
    w.socket("unix", 0, libc::AF_UNIX, STREAM);
    let mut text = alloc::string::String::new();
    let mut check = |w: &mut World, name: &str, what: &str, level, option, value| {
        let before = w.get(name, level, option);
        let set = w.set(name, level, option, value);
        let after = w.get(name, level, option);
        text += &alloc::format!("{name} {what}: {before:?}, set {value} {set:?}, {after:?}\n");
    };
    check(&mut w, "tcp", "SO_SNDBUF", SOCKET, libc::SO_SNDBUF, 1000);
    check(&mut w, "tcp", "SO_SNDBUF", SOCKET, libc::SO_SNDBUF, 100_000);
    check(&mut w, "tcp", "SO_RCVBUF", SOCKET, libc::SO_RCVBUF, i32::MAX);
    check(&mut w, "udp", "SO_RCVBUF", SOCKET, libc::SO_RCVBUF, 5000);
    check(&mut w, "tcp", "SO_KEEPALIVE", SOCKET, libc::SO_KEEPALIVE, 5);
    check(&mut w, "tcp", "SO_TYPE", SOCKET, libc::SO_TYPE, 5);
    check(&mut w, "tcp", "TCP_NODELAY", TCP, libc::TCP_NODELAY, -1);
    check(&mut w, "tcp", "TCP_KEEPIDLE", TCP, libc::TCP_KEEPIDLE, 0);
    check(&mut w, "tcp", "TCP_KEEPCNT", TCP, libc::TCP_KEEPCNT, 127);
    check(&mut w, "tcp", "TCP_DEFER_ACCEPT", TCP, libc::TCP_DEFER_ACCEPT, 5);
    check(&mut w, "tcp", "TCP_MAXSEG", TCP, libc::TCP_MAXSEG, 1000);
    check(&mut w, "tcp", "TCP_SYNCNT", TCP, libc::TCP_SYNCNT, 2);
    check(&mut w, "tcp", "IP_TTL", IP, libc::IP_TTL, 0);
    check(&mut w, "tcp", "IP_TTL", IP, libc::IP_TTL, 10);
    check(&mut w, "tcp", "IPV6_V6ONLY", V6, libc::IPV6_V6ONLY, 1);
    check(&mut w, "udp", "IPV6_V6ONLY", V6, libc::IPV6_V6ONLY, 1);
    check(&mut w, "udp", "TCP_NODELAY", TCP, libc::TCP_NODELAY, 1);
    check(&mut w, "udp", "UDP_SEGMENT", libc::SOL_UDP, libc::UDP_SEGMENT, 1500);
    check(&mut w, "udp", "SO_MARK", SOCKET, libc::SO_MARK, 1);
    check(&mut w, "unix", "IP_TTL", IP, libc::IP_TTL, 1);
    check(&mut w, "unix", "SO_SNDBUF", SOCKET, libc::SO_SNDBUF, 0);
    check(&mut w, "unix", "unknown", SOCKET, 9999, 0);
    expect![[r#"
        tcp SO_SNDBUF: Ok(16384), set 1000 Ok(()), Ok(4608)
        tcp SO_SNDBUF: Ok(4608), set 100000 Ok(()), Ok(200000)
        tcp SO_RCVBUF: Ok(131072), set 2147483647 Ok(()), Ok(425984)
        udp SO_RCVBUF: Ok(212992), set 5000 Ok(()), Ok(10000)
        tcp SO_KEEPALIVE: Ok(0), set 5 Ok(()), Ok(1)
        tcp SO_TYPE: Ok(1), set 5 Err(ENOPROTOOPT), Ok(1)
        tcp TCP_NODELAY: Ok(0), set -1 Ok(()), Ok(1)
        tcp TCP_KEEPIDLE: Ok(7200), set 0 Err(EINVAL), Ok(7200)
        tcp TCP_KEEPCNT: Ok(9), set 127 Ok(()), Ok(127)
        tcp TCP_DEFER_ACCEPT: Ok(0), set 5 Ok(()), Ok(7)
        tcp TCP_MAXSEG: Ok(536), set 1000 Ok(()), Ok(1000)
        tcp TCP_SYNCNT: Ok(6), set 2 Ok(()), Ok(2)
        tcp IP_TTL: Ok(64), set 0 Err(EINVAL), Ok(64)
        tcp IP_TTL: Ok(64), set 10 Ok(()), Ok(10)
        tcp IPV6_V6ONLY: Err(EOPNOTSUPP), set 1 Err(ENOPROTOOPT), Err(EOPNOTSUPP)
        udp IPV6_V6ONLY: Ok(0), set 1 Ok(()), Ok(1)
        udp TCP_NODELAY: Err(ENOPROTOOPT), set 1 Err(ENOPROTOOPT), Err(ENOPROTOOPT)
        udp UDP_SEGMENT: Err(ENOPROTOOPT), set 1500 Err(ENOPROTOOPT), Err(ENOPROTOOPT)
        udp SO_MARK: Ok(0), set 1 Err(EPERM), Ok(0)
        unix IP_TTL: Err(EOPNOTSUPP), set 1 Err(EOPNOTSUPP), Err(EOPNOTSUPP)
        unix SO_SNDBUF: Ok(212992), set 0 Ok(()), Ok(4608)
        unix unknown: Err(ENOPROTOOPT), set 0 Err(ENOPROTOOPT), Err(ENOPROTOOPT)
    "#]]
    .assert_eq(&text);
}

#[test]
fn structured_values_round_trip() {
    let mut w = World::new();
    let id = w.socket("tcp", 0, libc::AF_INET, STREAM);
    let mut round_trip = |option: i32, value: &[u8]| {
        let set = w.call(0, |net, cx| net.setsockopt(cx, id, SOCKET, option, value));
        set.map(|()| w.net.getsockopt(id, SOCKET, option).unwrap())
    };
    let linger = [1_i32.to_ne_bytes(), 30_i32.to_ne_bytes()].concat();
    assert_eq!(round_trip(libc::SO_LINGER, &linger), Ok(linger.clone()));
    assert_eq!(round_trip(libc::SO_LINGER, &linger[..4]), Err(Errno::EINVAL));
    let time = [2_i64.to_ne_bytes(), 500_000_i64.to_ne_bytes()].concat();
    assert_eq!(round_trip(libc::SO_RCVTIMEO, &time), Ok(time.clone()));
    let wrong = [2_i64.to_ne_bytes(), 1_000_000_i64.to_ne_bytes()].concat();
    assert_eq!(round_trip(libc::SO_SNDTIMEO, &wrong), Err(Errno::EDOM));
    let (receive, send) = w.net.timeouts(id);
    assert_eq!((receive.map(|t| t.0), send), (Some(2_500_000_000), None));
}

#[test]
fn a_connection_inherits_the_listeners_options() {
    let mut w = World::new();
    w.socket("listener", 0, libc::AF_INET, STREAM);
    w.set("listener", TCP, libc::TCP_NODELAY, 1).unwrap();
    w.set("listener", SOCKET, libc::SO_RCVBUF, 4000).unwrap();
    w.bind("listener", inet("0.0.0.0:80")).unwrap();
    w.listen("listener", 8).unwrap();
    assert_eq!(w.get("listener", SOCKET, libc::SO_ACCEPTCONN), Ok(1));
    w.socket("client", 0, libc::AF_INET, STREAM);
    w.connect_blocking("client", &inet("127.0.0.1:80")).unwrap();
    w.accept("listener", "server").unwrap();
    assert_eq!(w.get("server", TCP, libc::TCP_NODELAY), Ok(1));
    assert_eq!(w.get("server", SOCKET, libc::SO_RCVBUF), Ok(8000));
    assert_eq!(w.get("server", SOCKET, libc::SO_ACCEPTCONN), Ok(0));
    assert_eq!(w.get("server", TCP, libc::TCP_MAXSEG), Ok(65483));
    assert_eq!(w.get("client", SOCKET, libc::SO_SNDBUF), Ok(2_626_560));
    assert_eq!(w.set("listener", V6, libc::IPV6_V6ONLY, 1), Err(Errno::ENOPROTOOPT));
}

#[test]
fn tcp_info_tells_state_and_bytes() {
    let mut w = World::new();
    w.connected(0, 1);
    w.send("client", b"hello").unwrap();
    let info = w.net.getsockopt(w.id("client"), TCP, libc::TCP_INFO).unwrap();
    assert_eq!(info.len(), 232);
    assert_eq!(info[0], 1, "established");
    let word = |at: usize| u32::from_ne_bytes(info[at..at + 4].try_into().unwrap());
    assert_eq!(word(16), 1448, "snd_mss");
    assert_eq!(word(24), 1, "unacked");
    assert_eq!(word(68), 2000, "rtt in microseconds");
}

#[test]
fn deferred_accept_waits_for_data() {
    let mut w = World::new();
    w.socket("listener", 1, libc::AF_INET, STREAM);
    w.set("listener", TCP, libc::TCP_DEFER_ACCEPT, 1).unwrap();
    w.bind("listener", inet("0.0.0.0:80")).unwrap();
    w.listen("listener", 8).unwrap();
    w.socket("client", 0, libc::AF_INET, STREAM);
    w.connect_blocking("client", &inet("10.0.0.2:80")).unwrap();
    w.settle();
    assert_eq!(w.accept("listener", "server"), Err(Errno::EAGAIN));
    w.send("client", b"x").unwrap();
    w.settle();
    assert_eq!(w.accept("listener", "server"), Ok(()));
    assert_eq!(w.recv("server").unwrap(), b"x");
}

#[test]
fn kinds_of_sockets_that_there_are_not() {
    let w = &mut World::new();
    let mut socket = |domain, kind, protocol| w.net.socket(0, domain, kind, protocol).err();
    assert_eq!(socket(libc::AF_INET, STREAM, libc::IPPROTO_TCP), None);
    assert_eq!(socket(libc::AF_INET, STREAM, libc::IPPROTO_UDP), Some(Errno::EPROTONOSUPPORT));
    assert_eq!(socket(libc::AF_INET, libc::SOCK_RAW, 1), Some(Errno::EPERM));
    assert_eq!(socket(libc::AF_INET, libc::SOCK_SEQPACKET, 0), Some(Errno::ESOCKTNOSUPPORT));
    assert_eq!(socket(libc::AF_INET, DGRAM, libc::IPPROTO_ICMP), Some(Errno::EACCES));
    assert_eq!(socket(libc::AF_VSOCK, STREAM, 0), Some(Errno::EAFNOSUPPORT));
    assert_eq!(socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE), None);
    let pair = w.call(0, |net, cx| net.socketpair(cx, libc::AF_INET, STREAM, 0));
    assert_eq!(pair.err(), Some(Errno::EOPNOTSUPP));
}
