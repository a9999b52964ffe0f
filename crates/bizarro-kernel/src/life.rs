//! The life of a host's program: started, ended, crashed.

use alloc::string::String;
use alloc::vec::Vec;

use bizarro_record::{Ending, Event, Nanos, Role, Stream, Survivors};

use crate::fs::Fs;
use crate::host::{HostId, Life, Process};
use crate::kernel::{BOOT_AFTER, Command, Kernel, Left, PAUSE, RESTART_AFTER};
use crate::net::{Deadly, HostFault};
use crate::object::{Descriptor, Kind, ObjId};
use crate::task::{Task, TaskId, TaskState, WaitsFor};
use crate::timers::Timer;

impl Kernel {
    /// Makes a new process on `host`, without tasks, with the three standard descriptors.
    pub fn start_process(&mut self, host: HostId) {
        let now = self.now;
        let owner = &mut self.hosts[usize::from(host.0)];
        let pid = owner.next_pid;
        owner.next_pid += 1;
        owner.incarnation += 1;
        owner.life = Life::Up;
        owner.crash_at = None;
        owner.cpus_busy.clear();
        owner.process = Process::new(pid, Fs::ROOT, now);
        owner.process.started_after_boot = owner.clock.monotonic(now);
        if owner.spec.entry != 0 {
            // What the runtime of Rust does before `main` (std, since 2014): the program is a function of Rust, and nothing
            // runs before it that would.
            let ignore = &mut owner.process.signals.actions[libc::SIGPIPE as usize];
            ignore.handler = crate::signal::SIG_IGN;
        }
        owner.fs().retain(Fs::ROOT);
        let incarnation = owner.incarnation;
        for (fd, stream) in [(1, Stream::Stdout), (2, Stream::Stderr)] {
            let object = self.objects.open(host, Kind::Output(stream), libc::O_WRONLY);
            self.give_descriptor(host, fd, object);
        }
        let stdin = self.open_null(host);
        self.give_descriptor(host, 0, stdin);
        self.observer.event(now, host.0, 0, Event::Started { incarnation });
        self.live_shortly(host);
    }

    fn give_descriptor(&mut self, host: HostId, fd: i32, object: ObjId) {
        if let Some(object) = self.objects.get_mut(object) {
            object.refs += 1;
        }
        let descriptors = &mut self.hosts[usize::from(host.0)].process.descriptors;
        descriptors.replace(fd, Descriptor { object, close_on_exec: false });
    }

    /// Makes a task that stands for the process while the runtime makes its first thread: its thread id
    /// is 0, it is never preempted, and the first thread that it makes gets the process's id.
    pub fn begin_boot(&mut self, host: HostId) -> TaskId {
        let id = self.add_task(host, 0, *b"boot\0\0\0\0\0\0\0\0\0\0\0\0");
        self.current = id;
        id
    }

    /// Ends the boot task.
    pub fn end_boot(&mut self, boot: TaskId) {
        if let Some(task) = self.task_by_id_mut(boot) {
            task.state = TaskState::Gone;
            let host = task.host;
            self.hosts[usize::from(host.0)].process.tasks.retain(|id| *id != boot);
        }
        self.free_task(boot);
    }

    /// Makes the process's first task for a thread that exists already, and makes it the current one.
    pub fn adopt_main(&mut self, host: HostId, name: [u8; 16]) -> TaskId {
        let pid = self.hosts[usize::from(host.0)].process.pid;
        let id = self.add_task(host, pid, name);
        self.current = id;
        id
    }

    /// Ends the process of `host`: all tasks are gone, descriptors are closed, locks released.
    pub fn end_process(&mut self, host: HostId, status: i32) {
        self.flush_output(host);
        let tid = self.current_tid_on(host);
        self.observer.event(
            self.now,
            host.0,
            tid,
            Event::Exited { status, backtrace: String::new() },
        );
        self.hosts[usize::from(host.0)].life = Life::Ended(status);
        self.destroy_process(host);
        let role = self.hosts[usize::from(host.0)].spec.role;
        if role == Role::Workload && self.workloads_have_ended() {
            self.end(Ending::Completed);
        }
    }

