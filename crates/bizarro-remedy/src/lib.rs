//! Remedies: production code for the known cures of what goes wrong in a distributed system.
//!
//! Nothing here knows Bizarro or needs it: these are ordinary libraries for programs on real networks. Bizarro's
//! scenarios prove each of them inside the system model that it needs.

#[cfg(feature = "agreement")]
pub mod agreement;
pub mod clock;
#[cfg(feature = "deadline")]
pub mod deadline;
pub mod detector;
#[cfg(feature = "idempotency")]
pub mod idempotency;
pub mod lease;
pub mod outcome;
#[cfg(feature = "quorum")]
pub mod quorum;
#[cfg(feature = "retry")]
pub mod retry;
