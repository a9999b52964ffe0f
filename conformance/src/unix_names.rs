//! Unix sockets with names: paths, the abstract namespace, autobind.

use std::os::unix::ffi::OsStrExt;

use libc::{
    AF_UNIX, MSG_DONTWAIT, MSG_NOSIGNAL, POLLIN, POLLOUT, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM,
};

use crate::Transcript;
use crate::c::{self, Addr};
use crate::scratch::Scratch;

tests![Unix:
    unix_path_listen_and_connect,
    unix_path_stays_after_close,
    unix_path_errors,
    unix_path_unlinked_while_listening,
    unix_path_names,
    unix_abstract_names,
    unix_autobind,
    unix_datagram_by_path,
    unix_connect_errors,
    unix_connect_to_a_full_backlog,
    unix_listener_closes_before_accept,
];

fn socket(kind: i32) -> i32 {
    c::must(c::socket(AF_UNIX, kind, 0))
}

fn listening(address: &Addr) -> i32 {
    let listener = socket(SOCK_STREAM);
    assert_eq!(c::bind(listener, address), 0, "bind");
    assert_eq!(c::listen(listener, 8), 0, "listen");
    listener
}

fn unix_path_listen_and_connect(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.path("socket");
    let address = Addr::unix_path(&path);
    let listener = socket(SOCK_STREAM);
    t.call("bind", c::bind(listener, &address));
    let kind = c::stat_at(&path).st_mode & libc::S_IFMT;
    t.holds("the path is a socket", kind == libc::S_IFSOCK);
    let client = socket(SOCK_STREAM);
    t.call("connect before listen", c::connect(client, &address));
    t.call("listen", c::listen(listener, 8));
    t.call("connect", c::connect(client, &address));
    let server = t.ok("accept", c::accept(listener));
    t.call("send", c::send(client, b"hello", 0));
    t.call("recv", c::recv(server, &mut [0; 8], 0));
    c::close_all(&[listener]);
    t.call("the connection outlives the listener", c::send(server, b"x", 0));
    c::close_all(&[client, server]);
}

fn unix_path_stays_after_close(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.path("socket");
    let address = Addr::unix_path(&path);
    c::close_all(&[listening(&address)]);
    t.holds("the path is still there", path.exists());
    let client = socket(SOCK_STREAM);
    t.call("connect", c::connect(client, &address));
    t.call("bind", c::bind(client, &address));
    t.call("unlink", c::unlink(&path));
    t.call("connect", c::connect(client, &address));
    t.call("bind", c::bind(client, &address));
    c::close_all(&[client]);
}

fn unix_path_errors(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.file("file", b"");
    let fd = socket(SOCK_STREAM);
    t.call("bind to a file", c::bind(fd, &Addr::unix_path(&path)));
    t.call("connect to a file", c::connect(fd, &Addr::unix_path(&path)));
    t.call("open of a socket's path", {
        let at = scratch.path("socket");
        let other = listening(&Addr::unix_path(&at));
        c::close_all(&[other]);
        c::open(&at, libc::O_RDWR)
    });
    let absent = Addr::unix_path(&scratch.path("absent/socket"));
    t.call("bind in an absent directory", c::bind(fd, &absent));
    t.call("connect in an absent directory", c::connect(fd, &absent));
    let below = Addr::unix_path(&path.join("socket"));
    t.call("bind below a file", c::bind(fd, &below));
    t.call("bind to an IPv4 address", c::bind(fd, &c::loopback4()));
    let mut short = absent;
    short.len = 1;
    t.call("bind to 1 byte", c::bind(fd, &short));
    short.len = 120;
    t.call("bind to 120 bytes", c::bind(fd, &short));
    t.call("bind", c::bind(fd, &Addr::unix_path(&scratch.path("good"))));
    t.call("bind again", c::bind(fd, &Addr::unix_path(&scratch.path("other"))));
    c::close_all(&[fd]);
}

fn unix_path_unlinked_while_listening(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.path("socket");
    let address = Addr::unix_path(&path);
    let first = listening(&address);
    t.call("unlink", c::unlink(&path));
    let client = socket(SOCK_STREAM);
    t.call("connect", c::connect(client, &address));
    let second = listening(&address);
    t.call("another bound to the path: connect", c::connect(client, &address));
    c::set_nonblocking(first);
    t.call("accept of the first", c::accept(first));
    let server = t.ok("accept of the second", c::accept(second));
    let name = c::name_of(first).unix_name();
    t.holds("the first keeps its name", name.starts_with(path.as_os_str().as_bytes()));
    c::close_all(&[first, client, second, server]);
}

fn unix_path_names(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.path("socket");
    let listener = listening(&Addr::unix_path(&path));
    let client = socket(SOCK_STREAM);
    c::connect(client, &Addr::unix_path(&path));
    let server = c::must(c::accept(listener));
    let mut with_nul = path.as_os_str().as_bytes().to_vec();
    with_nul.push(0);
    t.holds("the listener's name is the path", c::name_of(listener).unix_name() == with_nul);
    t.holds("the server's, too", c::name_of(server).unix_name() == with_nul);
    t.value("the client has none; length", c::name_of(client).len);
    let mut peer = Addr::room();
    t.call("getpeername of the client", c::getpeername(client, &mut peer));
    t.holds("is the path", peer.unix_name() == with_nul);
    peer = Addr::room();
    t.call("getpeername of the server", c::getpeername(server, &mut peer));
    t.value("is unnamed; length", peer.len);
    t.call("getpeername of the listener", c::getpeername(listener, &mut peer));
    c::close_all(&[listener, client, server]);
}

/// A name in the abstract namespace that no other process uses.
fn private_name() -> Vec<u8> {
    format!("conformance-{}", std::process::id()).into_bytes()
}

