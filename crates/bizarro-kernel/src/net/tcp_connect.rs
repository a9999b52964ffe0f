//! How a TCP connection begins: connect, the handshake, accept.

use alloc::boxed::Box;
use core::net::IpAddr;

use bizarro_record::packet::Sign;
use bizarro_record::{Effect, Event, Nanos};

use super::addr::{Endpoint, Route, SockAddr};
use super::calls::{Accepted, inet_address};
use super::link::{Fate, RESOLVER_LATENCY};
use super::options::Opt;
use super::port::Owner;
use super::socket::{Base, Proto, SHUTDOWN_MASK, SockId, Socket};
use super::tcp::{Attempt, CHANGED, Path, Segment, State, Tcp, What, unspecified};
use super::{Cx, Later, Net, Wake};
use crate::errno::Errno;

/// How long ARP asks before it gives up: three times, a second apart.
const ARP_TIMEOUT: Nanos = Nanos::from_secs(3);

/// How long a server waits for the end of a handshake: five retransmissions of its SYN-ACK.
const HALF_OPEN_TIMEOUT: Nanos = Nanos::from_secs(63);

impl Net {
    /// accept(2) of a TCP socket.
    pub(super) fn tcp_accept(&mut self, id: SockId) -> Result<Accepted, Errno> {
        let (base, tcp) = self.tcp(id).ok_or(Errno::EBADF)?;
        let domain = base.domain;
        let listener = tcp.listener.as_mut().ok_or(Errno::EINVAL)?;
        let sock = listener.queue.pop_front().ok_or(Errno::EAGAIN)?;
        let (_, child) = self.tcp(sock).ok_or(Errno::ECONNABORTED)?;
        child.parent = SockId::NONE;
        child.attempt = Attempt::Connected;
        Ok(Accepted { sock, peer: SockAddr::Inet(child.remote.shown(domain)) })
    }

    /// connect(2) of a TCP socket (`__inet_stream_connect`).
    pub(super) fn tcp_connect(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        to: &SockAddr,
    ) -> Result<(), Errno> {
        if *to == SockAddr::Unspec {
            return self.tcp_disconnect(cx, id);
        }
        let (base, tcp) = self.tcp(id).ok_or(Errno::EBADF)?;
        match tcp.attempt {
            Attempt::Connected => Err(Errno::EISCONN),
            Attempt::Connecting => match tcp.state {
                State::SynSent | State::SynRecv => Err(Errno::EALREADY),
                State::Close => {
                    let error = base.error.take().unwrap_or(Errno::ECONNABORTED);
                    self.tcp_forget_connection(id);
                    Err(error)
                }
                _ => {
                    tcp.attempt = Attempt::Connected;
                    Ok(())
                }
            },
            Attempt::Unconnected if tcp.state != State::Close => Err(Errno::EISCONN),
            Attempt::Unconnected => {
                self.tcp_start_connect(cx, id, to)?;
                Err(Errno::EINPROGRESS)
            }
        }
    }

