//! Many runs of one test, and what they say together.
//!
//! This crate owns the strategies ([`matrix`], [`schedules`], [`swarm`], [`self_check`],
//! [`shrink`]), the judgement of a run
//! ([`verdict`]) and the numbers that are compared with the baseline ([`Recovery`], [`Blast`]).
//!
//! It must not know how a run is made (that is a [`Runner`]'s business) nor how a report looks.
//! Results do not depend on the number of runners: runs are numbered before they start, and whatever
//! is chosen among them is chosen by number.

mod cells;
mod finding;
mod job;
mod matrix;
mod measure;
mod pool;
mod progress;
mod property;
mod runner;
mod schedules;
mod self_check;
mod shrink;
mod swarm;
#[cfg(feature = "toy")]
pub mod toy;
mod verdict;

pub use cells::{Cell, Skip, Variant};
pub use finding::{Finding, Place};
pub use matrix::{Forks, MatrixOptions, MatrixReport, Pairs, Repeat, Variants, matrix};
pub use measure::{Blast, Impact, Recovery};
pub use progress::{Phase, Progress, Silent};
pub use property::{Folded, Properties};
pub use runner::{Runner, RunnerError, Runners};
pub use schedules::{SchedulesReport, schedules};
pub use self_check::{Difference, FirstDifference, compare, self_check};
pub use shrink::{SHRINK_RUNS, Shrunk, Smallest, shrink, written_out};
pub use swarm::{Guidance, Space, SwarmOptions, SwarmReport, swarm, swarm_plan};
pub use verdict::{Outcome, Promise, Verdict, Violation, signal_name, verdict};
