//! getsockopt(2) and setsockopt(2): socket(7), tcp(7), ip(7), ipv6(7).

use std::mem::size_of;

use libc::{
    AF_INET6, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, SO_BROADCAST, SO_DONTROUTE, SO_ERROR,
    SO_KEEPALIVE, SO_LINGER, SO_OOBINLINE, SO_RCVBUF, SO_RCVTIMEO, SO_REUSEADDR, SO_REUSEPORT,
    SO_SNDBUF, SO_SNDTIMEO, SO_TYPE, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET, linger, timeval,
};

use crate::Transcript;
use crate::c::{self, BAD_POINTER};

tests![SockOpt:
    sockopt_switches,
    sockopt_defaults,
    sockopt_buffer_sizes,
    sockopt_linger,
    sockopt_timeouts,
    sockopt_tcp_switches_and_numbers,
    sockopt_tcp_ranges,
    sockopt_tcp_info,
    sockopt_tcp_on_other_sockets,
    sockopt_ip,
    sockopt_ipv6,
    sockopt_error_clears,
    sockopt_read_only,
    sockopt_unknown,
    sockopt_sizes,
    sockopt_type_domain_protocol,
    sockopt_accepted_sockets_inherit,
];

/// Sets an int and reads it back.
fn round_trip(t: &mut Transcript, name: &str, fd: i32, option: (i32, i32), value: i32) {
    t.call(format_args!("set {name} to {value}"), c::setsockopt(fd, option.0, option.1, value));
    let mut got = -1;
    if c::getsockopt(fd, option.0, option.1, &mut got) == 0 {
        t.value(format_args!("  {name} is"), got);
    }
}

fn sockopt_switches(t: &mut Transcript) {
    let fd = c::tcp(0);
    for (name, option) in [
        ("SO_REUSEADDR", SO_REUSEADDR),
        ("SO_REUSEPORT", SO_REUSEPORT),
        ("SO_KEEPALIVE", SO_KEEPALIVE),
        ("SO_BROADCAST", SO_BROADCAST),
        ("SO_OOBINLINE", SO_OOBINLINE),
        ("SO_DONTROUTE", SO_DONTROUTE),
    ] {
        for value in [1, 0, 77] {
            round_trip(t, name, fd, (SOL_SOCKET, option), value);
        }
    }
    c::close_all(&[fd]);
}

fn sockopt_defaults(t: &mut Transcript) {
    let (tcp, udp) = (c::tcp(0), c::udp(0));
    for (name, option) in [
        ("SO_REUSEADDR", SO_REUSEADDR),
        ("SO_KEEPALIVE", SO_KEEPALIVE),
        ("SO_BROADCAST", SO_BROADCAST),
        ("SO_ERROR", SO_ERROR),
        ("SO_TYPE", SO_TYPE),
        ("SO_ACCEPTCONN", libc::SO_ACCEPTCONN),
    ] {
        t.value(format_args!("TCP {name}"), c::option_of(tcp, SOL_SOCKET, option));
        t.value(format_args!("UDP {name}"), c::option_of(udp, SOL_SOCKET, option));
    }
    t.value("TCP_NODELAY", c::option_of(tcp, IPPROTO_TCP, libc::TCP_NODELAY));
    t.value("TCP_USER_TIMEOUT", c::option_of(tcp, IPPROTO_TCP, libc::TCP_USER_TIMEOUT));
    t.holds("SO_RCVBUF is not 0", c::option_of(tcp, SOL_SOCKET, SO_RCVBUF) > 0);
    t.holds("SO_SNDBUF is not 0", c::option_of(tcp, SOL_SOCKET, SO_SNDBUF) > 0);
    c::close_all(&[tcp, udp]);
}

fn sockopt_buffer_sizes(t: &mut Transcript) {
    let fd = c::tcp(0);
    // socket(7): the kernel doubles the value, and has a least one.
    for (name, option) in [("SO_RCVBUF", SO_RCVBUF), ("SO_SNDBUF", SO_SNDBUF)] {
        for value in [16_384, 65_536, 100_000] {
            round_trip(t, name, fd, (SOL_SOCKET, option), value);
        }
        t.call("set it to 1", c::setsockopt(fd, SOL_SOCKET, option, 1));
        t.holds("it is 2048 or more", c::option_of(fd, SOL_SOCKET, option) >= 2048);
    }
    c::close_all(&[fd]);
}

