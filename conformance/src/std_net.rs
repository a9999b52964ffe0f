//! std::net and std::os::unix::net, as ordinary programs use them.

use std::io::{BufRead, BufReader, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

use crate::Transcript;
use crate::c;
use crate::scratch::Scratch;

tests![Std:
    std_net_tcp_echo,
    std_net_tcp_lines_and_clones,
    std_net_tcp_timeouts,
    std_net_tcp_connect_errors,
    std_net_tcp_options,
    std_net_tcp_nonblocking,
    std_net_tcp_many_clients,
    std_net_tcp_vectored_and_peek,
    std_net_udp,
    std_net_unix_streams,
    std_net_unix_datagrams,
    std_net_ipv6,
];

const LOCAL: &str = "127.0.0.1:0";

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(LOCAL).expect("a listener");
    let address = listener.local_addr().expect("its address");
    (listener, address)
}

fn pair() -> (TcpStream, TcpStream) {
    let (listener, address) = listener();
    let client = TcpStream::connect(address).expect("a client");
    (client, listener.accept().expect("a server").0)
}

fn std_net_tcp_echo(t: &mut Transcript) {
    let (listener, address) = listener();
    let server = thread::spawn(move || {
        let (mut stream, peer) = listener.accept()?;
        let mut buffer = Vec::new();
        stream.read_to_end(&mut buffer)?;
        stream.write_all(&buffer)?;
        Ok::<_, std::io::Error>((buffer.len(), peer))
    });
    let mut client = TcpStream::connect(address).expect("a client");
    let sent = vec![b'e'; 100_000];
    client.write_all(&sent).expect("it sends");
    t.io("shutdown", client.shutdown(Shutdown::Write));
    let mut back = Vec::new();
    t.io("read_to_end", client.read_to_end(&mut back));
    t.holds("it came back", back == sent);
    let (size, peer) = server.join().expect("it ends").expect("the server");
    t.value("the server read", size);
    t.holds("the peer was us", Some(peer) == client.local_addr().ok());
}

fn std_net_tcp_lines_and_clones(t: &mut Transcript) {
    let (client, server) = pair();
    let reader = thread::spawn(move || {
        BufReader::new(server).lines().map(|line| line.expect("a line")).collect::<Vec<_>>()
    });
    let mut clone = client.try_clone().expect("a clone");
    writeln!(&client, "first").expect("it sends");
    writeln!(clone, "second").expect("it sends");
    drop(client);
    write!(clone, "no newline").expect("it sends");
    drop(clone);
    t.value("lines", reader.join().expect("it ends").join(", "));
}

fn std_net_tcp_timeouts(t: &mut Transcript) {
    let (mut client, _server) = pair();
    t.io("a timeout of 15 ms", client.set_read_timeout(Some(Duration::from_millis(15))));
    t.holds("it is kept, or rounded up", {
        client.read_timeout().expect("it").is_some_and(|time| time >= Duration::from_millis(15))
    });
    let error = client.read(&mut [0; 1]).expect_err("nothing comes");
    t.value("read", format_args!("{:?}", error.kind()));
    t.io("a timeout of zero", client.set_read_timeout(Some(Duration::ZERO)));
    t.io("none", client.set_read_timeout(None));
    t.holds("none is kept", client.read_timeout().expect("it").is_none());
}

fn std_net_tcp_connect_errors(t: &mut Transcript) {
    let (listener, address) = listener();
    drop(listener);
    t.io("connect to nobody", TcpStream::connect(address));
    let timeout = Duration::from_secs(5);
    t.io("connect_timeout to nobody", TcpStream::connect_timeout(&address, timeout));
    t.io("connect_timeout of zero", TcpStream::connect_timeout(&address, Duration::ZERO));
    let (listener, address) = self::listener();
    t.io("connect_timeout", TcpStream::connect_timeout(&address, timeout));
    t.io("several addresses, the last is right", {
        let nobody = c::closed_port(libc::SOCK_STREAM).inet();
        TcpStream::connect(&[nobody, address][..])
    });
    t.io("bind where another listens", TcpListener::bind(address));
    drop(listener);
}

fn std_net_tcp_options(t: &mut Transcript) {
    let (client, _server) = pair();
    t.io("set_nodelay", client.set_nodelay(true));
    t.value("nodelay", client.nodelay().expect("it"));
    t.io("set_ttl", client.set_ttl(42));
    t.value("ttl", client.ttl().expect("it"));
    t.value("pending error", client.take_error().expect("it").is_some());
    t.io("peer_addr", client.peer_addr());
    t.io("shutdown", client.shutdown(Shutdown::Both));
}

fn std_net_tcp_nonblocking(t: &mut Transcript) {
    let (listener, address) = listener();
    t.io("set_nonblocking", listener.set_nonblocking(true));
    let error = listener.accept().expect_err("nobody is there");
    t.value("accept", format_args!("{:?}", error.kind()));
    let mut client = TcpStream::connect(address).expect("a client");
    client.set_nonblocking(true).expect("it can");
    let error = client.read(&mut [0; 1]).expect_err("nothing is there");
    t.value("read", format_args!("{:?}", error.kind()));
    let mut written = 0;
    let error = loop {
        match client.write(&[0; 65536]) {
            Ok(count) => written += count,
            Err(error) => break error,
        }
    };
    t.holds("write until it is full", written > 0 && error.kind() == ErrorKind::WouldBlock);
}

