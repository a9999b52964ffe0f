//! What a process does about a signal: sigaction(2).

use crate::errno::{Errno, SysResult};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::signal::{self, Action, UNBLOCKABLE, bit};
use crate::sys::signals::mask::eight;
use crate::table::Args;

pub(super) fn rt_sigaction(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    eight(a.word(3))?;
    let signal = signal::checked(a.word(0))?;
    let old = k.host().process.signals.actions[signal as usize];
    if a.addr(1) != 0 {
        if UNBLOCKABLE & bit(signal) != 0 {
            return Err(Errno::EINVAL.into());
        }
        let at = a.addr(1);
        let action = Action {
            handler: memory.read_u64(at)?,
            flags: memory.read_u64(at + 8)?,
            restorer: memory.read_u64(at + 16)?,
            mask: memory.read_u64(at + 24)? & !UNBLOCKABLE,
        };
        k.host_mut().process.signals.actions[signal as usize] = action;
        // LINUX: a pending signal that becomes ignored is thrown away, sigaction(2).
        if k.host().process.signals.ignores(signal) {
            k.host_mut().process.signals.pending.discard(signal);
            for id in k.host().process.tasks.clone() {
                if let Some(task) = k.task_by_id_mut(id) {
                    task.signals.pending.discard(signal);
                }
            }
        }
    }
    if a.addr(2) != 0 {
        for (n, word) in [old.handler, old.flags, old.restorer, old.mask].into_iter().enumerate() {
            memory.write_u64(a.addr(2) + n as u64 * 8, word)?;
        }
    }
    Ok(0)
}
