//! Majorities: a register that survives the loss of a minority, counted votes, and leaders who step down.
//!
//! [`register`] is the register of Attiya, Bar-Noy and Dolev (*Sharing Memory Robustly in Message-Passing Systems*, JACM
//! 42(1), 1995), with many writers (Lynch and Shvartsman 1997): linearizable in an asynchronous network that loses messages,
//! as long as a majority of the replicas answers, and no replica forgets what it said to have stored. [`client`] asks the
//! replicas, by any transport. [`Ballot`] counts votes, and [`Mandate`] says until when a leader leads by the majority's
//! word.
//!
//! Why own code: `openraft` and its like replicate a log under a leader, which is more than a register needs, and stops
//! while there is no leader; no well-kept crate has the register.

pub mod client;
mod mandate;
pub mod register;
#[cfg(test)]
mod tests;
mod votes;

pub use mandate::Mandate;
pub use votes::{Ballot, Verdict, majority};
