//! UDP.

use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ptr::null_mut;
use std::thread;
use std::time::Duration;

use libc::{
    AF_INET6, EPOLLET, EPOLLIN, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_PEEK, MSG_TRUNC, MSG_WAITALL,
    POLLIN, POLLOUT, SOCK_DGRAM, SOL_SOCKET, mmsghdr, msghdr,
};

use crate::Transcript;
use crate::c::{self, Addr};

tests![Udp:
    udp_datagrams_keep_their_bounds,
    udp_recvfrom_gives_the_sender,
    udp_connect_sets_the_peer,
    udp_connected_socket_filters,
    udp_connect_queued_before_stays,
    udp_disconnect,
    udp_refused_after_connect,
    udp_refused_is_not_for_unconnected,
    udp_truncation,
    udp_zero_length,
    udp_too_long,
    udp_send_without_destination,
    udp_broadcast_needs_permission,
    udp_autobind,
    udp_bind_conflicts,
    udp_peek_and_dontwait,
    udp_shutdown,
    udp_poll_and_fionread,
    udp_epoll_edge_per_datagram,
    udp_many_messages_at_once,
    udp_message_header_name,
    udp_receive_buffer_overflows_silently,
    udp_blocked_receiver_wakes,
    udp6_and_mapped,
    udp_packet_information,
];

fn await_all(sockets: &[i32]) {
    sockets.iter().for_each(|socket| c::await_readable(*socket));
}

fn udp_datagrams_keep_their_bounds(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let sender = c::udp(0);
    t.call("sendto 3", c::sendto(sender, b"abc", 0, &to));
    t.call("sendto 2", c::sendto(sender, b"de", 0, &to));
    let mut buffer = [0; 8];
    for _ in 0..2 {
        let count = t.call("recv of 8", c::recv(receiver, &mut buffer, MSG_WAITALL));
        t.bytes("received", &buffer[..count as usize]);
    }
    t.call("recv of none", c::recv(receiver, &mut buffer, MSG_DONTWAIT));
    c::close_all(&[receiver, sender]);
}

fn udp_recvfrom_gives_the_sender(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let (sender, from) = c::udp_bound();
    c::sendto(sender, b"hi", 0, &to);
    let mut seen = Addr::room();
    let mut buffer = [0; 8];
    t.call("recvfrom", c::recvfrom(receiver, &mut buffer, 0, &mut seen));
    t.holds("from the sender's address", seen.inet() == from.inet());
    t.value("its length", seen.len);
    t.call("answer to it", c::sendto(receiver, b"hello", 0, &seen));
    t.call("recvfrom", c::recvfrom(sender, &mut buffer, 0, &mut seen));
    t.holds("from the receiver's address", seen.inet() == to.inet());
    c::close_all(&[receiver, sender]);
}

fn udp_connect_sets_the_peer(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let sender = c::udp(0);
    let mut peer = Addr::room();
    t.call("getpeername before", c::getpeername(sender, &mut peer));
    t.call("connect", c::connect(sender, &to));
    t.call("getpeername", c::getpeername(sender, &mut peer));
    t.holds("it is the receiver", peer.inet() == to.inet());
    t.value("the own address", c::name_of(sender).inet().ip());
    t.call("send", c::send(sender, b"abc", 0));
    t.call("write", c::write(sender, b"de"));
    let (other, elsewhere) = c::udp_bound();
    t.call("sendto another all the same", c::sendto(sender, b"f", 0, &elsewhere));
    await_all(&[receiver, other]);
    t.value("the other has", c::readable_bytes(other));
    t.call("connect again, to the other", c::connect(sender, &elsewhere));
    t.call("getpeername", c::getpeername(sender, &mut peer));
    t.holds("it is the other", peer.inet() == elsewhere.inet());
    c::close_all(&[receiver, sender, other]);
}

fn udp_connected_socket_filters(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let (friend, friends) = c::udp_bound();
    let (stranger, _) = c::udp_bound();
    t.call("connect to the friend", c::connect(receiver, &friends));
    t.call("the stranger sends", c::sendto(stranger, b"strange", 0, &to));
    t.call("the friend sends", c::sendto(friend, b"friendly", 0, &to));
    let mut buffer = [0; 16];
    t.call("recv", c::recv(receiver, &mut buffer, 0));
    t.bytes("received", &buffer[..8]);
    t.call("recv of none", c::recv(receiver, &mut buffer, MSG_DONTWAIT));
    c::close_all(&[receiver, friend, stranger]);
}

