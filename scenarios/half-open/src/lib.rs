//! A register that three members keep, with a leader (Kleppmann, *Designing Data-Intensive Applications*, chapter 8, "The
//! truth is defined by the majority").
//!
//! A leader that nobody hears, or that was away for a minute, does not know that it was declared dead. [`naive`] goes on
//! leading all the same; [`careful`] leads as long as a majority says so, and keeps what is written at a majority.
//! [`client`] reads and writes.

pub mod careful;
pub mod client;
pub mod http;
pub mod naive;
pub mod site;
