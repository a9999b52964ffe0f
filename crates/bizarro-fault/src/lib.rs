//! What can go wrong, and when: system models and the decider that follows a plan.
//!
//! This crate owns two things. [`SystemModel`] says in the literature's words which faults a test has
//! to survive. [`PlanDecider`] answers every question the kernel asks of its
//! [`Decider`](bizarro_kernel::seams::Decider), so that a run is a pure function of program and plan.
//!
//! It must not know how a fault is carried out (the kernel's business) nor which plans are worth
//! running (the explorer's).
#![no_std]

extern crate alloc;

mod decider;
mod draw;
mod model;
mod schedule;

pub use decider::PlanDecider;
pub use draw::SplitMix64;
pub use model::{Network, Nodes, SystemModel, Timing};
