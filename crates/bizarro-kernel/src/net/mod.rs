//! The network of all hosts: links, TCP, UDP, Unix and netlink sockets, names and exchanges.
//!
//! [`Net`] is a plain value. It owns every socket and every byte under way, answers each call as Linux
//! answers an application (errnos, readiness, option values), and knows nothing of descriptors, guest
//! memory, tasks or waiting:
//!
//! - **Nothing blocks.** A call that would wait gives `EAGAIN` (connect: `EINPROGRESS`, then `EALREADY`).
//!   The caller waits until the socket is in [`Cx::wakes`] and calls again, with the same arguments. A
//!   blocking connect calls again at once after `EINPROGRESS`, because a connection within one host is
//!   made at once: `EALREADY` means wait, `Ok` means connected.
//! - **Time belongs to the caller.** What happens later is pushed to [`Cx::timers`] and comes back through
//!   [`Net::fire`]; events of equal times must come back in the order in which they were pushed.
//! - **Choices** (latencies, losses, ports, noise) are drawn from [`Cx::decider`], in the order of the calls.
//!
//! How a stream is simulated: one `send` makes one buffer (of at most 64 KiB) that moves to the
//! receiver's queue, in order, after the link's latency.
//!
//! DIVERGENCE: acknowledgements and window updates take no time and are never lost on a living path. So a
//! sender has its buffer space back when the receiver's host has the bytes, half a round trip early.
//!
//! DIVERGENCE: a loss is always repaired by the retransmission timer, never by fast retransmission: bytes
//! that are lost come 200 ms later (400 ms, …), which is the worst that Linux would do.
//!
//! LINUX: between sockets of one host everything happens inside the sender's call, as it does in Linux
//! (the softirq of the loopback device runs before `send` returns), and no choice is drawn.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bizarro_record::{Event, Exchange, ExchangeId, Nanos, Step, WorldSpec};

use crate::errno::Errno;
use crate::seams::{Decider, Observer};

mod addr;
mod attempt;
mod barrier;
mod body;
mod burst;
mod calls;
mod capture;
mod condition;
mod control;
mod conversation;
mod dns;
mod exchange;
mod fault;
mod hosts;
mod lie;
mod link;
mod netlink;
mod options;
mod port;
mod protocol;
mod queue;
mod socket;
mod sockopt;
mod switch;
mod tcp;
mod tcp_close;
mod tcp_connect;
mod tcp_flow;
mod tcp_io;
mod tcp_port;
mod tcp_timers;
mod tcp_urgent;
mod udp;
mod udp_flight;
mod unix;
mod unix_dgram;
mod unix_io;

#[cfg(test)]
mod tests;

pub use addr::{Endpoint, Interface, RESOLVER, SockAddr, SockAddrBytes, UnixName, v6_of};
pub use calls::{Accepted, Received, Slices, Source};
pub use control::{Control, Cut, Ucred};
pub use socket::SockId;

use barrier::Barrier;
use burst::Bursts;
use condition::Conditions;
use exchange::Exchanges;
use lie::Liars;
use link::Links;
use port::Ports;
use socket::{Base, Pool, Proto, Slab, Socket};

/// What a call works with: the time, the choices, and the lists into which its effects go.
pub struct Cx<'a> {
    /// The virtual time.
    pub now: Nanos,
    /// Host of the caller; for [`Net::fire`] any.
    pub host: u16,
    /// Thread id of the caller; 0 for [`Net::fire`].
    pub tid: u32,
    /// Who the caller is, for SO_PEERCRED and SCM_CREDENTIALS.
    pub creds: Ucred,
    /// Draws every choice.
    pub decider: &'a mut dyn Decider,
    /// Sees messages and faults.
    pub observer: &'a mut dyn Observer,
    /// Gets what is to be given back through [`Net::fire`], and when.
    pub timers: &'a mut Vec<(Nanos, NetEvent)>,
    /// Gets the sockets whose readiness may have changed.
    pub wakes: &'a mut Vec<Wake>,
    /// Gets what a planned fault does to a host beyond the network.
    pub strikes: &'a mut Vec<HostFault>,
    /// Gets the descriptions of SCM_RIGHTS that were thrown away unread: the caller drops its reference.
    pub released: &'a mut Vec<u64>,
}

/// A socket's readiness may have changed: its waiters look again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wake {
    /// The socket.
    pub sock: SockId,
    /// For which of these `EPOLL*` events, as Linux's wait queues are woken; [`Wake::ALL`] for any. An epoll item
    /// that waits for none of them does not become ready.
    pub events: u32,
}

