//! The supervisor: the ordinary process of `cargo test`, which starts world processes and judges
//! what they say.
//!
//! This module is public for `cargo bizarro` and promises nothing to others.
#![doc(hidden)]

#[cfg(worlds)]
mod admissible;
#[cfg(worlds)]
mod build_id;
pub mod doctor;
#[cfg(worlds)]
mod elf;
pub mod exec;
#[cfg(worlds)]
mod explore;
#[cfg(worlds)]
mod keep;
#[cfg(worlds)]
mod launch;
pub mod plan_file;
#[cfg(worlds)]
mod process;
#[cfg(worlds)]
pub(crate) mod protocol;
#[cfg(worlds)]
mod regressions;
#[cfg(worlds)]
mod reports;
#[cfg(worlds)]
pub(crate) mod runner;
#[cfg(worlds)]
mod session;
pub mod settings;
pub mod signal;
#[cfg(worlds)]
mod stopped;
#[cfg(worlds)]
mod symbols;
mod until;
#[cfg(worlds)]
mod voice;
#[cfg(worlds)]
mod watchdog;

#[cfg(worlds)]
pub use session::test;

/// What every marker begins with: `cargo bizarro` finds the tests of a binary by it. What follows is the
/// test's full name and `\u{1}`.
pub const MARKER: &str = "bizarro-test\u{1}";

/// Says that no world can run on this kind of machine.
///
/// # Panics
/// Always: the test has not run.
#[cfg(not(worlds))]
pub fn test(marker: &'static str, _describe: fn(&mut crate::World)) {
    panic!("{} cannot run: {}", name_in(marker), doctor::missing().join("; "));
}

fn name_in(marker: &'static str) -> &'static str {
    let name = marker.strip_prefix(MARKER).and_then(|rest| rest.strip_suffix('\u{1}'));
    name.expect("a marker is what #[bizarro::test] writes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_holds_the_full_name() {
        // Put together here, so that this binary holds no marker.
        let marker: &'static str = format!("{MARKER}pacman::naive\u{1}").leak();
        assert_eq!(name_in(marker), "pacman::naive");
    }
}