    fn tcp_start_connect(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        to: &SockAddr,
    ) -> Result<(), Errno> {
        let (base, tcp) = self.tcp(id).ok_or(Errno::EBADF)?;
        let (host, local, holds_port) = (base.host, tcp.local, tcp.holds_port);
        let mut remote = inet_address(base, to)?;
        if base.domain == libc::AF_INET6
            && remote.ip.is_ipv4()
            && base.options.get(Opt::V6Only) != 0
        {
            return Err(Errno::ENETUNREACH);
        }
        if remote.ip.is_unspecified() {
            remote.ip = loopback_like(remote.ip);
        }
        let route = self.addresses.route(host, remote.ip)?;
        if route == Route::Many {
            return Err(Errno::ENETUNREACH);
        }
        let ip = if local.ip.is_unspecified() {
            self.addresses.source(host, remote.ip)
        } else {
            local.ip
        };
        if ip.is_loopback() && route != Route::Loopback {
            return Err(Errno::EINVAL);
        }
        let port = if !holds_port {
            let free = self.tcp_free_port(cx, id, ip, Some(remote));
            let port = free.ok_or(Errno::EADDRNOTAVAIL)?;
            self.hosts[usize::from(host)].ports_tcp.add(port, Owner::Socket(id));
            port
        } else if self.tcp_is_connected(usize::from(host), Endpoint { ip, ..local }, remote) {
            return Err(Errno::EADDRNOTAVAIL);
        } else {
            local.port
        };
        let (base, tcp) = self.tcp(id).ok_or(Errno::EBADF)?;
        base.shutdown = 0;
        tcp.local = Endpoint { ip, port };
        tcp.holds_port = true;
        tcp.remote = remote;
        tcp.state = State::SynSent;
        tcp.attempt = Attempt::Connecting;
        tcp.is_client = true;
        tcp.is_done = false;
        tcp.syns = 0;
        tcp.path = if route == Route::Loopback { Path::Loopback } else { Path::Link };
        tcp.peer_host = if let Route::Host(other) = route { other } else { host };
        tcp.heard = cx.now;
        match route {
            Route::Nobody => cx.later(cx.now + ARP_TIMEOUT, Later::Unreachable(id)),
            Route::Resolver => {
                cx.later(cx.now + RESOLVER_LATENCY + RESOLVER_LATENCY, Later::Reset(id));
            }
            Route::Host(other) => {
                let is_no_way = self.removed(cx, host, other) == Some(Effect::Unreachable)
                    || self.refusal(cx, host, other) == Some(Errno::EHOSTUNREACH);
                if is_no_way {
                    // A router on the way says so.
                    cx.later(cx.now + self.links.round_trip(host, other), Later::Unreachable(id));
                } else {
                    self.tcp_send_syn(cx, id);
                }
            }
            _ => self.tcp_send_syn(cx, id),
        }
        Ok(())
    }

    /// Sends a SYN, and arms its timer.
    pub(super) fn tcp_send_syn(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((base, tcp)) = self.tcp(id) else { return };
        let (host, peer_host) = (base.host, tcp.peer_host);
        if tcp.path == Path::Loopback {
            tcp.syns += 1;
            let timeout = syn_timeout(tcp.syns);
            self.tcp_syn_arrives(cx, id);
            if self.tcp(id).is_some_and(|(_, tcp)| tcp.state == State::SynSent) {
                cx.later(cx.now + timeout, Later::SynTimer(id));
            }
            return;
        }
        tcp.syns += 1;
        let timeout = syn_timeout(tcp.syns);
        cx.later(cx.now + timeout, Later::SynTimer(id));
        let (local, remote) = (tcp.local, tcp.remote);
        let fate = match cx.decider.removed(host, peer_host) {
            Some(Effect::Partition) => Fate::Lost,
            _ => self.carry(cx, host, peer_host, 0),
        };
        self.show_sign(cx, host, peer_host, "syn", fate);
        cx.show_sign_packet((host, local), (peer_host, remote), fate, Sign::Syn);
        if let Fate::Arrives(at) = fate {
            cx.later(at, Later::Syn(id));
        }
    }

    /// A SYN of `client` is at its destination: a listening socket answers it, or a reset does.
    pub(super) fn tcp_syn_arrives(&mut self, cx: &mut Cx<'_>, client: SockId) {
        let Some((_, tcp)) = self.tcp(client) else { return };
        let (local, remote, peer_host, known) = (tcp.local, tcp.remote, tcp.peer_host, tcp.peer);
        if tcp.state != State::SynSent {
            return;
        }
        if local == remote && tcp.path == Path::Loopback {
            return self.tcp_meet_itself(cx, client);
        }
        if let Some(at) = self.away(cx, peer_host) {
            return cx.timers.extend(at.map(|at| (at, super::NetEvent(Later::Syn(client)))));
        }
        if self.tcp(known).is_some() {
            return self.tcp_send_syn_ack(cx, client, known);
        }
        let client_host = self.tcp(client).map_or(peer_host, |(base, _)| base.host);
        let is_refused = cx.decider.removed(client_host, peer_host) == Some(Effect::Refused)
            || self.refusal(cx, client_host, peer_host) == Some(Errno::ECONNREFUSED);
        if is_refused {
            return self.tcp_refuse(cx, client);
        }
        let Some(listener) = self.tcp_listener(peer_host, local, remote) else {
            return self.tcp_refuse(cx, client);
        };
        let Some((base, tcp)) = self.tcp(listener) else { return };
        let Some(queue) = &mut tcp.listener else { return };
        if queue.queue.len() + queue.half_open > queue.backlog {
            // LINUX: a SYN for a full queue is dropped; the client sends it again.
            return;
        }
        queue.half_open += 1;
        let mut child = Tcp::new(base.domain);
        let base = Base {
            host: base.host,
            domain: base.domain,
            kind: base.kind,
            protocol: base.protocol,
            error: None,
            shutdown: 0,
            options: base.options.clone(),
        };
        child.state = State::SynRecv;
        child.local = remote;
        child.remote = local;
        child.peer = client;
        child.parent = listener;
        child.holds_port = true;
        child.is_bound_ip = true;
        child.is_bound_port = true;
        child.heard = cx.now;
        let Some((client_base, tcp)) = self.tcp(client) else { return };
        child.peer_host = client_base.host;
        child.path = tcp.path;
        let child = self.sockets.insert(Socket { base, proto: Proto::Tcp(Box::new(child)) });
        self.hosts[usize::from(peer_host)].ports_tcp.add(remote.port, Owner::Socket(child));
        if let Some((_, tcp)) = self.tcp(client) {
            tcp.peer = child;
        }
        self.tcp_send_syn_ack(cx, client, child);
    }

