//! Signals: what is pending, what is blocked, what a process does about them (signal(7)).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::errno::Errno;

/// Highest signal number (SIGRTMAX of the kernel).
pub const SIGNALS: usize = 64;
/// The default action.
pub const SIG_DFL: u64 = 0;
/// Ignore the signal.
pub const SIG_IGN: u64 = 1;

/// The bit of a signal in a mask.
pub const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// Signals that cannot be blocked, caught or ignored.
pub const UNBLOCKABLE: u64 = bit(libc::SIGKILL) | bit(libc::SIGSTOP);

/// What a process does about a signal: the kernel's `struct sigaction`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Action {
    /// SIG_DFL, SIG_IGN or the handler's address.
    pub handler: u64,
    /// SA_ flags.
    pub flags: u64,
    /// The C library's return trampoline.
    pub restorer: u64,
    /// Blocked while the handler runs.
    pub mask: u64,
}

/// What the receiver learns of a signal, `siginfo_t`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Info {
    /// The signal.
    pub signal: i32,
    /// Why it was sent: SI_USER, SI_TKILL, SI_TIMER, SI_QUEUE, …
    pub code: i32,
    /// Who sent it.
    pub pid: u32,
    /// As whom.
    pub uid: u32,
    /// Its value (sigqueue(3)).
    pub value: u64,
}

impl Info {
    /// The layout of `siginfo_t` on x86_64 for signals that were sent by a process or timer.
    pub fn to_bytes(self) -> [u8; 128] {
        let mut bytes = [0; 128];
        bytes[0..4].copy_from_slice(&self.signal.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.code.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.pid.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.uid.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.value.to_le_bytes());
        bytes
    }
}

/// An alternate signal stack (sigaltstack(2)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AltStack {
    /// Lowest address.
    pub base: u64,
    /// SS_ flags.
    pub flags: i32,
    /// Bytes.
    pub size: u64,
}

impl Default for AltStack {
    fn default() -> AltStack {
        AltStack { base: 0, flags: libc::SS_DISABLE, size: 0 }
    }
}

/// Pending signals: at most one of each standard signal, all of the real-time ones, in the order of Linux:
/// lowest number first, then first come, first served.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    set: u64,
    queue: VecDeque<Info>,
}

impl Pending {
    /// The pending signals as a mask.
    pub fn set(&self) -> u64 {
        self.set
    }

    /// Adds a signal. A standard signal that is pending already is dropped.
    pub fn push(&mut self, info: Info) {
        if info.signal < 32 && self.set & bit(info.signal) != 0 {
            return;
        }
        self.set |= bit(info.signal);
        self.queue.push_back(info);
    }

    /// Takes the next signal that is in `allowed`. Synchronous faults go first, as in Linux.
    pub fn take(&mut self, allowed: u64) -> Option<Info> {
        let ready = self.set & allowed;
        if ready == 0 {
            return None;
        }
        let synchronous = bit(libc::SIGSEGV)
            | bit(libc::SIGBUS)
            | bit(libc::SIGILL)
            | bit(libc::SIGTRAP)
            | bit(libc::SIGFPE)
            | bit(libc::SIGSYS);
        let first = if ready & synchronous != 0 { ready & synchronous } else { ready };
        let signal = first.trailing_zeros() as i32 + 1;
        let at = self.queue.iter().position(|info| info.signal == signal)?;
        let info = self.queue.remove(at)?;
        if !self.queue.iter().any(|other| other.signal == signal) {
            self.set &= !bit(signal);
        }
        Some(info)
    }

    /// Forgets a signal.
    pub fn discard(&mut self, signal: i32) {
        self.set &= !bit(signal);
        self.queue.retain(|info| info.signal != signal);
    }
}

/// A task's share of signal handling.
#[derive(Clone, Debug, Default)]
pub struct TaskSignals {
    /// Blocked signals.
    pub mask: u64,
    /// Sent to this task alone.
    pub pending: Pending,
    /// Its alternate stack.
    pub alt_stack: AltStack,
    /// Handlers that have not returned since one was called on the alternate stack, itself included.
    /// DIVERGENCE: one that is left by siglongjmp(3) counts on: the kernel does not see the stack pointer.
    pub on_alt_stack: u32,
}

/// A process's share of signal handling.
#[derive(Clone, Debug)]
pub struct ProcessSignals {
    /// What is done about each signal, by number; entry 0 is not used.
    pub actions: Vec<Action>,
    /// Sent to the process as a whole.
    pub pending: Pending,
}

impl Default for ProcessSignals {
    fn default() -> ProcessSignals {
        ProcessSignals {
            actions: alloc::vec![Action::default(); SIGNALS + 1],
            pending: Pending::default(),
        }
    }
}

/// What happens when nothing else was said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DefaultAction {
    /// Nothing.
    Ignore,
    /// The process ends.
    Terminate,
    /// The process ends and would leave a core file.
    Core,
    /// The process stops until SIGCONT.
    Stop,
}

/// The default action of a signal (signal(7), "Standard signals").
pub fn default_action(signal: i32) -> DefaultAction {
    match signal {
        libc::SIGCHLD | libc::SIGURG | libc::SIGWINCH | libc::SIGCONT => DefaultAction::Ignore,
        libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU => DefaultAction::Stop,
        libc::SIGQUIT
        | libc::SIGILL
        | libc::SIGTRAP
        | libc::SIGABRT
        | libc::SIGBUS
        | libc::SIGFPE
        | libc::SIGSEGV
        | libc::SIGXCPU
        | libc::SIGXFSZ
        | libc::SIGSYS => DefaultAction::Core,
        _ => DefaultAction::Terminate,
    }
}

/// `signal` if it is a signal's number.
pub fn checked(signal: u64) -> Result<i32, Errno> {
    let signal = signal as i32;
    if (1..=SIGNALS as i32).contains(&signal) { Ok(signal) } else { Err(Errno::EINVAL) }
}

impl ProcessSignals {
    /// Whether a signal would be thrown away on arrival.
    pub fn ignores(&self, signal: i32) -> bool {
        let handler = self.actions[signal as usize].handler;
        handler == SIG_IGN || handler == SIG_DFL && default_action(signal) == DefaultAction::Ignore
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(signal: i32, value: u64) -> Info {
        Info { signal, code: 0, pid: 1, uid: 0, value }
    }

    #[test]
    fn standard_signals_merge_and_realtime_ones_queue() {
        let mut pending = Pending::default();
        pending.push(info(libc::SIGUSR1, 1));
        pending.push(info(libc::SIGUSR1, 2));
        pending.push(info(40, 1));
        pending.push(info(40, 2));
        let taken: Vec<_> =
            core::iter::from_fn(|| pending.take(!0)).map(|i| (i.signal, i.value)).collect();
        assert_eq!(taken, [(libc::SIGUSR1, 1), (40, 1), (40, 2)]);
        assert_eq!(pending.set(), 0);
    }

    #[test]
    fn faults_come_before_lower_numbers() {
        let mut pending = Pending::default();
        pending.push(info(libc::SIGHUP, 0));
        pending.push(info(libc::SIGSEGV, 0));
        assert_eq!(pending.take(!0).map(|i| i.signal), Some(libc::SIGSEGV));
        assert_eq!(pending.take(!bit(libc::SIGHUP)).map(|i| i.signal), None);
    }
}
