//! Hosts and tasks that stand still, and CPUs that are slow, while the rest of the world goes on.
//!
//! - A *paused* host runs nothing, but its clocks go on: what a long garbage collection of everything, or SIGSTOP, looks
//!   like from inside. What arrives waits at its door.
//! - A *frozen* host is a virtual machine whose monitor stopped it: its clocks stand still, too (see [`crate::clock`]).
//! - A *held* task gets no turn; the other threads of its process do.
//! - A *slow* host takes `slowdown` times as long for each system call. The first part is what every call costs; the
//!   rest is spent on one of the host's CPUs, the one that is free first, so where more tasks run than there are CPUs
//!   they wait for each other. The world goes on meanwhile. DIVERGENCE: what a program computes between two
//!   calls takes no virtual time, slow or not.

use bizarro_record::{Event, Nanos};

use crate::host::HostId;
use crate::kernel::Kernel;
use crate::task::{TaskId, TaskState};
use crate::timers::Timer;

impl Kernel {
    /// A host stands still so long from now; its clocks go on.
    pub fn pause_host(&mut self, host: HostId, lasts: Nanos) {
        let until = self.now + lasts;
        let owner = &mut self.hosts[usize::from(host.0)];
        if owner.paused_until.is_some_and(|known| known >= until) {
            return;
        }
        owner.paused_until = Some(until);
        owner.watched = true;
        self.net.host_paused(host.0, until);
        self.observer.event(self.now, host.0, 0, Event::Paused { until });
        self.timers.push(until, Timer::Resume(host));
    }

    pub(crate) fn resume_host(&mut self, host: HostId) {
        let owner = &mut self.hosts[usize::from(host.0)];
        if owner.paused_until.is_some_and(|until| until > self.now) {
            return;
        }
        owner.paused_until = None;
        self.unpark(host);
    }

    /// A host stands still until [`Kernel::thaw_host`], which comes at `until`, and its clocks do, too.
    pub fn freeze_host(&mut self, host: HostId, until: Nanos) {
        self.freeze_clock(host, true);
        self.hosts[usize::from(host.0)].watched = true;
        self.net.host_paused(host.0, until);
        self.observer.event(self.now, host.0, 0, Event::Paused { until });
    }

    /// A frozen host goes on, and so do its clocks, from where they were.
    pub fn thaw_host(&mut self, host: HostId) {
        self.freeze_clock(host, false);
        self.unpark(host);
    }

    fn unpark(&mut self, host: HostId) {
        let owner = &mut self.hosts[usize::from(host.0)];
        if owner.stands_still() {
            return;
        }
        let parked = core::mem::take(&mut owner.parked);
        self.run_again(parked);
    }

    /// A task of a host gets no turn until [`Kernel::release_task`]. Says whether there is such a task.
    pub fn hold_task(&mut self, host: HostId, tid: u32) -> bool {
        let Some(id) = self.task_of(host, tid) else { return false };
        if let Some(task) = self.task_by_id_mut(id) {
            task.held_until = Some(Nanos::MAX);
        }
        self.hosts[usize::from(host.0)].watched = true;
        true
    }

    /// It may run again.
    pub fn release_task(&mut self, host: HostId, tid: u32) {
        let Some(id) = self.task_of(host, tid) else { return };
        let now = self.now;
        if let Some(task) = self.task_by_id_mut(id) {
            task.held_until = Some(now);
        }
        self.release_held(id);
    }

    pub(super) fn task_of(&self, host: HostId, tid: u32) -> Option<TaskId> {
        let tasks = &self.hosts[usize::from(host.0)].process.tasks;
        tasks.iter().copied().find(|id| self.task_by_id(*id).is_some_and(|task| task.tid == tid))
    }

    /// The CPUs of a host take this many times as long as others from now on, from 1.
    pub fn slow_down(&mut self, host: HostId, slowdown: u32) {
        let owner = &mut self.hosts[usize::from(host.0)];
        owner.slowdown = slowdown.max(1);
        owner.watched = true;
    }

    /// Whether a task whose turn it is has to wait because it is held; it is told when it may go on.
    pub(super) fn hold_back(&mut self, id: TaskId) -> bool {
        let now = self.now;
        let Some(task) = self.task_by_id_mut(id) else { return false };
        let Some(until) = task.held_until else { return false };
        task.is_held_back = until > now;
        if !task.is_held_back {
            task.held_until = None;
            return false;
        }
        if until < Nanos::MAX {
            self.timers.push(until, Timer::Release(id));
        }
        true
    }

    /// A task that was held may run, if it is still held, and until no later than now.
    pub(super) fn release_held(&mut self, id: TaskId) {
        let now = self.now;
        let Some(task) = self.task_by_id_mut(id) else { return };
        if task.state != TaskState::Runnable || task.held_until.is_none_or(|until| until > now) {
            return;
        }
        task.held_until = None;
        if core::mem::take(&mut task.is_held_back) {
            self.run_again(alloc::vec![id]);
        }
    }

    /// The call that the current task begins takes longer than elsewhere: the task gives way and goes on when a CPU of
    /// the host has had the time for it. Says whether it does.
    #[cold]
    pub(super) fn occupies_cpu(&mut self, host: HostId) -> bool {
        let (now, cost) = (self.now, self.cost);
        let owner = &mut self.hosts[usize::from(host.0)];
        owner.cpus_busy.resize(owner.spec.cpus.max(1) as usize, Nanos::ZERO);
        let more = Nanos(cost.0.saturating_mul(u64::from(owner.slowdown) - 1));
        let Some(cpu) = owner.cpus_busy.iter_mut().min() else { return false };
        let until = now.max(*cpu) + more;
        *cpu = until;
        if until <= now {
            return false;
        }
        let id = self.current;
        let task = self.task_mut();
        task.slice = 0;
        // A task that is held for longer stays so.
        task.held_until = Some(task.held_until.map_or(until, |held| held.max(until)));
        self.run_again(alloc::vec![id]);
        true
    }
}
