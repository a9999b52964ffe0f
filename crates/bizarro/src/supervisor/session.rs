//! One invocation of a test: which part this process plays in it, and how it ends.

use std::sync::Arc;

use bizarro_explore::RunnerError;
use bizarro_report::Exit;

use super::admissible::objection;
use super::protocol::WORLD_ENV;
use super::runner::TestCase;
use super::settings::Settings;
use super::voice::Voice;
use super::{explore, name_in, stopped};
use crate::guest;
use crate::mistake::render;
use crate::world::World;

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
        model: world.model,
        watches: world.watches,
        checks: world.checks,
        eventually: world.eventually,
        must_break: world.must_break,
        must_differ: world.must_differ,
        messages: settings.messages(),
        limit: settings.watchdog,
        is_stopped: voice.stopping(),
    });
    if let Some(file) = &settings.plan_file
        && let Some(said) = file.objection(|part| objection(&test, part))
    {
        return usage(format!("error: {said}"));
    }
    let concluded = match (&settings.repeat, &settings.plan) {
        (None, Some(plan)) if let Some(until) = &settings.until => {
            stopped::told(&test, plan, until, &settings, voice.look())
        }
        (Some(path), _) => explore::repeat(&test, path, &settings, voice.look()),
        (None, Some(plan)) => explore::one_run(&test, plan, &settings, voice.look()),
        (None, None) => explore::everything(&test, wanted, &settings, voice),
    };
    concluded.unwrap_or_else(failed)
}

fn failed(error: RunnerError) -> Conclusion {
    Conclusion { text: error.to_string(), exit: Exit::of_error(&error) }
}
