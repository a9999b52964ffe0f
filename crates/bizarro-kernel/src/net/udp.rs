//! UDP sockets, udp(7): datagrams that arrive, or not, in any order.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::IpAddr;

use bizarro_record::Nanos;

use super::addr::{Endpoint, Route, SockAddr};
use super::calls::{Received, Source, inet_address};
use super::control::{Control, source_of};
use super::exchange::{Connection, Mark};
use super::options::Opt;
use super::port::{Claim, EPHEMERAL, Owner, conflicts, fit, spread};
use super::socket::{Base, Proto, RCV_SHUTDOWN, SEND_SHUTDOWN, SHUTDOWN_MASK, SockId, Socket};
use super::tcp::unspecified;
use super::tcp_connect::loopback_like;
use super::{Cx, Net, Wake};
use crate::errno::Errno;

/// The longest datagram over IPv4: 65535 less the headers.
const LONGEST: usize = 65507;
/// Over IPv6 the IP header does not count.
const LONGEST_V6: usize = 65527;
/// MTU of `eth0`.
const MTU: usize = 1500;

/// A datagram that a socket has received.
pub(super) struct Datagram {
    pub(super) data: Vec<u8>,
    pub(super) from: Endpoint,
    /// The destination address in its header.
    pub(super) to: IpAddr,
    pub(super) tos: u8,
    pub(super) arrived: Nanos,
    pub(super) mark: Mark,
}

/// A UDP socket.
pub(super) struct Udp {
    pub(super) local: Endpoint,
    pub(super) remote: Option<Endpoint>,
    is_bound_ip: bool,
    is_bound_port: bool,
    rx: VecDeque<Datagram>,
    /// An error came that IP_RECVERR queues; see [`Net::has_queued_errors`].
    pub(super) has_queued_errors: bool,
    /// Memory that Linux would charge for `rx`.
    rx_memory: usize,
    /// The flow of the last datagram, so that the next one to the same place is found at once.
    pub(super) flow: Option<(Endpoint, Connection)>,
}

/// What Linux charges for a packet of `length` bytes (`skb->truesize`): the size class of its buffer and the
/// descriptor beside it.
pub(super) fn truesize(length: usize) -> usize {
    const DESCRIPTOR: usize = 256;
    const TRAILER: usize = 320;
    /// What fits into one page beside the trailer; the rest is in pages of its own.
    const HEAD: usize = 4096 - TRAILER;
    if length <= HEAD {
        DESCRIPTOR + (length + TRAILER).next_power_of_two().max(512)
    } else {
        DESCRIPTOR + 4096 + (length - HEAD).next_multiple_of(4096)
    }
}

impl Udp {
    pub(super) fn new(domain: i32) -> Udp {
        Udp {
            local: unspecified(domain),
            remote: None,
            is_bound_ip: false,
            is_bound_port: false,
            rx: VecDeque::new(),
            has_queued_errors: false,
            rx_memory: 0,
            flow: None,
        }
    }

    /// `udp_poll()`.
    pub(super) fn readiness(&self, base: &Base) -> i32 {
        let mut mask = libc::EPOLLOUT | libc::EPOLLWRNORM | libc::EPOLLWRBAND;
        if base.error.is_some() {
            mask |= libc::EPOLLERR;
        }
        if base.is_shut(RCV_SHUTDOWN) {
            mask |= libc::EPOLLRDHUP | libc::EPOLLIN | libc::EPOLLRDNORM;
        }
        if base.shutdown == SHUTDOWN_MASK {
            mask |= libc::EPOLLHUP;
        }
        if !self.rx.is_empty() {
            mask |= libc::EPOLLIN | libc::EPOLLRDNORM;
        }
        mask
    }

    /// FIONREAD.
    pub(super) fn first_length(&self) -> usize {
        self.rx.front().map_or(0, |datagram| datagram.data.len())
    }
}

impl Net {
    pub(super) fn udp(&mut self, id: SockId) -> Result<(&mut Base, &mut Udp), Errno> {
        let socket = self.sockets.get_mut(id).ok_or(Errno::EBADF)?;
        match &mut socket.proto {
            Proto::Udp(udp) => Ok((&mut socket.base, udp)),
            _ => Err(Errno::EBADF),
        }
    }

