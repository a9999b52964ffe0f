//! The kernel as a value: what all hosts share, and the life of a system call.

mod disk;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use bizarro_record::record::TaskState as TaskReport;
use bizarro_record::{Ending, Event, Nanos, Role, Stats, WorldSpec};

use crate::errno::{Errno, Stop};
use crate::fingerprint::Fingerprint;
use crate::fs::Fs;
use crate::host::{Host, HostId, Life};
use crate::net::{Cx, HostFault, Net, NetEvent, SockId, Ucred, Wake};
use crate::object::{ObjId, Objects};
use crate::seams::{Decider, GuestMemory, Observer, Outside, Queue, Turn};
use crate::strace;
use crate::sys::futex::{Futexes, Key};
use crate::sys::pipe::Pipes;
use crate::table::{self, Args, Row};
use crate::task::{CallState, Task, TaskId, TaskState, Wait, WaitsFor};
use crate::timers::{Timer, Timers};

/// How a call reached the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Via {
    /// A system-call instruction was trapped.
    Trap,
    /// A replaced symbol of the C library.
    Hook,
}

/// What the runtime does after a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// The call is done; this is what the guest's `rax` shows. Signals may be waiting, see [`Kernel::attention`].
    Return(u64),
    /// The call waits, or the task gave way: run what [`Kernel::schedule`] says, and make the same call
    /// again when this task's turn comes.
    Again,
    /// Signal handlers run now, then the same call is made again (SA_RESTART).
    Restart,
    /// The task has ended: run what [`Kernel::schedule`] says and never come back.
    Gone,
    /// A thread was made. The runtime gives it a stack and registers; the caller's `rax` shows its `tid`.
    Cloned(Cloned),
}

/// A thread that was made by clone(2) or clone3(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cloned {
    /// The new task, already in the run queue.
    pub task: TaskId,
    /// Its thread id.
    pub tid: u32,
    /// Its initial stack pointer.
    pub stack: u64,
    /// Its thread pointer (FS base), if CLONE_SETTLS was asked for.
    pub tls: Option<u64>,
}

/// Who runs next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// This task.
    Task(TaskId),
    /// The runtime itself: there are commands, see [`Kernel::take_command`].
    Root,
}

/// What the runtime has to do outside any task.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// Start this host's program as a new process.
    Start(HostId),
    /// Free the memory of this host's process: all of its tasks have gone.
    TearDown(HostId),
    /// The run is over.
    End(Ending),
}

/// How long a crashed host's program is down.
pub const RESTART_AFTER: Nanos = Nanos::from_secs(1);
/// How long a paused host stands still.
pub const PAUSE: Nanos = Nanos::from_secs(15);
/// System calls that a task makes before others get a turn: about a scheduler's time slice of 4 ms of busy system calls.
const SLICE: u32 = 4000;

/// A simulated Linux for many hosts.
pub struct Kernel {
    /// True virtual time.
    pub now: Nanos,
    /// True time at which the world started, in nanoseconds since 1970.
    pub epoch: u64,
    /// The hosts, by index.
    pub hosts: Vec<Host>,
    /// The task that runs.
    pub current: TaskId,
    /// All open file descriptions.
    pub objects: Objects,
    /// All pipes.
    pub pipes: Pipes,
    /// The network.
    pub net: Net,
    /// What happens later.
    pub timers: Timers,
    /// Tasks that wait on futexes.
    pub futexes: Futexes,
    /// Where choices come from.
    pub decider: Box<dyn Decider>,
    /// Where effects go.
    pub observer: Box<dyn Observer>,
    /// Real directories that were mounted.
    pub outside: Option<Box<dyn Outside>>,
    /// Hash of all effects.
    pub fingerprint: Fingerprint,
    /// Counts.
    pub stats: Stats,
    pub(crate) cloned: Option<Cloned>,
    tasks: Vec<Option<Task>>,
    free_tasks: Vec<TaskId>,
    run_queue: VecDeque<TaskId>,
    commands: VecDeque<Command>,
    tickets: u64,
    cost: Nanos,
    deadline: Nanos,
    ended: bool,
    socket_objects: Vec<Option<ObjId>>,
    net_timers: Vec<(Nanos, NetEvent)>,
    net_wakes: Vec<Wake>,
    net_strikes: Vec<HostFault>,
    net_released: Vec<u64>,
    /// Who waits in close(2) for what a socket still sends (SO_LINGER).
    pub(crate) lingering: Vec<(SockId, Wait)>,
}

