//! Where timestamps come from.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bizarro_remedy::clock::kernel::KernelClock;
use bizarro_remedy::clock::{Interval, IntervalClock, Unbounded};

/// The clock of a shard.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// What the host's clock shows is taken for the time.
    Believed,
    /// The host's clock, with the bound on its error that the kernel knows from the time daemon.
    Bounded(KernelClock),
}

impl IntervalClock for Clock {
    fn now(&self) -> Result<Interval, Unbounded> {
        match self {
            Clock::Believed => {
                let shown = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Ok(Interval::around(shown, Duration::ZERO))
            }
            Clock::Bounded(clock) => clock.now(),
        }
    }
}
