//! Which runs a test makes.

/// How many random schedules are tried where nothing else is said.
pub(crate) const SEEDS: u32 = 16;

/// Which runs a test makes, beside the baseline (no fault, one task after the other), which is always
/// made, and made twice: both must be the same run.
///
/// Without a word, a test is put through the whole failure matrix and run under 16 random schedules. The environment variables in the [crate's documentation](crate) change that
/// for one invocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Explore {
    pub(crate) matrix: bool,
    pub(crate) seeds: u32,
    pub(crate) swarm: u32,
}

impl Default for Explore {
    fn default() -> Explore {
        Explore { matrix: true, seeds: SEEDS, swarm: 0 }
    }
}

impl Explore {
    /// Everything: matrix and 16 random schedules.
    pub fn everything() -> Explore {
        Explore::default()
    }

    /// Only the baseline.
    pub fn baseline_only() -> Explore {
        Explore { matrix: false, seeds: 0, swarm: 0 }
    }

    /// Not the failure matrix.
    pub fn without_matrix(self) -> Explore {
        Explore { matrix: false, ..self }
    }

    /// This many random schedules.
    pub fn seeds(self, seeds: u32) -> Explore {
        Explore { seeds, ..self }
    }

    /// A swarm of this many runs, each with its own random schedule, latencies and faults; none without this.
    pub fn swarm(self, runs: u32) -> Explore {
        Explore { swarm: runs, ..self }
    }
}
