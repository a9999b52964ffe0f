//! Unix sockets: unix(7).

use std::mem::{size_of, zeroed};
use std::thread;
use std::time::Duration;

use libc::{
    EPOLLET, EPOLLIN, MSG_CMSG_CLOEXEC, MSG_CTRUNC, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_PEEK,
    MSG_TRUNC, POLLIN, POLLOUT, POLLRDHUP, SCM_RIGHTS, SHUT_WR, SOCK_DGRAM, SOCK_NONBLOCK,
    SOCK_SEQPACKET, SOCK_STREAM, SOL_SOCKET, msghdr,
};

use crate::Transcript;
use crate::c;

tests![Unix:
    unix_pair_carries_both_ways,
    unix_pair_peer_closes,
    unix_pair_close_with_unread_data,
    unix_pair_half_close,
    unix_pair_poll_events,
    unix_stream_buffers_fill,
    unix_stream_epoll_edges,
    unix_datagram_pair_keeps_bounds,
    unix_datagram_peer_closes,
    unix_datagram_queue_is_full,
    unix_seqpacket_pair,
    unix_rights_pass_descriptors,
    unix_rights_outlive_the_sender,
    unix_rights_corners,
    unix_peer_credentials,
    unix_passed_credentials,
    unix_socketpair_arguments,
    unix_blocked_reader_wakes,
    unix_transfer_between_threads,
];

fn pair(kind: i32) -> (i32, i32) {
    let [left, right] = c::socketpair(kind);
    (left, right)
}

fn unix_pair_carries_both_ways(t: &mut Transcript) {
    let (left, right) = pair(SOCK_STREAM);
    let mut buffer = [0; 8];
    t.call("send left", c::send(left, b"to the right", 0));
    t.call("recv right", c::recv(right, &mut buffer, 0));
    t.bytes("received", &buffer);
    t.call("peek right", c::recv(right, &mut buffer, MSG_PEEK));
    t.call("recv right", c::recv(right, &mut buffer, 0));
    t.call("write right", c::write(right, b"back"));
    t.call("read left", c::read(left, &mut buffer));
    t.call("recv of none", c::recv(left, &mut buffer, MSG_DONTWAIT));
    c::close_all(&[left, right]);
}

fn unix_pair_peer_closes(t: &mut Transcript) {
    let (left, right) = pair(SOCK_STREAM);
    c::send(right, b"last", 0);
    c::close_all(&[right]);
    let mut buffer = [0; 8];
    t.call("recv", c::recv(left, &mut buffer, 0));
    t.call("recv", c::recv(left, &mut buffer, 0));
    t.call("send", c::send(left, b"x", MSG_NOSIGNAL));
    t.value("SO_ERROR", c::take_error(left));
    c::close_all(&[left]);
}

fn unix_pair_close_with_unread_data(t: &mut Transcript) {
    let (left, right) = pair(SOCK_STREAM);
    c::send(left, b"unread", 0);
    c::close_all(&[right]);
    t.value("poll", c::poll_now(left, POLLIN | POLLOUT | POLLRDHUP));
    t.call("recv", c::recv(left, &mut [0; 1], 0));
    t.call("recv again", c::recv(left, &mut [0; 1], 0));
    t.call("send", c::send(left, b"x", MSG_NOSIGNAL));
    c::close_all(&[left]);
}

fn unix_pair_half_close(t: &mut Transcript) {
    let (left, right) = pair(SOCK_STREAM);
    t.call("shutdown writing", c::shutdown(left, SHUT_WR));
    t.call("send", c::send(left, b"x", MSG_NOSIGNAL));
    t.call("the peer receives", c::recv(right, &mut [0; 1], 0));
    t.call("the peer sends", c::send(right, b"yz", 0));
    t.call("recv", c::recv(left, &mut [0; 4], 0));
    t.call("shutdown reading", c::shutdown(left, libc::SHUT_RD));
    // Unlike TCP, the peer learns of it.
    t.call("the peer sends", c::send(right, b"x", MSG_NOSIGNAL));
    c::close_all(&[left, right]);
}