impl Kernel {
    /// The disks of a world's hosts before anything has happened. A copy of them is cheap, and every run of the
    /// same world begins with one.
    ///
    /// # Panics
    /// See [`Host::fresh_disk`].
    pub fn disks(spec: &WorldSpec, outside: &mut dyn Outside) -> Vec<Fs> {
        spec.hosts.iter().map(|host| Host::fresh_disk(spec, host, outside)).collect()
    }

    /// A world in which nothing has happened yet, with the hosts' disks; the hosts' programs are to be started (see
    /// [`Command::Start`]).
    pub fn new(
        spec: &WorldSpec,
        disks: Vec<Fs>,
        decider: Box<dyn Decider>,
        observer: Box<dyn Observer>,
        outside: Box<dyn Outside>,
    ) -> Kernel {
        let hosts: Vec<Host> = (0..)
            .zip(spec.hosts.iter().zip(disks))
            .map(|(index, (host, disk))| Host::new(HostId(index), host, disk))
            .collect();
        let commands = hosts.iter().map(|host| Command::Start(host.id)).collect();
        Kernel {
            now: Nanos::ZERO,
            epoch: spec.epoch,
            hosts,
            current: TaskId(0),
            objects: Objects::default(),
            pipes: Pipes::default(),
            net: Net::new(spec),
            timers: Timers::default(),
            futexes: Futexes::default(),
            decider,
            observer,
            outside: Some(outside),
            fingerprint: Fingerprint::default(),
            stats: Stats::default(),
            cloned: None,
            tasks: Vec::new(),
            free_tasks: Vec::new(),
            run_queue: VecDeque::new(),
            commands,
            tickets: 0,
            cost: spec.syscall_cost,
            deadline: spec.deadline,
            ended: false,
            socket_objects: Vec::new(),
            net_timers: Vec::new(),
            net_wakes: Vec::new(),
            net_strikes: Vec::new(),
            net_released: Vec::new(),
            lingering: Vec::new(),
        }
    }

    // ---- The life of a system call.

    /// Makes a system call for the current task.
    pub fn call(
        &mut self,
        memory: &mut dyn GuestMemory,
        number: u64,
        args: &Args,
        via: Via,
    ) -> Flow {
        if !self.task().call.again {
            if let Some(flow) = self.begin_call(via) {
                return flow;
            }
        } else if self.task().call.blocked && !self.task().call.woken && self.interrupted() {
            return self.interrupt_call(memory, number, args);
        }
        self.tickets += 1;
        let ticket = self.tickets;
        let task = self.task_mut();
        task.ticket = ticket;
        task.call.again = true;
        let row = table::find(number);
        let result = match row {
            Some(row) => (row.handler)(self, memory, args),
            // No Linux has a call of such a number.
            None if number >= table::NUMBERS => Err(Errno::ENOSYS.into()),
            None => Err(Stop::Unsupported(String::new())),
        };
        if self.current_is_gone() {
            return Flow::Gone;
        }
        match result {
            Ok(value) => self.end_call(memory, row, number, args, value),
            Err(Stop::Errno(errno)) => {
                self.end_call(memory, row, number, args, (-i64::from(errno.0)) as u64)
            }
            Err(Stop::Block) => self.block_call(memory, number, args),
            Err(Stop::Yield) => {
                let current = self.current;
                self.task_mut().slice = 0;
                self.run_queue.push_back(current);
                Flow::Again
            }
            Err(Stop::Unsupported(what)) => {
                self.report_unsupported(memory, number, args, &what);
                self.end_call(memory, row, number, args, (-i64::from(Errno::ENOSYS.0)) as u64)
            }
        }
    }

