//! Snapshots across hosts: each shard gives its own timestamps to what is committed there, and a snapshot is everything up to a
//! timestamp. *Designing Data-Intensive Applications*, chapter 8, "Synchronized clocks for global snapshots".

pub mod client;
pub mod clock;
pub mod disk;
pub mod shard;

/// How a setting of the environment is read: its value, or what stands for it.
pub(crate) fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_string())
}
