//! TCP: carrying bytes.

use std::mem::zeroed;
use std::thread;
use std::time::{Duration, Instant};

use libc::{
    EPOLLET, EPOLLIN, EPOLLOUT, EPOLLRDHUP, MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, MSG_WAITALL,
    POLLOUT, SHUT_WR, SOL_SOCKET, msghdr,
};

use crate::Transcript;
use crate::c;

tests![Tcp:
    tcp_stream_has_no_messages,
    tcp_peek,
    tcp_waitall,
    tcp_truncate_discards,
    tcp_dontwait,
    tcp_scatter_and_gather,
    tcp_message_headers,
    tcp_buffers_fill_and_drain,
    tcp_blocked_sender_continues,
    tcp_large_transfer_arrives_whole,
    tcp_receive_timeout,
    tcp_send_timeout,
    tcp_epoll_edges,
    tcp_ping_pong_between_threads,
    tcp_zero_length_transfers,
    tcp_out_of_band,
    tcp_sendfile,
];

fn tcp_stream_has_no_messages(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    t.call("send 3", c::send(client, b"abc", 0));
    t.call("send 2", c::send(client, b"de", 0));
    assert!(c::eventually(|| c::readable_bytes(server) == 5), "all arrive");
    let mut buffer = [0; 8];
    t.call("recv of 8", c::recv(server, &mut buffer, 0));
    t.bytes("received", &buffer[..5]);
    t.call("write on a socket", c::write(client, b"xyz"));
    t.call("read of 2", c::read(server, &mut buffer[..2]));
    t.call("read of 2", c::read(server, &mut buffer[..2]));
    c::close_all(&[client, server]);
}

fn tcp_peek(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    c::send(client, b"peeked", 0);
    assert!(c::eventually(|| c::readable_bytes(server) == 6), "it arrives");
    let mut buffer = [0; 8];
    t.call("peek of 3", c::recv(server, &mut buffer[..3], MSG_PEEK));
    t.bytes("peeked", &buffer[..3]);
    t.call("peek of 8", c::recv(server, &mut buffer, MSG_PEEK));
    t.call("recv of 8", c::recv(server, &mut buffer, 0));
    t.call("peek of nothing", c::recv(server, &mut buffer, MSG_PEEK | MSG_DONTWAIT));
    c::close_all(&[client]);
    t.call("peek at the end", c::recv(server, &mut buffer, MSG_PEEK));
    c::close_all(&[server]);
}

fn tcp_waitall(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    thread::scope(|scope| {
        scope.spawn(move || {
            c::send(client, b"one", 0);
            thread::sleep(Duration::from_millis(15));
            c::send(client, b"two", 0);
            c::send(client, b"rest", 0);
            c::close(client);
        });
        let mut buffer = [0; 6];
        t.call("recv of 6 with MSG_WAITALL", c::recv(server, &mut buffer, MSG_WAITALL));
        t.bytes("received", &buffer);
        let result = c::recv(server, &mut buffer, MSG_WAITALL);
        t.call("recv of 6 where only 4 come", result);
    });
    c::close_all(&[server]);
}

fn tcp_truncate_discards(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    c::send(client, b"abcdef", 0);
    assert!(c::eventually(|| c::readable_bytes(server) == 6), "it arrives");
    let mut buffer = [b'-'; 4];
    // tcp(7): MSG_TRUNC discards the bytes instead of copying them.
    t.call("recv of 4 with MSG_TRUNC", c::recv(server, &mut buffer, MSG_TRUNC));
    t.bytes("the buffer", &buffer);
    t.call("recv of 4", c::recv(server, &mut buffer, 0));
    t.bytes("the buffer", &buffer);
    c::close_all(&[client, server]);
}

fn tcp_dontwait(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    t.call("recv with MSG_DONTWAIT", c::recv(server, &mut [0; 1], MSG_DONTWAIT));
    let both = MSG_DONTWAIT | MSG_WAITALL;
    c::send(client, b"ab", 0);
    c::await_readable(server);
    t.call("recv of 4, WAITALL and DONTWAIT", c::recv(server, &mut [0; 4], both));
    c::close_all(&[client, server]);
}

fn tcp_scatter_and_gather(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    t.call("writev", c::writev(client, [b"ab", b"", b"cde", b"fghij"]));
    assert!(c::eventually(|| c::readable_bytes(server) == 10), "it arrives");
    let (mut one, mut two, mut three) = ([0; 4], [0; 4], [0; 4]);
    t.call("readv into 4 + 4 + 4", c::readv(server, [&mut one, &mut two, &mut three]));
    t.bytes("first", &one);
    t.bytes("second", &two);
    t.bytes("third", &three);
    c::close_all(&[client, server]);
}