    /// What happens once per call, before its first attempt. `Some` where the task does not get to make it now.
    #[inline]
    fn begin_call(&mut self, via: Via) -> Option<Flow> {
        let current = self.current;
        let task = self.task_mut();
        let host = task.host;
        task.call.again = true;
        task.slice += 1;
        task.calls += 1;
        let slice_over = task.slice >= SLICE;
        let running = task.turn();
        self.stats.syscalls += 1;
        self.stats.traps += u64::from(via == Via::Trap);
        self.now += self.cost;
        self.net.call_begun(host.0);
        if self.hosts[usize::from(host.0)].crash_at.is_some() && self.crash_comes_nearer(host) {
            return Some(Flow::Gone);
        }
        if running.tid == 0 {
            return None;
        }
        let queue = Waiting { queue: &self.run_queue, tasks: &self.tasks };
        if slice_over || self.now > self.deadline || self.decider.preempt(running, &queue) {
            self.task_mut().slice = 0;
            self.run_queue.push_back(current);
            return Some(Flow::Again);
        }
        None
    }

    fn end_call(
        &mut self,
        memory: &mut dyn GuestMemory,
        row: Option<&Row>,
        number: u64,
        args: &Args,
        value: u64,
    ) -> Flow {
        let hidden = row.is_some_and(|row| row.gives_address) && (value as i64) >= 0;
        let task = self.task_mut();
        let (tid, host) = (task.tid, task.host);
        task.call = CallState { saved_mask: task.call.saved_mask, ..CallState::default() };
        self.fingerprint.mix(number << 48 | u64::from(host.0) << 32 | u64::from(tid));
        self.fingerprint.mix(if hidden { 0 } else { value });
        self.fingerprint.mix(self.now.0);
        if self.observer.traces() {
            let line = strace::line(memory, number, args, Some(value));
            self.observer.call(self.now, host.0, tid, &line);
        }
        match self.cloned.take() {
            Some(cloned) => Flow::Cloned(cloned),
            None => Flow::Return(value),
        }
    }

    fn block_call(&mut self, memory: &mut dyn GuestMemory, number: u64, args: &Args) -> Flow {
        if self.interrupted() {
            return self.interrupt_call(memory, number, args);
        }
        let task = self.task_mut();
        task.state = TaskState::Waiting;
        task.call.blocked = true;
        task.slice = 0;
        let wait = Wait { task: task.id, ticket: task.ticket };
        if let Some(deadline) = task.call.deadline {
            self.timers.push(deadline, Timer::Wake(wait));
        }
        Flow::Again
    }

    /// Whether a signal ends or suspends the call that the current task waits in.
    fn interrupted(&self) -> bool {
        let task = self.task();
        let waiting = (task.signals.pending.set() | self.host().process.signals.pending.set())
            & !task.signals.mask;
        waiting != 0
    }

    fn interrupt_call(&mut self, memory: &mut dyn GuestMemory, number: u64, args: &Args) -> Flow {
        let restarts = table::find(number).is_some_and(|row| row.restarts);
        // LINUX: a transfer that has begun reports what it did; only one that did nothing ends with
        // EINTR or is made again (signal(7), write(2)).
        let has_begun = restarts && self.task().call.progress > 0;
        // LINUX: a wait with a time-out is never made again, signal(7).
        let has_timeout = self.task().call.deadline.is_some();
        if restarts && !has_begun && !has_timeout && self.next_handler_restarts() {
            self.task_mut().call.blocked = false;
            return Flow::Restart;
        }
        let call = self.task().call;
        if let Some((end, _)) = call.opening {
            self.retain(end);
            self.release(end);
        }
        if let (Some(deadline), true) = (call.deadline, call.remainder != 0) {
            // Where the rest cannot be written, the sleep was interrupted all the same.
            let _ = memory.write_timespec(call.remainder, deadline - self.now);
        }
        let value = if has_begun { call.progress } else { (-i64::from(Errno::EINTR.0)) as u64 };
        self.end_call(memory, table::find(number), number, args, value)
    }

    fn report_unsupported(
        &mut self,
        memory: &mut dyn GuestMemory,
        number: u64,
        args: &Args,
        what: &str,
    ) {
        let mut call = strace::line(memory, number, args, None);
        if !what.is_empty() {
            call.push_str(": ");
            call.push_str(what);
        }
        self.emit(Event::Unsupported { call });
    }

    // ---- Who and where.

    /// The task that runs.
    #[inline]
    pub fn task(&self) -> &Task {
        self.tasks[self.current.0 as usize].as_ref().expect("the current task exists")
    }

    /// The task that runs.
    #[inline]
    pub fn task_mut(&mut self) -> &mut Task {
        self.tasks[self.current.0 as usize].as_mut().expect("the current task exists")
    }

