//! Waiting and waking.

use bizarro_record::Nanos;

use crate::kernel::Kernel;
use crate::net::Wake;
use crate::object::ObjId;
use crate::task::{TaskId, TaskState, Wait, WaitsFor};

impl Kernel {
    /// A wait of the current task's current call.
    pub fn wait(&mut self, reason: WaitsFor) -> Wait {
        let task = self.task_mut();
        task.waits_for = reason;
        Wait { task: task.id, ticket: task.ticket }
    }

    /// Makes the current call give up `span` after its first attempt.
    pub fn give_up_after(&mut self, span: Nanos) {
        let deadline = self.due_after(span);
        self.task_mut().call.deadline.get_or_insert(deadline);
    }

    /// Whether the current call's time is up.
    pub fn timed_out(&self) -> bool {
        self.task().call.deadline.is_some_and(|deadline| self.is_due(deadline))
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
}
