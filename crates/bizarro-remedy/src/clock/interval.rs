//! Clock intervals and commit wait, as of TrueTime (Corbett et al., *Spanner: Google's Globally-Distributed Database*,
//! OSDI 2012).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A reading of a clock: the true time is not before the one and not after the other. Both are spans since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// It is not earlier.
    pub earliest: Duration,
    /// It is not later.
    pub latest: Duration,
}

impl Interval {
    /// What a clock knows that shows `shown` and is wrong by `error` at the most.
    pub fn around(shown: Duration, error: Duration) -> Interval {
        let earliest = shown.saturating_sub(error);
        Interval { earliest, latest: shown.saturating_add(error) }
    }

    /// Whether everything in this interval is certainly before everything in the other one.
    pub fn is_before(&self, other: &Interval) -> bool {
        self.latest < other.earliest
    }
}

/// A clock that knows how wrong it may be.
pub trait IntervalClock {
    /// What is known of the true time.
    ///
    /// # Errors
    /// Nobody knows how wrong the clock is.
    fn now(&self) -> Result<Interval, Unbounded>;
}

/// Nobody knows how wrong the clock is: it is not synchronised, or its kernel does not say. What would rest on the time has
/// to wait, or to fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unbounded {
    /// Why.
    pub why: String,
}

impl fmt::Display for Unbounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the error of the clock has no bound: {}", self.why)
    }
}

impl std::error::Error for Unbounded {}

/// The longest sleep before the clock is looked at again: it may have been stepped, or its error may have shrunk.
const NAP_MAX: Duration = Duration::from_millis(10);

/// Whether the time `at` is certainly over everywhere.
///
/// # Errors
/// Those of the clock.
pub fn is_past(clock: &impl IntervalClock, at: Duration) -> Result<bool, Unbounded> {
    Ok(clock.now()?.earliest > at)
}

/// Commit wait: returns when the time `at` is certainly over everywhere, so that what begins after this has a later
/// timestamp wherever it takes it from [`Interval::latest`]. That takes about twice the error of the clock if `at` was its
/// latest time just now.
///
/// # Errors
/// Those of the clock: then it is not known, and the commit must not be told.
pub async fn commit_wait(clock: &impl IntervalClock, at: Duration) -> Result<(), Unbounded> {
    loop {
        let earliest = clock.now()?.earliest;
        if earliest > at {
            return Ok(());
        }
        // The clock steps by nanoseconds: the next one is past.
        let rest = at.saturating_sub(earliest) + Duration::from_nanos(1);
        tokio::time::sleep(rest.min(NAP_MAX)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Each look takes a millisecond.
    struct Ticking {
        shown: Cell<Duration>,
        error: Duration,
    }

    impl IntervalClock for Ticking {
        fn now(&self) -> Result<Interval, Unbounded> {
            self.shown.set(self.shown.get() + Duration::from_millis(1));
            Ok(Interval::around(self.shown.get(), self.error))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_waits_until_its_time_is_over_everywhere() {
        let error = Duration::from_millis(7);
        let clock = Ticking { shown: Cell::new(Duration::from_secs(1)), error };
        let committed = clock.now().unwrap();
        assert!(!is_past(&clock, committed.latest).unwrap());
        commit_wait(&clock, committed.latest).await.unwrap();
        assert!(committed.is_before(&clock.now().unwrap()));
    }

    #[test]
    fn overlapping_intervals_are_in_no_order() {
        let at = |ms| Interval::around(Duration::from_millis(ms), Duration::from_millis(5));
        assert!(at(100).is_before(&at(111)));
        assert!(!at(100).is_before(&at(110)) && !at(110).is_before(&at(100)));
        assert_eq!(at(3).earliest, Duration::ZERO);
    }
}
