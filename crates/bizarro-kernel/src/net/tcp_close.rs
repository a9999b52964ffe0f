//! How a TCP connection ends: shutdown, close, abort, and what is left of it.

use alloc::vec::Vec;

use super::options::Opt;
use super::port::Owner;
use super::socket::{RCV_SHUTDOWN, SEND_SHUTDOWN, SHUTDOWN_MASK, SockId};
use super::tcp::{Attempt, CHANGED, Path, Segment, State, What};
use super::{Cx, Net};
use crate::errno::Errno;

impl Net {
    /// shutdown(2) of a TCP socket; `how` is a mask of `RCV_SHUTDOWN` and `SEND_SHUTDOWN` (`inet_shutdown`).
    pub(super) fn tcp_shutdown(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        how: u8,
    ) -> Result<(), Errno> {
        let (base, tcp) = self.tcp(id).ok_or(Errno::EBADF)?;
        match tcp.state {
            State::Close => {
                base.shutdown |= how;
                cx.wake(id, CHANGED);
                return Err(Errno::ENOTCONN);
            }
            State::Listen => {
                if how & RCV_SHUTDOWN != 0 {
                    self.tcp_stop_listening(cx, id);
                }
            }
            State::SynSent => {
                self.tcp_done(cx, id);
                let (base, tcp) = self.tcp(id).ok_or(Errno::EBADF)?;
                base.shutdown = 0;
                tcp.attempt = Attempt::Unconnected;
            }
            _ => {
                base.shutdown |= how;
                if how & SEND_SHUTDOWN != 0 {
                    self.tcp_send_fin(cx, id);
                }
            }
        }
        self.tcp_wake(cx, id, CHANGED);
        Ok(())
    }

    /// Sends a FIN after everything else, if none was sent yet.
    pub(super) fn tcp_send_fin(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((_, tcp)) = self.tcp(id) else { return };
        tcp.state = match tcp.state {
            State::Established | State::SynRecv => State::FinWait1,
            State::CloseWait => State::LastAck,
            _ => return,
        };
        let mut segment = Segment::sign(What::Fin);
        segment.mark = self.exchange_closes(id);
        self.tcp_queue(cx, id, segment);
    }

    /// The last descriptor of a TCP socket is closed (`__tcp_close`).
    pub(super) fn tcp_close(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((base, tcp)) = self.tcp(id) else { return };
        let lingers_not = base.options.linger == Some(0);
        base.shutdown = SHUTDOWN_MASK;
        let (state, connection) = (tcp.state, tcp.connection);
        self.exchanges.broken(connection, cx.now);
        let Some((_, tcp)) = self.tcp(id) else { return };
        match state {
            State::Listen => {
                self.tcp_stop_listening(cx, id);
                self.tcp_free(id);
            }
            State::SynSent => self.tcp_free(id),
            State::Close => {
                tcp.is_orphan = true;
                self.tcp_free_if_over(id);
            }
            _ => {
                let is_unread = tcp.rx_bytes > 0;
                tcp.is_orphan = true;
                tcp.orphaned = cx.now;
                tcp.rx.clear();
                tcp.rx_bytes = 0;
                if is_unread || lingers_not {
                    self.tcp_abort(cx, id);
                } else {
                    self.tcp_send_fin(cx, id);
                    self.tcp_free_if_over(id);
                }
            }
        }
    }

    /// Sends an RST after what is in the air, and forgets the rest. The connection is over at this end.
    pub(super) fn tcp_abort(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((_, tcp)) = self.tcp(id) else { return };
        if !tcp.is_synchronised() {
            return;
        }
        let on_the_way = tcp.flight.iter().take_while(|segment| segment.is_in_air()).count();
        tcp.flight.truncate(on_the_way);
        tcp.queued = tcp.flight.iter().map(|segment| segment.data.len()).sum();
        tcp.held = 0;
        tcp.unheard = super::condition::Unheard::default();
        self.tcp_queue(cx, id, Segment::sign(What::Rst));
        if let Some((_, tcp)) = self.tcp(id) {
            // On a dead path the reset is lost, and never sent again.
            tcp.flight.retain(Segment::is_in_air);
        }
        self.tcp_done(cx, id);
    }