fn std_net_tcp_many_clients(t: &mut Transcript) {
    let (listener, address) = listener();
    let server = thread::spawn(move || {
        let mut total = 0u32;
        for stream in listener.incoming().take(20) {
            let mut byte = [0];
            stream.expect("a stream").read_exact(&mut byte).expect("a byte");
            total += u32::from(byte[0]);
        }
        total
    });
    let clients: Vec<_> = (1..=20u8)
        .map(|number| {
            thread::spawn(move || {
                TcpStream::connect(address)
                    .expect("a client")
                    .write_all(&[number])
                    .expect("it sends");
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().expect("it ends"));
    t.value("sum over 20 clients", server.join().expect("it ends"));
}

fn std_net_tcp_vectored_and_peek(t: &mut Transcript) {
    let (mut client, server) = pair();
    let pieces = [IoSlice::new(b"one "), IoSlice::new(b"two")];
    t.value("write_vectored", client.write_vectored(&pieces).expect("it sends"));
    let mut buffer = [0; 16];
    c::await_readable({
        use std::os::fd::AsRawFd;
        server.as_raw_fd()
    });
    t.value("peek", server.peek(&mut buffer).expect("it peeks"));
    t.value("read", (&server).read(&mut buffer).expect("it reads"));
    t.bytes("read", &buffer[..7]);
    let mut exact = [0; 4];
    drop(client);
    let error = (&server).read_exact(&mut exact).expect_err("the end");
    t.value("read_exact at the end", format_args!("{:?}", error.kind()));
}

fn std_net_udp(t: &mut Transcript) {
    let one = UdpSocket::bind(LOCAL).expect("a socket");
    let two = UdpSocket::bind(LOCAL).expect("a socket");
    let (first, second) = (one.local_addr().expect("it"), two.local_addr().expect("it"));
    t.value("send_to", one.send_to(b"ping", second).expect("it sends"));
    let mut buffer = [0; 8];
    let (count, from) = two.recv_from(&mut buffer).expect("it receives");
    t.bytes("recv_from", &buffer[..count]);
    t.holds("from the first", from == first);
    t.io("connect", two.connect(first));
    t.value("send", two.send(b"pong").expect("it sends"));
    t.value("recv", one.recv(&mut buffer).expect("it receives"));
    t.io("a timeout of 10 ms", one.set_read_timeout(Some(Duration::from_millis(10))));
    let error = one.recv(&mut buffer).expect_err("nothing comes");
    t.value("recv", format_args!("{:?}", error.kind()));
    t.io("send unconnected", one.send(b"x"));
    t.io("set_broadcast", one.set_broadcast(true));
    t.value("broadcast", one.broadcast().expect("it"));
}

fn std_net_unix_streams(t: &mut Transcript) {
    let scratch = Scratch::new();
    let path = scratch.path("socket");
    let listener = UnixListener::bind(&path).expect("a listener");
    let server = thread::spawn(move || {
        let (mut stream, peer) = listener.accept().expect("a client");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("a text");
        (text, peer.is_unnamed())
    });
    let mut client = UnixStream::connect(&path).expect("a client");
    client.write_all(b"over a path").expect("it sends");
    let peer = client.peer_addr().expect("it");
    t.holds("the peer's name is the path", peer.as_pathname() == Some(&path));
    drop(client);
    let (text, unnamed) = server.join().expect("it ends");
    t.value("received", text);
    t.holds("the client has no name", unnamed);
    t.io("bind again", UnixListener::bind(&path));
    t.io("connect to nobody", UnixStream::connect(&path));
    t.io("connect to what is absent", UnixStream::connect(scratch.path("absent")));
    let (mut left, mut right) = UnixStream::pair().expect("a pair");
    left.write_all(b"pair").expect("it sends");
    let mut buffer = [0; 4];
    t.io("read_exact", right.read_exact(&mut buffer));
}

fn std_net_unix_datagrams(t: &mut Transcript) {
    let scratch = Scratch::new();
    let (one, two) = (scratch.path("one"), scratch.path("two"));
    let first = UnixDatagram::bind(&one).expect("a socket");
    let second = UnixDatagram::bind(&two).expect("a socket");
    t.value("send_to", first.send_to(b"hello", &two).expect("it sends"));
    let mut buffer = [0; 8];
    let (count, from) = second.recv_from(&mut buffer).expect("it receives");
    t.value("recv_from", count);
    t.holds("from the first", from.as_pathname() == Some(&one));
    let unbound = UnixDatagram::unbound().expect("a socket");
    t.io("send_to what is absent", unbound.send_to(b"x", scratch.path("absent")));
    t.io("connect", unbound.connect(&one));
    t.value("send", unbound.send(b"abc").expect("it sends"));
    t.value("recv", first.recv(&mut buffer).expect("it receives"));
}

fn std_net_ipv6(t: &mut Transcript) {
    let listener = TcpListener::bind("[::1]:0").expect("a listener");
    let address = listener.local_addr().expect("its address");
    let mut client = TcpStream::connect(address).expect("a client");
    let (mut server, peer) = listener.accept().expect("a server");
    t.value("the peer's address", peer.ip());
    client.write_all(b"six").expect("it sends");
    let mut buffer = [0; 3];
    t.io("read_exact", server.read_exact(&mut buffer));
    t.bytes("read", &buffer);
    let any = TcpListener::bind("[::]:0").expect("a listener");
    let port = any.local_addr().expect("its address").port();
    t.io("IPv4 to ::", TcpStream::connect(("127.0.0.1", port)));
}
