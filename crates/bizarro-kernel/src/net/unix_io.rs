//! Sending and receiving on Unix streams, and what Unix sockets of all kinds are ready for.

use alloc::vec::Vec;

use super::addr::SockAddr;
use super::calls::{Received, Source};
use super::control::{Control, Ucred};
use super::options::Opt;
use super::socket::{Base, RCV_SHUTDOWN, SEND_SHUTDOWN, SHUTDOWN_MASK, SockId};
use super::tcp::State;
use super::udp::truesize;
use super::unix::{Message, Unix};
use super::{Cx, Net, Wake};
use crate::errno::Errno;

/// The largest part into which Linux cuts a write (`SKB_MAX_HEAD` and eight pages).
const PART: usize = 3776 + 32768;

impl Net {
    /// `unix_poll()` and `unix_dgram_poll()`.
    pub(super) fn unix_readiness(&self, id: SockId, base: &Base, unix: &Unix) -> i32 {
        let mut mask = 0;
        if base.error.is_some() {
            mask |= libc::EPOLLERR;
        }
        if base.shutdown == SHUTDOWN_MASK {
            mask |= libc::EPOLLHUP;
        }
        if base.is_shut(RCV_SHUTDOWN) {
            mask |= libc::EPOLLRDHUP | libc::EPOLLIN | libc::EPOLLRDNORM;
        }
        if !unix.rx.is_empty() || !unix.queue.is_empty() {
            mask |= libc::EPOLLIN | libc::EPOLLRDNORM;
        }
        if base.kind != libc::SOCK_DGRAM && unix.state == State::Close {
            mask |= libc::EPOLLHUP;
        }
        if unix.is_writable(base) && !self.unix_is_blocked_by_peer(id, base, unix) {
            mask |= libc::EPOLLOUT | libc::EPOLLWRNORM | libc::EPOLLWRBAND;
        }
        mask
    }

    /// A datagram socket whose peer takes datagrams from others too waits for room in the peer's queue.
    fn unix_is_blocked_by_peer(&self, id: SockId, base: &Base, unix: &Unix) -> bool {
        base.kind != libc::SOCK_STREAM
            && self.unix_peek(unix.peer).is_some_and(|(_, peer)| peer.peer != id && peer.is_full())
    }

