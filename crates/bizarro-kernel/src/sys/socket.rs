//! Sockets: the calls of section 2 over [`crate::net::Net`], which never waits.

use alloc::vec::Vec;

use bizarro_record::Nanos;

use crate::errno::{Errno, Stop, SysResult};
use crate::kernel::Kernel;
use crate::memory::{IoVec, Scatter};
use crate::net::{Control, Net, Received, SockAddr, SockId, Source};
use crate::object::{Kind, ObjId};
use crate::seams::GuestMemory;
use crate::table::Arg::{Fd, Hex, Int, Ptr, Size};
use crate::table::{Args, Row, Support, row};
use crate::task::WaitsFor;

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_socket, "socket", &[Int, Hex, Int], socket)
        .support(Support::Partial("TCP, UDP, Unix and routing netlink sockets")),
    row(libc::SYS_socketpair, "socketpair", &[Int, Hex, Int, Ptr], socketpair),
    row(libc::SYS_bind, "bind", &[Fd, Ptr, Int], bind),
    row(libc::SYS_listen, "listen", &[Fd, Int], listen),
    row(libc::SYS_accept, "accept", &[Fd, Ptr, Ptr], accept).restarts(),
    row(libc::SYS_accept4, "accept4", &[Fd, Ptr, Ptr, Hex], accept4).restarts(),
    row(libc::SYS_connect, "connect", &[Fd, Ptr, Int], connect).restarts(),
    row(libc::SYS_sendto, "sendto", &[Fd, Ptr, Size, Hex, Ptr, Int], sendto).restarts(),
    row(libc::SYS_recvfrom, "recvfrom", &[Fd, Ptr, Size, Hex, Ptr, Ptr], recvfrom).restarts(),
    row(libc::SYS_shutdown, "shutdown", &[Fd, Int], shutdown),
    row(libc::SYS_getsockname, "getsockname", &[Fd, Ptr, Ptr], getsockname),
    row(libc::SYS_getpeername, "getpeername", &[Fd, Ptr, Ptr], getpeername),
    row(libc::SYS_setsockopt, "setsockopt", &[Fd, Int, Int, Ptr, Int], setsockopt),
    row(libc::SYS_getsockopt, "getsockopt", &[Fd, Int, Int, Ptr, Ptr], getsockopt),
];

/// Longest `struct sockaddr` that Linux takes.
const ADDRESS_MAX: u32 = 128;
/// LINUX: more bytes than this are cut off a single transfer (MAX_RW_COUNT).
pub(crate) const TRANSFER_MAX: usize = 0x7fff_f000;

/// Gives the inode of a Unix socket's path.
type NodeOf<'a> = &'a mut dyn FnMut(&mut Kernel, &[u8]) -> Result<u64, Errno>;

/// The guest's bytes of a send.
struct Gather<'a> {
    memory: &'a dyn GuestMemory,
    vecs: &'a [IoVec],
    offset: u64,
    left: usize,
}

impl<'a> Gather<'a> {
    /// The bytes of `vecs` without the first `skip`.
    fn new(memory: &'a dyn GuestMemory, vecs: &'a [IoVec], skip: usize) -> Gather<'a> {
        let total: usize = vecs.iter().map(|vec| vec.len as usize).sum();
        let mut gather = Gather { memory, vecs, offset: 0, left: total.min(TRANSFER_MAX) };
        gather.advance(skip);
        gather
    }

    fn advance(&mut self, mut n: usize) {
        self.left -= n;
        while let Some(vec) = self.vecs.first() {
            let rest = (vec.len - self.offset) as usize;
            if n < rest {
                self.offset += n as u64;
                return;
            }
            n -= rest;
            (self.vecs, self.offset) = (&self.vecs[1..], 0);
        }
    }
}

impl Source for Gather<'_> {
    fn left(&self) -> usize {
        self.left
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), Errno> {
        let mut done = 0;
        while done < into.len() {
            let Some(vec) = self.vecs.first() else { return Err(Errno::EFAULT) };
            let len = ((vec.len - self.offset) as usize).min(into.len() - done);
            self.memory.read(vec.base + self.offset, &mut into[done..done + len])?;
            done += len;
            self.advance(len);
        }
        Ok(())
    }
}

/// What a send says beside its bytes.
#[derive(Default)]
pub(crate) struct Message {
    pub(crate) to: Option<SockAddr>,
    pub(crate) control: Vec<Control>,
    pub(crate) flags: i32,
}