    /// The thread id of the current task, if it is the host's; 0 where something else acts.
    fn current_tid_on(&self, host: HostId) -> u32 {
        let current = self.task_by_id(self.current).filter(|task| task.host == host);
        current.map_or(0, |task| task.tid)
    }

    /// A signal that was neither caught nor blocked ends the process.
    pub fn kill_process(&mut self, host: HostId, signal: i32, backtrace: String) {
        self.flush_output(host);
        let tid = self.current_tid_on(host);
        self.observer.event(self.now, host.0, tid, Event::Killed { signal, backtrace });
        self.hosts[usize::from(host.0)].life = Life::Ended(128 + signal);
        self.destroy_process(host);
        let role = self.hosts[usize::from(host.0)].spec.role;
        if role == Role::Workload && self.workloads_have_ended() {
            self.end(Ending::Completed);
        }
    }

    /// A fault kills the process of `host`; its disk survives. The program starts again so long after it, if that is known.
    pub fn crash_host(&mut self, host: HostId, restart_after: Option<Nanos>) {
        if self.hosts[usize::from(host.0)].life != Life::Up {
            return;
        }
        self.flush_output(host);
        self.observer.event(self.now, host.0, 0, Event::Crashed);
        self.hosts[usize::from(host.0)].life = Life::Down;
        self.destroy_process(host);
        if let Some(after) = restart_after {
            self.timers.push(self.now + after, Timer::Restart(host));
        }
    }

    /// The process of a host is gone, with all that it had stored in mapped files: says what the disk keeps, where the
    /// power failed.
    pub(crate) fn settle_disk(&mut self, host: HostId) {
        let owner = &mut self.hosts[usize::from(host.0)];
        let Some(left) = owner.power_lost.take() else { return };
        let (decider, disk) = (&mut self.decider, owner.fs());
        disk.tell_time(self.now);
        match left {
            Left::Synced(survivors) => {
                disk.power_lost(survivors, &mut |below| decider.survivor(below));
            }
            Left::Nothing => disk.is_replaced(),
        }
    }

    /// A planned crash comes one system call nearer; says whether it strikes before this one.
    #[cold]
    pub(crate) fn crash_comes_nearer(&mut self, host: HostId) -> bool {
        let Some((calls, deadly)) = self.hosts[usize::from(host.0)].crash_at else { return false };
        if calls > 1 {
            self.hosts[usize::from(host.0)].crash_at = Some((calls - 1, deadly));
            return false;
        }
        self.hosts[usize::from(host.0)].crash_at = None;
        self.with_net(|net, cx| net.show_deadly(cx, deadly));
        self.crash_host(host, Some(RESTART_AFTER));
        true
    }

    /// What every end of a process has in common, however it came about (exit_group(2), "Notes").
    pub(crate) fn destroy_process(&mut self, host: HostId) {
        self.fingerprint.mix(0xdead_0000 | u64::from(host.0));
        self.forget_tasks(host);
        self.net.process_is_gone(host.0);
        self.futexes.forget_host(host);
        let fds: Vec<i32> =
            self.hosts[usize::from(host.0)].process.descriptors.iter().map(|(fd, _)| fd).collect();
        for fd in fds {
            let descriptors = &mut self.hosts[usize::from(host.0)].process.descriptors;
            if let Ok(descriptor) = descriptors.remove(fd) {
                self.release_locks_of_closed(host, descriptor.object);
                self.release(descriptor.object);
            }
        }
        let owner = &mut self.hosts[usize::from(host.0)];
        owner.locks.clear();
        owner.lock_waiters.clear();
        let cwd = owner.process.cwd;
        owner.fs().release(cwd);
        let process = &mut self.hosts[usize::from(host.0)].process;
        process.interval.expires = None;
        process.posix_timers.clear();
        self.command(Command::TearDown(host));
    }