fn unix_pair_poll_events(t: &mut Transcript) {
    let all = POLLIN | POLLOUT | POLLRDHUP;
    let (left, right) = pair(SOCK_STREAM);
    t.value("idle", c::poll_now(left, all));
    c::send(right, b"x", 0);
    t.value("with a byte", c::poll_now(left, all));
    c::shutdown(right, SHUT_WR);
    t.value("the peer shut down writing", c::poll_now(left, all));
    c::close_all(&[right]);
    t.value("the peer closed", c::poll_now(left, all));
    let unconnected = c::must(c::socket(libc::AF_UNIX, SOCK_STREAM, 0));
    t.value("an unconnected stream", c::poll_now(unconnected, all));
    let datagram = c::must(c::socket(libc::AF_UNIX, SOCK_DGRAM, 0));
    t.value("an unconnected datagram socket", c::poll_now(datagram, all));
    c::close_all(&[left, unconnected, datagram]);
}

fn unix_stream_buffers_fill(t: &mut Transcript) {
    let (left, right) = pair(SOCK_STREAM | SOCK_NONBLOCK);
    let chunk = [5; 4096];
    let mut sent = 0;
    loop {
        match c::send(left, &chunk, 0) {
            -1 => break,
            count => sent += count as usize,
        }
    }
    t.holds("it takes 32 KiB or more", sent >= 32768);
    t.call("send to a full buffer", c::send(left, b"x", 0));
    t.value("poll", c::poll_now(left, POLLOUT));
    let mut received = 0;
    let mut buffer = [0; 5000];
    loop {
        match c::recv(right, &mut buffer, 0) {
            -1 => break,
            count => received += count as usize,
        }
    }
    t.holds("all of it comes out", received == sent);
    t.value("poll", c::poll_now(left, POLLOUT));
    c::close_all(&[left, right]);
}

fn unix_stream_epoll_edges(t: &mut Transcript) {
    let (left, right) = pair(SOCK_STREAM);
    let epoll = c::epoll_create();
    c::epoll_add(epoll, left, EPOLLIN | EPOLLET, 1);
    t.value("at first", c::epoll_now(epoll));
    c::send(right, b"ab", 0);
    t.value("data", c::epoll_now(epoll));
    c::recv(left, &mut [0; 1], 0);
    t.value("partly read", c::epoll_now(epoll));
    c::send(right, b"c", 0);
    t.value("more data", c::epoll_now(epoll));
    c::close_all(&[right]);
    t.value("the peer closed", c::epoll_now(epoll));
    c::close_all(&[left, epoll]);
}

fn unix_datagram_pair_keeps_bounds(t: &mut Transcript) {
    let (left, right) = pair(SOCK_DGRAM);
    t.call("send 3", c::send(left, b"abc", 0));
    t.call("send 0", c::send(left, b"", 0));
    t.call("send 5", c::send(left, b"defgh", 0));
    let mut buffer = [0; 4];
    t.call("recv of 4", c::recv(right, &mut buffer, 0));
    t.call("recv of 4", c::recv(right, &mut buffer, 0));
    t.call("recv of 4 with MSG_TRUNC", c::recv(right, &mut buffer, MSG_TRUNC));
    t.call("recv of none", c::recv(right, &mut buffer, MSG_DONTWAIT));
    t.value("FIONREAD", c::readable_bytes(right));
    c::close_all(&[left, right]);
}

fn unix_datagram_peer_closes(t: &mut Transcript) {
    let (left, right) = pair(SOCK_DGRAM);
    c::send(right, b"last", 0);
    c::close_all(&[right]);
    t.call("recv", c::recv(left, &mut [0; 8], 0));
    t.call("recv of none", c::recv(left, &mut [0; 8], MSG_DONTWAIT));
    t.call("send", c::send(left, b"x", MSG_NOSIGNAL));
    t.call("send again", c::send(left, b"x", MSG_NOSIGNAL));
    c::close_all(&[left]);
}

