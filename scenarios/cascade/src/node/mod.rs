//! A node: it makes a report in a second, one at a time. Who comes meanwhile waits.

pub mod hasty;
pub mod steady;

use std::time::Duration;

/// How long a report takes.
pub const WORK: Duration = Duration::from_secs(1);

/// The report of a number.
pub fn report(number: u32) -> String {
    format!("report {number}")
}
