//! A store with a leader on every node: figure 8-3 of *Designing Data-Intensive Applications*.
//!
//! Each node takes writes and sends what it has to the others. What they make of two writes of the same object is the
//! [`Register`](register::Register): [`lww`] keeps the one with the higher time of day, [`versions`] all that nobody has
//! replaced who saw them.

pub mod client;
pub mod lww;
pub mod node;
pub mod register;
pub mod versions;
