//! The life of a connection: listen(2), accept(2), connect(2), shutdown(2).

use crate::errno::{Errno, SysResult};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::sys::socket::address::write_address;
use crate::sys::socket::create::FLAGS;
use crate::table::Args;

pub(super) fn listen(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, socket) = k.socket(a.fd(0))?;
    k.with_net(|net, cx| net.listen(cx, socket, a.int(1)))?;
    Ok(0)
}

pub(super) fn accept(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    accept_with(k, memory, a, 0)
}

pub(super) fn accept4(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
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

pub(super) fn connect(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
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

pub(super) fn shutdown(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, socket) = k.socket(a.fd(0))?;
    k.with_net(|net, cx| net.shutdown(cx, socket, a.int(1)))?;
    Ok(0)
}
