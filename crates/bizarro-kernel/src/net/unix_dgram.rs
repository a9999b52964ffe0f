//! Unix sockets that keep the bounds of messages: `SOCK_DGRAM` and `SOCK_SEQPACKET`.

use super::addr::{SockAddr, UnixName};
use super::calls::{Received, Source};
use super::control::Control;
use super::options::Opt;
use super::socket::{RCV_SHUTDOWN, SEND_SHUTDOWN, SockId};
use super::tcp::State;
use super::udp::truesize;
use super::unix::Message;
use super::unix_io::ancillary;
use super::{Cx, Net, Wake};
use crate::errno::Errno;

impl Net {
    /// connect(2) of a datagram socket: says to whom it sends, and from whom it hears.
    pub(super) fn unix_connect_datagram(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        to: &SockAddr,
    ) -> Result<(), Errno> {
        let (base, unix) = self.unix(id)?;
        let host = base.host;
        let name = match to {
            SockAddr::Unspec => {
                unix.peer = SockId::NONE;
                unix.peer_name = UnixName::Unnamed;
                return Ok(());
            }
            SockAddr::Unix(name) => name,
            _ => return Err(Errno::EINVAL),
        };
        if base.options.get(Opt::PassCred) != 0 && unix.name == UnixName::Unnamed {
            self.unix_autobind(cx, id)?;
        }
        let peer = self.unix_find(host, name)?;
        self.unix_check_peer(id, peer)?;
        let (_, unix) = self.unix(id)?;
        unix.peer = peer;
        unix.peer_name = name.clone();
        Ok(())
    }

    /// `EPROTOTYPE` for a peer of another kind, `EPERM` for one that is connected to somebody else.
    fn unix_check_peer(&mut self, id: SockId, peer: SockId) -> Result<(), Errno> {
        let kind = self.unix(id)?.0.kind;
        let (base, other) = self.unix(peer).map_err(|_| Errno::ECONNREFUSED)?;
        if base.kind != kind {
            return Err(Errno::EPROTOTYPE);
        }
        if other.peer != SockId::NONE && other.peer != id {
            return Err(Errno::EPERM);
        }
        Ok(())
    }

    /// Sends one message (`unix_dgram_sendmsg`).
    pub(super) fn unix_send_record(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        source: &mut dyn Source,
        to: Option<&SockAddr>,
        control: &[Control],
    ) -> Result<usize, Errno> {
        let length = source.left();
        let (base, unix) = self.unix(id)?;
        let (host, kind) = (base.host, base.kind);
        if kind == libc::SOCK_SEQPACKET && unix.state != State::Established {
            return Err(Errno::ENOTCONN);
        }
        // LINUX: a connected SOCK_SEQPACKET ignores the address (unix_seqpacket_sendmsg).
        let to = if kind == libc::SOCK_SEQPACKET { None } else { to };
        let peer = match to {
            Some(SockAddr::Unix(name)) => self.unix_find(host, name)?,
            Some(_) => return Err(Errno::EINVAL),
            None if unix.peer == SockId::NONE => return Err(Errno::ENOTCONN),
            None => unix.peer,
        };
        let (base, unix) = self.unix(id)?;
        let buffer = base.options.get(Opt::SndBuf) as usize;
        if length > buffer.saturating_sub(32) {
            return Err(Errno::EMSGSIZE);
        }
        base.take_error()?;
        if base.is_shut(SEND_SHUTDOWN) {
            return Err(Errno::EPIPE);
        }
        if unix.in_flight >= buffer {
            return Err(Errno::EAGAIN);
        }
        if base.options.get(Opt::PassCred) != 0 && unix.name == UnixName::Unnamed {
            self.unix_autobind(cx, id)?;
        }
        self.unix_check_receiver(id, peer)?;
        let mut data = self.pool.take(length);
        source.read(&mut data)?;
        let charge = truesize(length);
        let (_, unix) = self.unix(id)?;
        unix.in_flight += charge;
        let from = unix.name.clone();
        let (rights, creds) = ancillary(cx, control);
        let (_, other) = self.unix(peer)?;
        other.rx.push_back(Message { data, charge, sender: id, from, rights, creds });
        cx.wake(peer, Wake::READABLE);
        Ok(length)
    }

    /// Whether `peer` takes a message from `id` now.
    fn unix_check_receiver(&mut self, id: SockId, peer: SockId) -> Result<(), Errno> {
        if self.unix(peer).is_err() {
            let (_, unix) = self.unix(id)?;
            if unix.peer == peer {
                unix.peer = SockId::NONE;
            }
            return Err(Errno::ECONNREFUSED);
        }
        self.unix_check_peer(id, peer)?;
        let (base, other) = self.unix(peer)?;
        if base.is_shut(RCV_SHUTDOWN) {
            return Err(Errno::EPIPE);
        }
        if other.peer != id && other.is_full() {
            other.waiting.push(id);
            return Err(Errno::EAGAIN);
        }
        Ok(())
    }

    /// Receives one message (`unix_dgram_recvmsg`).
    pub(super) fn unix_recv_record(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Errno>,
        max: usize,
        flags: i32,
    ) -> Result<Received, Errno> {
        let (base, unix) = self.unix(id)?;
        let is_packet = base.kind == libc::SOCK_SEQPACKET;
        if is_packet && unix.state != State::Established {
            return Err(Errno::ENOTCONN);
        }
        if flags & libc::MSG_OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        base.take_error()?;
        let Some(first) = unix.rx.front() else {
            let is_blocking = flags & libc::MSG_DONTWAIT == 0;
            let ends = base.is_shut(RCV_SHUTDOWN) && (is_packet || is_blocking);
            return if ends { Ok(Received::default()) } else { Err(Errno::EAGAIN) };
        };
        let length = first.data.len();
        let part = length.min(max);
        sink(&first.data[..part])?;
        let mut received = Received {
            bytes: if flags & libc::MSG_TRUNC != 0 { length } else { part },
            from: match &first.from {
                UnixName::Unnamed => None,
                name => Some(SockAddr::Unix(name.clone())),
            },
            flags: if part < length { libc::MSG_TRUNC } else { 0 },
            ..Received::default()
        };
        if base.options.get(Opt::PassCred) != 0 {
            received.control.push(Control::Credentials(first.creds));
        }
        if !first.rights.is_empty() {
            received.control.push(Control::Rights(first.rights.clone()));
        }
        if flags & libc::MSG_PEEK == 0
            && let Some(message) = unix.rx.pop_front()
        {
            self.pool.give(message.data);
            self.unix_uncharge(cx, message.sender, message.charge);
            self.unix_wake_waiting(cx, id);
        }
        Ok(received)
    }
}
