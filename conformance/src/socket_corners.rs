//! Sockets of every family: descriptors in flight, whole reads, urgent data, interfaces.

use std::ffi::CStr;
use std::mem::zeroed;
use std::ptr::null_mut;
use std::thread;
use std::time::Duration;

use libc::{
    MSG_DONTWAIT, MSG_OOB, MSG_PEEK, MSG_WAITALL, POLLIN, POLLPRI, SOCK_STREAM, SOL_SOCKET,
};

use crate::Transcript;
use crate::c;
use crate::unix::{recv_fds, send_fds};

tests![Socket:
    unix_rights_read_without_their_message,
    unix_rights_peeked_at,
    unix_rights_thrown_away_unread,
    tcp_accept_without_a_free_descriptor,
    tcp_waitall_beyond_the_buffers,
    tcp_waitall_until_a_reset,
    tcp_urgent_mark,
    tcp_urgent_inline,
    tcp_sendfile_to_a_slow_reader,
    tcp_read_of_nothing,
    udp_recvmmsg_timeout,
    udp_timestamps,
    udp_error_queue_is_empty,
    netdevice_requests,
    netdevice_list,
    netlink_addresses,
];

/// A pipe of which only the reading end is left; the other one is in a message from `left` to `right`.
fn writer_in_flight() -> (i32, i32, i32) {
    let [left, right] = c::socketpair(SOCK_STREAM);
    let [reader, writer] = c::pipe(0);
    assert_eq!(send_fds(left, &[writer]), 1);
    c::close_all(&[writer]);
    (left, right, reader)
}

fn unix_rights_read_without_their_message(t: &mut Transcript) {
    let (left, right, reader) = writer_in_flight();
    t.value("in flight", c::poll_now(reader, POLLIN));
    t.call("read", c::read(right, &mut [0; 4]));
    t.value("read(2) drops what comes with its bytes", c::poll_now(reader, POLLIN));
    c::close_all(&[left, right, reader]);
    let (left, right, reader) = writer_in_flight();
    t.call("recv that peeks", c::recv(right, &mut [0; 4], MSG_PEEK));
    t.value("it is still in flight", c::poll_now(reader, POLLIN));
    t.call("recv", c::recv(right, &mut [0; 4], 0));
    t.value("and then not", c::poll_now(reader, POLLIN));
    c::close_all(&[left, right, reader]);
}

fn unix_rights_peeked_at(t: &mut Transcript) {
    let (left, right, reader) = writer_in_flight();
    let (result, peeked, _) = recv_fds(right, 128, MSG_PEEK);
    t.call("recvmsg that peeks", result);
    t.value("descriptors", peeked.len());
    c::close_all(&peeked);
    t.value("the message has it still", c::poll_now(reader, POLLIN));
    let (result, fds, _) = recv_fds(right, 128, 0);
    t.call("recvmsg", result);
    t.call("write to what came", c::write(fds[0], b"x"));
    t.call("read", c::read(reader, &mut [0; 4]));
    c::close_all(&fds);
    t.value("the last one is closed", c::poll_now(reader, POLLIN));
    c::close_all(&[left, right, reader]);
}

fn unix_rights_thrown_away_unread(t: &mut Transcript) {
    let (left, right, reader) = writer_in_flight();
    let (result, fds, flags) = recv_fds(right, 0, 0);
    t.call("recvmsg without room for it", result);
    t.value("descriptors", fds.len());
    t.holds("MSG_CTRUNC", flags & libc::MSG_CTRUNC != 0);
    t.value("it is gone", c::poll_now(reader, POLLIN));
    c::close_all(&[left, right, reader]);
}

fn tcp_accept_without_a_free_descriptor(t: &mut Transcript) {
    let (listener, address) = c::tcp_listener(c::loopback4());
    let client = c::tcp(0);
    t.call("connect", c::connect(client, &address));
    // SAFETY: a limit of zeroes is one.
    let mut limit: libc::rlimit = unsafe { zeroed() };
    let next = c::must(c::dup(client));
    c::close_all(&[next]);
    // SAFETY: the limits are of our own.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        let low = libc::rlimit { rlim_cur: next as u64, ..limit };
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &low), 0);
    }
    t.call("accept", c::accept(listener));
    t.value("the connection waits", c::poll_now(listener, POLLIN));
    t.call("socket", c::socket(libc::AF_INET, SOCK_STREAM, 0));
    // SAFETY: as above.
    unsafe { assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0) };
    let server = t.ok("accept with the old limit", c::accept(listener));
    c::close_all(&[listener, client, server]);
}

