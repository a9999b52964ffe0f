//! Names of sockets: bind(2), getsockname(2), getpeername(2), and how calls give and take addresses.

use crate::errno::{Errno, SysResult};
use crate::kernel::Kernel;
use crate::net::SockAddr;
use crate::seams::GuestMemory;
use crate::table::Args;

pub(super) fn bind(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, socket) = k.socket(a.fd(0))?;
    let to = k.read_address(memory, a.addr(1), a.int(2) as u32, &mut Kernel::make_socket_node)?;
    k.with_net(|net, cx| net.bind(cx, socket, &to))?;
    Ok(0)
}

pub(super) fn getsockname(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, socket) = k.socket(a.fd(0))?;
    let name = k.net.getsockname(socket)?;
    write_address(memory, a.addr(1), a.addr(2), &name)?;
    Ok(0)
}

pub(super) fn getpeername(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (_, socket) = k.socket(a.fd(0))?;
    let name = k.net.getpeername(socket)?;
    write_address(memory, a.addr(1), a.addr(2), &name)?;
    Ok(0)
}

/// Longest `struct sockaddr` that Linux takes.
const ADDRESS_MAX: u32 = 128;

/// Gives the inode of a Unix socket's path.
type NodeOf<'a> = &'a mut dyn FnMut(&mut Kernel, &[u8]) -> Result<u64, Errno>;

impl Kernel {
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
