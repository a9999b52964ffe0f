//! Time-outs that follow what answers took: TCP's way (RFC 6298).

use std::time::Duration;

/// Between what a time-out stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Not below, whatever was measured: time for what the other host does at times, such as collecting garbage.
    pub min: Duration,
    /// Not above.
    pub max: Duration,
}

/// How long to wait for an answer: the mean of what answers took, and four times their deviation. It doubles with each
/// answer that does not come in time.
#[derive(Clone, Debug)]
pub struct RoundTrips {
    limits: Limits,
    smoothed: Option<Smoothed>,
    initial: Duration,
    doubled: u32,
}

#[derive(Clone, Copy, Debug)]
struct Smoothed {
    mean: f64,
    deviation: f64,
}

impl RoundTrips {
    /// Waits for `initial` until an answer was measured.
    pub fn new(initial: Duration, limits: Limits) -> RoundTrips {
        RoundTrips { limits, smoothed: None, initial, doubled: 0 }
    }

    /// An answer took so long. Only for a question that was asked once: of one that was sent again nobody knows which one
    /// was answered (P. Karn, C. Partridge 1987).
    pub fn answered(&mut self, took: Duration) {
        let took = took.as_secs_f64();
        self.doubled = 0;
        self.smoothed = Some(match self.smoothed {
            None => Smoothed { mean: took, deviation: took / 2.0 },
            Some(Smoothed { mean, deviation }) => Smoothed {
                deviation: 0.75 * deviation + 0.25 * (mean - took).abs(),
                mean: 0.875 * mean + 0.125 * took,
            },
        });
    }

    /// No answer came in time.
    pub fn timed_out(&mut self) {
        self.doubled = self.doubled.saturating_add(1);
    }

    /// How long to wait for the next answer.
    pub fn timeout(&self) -> Duration {
        let base = match self.smoothed {
            None => self.initial,
            Some(Smoothed { mean, deviation }) => {
                Duration::try_from_secs_f64(mean + 4.0 * deviation).unwrap_or(Duration::MAX)
            }
        };
        let base = base.max(self.limits.min);
        let factor = 1_u32.checked_shl(self.doubled).unwrap_or(u32::MAX);
        base.checked_mul(factor).unwrap_or(Duration::MAX).min(self.limits.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { min: Duration::from_millis(10), max: Duration::from_secs(60) };

    fn measured(took_ms: &[u64]) -> RoundTrips {
        let mut trips = RoundTrips::new(Duration::from_secs(1), LIMITS);
        took_ms.iter().for_each(|ms| trips.answered(Duration::from_millis(*ms)));
        trips
    }

    #[test]
    fn the_first_answers_are_those_of_the_rfc() {
        assert_eq!(measured(&[]).timeout(), Duration::from_secs(1));
        // SRTT = R, RTTVAR = R / 2, RTO = SRTT + 4 RTTVAR.
        assert_eq!(measured(&[100]).timeout(), Duration::from_millis(300));
        // RTTVAR = 3/4 · 50 + 1/4 · 100 = 62.5; SRTT = 7/8 · 100 + 1/8 · 200 = 112.5.
        assert_eq!(measured(&[100, 200]).timeout(), Duration::from_micros(362_500));
    }

    #[test]
    fn it_follows_and_stays_between_its_limits() {
        assert_eq!(measured(&[1; 100]).timeout(), LIMITS.min);
        let slow = measured(&[vec![1; 100], vec![400; 100]].concat());
        assert!(slow.timeout() >= Duration::from_millis(400), "{slow:?}");
        assert_eq!(measured(&[100_000]).timeout(), LIMITS.max);
    }

    #[test]
    fn it_doubles_until_there_is_an_answer() {
        let mut trips = measured(&[100]);
        trips.timed_out();
        trips.timed_out();
        assert_eq!(trips.timeout(), Duration::from_millis(1200));
        (0..100).for_each(|_| trips.timed_out());
        assert_eq!(trips.timeout(), LIMITS.max);
        trips.answered(Duration::from_millis(100));
        assert!(trips.timeout() < Duration::from_millis(300));
    }
}