fn tcp_waitall_beyond_the_buffers(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    let size = 24 << 20;
    thread::scope(|scope| {
        scope.spawn(move || {
            for piece in vec![5; size].chunks(1 << 20) {
                assert_eq!(c::send(client, piece, 0), piece.len() as isize);
            }
        });
        let mut buffer = vec![0; size];
        t.call("recv of 24 MiB with MSG_WAITALL", c::recv(server, &mut buffer, MSG_WAITALL));
        t.holds("all of it came", buffer.iter().all(|byte| *byte == 5));
    });
    c::close_all(&[client, server]);
}

fn tcp_waitall_until_a_reset(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    thread::scope(|scope| {
        scope.spawn(move || {
            c::send(client, b"abc", 0);
            thread::sleep(Duration::from_millis(15));
            let linger = libc::linger { l_onoff: 1, l_linger: 0 };
            c::setsockopt(client, SOL_SOCKET, libc::SO_LINGER, linger);
            c::close(client);
        });
        t.call("recv of 6", c::recv(server, &mut [0; 6], MSG_WAITALL));
        t.call("recv", c::recv(server, &mut [0; 6], MSG_WAITALL));
        t.call("recv", c::recv(server, &mut [0; 6], MSG_WAITALL));
    });
    c::close_all(&[server]);
}

/// SIOCATMARK of linux/sockios.h.
const SIOCATMARK: u64 = 0x8905;

fn at_mark(fd: i32) -> bool {
    let mut at = -1;
    assert_eq!(c::ioctl(fd, SIOCATMARK, &mut at), 0, "SIOCATMARK");
    at == 1
}

fn tcp_urgent_mark(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    c::send(client, b"abc", 0);
    t.call("send of an urgent d", c::send(client, b"d", MSG_OOB));
    c::send(client, b"ef", 0);
    c::await_events(server, POLLPRI);
    assert!(c::eventually(|| c::readable_bytes(server) >= 3), "they arrive");
    let mut buffer = [0; 8];
    t.value("poll", c::poll_now(server, POLLIN | POLLPRI));
    t.value("readable up to the mark", c::readable_bytes(server));
    t.call("recv of 8 stops at the mark", c::recv(server, &mut buffer, 0));
    t.holds("at the mark", at_mark(server));
    t.call("peek at the urgent byte", c::recv(server, &mut buffer, MSG_OOB | MSG_PEEK));
    t.call("recv of the urgent byte", c::recv(server, &mut buffer, MSG_OOB));
    t.bytes("it is", &buffer[..1]);
    t.call("recv of it again", c::recv(server, &mut buffer, MSG_OOB));
    t.value("poll", c::poll_now(server, POLLIN | POLLPRI));
    t.call("recv of 8 skips it", c::recv(server, &mut buffer, 0));
    t.bytes("received", &buffer[..2]);
    t.holds("at the mark", at_mark(server));
    c::close_all(&[client, server]);
}

fn tcp_urgent_inline(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    t.call("SO_OOBINLINE", c::setsockopt(server, SOL_SOCKET, libc::SO_OOBINLINE, 1));
    c::send(client, b"ab!", MSG_OOB);
    c::send(client, b"cd", 0);
    assert!(c::eventually(|| c::readable_bytes(server) == 5), "they arrive");
    let mut buffer = [0; 8];
    t.call("recv with MSG_OOB", c::recv(server, &mut buffer, MSG_OOB));
    t.call("recv of 8 stops before the mark", c::recv(server, &mut buffer, 0));
    t.holds("at the mark", at_mark(server));
    t.call("recv of 8", c::recv(server, &mut buffer, 0));
    t.bytes("received", &buffer[..3]);
    c::close_all(&[client, server]);
}

