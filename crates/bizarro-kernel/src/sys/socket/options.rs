//! getsockopt(2), setsockopt(2).

use crate::errno::{Errno, Stop, SysResult};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::table::Args;

pub(super) fn setsockopt(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
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

pub(super) fn getsockopt(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, socket) = k.socket(a.fd(0))?;
    let room = memory.read_i32(a.addr(4))?;
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    let value = k.net.getsockopt(socket, a.int(1), a.int(2))?;
    let len = value.len().min(room);
    memory.write(a.addr(3), &value[..len])?;
    memory.write_u32(a.addr(4), len as u32)?;
    Ok(0)
}
