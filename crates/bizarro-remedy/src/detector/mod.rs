//! Is the other one dead, or slow? Nobody knows; what can be known is how unusual the silence is.
//!
//! | part | what it tells | what it rests on |
//! |---|---|---|
//! | [`PhiAccrual`] | how unlikely it is that a living host is silent for so long | the times between its heartbeats |
//! | [`RoundTrips`] | how long to wait for an answer | the times that answers took |
//!
//! Both follow what they measure. Neither is ever certain: in an asynchronous network no detector is (M. Fischer, N. Lynch,
//! M. Paterson 1985), and a host that is suspected may still act. What it does then is for a fence ([`crate::lease`]).
//!
//! The crate `phi-detector` does not do the job: it counts in whole milliseconds, never forgets what is old, and the first
//! reference counts as perfectly regular.

mod phi;
mod timeout;

pub use phi::PhiAccrual;
pub use timeout::{Limits, RoundTrips};
