//! Snapshots across hosts: each shard gives its own timestamps to what is committed there, and a snapshot is everything up to a
//! timestamp. *Designing Data-Intensive Applications*, chapter 8, "Synchronized clocks for global snapshots".

pub mod client;
pub mod clock;
pub mod shard;
