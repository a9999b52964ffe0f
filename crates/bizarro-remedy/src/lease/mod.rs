//! Leases: locks that end by themselves, so that a holder which dies blocks nobody for long (C. Gray, D. Cheriton, *Leases*,
//! SOSP 1989); and fencing tokens, for the holder that does not know yet that its lease has ended.
//!
//! | part | what it promises | what it needs |
//! |---|---|---|
//! | [`Lease`] | the holder stops before anybody else begins | monotonic clocks that drift no more than [`Drift`] says, and a holder that is not paused between the check and the use |
//! | [`Fence`] | what an earlier holder sends late changes nothing | the store looks at the token, and keeps the highest with its data |
//!
//! A lease alone is for what may be done twice at times: a cache, a job. What must not be needs the fence.
//!
//! [`LeaseStore`] is who grants: [`MemoryLeases`] for the threads of one process, [`Table`] for a service that keeps it on
//! its disk or in a replicated log, and `etcd::EtcdLeases`, with the feature `etcd`.
//!
//! Time here is [`Instant`]: on Linux CLOCK_MONOTONIC, which nobody can set. It stands still while a machine is suspended or
//! a virtual machine is stopped by its monitor, and then the holder's lease seems to last longer than it does: another
//! pause that only the fence survives.

#[cfg(feature = "etcd")]
pub mod etcd;
mod fence;
mod memory;
mod table;

use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use fence::{Fence, Stale};
pub use memory::MemoryLeases;
pub use table::Table;

/// A number that grows with each grant of a lease, for [`Fence`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub u64);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How much the clocks of holder and granter may differ in speed, in parts per million of true time, each. Good crystals
/// stay within 20, and 200 is what careful protocols allow for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Parts per million.
    pub ppm: u32,
}

impl Default for Drift {
    fn default() -> Drift {
        Drift { ppm: 200 }
    }
}

impl Drift {
    /// How long the holder may count on a lease of this length: the holder's clock may be slow and the granter's fast.
    pub fn usable(self, ttl: Duration) -> Duration {
        ttl.saturating_sub(ttl.mul_f64(2.0 * f64::from(self.ppm) / 1e6))
    }
}

/// What a granter answers to who wants a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is granted, for the time that was asked for.
    Granted(Token),
    /// Somebody else has it, for so long at the most if nobody renews it.
    Held(Duration),
}

/// Who grants leases. `holder` must be another one for each process that wants a lease, and another one after a restart.
pub trait LeaseStore {
    /// Why nothing is known of a lease: it may have been granted or not.
    type Error: std::error::Error;

    /// Asks for the lease. A holder that has it gets it again under the same token.
    fn acquire(
        &self,
        lease: &str,
        holder: &str,
        ttl: Duration,
    ) -> impl Future<Output = Result<Answer, Self::Error>> + Send;

    /// Asks for more time; `false` if the lease under this token has ended, and then it stays so.
    fn renew(
        &self,
        lease: &str,
        token: Token,
        ttl: Duration,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Gives it back. Nothing happens if it has ended.
    fn release(
        &self,
        lease: &str,
        token: Token,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// A lease that this process holds, or held.
#[derive(Clone, Debug)]
pub struct Lease {
    name: String,
    token: Token,
    ttl: Duration,
    drift: Drift,
    until: Instant,
}

/// The lease has ended, or may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired;

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lease has ended")
    }
}

impl std::error::Error for Expired {}

impl Lease {
    /// Asks for a lease; `Err(Held)` in the result says for how long another one may have it.
    ///
    /// # Errors
    /// Those of the granter.
    pub async fn acquire<S: LeaseStore>(
        store: &S,
        name: &str,
        holder: &str,
        ttl: Duration,
        drift: Drift,
    ) -> Result<Result<Lease, Duration>, S::Error> {
        let asked = Instant::now();
        Ok(match store.acquire(name, holder, ttl).await? {
            Answer::Granted(token) => Ok(Lease::granted(name, token, asked, ttl, drift)),
            Answer::Held(at_most) => Err(at_most),
        })
    }

    /// A lease that was granted for `ttl` in answer to a question that was asked at `asked`, by a granter which is no
    /// [`LeaseStore`]. It counts from the question: the granter began to count later.
    pub fn granted(name: &str, token: Token, asked: Instant, ttl: Duration, drift: Drift) -> Lease {
        let until = asked + drift.usable(ttl);
        Lease { name: name.to_string(), token, ttl, drift, until }
    }

    /// Whose token goes with everything that is done under the lease.
    ///
    /// # Errors
    /// The lease has ended. That it has not is true when this returns, and nothing is known of a moment later.
    pub fn token(&self) -> Result<Token, Expired> {
        if Instant::now() < self.until { Ok(self.token) } else { Err(Expired) }
    }

    /// For how long it can be counted on; zero once it has ended.
    pub fn remaining(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Asks for more time. Without an answer the lease lasts as long as it did.
    ///
    /// # Errors
    /// Those of the granter; `Ok(Err(Expired))` where it says that the lease has ended.
    pub async fn renew<S: LeaseStore>(
        &mut self,
        store: &S,
    ) -> Result<Result<(), Expired>, S::Error> {
        let asked = Instant::now();
        if !store.renew(&self.name, self.token, self.ttl).await? {
            self.until = asked;
            return Ok(Err(Expired));
        }
        self.until = asked + self.drift.usable(self.ttl);
        Ok(Ok(()))
    }

    /// Gives it back.
    ///
    /// # Errors
    /// Those of the granter; then it ends by itself.
    pub async fn release<S: LeaseStore>(self, store: &S) -> Result<(), S::Error> {
        store.release(&self.name, self.token).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_counts_on_less_than_was_granted() {
        let minute = Duration::from_secs(60);
        assert_eq!(Drift { ppm: 500 }.usable(minute), minute - Duration::from_millis(60));
        let asked = Instant::now() - minute;
        let over = Lease::granted("a", Token(1), asked, minute, Drift::default());
        assert_eq!((over.token(), over.remaining()), (Err(Expired), Duration::ZERO));
        let lasts = Lease::granted("a", Token(1), asked, 2 * minute, Drift::default());
        assert_eq!(lasts.token(), Ok(Token(1)));
        assert!(lasts.remaining() < minute);
    }

    #[tokio::test]
    async fn a_lease_is_held_by_one_and_ends_by_itself() {
        let store = MemoryLeases::default();
        let (ttl, drift) = (Duration::from_millis(50), Drift::default());
        let acquire = |holder| Lease::acquire(&store, "a", holder, ttl, drift);
        let mut one = acquire("one").await.unwrap().unwrap();
        assert!(acquire("two").await.unwrap().unwrap_err() <= ttl);
        one.renew(&store).await.unwrap().unwrap();
        let two = loop {
            match acquire("two").await.unwrap() {
                Ok(lease) => break lease,
                Err(at_most) => tokio::time::sleep(at_most).await,
            }
        };
        assert_eq!(one.token(), Err(Expired), "it ended before another one began");
        assert!(two.token().unwrap() > Token(1));
        assert_eq!(one.renew(&store).await.unwrap(), Err(Expired));
        two.release(&store).await.unwrap();
        acquire("three").await.unwrap().unwrap();
    }
}
