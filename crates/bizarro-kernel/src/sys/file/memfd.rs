//! Files without a name: memfd_create(2), and their seals.

use crate::errno::{Errno, SysResult};
use crate::kernel::Kernel;
use crate::object::ObjId;
use crate::seams::GuestMemory;
use crate::table::Args;

pub(super) fn memfd_create(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    memory.read_path(a.addr(0))?;
    let known =
        libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING | libc::MFD_NOEXEC_SEAL | libc::MFD_EXEC;
    if a.int(1) as u32 & !known != 0 {
        return Err(Errno::EINVAL.into());
    }
    let flags = if a.int(1) as u32 & libc::MFD_CLOEXEC != 0 { libc::O_CLOEXEC } else { 0 };
    k.open_unnamed(flags)
}

impl Kernel {
    /// fcntl(F_ADD_SEALS, F_GET_SEALS).
    pub(crate) fn seals(&mut self, id: ObjId, command: i32, _: u64) -> SysResult {
        if self.file(id).is_none() {
            return Err(Errno::EINVAL.into());
        }
        if command == libc::F_GET_SEALS {
            // What memfd_create(2) gives without MFD_ALLOW_SEALING.
            return Ok(libc::F_SEAL_SEAL as u64);
        }
        Err(Errno::EPERM.into())
    }
}
