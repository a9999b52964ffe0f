//! Two generals on simulated hosts.

use std::path::Path;

use bizarro::prelude::*;
use two_generals::finite::{self, Protocol, Side};
use two_generals::revocable;

/// The longest protocol that is tried.
const LONGEST: u32 = 12;

fn split(messages: u32) -> String {
    format!("{messages} sent: both attack or none")
}

/// A pair of generals who follow this protocol.
fn pair(world: &mut World, messages: u32, messengers: u32) {
    let protocol = Protocol { messages, messengers, dawn: secs(1) };
    let (first, second) = (format!("first-{messages}"), format!("second-{messages}"));
    for (side, here, there) in [(Side::First, &first, &second), (Side::Second, &second, &first)] {
        let there = format!("{there}:7000");
        world.host(here).workload(move || finite::run(side, protocol, "0.0.0.0:7000", &there));
    }
    world.check(&split(messages), move |run| {
        let (first, second) = (run.output(&first), run.output(&second));
        match first == second || first.is_empty() || second.is_empty() {
            true => Ok(()),
            false => Err(format!("{} and {}", first.join(""), second.join(""))),
        }
    });
}

/// A pair of generals for each of these lengths, each of which has to be split.
fn no_protocol_works(world: &mut World, lengths: &[u32], messengers: u32) {
    world.model(Network::FairLoss, Nodes::CrashStop, Timing::Synchronous);
    lengths.iter().for_each(|messages| pair(world, *messages, messengers));
    let all: Vec<String> = lengths.iter().copied().map(split).collect();
    world.must_break(&all.iter().map(String::as_str).collect::<Vec<_>>());
}

/// A pair for each length; of each, one lost message splits it.
#[bizarro::test]
fn finite(world: &mut World) {
    no_protocol_works(world, &(1..=LONGEST).collect::<Vec<_>>(), 1);
}

/// Three messengers carry each message. Of faults that last for a while the first general's last message is enough; where the
/// last one is the second's, three have to be lost one by one.
#[bizarro::test]
fn many_messengers(world: &mut World) {
    no_protocol_works(world, &[1, 3, 5, 7, 9, 11], 3);
}

const TOGETHER: &str = "both are in one place in the end";
const ENDS: &str = "the first general knows where the other one is";

fn describe(world: &mut World) {
    world.model(Network::FairLoss, Nodes::CrashRecovery, Timing::PartiallySynchronous);
    let directory = Path::new("/general");
    let orders = "/general/orders";
    world
        .host("first")
        .keep(orders)
        .workload(move || revocable::first(directory, "0.0.0.0:7000", "second:7000", secs(2)));
    world
        .host("second")
        .keep(orders)
        .program(move || revocable::second(directory, "0.0.0.0:7000", "first:7000"));
    world.check(TOGETHER, move |run| {
        let place =
            |host| String::from_utf8_lossy(run.file(host, orders).unwrap_or(b"")).into_owned();
        let (first, second) = (place("first"), place("second"));
        match first == second || !run.is_completed() {
            true => Ok(()),
            false => Err(format!("the first one: {first}, the second one: {second}")),
        }
    });
    world.eventually(ENDS, secs(60));
}

#[bizarro::test]
fn revocable(world: &mut World) {
    describe(world);
    world.explore(Explore::everything().swarm(200));
}

/// Where messengers who are sent again and again never arrive, calling back does not help either.
#[bizarro::test]
fn revocable_without_fair_loss(world: &mut World) {
    describe(world);
    world.incident("at 0s for 1h: partition first<>second");
    world.must_break(&[ENDS]);
}

#[test]
fn the_readme_is_true() {
    scenario_tests::readme_is_true(env!("CARGO_MANIFEST_DIR"));
}
