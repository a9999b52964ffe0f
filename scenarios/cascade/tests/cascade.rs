//! Nodes and a front on simulated hosts, under as much load as they can bear.

use std::time::Duration;

use bizarro::prelude::*;
use cascade::{front, node};

/// Liveness, once the last trouble is over, and the load is as it was before.
const SERVED: &str = "every customer is served";
/// Safety.
const ALIVE: &str = "not all nodes are declared dead";

const BURST: &str = "at 1ms for 2s: burst front>* 1";
const SLOW: &str = "at 1ms for 15s: slow-cpu node-1 300000";

/// A collapse that has lasted for so long is one.
const COLLAPSED: Duration = secs(150);

fn describe<N, F>(world: &mut World, node: fn() -> N, front: fn() -> F)
where
    N: std::process::Termination + 'static,
    F: std::process::Termination + 'static,
{
    world.model(Network::FairLoss, Nodes::CrashRecovery, Timing::PartiallySynchronous);
    for name in ["node-1", "node-2", "node-3"] {
        world.host(name).program(node);
    }
    world.host("front").workload(front);
    world.check(ALIVE, |run| match run.output("front").contains(&"front: all nodes are dead") {
        true => Err("the front has nobody left to ask".into()),
        false => Ok(()),
    });
    world.eventually(SERVED, secs(60));
}

/// As the document tells it.
#[bizarro::test]
fn hasty(world: &mut World) {
    describe(world, node::hasty::main, front::hasty::main);
    world.deadline(COLLAPSED);
    world.must_break(&[SERVED, ALIVE]);
}

/// Backoff with jitter, load shedding, time-outs that follow round trips.
#[bizarro::test]
fn steady(world: &mut World) {
    describe(world, node::steady::main, front::steady::main);
}

/// Two seconds in which everything is asked twice are enough, and what they began goes on without them.
#[bizarro::test]
fn hasty_after_a_burst(world: &mut World) {
    describe(world, node::hasty::main, front::hasty::main);
    world.deadline(COLLAPSED);
    world.incident(BURST);
    world.must_break(&[SERVED, ALIVE]);
}

#[bizarro::test]
fn steady_after_a_burst(world: &mut World) {
    describe(world, node::steady::main, front::steady::main);
    world.incident(BURST);
    world.explore(Explore::everything().without_matrix());
}

/// One node whose CPU others steal, for a while.
#[bizarro::test]
fn hasty_with_a_slow_node(world: &mut World) {
    describe(world, node::hasty::main, front::hasty::main);
    world.deadline(COLLAPSED);
    world.incident(SLOW);
    world.must_break(&[ALIVE]);
}

#[bizarro::test]
fn steady_with_a_slow_node(world: &mut World) {
    describe(world, node::steady::main, front::steady::main);
    world.incident(SLOW);
    world.explore(Explore::everything().without_matrix());
}

/// Somebody else's program, which holds nothing back: whenever a node refuses it, it asks again at once.
#[tokio::main(flavor = "current_thread")]
async fn crowd() {
    let mut all = tokio::task::JoinSet::new();
    for one in 0..18 {
        all.spawn(async move {
            let client = reqwest::Client::new();
            let url = format!("http://node-{}:8080/report/{one}", one % 3 + 1);
            loop {
                // What becomes of it is all the same.
                let _ = client.get(&url).send().await;
                tokio::time::sleep(millis(100)).await;
            }
        });
    }
    all.join_all().await;
}

/// Who holds back is not served beside who does not: the nodes refuse whoever comes late, and that is never the crowd.
#[bizarro::test]
fn steady_in_a_crowd(world: &mut World) {
    describe(world, node::steady::main, front::steady::main);
    world.deadline(secs(75));
    world.host("crowd").program(crowd);
    world.must_break(&[SERVED]);
}

#[test]
fn the_readme_is_true() {
    scenario_tests::readme_is_true(env!("CARGO_MANIFEST_DIR"));
}
