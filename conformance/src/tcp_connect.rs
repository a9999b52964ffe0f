//! TCP: binding, listening, connecting, accepting, names.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use libc::{
    AF_INET6, F_GETFD, F_GETFL, O_NONBLOCK, POLLIN, POLLOUT, SOCK_CLOEXEC, SOCK_NONBLOCK,
    SOCK_STREAM,
};

use crate::Transcript;
use crate::c::{self, Addr, BAD_POINTER};

tests![Tcp:
    tcp_connect_and_accept,
    tcp_connect_refused,
    tcp_connect_nonblocking,
    tcp_connect_nonblocking_refused,
    tcp_connect_to_a_full_backlog,
    tcp_connect_twice,
    tcp_connect_wrong_family_and_length,
    tcp_connect_a_listener,
    tcp_connect_to_own_port,
    tcp_connect_before_accept_carries_data,
    tcp_accept_nonblocking_and_flags,
    tcp_accept_errors,
    tcp_accept_gives_the_peer,
    tcp_accept_blocks_until_connect,
    tcp_accept_order,
    tcp_backlog_of_a_closed_listener,
    tcp_closed_listener_leaves_connections,
    tcp6_connect_and_names,
    tcp6_dual_stack_accepts_mapped,
    tcp6_v6only_refuses_v4,
];

/// An IPv4 address and port.
pub(crate) fn v4(ip: [u8; 4], port: u16) -> Addr {
    SocketAddr::from((Ipv4Addr::from(ip), port)).into()
}

fn wildcard6() -> Addr {
    SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into()
}

/// Writes down the result of a getsockname or getpeername call, with the
/// port's value replaced by whether it is zero.
pub(crate) fn name(t: &mut Transcript, what: &str, call: impl Fn(&mut Addr) -> i32) {
    let mut address = Addr::room();
    if t.call(what, call(&mut address)) == 0 {
        let inet = address.inet();
        let port = if inet.port() == 0 { "0" } else { "a port" };
        t.line(format_args!("  {}, {port}, {} bytes", inet.ip(), address.len));
    }
}

fn tcp_connect_and_accept(t: &mut Transcript) {
    let (listener, address) = c::tcp_listener(c::loopback4());
    let client = c::tcp(0);
    t.call("connect", c::connect(client, &address));
    let server = t.ok("accept", c::accept(listener));
    let mut peer = Addr::room();
    t.call("getpeername of the client", c::getpeername(client, &mut peer));
    t.holds("it is the listener's address", peer.inet() == address.inet());
    t.holds("the server's name is, too", c::name_of(server).inet() == address.inet());
    t.call("getpeername of the server", c::getpeername(server, &mut peer));
    t.holds("it is the client's name", peer.inet() == c::name_of(client).inet());
    c::close_all(&[listener, client, server]);
}

fn tcp_connect_refused(t: &mut Transcript) {
    let nobody = c::closed_port(SOCK_STREAM);
    let socket = c::tcp(0);
    t.call("connect to a closed port", c::connect(socket, &nobody));
    t.value("SO_ERROR", c::take_error(socket));
    t.call("send", c::send(socket, b"x", libc::MSG_NOSIGNAL));
    t.call("recv", c::recv(socket, &mut [0; 1], 0));
    t.call("connect again", c::connect(socket, &nobody));
    let (listener, address) = c::tcp_listener(c::loopback4());
    t.call("connect to a listener with the same socket", c::connect(socket, &address));
    c::close_all(&[socket, listener]);
}

fn tcp_connect_nonblocking(t: &mut Transcript) {
    let (listener, address) = c::tcp_listener(c::loopback4());
    let client = c::tcp(SOCK_NONBLOCK);
    // Over loopback the handshake may be over before connect returns, but
    // Linux answers EINPROGRESS all the same.
    t.call("connect", c::connect(client, &address));
    c::await_events(client, POLLOUT);
    t.value("then poll says", c::poll_now(client, POLLIN | POLLOUT));
    t.value("SO_ERROR", c::take_error(client));
    t.call("connect again", c::connect(client, &address));
    t.call("and again", c::connect(client, &address));
    c::close_all(&[client, listener]);
}

