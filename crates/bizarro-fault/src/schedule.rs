//! Who runs next: the fair schedule with deviations, and the schedules that are drawn.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use bizarro_kernel::seams::{Queue, Turn};
use bizarro_record::{Deviation, Plan, Schedule, TaskName};

use crate::draw::SplitMix64;

/// Host and thread id.
type Task = (u16, u32);

/// Decides as a plan's schedule says, and remembers where it was not fair.
#[derive(Clone, Debug)]
pub(crate) struct Scheduler {
    mode: Mode,
    deviated: Vec<Deviated>,
    /// More deviations than are kept.
    is_full: bool,
}

#[derive(Clone, Debug)]
enum Mode {
    /// First come, first served.
    Fair,
    /// The same, but for these.
    Written(Written),
    Random {
        draws: SplitMix64,
        preempt_ppm: u32,
    },
    Priority(Priorities),
}

/// Deviations that are kept of a run: beyond, a list would say nothing to anybody.
const KEPT: usize = 1 << 16;

#[derive(Clone, Copy, Debug)]
enum Deviated {
    Preempt { task: Task, call: u32 },
    Pass { task: Task, turn: u32, by: Task },
}

impl Scheduler {
    /// `draws` is the plan's stream for schedules.
    pub(crate) fn new(plan: &Plan, hosts: &[&str], mut draws: SplitMix64) -> Scheduler {
        let mode = match plan.schedule {
            Schedule::Fair if plan.deviations.is_empty() => Mode::Fair,
            Schedule::Fair => Mode::Written(Written::new(&plan.deviations, hosts)),
            Schedule::Random => {
                // A bug that needs one rare preemption and a bug that needs many are found at different
                // rates (Groce et al., *Swarm Testing*, ISSTA 2012).
                let preempt_ppm = 1_000_000 >> draws.within(2, 9);
                Mode::Random { draws, preempt_ppm }
            }
            Schedule::Priority { depth, steps } => {
                Mode::Priority(Priorities::new(depth, steps, draws))
            }
        };
        Scheduler { mode, deviated: Vec::new(), is_full: false }
    }

    pub(crate) fn next_task(&mut self, queue: &dyn Queue) -> usize {
        let place = match &mut self.mode {
            Mode::Fair => return 0,
            Mode::Written(written) => written.next_task(queue),
            Mode::Random { draws, .. } => {
                draws.within(0, (queue.len() as u64).saturating_sub(1)) as usize
            }
            Mode::Priority(priorities) => priorities.highest(queue),
        };
        if place > 0 {
            let head = queue.get(0);
            let (task, by) = (task(head), task(queue.get(place)));
            // The turn that it is waiting for.
            self.note(Deviated::Pass { task, turn: head.turns + 1, by });
        }
        place
    }

    #[inline]
    pub(crate) fn preempt(&mut self, running: Turn, queue: &dyn Queue) -> bool {
        let gives_way = match &mut self.mode {
            Mode::Fair => return false,
            Mode::Written(written) => written.preempts.contains(&call(running)),
            Mode::Random { draws, preempt_ppm } => draws.chance(*preempt_ppm),
            Mode::Priority(priorities) => priorities.preempt(running, queue),
        };
        if gives_way {
            self.note(Deviated::Preempt { task: task(running), call: running.calls });
        }
        gives_way
    }

    fn note(&mut self, deviated: Deviated) {
        if self.deviated.len() < KEPT {
            self.deviated.push(deviated);
        } else {
            self.is_full = true;
        }
    }

    /// What was noted, with the hosts' names.
    pub(crate) fn deviations(&self, hosts: &[String]) -> Option<Vec<Deviation>> {
        if self.is_full {
            return None;
        }
        let named = |(host, tid): Task| TaskName { host: hosts[usize::from(host)].clone(), tid };
        let written = |deviated: &Deviated| match *deviated {
            Deviated::Preempt { task, call } => Deviation::Preempt { task: named(task), call },
            Deviated::Pass { task, turn, by } => {
                Deviation::Pass { task: named(task), turn, by: named(by) }
            }
        };
        Some(self.deviated.iter().map(written).collect())
    }
}

fn task(turn: Turn) -> Task {
    (turn.host, turn.tid)
}

fn call(turn: Turn) -> (u16, u32, u32) {
    (turn.host, turn.tid, turn.calls)
}

