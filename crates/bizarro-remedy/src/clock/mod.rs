//! Clocks that say no more than they know.
//!
//! | clock | what it promises | what it needs |
//! |---|---|---|
//! | [`Lamport`] | what was caused by something is later than it | nothing: messages carry the time |
//! | [`VersionVector`], [`Siblings`] | and what is concurrent is seen to be | each replica keeps its own count on disk |
//! | `hybrid` (feature `hybrid-clock`) | Lamport's promise, and times near the time of day | clocks of other hosts are not far ahead |
//! | [`IntervalClock`] | true time lies in the interval | the bound on the error is true |
//!
//! `hybrid` is the crate `uhlc`, and `kernel` (feature `kernel-clock`) reads the bound on the error from the kernel. The
//! others are our own: what there is of version vectors (`vclock`, `crdts`) has no values that are siblings under dots, or
//! brings a whole library of data types.

#[cfg(feature = "hybrid-clock")]
pub mod hybrid;
mod interval;
#[cfg(all(feature = "kernel-clock", target_os = "linux"))]
pub mod kernel;
mod lamport;
mod siblings;
mod version;

pub use interval::{Interval, IntervalClock, Unbounded, commit_wait, is_past};
pub use lamport::{Lamport, Stamp};
pub use siblings::Siblings;
pub use version::{Causality, Dot, VersionVector};