    /// Any task.
    #[inline]
    pub fn task_by_id(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(id.0 as usize)?.as_ref()
    }

    /// Any task.
    #[inline]
    pub fn task_by_id_mut(&mut self, id: TaskId) -> Option<&mut Task> {
        self.tasks.get_mut(id.0 as usize)?.as_mut()
    }

    /// The task of this thread id on the current host.
    pub fn task_by_tid(&self, tid: u32) -> Option<TaskId> {
        let tasks = &self.host().process.tasks;
        tasks.iter().copied().find(|id| self.task_by_id(*id).is_some_and(|t| t.tid == tid))
    }

    /// The current task's host.
    #[inline]
    pub fn host(&self) -> &Host {
        &self.hosts[usize::from(self.task().host.0)]
    }

    /// The current task's host.
    #[inline]
    pub fn host_mut(&mut self) -> &mut Host {
        let index = usize::from(self.task().host.0);
        &mut self.hosts[index]
    }

    /// The current task's host's index.
    #[inline]
    pub fn host_id(&self) -> HostId {
        self.task().host
    }

    fn current_is_gone(&self) -> bool {
        self.task_by_id(self.current).is_none_or(|task| task.state == TaskState::Gone)
    }

    /// Tells the observer of something that the current task did.
    pub fn emit(&mut self, event: Event) {
        let (host, tid) = (self.task().host.0, self.task().tid);
        self.observer.event(self.now, host, tid, event);
    }

    // ---- Tasks.

    /// Makes a task on `host` that is in no queue.
    pub(crate) fn add_task(&mut self, host: HostId, tid: u32, name: [u8; 16]) -> TaskId {
        let id = self.free_tasks.pop().unwrap_or_else(|| {
            self.tasks.push(None);
            TaskId(self.tasks.len() as u32 - 1)
        });
        self.hosts[usize::from(host.0)].process.tasks.push(id);
        self.tasks[id.0 as usize] = Some(Task::new(id, host, tid, name));
        id
    }

    /// Makes a runnable thread of the current task's process and puts it into the run queue.
    pub(crate) fn make_thread(&mut self) -> TaskId {
        let (host, name, mask) = (self.host_id(), self.task().name, self.task().signals.mask);
        let booting = self.task().tid == 0;
        let owner = self.host_mut();
        let (tid, name) = if booting {
            (owner.process.pid, program_name(owner.name()))
        } else {
            owner.next_pid += 1;
            (owner.next_pid - 1, name)
        };
        let id = self.add_task(host, tid, name);
        if let Some(task) = self.task_by_id_mut(id) {
            task.signals.mask = mask;
        }
        self.run_queue.push_back(id);
        self.stats.tasks += 1;
        id
    }

    /// Lets a task's number be used again.
    pub(crate) fn free_task(&mut self, id: TaskId) {
        self.free_tasks.push(id);
    }

    /// Ends the current task, as exit(2) does. The last task of a process ends the process.
    pub fn exit_task(&mut self, memory: &mut dyn GuestMemory, status: i32) {
        let (id, clear_tid, host) = (self.current, self.task().clear_tid, self.host_id());
        self.release_robust_futexes(memory);
        if clear_tid != 0 && memory.write_u32(clear_tid, 0).is_ok() {
            self.wake_futex(Key::shared(host, clear_tid), 1, !0);
        }
        let host = self.host_mut();
        host.process.tasks.retain(|other| *other != id);
        if host.process.tasks.is_empty() {
            let host = host.id;
            self.end_process(host, status);
        }
        self.task_mut().state = TaskState::Gone;
        self.free_tasks.push(id);
    }

    /// A wait of the current task's current call.
    pub fn wait(&mut self, reason: WaitsFor) -> Wait {
        let task = self.task_mut();
        task.waits_for = reason;
        Wait { task: task.id, ticket: task.ticket }
    }

    /// Makes the current call give up `span` after its first attempt.
    pub fn give_up_after(&mut self, span: Nanos) {
        let deadline = self.now + span;
        self.task_mut().call.deadline.get_or_insert(deadline);
    }

    /// Whether the current call's time is up.
    pub fn timed_out(&self) -> bool {
        self.task().call.deadline.is_some_and(|deadline| self.now >= deadline)
    }

