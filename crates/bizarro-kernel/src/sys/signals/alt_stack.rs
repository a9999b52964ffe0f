//! The stack that handlers run on: sigaltstack(2).

use crate::errno::{Errno, SysResult};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::signal::AltStack;
use crate::table::Args;

/// SS_AUTODISARM, sigaltstack(2).
const SS_AUTODISARM: i32 = 1 << 31;

pub(super) fn sigaltstack(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (old, inside) = (k.task().signals.alt_stack, k.task().signals.on_alt_stack > 0);
    if a.addr(0) != 0 {
        // LINUX: the stack that is in use cannot be changed, sigaltstack(2).
        if inside {
            return Err(Errno::EPERM.into());
        }
        let at = a.addr(0);
        let new = AltStack {
            base: memory.read_u64(at)?,
            flags: memory.read_i32(at + 8)?,
            size: memory.read_u64(at + 16)?,
        };
        if new.flags & !(libc::SS_DISABLE | SS_AUTODISARM) != 0 {
            return Err(Errno::EINVAL.into());
        }
        if new.flags & libc::SS_DISABLE == 0 && new.size < libc::MINSIGSTKSZ as u64 {
            return Err(Errno::ENOMEM.into());
        }
        k.task_mut().signals.alt_stack =
            if new.flags & libc::SS_DISABLE != 0 { AltStack::default() } else { new };
    }
    if a.addr(1) != 0 {
        let at = a.addr(1);
        memory.write_u64(at, old.base)?;
        let flags = old.flags | if inside { libc::SS_ONSTACK } else { 0 };
        memory.write_u64(at + 8, flags as u32 as u64)?;
        memory.write_u64(at + 16, old.size)?;
    }
    Ok(0)
}
