//! Segments on their way: from the sender's queue over the link into the receiver's queue.

use bizarro_record::packet::Sign;
use bizarro_record::{Event, Nanos};

use super::exchange::Mark;
use super::link::Fate;
use super::options::Opt;
use super::queue::Turn;
use super::socket::{RCV_SHUTDOWN, SockId};
use super::tcp::{CHANGED, HELD, LOST, Path, Segment, State, What};
use super::tcp_timers::FIRST_TIMEOUT;
use super::{Cx, Later, Net, Wake};
use crate::errno::Errno;

impl Net {
    /// What becomes of a packet between two different hosts.
    pub(super) fn carry(&mut self, cx: &mut Cx<'_>, from: u16, to: u16, bytes: usize) -> Fate {
        if self.hosts[usize::from(from)].is_off || self.hosts[usize::from(to)].is_off {
            return Fate::Lost;
        }
        if self.is_walled_off(cx.now, from, to) {
            return Fate::Lost;
        }
        if self.conditions.is_calm() {
            return self.links.carry(cx, from, to, bytes);
        }
        match self.conditions.hinder(cx, from, to, bytes) {
            None => Fate::Lost,
            Some(later) => match self.links.carry(cx, from, to, bytes) {
                Fate::Arrives(at) => Fate::Arrives(at + later),
                Fate::Lost => Fate::Lost,
            },
        }
    }

    /// Whether `host` cannot take a packet now: `Some(None)` if it is off, else the time at which it can.
    pub(super) fn away(&self, cx: &Cx<'_>, host: u16) -> Option<Option<Nanos>> {
        let host = &self.hosts[usize::from(host)];
        if host.is_off {
            Some(None)
        } else if host.paused_until > cx.now {
            Some(Some(host.paused_until))
        } else {
            None
        }
    }

    /// Sends a segment after everything that was sent before it.
    pub(super) fn tcp_queue(&mut self, cx: &mut Cx<'_>, id: SockId, mut segment: Segment) {
        let Some((_, tcp)) = self.tcp(id) else { return };
        if tcp.is_severed && segment.what != What::Rst {
            return self.tcp_swallow(cx, id, segment);
        }
        let length = segment.data.len();
        segment.offset = tcp.sent_bytes;
        tcp.sent_bytes += length as u64;
        let is_data = segment.what == What::Data;
        let must_wait = tcp.held > 0
            || is_data
                && (!self.tcp_has_window(id) || self.tcp_finds_no_room(cx, id, Turn::HadNot));
        let Some((_, tcp)) = self.tcp(id) else { return };
        if must_wait {
            tcp.queued += length;
            tcp.held += length;
            segment.arrives = HELD;
            tcp.flight.push_back(segment);
            let peer = tcp.peer;
            let is_dark = tcp.path == Path::Dark;
            if let Some((_, peer)) = self.tcp(peer) {
                peer.peer_holds = true;
            }
            if is_dark {
                self.tcp_lose_all(cx, id);
            }
            return;
        }
        if tcp.path == Path::Loopback && tcp.flight.is_empty() {
            return self.tcp_deliver(cx, id, segment);
        }
        tcp.queued += length;
        self.tcp_transmit(cx, id, &mut segment);
        if let Some((_, tcp)) = self.tcp(id) {
            tcp.flight.push_back(segment);
        }
        self.tcp_arm(cx, id);
    }

    /// Whether the other end has room for more.
    fn tcp_has_window(&mut self, id: SockId) -> bool {
        let Some((_, tcp)) = self.tcp(id) else { return false };
        let (in_air, peer) = (tcp.queued - tcp.held, tcp.peer);
        self.tcp(peer).is_none_or(|(base, tcp)| tcp.window(&base.options) > in_air)
    }

