//! The ports of TCP sockets: bind, listen, ephemeral ports, and who answers a SYN.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::net::IpAddr;

use bizarro_record::Nanos;

use super::addr::{Endpoint, SockAddr};
use super::calls::inet_address;
use super::options::Opt;
use super::port::{Claim, EPHEMERAL, Owner, conflicts, fit, spread};
use super::socket::{Base, Proto, SockId, Socket};
use super::tcp::{Attempt, Listener, State, Tcp};
use super::{Cx, Net};
use crate::errno::Errno;

/// `net.core.somaxconn`.
const SOMAXCONN: i32 = 4096;

impl Net {
    /// bind(2) of a TCP socket.
    pub(super) fn tcp_bind(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        to: &SockAddr,
    ) -> Result<(), Errno> {
        let (base, tcp) = self.tcp(id).ok_or(Errno::EBADF)?;
        let wanted = inet_address(base, to)?;
        if tcp.state != State::Close || tcp.holds_port {
            return Err(Errno::EINVAL);
        }
        let host = base.host;
        if !wanted.ip.is_unspecified() && !self.addresses.is_local(host, wanted.ip) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let port = match wanted.port {
            0 => self.tcp_free_port(cx, id, wanted.ip, None).ok_or(Errno::EADDRINUSE)?,
            port if self.tcp_conflicts(cx, id, wanted.ip, port) => return Err(Errno::EADDRINUSE),
            port => port,
        };
        let (_, tcp) = self.tcp(id).ok_or(Errno::EBADF)?;
        tcp.local = Endpoint { ip: wanted.ip, port };
        tcp.holds_port = true;
        tcp.is_bound_ip = !wanted.ip.is_unspecified();
        tcp.is_bound_port = wanted.port != 0;
        self.hosts[usize::from(host)].ports_tcp.add(port, Owner::Socket(id));
        Ok(())
    }

    /// What the socket `id` would claim by being bound to `ip`.
    fn tcp_claim(base: &Base, tcp: &Tcp, ip: IpAddr) -> Claim {
        Claim {
            ip,
            v6_only: base.options.get(Opt::V6Only) != 0,
            reuse_addr: base.options.get(Opt::ReuseAddr) != 0,
            reuse_port: base.options.get(Opt::ReusePort) != 0,
            listens: tcp.state == State::Listen,
        }
    }

    /// Whether somebody's use of `port` forbids that `id` is bound to `ip` and it.
    fn tcp_conflicts(&mut self, cx: &Cx<'_>, id: SockId, ip: IpAddr, port: u16) -> bool {
        let Some((base, tcp)) = self.tcp(id) else { return false };
        let host = usize::from(base.host);
        let claim = Self::tcp_claim(base, tcp, ip);
        self.hosts[host].ports_tcp.expire(cx.now);
        self.hosts[host].ports_tcp.users(port).any(|owner| {
            let other = match owner {
                Owner::Socket(other) if other == id => return false,
                Owner::Socket(other) => match self.sockets.get(other) {
                    Some(Socket { base, proto: Proto::Tcp(tcp) }) => {
                        if tcp.has_left_fin_wait(cx.now) {
                            return false;
                        }
                        Self::tcp_claim(base, tcp, tcp.local.ip)
                    }
                    _ => return false,
                },
                Owner::TimeWait { local, reuse, .. } => Claim {
                    ip: local,
                    v6_only: false,
                    reuse_addr: reuse,
                    reuse_port: false,
                    listens: false,
                },
            };
            conflicts(&claim, &other)
        })
    }

    /// A free ephemeral port: the first one from a drawn place on. For a connection to `remote` a port may
    /// serve several connections, once those that nobody uses are exhausted.
    pub(super) fn tcp_free_port(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        ip: IpAddr,
        remote: Option<Endpoint>,
    ) -> Option<u16> {
        let host = usize::from(self.base(id).ok()?.host);
        self.hosts[host].ports_tcp.expire(cx.now);
        let (low, count) = (*EPHEMERAL.start(), EPHEMERAL.len() as u64);
        let start = cx.decider.random() % count;
        let candidates = (0..count).map(|n| low + ((start + n) % count) as u16);
        let is_unused = |port: &u16| self.hosts[host].ports_tcp.users(*port).next().is_none();
        if let Some(port) = candidates.clone().find(is_unused) {
            return Some(port);
        }
        match remote {
            Some(remote) => {
                let local = |port| Endpoint { ip, port };
                candidates
                    .into_iter()
                    .find(|port| !self.tcp_is_connected(host, local(*port), remote))
            }
            None => candidates.into_iter().find(|port| !self.tcp_conflicts(cx, id, ip, *port)),
        }
    }

