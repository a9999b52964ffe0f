//! Histories of concurrent operations, and checkers which decide whether they keep a promise.
//!
//! - [`history`]: what was asked of a system, by whom and when, and what came of it; readers of the formats
//!   of other tools.
//! - [`model`]: what an object does when operations come one at a time.
//! - [`linearizable`]: whether concurrent operations can be seen as coming one at a time.
//! - [`sequential`]: whether they can where only the order of each process counts.
//! - [`domain`]: checks of one property each, in near linear time.
//! - [`online`]: some of these while the history happens.
//! - [`transactions`]: whether transactions were isolated from each other.
//! - [`evidence`]: what a verdict rests on, and a plain verifier of it.
//! - [`picture`]: that as SVG.
//! - [`checkers`]: all checkers by name, for histories from files.
//! - [`budget`]: how much memory and time a check may take.
//!
//! A verdict is *holds*, *violated* or, where the budget ended first, *unknown*. It is never a guess:
//! nothing rests on hashes being different. This crate is pure: it opens no file, prints nothing, and gives
//! the same verdict and the same evidence each time. It only looks at the clock to keep its budget.

pub mod budget;
pub mod checkers;
pub mod domain;
pub mod evidence;
pub mod history;
mod intern;
pub mod linearizable;
pub mod model;
pub mod online;
pub mod picture;
pub mod sequential;
pub mod transactions;