fn udp_connect_queued_before_stays(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let (stranger, _) = c::udp_bound();
    let (friend, friends) = c::udp_bound();
    c::sendto(stranger, b"early", 0, &to);
    await_all(&[receiver]);
    c::connect(receiver, &friends);
    t.call("recv of what was queued before connect", c::recv(receiver, &mut [0; 8], MSG_DONTWAIT));
    c::close_all(&[receiver, stranger, friend]);
}

fn udp_disconnect(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let sender = c::udp(0);
    c::connect(sender, &to);
    t.call("connect to AF_UNSPEC", c::connect(sender, &Addr::unspecified()));
    let mut peer = Addr::room();
    t.call("getpeername", c::getpeername(sender, &mut peer));
    t.call("send", c::send(sender, b"x", 0));
    t.call("sendto", c::sendto(sender, b"x", 0, &to));
    t.call("disconnect once more", c::connect(sender, &Addr::unspecified()));
    c::close_all(&[receiver, sender]);
}

fn udp_refused_after_connect(t: &mut Transcript) {
    let nobody = c::closed_port(SOCK_DGRAM);
    let socket = c::udp(0);
    c::connect(socket, &nobody);
    t.call("the first send", c::send(socket, b"x", 0));
    c::await_events(socket, libc::POLLERR);
    t.value("poll", c::poll_now(socket, POLLIN | POLLOUT));
    t.call("recv", c::recv(socket, &mut [0; 1], MSG_DONTWAIT));
    t.call("recv again", c::recv(socket, &mut [0; 1], MSG_DONTWAIT));
    c::send(socket, b"x", 0);
    c::await_events(socket, libc::POLLERR);
    t.call("the send after a refused one", c::send(socket, b"x", 0));
    t.call("the send after that", c::send(socket, b"x", 0));
    c::await_events(socket, libc::POLLERR);
    t.value("SO_ERROR", c::take_error(socket));
    t.value("SO_ERROR again", c::take_error(socket));
    c::close_all(&[socket]);
}

fn udp_refused_is_not_for_unconnected(t: &mut Transcript) {
    let nobody = c::closed_port(SOCK_DGRAM);
    let socket = c::udp(0);
    t.call("sendto nobody", c::sendto(socket, b"x", 0, &nobody));
    t.value("poll for 10 ms", c::poll_one(socket, POLLIN, 10));
    t.call("sendto again", c::sendto(socket, b"x", 0, &nobody));
    t.value("SO_ERROR", c::take_error(socket));
    c::close_all(&[socket]);
}

fn udp_truncation(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let sender = c::udp(0);
    for _ in 0..3 {
        c::sendto(sender, b"abcdefgh", 0, &to);
    }
    let mut buffer = [0; 4];
    t.call("recv of 4 of 8", c::recv(receiver, &mut buffer, 0));
    t.call("recv of 4 of 8 with MSG_TRUNC", c::recv(receiver, &mut buffer, MSG_TRUNC));
    t.bytes("received", &buffer);
    let mut pieces = c::iovecs([&mut buffer]);
    // SAFETY: a header of zeroes has no name, pieces or control data.
    let mut header: msghdr = unsafe { zeroed() };
    header.msg_iov = pieces.as_mut_ptr();
    header.msg_iovlen = 1;
    // SAFETY: the piece outlives the call.
    t.call("recvmsg of 4 of 8", unsafe { libc::recvmsg(receiver, &mut header, 0) });
    t.holds("msg_flags has MSG_TRUNC", header.msg_flags & MSG_TRUNC != 0);
    c::close_all(&[receiver, sender]);
}

fn udp_zero_length(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let sender = c::udp(0);
    t.call("sendto of nothing", c::sendto(sender, b"", 0, &to));
    c::await_readable(receiver);
    t.value("FIONREAD", c::readable_bytes(receiver));
    let mut from = Addr::room();
    t.call("recvfrom", c::recvfrom(receiver, &mut [0; 4], 0, &mut from));
    t.value("from", from.inet().ip());
    c::sendto(sender, b"dropped", 0, &to);
    t.call("recv into nothing", c::recv(receiver, &mut [], 0));
    t.call("recv", c::recv(receiver, &mut [0; 4], MSG_DONTWAIT));
    c::connect(sender, &to);
    t.call("write of nothing", c::write(sender, b""));
    t.call("read", c::read(receiver, &mut [0; 4]));
    c::close_all(&[receiver, sender]);
}

