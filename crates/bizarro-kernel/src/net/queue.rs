//! Queues on the way between hosts: a sender waits until there is room, or its datagram is lost.
//!
//! DIVERGENCE: a sender of TCP that fills a queue loses packets on a real network, sends them again a round trip later and
//! slows down until what it sends just fits. Here it fits at once: a segment that finds the queue half full waits in the
//! sender's buffer until there is room. A program sees the same: the rate of the slowest queue, and the delay of a full one.

use bizarro_record::Nanos;

use super::socket::SockId;
use super::tcp::{HELD, Path};
use super::{Cx, Later, Net};

/// Whether a socket has just sent something: then those who have not come before it when there is room again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turn {
    Had,
    HadNot,
}

/// The longest segment where there are queues: ten packets, with which a connection begins on Linux.
pub(super) const SHORT_SEGMENT: usize = 14480;

/// How much of a queue a packet may find taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Room {
    /// All but the last place: of a datagram.
    Any,
    /// Half of it: of a segment of TCP, which stands for many packets.
    Half,
}

impl Room {
    /// Of a queue that takes so long to send.
    pub(super) fn of(self, longest_wait: Nanos) -> Nanos {
        match self {
            Room::Any => longest_wait,
            Room::Half => Nanos(longest_wait.0 / 2),
        }
    }
}

impl Net {
    /// When the queues between two hosts have room for more, if one of them has none now.
    #[inline]
    pub(super) fn full_until(&self, now: Nanos, from: u16, to: u16, room: Room) -> Option<Nanos> {
        if !self.has_queues() {
            return None;
        }
        let condition = self.conditions.full_until(now, from, to, room);
        condition.max(self.links.switches.full_until(now, from, to, room))
    }

    /// Whether a segment of this socket finds no room on its way; then the socket hears of it when there is some.
    #[inline]
    pub(super) fn tcp_finds_no_room(&mut self, cx: &mut Cx<'_>, id: SockId, turn: Turn) -> bool {
        if !self.has_queues() {
            return false;
        }
        self.tcp_waits_for_room(cx, id, turn)
    }

    /// Whether there is any queue that may be full.
    #[inline]
    pub(super) fn has_queues(&self) -> bool {
        !self.conditions.is_calm() || !self.links.switches.is_empty()
    }

    #[cold]
    fn tcp_waits_for_room(&mut self, cx: &mut Cx<'_>, id: SockId, turn: Turn) -> bool {
        let Some((base, tcp)) = self.tcp(id) else { return false };
        let (from, to, is_told) = (base.host, tcp.peer_host, tcp.is_told_of_room);
        if tcp.path != Path::Link {
            return false;
        }
        let Some(at) = self.full_until(cx.now, from, to, Room::Half) else { return false };
        if let Some((_, tcp)) = self.tcp(id) {
            tcp.is_told_of_room = true;
        }
        if !is_told {
            let behind = if turn == Turn::Had { Nanos(1) } else { Nanos::ZERO };
            cx.later(at + behind, Later::Room(id));
        }
        true
    }

    /// There is room: what was held back is sent, as far as it fits.
    pub(super) fn tcp_finds_room(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((_, tcp)) = self.tcp(id) else { return };
        tcp.is_told_of_room = false;
        let is_waiting = tcp.flight.back().is_some_and(|segment| segment.arrives == HELD);
        let peer = tcp.peer;
        if is_waiting {
            self.tcp_send_held(cx, id, peer);
        }
    }
}
