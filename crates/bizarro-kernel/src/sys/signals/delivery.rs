//! What a pending signal leads to: a handler, the end of the process, or nothing.

use crate::errno::{Stop, SysResult};
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::signal::{self, Action, DefaultAction, Info, SIG_DFL, SIG_IGN, UNBLOCKABLE, bit};
use crate::table::Args;

/// What the runtime does about a signal of the current task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// Calls the guest's handler.
    Handler {
        /// What is done about it.
        action: Action,
        /// What the handler learns.
        info: Info,
        /// The mask to return to, see [`Kernel::handler_returned`].
        mask: u64,
        /// The alternate stack to run on: base and size.
        stack: Option<(u64, u64)>,
    },
    /// Ends the process: the runtime collects a backtrace and calls [`Kernel::kill_process`].
    Kill(i32),
}

impl Kernel {
    /// Whether the current task has signals to look at, or a mask to restore, before it goes on.
    #[inline]
    pub fn attention(&self) -> bool {
        let task = self.task();
        task.call.saved_mask.is_some()
            || (task.signals.pending.set() | self.host().process.signals.pending.set())
                & !task.signals.mask
                != 0
    }

    /// Takes the next signal that the current task acts on. `None` when it goes on with its own code.
    pub fn next_delivery(&mut self) -> Option<Delivery> {
        loop {
            let allowed = !self.task().signals.mask | UNBLOCKABLE;
            let taken = self.task_mut().signals.pending.take(allowed);
            let taken = taken.or_else(|| self.host_mut().process.signals.pending.take(allowed));
            let Some(info) = taken else {
                if let Some(mask) = self.task_mut().call.saved_mask.take() {
                    self.task_mut().signals.mask = mask;
                    continue;
                }
                return None;
            };
            let action = self.host().process.signals.actions[info.signal as usize];
            match action.handler {
                SIG_IGN => {}
                SIG_DFL => match signal::default_action(info.signal) {
                    DefaultAction::Ignore | DefaultAction::Stop => {}
                    DefaultAction::Terminate | DefaultAction::Core => {
                        return Some(Delivery::Kill(info.signal));
                    }
                },
                _ => return Some(self.enter_handler(action, info)),
            }
        }
    }

    /// What a fault of the guest's own making (SIGSEGV and its kin) leads to: as [`Kernel::next_delivery`],
    /// but a blocked or ignored one kills (signal(7)).
    pub fn fault_delivery(&mut self, signal: i32) -> Delivery {
        let action = self.host().process.signals.actions[signal as usize];
        let blocked = self.task().signals.mask & bit(signal) != 0;
        if blocked || action.handler == SIG_IGN || action.handler == SIG_DFL {
            return Delivery::Kill(signal);
        }
        let info = Info { signal, code: libc::SI_KERNEL, pid: 0, uid: 0, value: 0 };
        self.enter_handler(action, info)
    }

    fn enter_handler(&mut self, action: Action, info: Info) -> Delivery {
        self.fingerprint.mix(0x516_0000 | info.signal as u64);
        if action.flags & libc::SA_RESETHAND as u64 != 0 {
            self.host_mut().process.signals.actions[info.signal as usize].handler = SIG_DFL;
        }
        let task = self.task_mut();
        let mask = task.call.saved_mask.take().unwrap_or(task.signals.mask);
        let own = if action.flags & libc::SA_NODEFER as u64 == 0 { bit(info.signal) } else { 0 };
        task.signals.mask = (task.signals.mask | action.mask | own) & !UNBLOCKABLE;
        let alt = task.signals.alt_stack;
        let wanted = action.flags & libc::SA_ONSTACK as u64 != 0;
        let inside = task.signals.on_alt_stack > 0;
        let switches = wanted && !inside && alt.flags & libc::SS_DISABLE == 0;
        task.signals.on_alt_stack += u32::from(inside || switches);
        let stack = switches.then_some((alt.base, alt.size));
        Delivery::Handler { action, info, mask, stack }
    }

    /// A handler of the current task returned; `mask` is what [`Delivery::Handler`] gave, or what the
    /// handler left in its `ucontext`.
    pub fn handler_returned(&mut self, mask: u64) {
        let signals = &mut self.task_mut().signals;
        signals.mask = mask & !UNBLOCKABLE;
        signals.on_alt_stack = signals.on_alt_stack.saturating_sub(1);
    }

    /// Whether the handler of the signal that is delivered next lets the interrupted call go on.
    pub(crate) fn next_handler_restarts(&self) -> bool {
        let task = self.task();
        let allowed = !task.signals.mask;
        let mut own = task.signals.pending.clone();
        let mut process = self.host().process.signals.pending.clone();
        let Some(info) = own.take(allowed).or_else(|| process.take(allowed)) else { return true };
        let action = self.host().process.signals.actions[info.signal as usize];
        action.handler <= SIG_IGN || action.flags & libc::SA_RESTART as u64 != 0
    }
}

pub(super) fn rt_sigreturn(_: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Err(Stop::Unsupported("a signal frame that the guest made itself".into()))
}
