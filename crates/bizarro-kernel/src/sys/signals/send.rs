//! Sending: kill(2), tgkill(2), sigqueue(3), and what the kernel itself sends.

use alloc::format;
use alloc::vec::Vec;

use crate::errno::{Errno, Stop, SysResult};
use crate::host::HostId;
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::signal::{self, DefaultAction, Info, bit};
use crate::table::Args;
use crate::task::{TaskId, TaskState, WaitsFor};

pub(super) fn kill(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
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

pub(super) fn tkill(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
    send_to_thread(k, a.int(0), a.word(1))
}

pub(super) fn tgkill(k: &mut Kernel, _: &mut dyn GuestMemory, a: &Args) -> SysResult {
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

fn not_stopping(signal: i32) -> Result<(), Stop> {
    if signal::default_action(signal) == DefaultAction::Stop {
        return Err(Stop::Unsupported(format!("signal {signal} stops a process")));
    }
    Ok(())
}

pub(super) fn rt_sigqueueinfo(k: &mut Kernel, memory: &mut dyn GuestMemory, a: &Args) -> SysResult {
    let signal = signal::checked(a.word(1))?;
    let info = queued_info(memory, signal, a.addr(2))?;
    if a.int(0) as u32 != k.host().process.pid {
        return Err(Errno::ESRCH.into());
    }
    let host = k.host_id();
    k.send_to_process(host, info);
    Ok(0)
}

pub(super) fn rt_tgsigqueueinfo(
    k: &mut Kernel,
    memory: &mut dyn GuestMemory,
    a: &Args,
) -> SysResult {
    let signal = signal::checked(a.word(2))?;
    let info = queued_info(memory, signal, a.addr(3))?;
    let task = k.task_by_tid(a.int(1) as u32).ok_or(Errno::ESRCH)?;
    k.send_to_task(task, info);
    Ok(0)
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

impl Kernel {
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

    /// A write to a pipe or socket that nobody reads.
    pub(crate) fn raise_sigpipe(&mut self) {
        let (current, pid) = (self.current, self.host().process.pid);
        let info = Info { signal: libc::SIGPIPE, code: libc::SI_USER, pid, uid: 0, value: 0 };
        self.send_to_task(current, info);
    }

    fn user_signal(&self, signal: i32, code: i32) -> Info {
        Info { signal, code, pid: self.host().process.pid, uid: 0, value: 0 }
    }
}
