//! The calls of sockets of every kind, and what they take and give.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::addr::{Endpoint, Interface, SockAddr};
use super::control::Control;
use super::options::Options;
use super::socket::{Base, Proto, RCV_SHUTDOWN, SEND_SHUTDOWN, SHUTDOWN_MASK, SockId, Socket};
use super::tcp::{State, Tcp};
use super::udp::Udp;
use super::unix::Unix;
use super::{Cx, Net, netlink::Netlink};
use crate::errno::Errno;

/// The bytes of a send, wherever they are: they are copied once, into the buffer that travels.
pub trait Source {
    /// How many bytes are left.
    fn left(&self) -> usize;
    /// Copies the next `into.len()` bytes (at most [`Source::left`]). `EFAULT` where the guest does not own them.
    fn read(&mut self, into: &mut [u8]) -> Result<(), Errno>;
}

impl Source for &[u8] {
    fn left(&self) -> usize {
        self.len()
    }
    fn read(&mut self, into: &mut [u8]) -> Result<(), Errno> {
        let (now, later) = self.split_at(into.len());
        into.copy_from_slice(now);
        *self = later;
        Ok(())
    }
}

/// Several slices, one after the other: an iovec.
pub struct Slices<'a>(
    /// The slices; the first ones are cut as they are read.
    pub &'a mut [&'a [u8]],
);

impl Source for Slices<'_> {
    fn left(&self) -> usize {
        self.0.iter().map(|slice| slice.len()).sum()
    }
    fn read(&mut self, mut into: &mut [u8]) -> Result<(), Errno> {
        for slice in self.0.iter_mut() {
            let n = slice.len().min(into.len());
            let (now, later) = slice.split_at(n);
            let (filled, rest) = into.split_at_mut(n);
            filled.copy_from_slice(now);
            *slice = later;
            into = rest;
        }
        Ok(())
    }
}

/// What recv gives.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Received {
    /// What the call returns: bytes given to the sink, or with `MSG_TRUNC` the whole length of the datagram.
    pub bytes: usize,
    /// The sender of a datagram. TCP and connected Unix streams have none.
    pub from: Option<SockAddr>,
    /// `MSG_TRUNC` where a datagram was cut, `MSG_EOR` at the end of a record.
    pub flags: i32,
    /// Control messages, in Linux's order.
    pub control: Vec<Control>,
}

/// What accept gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accepted {
    /// The connection.
    pub sock: SockId,
    /// The address of the other end.
    pub peer: SockAddr,
}