    /// Both sides have finished, and this one first: the ports stay taken for a minute.
    pub(super) fn tcp_time_wait(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((base, tcp)) = self.tcp(id) else { return };
        let (host, local, remote) = (usize::from(base.host), tcp.local, tcp.remote);
        let reuse = base.options.get(Opt::ReuseAddr) != 0;
        tcp.holds_port = false;
        self.hosts[host].ports_tcp.remove(local.port, id);
        self.hosts[host].ports_tcp.wait(cx.now, local, remote, reuse);
        self.tcp_done(cx, id);
    }

    /// A listening socket ends: its connections are reset.
    pub(super) fn tcp_stop_listening(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((base, tcp)) = self.tcp(id) else { return };
        let (host, port) = (usize::from(base.host), tcp.local.port);
        tcp.listener = None;
        tcp.state = State::Close;
        if !tcp.is_bound_port {
            tcp.holds_port = false;
            self.hosts[host].ports_tcp.remove(port, id);
        }
        for child in self.tcp_children(host, port, id) {
            let Some((_, tcp)) = self.tcp(child) else { continue };
            tcp.is_orphan = true;
            if tcp.state == State::SynRecv {
                self.tcp_free(child);
            } else {
                self.tcp_abort(cx, child);
                self.tcp_free_if_over(child);
            }
        }
    }

    fn tcp_children(&self, host: usize, port: u16, parent: SockId) -> Vec<SockId> {
        let is_child = |id: &SockId| {
            self.sockets.get(*id).is_some_and(
                |socket| matches!(&socket.proto, super::Proto::Tcp(tcp) if tcp.parent == parent),
            )
        };
        let sock = |owner| match owner {
            Owner::Socket(id) => Some(id),
            Owner::TimeWait { .. } => None,
        };
        self.hosts[host].ports_tcp.users(port).filter_map(sock).filter(is_child).collect()
    }

    /// Frees a socket that nobody holds, when nothing of it is on its way any more.
    pub(super) fn tcp_free_if_over(&mut self, id: SockId) {
        if self.tcp(id).is_some_and(|(_, tcp)| {
            tcp.is_orphan && tcp.state == State::Close && tcp.flight.is_empty()
        }) {
            self.tcp_free(id);
        }
    }

    /// The socket is gone.
    pub(super) fn tcp_free(&mut self, id: SockId) {
        let Some((base, tcp)) = self.tcp(id) else { return };
        let (host, local, parent) = (usize::from(base.host), tcp.local, tcp.parent);
        let (holds_port, connection) = (tcp.holds_port, tcp.connection);
        if let Some(listener) = self.tcp(parent).and_then(|(_, tcp)| tcp.listener.as_mut()) {
            match listener.queue.iter().position(|child| *child == id) {
                Some(at) => drop(listener.queue.remove(at)),
                None => listener.half_open -= 1,
            }
        }
        self.exchanges.over(connection);
        if holds_port {
            self.hosts[host].ports_tcp.remove(local.port, id);
        }
        self.sockets.remove(id);
    }

    /// The connection fails as if an RST had met the sender, before a byte left: the peer gets an RST, and
    /// the call that sends gets the error.
    pub(super) fn tcp_break(&mut self, cx: &mut Cx<'_>, id: SockId) {
        if self.tcp(id).is_some_and(|(_, tcp)| tcp.path != Path::Dark) {
            self.tcp_abort(cx, id);
        }
    }

    /// Tells the other end that this one has finished, in place of bytes; what follows is swallowed.
    pub(super) fn tcp_sever(&mut self, cx: &mut Cx<'_>, id: SockId) {
        self.tcp_queue(cx, id, Segment::sign(What::Fin));
        if let Some((_, tcp)) = self.tcp(id) {
            tcp.is_severed = true;
        }
    }
}