fn tcp_message_headers(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    let (mut one, mut two) = (*b"gather", *b"ed");
    let mut pieces = c::iovecs([&mut one, &mut two]);
    // SAFETY: a header of zeroes has no name, pieces or control data.
    let mut header: msghdr = unsafe { zeroed() };
    header.msg_iov = pieces.as_mut_ptr();
    header.msg_iovlen = 2;
    // SAFETY: the pieces outlive the calls.
    unsafe {
        t.call("sendmsg", libc::sendmsg(client, &header, 0));
        c::await_readable(server);
        header.msg_iovlen = 1;
        t.call("recvmsg into 6", libc::recvmsg(server, &mut header, 0));
        t.bytes("received", &one);
        t.value("msg_flags", header.msg_flags);
        t.value("msg_namelen", header.msg_namelen);
        t.value("msg_controllen", header.msg_controllen);
        t.call("recvmsg of null", libc::recvmsg(server, c::BAD_POINTER as *mut _, 0));
        header.msg_iovlen = 2000;
        t.call("recvmsg into 2000 pieces", libc::recvmsg(server, &mut header, 0));
    }
    let mut from = c::Addr::room();
    let room = from.len;
    t.call("recvfrom", c::recvfrom(server, &mut two, 0, &mut from));
    t.holds("a stream's recvfrom gives no address", from.len == 0 || from.len == room);
    let anywhere = c::name_of(client);
    t.call("sendto ignores its address", c::sendto(client, b"x", 0, &anywhere));
    c::close_all(&[client, server]);
}

/// Sends until the socket takes no more; how many bytes it took.
fn fill(fd: i32) -> usize {
    let chunk = vec![7; 65536];
    let mut total = 0;
    loop {
        match c::send(fd, &chunk, MSG_DONTWAIT) {
            -1 => return total,
            count => total += count as usize,
        }
    }
}

fn drain(fd: i32) -> usize {
    let mut buffer = vec![0; 65536];
    let mut total = 0;
    loop {
        match c::recv(fd, &mut buffer, MSG_DONTWAIT) {
            -1 => return total,
            count => total += count as usize,
        }
    }
}

fn tcp_buffers_fill_and_drain(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    // The receiver's buffer takes more for a moment after the sender's is
    // full, so fill until it stays full.
    let mut sent = 0;
    let full = c::eventually(|| {
        let more = fill(client);
        sent += more;
        more == 0
    });
    t.holds("the buffers fill", full);
    t.holds("they hold 64 KiB or more", sent >= 65536);
    t.call("send to full buffers", c::send(client, b"x", MSG_DONTWAIT));
    t.value("poll", c::poll_now(client, POLLOUT));
    let mut received = 0;
    let drained = c::eventually(|| {
        received += drain(server);
        received == sent
    });
    t.holds("all that was sent arrives", drained);
    c::await_events(client, POLLOUT);
    t.value("poll", c::poll_now(client, POLLOUT));
    t.call("send to empty buffers", c::send(client, b"x", MSG_DONTWAIT));
    c::close_all(&[client, server]);
}

fn tcp_blocked_sender_continues(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    let size = 20 << 20;
    thread::scope(|scope| {
        let sender = scope.spawn(move || c::send(client, &vec![3; size], 0));
        thread::sleep(Duration::from_millis(15));
        t.holds("a blocking send of 20 MiB waits", !sender.is_finished());
        let mut received = 0;
        let mut buffer = vec![0; 1 << 20];
        while received < size {
            received += c::recv(server, &mut buffer, 0) as usize;
        }
        t.value("it sent", sender.join().expect("the sender"));
    });
    c::close_all(&[client, server]);
}

fn tcp_large_transfer_arrives_whole(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    let size = 1 << 20;
    let pattern = move |at: usize| (at.wrapping_mul(2_654_435_761) >> 7) as u8;
    thread::scope(|scope| {
        scope.spawn(move || {
            let bytes: Vec<u8> = (0..size).map(pattern).collect();
            for piece in bytes.chunks(7919) {
                assert_eq!(c::send(client, piece, 0), piece.len() as isize);
            }
            c::close(client);
        });
        let (mut at, mut wrong) = (0, 0);
        let mut buffer = [0; 5000];
        loop {
            let count = c::recv(server, &mut buffer, 0) as usize;
            if count == 0 {
                break;
            }
            wrong += buffer[..count]
                .iter()
                .enumerate()
                .filter(|(index, byte)| pattern(at + index) != **byte)
                .count();
            at += count;
        }
        t.value("received", at);
        t.value("wrong bytes", wrong);
    });
    c::close_all(&[server]);
}