/// The descriptions that control messages carry.
fn rights_of(control: &[Control]) -> impl Iterator<Item = u64> + '_ {
    control.iter().flat_map(|control| match control {
        Control::Rights(rights) => rights.iter().copied(),
        _ => [].iter().copied(),
    })
}

impl Kernel {
    /// The socket that a descriptor names.
    pub(crate) fn socket(&self, fd: i32) -> Result<(ObjId, SockId), Errno> {
        let (id, object) = self.object(fd)?;
        match object.kind {
            Kind::Socket(socket) => Ok((id, socket)),
            _ => Err(Errno::ENOTSOCK),
        }
    }

    /// SO_LINGER: the socket whose last descriptor is `fd`, and for how many seconds closing it may wait.
    ///
    /// DIVERGENCE: only close(2) waits, not what closes a descriptor beside its own work (dup2, close_range).
    pub(crate) fn linger_of(&self, fd: i32) -> Option<(SockId, u32)> {
        let (_, object) = self.object(fd).ok()?;
        match object.kind {
            Kind::Socket(socket) if object.refs == 1 => Some((socket, self.net.linger(socket)?)),
            _ => None,
        }
    }

    /// The current call waits until the other end has everything, including the end of the stream.
    pub(crate) fn wait_to_linger(&mut self, socket: SockId, seconds: u32) -> Stop {
        self.give_up_after(Nanos::from_secs(seconds.into()));
        let wait = self.wait(WaitsFor::Time);
        self.lingering.push((socket, wait));
        Stop::Block
    }

    /// Something has changed for a socket: who waits in its close(2) goes on when that is over.
    pub(crate) fn end_linger(&mut self, socket: SockId) {
        if self.net.lingers(socket) {
            return;
        }
        while let Some(at) = self.lingering.iter().position(|(closed, _)| *closed == socket) {
            let (_, wait) = self.lingering.swap_remove(at);
            self.wake(wait);
        }
    }

    pub(crate) fn close_socket(&mut self, socket: SockId) {
        self.with_net(|net, cx| net.close(cx, socket));
    }

    fn open_socket(&mut self, socket: SockId, flags: i32) -> Result<i32, Errno> {
        let host = self.host_id();
        let status = libc::O_RDWR | flags & libc::O_NONBLOCK;
        let object = self.objects.open(host, Kind::Socket(socket), status);
        self.bind_socket(socket, object);
        self.install_or_close(object, flags)
    }

    pub(crate) fn read_address(
        &mut self,
        memory: &dyn GuestMemory,
        addr: u64,
        len: u32,
        path: NodeOf<'_>,
    ) -> Result<SockAddr, Errno> {
        if len > ADDRESS_MAX {
            return Err(Errno::EINVAL);
        }
        let bytes = memory.read_vec(addr, len as usize)?;
        SockAddr::decode(&bytes, &mut |name| path(self, name))
    }

    /// Gives bytes of the guest to a socket. A blocking stream takes them all before it returns.
    pub(crate) fn send(
        &mut self,
        memory: &dyn GuestMemory,
        id: ObjId,
        socket: SockId,
        vecs: &[IoVec],
        message: &Message,
    ) -> SysResult {
        if message.flags & libc::MSG_MORE != 0 && self.net.kind(socket)?.2 == libc::IPPROTO_UDP {
            return Err(Stop::Unsupported("MSG_MORE on a UDP socket".into()));
        }
        let done = self.task().call.progress as usize;
        let mut source = Gather::new(memory, vecs, done);
        let total = source.left() + done;
        self.send_source(id, socket, &mut source, total, message)
    }

    fn send_source(
        &mut self,
        id: ObjId,
        socket: SockId,
        source: &mut dyn Source,
        total: usize,
        message: &Message,
    ) -> SysResult {
        let done = self.task().call.progress as usize;
        let waits = message.flags & libc::MSG_DONTWAIT == 0
            && self.objects.get(id).is_some_and(|object| !object.nonblocking())
            && !self.timed_out();
        let flags = if waits { message.flags } else { message.flags | libc::MSG_DONTWAIT };
        // LINUX: control messages go with the first bytes of a send that is carried out in parts.
        let control: &[Control] = if done == 0 { &message.control } else { &[] };
        self.retain_rights(control);
        let result = self
            .with_net(|net, cx| net.send(cx, socket, source, message.to.as_ref(), control, flags));
        if result.is_err() {
            self.release_rights(control);
        }
        match result {
            Ok(sent) => {
                let done = done + sent;
                self.task_mut().call.progress = done as u64;
                if done >= total || !waits {
                    Ok(done as u64)
                } else {
                    Err(self.wait_to_send(id, socket))
                }
            }
            Err(Errno::EAGAIN) if waits => Err(self.wait_to_send(id, socket)),
            Err(_) if done > 0 => Ok(done as u64),
            Err(Errno::EPIPE) => {
                let kind = self.net.kind(socket).map_or(0, |(_, kind, _)| kind);
                if message.flags & libc::MSG_NOSIGNAL == 0 && kind == libc::SOCK_STREAM {
                    self.raise_sigpipe();
                }
                Err(Errno::EPIPE.into())
            }
            Err(errno) => Err(errno.into()),
        }
    }

