//! Time-outs that follow measured round trips, as TCP's do (RFC 6298).
//!
//! A fixed time-out is a guess about load: too long for a server that is gone, too short for one that is only busy, and then
//! it makes the load worse (Jacobson and Karels, *Congestion Avoidance and Control*, 1988). [`RoundTrips`] keeps the smoothed
//! mean of round trips and their smoothed deviation, and waits for the mean and four deviations more; where that was too
//! short, twice as long, until a reply says how long it takes now.
//!
//! The crate `adaptive-timeout` (0.0.1-alpha) follows a percentile of a histogram instead, which says nothing before many
//! calls were made, and it needs a newer Rust than this one.
//!
//! ```
//! use std::time::Duration;
//! use bizarro_remedy::detector::{Limits, RoundTrips};
//!
//! let mut trips = RoundTrips::new(Limits::default());
//! assert_eq!(trips.timeout(), Duration::from_secs(1)); // nothing is known yet
//! trips.observe(Duration::from_millis(100));
//! assert_eq!(trips.timeout(), Duration::from_millis(300));
//! trips.expired();
//! assert_eq!(trips.timeout(), Duration::from_millis(600));
//! ```
//!
//! It needs partial synchrony: where round trips grow without bound, faster than twice at each time-out, no reply comes
//! in time. And it only says how long to wait; that a server is dead is nothing that it says.

use std::time::Duration;

/// Between which a time-out stays, and where it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Before anything was measured.
    pub initial: Duration,
    /// The least: below it, what measures and what schedules threads is coarser than what is measured.
    pub min: Duration,
    /// The most.
    pub max: Duration,
}

impl Default for Limits {
    /// One second at first, then from 10 ms to one minute. (RFC 6298 has one second as the least too, for networks of
    /// which nothing is known.)
    fn default() -> Limits {
        Limits {
            initial: Duration::from_secs(1),
            min: Duration::from_millis(10),
            max: Duration::from_secs(60),
        }
    }
}

/// Round trips to one peer, and how long to wait for the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RoundTrips {
    limits: Limits,
    /// Smoothed round trip and its smoothed deviation, SRTT and RTTVAR of the RFC.
    smoothed: Option<(Duration, Duration)>,
    timeout: Duration,
}

impl RoundTrips {
    /// Nothing is known yet.
    pub fn new(limits: Limits) -> RoundTrips {
        RoundTrips { limits, smoothed: None, timeout: limits.initial.clamp(limits.min, limits.max) }
    }

    /// How long to wait for a reply to a request that is sent now.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A reply came, after this time (RFC 6298, 2.2 and 2.3). It has to be the reply to this very attempt: where one of an
    /// earlier attempt may be taken for it, nothing was measured (Karn's algorithm).
    pub fn observe(&mut self, trip: Duration) {
        let (mean, deviation) = match self.smoothed {
            None => (trip, trip / 2),
            Some((mean, deviation)) => {
                let error = mean.abs_diff(trip);
                (
                    (7 * (mean / 8)).saturating_add(trip / 8),
                    (3 * (deviation / 4)).saturating_add(error / 4),
                )
            }
        };
        self.smoothed = Some((mean, deviation));
        let timeout = mean.saturating_add(deviation.saturating_mul(4));
        self.timeout = timeout.clamp(self.limits.min, self.limits.max);
    }

    /// No reply came in time: from now on twice as long (5.5), until one does.
    pub fn expired(&mut self) {
        self.timeout = self.timeout.saturating_mul(2).min(self.limits.max);
    }

    /// The smoothed round trip; absent before the first.
    pub fn mean(&self) -> Option<Duration> {
        self.smoothed.map(|(mean, _)| mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn after(trips: &[u32]) -> RoundTrips {
        let mut seen = RoundTrips::new(Limits::default());
        trips.iter().for_each(|ms| seen.observe(*ms * MS));
        seen
    }

    #[test]
    fn the_numbers_are_those_of_the_rfc() {
        assert_eq!(after(&[]).timeout(), 1000 * MS);
        // 2.2: SRTT = R, RTTVAR = R / 2, RTO = SRTT + 4 RTTVAR.
        assert_eq!(after(&[80]).timeout(), 240 * MS);
        // 2.3: RTTVAR = 3/4 · 40 + 1/4 · |80 - 160| = 50, SRTT = 7/8 · 80 + 1/8 · 160 = 90.
        assert_eq!(
            (after(&[80, 160]).timeout(), after(&[80, 160]).mean()),
            (290 * MS, Some(90 * MS))
        );
    }

    #[test]
    fn what_never_varies_is_waited_for_little_longer_than_it_takes() {
        let timeout = after(&[100; 60]).timeout();
        assert!((100 * MS..=110 * MS).contains(&timeout), "{timeout:?}");
    }

    #[test]
    fn a_server_that_becomes_slow_is_waited_for_in_the_end() {
        let mut trips = after(&[100; 60]);
        let slow = 3000 * MS;
        let mut expired = 0;
        while trips.timeout() < slow {
            trips.expired();
            expired += 1;
        }
        assert_eq!(expired, 5, "101 ms and five times twice as long");
        trips.observe(slow);
        assert!(trips.timeout() > slow);
    }

    #[test]
    fn it_stays_within_its_limits_whatever_is_measured() {
        let limits = Limits::default();
        for trip in [Duration::ZERO, Duration::MAX] {
            let mut trips = RoundTrips::new(limits);
            for _ in 0..100 {
                trips.observe(trip);
                assert!((limits.min..=limits.max).contains(&trips.timeout()), "{trips:?}");
                trips.expired();
                assert!(trips.timeout() <= limits.max);
            }
        }
    }
}
