//! TCP: making sockets, binding, listening, names.

use libc::{AF_INET, EPOLLIN, POLLIN, POLLOUT, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET};

use crate::Transcript;
use crate::c::{self, Addr};
use crate::tcp_connect::{name, v4};

tests![Tcp:
    tcp_listen_without_bind,
    tcp_listen_again_and_after_connect,
    tcp_bind_errors,
    tcp_bind_address_in_use,
    tcp_bind_reuseaddr,
    tcp_bind_over_time_wait,
    tcp_bind_reuseport,
    tcp_names_of_unconnected_sockets,
    tcp_name_truncated,
    tcp_wildcard_takes_loopback,
    tcp_socket_arguments,
];

fn tcp_listen_without_bind(t: &mut Transcript) {
    let listener = c::tcp(0);
    t.call("listen without bind", c::listen(listener, 1));
    name(t, "getsockname", |into| c::getsockname(listener, into));
    let client = c::tcp(0);
    let port = c::name_of(listener).inet().port();
    t.call("connect over loopback", c::connect(client, &v4([127, 0, 0, 1], port)));
    c::close_all(&[listener, client]);
}

fn tcp_listen_again_and_after_connect(t: &mut Transcript) {
    let (listener, _) = c::tcp_listener(c::loopback4());
    t.call("listen again", c::listen(listener, 5));
    t.value("SO_ACCEPTCONN", c::option_of(listener, SOL_SOCKET, libc::SO_ACCEPTCONN));
    let (client, server) = c::tcp_pair();
    t.call("listen on a connected socket", c::listen(client, 5));
    t.value("SO_ACCEPTCONN", c::option_of(client, SOL_SOCKET, libc::SO_ACCEPTCONN));
    t.call("bind a connected socket", c::bind(client, &c::loopback4()));
    c::close_all(&[listener, client, server]);
}

fn tcp_bind_errors(t: &mut Transcript) {
    let socket = c::tcp(0);
    t.call("bind to an address of no interface", c::bind(socket, &v4([203, 0, 113, 77], 0)));
    t.call("bind IPv4 to ::1", c::bind(socket, &c::loopback6()));
    let mut short = c::loopback4();
    short.len = 8;
    t.call("bind to 8 bytes", c::bind(socket, &short));
    t.call("bind", c::bind(socket, &c::loopback4()));
    name(t, "getsockname", |into| c::getsockname(socket, into));
    t.call("bind again", c::bind(socket, &c::loopback4()));
    let event = c::eventfd(0, 0);
    t.call("bind an eventfd", c::bind(event, &c::loopback4()));
    let other = c::tcp(0);
    t.call("bind to 127.1.2.3", c::bind(other, &v4([127, 1, 2, 3], 0)));
    name(t, "getsockname", |into| c::getsockname(other, into));
    c::close_all(&[socket, event, other]);
}

fn tcp_bind_address_in_use(t: &mut Transcript) {
    let (listener, address) = c::tcp_listener(c::loopback4());
    let port = address.inet().port();
    let other = c::tcp(0);
    t.call("bind where another listens", c::bind(other, &address));
    t.call("bind the wildcard to its port", c::bind(other, &v4([0, 0, 0, 0], port)));
    t.call("bind 127.0.0.2 to its port", c::bind(other, &v4([127, 0, 0, 2], port)));
    let datagram = c::udp(0);
    t.call("UDP has ports of its own", c::bind(datagram, &address));
    c::close_all(&[listener]);
    let third = c::tcp(0);
    t.call("bind after the listener closed", c::bind(third, &address));
    c::close_all(&[other, datagram, third]);
}

fn tcp_bind_reuseaddr(t: &mut Transcript) {
    let reuse = |fd| c::setsockopt(fd, SOL_SOCKET, libc::SO_REUSEADDR, 1);
    let sockets = [c::tcp(0), c::tcp(0), c::tcp(0)];
    sockets.iter().for_each(|socket| assert_eq!(reuse(*socket), 0));
    t.call("bind the first", c::bind(sockets[0], &c::loopback4()));
    let address = c::name_of(sockets[0]);
    t.call("bind the second to the same", c::bind(sockets[1], &address));
    t.call("listen on the first", c::listen(sockets[0], 1));
    t.call("listen on the second", c::listen(sockets[1], 1));
    t.call("bind the third while one listens", c::bind(sockets[2], &address));
    c::close_all(&sockets);
}

fn tcp_bind_over_time_wait(t: &mut Transcript) {
    let reuse = |fd| c::setsockopt(fd, SOL_SOCKET, libc::SO_REUSEADDR, 1);
    let listener = c::tcp(0);
    reuse(listener);
    c::bind(listener, &c::loopback4());
    c::listen(listener, 1);
    let address = c::name_of(listener);
    let client = c::tcp(0);
    c::connect(client, &address);
    let server = c::must(c::accept(listener));
    // The side that closes first keeps the connection in TIME_WAIT.
    c::close_all(&[listener, server, client]);
    let (plain, reusing) = (c::tcp(0), c::tcp(0));
    reuse(reusing);
    t.call("bind over TIME_WAIT", c::bind(plain, &address));
    t.call("bind over TIME_WAIT with SO_REUSEADDR", c::bind(reusing, &address));
    t.call("listen", c::listen(reusing, 1));
    c::close_all(&[plain, reusing]);
}