fn tcp_sendfile_to_a_slow_reader(t: &mut Transcript) {
    let scratch = crate::scratch::Scratch::new();
    let pattern = |at: usize| (at.wrapping_mul(2_654_435_761) >> 9) as u8;
    let content: Vec<u8> = (0..2 << 20).map(pattern).collect();
    let file = c::must_open(scratch.file("f", &content), libc::O_RDONLY);
    let (client, server) = c::tcp_pair();
    c::setsockopt(client, SOL_SOCKET, libc::SO_SNDBUF, 8192);
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut left = 2 << 20;
            while left > 0 {
                // SAFETY: null is for the file's own offset.
                let sent = unsafe { libc::sendfile(client, file, null_mut(), left) };
                assert!(sent > 0, "sendfile");
                left -= sent as usize;
            }
            c::close(client);
        });
        thread::sleep(Duration::from_millis(15));
        let mut received = vec![0; 3 << 20];
        let result = c::recv(server, &mut received, MSG_WAITALL);
        t.call("received", result);
        t.holds("as it is in the file", received[..content.len()] == content[..]);
    });
    c::close_all(&[server, file]);
}

fn tcp_read_of_nothing(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    t.call("read of 0 bytes, nothing there", c::read(server, &mut []));
    t.call("recv of 0 bytes", c::recv(server, &mut [], MSG_DONTWAIT));
    let [left, right] = c::socketpair(SOCK_STREAM);
    t.call("read of 0 bytes of a Unix socket", c::read(left, &mut []));
    t.call("recv of 0 bytes", c::recv(left, &mut [], MSG_DONTWAIT));
    c::close_all(&[client, server, left, right]);
}

fn udp_recvmmsg_timeout(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let sender = c::udp(0);
    thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..3 {
                c::sendto(sender, b"x", 0, &to);
                thread::sleep(Duration::from_millis(30));
            }
        });
        let mut byte = [0];
        let mut piece = c::iovecs([&mut byte]);
        // SAFETY: a header of zeroes has no name, pieces or control data; the piece outlives the call.
        let result = unsafe {
            let mut messages: [libc::mmsghdr; 3] = zeroed();
            for message in &mut messages {
                message.msg_hdr.msg_iov = piece.as_mut_ptr();
                message.msg_hdr.msg_iovlen = 1;
            }
            let mut timeout = c::timespec(20);
            libc::recvmmsg(receiver, messages.as_mut_ptr(), 3, 0, &mut timeout)
        };
        // recvmmsg(2), "Bugs": the timeout is looked at after each message only.
        t.call("recvmmsg of 3 for 20 ms, one every 30 ms", result);
    });
    c::close_all(&[receiver, sender]);
}

fn udp_timestamps(t: &mut Transcript) {
    let (receiver, to) = c::udp_bound();
    let on = c::setsockopt(receiver, SOL_SOCKET, libc::SO_TIMESTAMPNS, 1);
    t.call("SO_TIMESTAMPNS", on);
    let before = c::now(libc::CLOCK_REALTIME);
    let sender = c::udp(0);
    c::sendto(sender, b"x", 0, &to);
    c::await_readable(receiver);
    let mut byte = [0];
    let mut piece = c::iovecs([&mut byte]);
    let mut control = [0u64; 8];
    // SAFETY: the header names values that outlive the call, with their lengths.
    let (kind, time) = unsafe {
        let mut header: libc::msghdr = zeroed();
        header.msg_iov = piece.as_mut_ptr();
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control);
        t.call("recvmsg", libc::recvmsg(receiver, &mut header, 0));
        let message = libc::CMSG_FIRSTHDR(&header);
        assert!(!message.is_null(), "a control message");
        let time: libc::timespec =
            libc::CMSG_DATA(message).cast::<libc::timespec>().read_unaligned();
        ((*message).cmsg_type, Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    };
    let after = c::now(libc::CLOCK_REALTIME);
    t.holds("it is SCM_TIMESTAMPNS", kind == libc::SCM_TIMESTAMPNS);
    t.holds("by CLOCK_REALTIME", (before..=after).contains(&time));
    c::close_all(&[receiver, sender]);
}

fn udp_error_queue_is_empty(t: &mut Transcript) {
    let (socket, _) = c::udp_bound();
    t.call("MSG_ERRQUEUE", c::recv(socket, &mut [0; 8], libc::MSG_ERRQUEUE));
    let set = c::setsockopt(socket, libc::IPPROTO_IP, libc::IP_RECVERR, 1);
    t.call("IP_RECVERR", set);
    t.call("MSG_ERRQUEUE", c::recv(socket, &mut [0; 8], libc::MSG_ERRQUEUE));
    c::close_all(&[socket]);
}

