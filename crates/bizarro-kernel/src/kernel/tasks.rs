//! The tasks: which there are, and their beginning and end.

use alloc::string::String;
use alloc::vec::Vec;

use bizarro_record::record::TaskState as TaskReport;

use crate::host::HostId;
use crate::kernel::Kernel;
use crate::seams::GuestMemory;
use crate::sys::futex::Key;
use crate::task::{Task, TaskId, TaskState};

impl Kernel {
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

    /// Lets a task's number be used again.
    pub(crate) fn free_task(&mut self, id: TaskId) {
        self.free_tasks.push(id);
    }

    /// Ends the tasks of a host whose process is gone.
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
}

/// A host's name as its first task's name: at most 15 bytes, as Linux cuts it.
fn program_name(host: &str) -> [u8; 16] {
    let mut name = [0; 16];
    for (to, from) in name[..15].iter_mut().zip(host.bytes()) {
        *to = from;
    }
    name
}