fn tcp_connect_nonblocking_refused(t: &mut Transcript) {
    let nobody = c::closed_port(SOCK_STREAM);
    let client = c::tcp(SOCK_NONBLOCK);
    t.call("connect", c::connect(client, &nobody));
    c::await_events(client, POLLOUT);
    t.value("then poll says", c::poll_now(client, POLLIN | POLLOUT | libc::POLLRDHUP));
    t.value("SO_ERROR", c::take_error(client));
    t.value("SO_ERROR once more", c::take_error(client));
    let again = c::tcp(SOCK_NONBLOCK);
    c::connect(again, &nobody);
    c::await_events(again, POLLOUT);
    t.call("without SO_ERROR, connect says", c::connect(again, &nobody));
    c::close_all(&[client, again]);
}

fn tcp_connect_to_a_full_backlog(t: &mut Transcript) {
    let listener = c::tcp(0);
    c::bind(listener, &c::loopback4());
    let address = c::name_of(listener);
    // Linux queues one connection more than the backlog says.
    t.call("listen with backlog 0", c::listen(listener, 0));
    let first = c::tcp(0);
    t.call("the first connect", c::connect(first, &address));
    let second = c::tcp(SOCK_NONBLOCK);
    t.call("the second", c::connect(second, &address));
    t.value("poll for 15 ms", c::poll_one(second, POLLIN | POLLOUT, 15));
    t.call("connect once more", c::connect(second, &address));
    t.call("send", c::send(second, b"x", libc::MSG_NOSIGNAL));
    t.call("recv", c::recv(second, &mut [0; 1], 0));
    name(t, "getpeername", |into| c::getpeername(second, into));
    let server = t.ok("accept", c::accept(listener));
    // The SYN is sent again after a second.
    c::await_events(second, POLLOUT);
    t.value("SO_ERROR", c::take_error(second));
    let other = t.ok("accept", c::accept(listener));
    c::close_all(&[listener, first, second, server, other]);
}

fn tcp_connect_twice(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    let (listener, address) = c::tcp_listener(c::loopback4());
    t.call("connect of a connected socket", c::connect(client, &address));
    t.call("connect of an accepted socket", c::connect(server, &address));
    c::close_all(&[server]);
    t.call("after the peer closed", c::connect(client, &address));
    c::close_all(&[client, listener]);
}

fn tcp_connect_wrong_family_and_length(t: &mut Transcript) {
    let (listener, address) = c::tcp_listener(c::loopback4());
    let socket = c::tcp(0);
    t.call("an IPv4 socket to ::1", c::connect(socket, &c::loopback6()));
    let mut short = address;
    short.len = 8;
    t.call("an address of 8 bytes", c::connect(socket, &short));
    short.len = 1;
    t.call("an address of 1 byte", c::connect(socket, &short));
    // SAFETY: the kernel checks the pointer.
    let result = unsafe { libc::connect(socket, BAD_POINTER as *const _, 16) };
    t.call("an unmapped address", result);
    let six = c::must(c::socket(AF_INET6, SOCK_STREAM, 0));
    let mut short = c::loopback6();
    short.len = 20;
    t.call("an IPv6 address of 20 bytes", c::connect(six, &short));
    t.call("port 0", c::connect(socket, &c::loopback4()));
    t.call("then to the listener", c::connect(socket, &address));
    c::close_all(&[listener, socket, six]);
}

fn tcp_connect_a_listener(t: &mut Transcript) {
    let (listener, address) = c::tcp_listener(c::loopback4());
    t.call("connect of a listener to itself", c::connect(listener, &address));
    t.call("send on a listener", c::send(listener, b"x", libc::MSG_NOSIGNAL));
    t.call("recv on a listener", c::recv(listener, &mut [0; 1], 0));
    name(t, "getpeername of a listener", |into| c::getpeername(listener, into));
    c::close_all(&[listener]);
}

fn tcp_connect_to_own_port(t: &mut Transcript) {
    let socket = c::tcp(0);
    c::bind(socket, &c::loopback4());
    let own = c::name_of(socket);
    // A simultaneous open with itself: RFC 9293, 3.5.
    t.call("connect to the own port", c::connect(socket, &own));
    t.call("send", c::send(socket, b"me", 0));
    let mut buffer = [0; 4];
    t.call("recv", c::recv(socket, &mut buffer, 0));
    t.bytes("received", &buffer[..2]);
    c::close_all(&[socket]);
}