    /// bind(2) of a UDP socket.
    pub(super) fn udp_bind(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        to: &SockAddr,
    ) -> Result<(), Errno> {
        let (base, udp) = self.udp(id)?;
        let wanted = inet_address(base, to)?;
        if udp.local.port != 0 {
            return Err(Errno::EINVAL);
        }
        let host = base.host;
        let may_be_bound = wanted.ip.is_unspecified()
            || wanted.ip.is_multicast()
            || self.addresses.is_local(host, wanted.ip)
            || self.addresses.is_broadcast(host, wanted.ip);
        if !may_be_bound {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let (_, udp) = self.udp(id)?;
        udp.is_bound_ip = !wanted.ip.is_unspecified();
        self.udp_take_port(cx, id, wanted)?;
        self.udp(id)?.1.is_bound_port = wanted.port != 0;
        Ok(())
    }

    /// Binds to `wanted`, with a drawn port if it has none.
    fn udp_take_port(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        wanted: Endpoint,
    ) -> Result<(), Errno> {
        let host = usize::from(self.udp(id)?.0.host);
        let port = if wanted.port != 0 {
            if self.udp_conflicts(id, wanted.ip, wanted.port) {
                return Err(Errno::EADDRINUSE);
            }
            wanted.port
        } else {
            let (low, count) = (*EPHEMERAL.start(), EPHEMERAL.len() as u64);
            let start = cx.decider.random() % count;
            let mut candidates = (0..count).map(|n| low + ((start + n) % count) as u16);
            let is_unused = |port: &u16| self.hosts[host].ports_udp.users(*port).next().is_none();
            candidates.find(is_unused).ok_or(Errno::EAGAIN)?
        };
        self.udp(id)?.1.local = Endpoint { ip: wanted.ip, port };
        self.hosts[host].ports_udp.add(port, Owner::Socket(id));
        Ok(())
    }

    fn udp_conflicts(&self, id: SockId, ip: IpAddr, port: u16) -> bool {
        let claim = |base: &Base, ip| Claim {
            ip,
            v6_only: base.options.get(Opt::V6Only) != 0,
            reuse_addr: base.options.get(Opt::ReuseAddr) != 0,
            reuse_port: base.options.get(Opt::ReusePort) != 0,
            listens: false,
        };
        let Some(Socket { base, .. }) = self.sockets.get(id) else { return false };
        let new = claim(base, ip);
        self.hosts[usize::from(base.host)].ports_udp.users(port).any(|owner| {
            let Owner::Socket(other) = owner else { return false };
            match self.sockets.get(other) {
                Some(Socket { base, proto: Proto::Udp(udp) }) if other != id => {
                    conflicts(&new, &claim(base, udp.local.ip))
                }
                _ => false,
            }
        })
    }

    /// connect(2) of a UDP socket: says to whom it sends, and from whom it hears.
    pub(super) fn udp_connect(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        to: &SockAddr,
    ) -> Result<(), Errno> {
        if *to == SockAddr::Unspec {
            return self.udp_disconnect(id);
        }
        let (base, udp) = self.udp(id)?;
        let (host, local) = (base.host, udp.local);
        let mut remote = udp_destination(base, to)?;
        if remote.ip.is_unspecified() {
            remote.ip = loopback_like(remote.ip);
        }
        let may_broadcast = base.options.get(Opt::Broadcast) != 0;
        let route = self.addresses.route(host, remote.ip)?;
        if route == Route::Many && self.addresses.is_broadcast(host, remote.ip) && !may_broadcast {
            return Err(Errno::EACCES);
        }
        let ip = if local.ip.is_unspecified() {
            self.addresses.source(host, remote.ip)
        } else {
            local.ip
        };
        if local.port == 0 {
            self.udp_take_port(cx, id, Endpoint { ip, port: 0 })?;
        }
        let (_, udp) = self.udp(id)?;
        udp.local.ip = ip;
        udp.remote = Some(remote);
        Ok(())
    }

    /// Dissolves the association; what bind(2) chose stays.
    fn udp_disconnect(&mut self, id: SockId) -> Result<(), Errno> {
        let (base, udp) = self.udp(id)?;
        let (host, any, port) = (usize::from(base.host), unspecified(base.domain), udp.local.port);
        udp.remote = None;
        if !udp.is_bound_ip {
            udp.local.ip = any.ip;
        }
        if !udp.is_bound_port && port != 0 {
            udp.local.port = 0;
            self.hosts[host].ports_udp.remove(port, id);
        }
        Ok(())
    }

    /// shutdown(2) of a UDP socket: `ENOTCONN` where it is not connected, though it is shut then too.
    pub(super) fn udp_shutdown(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        how: u8,
    ) -> Result<(), Errno> {
        let (base, udp) = self.udp(id)?;
        base.shutdown |= how;
        let is_connected = udp.remote.is_some();
        cx.wake(id, Wake::ALL);
        if is_connected { Ok(()) } else { Err(Errno::ENOTCONN) }
    }

    pub(super) fn udp_close(&mut self, id: SockId) {
        let Ok((base, udp)) = self.udp(id) else { return };
        let (host, port) = (usize::from(base.host), udp.local.port);
        self.hosts[host].ports_udp.remove(port, id);
        self.sockets.remove(id);
    }

    /// sendto(2) of a UDP socket (`udp_sendmsg`).
    pub(super) fn udp_send(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        source: &mut dyn Source,
        to: Option<&SockAddr>,
        control: &[Control],
        flags: i32,
    ) -> Result<usize, Errno> {
        if flags & libc::MSG_OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let length = source.left();
        let (base, udp) = self.udp(id)?;
        let host = base.host;
        let mut remote = match to {
            Some(to) => udp_destination(base, to)?,
            None => udp.remote.ok_or(Errno::EDESTADDRREQ)?,
        };
        if remote.port == 0 {
            return Err(Errno::EINVAL);
        }
        if length > if remote.ip.is_ipv4() { LONGEST } else { LONGEST_V6 } {
            return Err(Errno::EMSGSIZE);
        }
        base.take_error()?;
        if base.is_shut(SEND_SHUTDOWN) {
            return Err(Errno::EPIPE);
        }
        if remote.ip.is_unspecified() {
            remote.ip = loopback_like(remote.ip);
        }
        let (from, route) = self.udp_route(cx, id, remote, control)?;
        self.udp_check_size(id, remote, route, length)?;
        let mut data = self.pool.take(length);
        source.read(&mut data)?;
        let (base, _) = self.udp(id)?;
        let own_tos = if remote.ip.is_ipv4() { Opt::Tos } else { Opt::Tclass };
        let tos = tos_of(control).unwrap_or(base.options.get(own_tos) as u8);
        let datagram =
            Datagram { data, from, to: remote.ip, tos, arrived: cx.now, mark: Mark::NONE };
        match route {
            Route::Loopback => {
                if !self.udp_deliver(cx, host, remote, datagram) {
                    self.port_unreachable(cx, id, remote);
                }
            }
            Route::Host(to_host) => self.udp_fly(cx, id, to_host, remote, datagram)?,
            Route::Resolver => self.ask_resolver(cx, id, remote, datagram),
            Route::Nobody => {}
            Route::Many => self.udp_send_to_many(cx, id, remote, datagram),
        }
        Ok(length)
    }

    /// From which endpoint and to where a datagram goes. Gives the socket a port if it has none.
    fn udp_route(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        remote: Endpoint,
        control: &[Control],
    ) -> Result<(Endpoint, Route), Errno> {
        let (base, udp) = self.udp(id)?;
        let (host, local) = (base.host, udp.local);
        let may_broadcast = base.options.get(Opt::Broadcast) != 0;
        let route = self.addresses.route(host, remote.ip)?;
        if self.addresses.is_broadcast(host, remote.ip) && !may_broadcast {
            return Err(Errno::EACCES);
        }
        if local.port == 0 {
            self.udp_take_port(cx, id, local)?;
        }
        let port = self.udp(id)?.1.local.port;
        let chosen = source_of(control);
        if chosen.is_some_and(|ip| !self.addresses.is_local(host, ip)) {
            return Err(Errno::EINVAL);
        }
        let own = if local.ip.is_unspecified() || local.ip.is_multicast() {
            self.addresses.source(host, remote.ip)
        } else {
            local.ip
        };
        let ip = chosen.unwrap_or(own);
        if ip.is_loopback() && !matches!(route, Route::Loopback | Route::Many) {
            return Err(Errno::EINVAL);
        }
        Ok((Endpoint { ip, port }, route))
    }

    /// `EMSGSIZE` for a datagram that may not be fragmented and does not fit into a packet.
    fn udp_check_size(
        &mut self,
        id: SockId,
        remote: Endpoint,
        route: Route,
        length: usize,
    ) -> Result<(), Errno> {
        let (base, _) = self.udp(id)?;
        let (discover, headers) = match remote.ip {
            IpAddr::V4(_) => (Opt::MtuDiscover, 28),
            IpAddr::V6(_) => (Opt::MtuDiscover6, 48),
        };
        let mode = base.options.get(discover);
        let may_fragment = mode != libc::IP_PMTUDISC_DO && mode != libc::IP_PMTUDISC_PROBE;
        if route != Route::Loopback && !may_fragment && length + headers > MTU {
            return Err(Errno::EMSGSIZE);
        }
        Ok(())
    }

    /// Gives a datagram to the socket of `host` that it is for; `false` where there is none.
    pub(super) fn udp_deliver(
        &mut self,
        cx: &mut Cx<'_>,
        host: u16,
        to: Endpoint,
        datagram: Datagram,
    ) -> bool {
        if to.ip.is_multicast() || self.addresses.is_broadcast(host, to.ip) {
            self.udp_deliver_to_all(cx, host, to, &datagram);
            return true;
        }
        match self.udp_receiver(host, datagram.from, to) {
            Some(id) => {
                self.udp_enqueue(cx, id, datagram);
                true
            }
            None => false,
        }
    }

    /// The socket of `host` that hears a datagram: connected ones first, then the more exactly bound; of
    /// several, the last one bound, or one of a SO_REUSEPORT group.
    fn udp_receiver(&self, host: u16, from: Endpoint, to: Endpoint) -> Option<SockId> {
        let mut best = 0;
        let mut found: Option<SockId> = None;
        let mut group = 0_u64;
        for owner in self.hosts[usize::from(host)].ports_udp.users(to.port) {
            let Owner::Socket(id) = owner else { continue };
            let Some(Socket { base, proto: Proto::Udp(udp) }) = self.sockets.get(id) else {
                continue;
            };
            let v6_only = base.options.get(Opt::V6Only) != 0;
            let Some(mut score) = fit(udp.local.ip, v6_only, to.ip) else { continue };
            match udp.remote {
                Some(remote) if remote == from => score += 4,
                Some(_) => continue,
                None => {}
            }
            if score < best {
                continue;
            }
            let is_same_group =
                score == best && base.options.get(Opt::ReusePort) != 0 && udp.remote.is_none();
            group = if is_same_group { group + 1 } else { 1 };
            best = score;
            if group == 1 || spread(from, to).is_multiple_of(group) {
                found = Some(id);
            }
        }
        found
    }

    fn udp_enqueue(&mut self, cx: &mut Cx<'_>, id: SockId, mut datagram: Datagram) {
        let Ok((base, udp)) = self.udp(id) else { return };
        if udp.rx_memory > base.options.get(Opt::RcvBuf) as usize {
            // LINUX: what does not fit into the receive buffer is dropped, and nobody is told.
            return;
        }
        udp.rx_memory += truesize(datagram.data.len());
        datagram.arrived = cx.now;
        udp.rx.push_back(datagram);
        cx.wake(id, Wake::READABLE);
    }

    /// To every socket of `host` that is bound to the port, and for a group has joined it.
    pub(super) fn udp_deliver_to_all(
        &mut self,
        cx: &mut Cx<'_>,
        host: u16,
        to: Endpoint,
        datagram: &Datagram,
    ) {
        let users: Vec<_> = self.hosts[usize::from(host)].ports_udp.users(to.port).collect();
        for owner in users {
            let Owner::Socket(id) = owner else { continue };
            let Ok((base, udp)) = self.udp(id) else { continue };
            let is_bound = udp.local.ip.is_unspecified() || udp.local.ip == to.ip;
            let is_member = !to.ip.is_multicast() || base.options.groups.contains(&to.ip);
            if is_bound && is_member && udp.remote.is_none_or(|remote| remote == datagram.from) {
                let copy = Datagram { data: datagram.data.clone(), mark: Mark::NONE, ..*datagram };
                self.udp_enqueue(cx, id, copy);
            }
        }
    }

    /// ICMP "port unreachable" for what `id` sent to `to`: a connected socket hears of it.
    pub(super) fn port_unreachable(&mut self, cx: &mut Cx<'_>, id: SockId, to: Endpoint) {
        let Ok((base, udp)) = self.udp(id) else { return };
        let wants_all = base.options.get(Opt::RecvErr) != 0;
        udp.has_queued_errors |= wants_all;
        if udp.remote == Some(to) || wants_all {
            base.error = Some(Errno::ECONNREFUSED);
            cx.wake(id, Wake::ERROR);
        }
    }

    /// recvfrom(2) of a UDP socket.
    pub(super) fn udp_recv(
        &mut self,
        id: SockId,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Errno>,
        max: usize,
        flags: i32,
    ) -> Result<Received, Errno> {
        if flags & libc::MSG_ERRQUEUE != 0 {
            return Err(Errno::EAGAIN);
        }
        let (base, udp) = self.udp(id)?;
        base.take_error()?;
        let Some(first) = udp.rx.front() else {
            let ends = base.is_shut(RCV_SHUTDOWN) && flags & libc::MSG_DONTWAIT == 0;
            return if ends { Ok(Received::default()) } else { Err(Errno::EAGAIN) };
        };
        let length = first.data.len();
        let part = length.min(max);
        sink(&first.data[..part])?;
        let wants_length = flags & libc::MSG_TRUNC != 0;
        let received = Received {
            bytes: if wants_length { length } else { part },
            from: Some(SockAddr::Inet(first.from.shown(base.domain))),
            flags: if part < length { libc::MSG_TRUNC } else { 0 },
            control: control_of(base, first),
        };
        if flags & libc::MSG_PEEK == 0 {
            udp.rx_memory -= truesize(length);
            if let Some(datagram) = udp.rx.pop_front() {
                self.pool.give(datagram.data);
            }
        }
        Ok(received)
    }
}

/// Where sendto(2) and connect(2) of a UDP socket go: an IPv6 socket takes IPv4 addresses too.
fn udp_destination(base: &Base, to: &SockAddr) -> Result<Endpoint, Errno> {
    let endpoint = match to {
        SockAddr::Inet(core::net::SocketAddr::V4(a)) if base.domain == libc::AF_INET6 => {
            Endpoint::new((*a.ip()).into(), a.port())
        }
        _ => inet_address(base, to)?,
    };
    let v6_only = base.domain == libc::AF_INET6 && base.options.get(Opt::V6Only) != 0;
    if v6_only && endpoint.ip.is_ipv4() { Err(Errno::ENETUNREACH) } else { Ok(endpoint) }
}

fn tos_of(control: &[Control]) -> Option<u8> {
    control.iter().find_map(|message| match message {
        Control::Tos(tos) => Some(*tos),
        Control::Tclass(class) => Some(*class as u8),
        _ => None,
    })
}

/// The control messages that the socket asked for (`ip_cmsg_recv`, `ip6_datagram_recv_ctl`).
fn control_of(base: &Base, datagram: &Datagram) -> Vec<Control> {
    let wants = |opt| base.options.get(opt) != 0;
    let mut control = Vec::new();
    if wants(Opt::Timestamp) {
        control.push(Control::Timestamp(datagram.arrived));
    } else if wants(Opt::TimestampNs) {
        control.push(Control::TimestampNs(datagram.arrived));
    }
    let interface = if datagram.to.is_loopback() { 1 } else { 2 };
    if wants(Opt::RecvPktInfo6) {
        let address = match datagram.to {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        control.push(Control::PktInfo6 { address, interface });
    }
    match datagram.to {
        IpAddr::V4(ip) => {
            if wants(Opt::PktInfo) {
                control.push(Control::PktInfo { interface, local: ip, destination: ip });
            }
            if wants(Opt::RecvTtl) {
                control.push(Control::Ttl(64));
            }
            if wants(Opt::RecvTos) {
                control.push(Control::Tos(datagram.tos));
            }
        }
        IpAddr::V6(_) => {
            if wants(Opt::RecvHopLimit) {
                control.push(Control::HopLimit(64));
            }
            if wants(Opt::RecvTclass) {
                control.push(Control::Tclass(i32::from(datagram.tos)));
            }
        }
    }
    control
}
