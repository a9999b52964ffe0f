//! Unix sockets, unix(7): names, connections and their end. What is sent is in [`super::unix_io`].

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::addr::{SockAddr, UnixName};
use super::calls::Accepted;
use super::control::Ucred;
use super::options::Opt;
use super::socket::{Base, Proto, RCV_SHUTDOWN, SEND_SHUTDOWN, SHUTDOWN_MASK, SockId};
use super::tcp::State;
use super::{Cx, Net, Wake};
use crate::errno::Errno;

/// `net.unix.max_dgram_qlen`: datagrams that a socket takes unread, less one.
pub(super) const DATAGRAM_BACKLOG: usize = 10;

/// What was sent and is not read.
pub(super) struct Message {
    pub(super) data: Vec<u8>,
    /// What Linux charges the sender for it.
    pub(super) charge: usize,
    pub(super) sender: SockId,
    pub(super) from: UnixName,
    pub(super) rights: Vec<u64>,
    pub(super) creds: Ucred,
}

/// A Unix socket.
pub(super) struct Unix {
    /// `Close` (as new), `Listen` or `Established`.
    pub(super) state: State,
    pub(super) name: UnixName,
    pub(super) peer: SockId,
    pub(super) peer_name: UnixName,
    pub(super) peer_creds: Option<Ucred>,
    pub(super) rx: VecDeque<Message>,
    /// Bytes of the first message that were read.
    pub(super) rx_offset: usize,
    /// What this socket is charged for what it sent and nobody read (`sk_wmem_alloc`).
    pub(super) in_flight: usize,
    pub(super) backlog: usize,
    /// Connections that accept(2) has not taken.
    pub(super) queue: VecDeque<SockId>,
    /// Who waits for room in `rx` or `queue`.
    pub(super) waiting: Vec<SockId>,
}

impl Unix {
    pub(super) fn new() -> Unix {
        Unix {
            state: State::Close,
            name: UnixName::Unnamed,
            peer: SockId::NONE,
            peer_name: UnixName::Unnamed,
            peer_creds: None,
            rx: VecDeque::new(),
            rx_offset: 0,
            in_flight: 0,
            backlog: DATAGRAM_BACKLOG,
            queue: VecDeque::new(),
            waiting: Vec::new(),
        }
    }

    /// FIONREAD: all bytes of a stream, those of the first message otherwise.
    pub(super) fn unread(&self, kind: i32) -> Result<usize, Errno> {
        if self.state == State::Listen {
            return Err(Errno::EINVAL);
        }
        Ok(if kind == libc::SOCK_STREAM {
            self.rx.iter().map(|message| message.data.len()).sum::<usize>() - self.rx_offset
        } else {
            self.rx.front().map_or(0, |message| message.data.len())
        })
    }

    /// `unix_writable()`: at most a quarter of the send buffer is in use.
    pub(super) fn is_writable(&self, base: &Base) -> bool {
        self.state != State::Listen && self.in_flight * 4 <= base.options.get(Opt::SndBuf) as usize
    }

    /// `unix_recvq_full()`.
    pub(super) fn is_full(&self) -> bool {
        self.rx.len() > self.backlog
    }
}

impl Net {
    pub(super) fn unix(&mut self, id: SockId) -> Result<(&mut Base, &mut Unix), Errno> {
        let socket = self.sockets.get_mut(id).ok_or(Errno::EBADF)?;
        match &mut socket.proto {
            Proto::Unix(unix) => Ok((&mut socket.base, unix)),
            _ => Err(Errno::EBADF),
        }
    }

    pub(super) fn unix_peek(&self, id: SockId) -> Option<(&Base, &Unix)> {
        let socket = self.sockets.get(id)?;
        match &socket.proto {
            Proto::Unix(unix) => Some((&socket.base, unix)),
            _ => None,
        }
    }

    /// Connects two new sockets with each other.
    pub(super) fn unix_join(&mut self, cx: &Cx<'_>, a: SockId, b: SockId) {
        for (end, peer) in [(a, b), (b, a)] {
            if let Ok((base, unix)) = self.unix(end) {
                unix.peer = peer;
                unix.peer_creds = Some(cx.creds);
                if base.kind != libc::SOCK_DGRAM {
                    unix.state = State::Established;
                }
            }
        }
    }