    /// send(2) of a Unix socket.
    pub(super) fn unix_send(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        source: &mut dyn Source,
        to: Option<&SockAddr>,
        control: &[Control],
        flags: i32,
    ) -> Result<usize, Errno> {
        let (base, unix) = self.unix(id)?;
        if flags & libc::MSG_OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        if base.kind != libc::SOCK_STREAM {
            return self.unix_send_record(cx, id, source, to, control);
        }
        if to.is_some() {
            let is_connected = unix.state == State::Established;
            return Err(if is_connected { Errno::EISCONN } else { Errno::EOPNOTSUPP });
        }
        if unix.peer == SockId::NONE {
            return Err(Errno::ENOTCONN);
        }
        if base.is_shut(SEND_SHUTDOWN) {
            return Err(Errno::EPIPE);
        }
        let (mut rights, creds) = ancillary(cx, control);
        let mut sent = 0;
        while source.left() > 0 {
            match self.unix_send_part(cx, id, source, &mut rights, creds) {
                Ok(bytes) => sent += bytes,
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
        }
        // LINUX: descriptions that go with no byte are dropped.
        cx.released.append(&mut rights);
        Ok(sent)
    }

    fn unix_send_part(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        source: &mut dyn Source,
        rights: &mut Vec<u64>,
        creds: Ucred,
    ) -> Result<usize, Errno> {
        let (base, unix) = self.unix(id)?;
        let buffer = base.options.get(Opt::SndBuf) as usize;
        if unix.in_flight >= buffer {
            return Err(Errno::EAGAIN);
        }
        let (peer, from) = (unix.peer, unix.name.clone());
        self.unix(peer).map_err(|_| Errno::EPIPE)?;
        let mut data =
            self.pool.take(source.left().min(PART).min((buffer / 2).saturating_sub(64).max(1)));
        let length = data.len();
        source.read(&mut data)?;
        let charge = truesize(length);
        self.unix(id)?.1.in_flight += charge;
        let rights = core::mem::take(rights);
        let (_, other) = self.unix(peer)?;
        other.rx.push_back(Message { data, charge, sender: id, from, rights, creds });
        cx.wake(peer, Wake::READABLE);
        Ok(length)
    }

    /// recv(2) of a Unix socket.
    pub(super) fn unix_recv(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Errno>,
        max: usize,
        flags: i32,
    ) -> Result<Received, Errno> {
        let (base, unix) = self.unix(id)?;
        if base.kind != libc::SOCK_STREAM {
            return self.unix_recv_record(cx, id, sink, max, flags);
        }
        if unix.state != State::Established {
            return Err(Errno::EINVAL);
        }
        if flags & libc::MSG_OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        if unix.rx.is_empty() {
            base.take_error()?;
            let ends = base.is_shut(RCV_SHUTDOWN);
            return if ends { Ok(Received::default()) } else { Err(Errno::EAGAIN) };
        }
        let is_open = !base.is_shut(RCV_SHUTDOWN);
        if flags & libc::MSG_DONTWAIT == 0 && is_open {
            let low_water = base.options.get(Opt::RcvLowat).max(0) as usize;
            let target = if flags & libc::MSG_WAITALL != 0 { max } else { max.min(low_water) };
            let buffer = base.options.get(Opt::SndBuf) as usize;
            // DIVERGENCE: more than half the sender's buffer is never waited for, because the sender waits too.
            if unix.unread(libc::SOCK_STREAM)? < target.min(buffer / 2) {
                return Err(Errno::EAGAIN);
            }
        }
        let passes_creds = base.options.get(Opt::PassCred) != 0;
        let (received, done, offset) = glue(unix, sink, max, passes_creds)?;
        if flags & libc::MSG_PEEK == 0 {
            unix.rx_offset = offset;
            // LINUX: the descriptors of a message come with its first byte, and only once.
            if offset > 0 {
                unix.rx[done].rights.clear();
            }
            for _ in 0..done {
                self.unix_drop_first(cx, id);
            }
        }
        Ok(received)
    }

    /// The first message was read to its end.
    fn unix_drop_first(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Ok((_, unix)) = self.unix(id) else { return };
        let Some(message) = unix.rx.pop_front() else { return };
        self.pool.give(message.data);
        self.unix_uncharge(cx, message.sender, message.charge);
    }
}

/// Reads from several messages as one, up to the first one with descriptions, or of somebody else where that
/// matters. Gives what was read, how many messages are done, and how much of the next one was read.
fn glue(
    unix: &Unix,
    sink: &mut dyn FnMut(&[u8]) -> Result<(), Errno>,
    max: usize,
    passes_creds: bool,
) -> Result<(Received, usize, usize), Errno> {
    let mut received = Received::default();
    let mut creds = None;
    let (mut offset, mut done) = (unix.rx_offset, 0);
    for message in &unix.rx {
        if passes_creds && creds.is_some_and(|creds| creds != message.creds) {
            break;
        }
        let rest = &message.data[offset..];
        let part = &rest[..rest.len().min(max - received.bytes)];
        if let Err(error) = sink(part) {
            if received.bytes == 0 {
                return Err(error);
            }
            break;
        }
        creds = Some(message.creds);
        received.bytes += part.len();
        offset += part.len();
        let has_rights = !message.rights.is_empty();
        if has_rights {
            received.control.push(Control::Rights(message.rights.clone()));
        }
        if offset == message.data.len() {
            offset = 0;
            done += 1;
        }
        if has_rights || received.bytes == max {
            break;
        }
    }
    if passes_creds && let Some(creds) = creds {
        received.control.insert(0, Control::Credentials(creds));
    }
    Ok((received, done, offset))
}

/// The descriptions and credentials that go with a send.
pub(super) fn ancillary(cx: &Cx<'_>, control: &[Control]) -> (Vec<u64>, Ucred) {
    let mut rights = Vec::new();
    let mut creds = cx.creds;
    for message in control {
        match message {
            Control::Rights(some) => rights.extend_from_slice(some),
            Control::Credentials(who) => creds = *who,
            _ => {}
        }
    }
    (rights, creds)
}
