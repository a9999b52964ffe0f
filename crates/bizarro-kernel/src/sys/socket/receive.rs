//! Receiving: recv(2), and read(2) on a socket.

use crate::errno::{Errno, Stop, SysResult};
use crate::kernel::Kernel;
use crate::memory::{IoVec, Scatter};
use crate::net::{Net, Received, SockId};
use crate::object::ObjId;
use crate::seams::GuestMemory;
use crate::sys::file::transfer::TRANSFER_MAX;
use crate::sys::socket::address::write_address;
use crate::table::Args;

pub(super) fn recvfrom(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
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

impl Kernel {
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
}
