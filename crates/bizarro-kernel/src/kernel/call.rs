//! The life of a system call.

use alloc::string::String;

use bizarro_record::Event;

use crate::errno::{Errno, Stop};
use crate::kernel::schedule::Waiting;
use crate::kernel::{Flow, Kernel, Via};
use crate::seams::GuestMemory;
use crate::strace;
use crate::table::{self, Args, Row};
use crate::task::{CallState, TaskState, Wait};
use crate::timers::Timer;

/// System calls that a task makes before others get a turn: about a scheduler's time slice of 4 ms of busy system calls.
const SLICE: u32 = 4000;

impl Kernel {
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
        if self.a_disk_is_slow && self.waits_for_disk(number, args) {
            return Flow::Again;
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
        if let Some(host) = self.disk_asks.take() {
            self.heed_disk(memory, host);
        }
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
        if running.tid == 0 {
            return None;
        }
        if self.hosts[usize::from(host.0)].watched {
            if self.watched_call(host) {
                if self.current_is_gone() {
                    return Some(Flow::Gone);
                }
                return self.give_way();
            }
            if self.hosts[usize::from(host.0)].slowdown > 1 && self.occupies_cpu(host) {
                return Some(Flow::Again);
            }
        }
        let queue = Waiting { queue: &self.run_queue, tasks: &self.tasks };
        if slice_over || self.now > self.deadline || self.decider.preempt(running, &queue) {
            return self.give_way();
        }
        None
    }

    /// The current task waits for its next turn before it makes its call.
    fn give_way(&mut self) -> Option<Flow> {
        let current = self.current;
        self.task_mut().slice = 0;
        self.run_queue.push_back(current);
        Some(Flow::Again)
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
            let at = self.when(deadline);
            self.timers.push(at, Timer::Wake(wait));
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
            let _ = memory.write_timespec(call.remainder, self.left(deadline));
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

    pub(super) fn current_is_gone(&self) -> bool {
        self.task_by_id(self.current).is_none_or(|task| task.state == TaskState::Gone)
    }
}