fn udp_too_long(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let sender = c::udp(0);
    let bytes = vec![1; 70_000];
    t.call("sendto of 65,507", c::sendto(sender, &bytes[..65_507], 0, &to));
    t.call("recv", c::recv(receiver, &mut vec![0; 70_000], 0));
    t.call("sendto of 65,508", c::sendto(sender, &bytes[..65_508], 0, &to));
    t.call("sendto of 70,000", c::sendto(sender, &bytes, 0, &to));
    c::close_all(&[receiver, sender]);
}

fn udp_send_without_destination(t: &mut Transcript) {
    let socket = c::udp(0);
    t.call("send", c::send(socket, b"x", 0));
    t.call("write", c::write(socket, b"x"));
    t.call("sendto port 0", c::sendto(socket, b"x", 0, &c::loopback4()));
    t.call("sendto ::1 over IPv4", c::sendto(socket, b"x", 0, &c::loopback6()));
    let mut short = c::loopback4();
    short.len = 4;
    t.call("sendto 4 bytes of address", c::sendto(socket, b"x", 0, &short));
    t.call("recv, nonblocking", c::recv(socket, &mut [0; 1], MSG_DONTWAIT));
    c::close_all(&[socket]);
}

fn udp_broadcast_needs_permission(t: &mut Transcript) {
    let socket = c::udp(0);
    // The broadcast address of 127.0.0.0/8 leads to the loopback device only.
    let to: Addr = SocketAddr::from((Ipv4Addr::new(127, 255, 255, 255), 9)).into();
    t.call("sendto a broadcast address", c::sendto(socket, b"x", 0, &to));
    t.call("connect to it", c::connect(socket, &to));
    let allow = c::setsockopt(socket, SOL_SOCKET, libc::SO_BROADCAST, 1);
    t.call("SO_BROADCAST 1", allow);
    t.call("sendto a broadcast address", c::sendto(socket, b"x", 0, &to));
    c::close_all(&[socket]);
}

fn udp_autobind(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let sender = c::udp(0);
    t.value("port at first", c::name_of(sender).inet().port());
    c::sendto(sender, b"x", 0, &to);
    let after = c::name_of(sender).inet();
    t.holds("sending gave it one", after.port() != 0);
    t.value("the address stays", after.ip());
    t.call("bind afterwards", c::bind(sender, &c::loopback4()));
    let mut from = Addr::room();
    c::recvfrom(receiver, &mut [0; 1], 0, &mut from);
    t.holds("the receiver sees that port", from.inet().port() == after.port());
    c::close_all(&[receiver, sender]);
}

fn udp_bind_conflicts(t: &mut Transcript) {
    let (first, address) = c::udp_bound();
    let second = c::udp(0);
    t.call("bind the same", c::bind(second, &address));
    let set = |fd, option| c::setsockopt(fd, SOL_SOCKET, option, 1);
    set(second, libc::SO_REUSEADDR);
    t.call("with SO_REUSEADDR on one", c::bind(second, &address));
    set(first, libc::SO_REUSEADDR);
    t.call("with SO_REUSEADDR on both", c::bind(second, &address));
    let third = c::udp(0);
    let all: Addr = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.inet().port())).into();
    t.call("the wildcard with that port", c::bind(third, &all));
    t.call("bind twice", c::bind(second, &c::loopback4()));
    c::close_all(&[first, second, third]);
}

fn udp_peek_and_dontwait(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let sender = c::udp(0);
    t.call("recv of none", c::recv(receiver, &mut [0; 4], MSG_DONTWAIT));
    c::sendto(sender, b"abcdef", 0, &to);
    c::await_readable(receiver);
    let mut buffer = [0; 4];
    t.call("peek of 4", c::recv(receiver, &mut buffer, MSG_PEEK));
    t.call("peek of 4 with MSG_TRUNC", c::recv(receiver, &mut buffer, MSG_PEEK | MSG_TRUNC));
    t.call("recv of 4", c::recv(receiver, &mut buffer, MSG_DONTWAIT));
    t.call("recv of none", c::recv(receiver, &mut buffer, MSG_DONTWAIT));
    c::close_all(&[receiver, sender]);
}

fn udp_shutdown(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let sender = c::udp(0);
    t.call("shutdown of an unconnected socket", c::shutdown(receiver, libc::SHUT_RD));
    c::connect(sender, &to);
    t.call("shutdown writing", c::shutdown(sender, libc::SHUT_WR));
    t.call("send", c::send(sender, b"x", MSG_NOSIGNAL));
    t.call("shutdown reading", c::shutdown(sender, libc::SHUT_RD));
    t.call("recv", c::recv(sender, &mut [0; 1], 0));
    c::close_all(&[receiver, sender]);
}