/// Deviations that a plan names. One that never comes to pass changes nothing.
#[derive(Clone, Debug)]
struct Written {
    /// Task and call.
    preempts: BTreeSet<(u16, u32, u32)>,
    /// Task and turn; who runs instead, in order.
    passes: BTreeMap<(u16, u32, u32), VecDeque<Task>>,
}

impl Written {
    fn new(deviations: &[Deviation], hosts: &[&str]) -> Written {
        let index = |task: &TaskName| {
            let host = hosts.iter().position(|host| *host == task.host)?;
            Some((u16::try_from(host).ok()?, task.tid))
        };
        let mut written = Written { preempts: BTreeSet::new(), passes: BTreeMap::new() };
        for deviation in deviations {
            match deviation {
                Deviation::Preempt { task, call } => {
                    written.preempts.extend(index(task).map(|(host, tid)| (host, tid, *call)));
                }
                Deviation::Pass { task, turn, by } => {
                    if let (Some((host, tid)), Some(by)) = (index(task), index(by)) {
                        written.passes.entry((host, tid, *turn)).or_default().push_back(by);
                    }
                }
            }
        }
        written
    }

    fn next_task(&mut self, queue: &dyn Queue) -> usize {
        let head = queue.get(0);
        let Some(ahead) = self.passes.get_mut(&(head.host, head.tid, head.turns + 1)) else {
            return 0;
        };
        let place_of = |by: &Task| (1..queue.len()).find(|place| task(queue.get(*place)) == *by);
        let found = ahead.iter().enumerate().find_map(|(nth, by)| Some((nth, place_of(by)?)));
        let Some((nth, place)) = found else { return 0 };
        ahead.remove(nth);
        place
    }
}

/// Calls that a task may make while others wait, before its priority falls below all others: a task that polls for
/// what another one has to do would else keep that one from running for ever.
const PATIENCE: u32 = 1000;

/// Priorities of tasks; the paper is named at [`Schedule::Priority`].
#[derive(Clone, Debug)]
struct Priorities {
    seed: u64,
    /// Calls at which the priority of who makes it changes, and to what.
    changes: Vec<(u64, i64)>,
    /// Calls so far.
    step: u64,
    /// Priorities that were changed.
    changed: BTreeMap<Task, i64>,
    /// The lowest priority so far.
    lowest: i64,
    /// Who made the last calls, and how many.
    busy: (Task, u32),
}

impl Priorities {
    fn new(depth: u32, steps: u64, mut draws: SplitMix64) -> Priorities {
        Priorities {
            seed: draws.bits(),
            changes: (1..depth).map(|n| (draws.within(1, steps), i64::from(n))).collect(),
            step: 0,
            changed: BTreeMap::new(),
            lowest: 0,
            busy: ((0, 0), 0),
        }
    }

    /// A task's first priority is a function of who it is, so that tasks may come in any order. It is above
    /// all that a change can give.
    fn of(&self, task: Task) -> i64 {
        if let Some(changed) = self.changed.get(&task) {
            return *changed;
        }
        let who = u64::from(task.0) << 32 | u64::from(task.1);
        (SplitMix64::stream(self.seed, who).bits() >> 2) as i64 | 1 << 61
    }

    fn highest(&self, queue: &dyn Queue) -> usize {
        let places = 0..queue.len();
        // Of equal priorities the first one in the queue.
        places.rev().max_by_key(|place| self.of(task(queue.get(*place)))).unwrap_or(0)
    }

    fn preempt(&mut self, running: Turn, queue: &dyn Queue) -> bool {
        let running = task(running);
        self.step += 1;
        let change = self.changes.iter().find(|(step, _)| *step == self.step);
        if let Some((_, priority)) = change {
            self.changed.insert(running, *priority);
        }
        if queue.is_empty() {
            self.busy.1 = 0;
            return false;
        }
        self.busy = match self.busy {
            (task, calls) if task == running => (task, calls + 1),
            _ => (running, 1),
        };
        if self.busy.1 > PATIENCE {
            self.busy.1 = 0;
            self.lowest -= 1;
            self.changed.insert(running, self.lowest);
        }
        let own = self.of(running);
        (0..queue.len()).any(|place| self.of(task(queue.get(place))) > own)
    }
}
