//! The state of a TCP socket, tcp(7), as far as an application sees it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bizarro_record::Nanos;

use super::addr::Endpoint;
use super::condition::Unheard;
use super::exchange::{Connection, Mark};
use super::options::{Opt, Options};
use super::socket::{Base, Proto, RCV_SHUTDOWN, SEND_SHUTDOWN, SHUTDOWN_MASK, SockId};
use super::tcp_urgent::Urgent;
use super::{Net, Wake};

/// The most bytes that travel as one: what Linux hands to a network card at once (GSO).
pub(super) const SEGMENT: usize = 65536;

/// Bytes that a sender may have under way where SO_SNDBUF was not set: what Linux's autotuning gives a
/// connection on loopback or a local network.
const SEND_BUFFER: i32 = 2_626_560;

/// Bytes that a receiver takes unread where SO_RCVBUF was not set: half of `tcp_rmem[2]`, of which the
/// other half is for Linux's own accounting.
const RECEIVE_WINDOW: usize = 3 << 20;

/// When a segment arrives that was lost and has to be sent again.
pub(super) const LOST: Nanos = Nanos::MAX;
/// When a segment arrives that waits for the receiver's window.
pub(super) const HELD: Nanos = Nanos(u64::MAX - 1);

/// The states of RFC 9293, with Linux's numbers. TIME_WAIT is no state of a socket, as in Linux, but of its
/// ports ([`super::port::Owner::TimeWait`]); the socket itself is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Established = 1,
    SynSent = 2,
    SynRecv = 3,
    FinWait1 = 4,
    FinWait2 = 5,
    Close = 7,
    CloseWait = 8,
    LastAck = 9,
    Listen = 10,
    Closing = 11,
}

/// How far connect(2) is: Linux's `socket_state`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Attempt {
    Unconnected,
    Connecting,
    Connected,
}

/// What a segment is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    Data,
    /// The last part of the handshake.
    Ack,
    Fin,
    Rst,
}

/// Bytes, or a sign, on the way from one end to the other.
pub(super) struct Segment {
    pub(super) data: Vec<u8>,
    /// When, or [`LOST`], or [`HELD`].
    pub(super) arrives: Nanos,
    /// Number for the observer; 0 where it is not shown.
    pub(super) message: u64,
    /// Its part in an exchange.
    pub(super) mark: Mark,
    pub(super) what: What,
    /// Bytes that were sent before it.
    pub(super) offset: u64,
}

impl Segment {
    pub(super) fn sign(what: What) -> Segment {
        Segment::new(Vec::new(), Mark::NONE, what)
    }

    pub(super) fn new(data: Vec<u8>, mark: Mark, what: What) -> Segment {
        Segment { data, arrives: HELD, message: 0, mark, what, offset: 0 }
    }

    pub(super) fn is_in_air(&self) -> bool {
        self.arrives < HELD
    }
}

/// What a listening socket has.
pub(super) struct Listener {
    pub(super) backlog: usize,
    /// Connections that accept(2) has not taken.
    pub(super) queue: VecDeque<SockId>,
    /// Connections whose handshake is under way.
    pub(super) half_open: usize,
}

/// The retransmission timer. It runs only while something is [`LOST`].
#[derive(Default)]
pub(super) struct Retransmission {
    pub(super) is_armed: bool,
    /// How many times it has expired since something got through.
    pub(super) expired: u32,
    /// Number of the timer; an older one that fires means nothing.
    pub(super) number: u32,
    /// When it expired for the first time since something got through, less the first timeout.
    pub(super) since: Nanos,
}

/// The keep-alive timer. It runs only while the path is dead: on a living path every probe is answered.
#[derive(Default)]
pub(super) struct KeepAlive {
    pub(super) number: u32,
    /// Probes without an answer.
    pub(super) probes: u32,
}

/// What bytes that this side sends meet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Path {
    /// The same host.
    Loopback,
    /// Another host.
    Link,
    /// Another host, and nothing arrives any more, either way.
    Dark,
}