fn udp_poll_and_fionread(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let sender = c::udp(0);
    t.value("an idle socket", c::poll_now(receiver, POLLIN | POLLOUT));
    c::sendto(sender, b"abc", 0, &to);
    c::sendto(sender, b"defgh", 0, &to);
    c::await_readable(receiver);
    t.value("with datagrams", c::poll_now(receiver, POLLIN | POLLOUT));
    t.value("FIONREAD is the first one's size", c::readable_bytes(receiver));
    c::recv(receiver, &mut [0; 8], 0);
    t.value("FIONREAD", c::readable_bytes(receiver));
    c::close_all(&[receiver, sender]);
}

fn udp_epoll_edge_per_datagram(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let sender = c::udp(0);
    let epoll = c::epoll_create();
    c::epoll_add(epoll, receiver, EPOLLIN | EPOLLET, 1);
    c::sendto(sender, b"a", 0, &to);
    t.value("one came", c::epoll_report(epoll, 5000));
    t.value("nothing new", c::epoll_now(epoll));
    c::sendto(sender, b"b", 0, &to);
    t.value("another came, unread", c::epoll_report(epoll, 5000));
    c::recv(receiver, &mut [0; 1], 0);
    t.value("one read", c::epoll_now(epoll));
    c::close_all(&[receiver, sender, epoll]);
}

/// Headers for messages of one piece each.
fn headers(pieces: &mut [libc::iovec]) -> Vec<mmsghdr> {
    pieces
        .iter_mut()
        .map(|piece| {
            // SAFETY: a header of zeroes has no name, pieces or control data.
            let mut header: mmsghdr = unsafe { zeroed() };
            header.msg_hdr.msg_iov = piece;
            header.msg_hdr.msg_iovlen = 1;
            header
        })
        .collect()
}

fn udp_many_messages_at_once(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let sender = c::udp(0);
    c::connect(sender, &to);
    let (mut one, mut two, mut three) = (*b"a", *b"bb", *b"ccc");
    let mut pieces = c::iovecs([&mut one, &mut two, &mut three]);
    let mut messages = headers(&mut pieces);
    // SAFETY: headers and pieces outlive the call.
    let sent = unsafe { libc::sendmmsg(sender, messages.as_mut_ptr(), 3, 0) };
    t.call("sendmmsg of 3", sent);
    t.line(format_args!("lengths: {:?}", lengths(&messages)));
    let mut rooms = [[0; 8]; 4];
    let [a, b, d, e] = &mut rooms;
    let mut pieces = c::iovecs([a, b, d, e]);
    let mut messages = headers(&mut pieces);
    assert!(c::eventually(|| c::readable_bytes(receiver) > 0), "they arrive");
    // SAFETY: headers and pieces outlive the call.
    unsafe {
        let first = messages.as_mut_ptr();
        t.call("recvmmsg of 2", libc::recvmmsg(receiver, first, 2, 0, null_mut()));
        t.line(format_args!("lengths: {:?}", lengths(&messages)));
        let rest = libc::recvmmsg(receiver, first, 4, MSG_DONTWAIT, null_mut());
        t.call("recvmmsg of 4 where 1 is left", rest);
        let none = libc::recvmmsg(receiver, first, 4, MSG_DONTWAIT, null_mut());
        t.call("recvmmsg of none", none);
        c::send(sender, b"x", 0);
        let one = libc::recvmmsg(receiver, first, 4, libc::MSG_WAITFORONE, null_mut());
        t.call("recvmmsg with MSG_WAITFORONE", one);
    }
    c::close_all(&[receiver, sender]);
}

fn lengths(messages: &[mmsghdr]) -> Vec<u32> {
    messages.iter().map(|message| message.msg_len).collect()
}