/// The address of an `AF_INET` or `AF_INET6` socket's peer, checked against the socket's domain.
pub(super) fn inet_address(base: &Base, address: &SockAddr) -> Result<Endpoint, Errno> {
    match address {
        SockAddr::Inet(SocketAddr::V4(a)) if base.domain == libc::AF_INET => {
            Ok(Endpoint::new((*a.ip()).into(), a.port()))
        }
        SockAddr::Inet(SocketAddr::V6(a)) if base.domain == libc::AF_INET6 => {
            Ok(Endpoint::new((*a.ip()).into(), a.port()))
        }
        // LINUX: an IPv4 address is too short for an IPv6 socket, before its family is looked at.
        SockAddr::Inet(SocketAddr::V4(_)) if base.domain == libc::AF_INET6 => Err(Errno::EINVAL),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

fn check_kind(domain: i32, kind: i32, protocol: i32) -> Result<i32, Errno> {
    /// One more than the highest type of a socket (`SOCK_MAX`).
    const KINDS: i32 = 11;
    /// One more than the highest family (`AF_MAX`).
    const FAMILIES: i32 = 46;
    let is_inet = domain == libc::AF_INET || domain == libc::AF_INET6;
    if !(0..KINDS).contains(&kind) && (0..FAMILIES).contains(&domain) {
        return Err(Errno::EINVAL);
    }
    match (domain, kind) {
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM) => match protocol {
            0 | libc::IPPROTO_TCP => Ok(libc::IPPROTO_TCP),
            _ => Err(Errno::EPROTONOSUPPORT),
        },
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM) => match protocol {
            0 | libc::IPPROTO_UDP => Ok(libc::IPPROTO_UDP),
            // LINUX: ping sockets need a group that no guest is in (net.ipv4.ping_group_range).
            libc::IPPROTO_ICMP => Err(Errno::EACCES),
            _ => Err(Errno::EPROTONOSUPPORT),
        },
        (_, libc::SOCK_RAW) if is_inet => Err(Errno::EPERM),
        (libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_DGRAM | libc::SOCK_SEQPACKET) => {
            match protocol {
                0 | libc::PF_UNIX => Ok(0),
                _ => Err(Errno::EPROTONOSUPPORT),
            }
        }
        (libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_DGRAM) => match protocol {
            libc::NETLINK_ROUTE => Ok(protocol),
            _ => Err(Errno::EPROTONOSUPPORT),
        },
        (libc::AF_PACKET, _) => Err(Errno::EPERM),
        (libc::AF_INET | libc::AF_INET6 | libc::AF_UNIX | libc::AF_NETLINK, _) => {
            Err(Errno::ESOCKTNOSUPPORT)
        }
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

impl Net {
    /// socket(2). `kind` is without `SOCK_NONBLOCK` and `SOCK_CLOEXEC`, which belong to the descriptor.
    pub fn socket(
        &mut self,
        host: u16,
        domain: i32,
        kind: i32,
        protocol: i32,
    ) -> Result<SockId, Errno> {
        let protocol = check_kind(domain, kind, protocol)?;
        let proto = match protocol {
            libc::IPPROTO_TCP => Proto::Tcp(Box::new(Tcp::new(domain))),
            libc::IPPROTO_UDP => Proto::Udp(Box::new(Udp::new(domain))),
            _ if domain == libc::AF_UNIX => Proto::Unix(Box::new(Unix::new())),
            _ => Proto::Netlink(Box::default()),
        };
        let base = Base {
            host,
            domain,
            kind,
            protocol,
            error: None,
            shutdown: 0,
            options: Box::new(Options::new()),
        };
        Ok(self.sockets.insert(Socket { base, proto }))
    }

    /// socketpair(2): `AF_UNIX` only, as in Linux.
    pub fn socketpair(
        &mut self,
        cx: &mut Cx<'_>,
        domain: i32,
        kind: i32,
        protocol: i32,
    ) -> Result<(SockId, SockId), Errno> {
        check_kind(domain, kind, protocol)?;
        if domain != libc::AF_UNIX {
            return Err(Errno::EOPNOTSUPP);
        }
        let a = self.socket(cx.host, domain, kind, protocol)?;
        let b = self.socket(cx.host, domain, kind, protocol)?;
        self.unix_join(cx, a, b);
        Ok((a, b))
    }

    /// bind(2). The caller has made the inode of a Unix socket's path.
    pub fn bind(&mut self, cx: &mut Cx<'_>, id: SockId, to: &SockAddr) -> Result<(), Errno> {
        match self.socket_of(id)?.proto {
            Proto::Tcp(_) => self.tcp_bind(cx, id, to),
            Proto::Udp(_) => self.udp_bind(cx, id, to),
            Proto::Unix(_) => self.unix_bind(cx, id, to),
            Proto::Netlink(_) => self.netlink_bind(id, to),
        }
    }

    /// listen(2).
    pub fn listen(&mut self, cx: &mut Cx<'_>, id: SockId, backlog: i32) -> Result<(), Errno> {
        match self.socket_of(id)?.proto {
            Proto::Tcp(_) => self.tcp_listen(cx, id, backlog),
            Proto::Unix(_) => self.unix_listen(cx, id, backlog),
            Proto::Udp(_) | Proto::Netlink(_) => Err(Errno::EOPNOTSUPP),
        }
    }

    /// accept(2). `EAGAIN` while no connection waits.
    pub fn accept(&mut self, cx: &mut Cx<'_>, id: SockId) -> Result<Accepted, Errno> {
        match self.socket_of(id)?.proto {
            Proto::Tcp(_) => self.tcp_accept(id),
            Proto::Unix(_) => self.unix_accept(cx, id),
            Proto::Udp(_) | Proto::Netlink(_) => Err(Errno::EOPNOTSUPP),
        }
    }

    /// connect(2). TCP: `EINPROGRESS` at first, then `EALREADY` until it is decided. A Unix stream: `EAGAIN` while
    /// the listener's queue is full.
    pub fn connect(&mut self, cx: &mut Cx<'_>, id: SockId, to: &SockAddr) -> Result<(), Errno> {
        match self.socket_of(id)?.proto {
            Proto::Tcp(_) => self.tcp_connect(cx, id, to),
            Proto::Udp(_) => self.udp_connect(cx, id, to),
            Proto::Unix(_) => self.unix_connect(cx, id, to),
            Proto::Netlink(_) => Ok(()),
        }
    }

    /// send(2), sendto(2), sendmsg(2). Gives how many bytes were taken; `EAGAIN` while none can be.
    ///
    /// When it succeeds, the network holds the descriptions of [`Control::Rights`] from then on. `EPIPE` comes
    /// without its signal: the caller raises SIGPIPE for a `SOCK_STREAM`, unless `MSG_NOSIGNAL` is set.
    pub fn send(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        source: &mut dyn Source,
        to: Option<&SockAddr>,
        control: &[Control],
        flags: i32,
    ) -> Result<usize, Errno> {
        match self.socket_of(id)?.proto {
            Proto::Tcp(_) => self.tcp_send(cx, id, source, flags),
            Proto::Udp(_) => self.udp_send(cx, id, source, to, control, flags),
            Proto::Unix(_) => self.unix_send(cx, id, source, to, control, flags),
            Proto::Netlink(_) => self.netlink_send(cx, id, source),
        }
    }

    /// recv(2), recvfrom(2), recvmsg(2): gives at most `max` bytes to `sink`, in parts.
    ///
    /// `EAGAIN` while there is nothing, or less than SO_RCVLOWAT or `MSG_WAITALL` ask for. `flags` has
    /// `MSG_DONTWAIT` when the descriptor does not block: then what is there is given (and a blocking call
    /// whose timeout has passed sets it too).
    pub fn recv(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Errno>,
        max: usize,
        flags: i32,
    ) -> Result<Received, Errno> {
        match self.socket_of(id)?.proto {
            Proto::Tcp(_) => self.tcp_recv(cx, id, sink, max, flags),
            Proto::Udp(_) => self.udp_recv(id, sink, max, flags),
            Proto::Unix(_) => self.unix_recv(cx, id, sink, max, flags),
            Proto::Netlink(_) => self.netlink_recv(id, sink, max, flags),
        }
    }

    /// shutdown(2). `how` is `SHUT_RD`, `SHUT_WR` or `SHUT_RDWR`; `EINVAL` otherwise.
    pub fn shutdown(&mut self, cx: &mut Cx<'_>, id: SockId, how: i32) -> Result<(), Errno> {
        let mask = match how {
            libc::SHUT_RD => RCV_SHUTDOWN,
            libc::SHUT_WR => SEND_SHUTDOWN,
            libc::SHUT_RDWR => SHUTDOWN_MASK,
            _ => return Err(Errno::EINVAL),
        };
        match self.socket_of(id)?.proto {
            Proto::Tcp(_) => self.tcp_shutdown(cx, id, mask),
            Proto::Udp(_) => self.udp_shutdown(cx, id, mask),
            Proto::Unix(_) => self.unix_shutdown(cx, id, mask),
            Proto::Netlink(_) => Err(Errno::EOPNOTSUPP),
        }
    }

    /// The last descriptor is closed: the id names nothing any more (bytes under way still arrive). A stale
    /// id is ignored. It does not wait for SO_LINGER: see [`Net::lingers`].
    pub fn close(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some(socket) = self.sockets.get(id) else { return };
        match socket.proto {
            Proto::Tcp(_) => self.tcp_close(cx, id),
            Proto::Udp(_) => self.udp_close(id),
            Proto::Unix(_) => self.unix_close(cx, id),
            Proto::Netlink(_) => drop(self.sockets.remove(id)),
        }
    }

    /// SO_LINGER: for how many seconds the caller of [`Net::close`] waits at most, as long as [`Net::lingers`]
    /// says so. `None` where close(2) does not wait.
    pub fn linger(&self, id: SockId) -> Option<u32> {
        let socket = self.sockets.get(id)?;
        match (&socket.proto, socket.base.options.linger) {
            (Proto::Tcp(_), Some(seconds)) if seconds > 0 => Some(seconds),
            _ => None,
        }
    }

    /// Whether a closed socket still waits for the other end to have everything (`sk_stream_closing`).
    pub fn lingers(&self, id: SockId) -> bool {
        self.sockets.get(id).is_some_and(|socket| match &socket.proto {
            Proto::Tcp(tcp) => {
                matches!(tcp.state, State::FinWait1 | State::Closing | State::LastAck)
            }
            _ => false,
        })
    }

    /// Domain, type and protocol of a socket, as socket(2) took them.
    pub fn kind(&self, id: SockId) -> Result<(i32, i32, i32), Errno> {
        let base = &self.socket_of(id)?.base;
        Ok((base.domain, base.kind, base.protocol))
    }

    /// getsockname(2).
    pub fn getsockname(&self, id: SockId) -> Result<SockAddr, Errno> {
        let socket = self.socket_of(id)?;
        let domain = socket.base.domain;
        Ok(match &socket.proto {
            Proto::Tcp(tcp) => SockAddr::Inet(tcp.local.shown(domain)),
            Proto::Udp(udp) => SockAddr::Inet(udp.local.shown(domain)),
            Proto::Unix(unix) => SockAddr::Unix(unix.name.clone()),
            Proto::Netlink(netlink) => SockAddr::Netlink(netlink.port),
        })
    }

    /// getpeername(2). `ENOTCONN` where there is no peer.
    pub fn getpeername(&self, id: SockId) -> Result<SockAddr, Errno> {
        let socket = self.socket_of(id)?;
        let domain = socket.base.domain;
        match &socket.proto {
            Proto::Tcp(tcp) => match tcp.state {
                State::Close | State::Listen | State::SynSent => Err(Errno::ENOTCONN),
                _ => Ok(SockAddr::Inet(tcp.remote.shown(domain))),
            },
            Proto::Udp(udp) => {
                let remote = udp.remote.ok_or(Errno::ENOTCONN)?;
                Ok(SockAddr::Inet(remote.shown(domain)))
            }
            Proto::Unix(_) => self.unix_peer_name(id),
            Proto::Netlink(_) => Ok(SockAddr::Netlink(0)),
        }
    }

    /// The `EPOLL*` events that are true now (`sock_poll`). 0x20 (`POLLNVAL`) for a stale id.
    pub fn readiness(&self, id: SockId) -> u32 {
        let Some(socket) = self.sockets.get(id) else { return u32::from(libc::POLLNVAL as u16) };
        let base = &socket.base;
        let mask = match &socket.proto {
            Proto::Tcp(tcp) => Net::tcp_readiness(base, tcp),
            Proto::Udp(udp) => udp.readiness(base),
            Proto::Unix(unix) => self.unix_readiness(id, base, unix),
            Proto::Netlink(netlink) => Netlink::readiness(netlink),
        };
        mask as u32
    }

    /// FIONREAD: bytes that recv would give now; of datagrams, the first one's. `EINVAL` on a listening socket.
    pub fn unread(&self, id: SockId) -> Result<usize, Errno> {
        match &self.socket_of(id)?.proto {
            Proto::Tcp(tcp) if tcp.state == State::Listen => Err(Errno::EINVAL),
            Proto::Tcp(tcp) => Ok(tcp.unread(&self.socket_of(id)?.base.options)),
            Proto::Udp(udp) => Ok(udp.first_length()),
            Proto::Unix(unix) => unix.unread(self.socket_of(id)?.base.kind),
            Proto::Netlink(_) => Err(Errno::ENOTTY),
        }
    }

    /// SIOCOUTQ: bytes that were sent and not received yet. `EINVAL` on a listening socket.
    pub fn unsent(&self, id: SockId) -> Result<usize, Errno> {
        match &self.socket_of(id)?.proto {
            Proto::Tcp(tcp) if tcp.state == State::Listen => Err(Errno::EINVAL),
            Proto::Tcp(tcp) => Ok(tcp.queued),
            Proto::Udp(_) => Ok(0),
            Proto::Unix(unix) => Ok(unix.in_flight),
            Proto::Netlink(_) => Err(Errno::ENOTTY),
        }
    }

    /// Whether `MSG_ERRQUEUE` would give anything. The queue itself is not simulated: the caller says so.
    pub fn has_queued_errors(&self, id: SockId) -> bool {
        let proto = self.sockets.get(id).map(|socket| &socket.proto);
        matches!(proto, Some(Proto::Udp(udp)) if udp.has_queued_errors)
    }

    /// SIOCATMARK: whether the next byte is the urgent one.
    pub fn at_mark(&self, id: SockId) -> Result<bool, Errno> {
        match &self.socket_of(id)?.proto {
            Proto::Tcp(tcp) => Ok(tcp.to_mark() == Some(0)),
            _ => Err(Errno::ENOTTY),
        }
    }

    /// SO_RCVTIMEO and SO_SNDTIMEO, for the caller that waits.
    pub fn timeouts(&self, id: SockId) -> (Option<super::Nanos>, Option<super::Nanos>) {
        self.sockets.get(id).map_or((None, None), |socket| {
            (socket.base.options.receive_timeout, socket.base.options.send_timeout)
        })
    }

    /// `lo` and `eth0` of a host, for SIOCGIFCONF and its kin.
    pub fn interfaces(&self, host: u16) -> Vec<Interface> {
        super::addr::interfaces(self.addresses.own(host))
    }
}
