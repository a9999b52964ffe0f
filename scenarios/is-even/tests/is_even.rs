//! The math server and its clients on simulated hosts.

use bizarro::prelude::*;
use is_even::{NUMBERS, client, server};

const RIGHT: &str = "every answer is right";

fn describe<T: std::process::Termination>(world: &mut World, client: impl Fn() -> T + 'static) {
    world.host("math").program(server::main);
    world.host("client").workload(client);
    // Safety. A client that was killed asks again from the beginning.
    world.check(RIGHT, |run| {
        for line in run.output("client") {
            let is_right = |number: &u64| {
                line == format!(
                    "{number} {}",
                    if number.is_multiple_of(2) { "even" } else { "odd" }
                )
            };
            if !NUMBERS.iter().any(is_right) {
                return Err(format!("it says `{line}`"));
            }
        }
        Ok(())
    });
    // Liveness.
    world.eventually("every question is answered", secs(120));
}

/// Damaged messages are outside of this: a remainder that was changed on its way is as good as any other.
fn no_damage(world: &mut World) {
    world.model(Network::FairLoss, Nodes::CrashRecovery, Timing::PartiallySynchronous);
}

#[bizarro::test]
fn hurried(world: &mut World) {
    describe(world, client::hurried::main);
    no_damage(world);
    world.must_break(&[RIGHT]);
}

#[bizarro::test]
fn asks_again(world: &mut World) {
    describe(world, client::asks_again::main);
    no_damage(world);
}

/// Where the network changes bytes, asking again is not enough: the request or the remainder is another one, and both look
/// right.
#[bizarro::test]
fn asks_again_on_a_network_that_changes_bytes(world: &mut World) {
    describe(world, client::asks_again::main);
    world.model(Network::Arbitrary, Nodes::CrashRecovery, Timing::PartiallySynchronous);
    world.must_break(&[RIGHT, "programs end with success"]);
}

#[test]
fn the_readme_is_true() {
    scenario_tests::readme_is_true(env!("CARGO_MANIFEST_DIR"));
}
