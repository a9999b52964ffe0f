//! What /proc shows of the kernel.

use alloc::format;
use alloc::vec::Vec;

use crate::errno::Errno;
use crate::fs::procfs::{
    HostFacts, LimitFacts, ProcFacts, ProcessFacts, SignalFacts, TaskFacts, text,
};
use crate::fs::{Proc, ProcEntry, ProcLink, ProcNode};
use crate::host::{Host, HostId};
use crate::kernel::Kernel;
use crate::object::Kind;
use crate::seams::Outside;
use crate::signal::{SIG_DFL, SIG_IGN, bit};
use crate::sys::process::RELEASE;
use crate::task::{Task, TaskState};

/// The current host's processes, seen by the current task.
pub struct ProcView<'a> {
    kernel: &'a Kernel,
    host: HostId,
    heap: u64,
}

impl ProcView<'_> {
    /// The view of the task that runs.
    pub fn new<'a>(kernel: &'a Kernel, outside: &dyn Outside) -> ProcView<'a> {
        let host = kernel.task_by_id(kernel.current).map_or(HostId(0), |task| task.host);
        ProcView { kernel, host, heap: outside.heap(host.0) }
    }

    fn host(&self) -> &Host {
        &self.kernel.hosts[usize::from(self.host.0)]
    }

    fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.host().process.tasks.iter().filter_map(|id| self.kernel.task_by_id(*id))
    }

    fn is_ours(&self, pid: u32) -> bool {
        self.host().process.pid == pid || self.tasks().any(|task| task.tid == pid)
    }

    /// proc_pid_fdinfo(5), the fields that every descriptor has.
    fn descriptor_info(&self, fd: i32) -> Result<Vec<u8>, Errno> {
        let descriptor = self.host().process.descriptors.get(fd).map_err(|_| Errno::ENOENT)?;
        let object = self.kernel.objects.get(descriptor.object).ok_or(Errno::ENOENT)?;
        let (position, ino) = match &object.kind {
            Kind::File(file) => (file.offset, file.ino.0),
            kind => (0, self.kernel.inode_number(descriptor.object, kind)),
        };
        let cloexec = if descriptor.close_on_exec { libc::O_CLOEXEC } else { 0 };
        let flags = object.status | cloexec;
        let text = format!("pos:\t{position}\nflags:\t0{flags:o}\nmnt_id:\t1\nino:\t{ino}\n");
        Ok(text.into_bytes())
    }

    fn host_facts(&self) -> HostFacts {
        let (k, host) = (self.kernel, self.host());
        let memory = host.memory_limit;
        let used = self.heap.saturating_add(host.process.committed.total());
        let mut id = [0; 16];
        for (n, byte) in id.iter_mut().enumerate() {
            *byte = (self.host.0 as u8).wrapping_mul(31).wrapping_add(n as u8 * 17) ^ 0x5a;
        }
        for (byte, boots) in id.iter_mut().zip(host.boots.to_le_bytes()) {
            *byte ^= boots;
        }
        HostFacts {
            hostname: host.name().clone(),
            release: RELEASE.into(),
            version: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1".into(),
            cpus: host.spec.cpus,
            memory_total: memory,
            memory_free: memory.saturating_sub(used),
            uptime: host.clock.monotonic(k.now),
            idle: host.clock.monotonic(k.now),
            booted_s: (host.clock.realtime(k.now) - host.clock.monotonic(k.now)).0 / 1_000_000_000,
            running: 1,
            tasks: host.process.tasks.len() as u32,
            last_pid: host.next_pid - 1,
            switches: k.stats.switches,
            forks: u64::from(host.next_pid),
            boot_id: id,
            uuid: uuid(k),
        }
    }

    fn process_facts(&self) -> ProcessFacts {
        let process = &self.host().process;
        let mut limits = LimitFacts::default();
        for (to, from) in limits.0.iter_mut().zip(&process.limits) {
            *to = (from.soft, from.hard);
        }
        let arguments = self.host().spec.arguments.iter();
        ProcessFacts {
            pid: process.pid,
            ppid: 1,
            pgid: process.pid,
            sid: process.pid,
            cmdline: arguments.flat_map(|argument| argument.bytes().chain([0])).collect(),
            environ: self.host().spec.env.iter().flat_map(|v| v.bytes().chain([0])).collect(),
            threads: process.tasks.len() as u32,
            cred: Some(self.host().cred()),
            umask: process.umask,
            fd_size: 64,
            memory_mapped: 64 << 20,
            memory_resident: 8 << 20,
            memory_stack: 132 << 10,
            memory_data: 4 << 20,
            memory_text: 2 << 20,
            started: process.started_after_boot,
            user_time: self.kernel.now - process.started,
            limits,
            pending: process.signals.pending.set(),
            ..ProcessFacts::default()
        }
    }

    fn task_facts(&self, tid: u32) -> TaskFacts {
        let process = &self.host().process;
        let task = self.tasks().find(|task| task.tid == tid).or_else(|| self.tasks().next());
        let caught = |wanted: fn(u64) -> bool| {
            (1..=64).fold(0, |set, signal| {
                let handler = process.signals.actions[signal as usize].handler;
                if wanted(handler) { set | bit(signal) } else { set }
            })
        };
        TaskFacts {
            tid: task.map_or(tid, |task| task.tid),
            comm: task.map_or_else(Vec::new, |task| task.name().bytes().collect()),
            state: match task.map(|task| task.state) {
                Some(TaskState::Waiting) => 'S',
                _ => 'R',
            },
            signals: SignalFacts {
                pending: task.map_or(0, |task| task.signals.pending.set()),
                blocked: task.map_or(0, |task| task.signals.mask),
                ignored: caught(|handler| handler == SIG_IGN),
                caught: caught(|handler| handler != SIG_IGN && handler != SIG_DFL),
            },
            voluntary_switches: self.kernel.stats.switches,
            involuntary_switches: 0,
        }
    }
}