/// A TCP socket.
pub(super) struct Tcp {
    pub(super) state: State,
    pub(super) attempt: Attempt,
    pub(super) path: Path,
    /// The other end.
    pub(super) peer: SockId,
    pub(super) peer_host: u16,
    /// Unread bytes.
    pub(super) rx: VecDeque<Segment>,
    /// Bytes of the first segment that were read.
    pub(super) rx_offset: usize,
    pub(super) rx_bytes: usize,
    /// A FIN arrived (`SOCK_DONE`).
    pub(super) is_done: bool,
    /// The other end holds bytes back because this one's window is full.
    pub(super) peer_holds: bool,
    /// Under way or waiting, in order: in the air or lost first, held last.
    pub(super) flight: VecDeque<Segment>,
    /// Bytes in `flight`.
    pub(super) queued: usize,
    /// Of these, bytes that are [`HELD`].
    pub(super) held: usize,
    /// What the other end has, and this one does not know it.
    pub(super) unheard: Unheard,
    /// An [`super::Later::Room`] is on its way.
    pub(super) is_told_of_room: bool,
    /// An [`super::Later::Arrive`] is on its way.
    pub(super) is_armed: bool,
    /// A send found no space since the last wake.
    pub(super) no_space: bool,
    /// Arrivals are never before this.
    pub(super) last_arrival: Nanos,
    /// Everything arrives this much later.
    pub(super) late: Nanos,
    /// The other end was told that this one has finished, in place of bytes: what follows is swallowed.
    pub(super) is_severed: bool,
    /// No descriptor names the socket any more.
    pub(super) is_orphan: bool,
    /// When the peer was last heard.
    pub(super) heard: Nanos,
    /// Since when an orphan is in FIN_WAIT2.
    pub(super) orphaned: Nanos,
    pub(super) retransmission: Retransmission,
    pub(super) keep_alive: KeepAlive,
    /// The address and port of this end; unspecified where it has none.
    pub(super) local: Endpoint,
    pub(super) remote: Endpoint,
    /// The local port is taken. Without, it is only what getsockname(2) still tells of it.
    pub(super) holds_port: bool,
    /// bind(2) chose the address or port: they stay when the connection goes.
    pub(super) is_bound_ip: bool,
    pub(super) is_bound_port: bool,
    /// How many SYNs were sent.
    pub(super) syns: u32,
    /// This side called connect(2).
    pub(super) is_client: bool,
    /// Whose accept(2) will give this socket.
    pub(super) parent: SockId,
    pub(super) listener: Option<Box<Listener>>,
    /// Where its exchanges are told apart.
    pub(super) connection: Connection,
    /// Place in the stream of the last byte that was sent as urgent.
    pub(super) marked: Option<u64>,
    /// The urgent byte that has arrived.
    pub(super) urgent: Option<Urgent>,
    /// Bytes sent and received since the start.
    pub(super) sent_bytes: u64,
    pub(super) received_bytes: u64,
}

impl Tcp {
    pub(super) fn new(domain: i32) -> Tcp {
        let any = unspecified(domain);
        Tcp {
            state: State::Close,
            attempt: Attempt::Unconnected,
            path: Path::Link,
            peer: SockId::NONE,
            peer_host: 0,
            rx: VecDeque::new(),
            rx_offset: 0,
            rx_bytes: 0,
            is_done: false,
            peer_holds: false,
            flight: VecDeque::new(),
            queued: 0,
            held: 0,
            unheard: Unheard::default(),
            is_told_of_room: false,
            is_armed: false,
            no_space: false,
            last_arrival: Nanos::ZERO,
            late: Nanos::ZERO,
            is_severed: false,
            is_orphan: false,
            heard: Nanos::ZERO,
            orphaned: Nanos::ZERO,
            retransmission: Retransmission::default(),
            keep_alive: KeepAlive::default(),
            local: any,
            remote: any,
            holds_port: false,
            is_bound_ip: false,
            is_bound_port: false,
            syns: 0,
            is_client: false,
            parent: SockId::NONE,
            listener: None,
            connection: Connection::NONE,
            marked: None,
            urgent: None,
            sent_bytes: 0,
            received_bytes: 0,
        }
    }

    /// Whether data can be under way.
    pub(super) fn is_synchronised(&self) -> bool {
        !matches!(self.state, State::Close | State::Listen | State::SynSent)
    }

    /// Bytes that the sender's buffer still takes.
    pub(super) fn space(&self, options: &Options) -> usize {
        send_buffer(options, self).saturating_sub(self.unacknowledged())
    }

    /// `sk_stream_is_writeable()`: at least a third of the buffer is free.
    pub(super) fn is_writable(&self, options: &Options) -> bool {
        is_third_free(send_buffer(options, self), self.unacknowledged())
    }

    /// Bytes in the sender's buffer.
    pub(super) fn unacknowledged(&self) -> usize {
        self.queued + self.unheard.bytes
    }

