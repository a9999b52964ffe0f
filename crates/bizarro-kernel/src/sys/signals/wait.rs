//! Waiting for a signal: sigsuspend(2), pause(2), sigtimedwait(2).

use crate::errno::{Errno, Stop, SysResult};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::signal::Info;
use crate::sys::signals::mask::eight;
use crate::table::Args;
use crate::task::WaitsFor;

pub(super) fn rt_sigsuspend(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    eight(a.word(1))?;
    k.replace_mask_for_call(memory, a.addr(0), 8)?;
    k.wait(WaitsFor::Signal);
    Err(Stop::Block)
}

pub(super) fn pause(k: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    k.wait(WaitsFor::Signal);
    Err(Stop::Block)
}

pub(super) fn rt_sigtimedwait(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    eight(a.word(3))?;
    let set = memory.read_u64(a.addr(0))?;
    let timeout = if a.addr(2) == 0 { None } else { Some(memory.read_timespec(a.addr(2))?) };
    if let Some(info) = k.take_signal(set) {
        if a.addr(1) != 0 {
            memory.write(a.addr(1), &info.to_bytes())?;
        }
        return Ok(info.signal as u64);
    }
    if let Some(timeout) = timeout {
        k.give_up_after(timeout);
        if k.timed_out() {
            return Err(Errno::EAGAIN.into());
        }
    }
    k.wait(WaitsFor::Signal);
    Err(Stop::Block)
}

impl Kernel {
    pub(super) fn take_signal(&mut self, set: u64) -> Option<Info> {
        let own = self.task_mut().signals.pending.take(set);
        own.or_else(|| self.host_mut().process.signals.pending.take(set))
    }
}