fn unix_datagram_queue_is_full(t: &mut Transcript) {
    let (left, right) = pair(SOCK_DGRAM | SOCK_NONBLOCK);
    let mut count = 0;
    while c::send(left, b"x", 0) == 1 {
        count += 1;
        assert!(count < 1_000_000, "the queue is bounded");
    }
    t.holds("some fit", count > 1);
    t.call("send to a full queue", c::send(left, b"x", 0));
    t.value("poll", c::poll_now(left, POLLOUT));
    while c::recv(right, &mut [0; 1], 0) == 1 {}
    t.value("drained: poll", c::poll_now(left, POLLOUT));
    t.call("send", c::send(left, b"x", 0));
    c::close_all(&[left, right]);
}

fn unix_seqpacket_pair(t: &mut Transcript) {
    let (left, right) = pair(SOCK_SEQPACKET);
    c::send(left, b"abc", 0);
    c::send(left, b"de", 0);
    let mut buffer = [0; 8];
    t.call("recv", c::recv(right, &mut buffer, 0));
    t.call("recv of 1 of 2", c::recv(right, &mut buffer[..1], 0));
    t.call("recv of none", c::recv(right, &mut buffer, MSG_DONTWAIT));
    c::close_all(&[left]);
    t.call("recv after the peer closed", c::recv(right, &mut buffer, 0));
    t.call("send after the peer closed", c::send(right, b"x", MSG_NOSIGNAL));
    c::close_all(&[right]);
}

/// Room for control data, aligned as a control message must be.
#[repr(C, align(8))]
struct Control([u8; 128]);

/// Sends one byte with these descriptors.
pub(crate) fn send_fds(socket: i32, fds: &[i32]) -> isize {
    let mut byte = [b'!'];
    let mut pieces = c::iovecs([&mut byte]);
    let mut control = Control([0; 128]);
    let size = size_of_val(fds) as u32;
    // SAFETY: the control data fits into its room, and all that the header
    // names outlives the call.
    unsafe {
        let mut header: msghdr = zeroed();
        header.msg_iov = pieces.as_mut_ptr();
        header.msg_iovlen = 1;
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = libc::CMSG_SPACE(size) as usize;
        let message = libc::CMSG_FIRSTHDR(&header);
        (*message).cmsg_level = SOL_SOCKET;
        (*message).cmsg_type = SCM_RIGHTS;
        (*message).cmsg_len = libc::CMSG_LEN(size) as usize;
        fds.as_ptr().copy_to(libc::CMSG_DATA(message).cast(), fds.len());
        libc::sendmsg(socket, &header, MSG_NOSIGNAL)
    }
}

/// Receives up to four bytes and the descriptors that come with them, with
/// `room` bytes for control data: the result, the descriptors, `msg_flags`.
pub(crate) fn recv_fds(socket: i32, room: usize, flags: i32) -> (isize, Vec<i32>, i32) {
    let mut bytes = [0; 4];
    let mut pieces = c::iovecs([&mut bytes]);
    let mut control = Control([0; 128]);
    let mut fds = Vec::new();
    // SAFETY: as in `send_fds`; descriptors are read only where the control
    // message says that it has some.
    unsafe {
        let mut header: msghdr = zeroed();
        header.msg_iov = pieces.as_mut_ptr();
        header.msg_iovlen = 1;
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = room;
        let result = libc::recvmsg(socket, &mut header, flags);
        let message = libc::CMSG_FIRSTHDR(&header);
        if result >= 0 && !message.is_null() && (*message).cmsg_type == SCM_RIGHTS {
            let size = (*message).cmsg_len - libc::CMSG_LEN(0) as usize;
            let first: *const i32 = libc::CMSG_DATA(message).cast();
            fds.extend((0..size / size_of::<i32>()).map(|at| first.add(at).read_unaligned()));
        }
        (result, fds, header.msg_flags)
    }
}