    /// Puts a segment on the link: says when it arrives, or that it is lost.
    fn tcp_transmit(&mut self, cx: &mut Cx<'_>, id: SockId, segment: &mut Segment) {
        let Some((base, tcp)) = self.tcp(id) else { return };
        let (from, to, length) = (base.host, tcp.peer_host, segment.data.len());
        let fate = match tcp.path {
            Path::Loopback => Fate::Arrives(cx.now),
            Path::Dark => Fate::Lost,
            Path::Link => self.carry(cx, from, to, length),
        };
        if segment.message == 0 {
            self.tcp_show(cx, from, to, segment);
            if fate == Fate::Lost && segment.message != 0 {
                cx.show(to, Event::Dropped { message: segment.message });
            }
        }
        let Some((_, tcp)) = self.tcp(id) else { return };
        segment.arrives = match fate {
            Fate::Lost => LOST,
            Fate::Arrives(at) => {
                // A stream never overtakes itself.
                tcp.last_arrival = tcp.last_arrival.max(at + tcp.late);
                tcp.last_arrival
            }
        };
        let is_very_late = segment.is_in_air() && segment.arrives - cx.now > FIRST_TIMEOUT;
        if is_very_late && !self.conditions.is_calm() {
            self.tcp_awaits(cx, id);
        }
        let Some((_, tcp)) = self.tcp(id) else { return };
        if cx.observer.wants_packets() {
            let (source, destination) = (tcp.local, tcp.remote);
            let arrives = segment.is_in_air().then_some(segment.arrives);
            cx.show_segment((from, source), (to, destination), arrives, segment);
        }
    }

    /// Shows the first segment of a message, and the signs, to the observer.
    fn tcp_show(&mut self, cx: &mut Cx<'_>, from: u16, to: u16, segment: &mut Segment) {
        if from == to || !cx.observer.wants_messages() {
            return;
        }
        let label = match segment.what {
            What::Data if segment.mark.is_first() => self.exchanges.label(segment.mark),
            What::Fin => "fin".into(),
            What::Rst => "rst".into(),
            _ => return,
        };
        segment.message = self.next_message();
        let bytes = u32::try_from(segment.data.len()).unwrap_or(u32::MAX);
        cx.show(from, Event::Sent { message: segment.message, to, bytes, label });
    }

    /// Sees to it that what is first in the flight comes to its end: by arriving, or by being sent again.
    pub(super) fn tcp_arm(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((_, tcp)) = self.tcp(id) else { return };
        let Some(first) = tcp.flight.front() else { return };
        if first.is_in_air() && !tcp.is_armed {
            let at = first.arrives.max(cx.now);
            tcp.is_armed = true;
            cx.later(at, Later::Arrive(id));
        }
        if !tcp.retransmission.is_armed && tcp.flight.iter().any(|s| s.arrives == LOST) {
            self.tcp_arm_retransmission(cx, id);
        }
    }

    /// The first segments of the flight arrive.
    pub(super) fn tcp_arrive(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((_, tcp)) = self.tcp(id) else { return };
        tcp.is_armed = false;
        if tcp.path == Path::Dark {
            return self.tcp_lose_all(cx, id);
        }
        let peer_host = tcp.peer_host;
        match self.away(cx, peer_host) {
            Some(None) => return self.tcp_lose_all(cx, id),
            Some(Some(at)) => {
                if let Some((_, tcp)) = self.tcp(id) {
                    tcp.is_armed = true;
                }
                return cx.later(at, Later::Arrive(id));
            }
            None => {}
        }
        loop {
            let Some((_, tcp)) = self.tcp(id) else { return };
            if tcp.flight.front().is_none_or(|segment| segment.arrives > cx.now) {
                break;
            }
            let Some(segment) = tcp.flight.pop_front() else { break };
            tcp.queued -= segment.data.len();
            self.tcp_deliver(cx, id, segment);
        }
        self.tcp_free_if_over(id);
        self.tcp_arm(cx, id);
    }