fn sockopt_linger(t: &mut Transcript) {
    let fd = c::tcp(0);
    for (l_onoff, l_linger) in [(0, 0), (1, 5), (77, 3), (0, 9)] {
        let set = c::setsockopt(fd, SOL_SOCKET, SO_LINGER, linger { l_onoff, l_linger });
        t.call(format_args!("SO_LINGER {l_onoff}, {l_linger} s"), set);
        let mut got = linger { l_onoff: -1, l_linger: -1 };
        let mut size = size_of::<linger>() as u32;
        // SAFETY: `size` says how much room there is.
        let result = unsafe {
            libc::getsockopt(fd, SOL_SOCKET, SO_LINGER, (&raw mut got).cast(), &mut size)
        };
        t.call("get it", result);
        t.line(format_args!("  {}, {} s", got.l_onoff, got.l_linger));
    }
    t.call("as an int", c::setsockopt(fd, SOL_SOCKET, SO_LINGER, 1));
    c::close_all(&[fd]);
}

fn sockopt_timeouts(t: &mut Transcript) {
    let fd = c::tcp(0);
    for (name, option) in [("SO_RCVTIMEO", SO_RCVTIMEO), ("SO_SNDTIMEO", SO_SNDTIMEO)] {
        let mut got = timeval { tv_sec: -1, tv_usec: -1 };
        let mut get = || {
            let mut size = size_of::<timeval>() as u32;
            // SAFETY: `size` says how much room there is.
            let result = unsafe {
                libc::getsockopt(fd, SOL_SOCKET, option, (&raw mut got).cast(), &mut size)
            };
            assert_eq!(result, 0, "getsockopt");
            got
        };
        t.holds(format_args!("{name} starts at 0"), get().tv_sec == 0 && get().tv_usec == 0);
        let set = |time: timeval| c::setsockopt(fd, SOL_SOCKET, option, time);
        t.call("set 2 s 500 ms", set(timeval { tv_sec: 2, tv_usec: 500_000 }));
        t.line(format_args!("  {} s {} µs", get().tv_sec, get().tv_usec));
        t.call("a second of µs", set(timeval { tv_sec: 0, tv_usec: 1_000_000 }));
        t.call("negative µs", set(timeval { tv_sec: 0, tv_usec: -1 }));
        t.call("negative seconds", set(timeval { tv_sec: -1, tv_usec: 0 }));
        t.line(format_args!("  {} s {} µs", get().tv_sec, get().tv_usec));
        t.call("an int", c::setsockopt(fd, SOL_SOCKET, option, 1));
    }
    c::close_all(&[fd]);
}

fn sockopt_tcp_switches_and_numbers(t: &mut Transcript) {
    let fd = c::tcp(0);
    for (name, option, value) in [
        ("TCP_NODELAY", libc::TCP_NODELAY, 1),
        ("TCP_NODELAY", libc::TCP_NODELAY, 5),
        ("TCP_NODELAY", libc::TCP_NODELAY, 0),
        ("TCP_CORK", libc::TCP_CORK, 1),
        ("TCP_CORK", libc::TCP_CORK, 0),
        ("TCP_QUICKACK", libc::TCP_QUICKACK, 1),
        ("TCP_KEEPIDLE", libc::TCP_KEEPIDLE, 11),
        ("TCP_KEEPINTVL", libc::TCP_KEEPINTVL, 12),
        ("TCP_KEEPCNT", libc::TCP_KEEPCNT, 13),
        ("TCP_SYNCNT", libc::TCP_SYNCNT, 3),
        ("TCP_USER_TIMEOUT", libc::TCP_USER_TIMEOUT, 12_345),
        ("TCP_LINGER2", libc::TCP_LINGER2, 7),
        ("TCP_DEFER_ACCEPT", libc::TCP_DEFER_ACCEPT, 0),
    ] {
        round_trip(t, name, fd, (IPPROTO_TCP, option), value);
    }
    c::close_all(&[fd]);
}

fn sockopt_tcp_ranges(t: &mut Transcript) {
    let fd = c::tcp(0);
    for (name, option, values) in [
        ("TCP_KEEPIDLE", libc::TCP_KEEPIDLE, [0, -1, 32_767, 32_768]),
        ("TCP_KEEPINTVL", libc::TCP_KEEPINTVL, [0, -1, 32_767, 32_768]),
        ("TCP_KEEPCNT", libc::TCP_KEEPCNT, [0, -1, 127, 128]),
        ("TCP_SYNCNT", libc::TCP_SYNCNT, [0, -1, 127, 128]),
        ("TCP_USER_TIMEOUT", libc::TCP_USER_TIMEOUT, [0, -1, 1, i32::MAX]),
    ] {
        for value in values {
            let set = c::setsockopt(fd, IPPROTO_TCP, option, value);
            t.call(format_args!("{name} {value}"), set);
        }
    }
    c::close_all(&[fd]);
}

