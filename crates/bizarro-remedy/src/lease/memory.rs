//! Leases among the threads of one process.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Answer, LeaseStore, Table, Token};

/// Leases that live as long as this value; clones are the same leases.
#[derive(Clone, Debug, Default)]
pub struct MemoryLeases {
    shared: Arc<Shared>,
}

/// What the clones share.
#[derive(Debug)]
struct Shared {
    begun: Instant,
    table: Mutex<Table>,
}

impl Default for Shared {
    fn default() -> Shared {
        Shared { begun: Instant::now(), table: Mutex::default() }
    }
}

impl Shared {
    /// No method of [`Table`] panics half way.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LeaseStore for MemoryLeases {
    type Error = Infallible;

    async fn acquire(
        &self,
        lease: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<Answer, Infallible> {
        Ok(self.shared.table().acquire(self.shared.begun.elapsed(), lease, holder, ttl))
    }

    async fn renew(&self, lease: &str, token: Token, ttl: Duration) -> Result<bool, Infallible> {
        Ok(self.shared.table().renew(self.shared.begun.elapsed(), lease, token, ttl))
    }

    async fn release(&self, lease: &str, token: Token) -> Result<(), Infallible> {
        self.shared.table().release(lease, token);
        Ok(())
    }
}