    /// Whether `host` has a connection between these ends, or had one a moment ago.
    pub(super) fn tcp_is_connected(&self, host: usize, local: Endpoint, remote: Endpoint) -> bool {
        self.hosts[host].ports_tcp.users(local.port).any(|owner| match owner {
            Owner::TimeWait { local: ip, remote: other, .. } => ip == local.ip && other == remote,
            Owner::Socket(other) => match self.sockets.get(other).map(|socket| &socket.proto) {
                Some(Proto::Tcp(tcp)) => {
                    tcp.local.ip == local.ip && tcp.remote == remote || tcp.state == State::Listen
                }
                _ => false,
            },
        })
    }

    /// listen(2) of a TCP socket.
    pub(super) fn tcp_listen(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        backlog: i32,
    ) -> Result<(), Errno> {
        let (base, tcp) = self.tcp(id).ok_or(Errno::EBADF)?;
        if tcp.attempt != Attempt::Unconnected {
            return Err(Errno::EINVAL);
        }
        let backlog = if backlog < 0 { SOMAXCONN } else { backlog.min(SOMAXCONN) } as usize;
        if let Some(listener) = &mut tcp.listener {
            listener.backlog = backlog;
            return Ok(());
        }
        if tcp.state != State::Close {
            return Err(Errno::EINVAL);
        }
        let (host, local) = (usize::from(base.host), tcp.local);
        let holds_port = tcp.holds_port;
        tcp.state = State::Listen;
        if !holds_port {
            let port = self.tcp_free_port(cx, id, local.ip, None);
            let Some((_, tcp)) = self.tcp(id) else { return Err(Errno::EBADF) };
            let Some(port) = port else {
                tcp.state = State::Close;
                return Err(Errno::EADDRINUSE);
            };
            tcp.local.port = port;
            tcp.holds_port = true;
            self.hosts[host].ports_tcp.add(port, Owner::Socket(id));
        } else if self.tcp_conflicts(cx, id, local.ip, local.port) {
            let Some((_, tcp)) = self.tcp(id) else { return Err(Errno::EBADF) };
            tcp.state = State::Close;
            return Err(Errno::EADDRINUSE);
        }
        let (base, tcp) = self.tcp(id).ok_or(Errno::EBADF)?;
        base.shutdown = 0;
        tcp.listener = Some(Box::new(Listener { backlog, queue: VecDeque::new(), half_open: 0 }));
        Ok(())
    }

    /// The listening socket of `host` that takes a connection from `from` to `to`.
    pub(super) fn tcp_listener(&self, host: u16, from: Endpoint, to: Endpoint) -> Option<SockId> {
        let mut best = 0;
        let mut found = alloc::vec::Vec::new();
        for owner in self.hosts[usize::from(host)].ports_tcp.users(to.port) {
            let Owner::Socket(id) = owner else { continue };
            let Some(Socket { base, proto: Proto::Tcp(tcp) }) = self.sockets.get(id) else {
                continue;
            };
            if tcp.listener.is_none() {
                continue;
            }
            let v6_only = base.options.get(Opt::V6Only) != 0;
            let Some(score) = fit(tcp.local.ip, v6_only, to.ip) else { continue };
            if score > best {
                best = score;
                found.clear();
            }
            if score == best {
                found.push(id);
            }
        }
        match found.len() {
            0 => None,
            n => Some(found[(spread(from, to) % n as u64) as usize]),
        }
    }
}

impl Tcp {
    /// Whether an orphan has waited long enough for the other side's FIN (`tcp_fin_timeout`): then it holds
    /// no port any more.
    fn has_left_fin_wait(&self, now: Nanos) -> bool {
        self.is_orphan
            && self.state == State::FinWait2
            && now >= self.orphaned + Nanos::from_secs(60)
    }
}
