//! TCP: ending and breaking a connection.

use std::thread;
use std::time::Duration;

use libc::{
    MSG_NOSIGNAL, MSG_WAITALL, POLLIN, POLLOUT, POLLRDHUP, SHUT_RD, SHUT_RDWR, SHUT_WR, SIG_IGN,
    SIGPIPE, SOL_SOCKET, linger,
};

use crate::Transcript;
use crate::c;

tests![Tcp:
    tcp_half_close,
    tcp_end_of_stream,
    tcp_shutdown_read,
    tcp_shutdown_both_and_twice,
    tcp_close_with_unread_data_resets,
    tcp_send_to_a_closed_peer,
    tcp_sigpipe_and_nosignal,
    tcp_linger_zero_resets,
    tcp_reset_is_reported_once,
    tcp_reset_discards_nothing_received,
    tcp_poll_through_a_life,
    tcp_not_connected,
    tcp_blocked_reader_and_local_shutdown,
];

const ALL: i16 = POLLIN | POLLOUT | POLLRDHUP;

fn tcp_half_close(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    let mut buffer = [0; 8];
    c::send(client, b"ask", 0);
    t.call("the client shuts down writing", c::shutdown(client, SHUT_WR));
    t.call("the client sends", c::send(client, b"x", MSG_NOSIGNAL));
    t.call("the server reads", c::recv(server, &mut buffer, MSG_WAITALL));
    t.call("the server reads again", c::recv(server, &mut buffer, 0));
    t.call("the server answers", c::send(server, b"answer", 0));
    t.call("the client reads", c::recv(client, &mut buffer, 0));
    t.call("the server shuts down writing", c::shutdown(server, SHUT_WR));
    t.call("the client reads again", c::recv(client, &mut buffer, 0));
    c::close_all(&[client, server]);
}

fn tcp_end_of_stream(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    c::send(client, b"last words", 0);
    c::close_all(&[client]);
    let mut buffer = [0; 4];
    for _ in 0..5 {
        t.call("recv of 4", c::recv(server, &mut buffer, 0));
    }
    t.value("SO_ERROR", c::take_error(server));
    c::close_all(&[server]);
}

fn tcp_shutdown_read(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    let mut buffer = [0; 8];
    t.call("shutdown reading", c::shutdown(server, SHUT_RD));
    t.value("poll", c::poll_now(server, ALL));
    t.call("recv of nothing", c::recv(server, &mut buffer, 0));
    // Linux goes on to take data in: the peer is not told.
    t.call("the peer sends", c::send(client, b"late", MSG_NOSIGNAL));
    assert!(c::eventually(|| c::readable_bytes(server) == 4), "it arrives");
    t.call("recv", c::recv(server, &mut buffer, 0));
    t.call("recv", c::recv(server, &mut buffer, 0));
    t.call("send", c::send(server, b"x", 0));
    t.call("the peer receives", c::recv(client, &mut buffer, 0));
    c::close_all(&[client, server]);
}

fn tcp_shutdown_both_and_twice(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    t.call("shutdown both", c::shutdown(client, SHUT_RDWR));
    t.call("recv", c::recv(client, &mut [0; 1], 0));
    t.call("send", c::send(client, b"x", MSG_NOSIGNAL));
    t.call("shutdown writing again", c::shutdown(client, SHUT_WR));
    t.call("the peer receives", c::recv(server, &mut [0; 1], 0));
    t.call("shutdown 99", c::shutdown(server, 99));
    c::close_all(&[server]);
    c::await_events(client, libc::POLLHUP);
    t.value("both closed: poll", c::poll_now(client, ALL));
    t.call("shutdown", c::shutdown(client, SHUT_RDWR));
    c::close_all(&[client]);
}

fn tcp_close_with_unread_data_resets(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    c::send(client, b"unread", 0);
    c::await_readable(server);
    c::close_all(&[server]);
    c::await_events(client, POLLRDHUP);
    t.value("poll", c::poll_now(client, ALL));
    t.call("recv", c::recv(client, &mut [0; 1], 0));
    t.call("recv again", c::recv(client, &mut [0; 1], 0));
    t.call("send", c::send(client, b"x", MSG_NOSIGNAL));
    c::close_all(&[client]);
}

fn tcp_send_to_a_closed_peer(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    c::close_all(&[server]);
    t.call("recv", c::recv(client, &mut [0; 1], 0));
    t.call("the first send", c::send(client, b"x", MSG_NOSIGNAL));
    c::await_events(client, libc::POLLERR | libc::POLLHUP);
    t.value("it was answered by a reset: poll", c::poll_now(client, ALL));
    t.call("the second send", c::send(client, b"x", MSG_NOSIGNAL));
    t.call("the third send", c::send(client, b"x", MSG_NOSIGNAL));
    t.call("recv", c::recv(client, &mut [0; 1], 0));
    c::close_all(&[client]);
}

