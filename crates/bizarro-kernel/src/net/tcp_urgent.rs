//! Urgent data, tcp(7): one byte of the stream that is marked, and can be read out of turn.
//!
//! LINUX: the mark is the last byte of a send with `MSG_OOB` (net.ipv4.tcp_stdurg is 0). There is one mark at a time:
//! the last one.
//!
//! DIVERGENCE: the mark is heard of when its byte arrives, not before; and no SIGURG comes, because
//! F_SETOWN is not simulated.

use super::calls::Received;
use super::options::{Opt, Options};
use super::socket::SockId;
use super::tcp::{State, Tcp};
use super::{Cx, Net, Wake};
use crate::errno::Errno;

/// The urgent byte that a socket has received.
#[derive(Clone, Copy)]
pub(super) struct Urgent {
    /// Its place in the stream.
    at: u64,
    byte: u8,
    /// recv(2) has taken it with `MSG_OOB`.
    is_taken: bool,
}

impl Tcp {
    /// How many bytes are before the mark: `Some(0)` at it, `None` where there is none, or it was passed.
    pub(super) fn to_mark(&self) -> Option<usize> {
        let next = self.received_bytes - self.rx_bytes as u64;
        let urgent = self.urgent?;
        (urgent.at >= next).then(|| (urgent.at - next) as usize)
    }

    /// An urgent byte waits for `MSG_OOB` (`EPOLLPRI`).
    pub(super) fn has_urgent(&self) -> bool {
        self.to_mark().is_some() && self.urgent.is_some_and(|urgent| !urgent.is_taken)
    }

    /// Whether the next byte is the urgent one, and is read by `MSG_OOB` only.
    pub(super) fn skips_urgent(&self, options: &Options) -> bool {
        self.to_mark() == Some(0) && options.get(Opt::OobInline) == 0
    }

    /// Bytes that recv gives without `MSG_OOB` (`tcp_inq`): those before the mark.
    pub(super) fn unread(&self, options: &Options) -> usize {
        match self.to_mark() {
            Some(before) if options.get(Opt::OobInline) == 0 => before,
            _ => self.rx_bytes,
        }
    }

    /// Skips the urgent byte where it is next, and gives how many bytes there are then up to the mark.
    pub(super) fn up_to_mark(&mut self, options: &Options) -> usize {
        if self.skips_urgent(options) && self.rx_bytes > 0 {
            self.rx_bytes -= 1;
            self.rx_offset += 1;
            if self.rx.front().is_some_and(|first| first.data.len() == self.rx_offset) {
                self.rx.pop_front();
                self.rx_offset = 0;
            }
        }
        match self.to_mark() {
            None | Some(0) => self.rx_bytes,
            Some(before) => before,
        }
    }
}

impl Net {
    /// Bytes have arrived at `to`: whether the one that `from` marked is among them.
    pub(super) fn tcp_urgent_arrives(&mut self, cx: &mut Cx<'_>, from: SockId, to: SockId) {
        let marked = self.tcp(from).and_then(|(_, tcp)| tcp.marked);
        let Some((_, tcp)) = self.tcp(to) else { return };
        let (Some(at), Some(last)) = (marked, tcp.rx.back()) else { return };
        let start = tcp.received_bytes - last.data.len() as u64;
        if at < start || at >= tcp.received_bytes {
            return;
        }
        let byte = last.data[(at - start) as usize];
        tcp.urgent = Some(Urgent { at, byte, is_taken: false });
        cx.wake(to, Wake::READABLE);
    }

    /// recv(2) with `MSG_OOB` (`tcp_recv_urg`).
    pub(super) fn tcp_recv_urgent(
        &mut self,
        id: SockId,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Errno>,
        max: usize,
        flags: i32,
    ) -> Result<Received, Errno> {
        let (base, tcp) = self.tcp(id).ok_or(Errno::EBADF)?;
        if base.options.get(Opt::OobInline) != 0 || !tcp.has_urgent() {
            return Err(Errno::EINVAL);
        }
        if tcp.state == State::Close && !tcp.is_done {
            return Err(Errno::ENOTCONN);
        }
        let Some(urgent) = &mut tcp.urgent else { return Err(Errno::EINVAL) };
        let bytes = max.min(1);
        if flags & libc::MSG_TRUNC == 0 {
            sink(&[urgent.byte][..bytes])?;
        }
        urgent.is_taken |= flags & libc::MSG_PEEK == 0;
        let cut = if max == 0 { libc::MSG_TRUNC } else { 0 };
        Ok(Received { bytes, flags: libc::MSG_OOB | cut, ..Received::default() })
    }
}
