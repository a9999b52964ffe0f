//! Making sockets: socket(2), socketpair(2).

use crate::errno::{Errno, SysResult};
use crate::kernel::Kernel;
use crate::net::SockId;
use crate::object::Kind;
use crate::seams::GuestMemory;
use crate::table::Args;

pub(super) fn socket(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (kind, flags) = kind_and_flags(a.int(1))?;
    let socket = k.net.socket(k.host_id().0, a.int(0), kind, a.int(2))?;
    Ok(k.open_socket(socket, flags)? as u64)
}

pub(super) fn socketpair(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
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

pub(super) const FLAGS: i32 = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;

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

impl Kernel {
    pub(super) fn open_socket(&mut self, socket: SockId, flags: i32) -> Result<i32, Errno> {
        let host = self.host_id();
        let status = libc::O_RDWR | flags & libc::O_NONBLOCK;
        let object = self.objects.open(host, Kind::Socket(socket), status);
        self.bind_socket(socket, object);
        self.install_or_close(object, flags)
    }
}
