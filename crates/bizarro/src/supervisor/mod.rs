//! The supervisor: the ordinary process of `cargo test`, which starts world processes and judges
//! what they say.
//!
//! This module is public for `cargo bizarro` and promises nothing to others.
#![doc(hidden)]

mod build_id;
pub mod doctor;
mod elf;
pub mod exec;
mod explore;
mod launch;
mod process;
pub(crate) mod protocol;
mod runner;
pub mod settings;
pub mod signal;
mod voice;
mod watchdog;

use std::sync::Arc;

use bizarro_explore::RunnerError;
use bizarro_report::Exit;

use crate::guest;
use crate::mistake::render;
use crate::world::World;
use protocol::WORLD_ENV;
use runner::TestCase;
use settings::Settings;
use voice::Voice;

/// What every marker begins with: `cargo bizarro` finds the tests of a binary by it. What follows is the
/// test's full name and `\u{1}`.
pub const MARKER: &str = "bizarro-test\u{1}";

/// What an invocation has to say when it is over.
#[derive(Debug)]
pub(crate) struct Conclusion {
    /// For the user.
    pub(crate) text: String,
    /// In a number.
    pub(crate) exit: Exit,
}

/// Runs a test, as `#[bizarro::test]` asks: as its supervisor or, in a world process, as its guest.
///
/// # Panics
/// Where the test fails, after it has said why.
pub fn test(marker: &'static str, describe: fn(&mut World)) {
    let name = name_in(marker);
    match (bizarro_call::present(), std::env::var_os(WORLD_ENV).is_some()) {
        (false, false) => supervise(name, describe),
        (true, true) => be_guest(name, describe),
        (false, true) => {
            eprintln!(
                "the shared object was not loaded into this process: is the test linked statically?"
            );
            std::process::exit(Exit::Usage.code().into());
        }
        (true, false) => panic!(
            "{name} is a test of Bizarro and cannot run inside a world; run it by `cargo test` itself"
        ),
    }
}

fn name_in(marker: &'static str) -> &'static str {
    let name = marker.strip_prefix(MARKER).and_then(|rest| rest.strip_suffix('\u{1}'));
    name.expect("a marker is what #[bizarro::test] writes")
}

fn be_guest(name: &str, describe: fn(&mut World)) {
    let code = match guest::serve(name, describe) {
        Ok(()) => Exit::Held,
        Err(error) => {
            eprintln!("the supervisor cannot be talked to: {error}");
            Exit::OurBug
        }
    };
    // libtest has nothing to say here.
    std::process::exit(code.code().into());
}

fn supervise(name: &str, describe: fn(&mut World)) {
    let mut voice = Voice::of_environment();
    voice.begin();
    let conclusion = conclude(name, describe, &mut voice);
    voice.end(conclusion);
}

fn conclude(name: &str, describe: fn(&mut World), voice: &mut Voice) -> Conclusion {
    let usage = |text| Conclusion { text, exit: Exit::Usage };
    let settings = match Settings::read(|name| std::env::var(name).ok()) {
        Ok(settings) => settings,
        Err(wrong) => return usage(format!("error: {wrong}")),
    };
    let mut world = World::new(name);
    describe(&mut world);
    let blueprint = match world.blueprint() {
        Ok(blueprint) => blueprint,
        Err(mistakes) => return usage(render(&mistakes)),
    };
    let wanted = world.explore;
    let test = Arc::new(TestCase {
        name: name.to_string(),
        blueprint,
        checks: world.checks,
        eventually: world.eventually,
        limit: settings.watchdog,
        is_stopped: voice.stopping(),
    });
    let concluded = match &settings.plan {
        Some(plan) => explore::one_run(&test, plan, settings.trace, voice.look()),
        None => explore::everything(&test, wanted, &settings, voice),
    };
    concluded.unwrap_or_else(failed)
}

fn failed(error: RunnerError) -> Conclusion {
    Conclusion { text: error.to_string(), exit: Exit::of_error(&error) }
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