fn unix_rights_pass_descriptors(t: &mut Transcript) {
    let (left, right) = pair(SOCK_STREAM);
    let [reader, writer] = c::pipe(0);
    t.call("sendmsg with two descriptors", send_fds(left, &[reader, writer]));
    let (result, fds, flags) = recv_fds(right, 128, 0);
    t.call("recvmsg", result);
    t.value("descriptors", fds.len());
    t.value("msg_flags", flags);
    t.holds("they are new numbers", fds.iter().all(|fd| ![reader, writer].contains(fd)));
    t.call("cloexec", c::fcntl(fds[0], libc::F_GETFD, 0));
    c::write(fds[1], b"through");
    let mut buffer = [0; 8];
    t.call("they are the same pipe: read", c::read(reader, &mut buffer));
    t.call("sendmsg", send_fds(left, &[reader]));
    let (_, cloexec, _) = recv_fds(right, 128, MSG_CMSG_CLOEXEC);
    t.call("with MSG_CMSG_CLOEXEC", c::fcntl(cloexec[0], libc::F_GETFD, 0));
    c::close_all(&fds);
    c::close_all(&[left, right, reader, writer, cloexec[0]]);
}

fn unix_rights_outlive_the_sender(t: &mut Transcript) {
    let (left, right) = pair(SOCK_STREAM);
    let [reader, writer] = c::pipe(0);
    send_fds(left, &[writer]);
    c::close_all(&[writer, left]);
    t.value("in flight, the pipe has a writer", c::poll_now(reader, POLLIN));
    let (result, fds, _) = recv_fds(right, 128, 0);
    t.call("recvmsg after the sender closed", result);
    t.call("write to what came", c::write(fds[0], b"x"));
    c::close_all(&fds);
    let (left, other) = pair(SOCK_STREAM);
    let [lost_reader, lost_writer] = c::pipe(0);
    send_fds(left, &[lost_writer]);
    c::close_all(&[lost_writer, left, other]);
    t.holds(
        "nobody received it: the pipe ends",
        c::eventually(|| c::poll_now(lost_reader, POLLIN) == "HUP"),
    );
    c::close_all(&[right, reader, lost_reader]);
}

fn unix_rights_corners(t: &mut Transcript) {
    let (left, right) = pair(SOCK_STREAM);
    let event = c::eventfd(0, 0);
    t.call("sendmsg of a closed descriptor", send_fds(left, &[c::BAD_FD]));
    send_fds(left, &[event]);
    let (result, fds, flags) = recv_fds(right, 0, 0);
    t.call("recvmsg without room", result);
    t.value("descriptors", fds.len());
    t.holds("MSG_CTRUNC", flags & MSG_CTRUNC != 0);
    send_fds(left, &[event, event, event]);
    // SAFETY: CMSG_SPACE only computes.
    let room = unsafe { libc::CMSG_SPACE(4) } as usize - 4;
    let (_, fds, flags) = recv_fds(right, room, 0);
    t.value("room for one of three", fds.len());
    t.holds("MSG_CTRUNC", flags & MSG_CTRUNC != 0);
    c::close_all(&fds);
    // Data before a message with descriptors is not joined with it.
    c::send(left, b"ab", 0);
    send_fds(left, &[event]);
    c::send(left, b"cd", 0);
    for _ in 0..3 {
        let (result, fds, _) = recv_fds(right, 128, MSG_DONTWAIT);
        t.call("recvmsg of 4", result);
        t.value("descriptors", fds.len());
        c::close_all(&fds);
    }
    send_fds(left, &[event]);
    t.call("plain recv drops them", c::recv(right, &mut [0; 4], 0));
    c::close_all(&[left, right, event]);
}

fn unix_peer_credentials(t: &mut Transcript) {
    let (left, right) = pair(SOCK_STREAM);
    let mut who = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut size = size_of::<libc::ucred>() as u32;
    // SAFETY: `size` says how much room there is.
    unsafe {
        let into = (&raw mut who).cast();
        let result = libc::getsockopt(left, SOL_SOCKET, libc::SO_PEERCRED, into, &mut size);
        t.call("SO_PEERCRED", result);
        t.value("its size", size);
        t.holds("the pid is ours", who.pid == libc::getpid());
        t.holds("the uid is ours", who.uid == libc::geteuid());
        t.holds("the gid is ours", who.gid == libc::getegid());
    }
    c::close_all(&[left, right]);
}