/// What `struct ifreq` has beside the name, after a request about the interface `name`.
fn ask_device(t: &mut Transcript, socket: i32, what: &str, request: u64, name: &str) -> [u8; 24] {
    let mut ifreq = [0u8; 40];
    ifreq[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: a `struct ifreq` has 40 bytes.
    let result = unsafe { libc::ioctl(socket, request as _, ifreq.as_mut_ptr()) };
    t.call(format_args!("{what} of {name}"), result);
    ifreq[16..].try_into().expect("24 bytes")
}

fn netdevice_requests(t: &mut Transcript) {
    let socket = c::udp(0);
    let flags = ask_device(t, socket, "SIOCGIFFLAGS", 0x8913, "lo");
    let flags = i32::from(u16::from_ne_bytes([flags[0], flags[1]]));
    let up = libc::IFF_UP | libc::IFF_LOOPBACK | libc::IFF_RUNNING;
    t.holds("it is up, running and a loopback", flags & up == up);
    for (what, request) in
        [("SIOCGIFADDR", 0x8915), ("SIOCGIFNETMASK", 0x891b), ("SIOCGIFBRDADDR", 0x8919)]
    {
        let answer = ask_device(t, socket, what, request, "lo");
        t.line(format_args!("  family {}, {:?}", answer[0], &answer[4..8]));
    }
    let index = ask_device(t, socket, "SIOCGIFINDEX", 0x8933, "lo");
    t.value("index", i32::from_ne_bytes([index[0], index[1], index[2], index[3]]));
    let mac = ask_device(t, socket, "SIOCGIFHWADDR", 0x8927, "lo");
    t.line(format_args!("  type {}, {:?}", u16::from_ne_bytes([mac[0], mac[1]]), &mac[2..8]));
    ask_device(t, socket, "SIOCGIFADDR", 0x8915, "nosuch7");
    c::close_all(&[socket]);
}

fn netdevice_list(t: &mut Transcript) {
    let socket = c::udp(0);
    let mut room = [0u8; 4000];
    // struct ifconf: the length of the buffer, and the buffer.
    let mut ifconf = [room.len() as u64, room.as_mut_ptr() as u64];
    // SAFETY: the buffer is as long as the structure says.
    t.call("SIOCGIFCONF", unsafe { libc::ioctl(socket, 0x8912, ifconf.as_mut_ptr()) });
    let length = ifconf[0] as u32 as usize;
    t.holds("whole entries", length > 0 && length.is_multiple_of(40));
    let first = &room[..40];
    t.line(format_args!("the first is {}, {:?}", first[..2].escape_ascii(), &first[20..24]));
    let mut needed = [0u64, 0];
    // SAFETY: without a buffer nothing is written.
    t.call("without a buffer", unsafe { libc::ioctl(socket, 0x8912, needed.as_mut_ptr()) });
    t.holds("it gives the length", needed[0] as u32 as usize == length);
    c::close_all(&[socket]);
}

fn netlink_addresses(t: &mut Transcript) {
    let mut first = null_mut();
    // SAFETY: the list is walked as getifaddrs(3) gives it, and freed once.
    unsafe {
        t.call("getifaddrs", libc::getifaddrs(&mut first));
        let mut at = first;
        while let Some(entry) = at.as_ref() {
            let name = CStr::from_ptr(entry.ifa_name);
            let address = entry.ifa_addr.as_ref();
            if name == c"lo" && address.is_some_and(|a| i32::from(a.sa_family) == libc::AF_INET) {
                let ip = &*entry.ifa_addr.cast::<libc::sockaddr_in>();
                let mask = &*entry.ifa_netmask.cast::<libc::sockaddr_in>();
                let octets = |a: &libc::sockaddr_in| a.sin_addr.s_addr.to_ne_bytes();
                t.line(format_args!("lo has {:?} in {:?}", octets(ip), octets(mask)));
            }
            at = entry.ifa_next;
        }
        libc::freeifaddrs(first);
        t.value("if_nametoindex", libc::if_nametoindex(c"lo".as_ptr()));
    }
}
