//! Sending: send(2), and write(2) on a socket.

use alloc::vec::Vec;

use crate::errno::{Errno, Stop, SysResult};
use crate::kernel::Kernel;
use crate::memory::IoVec;
use crate::net::{Control, SockAddr, SockId, Source};
use crate::object::ObjId;
use crate::seams::GuestMemory;
use crate::sys::file::transfer::TRANSFER_MAX;
use crate::table::Args;

pub(super) fn sendto(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
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

/// What a send says beside its bytes.
#[derive(Default)]
pub(crate) struct Message {
    pub(crate) to: Option<SockAddr>,
    pub(crate) control: Vec<Control>,
    pub(crate) flags: i32,
}

impl Kernel {
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

    pub(super) fn wait_to_send(&mut self, id: ObjId, socket: SockId) -> Stop {
        if let Some(timeout) = self.net.timeouts(socket).1 {
            self.give_up_after(timeout);
        }
        self.wait_for(id)
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