fn udp_message_header_name(t: &mut Transcript) {
    let (receiver, mut to) = c::udp_bound();
    let (sender, from) = c::udp_bound();
    let mut bytes = *b"named";
    let mut pieces = c::iovecs([&mut bytes]);
    // SAFETY: a header of zeroes has no name, pieces or control data.
    let mut header: msghdr = unsafe { zeroed() };
    header.msg_iov = pieces.as_mut_ptr();
    header.msg_iovlen = 1;
    header.msg_name = to.as_mut_ptr().cast();
    header.msg_namelen = to.len;
    // SAFETY: name and piece outlive the call.
    t.call("sendmsg with a name", unsafe { libc::sendmsg(sender, &header, 0) });
    let mut seen = Addr::room();
    header.msg_name = seen.as_mut_ptr().cast();
    header.msg_namelen = seen.len;
    // SAFETY: name and piece outlive the call.
    t.call("recvmsg", unsafe { libc::recvmsg(receiver, &mut header, 0) });
    t.holds("the name is the sender's", seen.inet() == from.inet());
    t.value("msg_namelen", header.msg_namelen);
    c::close_all(&[receiver, sender]);
}

fn udp_receive_buffer_overflows_silently(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let sender = c::udp(0);
    c::setsockopt(receiver, SOL_SOCKET, libc::SO_RCVBUF, 4096);
    let results: Vec<isize> = (0..50).map(|_| c::sendto(sender, &[1; 1000], 0, &to)).collect();
    t.holds("each of 50 sends succeeds", results.iter().all(|result| *result == 1000));
    let mut count = 0;
    while c::recv(receiver, &mut [0; 1000], MSG_DONTWAIT) > 0 {
        count += 1;
    }
    t.holds("some were kept", count > 0);
    t.holds("some were dropped", count < 50);
    c::close_all(&[receiver, sender]);
}

fn udp_blocked_receiver_wakes(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(Duration::from_millis(15));
            let sender = c::udp(0);
            c::sendto(sender, b"late", 0, &to);
            c::close(sender);
        });
        t.call("recv", c::recv(receiver, &mut [0; 8], 0));
    });
    c::setsockopt(receiver, SOL_SOCKET, libc::SO_RCVTIMEO, c::timeval(10));
    t.call("recv with a timeout", c::recv(receiver, &mut [0; 8], 0));
    c::close_all(&[receiver]);
}

fn udp6_and_mapped(t: &mut Transcript) {
    let receiver = c::must(c::socket(AF_INET6, SOCK_DGRAM, 0));
    let any: Addr = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into();
    t.call("bind to ::", c::bind(receiver, &any));
    let port = c::name_of(receiver).inet().port();
    let six = c::must(c::socket(AF_INET6, SOCK_DGRAM, 0));
    let four = c::udp(0);
    let to6: Addr = SocketAddr::from((Ipv6Addr::LOCALHOST, port)).into();
    let to4: Addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into();
    t.call("sendto ::1", c::sendto(six, b"6", 0, &to6));
    let mut from = Addr::room();
    t.call("recvfrom", c::recvfrom(receiver, &mut [0; 1], 0, &mut from));
    t.value("from", from.inet().ip());
    t.call("sendto 127.0.0.1", c::sendto(four, b"4", 0, &to4));
    from = Addr::room();
    t.call("recvfrom", c::recvfrom(receiver, &mut [0; 1], 0, &mut from));
    t.value("from", from.inet().ip());
    t.call("answer over the mapped address", c::sendto(receiver, b"a", 0, &from));
    t.call("recv", c::recv(four, &mut [0; 1], 0));
    c::close_all(&[receiver, six, four]);
}

fn udp_packet_information(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let sender = c::udp(0);
    let set = c::setsockopt(receiver, libc::IPPROTO_IP, libc::IP_PKTINFO, 1);
    t.call("IP_PKTINFO 1", set);
    c::sendto(sender, b"x", 0, &to);
    let mut bytes = [0; 8];
    let mut pieces = c::iovecs([&mut bytes]);
    let mut control = [0u64; 16];
    // SAFETY: a header of zeroes has no name, pieces or control data.
    let mut header: msghdr = unsafe { zeroed() };
    header.msg_iov = pieces.as_mut_ptr();
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of::<[u64; 16]>();
    // SAFETY: all that the header names outlives the calls, and the control
    // data is read where the header says that there is some.
    unsafe {
        t.call("recvmsg", libc::recvmsg(receiver, &mut header, 0));
        let message = libc::CMSG_FIRSTHDR(&header);
        assert!(!message.is_null(), "there is control data");
        t.holds("level IPPROTO_IP", (*message).cmsg_level == libc::IPPROTO_IP);
        t.holds("type IP_PKTINFO", (*message).cmsg_type == libc::IP_PKTINFO);
        let info: libc::in_pktinfo =
            libc::CMSG_DATA(message).cast::<libc::in_pktinfo>().read_unaligned();
        let address = Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr));
        t.value("destination", address);
    }
    c::close_all(&[receiver, sender]);
}
