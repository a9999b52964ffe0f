//! What TCP makes of a way that is silent, in one direction or both.

use bizarro_record::Nanos;

use super::{Ends, Net};
use crate::net::link::Fate;
use crate::net::socket::{Proto, SockId, Socket};
use crate::net::tcp::{Path, What};
use crate::net::{Cx, Later};

/// What the other end has and this one has not heard of.
#[derive(Default)]
pub(in crate::net) struct Unheard {
    /// Bytes.
    pub(in crate::net) bytes: usize,
    /// The FIN, too.
    pub(in crate::net) has_fin: bool,
}

impl Unheard {
    pub(in crate::net) fn is_some(&self) -> bool {
        self.bytes > 0 || self.has_fin
    }
}

impl Net {
    /// Connections whose ends are at these hosts.
    fn tcp_between(&self, ends: &Ends) -> alloc::vec::Vec<SockId> {
        let is_between = |socket: &Socket| {
            matches!(&socket.proto, Proto::Tcp(tcp)
                if tcp.path == Path::Link
                    && tcp.is_synchronised()
                    && ends.is_between(socket.base.host, tcp.peer_host))
        };
        self.sockets.filter(is_between)
    }

    /// A way has fallen silent: who keeps his connections alive will find out.
    pub(super) fn tcp_falls_silent(&mut self, cx: &mut Cx<'_>, ends: &Ends) {
        for id in self.tcp_between(ends) {
            self.tcp_arm_keep_alive(cx, id);
        }
    }

    /// A way is no longer what it was. What a stall held up of acknowledgements arrives; and windows that opened without
    /// being heard of are found by probes.
    pub(super) fn tcp_is_heard_again(&mut self, cx: &mut Cx<'_>, ends: &Ends, brings_acks: bool) {
        for id in self.tcp_between(ends) {
            let Some((base, tcp)) = self.tcp(id) else { continue };
            let (host, peer_host, peer_holds) = (base.host, tcp.peer_host, tcp.peer_holds);
            if brings_acks && tcp.unheard.is_some() && ends.is_way(peer_host, host) {
                self.tcp_all_acknowledged(cx, id);
            }
            if peer_holds {
                self.tcp_window_opened(cx, id);
            }
            self.tcp_finds_room(cx, id);
        }
    }

    /// A box on the way resets every connection that it knows. Gives the ends of one of them.
    pub(super) fn tcp_reset_between(&mut self, cx: &mut Cx<'_>, ends: &Ends) -> Option<(u16, u16)> {
        let mut found = None;
        for id in self.tcp_between(ends) {
            found = found.or(self.tcp(id).map(|(base, tcp)| (base.host, tcp.peer_host)));
            self.tcp_rst_arrives(cx, id);
        }
        found
    }

    /// Whether a box on the way resets the connection on which something is being sent.
    #[cold]
    pub(in crate::net) fn tcp_meets_reset(
        &mut self,
        cx: &mut Cx<'_>,
        from: SockId,
        to: SockId,
    ) -> bool {
        let Some((base, tcp)) = self.tcp(from) else { return false };
        let (host, peer_host, path) = (base.host, tcp.peer_host, tcp.path);
        if path != Path::Link || !self.conditions.resets(cx, host, peer_host) {
            return false;
        }
        self.tcp_rst_arrives(cx, from);
        self.tcp_rst_arrives(cx, to);
        true
    }

    /// Sees to it that the retransmission timer runs while the other end is not heard.
    pub(in crate::net) fn tcp_awaits(&mut self, cx: &mut Cx<'_>, id: SockId) {
        if self.tcp(id).is_some_and(|(_, tcp)| !tcp.retransmission.is_armed) {
            self.tcp_arm_retransmission(cx, id);
        }
    }

    /// A segment of `id` was delivered: whether its acknowledgement does not come, so that the sender does not know.
    #[cold]
    pub(in crate::net) fn tcp_is_unheard(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        what: What,
        length: usize,
    ) -> bool {
        let Some((base, tcp)) = self.tcp(id) else { return false };
        let (host, peer_host, path) = (base.host, tcp.peer_host, tcp.path);
        if path != Path::Link || !self.conditions.is_silent(peer_host, host) {
            self.tcp_all_acknowledged(cx, id);
            return false;
        }
        let Some((_, tcp)) = self.tcp(id) else { return false };
        match what {
            What::Data => tcp.unheard.bytes += length,
            What::Fin => tcp.unheard.has_fin = true,
            What::Ack | What::Rst => return false,
        }
        self.tcp_awaits(cx, id);
        true
    }

    /// An acknowledgement of everything that was delivered has come.
    pub(in crate::net) fn tcp_all_acknowledged(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((_, tcp)) = self.tcp(id) else { return };
        let unheard = core::mem::take(&mut tcp.unheard);
        if unheard.is_some() {
            tcp.retransmission.expired = 0;
            tcp.heard = cx.now;
        }
        if unheard.bytes > 0 {
            self.tcp_acknowledged(cx, id, What::Data, unheard.bytes);
        }
        if unheard.has_fin {
            self.tcp_acknowledged(cx, id, What::Fin, 0);
            self.tcp_free_if_over(id);
        }
    }

    /// What was delivered and not acknowledged is sent again: the other end throws it away and acknowledges it, if
    /// both get through.
    pub(in crate::net) fn tcp_ask_again(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((base, tcp)) = self.tcp(id) else { return };
        if !tcp.unheard.is_some() {
            return;
        }
        let (host, peer_host) = (base.host, tcp.peer_host);
        if self.conditions.is_silent(host, peer_host) {
            return;
        }
        let Fate::Arrives(there) = self.carry(cx, host, peer_host, 0) else { return };
        if let Fate::Arrives(back) = self.carry(cx, peer_host, host, 0) {
            let arrives = there + Nanos(back.0 - cx.now.0);
            cx.later(arrives, Later::Acknowledged(id));
        }
    }
}