    /// `length` bytes have just left the buffer: whether somebody who saw it full has to hear of it.
    pub(super) fn space_returns(&mut self, options: &Options, length: usize) -> bool {
        let buffer = send_buffer(options, self);
        let taken = self.unacknowledged();
        let was_full = self.no_space || !is_third_free(buffer, taken + length);
        let returns = was_full && is_third_free(buffer, taken);
        self.no_space &= !returns;
        returns
    }

    /// Bytes that may still be on the way to this socket or unread in it.
    pub(super) fn window(&self, options: &Options) -> usize {
        receive_window(options).saturating_sub(self.rx_bytes)
    }
}

fn is_third_free(buffer: usize, queued: usize) -> bool {
    queued < buffer && buffer - queued >= queued / 2
}

/// The wildcard address of a domain, port 0.
pub(super) fn unspecified(domain: i32) -> Endpoint {
    if domain == libc::AF_INET6 {
        Endpoint { ip: core::net::Ipv6Addr::UNSPECIFIED.into(), port: 0 }
    } else {
        Endpoint::ANY
    }
}

/// SO_SNDBUF in effect.
pub(super) fn send_buffer(options: &Options, tcp: &Tcp) -> usize {
    if options.is_set(Opt::SndBuf) {
        return options.get(Opt::SndBuf) as usize;
    }
    if tcp.state == State::Close || tcp.state == State::Listen {
        16384
    } else {
        SEND_BUFFER as usize
    }
}

/// The window that follows from SO_RCVBUF, half of which is for Linux's own accounting.
pub(super) fn receive_window(options: &Options) -> usize {
    if options.is_set(Opt::RcvBuf) {
        (options.get(Opt::RcvBuf) as usize / 2).max(1)
    } else {
        RECEIVE_WINDOW
    }
}

impl Net {
    /// The socket, if it is there and speaks TCP.
    #[inline]
    pub(super) fn tcp(&mut self, id: SockId) -> Option<(&mut Base, &mut Tcp)> {
        let socket = self.sockets.get_mut(id)?;
        match &mut socket.proto {
            Proto::Tcp(tcp) => Some((&mut socket.base, tcp)),
            _ => None,
        }
    }

    /// `tcp_poll()`.
    pub(super) fn tcp_readiness(base: &Base, tcp: &Tcp) -> i32 {
        if let Some(listener) = &tcp.listener {
            let ready = !listener.queue.is_empty();
            return if ready { libc::EPOLLIN | libc::EPOLLRDNORM } else { 0 };
        }
        let mut mask = 0;
        if base.shutdown == SHUTDOWN_MASK || tcp.state == State::Close {
            mask |= libc::EPOLLHUP;
        }
        if base.is_shut(RCV_SHUTDOWN) {
            mask |= libc::EPOLLIN | libc::EPOLLRDNORM | libc::EPOLLRDHUP;
        }
        if !matches!(tcp.state, State::SynSent | State::SynRecv) {
            let low_water =
                (base.options.get(Opt::RcvLowat) as usize).min(receive_window(&base.options));
            // LINUX: an urgent byte that is next does not count, because recv skips it.
            let skipped = tcp.skips_urgent(&base.options);
            if tcp.rx_bytes >= low_water.max(1) + usize::from(skipped) {
                mask |= libc::EPOLLIN | libc::EPOLLRDNORM;
            }
            if base.is_shut(SEND_SHUTDOWN) || tcp.is_writable(&base.options) {
                mask |= libc::EPOLLOUT | libc::EPOLLWRNORM;
            }
        }
        if tcp.has_urgent() {
            mask |= libc::EPOLLPRI;
        }
        if base.error.is_some() {
            mask |= libc::EPOLLERR;
        }
        mask
    }

    /// Wakes for a change of state (`sk_state_change`), unless nobody holds the socket, or waits in its close.
    pub(super) fn tcp_wake(&mut self, cx: &mut super::Cx<'_>, id: SockId, events: u32) {
        let hears = |(base, tcp): (&mut Base, &mut Tcp)| {
            let is_held = !tcp.is_orphan || base.options.linger.is_some();
            is_held && tcp.parent == SockId::NONE
        };
        if self.tcp(id).is_some_and(hears) {
            cx.wake(id, events);
        }
    }
}

/// The events of a wake after a FIN or a reset: everybody.
pub(super) const CHANGED: u32 = Wake::ALL;