fn sockopt_tcp_info(t: &mut Transcript) {
    const TCP_ESTABLISHED: u8 = 1;
    const TCP_CLOSE_WAIT: u8 = 8;
    let (client, server) = c::tcp_pair();
    let state = || {
        let mut info = [0u8; 64];
        let mut size = info.len() as u32;
        // SAFETY: `size` says how much room there is.
        let result = unsafe {
            let into = info.as_mut_ptr().cast();
            libc::getsockopt(client, IPPROTO_TCP, libc::TCP_INFO, into, &mut size)
        };
        assert_eq!(result, 0, "TCP_INFO");
        info[0]
    };
    t.holds("tcpi_state is ESTABLISHED", state() == TCP_ESTABLISHED);
    c::close_all(&[server]);
    t.holds("then CLOSE_WAIT", c::eventually(|| state() == TCP_CLOSE_WAIT));
    let size = c::option_of(client, IPPROTO_TCP, libc::TCP_MAXSEG);
    t.holds("TCP_MAXSEG is plausible", (500..=65_535).contains(&size));
    c::close_all(&[client]);
}

fn sockopt_tcp_on_other_sockets(t: &mut Transcript) {
    let udp = c::udp(0);
    let [left, right] = c::socketpair(SOCK_STREAM);
    for (name, fd) in [("UDP", udp), ("a Unix socket", left)] {
        let set = c::setsockopt(fd, IPPROTO_TCP, libc::TCP_NODELAY, 1);
        t.call(format_args!("TCP_NODELAY on {name}"), set);
        let get = c::getsockopt(fd, IPPROTO_TCP, libc::TCP_NODELAY, &mut 0);
        t.call(format_args!("get it on {name}"), get);
    }
    t.call("SO_KEEPALIVE on UDP", c::setsockopt(udp, SOL_SOCKET, SO_KEEPALIVE, 1));
    let event = c::eventfd(0, 0);
    t.call("SO_TYPE of an eventfd", c::getsockopt(event, SOL_SOCKET, SO_TYPE, &mut 0));
    t.call("SO_KEEPALIVE on an eventfd", c::setsockopt(event, SOL_SOCKET, SO_KEEPALIVE, 1));
    c::close_all(&[udp, left, right, event]);
}

fn sockopt_ip(t: &mut Transcript) {
    let fd = c::udp(0);
    for (name, option, value) in [
        ("IP_TTL", libc::IP_TTL, 33),
        ("IP_TOS", libc::IP_TOS, 0x10),
        ("IP_MULTICAST_TTL", libc::IP_MULTICAST_TTL, 4),
        ("IP_MULTICAST_LOOP", libc::IP_MULTICAST_LOOP, 0),
        ("IP_RECVTOS", libc::IP_RECVTOS, 1),
        ("IP_PKTINFO", libc::IP_PKTINFO, 1),
        ("IP_MTU_DISCOVER", libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO),
    ] {
        round_trip(t, name, fd, (IPPROTO_IP, option), value);
    }
    for value in [0, 256, -2] {
        let set = c::setsockopt(fd, IPPROTO_IP, libc::IP_TTL, value);
        t.call(format_args!("IP_TTL {value}"), set);
    }
    c::close_all(&[fd]);
}

fn sockopt_ipv6(t: &mut Transcript) {
    let fd = c::must(c::socket(AF_INET6, SOCK_DGRAM, 0));
    for (name, option, value) in [
        ("IPV6_V6ONLY", libc::IPV6_V6ONLY, 1),
        ("IPV6_V6ONLY", libc::IPV6_V6ONLY, 0),
        ("IPV6_UNICAST_HOPS", libc::IPV6_UNICAST_HOPS, 9),
        ("IPV6_MULTICAST_LOOP", libc::IPV6_MULTICAST_LOOP, 0),
        ("IPV6_RECVPKTINFO", libc::IPV6_RECVPKTINFO, 1),
        ("IPV6_TCLASS", libc::IPV6_TCLASS, 16),
    ] {
        round_trip(t, name, fd, (IPPROTO_IPV6, option), value);
    }
    let four = c::udp(0);
    let set = c::setsockopt(four, IPPROTO_IPV6, libc::IPV6_V6ONLY, 1);
    t.call("IPV6_V6ONLY on an IPv4 socket", set);
    c::close_all(&[fd, four]);
}

fn sockopt_error_clears(t: &mut Transcript) {
    let nobody = c::closed_port(SOCK_STREAM);
    let fd = c::tcp(libc::SOCK_NONBLOCK);
    c::connect(fd, &nobody);
    c::await_events(fd, libc::POLLOUT);
    t.value("SO_ERROR", c::take_error(fd));
    t.value("SO_ERROR", c::take_error(fd));
    t.value("poll", c::poll_now(fd, libc::POLLOUT));
    c::close_all(&[fd]);
}