    /// Wakes a task, if it still waits for this. Says whether it did.
    pub fn wake(&mut self, wait: Wait) -> bool {
        match self.task_by_id_mut(wait.task) {
            Some(task) if task.state == TaskState::Waiting && task.ticket == wait.ticket => {
                task.state = TaskState::Runnable;
                task.waits_for = WaitsFor::Nothing;
                self.run_queue.push_back(wait.task);
                true
            }
            _ => false,
        }
    }

    /// Wakes a task whatever it waits for, so that it looks at its signals.
    pub fn kick(&mut self, id: TaskId) {
        if let Some(task) = self.task_by_id(id) {
            self.wake(Wait { task: id, ticket: task.ticket });
        }
    }

    // ---- Readiness.

    /// An object's readiness may have changed for the better: wakes who waits for it and queues it in the
    /// epoll instances that watch it.
    pub fn notify(&mut self, id: ObjId) {
        self.notify_of(id, Wake::ALL);
    }

    /// The same, for these `EPOLL` events only: an epoll item that waits for none of them is left alone.
    pub fn notify_of(&mut self, id: ObjId, events: u32) {
        let Some(object) = self.objects.get_mut(id) else { return };
        if !object.waiters.is_empty() {
            for wait in core::mem::take(&mut object.waiters) {
                self.wake(wait);
            }
        }
        let watched = self.objects.get(id).is_some_and(|object| !object.watchers.is_empty());
        if watched {
            self.notify_watchers(id, events);
        }
    }

    /// Calls a function of the network and carries out what follows from it.
    #[inline]
    pub fn with_net<R>(&mut self, f: impl FnOnce(&mut Net, &mut Cx<'_>) -> R) -> R {
        let (host, tid) =
            self.task_by_id(self.current).map_or((HostId(0), 0), |task| (task.host, task.tid));
        let pid = self.hosts.get(usize::from(host.0)).map_or(0, |host| host.process.pid);
        let mut cx = Cx {
            now: self.now,
            host: host.0,
            tid,
            creds: Ucred { pid, uid: 0, gid: 0 },
            decider: &mut *self.decider,
            observer: &mut *self.observer,
            timers: &mut self.net_timers,
            wakes: &mut self.net_wakes,
            strikes: &mut self.net_strikes,
            released: &mut self.net_released,
        };
        let result = f(&mut self.net, &mut cx);
        self.settle_net();
        result
    }

    #[inline]
    fn settle_net(&mut self) {
        for (at, event) in self.net_timers.drain(..) {
            self.timers.push(at, Timer::Net(event));
        }
        let mut index = 0;
        while let Some(wake) = self.net_wakes.get(index).copied() {
            index += 1;
            if !self.lingering.is_empty() {
                self.end_linger(wake.sock);
            }
            if let Some(object) = self.object_of(wake.sock) {
                self.notify_of(object, wake.events);
            }
        }
        self.net_wakes.clear();
        while let Some(bits) = self.net_released.pop() {
            self.release(ObjId::from_bits(bits));
        }
        if !self.net_strikes.is_empty() {
            for strike in core::mem::take(&mut self.net_strikes) {
                self.strike(strike);
            }
        }
    }

    /// Remembers which description a socket belongs to.
    pub fn bind_socket(&mut self, socket: SockId, object: ObjId) {
        let index = socket.index();
        if index >= self.socket_objects.len() {
            self.socket_objects.resize(index + 1, None);
        }
        self.socket_objects[index] = Some(object);
    }

    fn object_of(&self, socket: SockId) -> Option<ObjId> {
        self.socket_objects.get(socket.index()).copied().flatten()
    }

    // ---- The scheduler.

    /// Who runs next. Virtual time passes here when every task waits.
    pub fn schedule(&mut self) -> Next {
        loop {
            while let Some(timer) = self.timers.due(self.now) {
                self.fire(timer);
            }
            if !self.commands.is_empty() {
                return Next::Root;
            }
            if self.now > self.deadline {
                let tasks = self.task_reports();
                self.end(Ending::Deadline { tasks });
                continue;
            }
            if let Some(task) = self.pick() {
                self.current = task;
                self.task_mut().turns += 1;
                self.stats.switches += 1;
                return Next::Task(task);
            }
            match self.timers.next() {
                // Nothing happens after the deadline: tasks are seen as they wait at it.
                Some(at) if at > self.deadline => self.now = self.deadline + Nanos(1),
                Some(at) => self.now = at.max(self.now),
                None => {
                    let tasks = self.task_reports();
                    self.end(Ending::Deadlock { tasks });
                }
            }
        }
    }

    fn pick(&mut self) -> Option<TaskId> {
        loop {
            let task = match self.run_queue.len() {
                0 => return None,
                1 => self.run_queue.pop_front()?,
                _ => {
                    let queue = Waiting { queue: &self.run_queue, tasks: &self.tasks };
                    let place = self.decider.next_task(&queue);
                    self.run_queue.remove(place)?
                }
            };
            let Some(host) = self.task_by_id(task).map(|task| usize::from(task.host.0)) else {
                continue;
            };
            if self.hosts[host].paused_until.is_some() {
                self.hosts[host].parked.push(task);
                continue;
            }
            return Some(task);
        }
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Wake(wait) => {
                self.wake(wait);
            }
            Timer::Net(event) => self.with_net(|net, cx| net.fire(cx, event)),
            Timer::TimerFd(object, generation) => self.timerfd_expired(object, generation),
            Timer::Interval(host, generation) => self.interval_expired(host, generation),
            Timer::Posix(host, number, generation) => {
                self.posix_timer_expired(host, number, generation);
            }
            Timer::Resume(host) => self.resume_host(host),
            Timer::Restart(host) => {
                if self.hosts[usize::from(host.0)].life == Life::Down {
                    self.commands.push_back(Command::Start(host));
                }
            }
        }
    }

