//! Sending a request again: after which outcomes, how long to wait, and when to stop.
//!
//! The pauses have full jitter (Marc Brooker, *Exponential Backoff and Jitter*, AWS Architecture Blog): each is drawn
//! evenly between nothing and a bound that doubles. The crate `backon` adds its jitter on top of the bound, and `tower`'s
//! backoff puts it around one; both leave a pause that many clients share.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::outcome::Outcome;

#[cfg(feature = "retry-layer")]
mod policy;

#[cfg(feature = "retry-layer")]
pub use policy::{Policy, safe};

/// How long to wait between attempts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// Bound of the first pause.
    pub first: Duration,
    /// Bound of the longest one.
    pub longest: Duration,
}

impl Backoff {
    /// The bound of the pause after this attempt, counted from 1.
    pub fn bound(&self, attempt: u32) -> Duration {
        doubled(self.first, attempt).min(self.longest)
    }

    /// The pause after this attempt: drawn evenly from nothing to the bound.
    pub fn pause(&self, attempt: u32) -> Duration {
        self.bound(attempt).mul_f64(fastrand::f64())
    }
}

/// After which outcomes a request is sent again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Safe {
    /// Doing it twice is wrong: only after `PostFailed` and `Retryable`.
    WhenUndone,
    /// Twice is as good as once (a pure function, or an idempotency key): after `Unknown` too.
    Always,
}

/// How long attempts may take: each twice as long as the one before it, up to a bound. Where nobody knows how long a
/// reply takes (partial synchrony), a fixed time may be too short at every attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// Of the first attempt.
    pub first: Duration,
    /// Of the longest one.
    pub longest: Duration,
}

impl Patience {
    /// Of this attempt, counted from 1.
    pub fn of(&self, attempt: u32) -> Duration {
        doubled(self.first, attempt).min(self.longest)
    }
}

fn doubled(first: Duration, attempt: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)))
}

/// Sends requests again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retry {
    /// The pauses.
    pub backoff: Backoff,
    /// After which outcomes.
    pub safe: Safe,
    /// How long an attempt may take; then its outcome is `Unknown`.
    pub patience: Patience,
    /// How long all attempts may take together. No attempt begins later.
    pub deadline: Duration,
}

impl Retry {
    /// Makes attempts, numbered from 1, until one says `Success` or `Fatal`, or none may follow; gives what is known in the
    /// end. Once an attempt ended with `Unknown`, only a success tells more: what a later attempt says of itself says
    /// nothing of the earlier one.
    pub async fn call<T>(&self, mut attempt: impl AsyncFnMut(u32) -> Outcome<T>) -> Outcome<T> {
        let (end, mut is_in_doubt) = (Instant::now() + self.deadline, false);
        let mut number = 1;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let ended = timeout(self.patience.of(number).min(left), attempt(number)).await;
            let outcome = ended.unwrap_or_else(|elapsed| Outcome::Unknown(Box::new(elapsed)));
            is_in_doubt |= matches!(outcome, Outcome::Unknown(_));
            let pause = self.backoff.pause(number);
            if !self.may_follow(&outcome) || Instant::now() + pause >= end {
                return if is_in_doubt { doubted(outcome) } else { outcome };
            }
            sleep(pause).await;
            number += 1;
        }
    }

    fn may_follow<T>(&self, outcome: &Outcome<T>) -> bool {
        match outcome {
            Outcome::PostFailed(_) | Outcome::Retryable(_) => true,
            Outcome::Unknown(_) => self.safe == Safe::Always,
            Outcome::Fatal(_) | Outcome::Success(_) => false,
        }
    }
}

fn doubted<T>(outcome: Outcome<T>) -> Outcome<T> {
    match outcome {
        Outcome::PostFailed(cause)
        | Outcome::Retryable(cause)
        | Outcome::Fatal(cause)
        | Outcome::Unknown(cause) => Outcome::Unknown(cause),
        Outcome::Success(value) => Outcome::Success(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry = Retry {
        backoff: Backoff { first: Duration::from_millis(10), longest: Duration::from_millis(50) },
        safe: Safe::WhenUndone,
        patience: Patience { first: Duration::from_secs(1), longest: Duration::from_secs(4) },
        deadline: Duration::from_secs(10),
    };

    async fn names(retry: Retry, outcomes: &[&'static str]) -> (&'static str, u32) {
        let mut made = 0;
        let outcome = retry.call(async |number| {
            made = number;
            match outcomes[number as usize - 1] {
                "P" => Outcome::PostFailed("p".into()),
                "R" => Outcome::Retryable("r".into()),
                "F" => Outcome::Fatal("f".into()),
                "U" => Outcome::Unknown("u".into()),
                "T" => std::future::pending().await,
                _ => Outcome::Success(()),
            }
        });
        (outcome.await.name(), made)
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_done_is_sent_again() {
        assert_eq!(names(RETRY, &["P", "R", "S"]).await, ("SUCCESS", 3));
        assert_eq!(names(RETRY, &["P", "F"]).await, ("FATAL", 2));
        assert_eq!(names(RETRY, &["R", "U"]).await, ("UNKNOWN", 2));
        assert_eq!(names(RETRY, &["T"]).await, ("UNKNOWN", 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_be_done_twice_is_sent_again_in_doubt() {
        let retry = Retry { safe: Safe::Always, ..RETRY };
        assert_eq!(names(retry, &["U", "T", "S"]).await, ("SUCCESS", 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_doubt_stays_until_a_success() {
        let retry = Retry { safe: Safe::Always, ..RETRY };
        assert_eq!(names(retry, &["U", "F"]).await, ("UNKNOWN", 2));
        let outcomes: Vec<&str> =
            std::iter::once("U").chain(std::iter::repeat_n("P", 5000)).collect();
        assert_eq!(names(retry, &outcomes).await.0, "UNKNOWN");
    }

    #[tokio::test(start_paused = true)]
    async fn no_attempt_begins_after_the_deadline() {
        let begun = Instant::now();
        assert_eq!(names(RETRY, &["P"; 5000]).await.0, "POST_FAILED");
        assert!(begun.elapsed() <= RETRY.deadline);
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_get_longer_until_a_slow_reply_is_there() {
        let retry = Retry { safe: Safe::Always, ..RETRY };
        let outcome = retry.call(async |number| {
            sleep(Duration::from_secs(3)).await;
            Outcome::Success(number)
        });
        assert_eq!(outcome.await.success(), Some(3));
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_are_drawn_below_it() {
        let bounds = [1, 2, 3, 4, 99].map(|n| RETRY.backoff.bound(n).as_millis());
        assert_eq!(bounds, [10, 20, 40, 50, 50]);
        assert_eq!([1, 2, 3, 4, 99].map(|n| RETRY.patience.of(n).as_secs()), [1, 2, 4, 4, 4]);
        assert!((0..1000).all(|_| RETRY.backoff.pause(3) <= RETRY.backoff.bound(3)));
        assert!((0..1000).any(|_| RETRY.backoff.pause(3) < RETRY.backoff.bound(3) / 10));
    }
}
