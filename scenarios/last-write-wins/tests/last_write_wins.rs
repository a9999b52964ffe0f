//! Figure 8-3 on simulated hosts: two clients, three nodes, clocks 3 ms apart.

use bizarro::prelude::*;
use last_write_wins::lww::LastWriteWins;
use last_write_wins::register::Register;
use last_write_wins::versions::Versions;
use last_write_wins::{client, node};

/// Safety: what was acknowledged is what all nodes have in the end, or was replaced by a client who had seen it. Of B's write
/// that means: it is there, because nobody wrote after it.
const KEPT: &str = "an acknowledged increment is kept";
/// Safety of what is concurrent: nobody had seen the other one's write.
const BOTH: &str = "of two concurrent writes both are kept";
/// Liveness.
const AGREE: &str = "the nodes agree in the end";

fn nodes<R: Register>(world: &mut World) {
    world.model(Network::FairLoss, Nodes::CrashRecovery, Timing::PartiallySynchronous);
    world.links().latency(micros(100));
    let names = ["node-1", "node-2", "node-3"];
    for name in names {
        let peers = names.iter().filter(|other| **other != name);
        let peers: Vec<String> = peers.map(|other| format!("http://{other}:8080")).collect();
        let host = world.host(name).env("NODE", name).env("PEERS", peers.join(","));
        let host = if name == "node-1" { host.clock_ahead(millis(3)) } else { host };
        host.program(node::main::<R>);
    }
    world.eventually(AGREE, secs(120));
}

/// A sets x to 1 at node 1; when node 3 has it, B adds 1 there.
fn increment<R: Register>(world: &mut World) {
    nodes::<R>(world);
    world.host("client-a").workload(client::set);
    world.host("client-b").workload(client::increment);
    world.check(KEPT, |run| {
        let said = run.output("client-b");
        let written = said.iter().rev().find_map(|line| line.strip_prefix("b set x to "));
        let settled = said.iter().find_map(|line| line.strip_prefix("x is "));
        match (written, settled) {
            (Some(written), Some(settled)) if !settled.split(" and ").any(|x| x == written) => {
                Err(format!("B set x to {written}, and in the end x is {settled}"))
            }
            _ => Ok(()),
        }
    });
}

/// Two clients write at the same moment, at two nodes whose clocks agree.
fn concurrent<R: Register>(world: &mut World) {
    world.model(Network::FairLoss, Nodes::CrashRecovery, Timing::PartiallySynchronous);
    world.links().latency(micros(100));
    for (name, peer) in [("node-1", "http://node-3:8080"), ("node-3", "http://node-1:8080")] {
        world.host(name).env("NODE", name).env("PEERS", peer).program(node::main::<R>);
    }
    for (id, value, at) in [("a", 1, "node-1"), ("c", 5, "node-3")] {
        world
            .host(&format!("client-{id}"))
            .env("ID", id)
            .env("VALUE", value)
            .env("AT", format!("http://{at}:8080"))
            .env("NODES", "http://node-1:8080,http://node-3:8080")
            .env("SETTLE", "yes")
            .workload(client::set);
    }
    world.eventually(AGREE, secs(120));
    world.check(BOTH, |run| {
        if !run.is_completed() {
            return Ok(());
        }
        let settled = ["client-a", "client-c"].map(|client| run.output(client).last().copied());
        // Each waits until the nodes agree, and the one that is late sees both.
        if settled.iter().flatten().any(|line| *line == "x is 1 and 5") {
            return Ok(());
        }
        Err(format!("1 and 5 were written, and in the end {}", settled[0].unwrap_or_default()))
    });
}

#[bizarro::test]
fn lww(world: &mut World) {
    increment::<LastWriteWins>(world);
    // What the document warns of; the other properties may hold.
    world.must_break(&[KEPT]);
}

#[bizarro::test]
fn version_vectors(world: &mut World) {
    increment::<Versions>(world);
}

#[bizarro::test]
fn lww_equal_timestamps(world: &mut World) {
    concurrent::<LastWriteWins>(world);
    // Both have the time of the same millisecond, and each node keeps its own.
    world.must_break(&[AGREE]);
}

#[bizarro::test]
fn version_vectors_concurrent(world: &mut World) {
    concurrent::<Versions>(world);
    world.explore(Explore::everything().without_matrix());
}

/// A node that loses its disk counts from 1 again: its new write has the dot of its old one, which everybody has seen, and
/// nobody takes it. Version vectors need stable storage, and crash-recovery nodes have that.
#[bizarro::test]
fn version_vectors_without_stable_storage(world: &mut World) {
    increment::<Versions>(world);
    world.model(Network::FairLoss, Nodes::Byzantine, Timing::PartiallySynchronous);
    world.at(secs(5)).trouble("disk-lost node-3");
    world
        .host("client-d")
        .env("ID", "d")
        .env("VALUE", 7)
        .env("AT", "http://node-3:8080")
        .env("WAIT_MS", 20_000)
        .env("SETTLE", "yes")
        .workload(client::set);
    world.must_break(&[AGREE]);
}

#[test]
fn the_readme_is_true() {
    scenario_tests::readme_is_true(env!("CARGO_MANIFEST_DIR"));
}