    /// Carries out what a planned fault does to a host.
    pub(crate) fn strike(&mut self, fault: HostFault) {
        match fault {
            HostFault::Crash(host) => self.crash_host(HostId(host), Some(RESTART_AFTER)),
            HostFault::CrashSoon(host) => {
                self.crash_at(HostId(host), 1, Deadly::TOLD);
            }
            HostFault::CrashAt(host, call, deadly) => {
                self.crash_at(HostId(host), call, deadly);
            }
            HostFault::Pause(host) => self.pause_host(HostId(host), PAUSE),
            HostFault::Incident(index, host) => self.begin(index, HostId(host)),
            HostFault::DiskFull(host) => {
                self.hosts[usize::from(host)].fs().fail_next_write(crate::Errno::ENOSPC);
            }
            HostFault::PowerOff(host) => {
                self.power_off(HostId(host), Left::Synced(Survivors::Nothing), Some(BOOT_AFTER));
            }
            HostFault::IoError(host) => {
                self.hosts[usize::from(host)].fs().fail_next_write(crate::Errno::EIO);
            }
        }
    }

    pub(crate) fn crash_at(&mut self, host: HostId, call: u32, deadly: Deadly) {
        let owner = &mut self.hosts[usize::from(host.0)];
        owner.crash_at = Some((call, deadly));
        owner.watched = true;
    }

    /// Records what a process wrote, line by line.
    pub(crate) fn output(&mut self, stream: Stream, bytes: &[u8]) {
        let (host, tid) = (self.host_id(), self.task().tid);
        let which = stream as usize;
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let partial = &mut self.hosts[usize::from(host.0)].process.partial_output[which];
            partial.extend_from_slice(&rest[..end]);
            let line = String::from_utf8_lossy(partial).into_owned();
            partial.clear();
            self.observer.event(self.now, host.0, tid, Event::Output { stream, line });
            rest = &rest[end + 1..];
        }
        self.hosts[usize::from(host.0)].process.partial_output[which].extend_from_slice(rest);
    }

    fn flush_output(&mut self, host: HostId) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let process = &mut self.hosts[usize::from(host.0)].process;
            let partial = core::mem::take(&mut process.partial_output[stream as usize]);
            if !partial.is_empty() {
                let line = String::from_utf8_lossy(&partial).into_owned();
                self.observer.event(self.now, host.0, 0, Event::Output { stream, line });
            }
        }
    }

    /// What a task waits for, in words.
    pub(crate) fn describe_wait(&self, task: &Task) -> String {
        use alloc::format;
        if task.state == TaskState::Runnable {
            return String::from("running");
        }
        let what = match task.waits_for {
            WaitsFor::Nothing => String::from("nothing"),
            WaitsFor::Futex(addr) => format!("futex {addr:#x}"),
            WaitsFor::Object(object) => self.describe_object(task.host, object),
            WaitsFor::Objects => String::from("several descriptors"),
            WaitsFor::Time => String::from("time to pass"),
            WaitsFor::Signal => String::from("a signal"),
            WaitsFor::Lock => String::from("a file lock"),
            WaitsFor::Disk => String::from("a slow disk"),
        };
        match task.call.deadline {
            Some(deadline) => {
                let host = &self.hosts[usize::from(task.host.0)];
                format!("{what}, until {}", host.clock.when(deadline, self.now))
            }
            None => what,
        }
    }

    fn describe_object(&self, host: HostId, id: ObjId) -> String {
        use alloc::format;
        let kind = match self.objects.get(id).map(|object| &object.kind) {
            Some(Kind::Socket(_)) => "socket",
            Some(Kind::Pipe(..)) => "pipe",
            Some(Kind::Event(_)) => "eventfd",
            Some(Kind::Timer(_)) => "timerfd",
            Some(Kind::Signal(_)) => "signalfd",
            Some(Kind::Epoll(_)) => "epoll",
            Some(Kind::Output(_) | Kind::File(_)) => "file",
            None => "closed descriptor",
        };
        let descriptors = &self.hosts[usize::from(host.0)].process.descriptors;
        match descriptors.iter().find(|(_, descriptor)| descriptor.object == id) {
            Some((fd, _)) => format!("{kind} {fd}"),
            None => String::from(kind),
        }
    }
}
