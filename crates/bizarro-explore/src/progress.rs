//! What an exploration tells while it runs.

use bizarro_record::Plan;

use crate::verdict::Verdict;

/// A stretch of an exploration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The run without faults, twice.
    Baseline,
    /// One run for each fault.
    Matrix,
    /// One run for each sticky fault that needs one.
    Sticky,
    /// One run for each dependency that is taken away, and each way to do so.
    Dependencies,
    /// One run for each pair of faults.
    Pairs,
    /// One run for each seed.
    Schedules,
    /// As many runs as there are, or without a number as there is time for.
    Swarm,
    /// Findings are shrunk; counted in findings, not in runs.
    Shrink,
}

/// Is told how an exploration goes on. Always called on the thread that explores.
pub trait Progress {
    /// A phase of `runs` runs begins; 0 where their number is not known.
    fn begin(&mut self, phase: Phase, runs: u64);
    /// A run has ended. Runs come in the order in which they end, which depends on the machine.
    fn ran(&mut self, plan: &Plan, verdict: &Verdict);
    /// A finding was shrunk to this plan.
    fn shrunk(&mut self, plan: &Plan);
    /// A swarm has come to this many combinations of state, exchange and fault.
    fn combinations(&mut self, count: u64);
}

/// Shows nothing.
pub struct Silent;

impl Progress for Silent {
    fn begin(&mut self, _phase: Phase, _runs: u64) {}
    fn ran(&mut self, _plan: &Plan, _verdict: &Verdict) {}
    fn shrunk(&mut self, _plan: &Plan) {}
    fn combinations(&mut self, _count: u64) {}
}
