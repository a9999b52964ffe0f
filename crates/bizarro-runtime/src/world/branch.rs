//! Runs that begin alike are made alike once: where the fault strikes that tells two of them apart, the process of the
//! run forks.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bizarro_fault::PlanDecider;
use bizarro_kernel::seams::{Decider, Queue, Turn};
use bizarro_record::{
    Deviation, Done, Effect, ExchangeId, Incident, Injection, Memory, Nanos, Step,
};

use super::{WORLD, run};
use crate::runner::{self, Supervisor};
use crate::{guest_heap, own_heap, raw, touched, trap, watchdog};

static mut IS_BRANCH: bool = false;

/// Whether this process is that of a branch: it ends with its run.
pub(super) fn is_branch() -> bool {
    // SAFETY: a plain flag on the one kernel thread.
    unsafe { IS_BRANCH }
}

/// Decides as a plan does, and forks where it is asked for a fault of one of the branches.
pub(super) struct Branching {
    plan: PlanDecider,
    /// Faults of branches that are not made yet, with their place in the command.
    waiting: Vec<(u32, Injection)>,
    supervisor: Supervisor,
}

impl Branching {
    pub(super) fn decider(
        mut plan: PlanDecider,
        branches: Vec<Injection>,
        supervisor: Supervisor,
    ) -> Box<dyn Decider> {
        if branches.is_empty() {
            return Box::new(plan);
        }
        plan.expect(&branches);
        Box::new(Branching { plan, waiting: (0..).zip(branches).collect(), supervisor })
    }

    /// Makes the branch; comes back when it has ended, and in its own process, where it says so.
    fn fork(&mut self, now: Nanos, place: u32, fault: &Injection) -> bool {
        // SAFETY: the child has this kernel thread only, as the parent has.
        let child = guest_heap::lock::locked(|| unsafe { raw::call(libc::SYS_fork, [0; 6]) });
        match usize::try_from(child) {
            Ok(0) => {
                become_branch(now, fault);
                return true;
            }
            Ok(child) => {
                let status = run::wait_for(child);
                self.supervisor.send(&Done::Branch(place, status));
                if self.supervisor.may_go_on().is_none() {
                    raw::exit(runner::CLOSED);
                }
            }
            // Nobody made it: the supervisor has it made by itself.
            Err(_) => {}
        }
        false
    }
}

/// What fork(2) does not hand on is set up again.
fn become_branch(now: Nanos, fault: &Injection) {
    own_heap::start_page();
    runner::die_with_parent();
    touched::open();
    // SAFETY: one kernel thread. The world exists, and whoever is above on the stack refers to its kernel only.
    let limit = unsafe {
        IS_BRANCH = true;
        (*WORLD).started = raw::monotonic();
        (*WORLD).forked = Some(now);
        let request = &mut *(&raw mut (*WORLD).request);
        request.plan.injections.push(fault.clone());
        request.spin_limit_ms
    };
    if let Err(errno) = super::the_world().guest.windows.become_own() {
        raw::complain(format_args!("a branch has no room for mapped files: {errno}"));
        raw::exit(crate::OUR_BUG);
    }
    watchdog::start(limit);
    if trap::arm().is_err() {
        raw::exit(crate::CANNOT_RUN);
    }
}

impl Decider for Branching {
    fn next_task(&mut self, queue: &dyn Queue) -> usize {
        self.plan.next_task(queue)
    }

    fn preempt(&mut self, running: Turn, queue: &dyn Queue) -> bool {
        self.plan.preempt(running, queue)
    }

    fn random(&mut self) -> u64 {
        self.plan.random()
    }

    fn within(&mut self, low: u64, high: u64) -> u64 {
        self.plan.within(low, high)
    }

    fn latency(&mut self, shortest: u64, longest: u64) -> u64 {
        self.plan.latency(shortest, longest)
    }

    fn chance(&mut self, ppm: u32) -> bool {
        self.plan.chance(ppm)
    }

    fn fault(&mut self, now: Nanos, exchange: &ExchangeId, step: Step) -> Option<Effect> {
        let was_waiting = !self.waiting.is_empty();
        let due = if was_waiting { self.plan.due(exchange, step) } else { Vec::new() };
        for place in due {
            let Some(at) = self.waiting.iter().position(|(known, _)| *known as usize == place)
            else {
                continue;
            };
            let (number, fault) = self.waiting.remove(at);
            if self.fork(now, number, &fault) {
                self.plan.add(place);
                self.waiting.clear();
                return self.plan.fault(now, exchange, step);
            }
        }
        if was_waiting && self.waiting.is_empty() {
            // Nobody wants to know how this run ends.
            self.supervisor.send(&Done::Ended(0, Memory::default()));
            raw::exit(runner::USED_UP);
        }
        self.plan.fault(now, exchange, step)
    }

    fn removed(&self, client: u16, server: u16) -> Option<Effect> {
        self.plan.removed(client, server)
    }

    fn keeps_requests(&self) -> bool {
        self.plan.keeps_requests()
    }

    fn may_take_power(&self) -> bool {
        self.plan.may_take_power()
    }

    fn incidents(&self) -> Vec<Incident> {
        self.plan.incidents()
    }

    fn lifetime(&mut self, most: u32) -> u32 {
        self.plan.lifetime(most)
    }

    fn disturbance(&mut self, low: u64, high: u64) -> u64 {
        self.plan.disturbance(low, high)
    }

    fn survivor(&mut self, below: u64) -> u64 {
        self.plan.survivor(below)
    }

    fn deviations(&self) -> Option<Vec<Deviation>> {
        self.plan.deviations()
    }
}