    /// bind(2) of a Unix socket. Without a name it gets an abstract one of five hexadecimal digits.
    pub(super) fn unix_bind(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        to: &SockAddr,
    ) -> Result<(), Errno> {
        let SockAddr::Unix(name) = to else { return Err(Errno::EINVAL) };
        let (base, unix) = self.unix(id)?;
        let host = usize::from(base.host);
        if unix.name != UnixName::Unnamed {
            // LINUX: binding a bound socket to no name does nothing (unix_autobind).
            return if *name == UnixName::Unnamed { Ok(()) } else { Err(Errno::EINVAL) };
        }
        let name = match name {
            UnixName::Unnamed => self.unix_free_name(cx, host)?,
            name => name.clone(),
        };
        let names = &mut self.hosts[host];
        match &name {
            UnixName::Path { inode, .. } => drop(names.paths.insert(*inode, id)),
            UnixName::Abstract(bytes) if names.names.contains_key(&**bytes) => {
                return Err(Errno::EADDRINUSE);
            }
            UnixName::Abstract(bytes) => drop(names.names.insert(Box::from(&**bytes), id)),
            UnixName::Unnamed => {}
        }
        self.unix(id)?.1.name = name;
        Ok(())
    }

    fn unix_free_name(&mut self, cx: &mut Cx<'_>, host: usize) -> Result<UnixName, Errno> {
        const COUNT: u64 = 1 << 20;
        let start = cx.decider.random() % COUNT;
        let name = |n| format!("{:05x}", (start + n) % COUNT).into_bytes();
        let is_free = |name: &Vec<u8>| !self.hosts[host].names.contains_key(&**name);
        let free = (0..COUNT).map(name).find(is_free).ok_or(Errno::ENOSPC)?;
        Ok(UnixName::Abstract(Arc::from(free)))
    }

    /// Gives a socket a name if it has none.
    pub(super) fn unix_autobind(&mut self, cx: &mut Cx<'_>, id: SockId) -> Result<(), Errno> {
        self.unix_bind(cx, id, &SockAddr::Unix(UnixName::Unnamed))
    }

    /// The socket of `host` that is bound to `name`.
    pub(super) fn unix_find(&self, host: u16, name: &UnixName) -> Result<SockId, Errno> {
        let names = &self.hosts[usize::from(host)];
        let found = match name {
            UnixName::Path { inode, .. } => names.paths.get(inode),
            UnixName::Abstract(bytes) => names.names.get(&**bytes),
            UnixName::Unnamed => return Err(Errno::EINVAL),
        };
        found.copied().ok_or(Errno::ECONNREFUSED)
    }

    /// listen(2) of a Unix socket: `EINVAL` where it has no name, `EOPNOTSUPP` for datagrams.
    pub(super) fn unix_listen(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        backlog: i32,
    ) -> Result<(), Errno> {
        let (base, unix) = self.unix(id)?;
        if base.kind == libc::SOCK_DGRAM {
            return Err(Errno::EOPNOTSUPP);
        }
        let is_fresh = matches!(unix.state, State::Close | State::Listen);
        if unix.name == UnixName::Unnamed || !is_fresh || unix.peer != SockId::NONE {
            return Err(Errno::EINVAL);
        }
        unix.state = State::Listen;
        unix.backlog = if backlog < 0 { 4096 } else { backlog.min(4096) as usize };
        unix.peer_creds = Some(cx.creds);
        self.unix_wake_waiting(cx, id);
        Ok(())
    }

    /// accept(2) of a Unix socket.
    pub(super) fn unix_accept(&mut self, cx: &mut Cx<'_>, id: SockId) -> Result<Accepted, Errno> {
        let (base, unix) = self.unix(id)?;
        if base.kind == libc::SOCK_DGRAM {
            return Err(Errno::EOPNOTSUPP);
        }
        if unix.state != State::Listen {
            return Err(Errno::EINVAL);
        }
        let sock = match unix.queue.pop_front() {
            Some(sock) => sock,
            // LINUX: the receive path says "no more" as success, which accept(2) takes for EINVAL.
            None if base.is_shut(RCV_SHUTDOWN) => return Err(Errno::EINVAL),
            None => return Err(Errno::EAGAIN),
        };
        self.unix_wake_waiting(cx, id);
        let (_, child) = self.unix(sock)?;
        Ok(Accepted { sock, peer: SockAddr::Unix(child.peer_name.clone()) })
    }