fn tcp_connect_before_accept_carries_data(t: &mut Transcript) {
    let (listener, address) = c::tcp_listener(c::loopback4());
    let client = c::tcp(0);
    t.call("connect", c::connect(client, &address));
    t.call("send before accept", c::send(client, b"early", 0));
    t.call("shutdown before accept", c::shutdown(client, libc::SHUT_WR));
    let server = t.ok("accept", c::accept(listener));
    let mut buffer = [0; 8];
    t.call("recv", c::recv(server, &mut buffer, libc::MSG_WAITALL));
    t.call("recv again", c::recv(server, &mut buffer, 0));
    c::close_all(&[listener, client, server]);
}

fn tcp_accept_nonblocking_and_flags(t: &mut Transcript) {
    let (listener, address) = c::tcp_listener(c::loopback4());
    c::set_nonblocking(listener);
    t.call("accept with nobody there", c::accept(listener));
    t.value("poll", c::poll_now(listener, POLLIN | POLLOUT));
    let clients = [c::tcp(0), c::tcp(0)];
    clients.iter().for_each(|client| assert_eq!(c::connect(*client, &address), 0));
    c::await_readable(listener);
    let plain = t.ok("accept", c::accept(listener));
    let flags = c::fcntl(plain, F_GETFL, 0);
    t.holds("O_NONBLOCK is not inherited", flags & O_NONBLOCK == 0);
    t.call("F_GETFD", c::fcntl(plain, F_GETFD, 0));
    c::await_readable(listener);
    let flagged = t.ok("accept4", c::accept4(listener, SOCK_NONBLOCK | SOCK_CLOEXEC));
    t.holds("O_NONBLOCK is set", c::fcntl(flagged, F_GETFL, 0) & O_NONBLOCK != 0);
    t.call("F_GETFD", c::fcntl(flagged, F_GETFD, 0));
    t.call("accept4 with unknown flags", c::accept4(listener, 1));
    c::close_all(&[listener, clients[0], clients[1], plain, flagged]);
}

fn tcp_accept_errors(t: &mut Transcript) {
    let bound = c::tcp(0);
    c::bind(bound, &c::loopback4());
    t.call("accept on a socket that does not listen", c::accept(bound));
    let datagram = c::udp(0);
    t.call("accept on UDP", c::accept(datagram));
    t.call("listen on UDP", c::listen(datagram, 1));
    let event = c::eventfd(0, 0);
    t.call("accept on an eventfd", c::accept(event));
    let (client, server) = c::tcp_pair();
    t.call("accept on a connected socket", c::accept(client));
    c::close_all(&[bound, datagram, event, client, server]);
}

fn tcp_accept_gives_the_peer(t: &mut Transcript) {
    let (listener, address) = c::tcp_listener(c::loopback4());
    let client = c::tcp(0);
    c::connect(client, &address);
    let mut peer = Addr::room();
    // SAFETY: `len` says how much room there is.
    let server = unsafe { libc::accept(listener, peer.as_mut_ptr(), &mut peer.len) };
    t.ok("accept", server);
    t.value("address length", peer.len);
    t.holds("it is the client's", peer.inet() == c::name_of(client).inet());
    c::close_all(&[listener, client, server]);
}

fn tcp_accept_blocks_until_connect(t: &mut Transcript) {
    let (listener, address) = c::tcp_listener(c::loopback4());
    thread::scope(|scope| {
        let connecting = scope.spawn(move || {
            thread::sleep(Duration::from_millis(15));
            let client = c::tcp(0);
            (client, c::connect(client, &address))
        });
        let server = t.ok("accept", c::accept(listener));
        let (client, result) = connecting.join().expect("the client");
        t.value("connect", result);
        c::close_all(&[server, client]);
    });
    c::close_all(&[listener]);
}

fn tcp_accept_order(t: &mut Transcript) {
    let (listener, address) = c::tcp_listener(c::loopback4());
    let clients: Vec<i32> = (0..4)
        .map(|number: u8| {
            let client = c::tcp(0);
            assert_eq!(c::connect(client, &address), 0);
            c::send(client, &[b'a' + number], 0);
            client
        })
        .collect();
    let mut order = Vec::new();
    for _ in &clients {
        let server = c::must(c::accept(listener));
        let mut byte = [0];
        c::recv(server, &mut byte, 0);
        order.push(byte[0]);
        c::close_all(&[server]);
    }
    t.bytes("accepted in the order of connecting", &order);
    c::close_all(&clients);
    c::close_all(&[listener]);
}