    fn wait_to_send(&mut self, id: ObjId, socket: SockId) -> Stop {
        if let Some(timeout) = self.net.timeouts(socket).1 {
            self.give_up_after(timeout);
        }
        self.wait_for(id)
    }

    /// One more holder of what SCM_RIGHTS names: the network, or who peeks at a message.
    pub(crate) fn retain_rights(&mut self, control: &[Control]) {
        for bits in rights_of(control) {
            self.retain(ObjId::from_bits(bits));
        }
    }

    /// One holder less.
    pub(crate) fn release_rights(&mut self, control: &[Control]) {
        for bits in rights_of(control) {
            self.release(ObjId::from_bits(bits));
        }
    }

    /// Takes bytes from a socket into the guest's memory. The descriptions in what it gives belong to the caller.
    pub(crate) fn receive(
        &mut self,
        memory: &mut dyn GuestMemory,
        id: ObjId,
        socket: SockId,
        vecs: &[IoVec],
        flags: i32,
    ) -> Result<Received, Stop> {
        let waits = flags & (libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE) == 0
            && self.objects.get(id).is_some_and(|object| !object.nonblocking())
            && !self.timed_out();
        if flags & libc::MSG_ERRQUEUE != 0 && self.net.has_queued_errors(socket) {
            return Err(Stop::Unsupported("MSG_ERRQUEUE: IP_RECVERR's queue of errors".into()));
        }
        let max = vecs.iter().map(|vec| vec.len as usize).sum::<usize>().min(TRANSFER_MAX);
        if flags & (libc::MSG_WAITALL | libc::MSG_PEEK) == libc::MSG_WAITALL
            && self.net.kind(socket)?.2 == libc::IPPROTO_TCP
        {
            return self.receive_all(memory, (id, socket), vecs, max, flags, waits);
        }
        let flags = if waits { flags } else { flags | libc::MSG_DONTWAIT };
        let mut into = Scatter::new(memory, vecs);
        let result =
            self.with_net(|net, cx| net.recv(cx, socket, &mut |bytes| into.put(bytes), max, flags));
        match result {
            Err(Errno::EAGAIN) if waits => Err(self.wait_to_receive(id, socket)),
            result => Ok(result?),
        }
    }

    /// MSG_WAITALL on a TCP socket: takes what there is, as often as it takes. The stream's end, an error, a
    /// signal and a timeout end it with what it has; an error is then left to the next call.
    fn receive_all(
        &mut self,
        memory: &mut dyn GuestMemory,
        (id, socket): (ObjId, SockId),
        vecs: &[IoVec],
        max: usize,
        flags: i32,
        waits: bool,
    ) -> Result<Received, Stop> {
        let done = self.task().call.progress as usize;
        let so_far = Received { bytes: done, ..Received::default() };
        let ended = (libc::EPOLLERR | libc::EPOLLHUP | libc::EPOLLRDHUP) as u32;
        let is_over = |net: &Net| net.readiness(socket) & ended != 0;
        if done > 0 && self.net.unread(socket)? == 0 && (is_over(&self.net) || !waits) {
            return Ok(so_far);
        }
        let mut into = Scatter::new(memory, vecs);
        into.skip(done);
        let flags = flags & !libc::MSG_WAITALL | libc::MSG_DONTWAIT;
        let result = self.with_net(|net, cx| {
            net.recv(cx, socket, &mut |bytes| into.put(bytes), max - done, flags)
        });
        match result {
            Err(Errno::EAGAIN) if waits => Err(self.wait_to_receive(id, socket)),
            Err(_) if done > 0 => Ok(so_far),
            Err(errno) => Err(errno.into()),
            Ok(received) => {
                let bytes = done + received.bytes;
                let received = Received { bytes, ..received };
                if bytes >= max || !waits || flags & libc::MSG_OOB != 0 || is_over(&self.net) {
                    return Ok(received);
                }
                self.task_mut().call.progress = bytes as u64;
                Err(self.wait_to_receive(id, socket))
            }
        }
    }