    /// A segment of `from` is at the other end.
    fn tcp_deliver(&mut self, cx: &mut Cx<'_>, from: SockId, segment: Segment) {
        let is_calm = self.conditions.is_calm();
        let Some((_, tcp)) = self.tcp(from) else { return };
        let (to, to_host) = (tcp.peer, tcp.peer_host);
        let is_calm = is_calm && !tcp.unheard.is_some();
        if segment.message != 0 {
            cx.show(to_host, Event::Delivered { message: segment.message });
        }
        let (what, length) = (segment.what, segment.data.len());
        if what == What::Data && !is_calm && self.tcp_meets_reset(cx, from, to) {
            return;
        }
        match what {
            What::Rst => return self.tcp_rst_arrives(cx, to),
            What::Ack => self.tcp_established(cx, to),
            What::Data => self.tcp_data_arrives(cx, from, to, segment),
            What::Fin => self.tcp_fin_arrives(cx, from, to, segment.mark),
        }
        if !is_calm && self.tcp_is_unheard(cx, from, what, length) {
            return;
        }
        if let Some((_, tcp)) = self.tcp(from) {
            tcp.retransmission.expired = 0;
            tcp.retransmission.since = cx.now;
        }
        self.tcp_acknowledged(cx, from, what, length);
    }

    fn tcp_data_arrives(
        &mut self,
        cx: &mut Cx<'_>,
        from: SockId,
        to: SockId,
        mut segment: Segment,
    ) {
        let Some((base, tcp)) = self.tcp(to) else { return self.tcp_answer_rst(cx, from) };
        let is_refused = match tcp.state {
            // LINUX: bytes for a socket that nobody reads any more abort the connection.
            State::FinWait1 | State::FinWait2 => base.is_shut(RCV_SHUTDOWN),
            State::Established | State::SynRecv => tcp.is_orphan,
            _ => true,
        };
        if is_refused {
            if matches!(tcp.state, State::FinWait1 | State::FinWait2) {
                self.tcp_reset(cx, to);
            }
            return self.tcp_answer_rst(cx, from);
        }
        let is_offered = tcp.parent != SockId::NONE;
        let (host, peer_host) = (base.host, tcp.peer_host);
        let is_unheard = tcp.unheard.is_some();
        let more = self.meddled(cx, peer_host, host, &mut segment.data);
        if is_unheard {
            // It carries an acknowledgement, too.
            self.tcp_all_acknowledged(cx, to);
        }
        let Some((base, tcp)) = self.tcp(to) else { return };
        let mark = core::mem::replace(&mut segment.mark, Mark::NONE);
        tcp.heard = cx.now;
        tcp.rx_bytes += segment.data.len();
        tcp.received_bytes += segment.data.len() as u64;
        let is_enough = tcp.rx_bytes as i64 >= i64::from(base.options.get(Opt::RcvLowat));
        tcp.rx.push_back(segment);
        for data in more {
            tcp.rx_bytes += data.len();
            tcp.rx.push_back(Segment::new(data, Mark::NONE, What::Data));
        }
        self.tcp_urgent_arrives(cx, from, to);
        if is_offered {
            self.tcp_established(cx, to);
            self.tcp_offer(cx, to);
        } else if is_enough {
            cx.wake(to, Wake::READABLE);
        }
        if mark.is_some() {
            self.message_arrived(cx, from, to, mark);
        }
        if !self.bursts.is_empty() {
            self.copy_hears(cx, to);
        }
    }

    /// `tcp_fin()`.
    fn tcp_fin_arrives(&mut self, cx: &mut Cx<'_>, from: SockId, to: SockId, mark: Mark) {
        let Some((base, tcp)) = self.tcp(to) else { return self.tcp_answer_rst(cx, from) };
        tcp.heard = cx.now;
        let state = tcp.state;
        match state {
            State::Established | State::SynRecv => tcp.state = State::CloseWait,
            State::FinWait1 => tcp.state = State::Closing,
            State::FinWait2 => {}
            _ => return,
        }
        tcp.is_done = true;
        base.shutdown |= RCV_SHUTDOWN;
        if tcp.parent != SockId::NONE {
            self.tcp_offer(cx, to);
        }
        if mark.is_some() {
            self.message_arrived(cx, from, to, mark);
        }
        if state == State::FinWait2 {
            self.tcp_time_wait(cx, to);
        } else {
            self.tcp_wake(cx, to, CHANGED);
        }
        if !self.bursts.is_empty() {
            self.copy_hears(cx, to);
        }
    }