fn tcp_backlog_of_a_closed_listener(t: &mut Transcript) {
    let (listener, address) = c::tcp_listener(c::loopback4());
    let client = c::tcp(0);
    t.call("connect", c::connect(client, &address));
    c::close_all(&[listener]);
    c::await_events(client, POLLIN);
    t.value("the listener closes: poll", c::poll_now(client, POLLIN | libc::POLLRDHUP));
    t.call("recv", c::recv(client, &mut [0; 1], 0));
    c::close_all(&[client]);
}

fn tcp_closed_listener_leaves_connections(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    t.call("send", c::send(client, b"still", 0));
    let mut buffer = [0; 8];
    t.call("recv", c::recv(server, &mut buffer, 0));
    let other = c::tcp(0);
    t.call("connect to where the listener was", c::connect(other, &c::name_of(server)));
    c::close_all(&[client, server, other]);
}

fn tcp6_connect_and_names(t: &mut Transcript) {
    let (listener, address) = c::tcp_listener(c::loopback6());
    let client = c::must(c::socket(AF_INET6, SOCK_STREAM, 0));
    t.call("connect to ::1", c::connect(client, &address));
    let server = t.ok("accept", c::accept(listener));
    name(t, "getpeername", |into| c::getpeername(server, into));
    t.call("send", c::send(client, b"six", 0));
    let mut buffer = [0; 8];
    t.call("recv", c::recv(server, &mut buffer, 0));
    let four = c::must(c::socket(AF_INET6, SOCK_STREAM, 0));
    t.call("an IPv6 socket to an IPv4 address", c::connect(four, &v4([127, 0, 0, 1], 9)));
    c::close_all(&[listener, client, server, four]);
}

fn tcp6_dual_stack_accepts_mapped(t: &mut Transcript) {
    let listener = c::must(c::socket(AF_INET6, SOCK_STREAM, 0));
    c::setsockopt(listener, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 0);
    t.call("bind to ::", c::bind(listener, &wildcard6()));
    t.call("listen", c::listen(listener, 4));
    let port = c::name_of(listener).inet().port();
    let client = c::tcp(0);
    t.call("IPv4 connect", c::connect(client, &v4([127, 0, 0, 1], port)));
    let server = c::must(c::accept(listener));
    name(t, "getpeername", |into| c::getpeername(server, into));
    name(t, "getsockname", |into| c::getsockname(server, into));
    let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
    let six = c::must(c::socket(AF_INET6, SOCK_STREAM, 0));
    let to: Addr = SocketAddr::from((mapped, port)).into();
    t.call("IPv6 connect to ::ffff:127.0.0.1", c::connect(six, &to));
    name(t, "getsockname", |into| c::getsockname(six, into));
    let other = c::tcp(0);
    t.call("bind IPv4 to the port", c::bind(other, &v4([127, 0, 0, 1], port)));
    c::close_all(&[listener, client, server, six, other]);
}

fn tcp6_v6only_refuses_v4(t: &mut Transcript) {
    let v6only = |fd, value| c::setsockopt(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, value);
    let listen = || {
        let listener = c::must(c::socket(AF_INET6, SOCK_STREAM, 0));
        assert_eq!(v6only(listener, 1), 0, "IPV6_V6ONLY");
        c::bind(listener, &wildcard6());
        c::listen(listener, 4);
        (listener, c::name_of(listener).inet().port())
    };
    let (listener, port) = listen();
    let client = c::tcp(0);
    t.call("IPv4 connect", c::connect(client, &v4([127, 0, 0, 1], port)));
    t.call("IPV6_V6ONLY after bind", v6only(listener, 0));
    // Of a port that is ours over IPv6 only, an old connection of somebody's
    // may still hold the IPv4 side, so try several.
    let shared = (0..20).any(|_| {
        let (six, port) = listen();
        let four = c::tcp(0);
        let bound = c::bind(four, &v4([127, 0, 0, 1], port)) == 0;
        c::close_all(&[six, four]);
        bound
    });
    t.holds("IPv4 can bind the same port", shared);
    c::close_all(&[listener, client]);
}