    fn wait_to_receive(&mut self, id: ObjId, socket: SockId) -> Stop {
        if let Some(timeout) = self.net.timeouts(socket).0 {
            self.give_up_after(timeout);
        }
        self.wait_for(id)
    }

    /// read(2) and readv(2) on a socket.
    pub(crate) fn read_socket(
        &mut self,
        memory: &mut dyn GuestMemory,
        id: ObjId,
        socket: SockId,
        vecs: &[IoVec],
    ) -> SysResult {
        if vecs.iter().all(|vec| vec.len == 0) {
            // LINUX: unlike recv(2), which waits for a byte that it does not take (sock_read_iter).
            return Ok(0);
        }
        let received = self.receive(memory, id, socket, vecs, 0)?;
        self.release_rights(&received.control);
        Ok(received.bytes as u64)
    }

    /// write(2) and writev(2) on a socket.
    pub(crate) fn write_socket(
        &mut self,
        memory: &dyn GuestMemory,
        id: ObjId,
        socket: SockId,
        vecs: &[IoVec],
    ) -> SysResult {
        self.send(memory, id, socket, vecs, &Message::default())
    }

    /// Bytes of the kernel's own to a socket (sendfile(2)). Gives how many were taken.
    pub(crate) fn write_socket_bytes(
        &mut self,
        id: ObjId,
        socket: SockId,
        bytes: &[u8],
    ) -> SysResult {
        let total = bytes.len();
        let done = self.task().call.progress as usize;
        let mut bytes = bytes.get(done..).unwrap_or(&[]);
        self.send_source(id, socket, &mut bytes, total, &Message::default())
    }
}

const FLAGS: i32 = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;

/// Splits socket(2)'s second argument into a type and flags.
fn kind_and_flags(argument: i32) -> Result<(i32, i32), Errno> {
    /// LINUX: the bits in which the type is (SOCK_TYPE_MASK).
    const KIND: i32 = 0xf;
    if argument & !(KIND | FLAGS) != 0 {
        Err(Errno::EINVAL)
    } else {
        Ok((argument & KIND, argument & FLAGS))
    }
}

fn socket(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (kind, flags) = kind_and_flags(a.int(1))?;
    let socket = k.net.socket(k.host_id().0, a.int(0), kind, a.int(2))?;
    Ok(k.open_socket(socket, flags)? as u64)
}

fn socketpair(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (kind, flags) = kind_and_flags(a.int(1))?;
    memory.write_u64(a.addr(3), 0)?;
    let (first, second) = k.with_net(|net, cx| net.socketpair(cx, a.int(0), kind, a.int(2)))?;
    let fd = k.open_socket(first, flags)?;
    memory.write_i32(a.addr(3), fd)?;
    match k.open_socket(second, flags) {
        Ok(fd) => {
            memory.write_i32(a.addr(3) + 4, fd)?;
            Ok(0)
        }
        Err(errno) => {
            // Where the second end finds no descriptor, the first one goes as well.
            k.close_fd(fd)?;
            Err(errno.into())
        }
    }
}

fn bind(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, socket) = k.socket(a.fd(0))?;
    let to = k.read_address(memory, a.addr(1), a.int(2) as u32, &mut Kernel::make_socket_node)?;
    k.with_net(|net, cx| net.bind(cx, socket, &to))?;
    Ok(0)
}

fn listen(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, socket) = k.socket(a.fd(0))?;
    k.with_net(|net, cx| net.listen(cx, socket, a.int(1)))?;
    Ok(0)
}

fn accept(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    accept_with(k, memory, a, 0)
}

fn accept4(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    accept_with(k, memory, a, a.int(3))
}

fn accept_with(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args, flags: i32) -> SysResult {
    if flags & !FLAGS != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (id, socket) = k.socket(a.fd(0))?;
    k.check_free_descriptor()?;
    let accepted = match k.with_net(|net, cx| net.accept(cx, socket)) {
        Err(Errno::EAGAIN) => {
            if k.timed_out() {
                return Err(Errno::EAGAIN.into());
            }
            if let Some(timeout) = k.net.timeouts(socket).0 {
                k.give_up_after(timeout);
            }
            return Err(k.wait_unless_nonblocking(id));
        }
        result => result?,
    };
    let fd = k.open_socket(accepted.sock, flags)?;
    if let Err(errno) = write_address(memory, a.addr(1), a.addr(2), &accepted.peer) {
        // LINUX: the connection is lost, not left behind in a descriptor that nobody knows.
        k.close_fd(fd)?;
        return Err(errno.into());
    }
    Ok(fd as u64)
}