    /// A socket that connects to its own port: the simultaneous open of RFC 9293, 3.5, with itself.
    fn tcp_meet_itself(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((_, tcp)) = self.tcp(id) else { return };
        tcp.state = State::Established;
        tcp.peer = id;
        cx.wake(id, CHANGED);
    }

    fn tcp_refuse(&mut self, cx: &mut Cx<'_>, client: SockId) {
        let Some((base, tcp)) = self.tcp(client) else { return };
        let (host, peer_host) = (base.host, tcp.peer_host);
        if tcp.path == Path::Loopback {
            return self.tcp_rst_arrives(cx, client);
        }
        let (local, remote) = (tcp.local, tcp.remote);
        let fate = self.carry(cx, peer_host, host, 0);
        self.show_sign(cx, peer_host, host, "rst", fate);
        cx.show_sign_packet((peer_host, remote), (host, local), fate, Sign::Rst);
        if let Fate::Arrives(at) = fate {
            cx.later(at, Later::Reset(client));
        }
    }

    fn tcp_send_syn_ack(&mut self, cx: &mut Cx<'_>, client: SockId, child: SockId) {
        let Some((base, tcp)) = self.tcp(child) else { return };
        let (host, peer_host) = (base.host, tcp.peer_host);
        if tcp.path == Path::Loopback {
            return self.tcp_syn_ack_arrives(cx, client, child);
        }
        let (local, remote) = (tcp.local, tcp.remote);
        let fate = self.carry(cx, host, peer_host, 0);
        cx.show_sign_packet((host, local), (peer_host, remote), fate, Sign::SynAck);
        match fate {
            Fate::Arrives(at) => cx.later(at, Later::SynAck { client, child }),
            Fate::Lost => cx.later(cx.now + HALF_OPEN_TIMEOUT, Later::HalfOpen(child)),
        }
    }

    /// The client hears that the server agrees: it is connected, and says so.
    pub(super) fn tcp_syn_ack_arrives(&mut self, cx: &mut Cx<'_>, client: SockId, child: SockId) {
        let client_host = self.tcp(child).map(|(_, tcp)| tcp.peer_host);
        let Some(client_host) = client_host else { return };
        if let Some(at) = self.away(cx, client_host) {
            let again = Later::SynAck { client, child };
            let given_up = (cx.now + HALF_OPEN_TIMEOUT, super::NetEvent(Later::HalfOpen(child)));
            return cx.timers.push(at.map_or(given_up, |at| (at, super::NetEvent(again))));
        }
        match self.tcp(client) {
            Some((_, tcp)) if tcp.state == State::SynSent => {
                tcp.state = State::Established;
                tcp.peer = child;
                tcp.heard = cx.now;
                tcp.last_arrival = cx.now;
            }
            // The attempt was given up meanwhile: the answer to the answer is a reset.
            Some((_, tcp)) if tcp.peer == child => return,
            _ => return self.tcp_rst_arrives(cx, child),
        }
        cx.wake(client, CHANGED);
        self.tcp_queue(cx, client, Segment::sign(What::Ack));
        if !self.bursts.is_empty() {
            self.copy_connected(cx, client);
        }
    }