fn unix_abstract_names(t: &mut Transcript) {
    let name = private_name();
    let address = Addr::unix_abstract(&name);
    let listener = listening(&address);
    let again = socket(SOCK_STREAM);
    t.call("bind the same name", c::bind(again, &address));
    let client = socket(SOCK_STREAM);
    t.call("connect", c::connect(client, &address));
    let mut longer = name.clone();
    longer.push(0);
    let other = socket(SOCK_STREAM);
    t.call("a NUL more is another name", c::connect(other, &Addr::unix_abstract(&longer)));
    let mut whole = vec![0];
    whole.extend(&name);
    t.holds("getsockname gives the name", c::name_of(listener).unix_name() == whole);
    c::close_all(&[listener]);
    t.call("closed, the name is gone: connect", c::connect(other, &address));
    t.call("and free: bind", c::bind(again, &address));
    c::close_all(&[again, client, other]);
}

fn unix_autobind(t: &mut Transcript) {
    let (first, second) = (socket(SOCK_STREAM), socket(SOCK_STREAM));
    t.call("bind to no name", c::bind(first, &Addr::unix(&[])));
    t.call("another", c::bind(second, &Addr::unix(&[])));
    let name = c::name_of(first).unix_name();
    t.value("length of the name", name.len());
    t.holds("it is abstract", name.first() == Some(&0));
    t.holds("five hexadecimal digits", name[1..].iter().all(u8::is_ascii_hexdigit));
    t.holds("the other's differs", c::name_of(second).unix_name() != name);
    t.call("listen", c::listen(first, 1));
    t.call("connect to it", c::connect(second, &c::name_of(first)));
    c::close_all(&[first, second]);
}

fn unix_datagram_by_path(t: &mut Transcript) {
    let scratch = Scratch::new();
    let to = Addr::unix_path(&scratch.path("receiver"));
    let from = Addr::unix_path(&scratch.path("sender"));
    let (receiver, sender) = (socket(SOCK_DGRAM), socket(SOCK_DGRAM));
    c::bind(receiver, &to);
    let mut buffer = [0; 8];
    t.call("sendto by an unnamed sender", c::sendto(sender, b"abc", 0, &to));
    let mut seen = Addr::room();
    t.call("recvfrom", c::recvfrom(receiver, &mut buffer, 0, &mut seen));
    t.value("the sender's address length", seen.len);
    c::bind(sender, &from);
    t.call("sendto by a named sender", c::sendto(sender, b"abc", 0, &to));
    seen = Addr::room();
    t.call("recvfrom", c::recvfrom(receiver, &mut buffer, 0, &mut seen));
    t.holds("the sender's name", seen.unix_name() == from.unix_name());
    t.call("answer to it", c::sendto(receiver, b"back", 0, &seen));
    t.call("recv", c::recv(sender, &mut buffer, 0));
    t.call("connect", c::connect(sender, &to));
    t.call("send", c::send(sender, b"x", 0));
    c::close_all(&[receiver]);
    t.call("the receiver closed: send", c::send(sender, b"x", MSG_NOSIGNAL));
    t.call("sendto", c::sendto(sender, b"x", 0, &to));
    c::close_all(&[sender]);
}

fn unix_connect_errors(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.path("socket");
    let listener = listening(&Addr::unix_path(&path));
    let datagram = socket(SOCK_DGRAM);
    t.call("datagrams to a stream", c::connect(datagram, &Addr::unix_path(&path)));
    let stream = socket(SOCK_STREAM);
    t.call("send unconnected", c::send(stream, b"x", MSG_NOSIGNAL));
    t.call("recv unconnected", c::recv(stream, &mut [0; 1], MSG_DONTWAIT));
    t.call("send of datagrams unconnected", c::send(datagram, b"x", MSG_NOSIGNAL));
    t.call("connect", c::connect(stream, &Addr::unix_path(&path)));
    t.call("connect again", c::connect(stream, &Addr::unix_path(&path)));
    t.call("listen when connected", c::listen(stream, 1));
    t.call("listen unbound", c::listen(datagram, 1));
    let unbound = socket(SOCK_STREAM);
    t.call("listen on a stream without a name", c::listen(unbound, 1));
    t.call("sendto with an address on a stream", {
        c::sendto(stream, b"x", MSG_NOSIGNAL, &Addr::unix_path(&path))
    });
    c::close_all(&[listener, datagram, stream, unbound]);
}

fn unix_connect_to_a_full_backlog(t: &mut Transcript) {
    let address = Addr::unix_abstract(&private_name());
    let listener = socket(SOCK_STREAM);
    c::bind(listener, &address);
    t.call("listen with backlog 1", c::listen(listener, 1));
    let clients: Vec<i32> = (0..3).map(|_| socket(SOCK_STREAM | SOCK_NONBLOCK)).collect();
    for client in &clients {
        t.call("connect", c::connect(*client, &address));
    }
    let server = t.ok("accept", c::accept(listener));
    t.call("connect of the last", c::connect(clients[2], &address));
    c::close_all(&clients);
    c::close_all(&[listener, server]);
}

fn unix_listener_closes_before_accept(t: &mut Transcript) {
    let address = Addr::unix_abstract(&private_name());
    let listener = listening(&address);
    let client = socket(SOCK_STREAM);
    t.call("connect", c::connect(client, &address));
    t.value("poll of the listener", c::poll_now(listener, POLLIN | POLLOUT));
    c::close_all(&[listener]);
    t.value("poll of the client", c::poll_now(client, POLLIN | POLLOUT));
    t.call("recv", c::recv(client, &mut [0; 1], 0));
    t.call("send", c::send(client, b"x", MSG_NOSIGNAL));
    c::close_all(&[client]);
}
