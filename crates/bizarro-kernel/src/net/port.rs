//! Which ports of a host are in use, who may share one, and who hears a packet.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::Range;

use bizarro_record::Nanos;

use super::addr::Endpoint;
use super::socket::SockId;

/// `net.ipv4.ip_local_port_range`.
pub(super) const EPHEMERAL: core::ops::RangeInclusive<u16> = 32768..=60999;

/// How long a closed connection keeps its ports (`TCP_TIMEWAIT_LEN`).
const TIME_WAIT: Nanos = Nanos::from_secs(60);

/// A use of a local port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    /// A socket.
    Socket(SockId),
    /// A connection that this side closed first.
    TimeWait {
        local: IpAddr,
        remote: Endpoint,
        /// SO_REUSEADDR of the socket that it was.
        reuse: bool,
    },
}

#[derive(Clone, Copy)]
struct Entry {
    port: u16,
    owner: Owner,
}

/// The ports of one protocol of one host.
#[derive(Default)]
pub(super) struct Ports {
    /// Sorted by port; for one port, in the order of arrival.
    entries: Vec<Entry>,
    /// When each TIME_WAIT ends, soonest first.
    endings: VecDeque<(Nanos, u16)>,
}

impl Ports {
    fn range(&self, port: u16) -> Range<usize> {
        let start = self.entries.partition_point(|entry| entry.port < port);
        let mut end = start;
        while self.entries.get(end).is_some_and(|entry| entry.port == port) {
            end += 1;
        }
        start..end
    }

    /// The users of `port`, first come first.
    pub(super) fn users(&self, port: u16) -> impl DoubleEndedIterator<Item = Owner> + '_ {
        self.entries[self.range(port)].iter().map(|entry| entry.owner)
    }

    pub(super) fn add(&mut self, port: u16, owner: Owner) {
        let at = self.entries.partition_point(|entry| entry.port <= port);
        self.entries.insert(at, Entry { port, owner });
    }

    pub(super) fn remove(&mut self, port: u16, sock: SockId) {
        let range = self.range(port);
        let start = range.start;
        let found = self.entries[range].iter().position(|e| e.owner == Owner::Socket(sock));
        if let Some(at) = found {
            self.entries.remove(start + at);
        }
    }

    /// Keeps `local` in TIME_WAIT.
    pub(super) fn wait(&mut self, now: Nanos, local: Endpoint, remote: Endpoint, reuse: bool) {
        self.expire(now);
        self.add(local.port, Owner::TimeWait { local: local.ip, remote, reuse });
        self.endings.push_back((now + TIME_WAIT, local.port));
    }

    /// Forgets what has waited long enough. They end in the order in which they began.
    pub(super) fn expire(&mut self, now: Nanos) {
        while let Some((end, port)) = self.endings.front().copied() {
            if end > now {
                break;
            }
            self.endings.pop_front();
            let range = self.range(port);
            let start = range.start;
            let waits = |e: &Entry| matches!(e.owner, Owner::TimeWait { .. });
            if let Some(at) = self.entries[range].iter().position(waits) {
                self.entries.remove(start + at);
            }
        }
    }

    /// Uses that are known, and ends of TIME_WAIT that will come.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len() + self.endings.len()
    }

    /// Forgets everything: the host lost its power.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.endings.clear();
    }
}

/// What a socket that wants a port says of itself.
#[derive(Clone, Copy)]
pub(super) struct Claim {
    /// The address; unspecified for all.
    pub(super) ip: IpAddr,
    /// An IPv6 wildcard that does not take IPv4 too.
    pub(super) v6_only: bool,
    pub(super) reuse_addr: bool,
    pub(super) reuse_port: bool,
    /// Listens: then SO_REUSEADDR does not help those who come later.
    pub(super) listens: bool,
}

/// Whether a packet could be for both addresses.
fn overlap(a: &Claim, b: &Claim) -> bool {
    let takes = |x: &Claim, ip: IpAddr| match x.ip {
        IpAddr::V6(own) if own.is_unspecified() => ip.is_ipv6() || !x.v6_only,
        IpAddr::V4(own) if own.is_unspecified() => {
            // An IPv6 wildcard that takes IPv4 too meets an IPv4 wildcard from the other side.
            ip.is_ipv4()
        }
        own => own == ip,
    };
    takes(a, b.ip) || takes(b, a.ip)
}

/// Whether `new` may not be bound beside `old` (`inet_csk_bind_conflict` of Linux).
pub(super) fn conflicts(new: &Claim, old: &Claim) -> bool {
    if new.reuse_port && old.reuse_port {
        return false;
    }
    if new.reuse_addr && old.reuse_addr && !old.listens {
        return false;
    }
    overlap(new, old)
}

/// How well a socket bound to `own` fits a packet for `to`; `None` where it does not. Larger is better.
pub(super) fn fit(own: IpAddr, v6_only: bool, to: IpAddr) -> Option<u32> {
    match own {
        IpAddr::V4(ip) if ip.is_unspecified() => to.is_ipv4().then_some(1),
        IpAddr::V6(ip) if ip.is_unspecified() => (to.is_ipv6() || !v6_only).then_some(1),
        ip => (ip == to).then_some(2),
    }
}

/// Spreads connections over a SO_REUSEPORT group: a hash of both ends (FNV-1a), the same in every run.
pub(super) fn spread(from: Endpoint, to: Endpoint) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for end in [from, to] {
        match end.ip {
            IpAddr::V4(ip) => mix(&ip.octets()),
            IpAddr::V6(ip) => mix(&ip.octets()),
        }
        mix(&end.port.to_be_bytes());
    }
    hash ^ (hash >> 32)
}