    /// What the runtime has to do now.
    pub fn take_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// Has the runtime do something.
    pub(crate) fn command(&mut self, command: Command) {
        self.commands.push_back(command);
    }

    /// Ends the run.
    pub fn end(&mut self, ending: Ending) {
        if !self.ended {
            self.ended = true;
            self.stats.virtual_time = self.now;
            self.commands.push_back(Command::End(ending));
        }
    }

    /// What every task is doing.
    pub fn task_reports(&self) -> Vec<TaskReport> {
        let mut reports = Vec::new();
        for host in &self.hosts {
            for id in &host.process.tasks {
                let Some(task) = self.task_by_id(*id) else { continue };
                reports.push(TaskReport {
                    host: host.name().clone(),
                    tid: task.tid,
                    name: task.name().into_owned(),
                    waits_for: self.describe_wait(task),
                    backtrace: String::new(),
                });
            }
        }
        reports
    }

    // ---- For the hosts' lives, see life.rs.

    pub(crate) fn forget_tasks(&mut self, host: HostId) {
        let tasks = core::mem::take(&mut self.hosts[usize::from(host.0)].process.tasks);
        for id in tasks {
            if let Some(task) = self.task_by_id_mut(id) {
                task.state = TaskState::Gone;
            }
            self.free_tasks.push(id);
        }
        self.run_queue.retain(|id| {
            self.tasks[id.0 as usize].as_ref().is_some_and(|task| task.state != TaskState::Gone)
        });
        self.hosts[usize::from(host.0)].parked.clear();
    }

    pub(crate) fn run_again(&mut self, tasks: Vec<TaskId>) {
        self.run_queue.extend(tasks);
    }

    pub(crate) fn workloads_have_ended(&self) -> bool {
        self.hosts
            .iter()
            .filter(|host| host.spec.role == Role::Workload)
            .all(|host| matches!(host.life, Life::Ended(_)))
    }
}

/// The run queue, as a decider sees it.
struct Waiting<'a> {
    queue: &'a VecDeque<TaskId>,
    tasks: &'a [Option<Task>],
}

impl Queue for Waiting<'_> {
    fn len(&self) -> usize {
        self.queue.len()
    }

    fn get(&self, place: usize) -> Turn {
        let task = &self.tasks[self.queue[place].0 as usize];
        task.as_ref().expect("a task in the queue exists").turn()
    }
}

/// A host's name as its first task's name: at most 15 bytes, as Linux cuts it.
fn program_name(host: &str) -> [u8; 16] {
    let mut name = [0; 16];
    for (to, from) in name[..15].iter_mut().zip(host.bytes()) {
        *to = from;
    }
    name
}
