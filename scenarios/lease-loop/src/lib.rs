//! The loop of *Designing Data-Intensive Applications*, chapter 8, "Process Pauses": a node renews its lease when less than
//! 10 s are left, and processes requests while the lease is valid.

pub mod node;
pub mod registry;
pub mod store;

use std::time::Duration;

/// How long a lease is granted for.
pub const TTL: Duration = Duration::from_secs(30);
/// It is renewed when less than this is left.
pub const RENEW: Duration = Duration::from_secs(10);
/// The longest request that the servers read, in bytes.
pub(crate) const BODY_MAX: usize = 4 << 10;
/// How long to wait before what did not work is tried again.
pub(crate) const PAUSE: Duration = Duration::from_millis(500);
