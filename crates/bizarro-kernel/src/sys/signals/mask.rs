//! Which signals are blocked: sigprocmask(2), sigpending(2).

use crate::errno::{Errno, SysResult};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::signal::UNBLOCKABLE;
use crate::table::Args;

pub(super) fn rt_sigprocmask(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    eight(a.word(3))?;
    let old = k.task().signals.mask;
    if a.addr(1) != 0 {
        let set = memory.read_u64(a.addr(1))?;
        let new = match a.int(0) {
            libc::SIG_BLOCK => old | set,
            libc::SIG_UNBLOCK => old & !set,
            libc::SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL.into()),
        };
        k.task_mut().signals.mask = new & !UNBLOCKABLE;
    }
    if a.addr(2) != 0 {
        memory.write_u64(a.addr(2), old)?;
    }
    Ok(0)
}

pub(super) fn rt_sigpending(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if a.word(1) > 8 {
        return Err(Errno::EINVAL.into());
    }
    let pending = k.task().signals.pending.set() | k.host().process.signals.pending.set();
    memory.write_u64(a.addr(0), pending & k.task().signals.mask)?;
    Ok(0)
}

/// The size of a set of signals, which comes with every one: `size_t sigsetsize` of sigprocmask(2).
pub(super) fn eight(size: u64) -> Result<(), Errno> {
    if size == 8 { Ok(()) } else { Err(Errno::EINVAL) }
}

impl Kernel {
    /// Replaces the signal mask until the current call ends (ppoll(2), epoll_pwait(2)). A null mask changes nothing.
    pub(crate) fn replace_mask_for_call(
        &mut self,
        memory: &mut dyn GuestMemory,
        addr: u64,
        size: u64,
    ) -> Result<(), Errno> {
        if addr == 0 || self.task().call.saved_mask.is_some() {
            return Ok(());
        }
        if size != 8 {
            return Err(Errno::EINVAL);
        }
        let mask = memory.read_u64(addr)? & !UNBLOCKABLE;
        let task = self.task_mut();
        task.call.saved_mask = Some(task.signals.mask);
        task.signals.mask = mask;
        Ok(())
    }
}