/// Writes an address, cut at the length that the guest gave, and its full length.
pub(crate) fn write_address(
    memory: &mut dyn GuestMemory,
    addr: u64,
    len: u64,
    address: &SockAddr,
) -> Result<(), Errno> {
    if addr == 0 {
        return Ok(());
    }
    let room = memory.read_i32(len)?;
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    let encoded = address.encode();
    let bytes = encoded.as_slice();
    memory.write(addr, &bytes[..bytes.len().min(room)])?;
    memory.write_u32(len, bytes.len() as u32)
}

fn connect(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (id, socket) = k.socket(a.fd(0))?;
    let to = k.read_address(memory, a.addr(1), a.int(2) as u32, &mut Kernel::find_socket_node)?;
    let waits = k.objects.get(id).is_some_and(|object| !object.nonblocking());
    let mut result = k.with_net(|net, cx| net.connect(cx, socket, &to));
    if waits && result == Err(Errno::EINPROGRESS) {
        // Within one host the connection may be there already.
        result = k.with_net(|net, cx| net.connect(cx, socket, &to));
    }
    match result {
        Err(Errno::EALREADY | Errno::EAGAIN) if waits => {
            if k.timed_out() {
                return Err(Errno::EINPROGRESS.into());
            }
            Err(k.wait_to_send(id, socket))
        }
        Err(Errno::EISCONN) if k.task().call.progress > 0 => Ok(0),
        result => {
            result?;
            Ok(0)
        }
    }
}

fn sendto(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (id, socket) = k.socket(a.fd(0))?;
    let to = if a.addr(4) == 0 {
        None
    } else {
        let find = &mut Kernel::find_socket_node;
        Some(k.read_address(memory, a.addr(4), a.int(5) as u32, find)?)
    };
    let vecs = [IoVec { base: a.addr(1), len: a.word(2) }];
    k.send(memory, id, socket, &vecs, &Message { to, control: Vec::new(), flags: a.int(3) })
}

fn recvfrom(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (id, socket) = k.socket(a.fd(0))?;
    let vecs = [IoVec { base: a.addr(1), len: a.word(2) }];
    let received = k.receive(memory, id, socket, &vecs, a.int(3))?;
    if a.int(3) & libc::MSG_PEEK == 0 {
        k.release_rights(&received.control);
    }
    match &received.from {
        Some(from) => write_address(memory, a.addr(4), a.addr(5), from)?,
        // LINUX: where the sender has no address, its length is zero.
        None if a.addr(4) != 0 && a.addr(5) != 0 => memory.write_u32(a.addr(5), 0)?,
        None => {}
    }
    Ok(received.bytes as u64)
}

fn shutdown(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, socket) = k.socket(a.fd(0))?;
    k.with_net(|net, cx| net.shutdown(cx, socket, a.int(1)))?;
    Ok(0)
}

fn getsockname(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, socket) = k.socket(a.fd(0))?;
    let name = k.net.getsockname(socket)?;
    write_address(memory, a.addr(1), a.addr(2), &name)?;
    Ok(0)
}

fn getpeername(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, socket) = k.socket(a.fd(0))?;
    let name = k.net.getpeername(socket)?;
    write_address(memory, a.addr(1), a.addr(2), &name)?;
    Ok(0)
}

fn setsockopt(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, socket) = k.socket(a.fd(0))?;
    let len = usize::try_from(a.int(4)).map_err(|_| Errno::EINVAL)?;
    let value = memory.read_vec(a.addr(3), len.min(4096))?;
    let option = (a.int(1), a.int(2));
    if option == (libc::IPPROTO_UDP, libc::UDP_CORK) && value.iter().any(|byte| *byte != 0) {
        return Err(Stop::Unsupported("UDP_CORK".into()));
    }
    k.with_net(|net, cx| net.setsockopt(cx, socket, a.int(1), a.int(2), &value))?;
    Ok(0)
}

fn getsockopt(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, socket) = k.socket(a.fd(0))?;
    let room = memory.read_i32(a.addr(4))?;
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    let value = k.net.getsockopt(socket, a.int(1), a.int(2))?;
    let len = value.len().min(room);
    memory.write(a.addr(3), &value[..len])?;
    memory.write_u32(a.addr(4), len as u32)?;
    Ok(0)
}
