//! What happens to a TCP connection when nothing is heard: retransmission, keep-alive, SYN retries.

use bizarro_record::Nanos;

use super::options::Opt;
use super::socket::SockId;
use super::tcp::{HELD, LOST, Path, State};
use super::{Cx, Later, Net, Wake};
use crate::errno::Errno;

/// The first retransmission timeout (`TCP_RTO_MIN`).
pub(super) const FIRST_TIMEOUT: Nanos = Nanos::from_millis(200);
/// The longest (`TCP_RTO_MAX`).
const LONGEST_TIMEOUT: Nanos = Nanos::from_secs(120);
/// `net.ipv4.tcp_retries2`: with the timeouts above, 924.6 s.
const RETRIES: u32 = 15;
/// `net.ipv4.tcp_orphan_retries`, where it is 0: a socket that nobody holds is given up sooner.
const ORPHAN_RETRIES: u32 = 8;
/// `net.ipv4.tcp_syn_retries`: 127 s.
const SYN_RETRIES: u32 = 6;

fn timeout(expired: u32) -> Nanos {
    Nanos(FIRST_TIMEOUT.0 << expired.min(20)).min(LONGEST_TIMEOUT)
}

impl Net {
    /// Starts the retransmission timer.
    pub(super) fn tcp_arm_retransmission(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((base, tcp)) = self.tcp(id) else { return };
        let user_timeout = base.options.get(Opt::UserTimeout);
        let timer = &mut tcp.retransmission;
        if timer.expired == 0 {
            timer.since = cx.now;
        }
        timer.is_armed = true;
        timer.number += 1;
        let mut at = cx.now + timeout(timer.expired);
        if user_timeout > 0 {
            // LINUX: the timer never outlives TCP_USER_TIMEOUT (tcp_clamp_rto_to_user_timeout).
            let end = timer.since + Nanos::from_millis(user_timeout as u64);
            at = at.min(end.max(cx.now + Nanos::from_millis(1)));
        }
        let number = timer.number;
        cx.later(at, Later::Retransmit { sock: id, number });
    }

    /// The retransmission timer expires.
    pub(super) fn tcp_retransmit_timer(&mut self, cx: &mut Cx<'_>, id: SockId, number: u32) {
        let is_calm = self.conditions.is_calm();
        let Some((base, tcp)) = self.tcp(id) else { return };
        let timer = &mut tcp.retransmission;
        if timer.number != number || !timer.is_armed {
            return;
        }
        timer.is_armed = false;
        let is_slow = !is_calm && tcp.flight.front().is_some_and(|s| s.arrives != HELD);
        let awaits = is_slow || tcp.unheard.is_some();
        if !awaits && tcp.flight.iter().all(|segment| segment.arrives != LOST) {
            timer.expired = 0;
            return;
        }
        timer.expired += 1;
        let limit = if tcp.is_orphan { ORPHAN_RETRIES } else { RETRIES };
        let user_timeout = base.options.get(Opt::UserTimeout);
        let is_over = if user_timeout > 0 && !tcp.is_orphan {
            cx.now >= timer.since + Nanos::from_millis(user_timeout as u64)
        } else {
            timer.expired > limit
        };
        if is_over {
            return self.tcp_time_out(cx, id, Errno::ETIMEDOUT);
        }
        self.tcp_resend(cx, id);
        if awaits {
            self.tcp_ask_again(cx, id);
            self.tcp_awaits(cx, id);
        }
    }

    /// The connection is given up (`tcp_write_err`).
    fn tcp_time_out(&mut self, cx: &mut Cx<'_>, id: SockId, error: Errno) {
        let Some((base, tcp)) = self.tcp(id) else { return };
        let (host, peer_host) = (base.host, tcp.peer_host);
        // LINUX: what a router said in between is the better reason (sk_err_soft).
        let told = match self.conditions.is_calm() {
            true => None,
            false => self.conditions.refusal(cx, host, peer_host),
        };
        let Some((base, tcp)) = self.tcp(id) else { return };
        base.error = Some(told.filter(|told| *told == Errno::EHOSTUNREACH).unwrap_or(error));
        tcp.purge();
        self.tcp_wake(cx, id, Wake::ERROR);
        self.tcp_done(cx, id);
    }