fn sockopt_read_only(t: &mut Transcript) {
    let fd = c::tcp(0);
    for (name, option) in [
        ("SO_ERROR", SO_ERROR),
        ("SO_TYPE", SO_TYPE),
        ("SO_DOMAIN", libc::SO_DOMAIN),
        ("SO_PROTOCOL", libc::SO_PROTOCOL),
        ("SO_ACCEPTCONN", libc::SO_ACCEPTCONN),
    ] {
        t.call(format_args!("set {name}"), c::setsockopt(fd, SOL_SOCKET, option, 1));
    }
    c::close_all(&[fd]);
}

fn sockopt_unknown(t: &mut Transcript) {
    let fd = c::tcp(0);
    let levels =
        [("SOL_SOCKET", SOL_SOCKET), ("IPPROTO_TCP", IPPROTO_TCP), ("IPPROTO_IP", IPPROTO_IP)];
    for (name, level) in levels {
        t.call(format_args!("set {name} 9999"), c::setsockopt(fd, level, 9999, 1));
        t.call(format_args!("get {name} 9999"), c::getsockopt(fd, level, 9999, &mut 0));
    }
    t.call("set level 9999", c::setsockopt(fd, 9999, 1, 1));
    t.call("get level 9999", c::getsockopt(fd, 9999, 1, &mut 0));
    c::close_all(&[fd]);
}

fn sockopt_sizes(t: &mut Transcript) {
    let fd = c::tcp(0);
    t.call("SO_KEEPALIVE as one byte", c::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, 1u8));
    t.call("SO_KEEPALIVE as eight bytes", c::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, 1u64));
    t.call("TCP_NODELAY as one byte", c::setsockopt(fd, IPPROTO_TCP, libc::TCP_NODELAY, 1u8));
    let mut bytes = [0xffu8; 8];
    for room in [2, 4, 8, 0] {
        let mut size = room;
        // SAFETY: `size` says how much room there is.
        let result = unsafe {
            let into = bytes.as_mut_ptr().cast();
            libc::getsockopt(fd, SOL_SOCKET, SO_TYPE, into, &mut size)
        };
        t.call(format_args!("SO_TYPE into {room} bytes"), result);
        t.value("the size then", size);
    }
    let bad = BAD_POINTER as *mut libc::c_void;
    // SAFETY: the kernel checks the pointers.
    unsafe {
        t.call("set from an unmapped int", libc::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, bad, 4));
        let mut size = 4;
        t.call("get to an unmapped int", libc::getsockopt(fd, SOL_SOCKET, SO_TYPE, bad, &mut size));
        let into = bytes.as_mut_ptr().cast();
        t.call("an unmapped size", libc::getsockopt(fd, SOL_SOCKET, SO_TYPE, into, bad.cast()));
    }
    c::close_all(&[fd]);
}

fn sockopt_type_domain_protocol(t: &mut Transcript) {
    let sockets = [
        ("IPv4 stream", c::tcp(0)),
        ("IPv4 datagram", c::udp(0)),
        ("IPv6 stream", c::must(c::socket(AF_INET6, SOCK_STREAM, 0))),
        ("Unix stream", c::must(c::socket(libc::AF_UNIX, SOCK_STREAM, 0))),
        ("Unix datagram", c::must(c::socket(libc::AF_UNIX, SOCK_DGRAM, 0))),
    ];
    for (name, fd) in sockets {
        let of = |option| c::option_of(fd, SOL_SOCKET, option);
        let (kind, domain, protocol) = (of(SO_TYPE), of(libc::SO_DOMAIN), of(libc::SO_PROTOCOL));
        t.line(format_args!("{name}: type {kind}, domain {domain}, protocol {protocol}"));
        c::close_all(&[fd]);
    }
}

fn sockopt_accepted_sockets_inherit(t: &mut Transcript) {
    let (listener, address) = c::tcp_listener(c::loopback4());
    c::setsockopt(listener, IPPROTO_TCP, libc::TCP_NODELAY, 1);
    c::setsockopt(listener, SOL_SOCKET, SO_KEEPALIVE, 1);
    c::setsockopt(listener, SOL_SOCKET, SO_LINGER, linger { l_onoff: 1, l_linger: 4 });
    c::setsockopt(listener, IPPROTO_TCP, libc::TCP_KEEPIDLE, 21);
    let client = c::tcp(0);
    c::connect(client, &address);
    let server = c::must(c::accept(listener));
    t.value("TCP_NODELAY", c::option_of(server, IPPROTO_TCP, libc::TCP_NODELAY));
    t.value("SO_KEEPALIVE", c::option_of(server, SOL_SOCKET, SO_KEEPALIVE));
    t.value("SO_LINGER", c::option_of(server, SOL_SOCKET, SO_LINGER));
    t.value("TCP_KEEPIDLE", c::option_of(server, IPPROTO_TCP, libc::TCP_KEEPIDLE));
    t.value("SO_ACCEPTCONN", c::option_of(server, SOL_SOCKET, libc::SO_ACCEPTCONN));
    c::close_all(&[listener, client, server]);
}