    /// The handshake is complete at the server's side.
    pub(super) fn tcp_established(&mut self, cx: &mut Cx<'_>, child: SockId) {
        let Some((base, tcp)) = self.tcp(child) else { return };
        if tcp.state != State::SynRecv {
            return;
        }
        tcp.state = State::Established;
        if base.options.get(Opt::DeferAccept) == 0 {
            self.tcp_offer(cx, child);
        }
    }

    /// Puts a connection into the queue of its listening socket, if it is not there yet.
    pub(super) fn tcp_offer(&mut self, cx: &mut Cx<'_>, child: SockId) {
        let Some((_, tcp)) = self.tcp(child) else { return };
        let parent = tcp.parent;
        let listener = self.tcp(parent).and_then(|(_, tcp)| tcp.listener.as_mut());
        let Some(listener) = listener else { return };
        if !listener.queue.contains(&child) {
            listener.half_open -= 1;
            listener.queue.push_back(child);
            cx.wake(parent, Wake::READABLE);
        }
    }

    /// The server gives up on a handshake.
    pub(super) fn tcp_half_open_timer(&mut self, _cx: &mut Cx<'_>, child: SockId) {
        if self.tcp(child).is_some_and(|(_, tcp)| tcp.state == State::SynRecv) {
            self.tcp_free(child);
        }
    }

    /// ARP found nobody.
    pub(super) fn tcp_unreachable(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((base, tcp)) = self.tcp(id) else { return };
        if tcp.state == State::SynSent {
            base.error = Some(Errno::EHOSTUNREACH);
            self.tcp_done(cx, id);
        }
    }

    /// connect(2) with `AF_UNSPEC`: the connection is reset, the socket as new.
    pub(super) fn tcp_disconnect(&mut self, cx: &mut Cx<'_>, id: SockId) -> Result<(), Errno> {
        let (_, tcp) = self.tcp(id).ok_or(Errno::EBADF)?;
        match tcp.state {
            State::Listen => self.tcp_stop_listening(cx, id),
            State::Close => {}
            State::SynSent => self.tcp_done(cx, id),
            _ => self.tcp_abort(cx, id),
        }
        let (base, _) = self.tcp(id).ok_or(Errno::EBADF)?;
        base.error = None;
        base.shutdown = 0;
        self.tcp_forget_connection(id);
        Ok(())
    }

    /// `tcp_disconnect()`: nothing is left of the connection but what bind(2) chose.
    fn tcp_forget_connection(&mut self, id: SockId) {
        let Some((base, tcp)) = self.tcp(id) else { return };
        let any = unspecified(base.domain);
        base.shutdown = 0;
        tcp.attempt = Attempt::Unconnected;
        tcp.remote = any;
        tcp.is_done = false;
        if !tcp.is_bound_ip {
            tcp.local.ip = any.ip;
        }
    }

    /// The connection is over (`tcp_done`): an automatic port is free again.
    pub(super) fn tcp_done(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Some((base, tcp)) = self.tcp(id) else { return };
        let (host, local, connection) = (usize::from(base.host), tcp.local, tcp.connection);
        tcp.state = State::Close;
        tcp.retransmission.number += 1;
        tcp.keep_alive.number += 1;
        base.shutdown = SHUTDOWN_MASK;
        if tcp.holds_port && !tcp.is_bound_port {
            tcp.holds_port = false;
            self.hosts[host].ports_tcp.remove(local.port, id);
        }
        self.exchanges.broken(connection, cx.now);
        self.tcp_wake(cx, id, CHANGED);
        self.tcp_free_if_over(id);
    }

    /// Shows a message without a content to the observer.
    pub(super) fn show_sign(
        &mut self,
        cx: &mut Cx<'_>,
        from: u16,
        to: u16,
        label: &str,
        fate: Fate,
    ) -> u64 {
        if !cx.observer.wants_messages() {
            return 0;
        }
        let message = self.next_message();
        cx.show(from, Event::Sent { message, to, bytes: 0, label: label.into() });
        if fate == Fate::Lost {
            cx.show(to, Event::Dropped { message });
        }
        message
    }
}

/// How long the SYN of this number waits for its answer (`TCP_TIMEOUT_INIT`, doubled each time).
fn syn_timeout(number: u32) -> Nanos {
    Nanos::from_secs(1 << (number - 1).min(7)).min(Nanos::from_secs(120))
}

/// Where packets for the unspecified address go.
pub(super) fn loopback_like(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => core::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => core::net::Ipv6Addr::LOCALHOST.into(),
    }
}