fn tcp_bind_reuseport(t: &mut Transcript) {
    let reuse = |fd| c::setsockopt(fd, SOL_SOCKET, libc::SO_REUSEPORT, 1);
    let [first, second, third] = [c::tcp(0), c::tcp(0), c::tcp(0)];
    reuse(first);
    reuse(second);
    c::bind(first, &c::loopback4());
    let address = c::name_of(first);
    t.call("listen on the first", c::listen(first, 16));
    t.call("bind the second to the same", c::bind(second, &address));
    t.call("listen on the second", c::listen(second, 16));
    t.call("bind without SO_REUSEPORT", c::bind(third, &address));
    let clients: Vec<i32> = (0..8).map(|_| c::tcp(0)).collect();
    clients.iter().for_each(|client| assert_eq!(c::connect(*client, &address), 0));
    c::set_nonblocking(first);
    c::set_nonblocking(second);
    let mut accepted = Vec::new();
    let all = c::eventually(|| {
        accepted.extend([first, second].map(c::accept).into_iter().filter(|fd| *fd >= 0));
        accepted.len() == clients.len()
    });
    t.holds("the two accept all of them", all);
    c::close_all(&accepted);
    c::close_all(&clients);
    c::close_all(&[first, second, third]);
}

fn tcp_names_of_unconnected_sockets(t: &mut Transcript) {
    let socket = c::tcp(0);
    name(t, "getsockname", |into| c::getsockname(socket, into));
    name(t, "getpeername", |into| c::getpeername(socket, into));
    t.value("poll", c::poll_now(socket, POLLIN | POLLOUT));
    let epoll = c::epoll_create();
    c::epoll_add(epoll, socket, EPOLLIN, 1);
    t.value("epoll", c::epoll_now(epoll));
    t.call("recv", c::recv(socket, &mut [0; 1], 0));
    t.call("shutdown", c::shutdown(socket, libc::SHUT_RDWR));
    // The refused shutdown marks the socket all the same.
    t.call("recv after it", c::recv(socket, &mut [0; 1], 0));
    c::close_all(&[socket, epoll]);
}

fn tcp_name_truncated(t: &mut Transcript) {
    let (listener, _) = c::tcp_listener(c::loopback4());
    let mut address = Addr::room();
    address.len = 2;
    t.call("getsockname into 2 bytes", c::getsockname(listener, &mut address));
    t.value("the length it needs", address.len);
    t.holds("the family came", address.family() == AF_INET);
    address.len = u32::MAX;
    t.call("getsockname with a negative length", c::getsockname(listener, &mut address));
    c::close_all(&[listener]);
}

fn tcp_wildcard_takes_loopback(t: &mut Transcript) {
    let (listener, address) = c::tcp_listener(v4([0, 0, 0, 0], 0));
    let port = address.inet().port();
    for ip in [[127, 0, 0, 1], [127, 0, 0, 2], [0, 0, 0, 0]] {
        let client = c::tcp(0);
        let to = v4(ip, port);
        t.call(format_args!("connect to {}", to.inet().ip()), c::connect(client, &to));
        let server = c::must(c::accept(listener));
        t.value("the server's own address", c::name_of(server).inet().ip());
        t.value("the client's own address", c::name_of(client).inet().ip());
        c::close_all(&[client, server]);
    }
    c::close_all(&[listener]);
}

fn tcp_socket_arguments(t: &mut Transcript) {
    t.call("family 9999", c::socket(9999, SOCK_STREAM, 0));
    t.call("type 7, which nobody implements", c::socket(AF_INET, 7, 0));
    t.call("type 15, which is none", c::socket(AF_INET, 15, 0));
    t.call("a stream with UDP's protocol", c::socket(AF_INET, SOCK_STREAM, libc::IPPROTO_UDP));
    t.call("datagrams with TCP's protocol", c::socket(AF_INET, SOCK_DGRAM, libc::IPPROTO_TCP));
    t.call("an unknown flag", c::socket(AF_INET, SOCK_STREAM | 0x100, 0));
    let explicit = t.ok("TCP by name", c::socket(AF_INET, SOCK_STREAM, libc::IPPROTO_TCP));
    t.value("SO_TYPE", c::option_of(explicit, SOL_SOCKET, libc::SO_TYPE));
    t.value("SO_DOMAIN", c::option_of(explicit, SOL_SOCKET, libc::SO_DOMAIN));
    t.value("SO_PROTOCOL", c::option_of(explicit, SOL_SOCKET, libc::SO_PROTOCOL));
    c::close_all(&[explicit]);
}