    /// The other end has what `id` sent.
    pub(super) fn tcp_acknowledged(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        what: What,
        length: usize,
    ) {
        let Some((base, tcp)) = self.tcp(id) else { return };
        if what == What::Data {
            if tcp.space_returns(&base.options, length) && !tcp.is_orphan {
                cx.wake(id, Wake::WRITABLE);
            }
        } else if what == What::Fin {
            match tcp.state {
                State::FinWait1 => {
                    tcp.state = State::FinWait2;
                    tcp.orphaned = cx.now;
                    if base.options.linger.is_some() {
                        self.tcp_wake(cx, id, CHANGED);
                    }
                }
                State::Closing => self.tcp_time_wait(cx, id),
                State::LastAck => self.tcp_done(cx, id),
                _ => {}
            }
        }
    }

    /// The receiver has read: what the sender held back for its window is sent.
    pub(super) fn tcp_window_opened(&mut self, cx: &mut Cx<'_>, receiver: SockId) {
        let Some((base, tcp)) = self.tcp(receiver) else { return };
        let (sender, host, sender_host) = (tcp.peer, base.host, tcp.peer_host);
        if !self.conditions.is_calm() && self.conditions.is_silent(host, sender_host) {
            // The sender does not hear of it. It probes, and will when it can.
            return;
        }
        if let Some((_, tcp)) = self.tcp(receiver) {
            tcp.peer_holds = false;
        }
        self.tcp_send_held(cx, sender, receiver);
    }

    /// Sends what was held back, as far as the receiver and the way have room.
    pub(super) fn tcp_send_held(&mut self, cx: &mut Cx<'_>, sender: SockId, receiver: SockId) {
        let mut turn = Turn::HadNot;
        loop {
            let Some((_, tcp)) = self.tcp(sender) else { return };
            let Some(at) = tcp.flight.iter().position(|s| s.arrives == HELD) else { break };
            if tcp.path == Path::Dark {
                return;
            }
            let is_data = tcp.flight[at].what == What::Data;
            if is_data && self.tcp_finds_no_room(cx, sender, turn) {
                break;
            }
            if is_data && !self.tcp_has_window(sender) {
                if let Some((_, tcp)) = self.tcp(receiver) {
                    tcp.peer_holds = true;
                }
                break;
            }
            let Some((_, tcp)) = self.tcp(sender) else { return };
            let Some(mut segment) = tcp.flight.remove(at) else { return };
            let length = segment.data.len();
            tcp.held -= length;
            if tcp.path == Path::Loopback && at == 0 {
                tcp.queued -= length;
                self.tcp_deliver(cx, sender, segment);
                self.tcp_free_if_over(sender);
                continue;
            }
            turn = Turn::Had;
            self.tcp_transmit(cx, sender, &mut segment);
            if let Some((_, tcp)) = self.tcp(sender) {
                tcp.flight.insert(at, segment);
            }
        }
        self.tcp_arm(cx, sender);
    }

    /// Takes bytes that nobody will see, because the other end believes that the stream has ended.
    fn tcp_swallow(&mut self, cx: &mut Cx<'_>, id: SockId, segment: Segment) {
        let Some((_, tcp)) = self.tcp(id) else { return };
        let peer = tcp.peer;
        if segment.what == What::Data && self.tcp(peer).is_none() {
            self.tcp_answer_rst(cx, id);
        }
        self.pool.give(segment.data);
        self.tcp_acknowledged(cx, id, segment.what, 0);
    }

