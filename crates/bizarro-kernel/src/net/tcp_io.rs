//! Sending and receiving on a TCP socket.

use super::calls::{Received, Source};
use super::exchange::Mark;
use super::options::Opt;
use super::queue::SHORT_SEGMENT;
use super::socket::{Base, Pool, RCV_SHUTDOWN, SEND_SHUTDOWN, SockId};
use super::tcp::{SEGMENT, Segment, State, Tcp, What, receive_window};
use super::{Cx, Net};
use crate::errno::Errno;

/// Sends up to this many bytes are never cut: every receiver has room for one (`SOCK_MIN_RCVBUF`).
const SMALL: usize = 1152;

impl Net {
    /// send(2) of a TCP socket (`tcp_sendmsg`).
    pub(super) fn tcp_send(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        source: &mut dyn Source,
        flags: i32,
    ) -> Result<usize, Errno> {
        if flags & libc::MSG_FASTOPEN != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let mut sent = 0;
        loop {
            let left = source.left();
            if sent > 0 && (left == 0 || self.base(id)?.error.is_some()) {
                // LINUX: an error that the sent bytes met is left to the next call.
                return Ok(sent);
            }
            match self.tcp_may_send(id) {
                Err(error) if sent == 0 => return Err(error),
                Err(_) => return Ok(sent),
                Ok(_) if left == 0 => return Ok(0),
                Ok(space) => {
                    let limit = if left > SMALL { self.tcp_segment(id) } else { SMALL };
                    let mut data = self.pool.take(left.min(space).min(limit));
                    let length = data.len();
                    let copied = source.read(&mut data);
                    if flags & libc::MSG_OOB != 0 && source.left() == 0 {
                        self.tcp_mark_urgent(id, length);
                    }
                    let pushed = copied.and_then(|()| self.tcp_push(cx, id, data));
                    match pushed {
                        Err(error) if sent == 0 => return Err(error),
                        Err(_) => return Ok(sent),
                        Ok(()) => sent += length,
                    }
                }
            }
        }
    }

    /// The last one of the next `length` bytes is urgent.
    fn tcp_mark_urgent(&mut self, id: SockId, length: usize) {
        if let Some((_, tcp)) = self.tcp(id) {
            tcp.marked = (tcp.sent_bytes + length as u64).checked_sub(1);
        }
    }

    /// The longest segment: what the network card takes, or half the window of a receiver with little room.
    fn tcp_segment(&mut self, id: SockId) -> usize {
        let peer = self.tcp(id).map_or(SockId::NONE, |(_, tcp)| tcp.peer);
        let window = self.tcp(peer).map_or(SEGMENT, |(base, _)| receive_window(&base.options));
        let longest = if self.has_queues() { SHORT_SEGMENT } else { SEGMENT };
        longest.min((window / 2).max(SMALL))
    }

    /// How many bytes the socket takes now (at least one), or what a send says instead.
    #[inline]
    fn tcp_may_send(&mut self, id: SockId) -> Result<usize, Errno> {
        let (base, tcp) = self.tcp(id).ok_or(Errno::EBADF)?;
        if base.error.is_some() || base.is_shut(SEND_SHUTDOWN) {
            base.take_error()?;
            return Err(Errno::EPIPE);
        }
        match tcp.state {
            State::Established | State::CloseWait => {}
            State::SynSent | State::SynRecv => return Err(Errno::EAGAIN),
            _ => return Err(Errno::EPIPE),
        }
        match tcp.space(&base.options) {
            0 => {
                tcp.no_space = true;
                Err(Errno::EAGAIN)
            }
            space => Ok(space),
        }
    }

    /// Sends one buffer, after the planned faults had their way with it.
    #[inline]
    fn tcp_push(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        data: alloc::vec::Vec<u8>,
    ) -> Result<(), Errno> {
        let (_, tcp) = self.tcp(id).ok_or(Errno::EBADF)?;
        if tcp.path == super::tcp::Path::Loopback {
            let segment = Segment::new(data, Mark::NONE, What::Data);
            self.tcp_queue(cx, id, segment);
            return Ok(());
        }
        self.tcp_push_observed(cx, id, data)
    }