fn unix_passed_credentials(t: &mut Transcript) {
    let (left, right) = pair(SOCK_DGRAM);
    let set = c::setsockopt(right, SOL_SOCKET, libc::SO_PASSCRED, 1);
    t.call("SO_PASSCRED 1", set);
    c::send(left, b"x", 0);
    let mut byte = [0];
    let mut pieces = c::iovecs([&mut byte]);
    let mut control = Control([0; 128]);
    // SAFETY: all that the header names outlives the call, and the control
    // message is read where there is one.
    unsafe {
        let mut header: msghdr = zeroed();
        header.msg_iov = pieces.as_mut_ptr();
        header.msg_iovlen = 1;
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = 128;
        t.call("recvmsg", libc::recvmsg(right, &mut header, 0));
        let message = libc::CMSG_FIRSTHDR(&header);
        assert!(!message.is_null(), "there is control data");
        t.holds("SCM_CREDENTIALS", (*message).cmsg_type == libc::SCM_CREDENTIALS);
        let who: libc::ucred = libc::CMSG_DATA(message).cast::<libc::ucred>().read_unaligned();
        t.holds("the pid is ours", who.pid == libc::getpid());
    }
    c::close_all(&[left, right]);
}

fn unix_socketpair_arguments(t: &mut Transcript) {
    let mut ends = [-1; 2];
    let mut call = |family, kind, protocol| {
        // SAFETY: socketpair writes two ints.
        unsafe { libc::socketpair(family, kind, protocol, ends.as_mut_ptr()) }
    };
    t.call("AF_INET streams", call(libc::AF_INET, SOCK_STREAM, 0));
    t.call("protocol 99", call(libc::AF_UNIX, SOCK_STREAM, 99));
    t.call("type 7", call(libc::AF_UNIX, 7, 0));
    t.call("AF_UNIX streams", call(libc::AF_UNIX, SOCK_STREAM | libc::SOCK_CLOEXEC, 0));
    t.call("F_GETFD", c::fcntl(ends[1], libc::F_GETFD, 0));
    t.value("SO_TYPE", c::option_of(ends[0], SOL_SOCKET, libc::SO_TYPE));
    t.value("SO_DOMAIN", c::option_of(ends[0], SOL_SOCKET, libc::SO_DOMAIN));
    let name = c::name_of(ends[0]);
    t.holds("getsockname gives AF_UNIX", name.family() == libc::AF_UNIX);
    t.value("and no name; length", name.len);
    c::close_all(&ends);
}

fn unix_blocked_reader_wakes(t: &mut Transcript) {
    let (left, right) = pair(SOCK_STREAM);
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(Duration::from_millis(15));
            c::send(right, b"x", 0);
            thread::sleep(Duration::from_millis(15));
            c::close(right);
        });
        t.call("recv", c::recv(left, &mut [0; 4], 0));
        t.call("recv that meets the end", c::recv(left, &mut [0; 4], 0));
    });
    c::close_all(&[left]);
}

fn unix_transfer_between_threads(t: &mut Transcript) {
    let (left, right) = pair(SOCK_STREAM);
    let size = 1 << 20;
    thread::scope(|scope| {
        let sender = scope.spawn(move || c::send(left, &vec![9; size], 0));
        let (mut received, mut wrong) = (0, 0);
        let mut buffer = [0; 3000];
        while received < size {
            let count = c::recv(right, &mut buffer, 0) as usize;
            received += count;
            wrong += buffer[..count].iter().filter(|byte| **byte != 9).count();
        }
        t.value("the sender sent", sender.join().expect("the sender"));
        t.value("wrong bytes", wrong);
    });
    c::close_all(&[left, right]);
}
