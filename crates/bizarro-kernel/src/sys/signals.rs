//! Signals: signal(7), sigaction(2), sigprocmask(2), kill(2), signalfd(2), and their delivery.

use alloc::format;
use alloc::vec::Vec;

use crate::errno::{Errno, Stop, SysResult};
use crate::host::HostId;
use crate::kernel::Kernel;
use crate::object::{Kind, ObjId};
use crate::seams::GuestMemory;
use crate::signal::{
    self, Action, AltStack, DefaultAction, Info, SIG_DFL, SIG_IGN, UNBLOCKABLE, bit,
};
use crate::table::Arg::{Fd, Hex, Int, Ptr, Size};
use crate::table::{Args, Row, Support, row};
use crate::task::{TaskId, TaskState, WaitsFor};

pub(crate) const ROWS: &[Row] = &[
    row(libc::SYS_rt_sigaction, "rt_sigaction", &[Int, Ptr, Ptr, Size], rt_sigaction),
    row(libc::SYS_rt_sigprocmask, "rt_sigprocmask", &[Int, Ptr, Ptr, Size], rt_sigprocmask),
    row(libc::SYS_rt_sigpending, "rt_sigpending", &[Ptr, Size], rt_sigpending),
    row(libc::SYS_rt_sigsuspend, "rt_sigsuspend", &[Ptr, Size], rt_sigsuspend),
    row(libc::SYS_rt_sigtimedwait, "rt_sigtimedwait", &[Ptr, Ptr, Ptr, Size], rt_sigtimedwait),
    row(libc::SYS_rt_sigqueueinfo, "rt_sigqueueinfo", &[Int, Int, Ptr], rt_sigqueueinfo),
    row(libc::SYS_rt_tgsigqueueinfo, "rt_tgsigqueueinfo", &[Int, Int, Int, Ptr], rt_tgsigqueueinfo),
    row(libc::SYS_rt_sigreturn, "rt_sigreturn", &[], rt_sigreturn).support(Support::Partial(
        "handlers return to the runtime; a hand-made frame is not simulated",
    )),
    row(libc::SYS_sigaltstack, "sigaltstack", &[Ptr, Ptr], sigaltstack),
    row(libc::SYS_pause, "pause", &[], pause),
    row(libc::SYS_kill, "kill", &[Int, Int], kill)
        .support(Support::Partial("stopping (SIGSTOP and its kin) is not simulated")),
    row(libc::SYS_tkill, "tkill", &[Int, Int], tkill),
    row(libc::SYS_tgkill, "tgkill", &[Int, Int, Int], tgkill),
    row(libc::SYS_signalfd, "signalfd", &[Fd, Ptr, Size], signalfd),
    row(libc::SYS_signalfd4, "signalfd4", &[Fd, Ptr, Size, Hex], signalfd4),
];

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

    /// Sends a signal to a task.
    pub fn send_to_task(&mut self, id: TaskId, info: Info) {
        let Some(task) = self.task_by_id(id) else { return };
        let (host, mask) = (task.host, task.signals.mask);
        let blocked = mask & bit(info.signal) != 0;
        let process = &self.hosts[usize::from(host.0)].process;
        if process.signals.ignores(info.signal) && !blocked {
            return;
        }
        if let Some(task) = self.task_by_id_mut(id) {
            task.signals.pending.push(info);
        }
        if !blocked || self.waits_for_signal(id) {
            self.kick(id);
        }
        self.notify_signalfds(host);
    }

    /// Sends a signal to the process of a host: any task that does not block it acts on it.
    pub fn send_to_process(&mut self, host: HostId, info: Info) {
        let process = &self.hosts[usize::from(host.0)].process;
        let tasks: Vec<TaskId> = process.tasks.clone();
        let takers: Vec<TaskId> = tasks
            .into_iter()
            .filter(|id| {
                self.task_by_id(*id).is_some_and(|task| task.signals.mask & bit(info.signal) == 0)
            })
            .collect();
        if process.signals.ignores(info.signal) && !takers.is_empty() {
            return;
        }
        self.hosts[usize::from(host.0)].process.signals.pending.push(info);
        // LINUX: the main thread is preferred, signal(7); it is the first of the list.
        match takers.first() {
            Some(id) => self.kick(*id),
            None => self.kick_signal_waiters(host),
        }
        self.notify_signalfds(host);
    }

    fn kick_signal_waiters(&mut self, host: HostId) {
        let tasks = self.hosts[usize::from(host.0)].process.tasks.clone();
        for id in tasks {
            if self.waits_for_signal(id) {
                self.kick(id);
            }
        }
    }

    fn waits_for_signal(&self, id: TaskId) -> bool {
        self.task_by_id(id).is_some_and(|task| {
            task.state == TaskState::Waiting && task.waits_for == WaitsFor::Signal
        })
    }

    fn notify_signalfds(&mut self, host: HostId) {
        let descriptors = &self.hosts[usize::from(host.0)].process.descriptors;
        let ids: Vec<ObjId> = descriptors
            .iter()
            .map(|(_, descriptor)| descriptor.object)
            .filter(|id| {
                matches!(self.objects.get(*id).map(|object| &object.kind), Some(Kind::Signal(_)))
            })
            .collect();
        for id in ids {
            self.notify(id);
        }
    }

    /// A write to a pipe or socket that nobody reads.
    pub(crate) fn raise_sigpipe(&mut self) {
        let (current, pid) = (self.current, self.host().process.pid);
        let info = Info { signal: libc::SIGPIPE, code: libc::SI_USER, pid, uid: 0, value: 0 };
        self.send_to_task(current, info);
    }

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

    /// Readiness of a signalfd for the current task.
    pub(crate) fn signalfd_readiness(&self, set: u64) -> u32 {
        let pending = self.task_by_id(self.current).map_or(0, |task| {
            task.signals.pending.set()
                | self.hosts[usize::from(task.host.0)].process.signals.pending.set()
        });
        if pending & set != 0 { libc::EPOLLIN as u32 } else { 0 }
    }

    /// read(2) on a signalfd: one `struct signalfd_siginfo`.
    pub(crate) fn read_signalfd(&mut self, id: ObjId, set: u64) -> Result<[u8; 128], Stop> {
        match self.take_signal(set) {
            Some(info) => {
                let mut bytes = [0; 128];
                bytes[0..4].copy_from_slice(&info.signal.to_le_bytes());
                bytes[8..12].copy_from_slice(&info.code.to_le_bytes());
                bytes[12..16].copy_from_slice(&info.pid.to_le_bytes());
                bytes[16..20].copy_from_slice(&info.uid.to_le_bytes());
                bytes[44..48].copy_from_slice(&(info.value as u32).to_le_bytes());
                bytes[48..56].copy_from_slice(&info.value.to_le_bytes());
                Ok(bytes)
            }
            None => Err(self.wait_unless_nonblocking(id)),
        }
    }

    fn take_signal(&mut self, set: u64) -> Option<Info> {
        let own = self.task_mut().signals.pending.take(set);
        own.or_else(|| self.host_mut().process.signals.pending.take(set))
    }

    fn user_signal(&self, signal: i32, code: i32) -> Info {
        Info { signal, code, pid: self.host().process.pid, uid: 0, value: 0 }
    }
}