    /// recv(2) of a TCP socket (`tcp_recvmsg`).
    pub(super) fn tcp_recv(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Errno>,
        max: usize,
        flags: i32,
    ) -> Result<Received, Errno> {
        if flags & libc::MSG_ERRQUEUE != 0 {
            return Err(Errno::EAGAIN);
        }
        if flags & libc::MSG_OOB != 0
            && self.tcp(id).is_some_and(|(_, tcp)| tcp.state != State::Listen)
        {
            return self.tcp_recv_urgent(id, sink, max, flags);
        }
        let Net { sockets, pool, .. } = self;
        let socket = sockets.get_mut(id).ok_or(Errno::EBADF)?;
        let super::Proto::Tcp(tcp) = &mut socket.proto else { return Err(Errno::EBADF) };
        let base = &mut socket.base;
        if tcp.state == State::Listen {
            return Err(Errno::ENOTCONN);
        }
        let unread =
            if tcp.urgent.is_some() { tcp.up_to_mark(&base.options) } else { tcp.rx_bytes };
        let wanted = max.min(unread);
        if unread == 0 {
            return nothing_to_read(base, tcp).map(|()| Received::default());
        }
        if wanted < low_water(base, tcp, max, flags) {
            return Err(Errno::EAGAIN);
        }
        if flags & libc::MSG_PEEK != 0 {
            return peek(tcp, sink, wanted, flags);
        }
        let (copied, deadly) = take(tcp, pool, sink, wanted, flags)?;
        let peer_holds = tcp.peer_holds;
        if deadly.is_some() {
            self.deadly_message_read(cx, deadly);
        }
        if peer_holds && copied > 0 {
            self.tcp_window_opened(cx, id);
        }
        Ok(Received { bytes: copied, ..Received::default() })
    }
}

/// How many bytes recv waits for, as long as more can come.
fn low_water(base: &Base, tcp: &Tcp, max: usize, flags: i32) -> usize {
    let is_open = !tcp.is_done && base.error.is_none() && !base.is_shut(RCV_SHUTDOWN);
    if flags & libc::MSG_DONTWAIT != 0 || !is_open {
        return 0;
    }
    let target = if flags & libc::MSG_WAITALL != 0 {
        max
    } else {
        max.min(base.options.get(Opt::RcvLowat).max(0) as usize)
    };
    // DIVERGENCE: more than half the window is never waited for, because the sender waits too.
    target.min(receive_window(&base.options) / 2)
}

/// Takes `wanted` bytes out of the queue; gives how many, and the mark of a message that its reader dies of.
#[inline]
fn take(
    tcp: &mut Tcp,
    pool: &mut Pool,
    sink: &mut dyn FnMut(&[u8]) -> Result<(), Errno>,
    wanted: usize,
    flags: i32,
) -> Result<(usize, Mark), Errno> {
    let mut copied = 0;
    let mut deadly = Mark::NONE;
    while copied < wanted {
        let Some(first) = tcp.rx.front() else { break };
        let rest = &first.data[tcp.rx_offset..];
        let part = &rest[..rest.len().min(wanted - copied)];
        if flags & libc::MSG_TRUNC == 0
            && let Err(error) = sink(part)
        {
            if copied == 0 {
                return Err(error);
            }
            break;
        }
        copied += part.len();
        tcp.rx_offset += part.len();
        if tcp.rx_offset == first.data.len() {
            tcp.rx_offset = 0;
            if let Some(segment) = tcp.rx.pop_front() {
                if segment.mark.is_some() {
                    deadly = segment.mark;
                }
                pool.give(segment.data);
            }
        }
    }
    tcp.rx_bytes -= copied;
    Ok((copied, deadly))
}

/// What recv says when there is nothing to read: `Ok` at the end of the stream.
fn nothing_to_read(base: &mut Base, tcp: &Tcp) -> Result<(), Errno> {
    if tcp.is_done {
        return Ok(());
    }
    base.take_error()?;
    if base.is_shut(RCV_SHUTDOWN) {
        return Ok(());
    }
    if tcp.state == State::Close { Err(Errno::ENOTCONN) } else { Err(Errno::EAGAIN) }
}

fn peek(
    tcp: &Tcp,
    sink: &mut dyn FnMut(&[u8]) -> Result<(), Errno>,
    wanted: usize,
    flags: i32,
) -> Result<Received, Errno> {
    let mut copied = 0;
    let mut offset = tcp.rx_offset;
    for segment in &tcp.rx {
        let rest = &segment.data[offset..];
        let part = &rest[..rest.len().min(wanted - copied)];
        offset = 0;
        if flags & libc::MSG_TRUNC == 0 {
            sink(part)?;
        }
        copied += part.len();
        if copied == wanted {
            break;
        }
    }
    Ok(Received { bytes: copied, ..Received::default() })
}