fn tcp_receive_timeout(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    let set = c::setsockopt(server, SOL_SOCKET, libc::SO_RCVTIMEO, c::timeval(15));
    t.call("SO_RCVTIMEO 15 ms", set);
    let start = Instant::now();
    t.call("recv", c::recv(server, &mut [0; 1], 0));
    // The kernel counts in ticks of up to 10 ms and rounds up.
    t.holds("it took 10 ms or more", start.elapsed().as_millis() >= 10);
    c::send(client, b"ab", 0);
    t.call("recv of 4, MSG_WAITALL", c::recv(server, &mut [0; 4], MSG_WAITALL));
    let (listener, _) = c::tcp_listener(c::loopback4());
    c::setsockopt(listener, SOL_SOCKET, libc::SO_RCVTIMEO, c::timeval(15));
    t.call("accept", c::accept(listener));
    c::close_all(&[client, server, listener]);
}

fn tcp_send_timeout(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    let set = c::setsockopt(client, SOL_SOCKET, libc::SO_SNDTIMEO, c::timeval(15));
    t.call("SO_SNDTIMEO 15 ms", set);
    assert!(c::eventually(|| fill(client) == 0), "the buffers fill");
    t.call("send to full buffers", c::send(client, b"x", 0));
    c::close_all(&[client, server]);
}

fn tcp_epoll_edges(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    let epoll = c::epoll_create();
    c::epoll_add(epoll, client, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1);
    t.value("at first", c::epoll_now(epoll));
    t.value("no change", c::epoll_now(epoll));
    c::send(server, b"ab", 0);
    t.value("data", c::epoll_report(epoll, 5000));
    c::recv(client, &mut [0; 1], 0);
    t.value("partly read", c::epoll_now(epoll));
    c::send(server, b"c", 0);
    t.value("more data", c::epoll_report(epoll, 5000));
    c::recv(client, &mut [0; 8], 0);
    c::send(client, b"x", 0);
    t.value("after a send of our own", c::epoll_now(epoll));
    c::shutdown(server, SHUT_WR);
    t.value("the peer's end", c::epoll_report(epoll, 5000));
    t.value("no change", c::epoll_now(epoll));
    c::close_all(&[client, server, epoll]);
}

fn tcp_ping_pong_between_threads(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut byte = [0];
            while c::recv(server, &mut byte, 0) == 1 {
                byte[0] = byte[0].wrapping_add(1);
                c::send(server, &byte, 0);
            }
        });
        let mut byte = [0];
        for _ in 0..100 {
            assert_eq!(c::send(client, &byte, 0), 1);
            assert_eq!(c::recv(client, &mut byte, 0), 1);
        }
        t.value("after 100 turns", byte[0]);
        c::shutdown(client, SHUT_WR);
    });
    c::close_all(&[client, server]);
}

fn tcp_zero_length_transfers(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    t.call("send of nothing", c::send(client, b"", 0));
    t.call("recv of nothing, nothing there", c::recv(server, &mut [], MSG_DONTWAIT));
    c::send(client, b"x", 0);
    c::await_readable(server);
    t.call("recv of nothing, a byte there", c::recv(server, &mut [], 0));
    t.value("readable", c::readable_bytes(server));
    c::close_all(&[client, server]);
}

fn tcp_out_of_band(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    t.call("recv of urgent data, none there", c::recv(server, &mut [0; 1], libc::MSG_OOB));
    t.call("send 'ab', b urgent", c::send(client, b"ab", libc::MSG_OOB));
    c::await_events(server, libc::POLLPRI);
    let mut byte = [0; 4];
    t.call("recv of the stream", c::recv(server, &mut byte, 0));
    t.bytes("received", &byte[..1]);
    t.call("recv of urgent data", c::recv(server, &mut byte, libc::MSG_OOB));
    t.bytes("received", &byte[..1]);
    c::close_all(&[client, server]);
}

fn tcp_sendfile(t: &mut Transcript) {
    let scratch = crate::scratch::Scratch::new();
    let file = c::must_open(scratch.file("f", b"contents of a file"), libc::O_RDONLY);
    let (client, server) = c::tcp_pair();
    let mut offset = 9;
    // SAFETY: the offset is of our own, and null means the file's own.
    unsafe {
        t.call("sendfile from 9", libc::sendfile(client, file, &mut offset, 100));
        t.value("the offset then", offset);
        t.call("sendfile of 8", libc::sendfile(client, file, std::ptr::null_mut(), 8));
    }
    t.call("the file's own offset", c::lseek(file, 0, libc::SEEK_CUR));
    let mut buffer = [0; 17];
    t.call("recv", c::recv(server, &mut buffer, MSG_WAITALL));
    t.bytes("received", &buffer);
    c::close_all(&[file, client, server]);
}