    /// connect(2) of a Unix socket.
    pub(super) fn unix_connect(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        to: &SockAddr,
    ) -> Result<(), Errno> {
        let (base, unix) = self.unix(id)?;
        if base.kind == libc::SOCK_DGRAM {
            return self.unix_connect_datagram(cx, id, to);
        }
        let SockAddr::Unix(name) = to else { return Err(Errno::EINVAL) };
        let (host, domain, kind) = (base.host, base.domain, base.kind);
        match unix.state {
            State::Close => {}
            State::Established => return Err(Errno::EISCONN),
            _ => return Err(Errno::EINVAL),
        }
        if base.options.get(Opt::PassCred) != 0 && unix.name == UnixName::Unnamed {
            self.unix_autobind(cx, id)?;
        }
        let client_name = self.unix(id)?.1.name.clone();
        let listener = self.unix_find(host, name)?;
        let (base, other) = self.unix(listener)?;
        if base.kind != kind {
            return Err(Errno::EPROTOTYPE);
        }
        if other.state != State::Listen || base.is_shut(RCV_SHUTDOWN) {
            return Err(Errno::ECONNREFUSED);
        }
        if other.queue.len() > other.backlog {
            other.waiting.push(id);
            return Err(Errno::EAGAIN);
        }
        let (server_name, server_creds) = (other.name.clone(), other.peer_creds);
        let child = self.socket(host, domain, kind, 0)?;
        let (_, new) = self.unix(child)?;
        new.state = State::Established;
        new.name = server_name.clone();
        new.peer = id;
        new.peer_name = client_name;
        new.peer_creds = Some(cx.creds);
        let (_, unix) = self.unix(id)?;
        unix.state = State::Established;
        unix.peer = child;
        unix.peer_name = server_name;
        unix.peer_creds = server_creds;
        self.unix(listener)?.1.queue.push_back(child);
        cx.wake(listener, Wake::READABLE);
        Ok(())
    }

    pub(super) fn unix_peer_name(&self, id: SockId) -> Result<SockAddr, Errno> {
        let (_, unix) = self.unix_peek(id).ok_or(Errno::EBADF)?;
        if unix.peer == SockId::NONE {
            return Err(Errno::ENOTCONN);
        }
        let name = self.unix_peek(unix.peer).map_or(&unix.peer_name, |(_, peer)| &peer.name);
        Ok(SockAddr::Unix(name.clone()))
    }

    /// Somebody who found a queue full may try again.
    pub(super) fn unix_wake_waiting(&mut self, cx: &mut Cx<'_>, id: SockId) {
        let Ok((_, unix)) = self.unix(id) else { return };
        for waiter in core::mem::take(&mut unix.waiting) {
            cx.wake(waiter, Wake::WRITABLE);
        }
    }

    /// shutdown(2) of a Unix socket: the peer is shut the other way round.
    pub(super) fn unix_shutdown(
        &mut self,
        cx: &mut Cx<'_>,
        id: SockId,
        how: u8,
    ) -> Result<(), Errno> {
        let (base, unix) = self.unix(id)?;
        base.shutdown |= how;
        let (peer, is_connected) = (unix.peer, base.kind != libc::SOCK_DGRAM);
        cx.wake(id, Wake::ALL);
        if is_connected && let Ok((base, _)) = self.unix(peer) {
            if how & RCV_SHUTDOWN != 0 {
                base.shutdown |= SEND_SHUTDOWN;
            }
            if how & SEND_SHUTDOWN != 0 {
                base.shutdown |= RCV_SHUTDOWN;
            }
            cx.wake(peer, Wake::ALL);
        }
        Ok(())
    }

    /// The last descriptor of a Unix socket is closed (`unix_release_sock`).
    pub(super) fn unix_close(&mut self, cx: &mut Cx<'_>, id: SockId) {
        self.unix_end(cx, id, Unread::OnlyIfAny);
    }

    fn unix_end(&mut self, cx: &mut Cx<'_>, id: SockId, unread: Unread) {
        self.unix_wake_waiting(cx, id);
        let Some(socket) = self.sockets.remove(id) else { return };
        let Proto::Unix(unix) = socket.proto else { return };
        let names = &mut self.hosts[usize::from(socket.base.host)];
        match &unix.name {
            UnixName::Path { inode, .. } if names.paths.get(inode) == Some(&id) => {
                names.paths.remove(inode);
            }
            UnixName::Abstract(bytes) if names.names.get(&**bytes) == Some(&id) => {
                names.names.remove(&**bytes);
            }
            _ => {}
        }
        let is_unread = unread == Unread::Always || !unix.rx.is_empty();
        if socket.base.kind != libc::SOCK_DGRAM
            && let Ok((base, _)) = self.unix(unix.peer)
        {
            base.shutdown = SHUTDOWN_MASK;
            if is_unread {
                base.error = Some(Errno::ECONNRESET);
            }
            cx.wake(unix.peer, Wake::ALL);
        }
        for message in unix.rx {
            cx.released.extend(message.rights);
            self.unix_uncharge(cx, message.sender, message.charge);
        }
        for child in unix.queue {
            self.unix_end(cx, child, Unread::Always);
        }
    }

    /// What `sender` sent was read or thrown away: it has its buffer space back (`sock_wfree`).
    pub(super) fn unix_uncharge(&mut self, cx: &mut Cx<'_>, sender: SockId, charge: usize) {
        let Ok((base, unix)) = self.unix(sender) else { return };
        unix.in_flight -= charge;
        if unix.is_writable(base) {
            cx.wake(sender, Wake::WRITABLE);
        }
    }
}

/// Whether the end of a socket counts as one with unread data, which resets the peer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unread {
    OnlyIfAny,
    Always,
}