    /// A SYN got no answer: it is sent again, or connect(2) fails.
    pub(super) fn tcp_syn_timer(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((base, tcp)) = self.tcp(id) else { return };
        if tcp.state != State::SynSent {
            return;
        }
        let retries = match base.options.get(Opt::SynCnt) {
            0 => SYN_RETRIES,
            n => n as u32,
        };
        let user_timeout = base.options.get(Opt::UserTimeout);
        let waited = cx.now - tcp.heard;
        let is_over = user_timeout > 0 && waited >= Nanos::from_millis(user_timeout as u64);
        if tcp.syns > retries || is_over {
            return self.tcp_time_out(cx, id, Errno::ETIMEDOUT);
        }
        self.tcp_send_syn(cx, id);
    }

    /// Starts the keep-alive timer, if the socket wants it. It is only called when the path is dead: on a living one
    /// every probe would be answered, and nobody would see a difference.
    pub(super) fn tcp_arm_keep_alive(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((base, tcp)) = self.tcp(id) else { return };
        if base.options.get(Opt::KeepAlive) == 0 || !tcp.is_synchronised() {
            return;
        }
        let idle = Nanos::from_secs(base.options.get(Opt::KeepIdle) as u64);
        tcp.keep_alive.number += 1;
        tcp.keep_alive.probes = 0;
        let number = tcp.keep_alive.number;
        // Probes that were answered before the path died put off the next one by as many intervals.
        let quiet = (cx.now - tcp.heard).0;
        let due = tcp.heard + Nanos((quiet / idle.0.max(1) + 1) * idle.0);
        cx.later(due, Later::KeepAlive { sock: id, number });
    }

    /// The keep-alive timer expires.
    pub(super) fn tcp_keep_alive_timer(&mut self, cx: &mut Cx<'_>, id: SockId, number: u32) {
        let Some((base, tcp)) = self.tcp(id) else { return };
        let wanted = base.options.get(Opt::KeepAlive) != 0;
        if tcp.keep_alive.number != number || !wanted || tcp.is_orphan {
            return;
        }
        let (count, interval) =
            (base.options.get(Opt::KeepCnt) as u32, base.options.get(Opt::KeepIntvl) as u64);
        let user_timeout = base.options.get(Opt::UserTimeout);
        let (peer, peer_host, is_dark) = (tcp.peer, tcp.peer_host, tcp.path == Path::Dark);
        let host = base.host;
        let quiet = cx.now - tcp.heard;
        let idle = base.options.get(Opt::KeepIdle) as u64;
        let is_dead = is_dark
            || self.hosts[usize::from(peer_host)].is_off
            || self.conditions.is_dead(host, peer_host);
        if !is_dead {
            // The path lives again: a probe is answered, with a reset if nobody knows the connection.
            if self.tcp(peer).is_none() {
                self.tcp_answer_rst(cx, id);
            }
            return;
        }
        if !self.conditions.is_calm() {
            self.conditions.feel_silence(cx, host, peer_host);
        }
        if quiet < Nanos::from_secs(idle) {
            // The other end was heard, though it may not hear this one.
            return self.tcp_arm_keep_alive(cx, id);
        }
        let Some((_, tcp)) = self.tcp(id) else { return };
        let is_over = match user_timeout {
            0 => tcp.keep_alive.probes >= count,
            limit => tcp.keep_alive.probes > 0 && quiet >= Nanos::from_millis(limit as u64),
        };
        // LINUX: while data waits for its acknowledgement no probes are sent; the retransmission timer decides.
        let is_waiting = !tcp.flight.is_empty() || tcp.unheard.is_some();
        if is_over && !is_waiting {
            return self.tcp_time_out(cx, id, Errno::ETIMEDOUT);
        }
        if !is_waiting {
            tcp.keep_alive.probes += 1;
        }
        cx.later(cx.now + Nanos::from_secs(interval), Later::KeepAlive { sock: id, number });
    }

    /// What a host does to connections when it falls silent: the other ends retransmit and probe in vain.
    pub(super) fn tcp_peers_of(&mut self, cx: &mut Cx<'_>, host: u16) {
        let is_peer = |socket: &super::Socket| {
            matches!(&socket.proto, super::Proto::Tcp(tcp)
                if tcp.peer_host == host && socket.base.host != host && tcp.is_synchronised())
        };
        for id in self.sockets.filter(is_peer) {
            self.tcp_lose_all(cx, id);
            self.tcp_arm_keep_alive(cx, id);
        }
    }
}