impl Wake {
    /// Wakes whoever waits.
    pub const ALL: u32 = u32::MAX;
    /// Data arrived (`sock_def_readable`).
    pub const READABLE: u32 =
        (libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLRDNORM | libc::EPOLLRDBAND) as u32;
    /// Space was freed (`sk_stream_write_space`).
    pub const WRITABLE: u32 = (libc::EPOLLOUT | libc::EPOLLWRNORM | libc::EPOLLWRBAND) as u32;
    /// An error is pending (`sock_def_error_report`).
    pub const ERROR: u32 = libc::EPOLLERR as u32;
}

/// What a planned fault does to a host beyond the network. The caller carries it out when the call that
/// pushed it has returned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HostFault {
    /// The host's process is killed now.
    Crash(u16),
    /// The host's process is killed at its next system call: it has just read the message that it dies of.
    CrashSoon(u16),
    /// The host's process is killed at this one of its next system calls, from 1, of this message.
    CrashAt(u16, u32, Deadly),
    /// The host stands still.
    Pause(u16),
    /// The host's next write to its disk fails with `ENOSPC`.
    DiskFull(u16),
    /// The host's next write to its disk fails with `EIO`.
    IoError(u16),
    /// The host loses its power.
    PowerOff(u16),
    /// The moment of this incident has come, at this host.
    Incident(usize, u16),
}

/// The message that a host dies of. Opaque: it is given back through [`Net::show_deadly`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadly {
    mark: exchange::Mark,
    effect: bizarro_record::Effect,
}

impl Deadly {
    /// Its strike was shown already.
    pub const TOLD: Deadly =
        Deadly { mark: exchange::Mark::NONE, effect: bizarro_record::Effect::Crash };
}

/// Something that happens later. Opaque: it is given back through [`Net::fire`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NetEvent(Later);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Later {
    /// The first segment that is under way from this socket arrives.
    Arrive(SockId),
    /// A SYN of this socket arrives at its destination.
    Syn(SockId),
    /// The answer to a SYN arrives back at the client.
    SynAck { client: SockId, child: SockId },
    /// An RST for this socket arrives.
    Reset(SockId),
    /// The SYN is sent again, or the attempt ends.
    SynTimer(SockId),
    /// A half-open connection is given up by the server.
    HalfOpen(SockId),
    /// ARP found nobody.
    Unreachable(SockId),
    /// The retransmission timer of this socket, if it is still the one with this number.
    Retransmit { sock: SockId, number: u32 },
    /// The keep-alive timer of this socket, if it is still the one with this number.
    KeepAlive { sock: SockId, number: u32 },
    /// The datagram in this place arrives.
    Datagram(u32),
    /// "Port unreachable" arrives at this socket for what it sent to this endpoint.
    PortUnreachable { sock: SockId, to: Endpoint },
    /// The flapping link of this number goes down or up.
    Flap(u32),
    /// An acknowledgement of all that was delivered arrives at this socket.
    Acknowledged(SockId),
    /// A queue on the way of this socket has room again.
    Room(SockId),
    /// The copy of a request that this socket asked has waited long enough.
    CopyEnds(SockId),
}

/// What the network keeps of a host.
struct Host {
    ports_tcp: Ports,
    ports_udp: Ports,
    /// Bound Unix sockets by inode.
    paths: BTreeMap<u64, SockId>,
    /// Bound Unix sockets by abstract name.
    names: BTreeMap<Box<[u8]>, SockId>,
    /// Powered off: what arrives is lost.
    is_off: bool,
    /// Stands still until then: what arrives waits.
    paused_until: Nanos,
}

/// The network of all hosts, and every socket.
pub struct Net {
    hosts: Vec<Host>,
    names: dns::Names,
    addresses: addr::Addresses,
    links: Links,
    sockets: Slab,
    pool: Pool,
    flying: udp_flight::Flying,
    exchanges: Exchanges,
    /// Number of the last message that was shown to the observer.
    messages: u64,
    /// Pairs of hosts that cannot talk to each other for a while.
    barriers: Vec<Barrier>,
    /// Who has asked whom that the plan takes away.
    asked_in_vain: Vec<(u16, u16)>,
    /// Steps of exchanges at which incidents begin.
    watched_steps: Vec<(ExchangeId, Step, usize)>,
    /// What is wrong with the ways between hosts.
    conditions: Conditions,
    /// Hosts that lie.
    liars: Liars,
    /// Clients that ask too much.
    bursts: Bursts,
}

impl Net {
    /// A network in which nothing has happened.
    pub fn new(world: &WorldSpec) -> Net {
        let host = |_| Host {
            ports_tcp: Ports::default(),
            ports_udp: Ports::default(),
            paths: BTreeMap::new(),
            names: BTreeMap::new(),
            is_off: false,
            paused_until: Nanos::ZERO,
        };
        Net {
            hosts: world.hosts.iter().map(host).collect(),
            names: dns::Names::new(&world.hosts),
            addresses: addr::Addresses::new(world.hosts.iter().map(|h| h.address).collect()),
            links: Links::new(world),
            sockets: Slab::default(),
            pool: Pool::default(),
            flying: udp_flight::Flying::default(),
            exchanges: Exchanges::new(world.hosts.iter().map(|h| h.name.clone()).collect()),
            messages: 0,
            barriers: Vec::new(),
            asked_in_vain: Vec::new(),
            watched_steps: Vec::new(),
            conditions: Conditions::new(world),
            liars: Liars::default(),
            bursts: Bursts::default(),
        }
    }