fn tcp_sigpipe_and_nosignal(t: &mut Transcript) {
    extern "C" fn ignore(_: i32) {}
    c::on_signal(SIGPIPE, ignore, 0);
    c::mask(libc::SIG_BLOCK, &[SIGPIPE]);
    let (client, server) = c::tcp_pair();
    c::shutdown(client, SHUT_WR);
    t.call("send with MSG_NOSIGNAL", c::send(client, b"x", MSG_NOSIGNAL));
    t.holds("SIGPIPE is pending", c::is_pending(SIGPIPE));
    t.call("send", c::send(client, b"x", 0));
    t.holds("SIGPIPE is pending", c::is_pending(SIGPIPE));
    c::set_disposition(SIGPIPE, SIG_IGN, 0);
    t.holds("SIG_IGN discards it", !c::is_pending(SIGPIPE));
    t.call("write", c::write(client, b"x"));
    c::close_all(&[client, server]);
}

fn linger_zero(fd: i32) -> i32 {
    c::setsockopt(fd, SOL_SOCKET, libc::SO_LINGER, linger { l_onoff: 1, l_linger: 0 })
}

fn tcp_linger_zero_resets(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    t.call("SO_LINGER on, 0 s", linger_zero(server));
    c::close_all(&[server]);
    c::await_events(client, libc::POLLERR | libc::POLLHUP);
    t.value("poll", c::poll_now(client, ALL));
    t.value("SO_ERROR", c::take_error(client));
    t.value("SO_ERROR again", c::take_error(client));
    t.call("recv", c::recv(client, &mut [0; 1], 0));
    c::close_all(&[client]);
}

fn tcp_reset_is_reported_once(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    linger_zero(server);
    c::close_all(&[server]);
    c::await_events(client, libc::POLLERR | libc::POLLHUP);
    t.call("the first send", c::send(client, b"x", MSG_NOSIGNAL));
    t.call("the second send", c::send(client, b"x", MSG_NOSIGNAL));
    t.call("recv", c::recv(client, &mut [0; 1], 0));
    let mut peer = c::Addr::room();
    t.call("getpeername", c::getpeername(client, &mut peer));
    c::close_all(&[client]);
}

fn tcp_reset_discards_nothing_received(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    c::send(server, b"before", 0);
    assert!(c::eventually(|| c::readable_bytes(client) == 6), "it arrives");
    linger_zero(server);
    c::close_all(&[server]);
    c::await_events(client, libc::POLLERR | libc::POLLHUP);
    let mut buffer = [0; 8];
    t.call("recv of what came before the reset", c::recv(client, &mut buffer, 0));
    t.call("recv", c::recv(client, &mut buffer, 0));
    t.call("recv", c::recv(client, &mut buffer, 0));
    c::close_all(&[client]);
}

fn tcp_poll_through_a_life(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    t.value("connected", c::poll_now(client, ALL));
    c::send(server, b"x", 0);
    c::await_readable(client);
    t.value("a byte came", c::poll_now(client, ALL));
    c::shutdown(server, SHUT_WR);
    c::await_events(client, POLLRDHUP);
    t.value("and the peer's end", c::poll_now(client, ALL));
    c::recv(client, &mut [0; 1], 0);
    t.value("drained", c::poll_now(client, ALL));
    c::shutdown(client, SHUT_WR);
    c::await_events(client, libc::POLLHUP);
    t.value("ended on both sides", c::poll_now(client, ALL));
    t.call("recv", c::recv(client, &mut [0; 1], 0));
    c::close_all(&[client, server]);
}

fn tcp_not_connected(t: &mut Transcript) {
    let socket = c::tcp(0);
    t.call("send", c::send(socket, b"x", MSG_NOSIGNAL));
    t.call("recv", c::recv(socket, &mut [0; 1], 0));
    t.call("read", c::read(socket, &mut [0; 1]));
    t.call("shutdown", c::shutdown(socket, SHUT_WR));
    let mut peer = c::Addr::room();
    t.call("getpeername", c::getpeername(socket, &mut peer));
    t.call("lseek", c::lseek(socket, 0, libc::SEEK_SET));
    let event = c::eventfd(0, 0);
    t.call("send on an eventfd", c::send(event, b"x", 0));
    t.call("shutdown of an eventfd", c::shutdown(event, SHUT_WR));
    t.call("getpeername of an eventfd", c::getpeername(event, &mut peer));
    c::close_all(&[socket, event]);
}

fn tcp_blocked_reader_and_local_shutdown(t: &mut Transcript) {
    let (client, server) = c::tcp_pair();
    thread::scope(|scope| {
        let reader = scope.spawn(move || c::recv(client, &mut [0; 1], 0));
        thread::sleep(Duration::from_millis(15));
        t.call("shutdown reading by another thread", c::shutdown(client, SHUT_RD));
        t.value("the blocked recv got", reader.join().expect("the reader"));
    });
    c::close_all(&[client, server]);
}