fn eight(size: u64) -> Result<(), Errno> {
    if size == 8 { Ok(()) } else { Err(Errno::EINVAL) }
}

fn rt_sigaction(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
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

fn rt_sigprocmask(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
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

fn rt_sigpending(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if a.word(1) > 8 {
        return Err(Errno::EINVAL.into());
    }
    let pending = k.task().signals.pending.set() | k.host().process.signals.pending.set();
    memory.write_u64(a.addr(0), pending & k.task().signals.mask)?;
    Ok(0)
}

fn rt_sigsuspend(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    eight(a.word(1))?;
    k.replace_mask_for_call(memory, a.addr(0), 8)?;
    k.wait(WaitsFor::Signal);
    Err(Stop::Block)
}

fn pause(k: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    k.wait(WaitsFor::Signal);
    Err(Stop::Block)
}

fn rt_sigtimedwait(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
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

/// The `siginfo_t` that a program made up. Only the kernel may use codes that say it was the kernel.
fn queued_info(memory: &dyn GuestMemory, signal: i32, at: u64) -> Result<Info, Errno> {
    let code = memory.read_i32(at + 8)?;
    if code >= 0 || code == libc::SI_TKILL {
        return Err(Errno::EPERM);
    }
    Ok(Info {
        signal,
        code,
        pid: memory.read_u32(at + 16)?,
        uid: memory.read_u32(at + 20)?,
        value: memory.read_u64(at + 24)?,
    })
}

fn rt_sigqueueinfo(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let signal = signal::checked(a.word(1))?;
    let info = queued_info(memory, signal, a.addr(2))?;
    if a.int(0) as u32 != k.host().process.pid {
        return Err(Errno::ESRCH.into());
    }
    let host = k.host_id();
    k.send_to_process(host, info);
    Ok(0)
}

fn rt_tgsigqueueinfo(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let signal = signal::checked(a.word(2))?;
    let info = queued_info(memory, signal, a.addr(3))?;
    let task = k.task_by_tid(a.int(1) as u32).ok_or(Errno::ESRCH)?;
    k.send_to_task(task, info);
    Ok(0)
}

fn rt_sigreturn(_: &mut Kernel, _: &mut dyn GuestMemory, _: &Args) -> SysResult {
    Err(Stop::Unsupported("a signal frame that the guest made itself".into()))
}

fn sigaltstack(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
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

/// SS_AUTODISARM, sigaltstack(2).
const SS_AUTODISARM: i32 = 1 << 31;

fn kill(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let (pid, own) = (a.int(0), k.host().process.pid as i32);
    // LINUX: 0 is the process group, -1 everybody but init: here both are the process itself.
    if ![own, -own, 0, -1].contains(&pid) {
        return Err(Errno::ESRCH.into());
    }
    if a.int(1) == 0 {
        return Ok(0);
    }
    let signal = signal::checked(a.word(1))?;
    not_stopping(signal)?;
    let info = k.user_signal(signal, libc::SI_USER);
    let host = k.host_id();
    k.send_to_process(host, info);
    Ok(0)
}

fn not_stopping(signal: i32) -> Result<(), Stop> {
    if signal::default_action(signal) == DefaultAction::Stop {
        return Err(Stop::Unsupported(format!("signal {signal} stops a process")));
    }
    Ok(())
}

fn tkill(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    send_to_thread(k, a.int(0), a.word(1))
}

fn tgkill(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    if a.int(0) <= 0 || a.int(1) <= 0 {
        return Err(Errno::EINVAL.into());
    }
    if a.int(0) as u32 != k.host().process.pid {
        return Err(Errno::ESRCH.into());
    }
    send_to_thread(k, a.int(1), a.word(2))
}

fn send_to_thread(k: &mut Kernel, tid: i32, signal: u64) -> SysResult {
    if tid <= 0 {
        return Err(Errno::EINVAL.into());
    }
    let task = k.task_by_tid(tid as u32).ok_or(Errno::ESRCH)?;
    if signal as i32 == 0 {
        return Ok(0);
    }
    let signal = signal::checked(signal)?;
    not_stopping(signal)?;
    let info = k.user_signal(signal, libc::SI_TKILL);
    k.send_to_task(task, info);
    Ok(0)
}

fn signalfd(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    make_signalfd(k, memory, a, 0)
}

fn signalfd4(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    make_signalfd(k, memory, a, a.int(3))
}

fn make_signalfd(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args, flags: i32) -> SysResult {
    eight(a.word(2))?;
    if flags & !(libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let set = memory.read_u64(a.addr(1))? & !UNBLOCKABLE;
    if a.fd(0) != -1 {
        let id = k.descriptor(a.fd(0))?;
        return match k.objects.get_mut(id).map(|object| &mut object.kind) {
            Some(Kind::Signal(old)) => {
                *old = set;
                Ok(a.fd(0) as u64)
            }
            _ => Err(Errno::EINVAL.into()),
        };
    }
    let status = libc::O_RDWR | flags & libc::O_NONBLOCK;
    Ok(k.open_descriptor(Kind::Signal(set), status, flags)? as u64)
}