/// A version 4 UUID that every reading sees anew.
fn uuid(k: &Kernel) -> [u8; 16] {
    let mut id = [0; 16];
    let mut seed = k.fingerprint;
    for half in id.chunks_mut(8) {
        seed.mix(k.now.0);
        half.copy_from_slice(&seed.value().to_le_bytes());
    }
    id
}

impl Proc for ProcView<'_> {
    fn current(&self) -> (u32, u32) {
        let tid = self.kernel.task_by_id(self.kernel.current).map_or(0, |task| task.tid);
        (self.host().process.pid, tid)
    }

    fn pids(&self) -> Vec<u32> {
        alloc::vec![self.host().process.pid]
    }

    fn tids(&self, pid: u32) -> Option<Vec<u32>> {
        self.is_ours(pid).then(|| self.tasks().map(|task| task.tid).collect())
    }

    fn fds(&self, pid: u32) -> Option<Vec<u32>> {
        let descriptors = &self.host().process.descriptors;
        self.is_ours(pid).then(|| descriptors.iter().map(|(fd, _)| fd as u32).collect())
    }

    fn link(&self, node: &ProcNode) -> Result<ProcLink, Errno> {
        let process = &self.host().process;
        Ok(match node.entry {
            ProcEntry::Exe => ProcLink::Path(self.host().spec.executable.clone().into()),
            ProcEntry::Cwd => ProcLink::Node(process.cwd),
            ProcEntry::RootLink => ProcLink::Node(crate::fs::Fs::ROOT),
            ProcEntry::Fd => {
                let id =
                    process.descriptors.get(node.arg as i32).map_err(|_| Errno::ENOENT)?.object;
                let object = self.kernel.objects.get(id).ok_or(Errno::ENOENT)?;
                let number = self.kernel.inode_number(id, &object.kind);
                if let Kind::Pipe(pipe, _) = object.kind
                    && let Some(ino) = self.kernel.pipes.name(pipe)
                {
                    return Ok(ProcLink::Node(ino));
                }
                let what = match &object.kind {
                    Kind::File(file) => return Ok(ProcLink::Node(file.ino)),
                    Kind::Socket(_) => format!("socket:[{number}]"),
                    Kind::Pipe(..) | Kind::Output(_) => format!("pipe:[{number}]"),
                    Kind::Event(_) => "anon_inode:[eventfd]".into(),
                    Kind::Timer(_) => "anon_inode:[timerfd]".into(),
                    Kind::Signal(_) => "anon_inode:[signalfd]".into(),
                    Kind::Epoll(_) => "anon_inode:[eventpoll]".into(),
                };
                ProcLink::Foreign(what.into())
            }
            _ => return Err(Errno::ENOENT),
        })
    }

    fn content(&self, node: &ProcNode) -> Result<Vec<u8>, Errno> {
        if node.entry == ProcEntry::FdInfo {
            return self.descriptor_info(node.arg as i32);
        }
        let (host, process, task) =
            (self.host_facts(), self.process_facts(), self.task_facts(node.arg));
        let facts = ProcFacts { host: &host, process: &process, task: &task };
        text(node.entry, &facts).ok_or(Errno::ENOENT)
    }
}
