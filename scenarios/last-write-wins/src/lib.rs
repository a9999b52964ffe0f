//! A store with a leader on every node: figure 8-3 of *Designing Data-Intensive Applications*.
//!
//! Each node takes writes and sends what it has to the others. What they make of two writes of the same object is the
//! [`Register`](register::Register): [`lww`] keeps the one with the higher time of day, [`versions`] all that nobody has
//! replaced who saw them.

pub mod client;
pub mod disk;
pub mod lww;
pub mod node;
pub mod register;
pub mod versions;

/// How a setting of the environment is read: its value, or what stands for it.
pub(crate) fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_string())
}
