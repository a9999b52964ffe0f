//! Sockets: the calls of section 2 over [`crate::net::Net`], which never waits.

use alloc::vec::Vec;

use crate::errno::{Errno, Stop, SysResult};
use crate::kernel::Kernel;
use crate::memory::{IoVec, Scatter};
use crate::net::{Control, Cut, Received, SockAddr, SockId, Source};
use crate::object::{Kind, ObjId};
use crate::seams::GuestMemory;
use crate::table::Arg::{Fd, Hex, Int, Ptr, Size};
use crate::table::{Args, Row, Support, row};

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
    row(libc::SYS_sendmsg, "sendmsg", &[Fd, Ptr, Hex], sendmsg).restarts(),
    row(libc::SYS_recvmsg, "recvmsg", &[Fd, Ptr, Hex], recvmsg).restarts(),
    row(libc::SYS_sendmmsg, "sendmmsg", &[Fd, Ptr, Int, Hex], sendmmsg).restarts(),
    row(libc::SYS_recvmmsg, "recvmmsg", &[Fd, Ptr, Int, Hex, Ptr], recvmmsg).restarts(),
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
struct Message {
    to: Option<SockAddr>,
    control: Vec<Control>,
    flags: i32,
}

impl Kernel {
    /// The socket that a descriptor names.
    fn socket(&self, fd: i32) -> Result<(ObjId, SockId), Errno> {
        let (id, object) = self.object(fd)?;
        match object.kind {
            Kind::Socket(socket) => Ok((id, socket)),
            _ => Err(Errno::ENOTSOCK),
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

    fn read_address(
        &mut self,
        memory: &dyn GuestMemory,
        addr: u64,
        len: u32,
        path: &mut dyn FnMut(&mut Kernel, &[u8]) -> Result<u64, Errno>,
    ) -> Result<SockAddr, Errno> {
        if len > ADDRESS_MAX {
            return Err(Errno::EINVAL);
        }
        let bytes = memory.read_vec(addr, len as usize)?;
        SockAddr::decode(&bytes, &mut |name| path(self, name))
    }

    /// Gives bytes of the guest to a socket. A blocking stream takes them all before it returns.
    fn send(
        &mut self,
        memory: &dyn GuestMemory,
        id: ObjId,
        socket: SockId,
        vecs: &[IoVec],
        message: &Message,
    ) -> SysResult {
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
        let result = self.with_net(|net, cx| {
            net.send(cx, socket, source, message.to.as_ref(), &message.control, flags)
        });
        match result {
            Ok(sent) => {
                for control in &message.control {
                    self.retain_rights(control);
                }
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

    /// The network holds what SCM_RIGHTS names from now on.
    fn retain_rights(&mut self, control: &Control) {
        if let Control::Rights(rights) = control {
            for bits in rights {
                self.retain(ObjId::from_bits(*bits));
            }
        }
    }

    /// Takes bytes from a socket into the guest's memory.
    fn receive(
        &mut self,
        memory: &mut dyn GuestMemory,
        id: ObjId,
        socket: SockId,
        vecs: &[IoVec],
        flags: i32,
    ) -> Result<Received, Stop> {
        let waits = flags & libc::MSG_DONTWAIT == 0
            && self.objects.get(id).is_some_and(|object| !object.nonblocking())
            && !self.timed_out();
        let flags = if waits { flags } else { flags | libc::MSG_DONTWAIT };
        let max = vecs.iter().map(|vec| vec.len as usize).sum::<usize>().min(TRANSFER_MAX);
        let mut into = Scatter::new(memory, vecs);
        let result =
            self.with_net(|net, cx| net.recv(cx, socket, &mut |bytes| into.put(bytes), max, flags));
        match result {
            Err(Errno::EAGAIN) if waits => {
                if let Some(timeout) = self.net.timeouts(socket).0 {
                    self.give_up_after(timeout);
                }
                Err(self.wait_for(id))
            }
            result => Ok(result?),
        }
    }

    /// read(2) and readv(2) on a socket.
    pub(crate) fn read_socket(
        &mut self,
        memory: &mut dyn GuestMemory,
        id: ObjId,
        socket: SockId,
        vecs: &[IoVec],
    ) -> SysResult {
        Ok(self.receive(memory, id, socket, vecs, 0)?.bytes as u64)
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
        mut bytes: &[u8],
    ) -> SysResult {
        let total = bytes.len();
        self.send_source(id, socket, &mut bytes, total, &Message::default())
    }

    /// ioctl(2)s that only sockets have.
    pub(crate) fn socket_ioctl(
        &mut self,
        memory: &mut dyn GuestMemory,
        socket: SockId,
        request: u64,
        addr: u64,
    ) -> SysResult {
        const SIOCATMARK: u64 = 0x8905;
        match request {
            libc::TIOCOUTQ => {
                let unsent = self.net.unsent(socket)?;
                memory.write_u32(addr, unsent as u32)?;
                Ok(0)
            }
            SIOCATMARK => {
                let at_mark = self.net.at_mark(socket)?;
                memory.write_u32(addr, u32::from(at_mark))?;
                Ok(0)
            }
            request => Err(Stop::Unsupported(alloc::format!("ioctl {request:#x} on a socket"))),
        }
    }
}

const FLAGS: i32 = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;

fn socket(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (kind, flags) = (a.int(1) & !FLAGS, a.int(1) & FLAGS);
    let socket = k.net.socket(k.host_id().0, a.int(0), kind, a.int(2))?;
    Ok(k.open_socket(socket, flags)? as u64)
}

fn socketpair(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (kind, flags) = (a.int(1) & !FLAGS, a.int(1) & FLAGS);
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
            if let Ok(descriptor) = k.host_mut().process.descriptors.remove(fd) {
                k.release(descriptor.object);
            }
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
    write_address(memory, a.addr(1), a.addr(2), &accepted.peer)?;
    Ok(fd as u64)
}

/// Writes an address, cut at the length that the guest gave, and its full length.
fn write_address(
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
    match &received.from {
        Some(from) => write_address(memory, a.addr(4), a.addr(5), from)?,
        // LINUX: where the sender has no address, its length is zero.
        None if a.addr(4) != 0 && a.addr(5) != 0 => memory.write_u32(a.addr(5), 0)?,
        None => {}
    }
    Ok(received.bytes as u64)
}

/// `struct msghdr`.
struct Header {
    name: u64,
    name_len: u32,
    vecs: Vec<IoVec>,
    control: u64,
    control_len: u64,
}

impl Header {
    fn read(memory: &dyn GuestMemory, at: u64) -> Result<Header, Errno> {
        let count = memory.read_u64(at + 24)?;
        if count > 1024 {
            return Err(Errno::EMSGSIZE);
        }
        Ok(Header {
            name: memory.read_u64(at)?,
            name_len: memory.read_u32(at + 8)?,
            vecs: memory.read_iovecs(memory.read_u64(at + 16)?, count)?,
            control: memory.read_u64(at + 32)?,
            control_len: memory.read_u64(at + 40)?,
        })
    }
}

fn send_message(
    k: &mut Kernel,
    memory: &mut dyn GuestMemory,
    fd: i32,
    at: u64,
    flags: i32,
) -> SysResult {
    let (id, socket) = k.socket(fd)?;
    let header = Header::read(memory, at)?;
    let to = if header.name == 0 || header.name_len == 0 {
        None
    } else {
        let find = &mut Kernel::find_socket_node;
        Some(k.read_address(memory, header.name, header.name_len, find)?)
    };
    let control = if header.control == 0 || header.control_len == 0 {
        Vec::new()
    } else {
        if header.control_len > 1 << 20 {
            return Err(Errno::ENOBUFS.into());
        }
        let raw = memory.read_vec(header.control, header.control_len as usize)?;
        Control::decode(&raw, &mut |fds| {
            fds.iter().map(|fd| k.descriptor(*fd).map(ObjId::to_bits)).collect()
        })?
    };
    k.send(memory, id, socket, &header.vecs, &Message { to, control, flags })
}

fn sendmsg(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    send_message(k, memory, a.fd(0), a.addr(1), a.int(2))
}

fn receive_message(
    k: &mut Kernel,
    memory: &mut dyn GuestMemory,
    fd: i32,
    at: u64,
    flags: i32,
) -> SysResult {
    let (id, socket) = k.socket(fd)?;
    let header = Header::read(memory, at)?;
    let received = k.receive(memory, id, socket, &header.vecs, flags)?;
    if header.name != 0 {
        match &received.from {
            Some(from) => write_address(memory, header.name, at + 8, from)?,
            None => memory.write_u32(at + 8, 0)?,
        }
    }
    let (mut control, mut cut) = (Vec::new(), false);
    let room = if header.control == 0 { 0 } else { header.control_len as usize };
    let cloexec = if flags & libc::MSG_CMSG_CLOEXEC != 0 { libc::O_CLOEXEC } else { 0 };
    for message in &received.control {
        let took = message.encode(&mut control, room, &mut |rights, fits| {
            k.install_rights(rights, fits, cloexec)
        });
        cut |= took == Cut::Cut;
    }
    if !control.is_empty() {
        memory.write(header.control, &control)?;
    }
    memory.write_u64(at + 40, control.len() as u64)?;
    let mut shown = received.flags;
    if cut {
        shown |= libc::MSG_CTRUNC;
    }
    shown |= flags & libc::MSG_CMSG_CLOEXEC;
    memory.write_i32(at + 48, shown)?;
    Ok(received.bytes as u64)
}

impl Kernel {
    /// Gives the first `fits` of the descriptions that a message carried a descriptor each, and drops the rest.
    fn install_rights(&mut self, rights: &[u64], fits: usize, flags: i32) -> Vec<i32> {
        let mut fds = Vec::new();
        for (n, bits) in rights.iter().enumerate() {
            let object = ObjId::from_bits(*bits);
            if n < fits
                && let Ok(fd) = self.install(object, flags)
            {
                fds.push(fd);
            }
            // What the message held goes over to the descriptor, or goes.
            self.release(object);
        }
        fds
    }
}

fn recvmsg(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    receive_message(k, memory, a.fd(0), a.addr(1), a.int(2))
}

/// Length of `struct mmsghdr`.
const MMSGHDR: u64 = 64;

fn sendmmsg(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let count = (a.int(2) as u32).min(1024);
    for n in 0..u64::from(count) {
        let at = a.addr(1) + n * MMSGHDR;
        let flags = if n > 0 { a.int(3) | libc::MSG_DONTWAIT } else { a.int(3) };
        match send_message(k, memory, a.fd(0), at, flags) {
            Ok(sent) => memory.write_u32(at + 56, sent as u32)?,
            Err(_) if n > 0 => return Ok(n),
            Err(stop) => return Err(stop),
        }
        k.task_mut().call.progress = 0;
    }
    Ok(u64::from(count))
}

fn recvmmsg(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if a.addr(4) != 0 && k.task().call.deadline.is_none() {
        let timeout = memory.read_timespec(a.addr(4))?;
        k.give_up_after(timeout);
    }
    let mut flags = a.int(3) & !libc::MSG_WAITFORONE;
    let count = (a.int(2) as u32).min(1024);
    for n in 0..u64::from(count) {
        let at = a.addr(1) + n * MMSGHDR;
        // DIVERGENCE: what has arrived is given as soon as there is any, as with MSG_WAITFORONE; waiting for
        // the whole batch is a speed-up on Linux, which programs cannot count on either (recvmmsg(2), "Bugs").
        if n > 0 {
            flags |= libc::MSG_DONTWAIT;
        }
        match receive_message(k, memory, a.fd(0), at, flags) {
            Ok(received) => memory.write_u32(at + 56, received as u32)?,
            Err(_) if n > 0 => return Ok(n),
            Err(stop) => return Err(stop),
        }
    }
    Ok(u64::from(count))
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