    /// Nothing of what is under way from `id` arrives: it is sent again when the timer says so.
    pub(super) fn tcp_lose_all(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((_, tcp)) = self.tcp(id) else { return };
        let to = tcp.peer_host;
        tcp.held = 0;
        // A reset is never sent again.
        tcp.flight.retain(|segment| segment.what != What::Rst);
        for segment in &mut tcp.flight {
            let was_in_air = segment.is_in_air();
            segment.arrives = LOST;
            if was_in_air && segment.message != 0 {
                cx.observer.event(cx.now, to, 0, Event::Dropped { message: segment.message });
            }
        }
        self.tcp_arm(cx, id);
        self.tcp_free_if_over(id);
    }

    /// Sends everything that was lost again.
    pub(super) fn tcp_resend(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let count = self.tcp(id).map_or(0, |(_, tcp)| tcp.flight.len());
        for at in 0..count {
            let Some((_, tcp)) = self.tcp(id) else { return };
            if tcp.flight.get(at).is_none_or(|segment| segment.arrives != LOST) {
                continue;
            }
            let Some(mut segment) = tcp.flight.remove(at) else { return };
            self.tcp_transmit(cx, id, &mut segment);
            if let Some((_, tcp)) = self.tcp(id) {
                tcp.flight.insert(at, segment);
            }
        }
        self.tcp_arm(cx, id);
    }

    /// The connection is silent from now on, both ways.
    pub(super) fn tcp_go_dark(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((_, tcp)) = self.tcp(id) else { return };
        let peer = tcp.peer;
        for end in [id, peer] {
            let Some((_, tcp)) = self.tcp(end) else { continue };
            tcp.path = Path::Dark;
            self.tcp_lose_all(cx, end);
            self.tcp_arm_keep_alive(cx, end);
        }
    }

    /// The other end's host has no such connection, and says so.
    pub(super) fn tcp_answer_rst(&mut self, cx: &mut Cx<'_>, to: SockId) {
        let Some((base, tcp)) = self.tcp(to) else { return };
        let (host, peer_host) = (base.host, tcp.peer_host);
        let (local, remote) = (tcp.local, tcp.remote);
        match tcp.path {
            Path::Loopback => self.tcp_rst_arrives(cx, to),
            Path::Dark => {}
            Path::Link => {
                let fate = self.carry(cx, peer_host, host, 0);
                self.show_sign(cx, peer_host, host, "rst", fate);
                cx.show_sign_packet((peer_host, remote), (host, local), fate, Sign::Rst);
                if let Fate::Arrives(at) = fate {
                    cx.later(at, Later::Reset(to));
                }
            }
        }
    }

    /// An RST is at the socket `id`.
    pub(super) fn tcp_rst_arrives(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((base, _)) = self.tcp(id) else { return };
        let host = base.host;
        match self.away(cx, host) {
            Some(None) => {}
            Some(Some(at)) => cx.later(at, Later::Reset(id)),
            None => self.tcp_reset(cx, id),
        }
    }

    /// `tcp_reset()`: an RST arrived.
    pub(super) fn tcp_reset(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((base, tcp)) = self.tcp(id) else { return };
        let error = match tcp.state {
            State::SynSent => Errno::ECONNREFUSED,
            State::CloseWait => Errno::EPIPE,
            State::Close | State::Listen => return,
            _ => Errno::ECONNRESET,
        };
        if tcp.state == State::SynRecv {
            return self.tcp_free(id);
        }
        base.error = Some(error);
        tcp.purge();
        self.tcp_wake(cx, id, Wake::ERROR);
        self.tcp_done(cx, id);
    }
}

impl super::tcp::Tcp {
    /// Throws away everything that has not arrived.
    pub(super) fn purge(&mut self) {
        self.flight.clear();
        self.queued = 0;
        self.held = 0;
        self.unheard = super::condition::Unheard::default();
    }
}
