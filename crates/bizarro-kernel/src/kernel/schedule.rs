//! The scheduler: who runs next, and when virtual time passes.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bizarro_record::{Ending, Nanos};

use crate::host::Life;
use crate::kernel::{Command, Kernel, Next};
use crate::seams::{Queue, Turn};
use crate::task::{Task, TaskId};
use crate::timers::Timer;

impl Kernel {
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
            match self.timers.next().filter(|_| !self.timers.is_idle()) {
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
            if self.hosts[host].stands_still() {
                self.hosts[host].parked.push(task);
                continue;
            }
            if self.task_by_id(task).is_some_and(|task| task.held_until.is_some())
                && self.hold_back(task)
            {
                continue;
            }
            return Some(task);
        }
    }

    pub(super) fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Wake(wait) => self.time_is_up(wait),
            Timer::Net(event) => self.with_net(|net, cx| net.fire(cx, event)),
            Timer::TimerFd(object, generation) => self.timerfd_expired(object, generation),
            Timer::Interval(host, generation) => self.interval_expired(host, generation),
            Timer::Posix(host, number, generation) => {
                self.posix_timer_expired(host, number, generation);
            }
            Timer::Second(host, generation) => self.second_begins(host, generation),
            Timer::Smear(host, smear) => self.smear(host, smear),
            Timer::Ntp(host, ntp) => self.ntp(host, ntp),
            Timer::Release(task) => self.release_held(task),
            Timer::Resume(host) => self.resume_host(host),
            Timer::Incident(index, host) => self.begin(index, host),
            Timer::CrashAgain(index) => self.crash_again(index),
            Timer::Heal(index) => self.heal(index),
            Timer::Restart(host) => {
                if self.hosts[usize::from(host.0)].life == Life::Down {
                    self.boot(host);
                    self.net.host_powered_on(host.0);
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

    /// Puts tasks of a host that was paused back into the run queue.
    pub(crate) fn run_again(&mut self, tasks: Vec<TaskId>) {
        self.run_queue.extend(tasks);
    }
}

/// The run queue, as a decider sees it.
pub(super) struct Waiting<'a> {
    pub(super) queue: &'a VecDeque<TaskId>,
    pub(super) tasks: &'a [Option<Task>],
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
