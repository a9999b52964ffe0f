//! Messages: sendmsg(2), recvmsg(2), and several of them at once.

use alloc::vec::Vec;

use crate::errno::{Errno, Stop, SysResult};
use crate::kernel::Kernel;
use crate::memory::IoVec;
use crate::net::{Control, Cut};
use crate::object::ObjId;
use crate::seams::GuestMemory;
use crate::sys::socket::address::write_address;
use crate::sys::socket::send::Message;
use crate::table::Arg::{Fd, Hex, Int, Ptr};
use crate::table::{Args, Row, row};

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_sendmsg, "sendmsg", &[Fd, Ptr, Hex], sendmsg).restarts(),
    row(libc::SYS_recvmsg, "recvmsg", &[Fd, Ptr, Hex], recvmsg).restarts(),
    row(libc::SYS_sendmmsg, "sendmmsg", &[Fd, Ptr, Int, Hex], sendmmsg).restarts(),
    row(libc::SYS_recvmmsg, "recvmmsg", &[Fd, Ptr, Int, Hex, Ptr], recvmmsg).restarts(),
];

/// A message carries at most so many descriptors (`SCM_MAX_FD`).
const RIGHTS_MAX: usize = 253;
/// sendmmsg(2) and recvmmsg(2) look at no more messages than this (`UIO_MAXIOV`).
const MESSAGES_MAX: u32 = 1024;
/// Length of `struct mmsghdr`.
const MMSGHDR: u64 = 64;

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
            if fds.len() > RIGHTS_MAX {
                return Err(Errno::EINVAL);
            }
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
    let mut received = k.receive(memory, id, socket, &header.vecs, flags)?;
    if flags & libc::MSG_PEEK != 0 {
        // The message keeps what it carries; the descriptors that are made of it hold it too.
        k.retain_rights(&received.control);
    }
    k.show_host_time(&mut received.control);
    let mut shown = received.flags | flags & libc::MSG_CMSG_CLOEXEC;
    let (control, cut) = k.encode_control(&header, &received.control, flags);
    if cut == Cut::Cut {
        shown |= libc::MSG_CTRUNC;
    }
    if header.name != 0 {
        match &received.from {
            Some(from) => write_address(memory, header.name, at + 8, from)?,
            None => memory.write_u32(at + 8, 0)?,
        }
    }
    if !control.is_empty() {
        memory.write(header.control, &control)?;
    }
    memory.write_u64(at + 40, control.len() as u64)?;
    memory.write_i32(at + 48, shown)?;
    Ok(received.bytes as u64)
}

impl Kernel {
    /// The control buffer for the guest, and whether something had no room in it.
    fn encode_control(&mut self, header: &Header, all: &[Control], flags: i32) -> (Vec<u8>, Cut) {
        let room = if header.control == 0 { 0 } else { header.control_len as usize };
        let cloexec = if flags & libc::MSG_CMSG_CLOEXEC != 0 { libc::O_CLOEXEC } else { 0 };
        let (mut raw, mut cut) = (Vec::new(), Cut::Whole);
        for message in all {
            let took = message.encode(&mut raw, room, &mut |rights, fits| {
                self.install_rights(rights, fits, cloexec)
            });
            if took == Cut::Cut {
                cut = Cut::Cut;
            }
        }
        (raw, cut)
    }

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

    /// The network knows virtual time only; the guest sees its host's clock.
    fn show_host_time(&self, control: &mut [Control]) {
        for message in control {
            if let Control::Timestamp(at) | Control::TimestampNs(at) = message {
                *at = self.host().clock.realtime_then(*at);
            }
        }
    }
}

fn recvmsg(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    receive_message(k, memory, a.fd(0), a.addr(1), a.int(2))
}

fn sendmmsg(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let count = (a.int(2) as u32).min(MESSAGES_MAX);
    for n in 0..u64::from(count) {
        let at = a.addr(1) + n * MMSGHDR;
        // DIVERGENCE: only the first message waits for room. What the call gives is how many were sent, and
        // callers go on from there.
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
    let count = u64::from((a.int(2) as u32).min(MESSAGES_MAX));
    if a.addr(4) != 0 && k.task().call.limit.is_none() {
        let limit = k.due_after(memory.read_timespec(a.addr(4))?);
        k.task_mut().call.limit = Some(limit);
    }
    // DIVERGENCE: with several messages, MSG_WAITALL does not make each of a stream's reads whole.
    let mut flags = a.int(3) & !(libc::MSG_WAITFORONE | libc::MSG_WAITALL);
    let mut n = k.task().call.progress;
    while n < count {
        if n > 0 && a.int(3) & libc::MSG_WAITFORONE != 0 {
            flags |= libc::MSG_DONTWAIT;
        }
        let at = a.addr(1) + n * MMSGHDR;
        match receive_message(k, memory, a.fd(0), at, flags) {
            Ok(received) => memory.write_u32(at + 56, received as u32)?,
            Err(Stop::Errno(_)) if n > 0 => break,
            Err(stop) => return Err(stop),
        }
        n += 1;
        let call = &mut k.task_mut().call;
        (call.progress, call.deadline) = (n, None);
        // LINUX: the timeout is looked at after each message only, so it ends no wait (recvmmsg(2), "Bugs").
        if k.task().call.limit.is_some_and(|limit| k.is_due(limit)) {
            break;
        }
    }
    if let Some(limit) = k.task().call.limit {
        memory.write_timespec(a.addr(4), k.left(limit))?;
    }
    Ok(n)
}
