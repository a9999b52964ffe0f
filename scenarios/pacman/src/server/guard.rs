//! Who may ask, and how often: the keep-alive table and the throttle. Both are told what time it
//! is.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Buckets kept for users before those that are full again are forgotten.
const BUCKETS_MAX: usize = 1024;

/// The users the board knows, and when it last heard from each of them.
#[derive(Debug)]
pub struct KeepAlive {
    limit: Duration,
    heard: BTreeMap<String, Instant>,
}

impl KeepAlive {
    /// A table of `users`, all heard from just now. Who is silent for longer than `limit` is given
    /// up.
    pub fn new(limit: Duration, users: &[&str], now: Instant) -> KeepAlive {
        let heard = users.iter().map(|user| ((*user).to_owned(), now)).collect();
        KeepAlive { limit, heard }
    }

    /// Notes that `user` was heard from. `false` when the board does not know the user, or has
    /// given it up, which is final: only a new start of the server fills the table again.
    pub fn refresh(&mut self, user: &str, now: Instant) -> bool {
        let limit = self.limit;
        self.heard.retain(|_, heard| now.saturating_duration_since(*heard) <= limit);
        match self.heard.get_mut(user) {
            Some(heard) => {
                *heard = now;
                true
            }
            None => false,
        }
    }
}

/// A token bucket for each user.
#[derive(Debug)]
pub struct Throttle {
    burst: f64,
    per_second: f64,
    buckets: BTreeMap<String, Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Throttle {
    /// Allows `burst` requests at once and `per_second` requests a second in the long run, to each
    /// user.
    pub fn new(burst: u32, per_second: u32) -> Throttle {
        let (burst, per_second) = (f64::from(burst), f64::from(per_second));
        Throttle { burst, per_second, buckets: BTreeMap::new() }
    }

    /// Whether `user` may send a request now; if so, it counts.
    pub fn ok(&mut self, user: &str, now: Instant) -> bool {
        let (burst, per_second) = (self.burst, self.per_second);
        let level = |bucket: &Bucket| {
            let waited = now.saturating_duration_since(bucket.filled).as_secs_f64();
            (bucket.tokens + waited * per_second).min(burst)
        };
        if self.buckets.len() >= BUCKETS_MAX {
            self.buckets.retain(|_, bucket| level(bucket) < burst);
        }
        let bucket =
            self.buckets.entry(user.to_owned()).or_insert(Bucket { tokens: burst, filled: now });
        let tokens = level(bucket);
        let ok = tokens >= 1.0;
        *bucket = Bucket { tokens: if ok { tokens - 1.0 } else { tokens }, filled: now };
        ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_user_is_given_up_after_the_limit_and_kept_by_being_heard() {
        let start = Instant::now();
        let mut table = KeepAlive::new(10 * SECOND, &["a", "b"], start);
        assert!(table.refresh("a", start + 9 * SECOND));
        assert!(table.refresh("a", start + 18 * SECOND));
        assert!(!table.refresh("b", start + 18 * SECOND));
        assert!(!table.refresh("b", start + 18 * SECOND), "given up for good");
        assert!(!table.refresh("stranger", start));
    }

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let start = Instant::now();
        let mut throttle = Throttle::new(2, 1);
        assert!(throttle.ok("a", start));
        assert!(throttle.ok("a", start));
        assert!(!throttle.ok("a", start));
        assert!(throttle.ok("b", start), "each user has a bucket");
        assert!(throttle.ok("a", start + SECOND));
        assert!(!throttle.ok("a", start + SECOND));
    }

    #[test]
    fn strangers_do_not_fill_the_memory() {
        let start = Instant::now();
        let mut throttle = Throttle::new(2, 1);
        for stranger in 0..10 * BUCKETS_MAX as u32 {
            throttle.ok(&stranger.to_string(), start + stranger * SECOND);
        }
        assert!(throttle.buckets.len() <= BUCKETS_MAX);
    }
}
