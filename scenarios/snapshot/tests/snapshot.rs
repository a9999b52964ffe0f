//! Two shards with time daemons, and a client, on simulated hosts.

use std::process::ExitCode;

use bizarro::prelude::*;
use snapshot::{client, shard};

/// Safety: external consistency.
const ORDER: &str = "a commit that began after another one had ended has a later timestamp";
const SEEN: &str = "a snapshot shows what was committed before it";
/// Liveness.
const DONE: &str = "the client is served";

/// Shard a's clock is 60 ms ahead, shard b's 60 ms behind. Time daemons work that off slowly (128 ms and more they step), and
/// tell their kernels the bound.
fn describe(world: &mut World, shard: fn() -> ExitCode, time_of_b: &str) {
    world.model(Network::FairLoss, Nodes::CrashRecovery, Timing::PartiallySynchronous);
    world.time_server("time");
    if time_of_b != "time" {
        world.time_server(time_of_b).clock_behind(secs(1));
    }
    world.host("shard-a").clock_ahead(millis(60)).ntp(&["time"]).program(shard);
    world.host("shard-b").clock_behind(millis(60)).ntp(&[time_of_b]).program(shard);
    // When the time daemons have set the clocks for the first time.
    world.host("client").env("WAIT_MS", 2_000).workload(client::main);
    world.check(ORDER, |run| {
        let at = |key| {
            let start = format!("{key} is committed at ");
            let said = run.output("client").into_iter();
            said.rev().find_map(|line| line.strip_prefix(&start)).map(str::to_string)
        };
        match (at("a"), at("b")) {
            (Some(a), Some(b)) if a >= b => {
                Err(format!("a was committed at {a}, and then b at {b}"))
            }
            _ => Ok(()),
        }
    });
    world.check(SEEN, |run| {
        let said = run.output("client").into_iter();
        match said.rev().find(|line| line.starts_with("at ")) {
            Some(line) if !line.ends_with("a is 1 and b is 1") => Err(line.to_string()),
            _ => Ok(()),
        }
    });
    world.eventually(DONE, secs(240));
}

#[bizarro::test]
fn believed(world: &mut World) {
    describe(world, shard::believing, "time");
    world.must_break(&[ORDER, SEEN]);
}

/// The faults of the matrix, pauses among them.
#[bizarro::test]
fn commit_wait(world: &mut World) {
    describe(world, shard::bounded, "time");
}

/// The model that commit wait needs is one with clocks that have bounds: there swarms do not break it.
#[bizarro::test]
fn commit_wait_with_bounds(world: &mut World) {
    describe(world, shard::bounded, "time");
    world.model(Network::FairLoss, Nodes::CrashRecovery, Timing::Synchronous);
    world.explore(Explore::everything().without_matrix().swarm(40));
}

/// The time server of shard b is a second behind, and says that it is not.
#[bizarro::test]
fn a_bound_that_is_a_lie(world: &mut World) {
    describe(world, shard::bounded, "liar");
    world.model(Network::FairLoss, Nodes::Byzantine, Timing::PartiallySynchronous);
    world.must_break(&[ORDER, SEEN]);
}

/// A virtual machine that was stopped: its clock is behind by as long, and its kernel does not know.
#[bizarro::test]
fn a_frozen_machine(world: &mut World) {
    describe(world, shard::bounded, "time");
    world.at(millis(1_800)).trouble("freeze shard-b");
    world.must_break(&[ORDER, SEEN]);
}

#[test]
fn the_readme_is_true() {
    scenario_tests::readme_is_true(env!("CARGO_MANIFEST_DIR"));
}