    /// Carries out what [`Cx::timers`] asked for. `cx.now` is the time at which it was to happen.
    pub fn fire(&mut self, cx: &mut Cx<'_>, event: NetEvent) {
        if !self.conditions.is_calm() && self.keep_for_later(cx, event.0) {
            return;
        }
        match event.0 {
            Later::Arrive(sock) => self.tcp_arrive(cx, sock),
            Later::Syn(sock) => self.tcp_syn_arrives(cx, sock),
            Later::SynAck { client, child } => self.tcp_syn_ack_arrives(cx, client, child),
            Later::Reset(sock) => self.tcp_rst_arrives(cx, sock),
            Later::SynTimer(sock) => self.tcp_syn_timer(cx, sock),
            Later::HalfOpen(sock) => self.tcp_half_open_timer(cx, sock),
            Later::Unreachable(sock) => self.tcp_unreachable(cx, sock),
            Later::Retransmit { sock, number } => self.tcp_retransmit_timer(cx, sock, number),
            Later::KeepAlive { sock, number } => self.tcp_keep_alive_timer(cx, sock, number),
            Later::Datagram(place) => self.datagram_arrives(cx, place),
            Later::PortUnreachable { sock, to } => self.port_unreachable(cx, sock, to),
            Later::Flap(number) => self.flap(cx, number),
            Later::Acknowledged(sock) => self.tcp_all_acknowledged(cx, sock),
            Later::CopyEnds(sock) => self.copy_ends(cx, sock),
            Later::Room(sock) => self.tcp_finds_room(cx, sock),
        }
    }

    /// Has [`HostFault::Incident`] strike when this exchange comes to this step.
    pub fn watch_step(&mut self, exchange: ExchangeId, step: Step, incident: usize) {
        self.watched_steps.push((exchange, step, incident));
    }

    /// All exchanges so far, in the order of their requests.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.all()
    }

    /// All exchanges, as above, which are forgotten: the run is over.
    pub fn take_exchanges(&mut self) -> Vec<Exchange> {
        let all = self.exchanges.all();
        self.exchanges.forget();
        all
    }

    /// Tells the network that the process of `host` is gone, for the counts in [`Exchange`].
    pub fn process_is_gone(&mut self, host: u16) {
        self.exchanges.process_is_gone(host);
    }

    /// Tells the network that a process of `host` begins a system call, for the counts in [`Exchange`].
    #[inline]
    pub fn call_begun(&mut self, host: u16) {
        self.exchanges.call_begun(host);
    }

    /// Tells the network that `host` wrote to its disk, for the counts in [`Exchange`].
    pub fn disk_written(&mut self, host: u16) {
        self.exchanges.disk_written(host);
    }

    /// How long the tables are, without what the record is made of.
    #[cfg(test)]
    pub(crate) fn lengths(&self) -> Vec<(&'static str, usize)> {
        let hosts = |of: fn(&Host) -> usize| self.hosts.iter().map(of).sum();
        let mut lengths = self.exchanges.lengths();
        lengths.extend([
            ("sockets", self.sockets.places()),
            ("ports of TCP", hosts(|host| host.ports_tcp.len())),
            ("ports of UDP", hosts(|host| host.ports_udp.len())),
            ("names of Unix sockets", hosts(|host| host.paths.len() + host.names.len())),
            ("barriers", self.barriers.len()),
            ("asked in vain", self.asked_in_vain.len()),
        ]);
        lengths
    }

    fn socket_of(&self, id: SockId) -> Result<&Socket, Errno> {
        self.sockets.get(id).ok_or(Errno::EBADF)
    }

    fn base(&mut self, id: SockId) -> Result<&mut Base, Errno> {
        self.sockets.get_mut(id).map(|socket| &mut socket.base).ok_or(Errno::EBADF)
    }

    /// A number for the next message that the observer sees.
    fn next_message(&mut self) -> u64 {
        self.messages += 1;
        self.messages
    }
}

impl Cx<'_> {
    /// Something happens at `at`.
    fn later(&mut self, at: Nanos, event: Later) {
        self.timers.push((at, NetEvent(event)));
    }

    #[inline]
    fn wake(&mut self, sock: SockId, events: u32) {
        self.wakes.push(Wake { sock, events });
    }

    /// Shows an event at `host`.
    fn show(&mut self, host: u16, event: Event) {
        let tid = if host == self.host { self.tid } else { 0 };
        self.observer.event(self.now, host, tid, event);
    }
}
