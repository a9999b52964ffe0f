//! GROUP1, the balancer and GROUP2 on simulated hosts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use bizarro::prelude::*;
use groups::client::Group;
use groups::machine::{self, Site};
use groups::{balancer, http};

const GROUP1: [&str; 2] = ["s10", "s11"];
const GROUP2: [&str; 3] = ["s20", "s25", "s27"];
const KEPT: &str = "/values/values.json";

const TWICE: &str = "what is answered is on two machines";
const READ: &str = "what is answered can be read";
const ENDS: &str = "group 1 is served";

/// Says that a value was answered for, and later whether it can be read.
fn has_kept(name: &str) -> ExitCode {
    http::run(async {
        // The others are up.
        tokio::time::sleep(millis(10)).await;
        let group = Group::at("http://balancer:8080")?;
        group.keep(name, "1000").await;
        println!("answered");
        bizarro::milestone("answered");
        // What goes on behind an answer has time to be done.
        tokio::time::sleep(millis(200)).await;
        match group.value(name).await {
            Some(value) => println!("reads {value}"),
            None => println!("reads nothing"),
        }
        Ok(())
    })
}

fn describe(world: &mut World, machine: fn(&Site) -> ExitCode) {
    world.model(Network::FairLoss, Nodes::CrashRecovery, Timing::PartiallySynchronous);
    for name in GROUP1 {
        world.host(name).workload(move || has_kept(name));
    }
    let url = |name: &&str| format!("http://{name}:8080");
    let machines: Vec<String> = GROUP2.iter().map(url).collect();
    world.host("balancer").program(move || balancer::run("0.0.0.0:8080", &machines));
    for name in GROUP2 {
        let site = Site {
            listen: "0.0.0.0:8080".to_string(),
            others: GROUP2.iter().filter(|other| **other != name).map(url).collect(),
            directory: PathBuf::from("/values"),
            token: "only for group 2".to_string(),
        };
        world.host(name).keep(KEPT).program(move || machine(&site));
    }
    world.group("group-1", &GROUP1);
    world.group("group-2", &GROUP2);
    world.check(READ, |run| {
        let lost = GROUP1.iter().find(|name| {
            let said = run.output(name);
            said.contains(&"answered") && said.contains(&"reads nothing")
        });
        lost.map_or(Ok(()), |name| Err(format!("the value of {name} is lost")))
    });
    // Who has learnt to wait long waits long for what was lost.
    world.eventually(ENDS, secs(500));
    world.deadline(secs(1000));
}

/// Each value for which GROUP1 has an answer is on two disks.
fn check_copies(world: &mut World) {
    world.check(TWICE, |run| {
        for name in GROUP1.iter().filter(|name| run.output(name).contains(&"answered")) {
            let has_it = |machine: &&&str| {
                let kept = run.file(machine, KEPT).unwrap_or(b"{}");
                let kept: BTreeMap<String, String> =
                    serde_json::from_slice(kept).unwrap_or_default();
                kept.contains_key(*name)
            };
            let copies: Vec<_> = GROUP2.iter().filter(has_it).collect();
            if copies.len() < 2 {
                return Err(format!("the value of {name} is on {copies:?} alone"));
            }
        }
        Ok(())
    });
}

/// A machine that answers before another one has the value.
#[bizarro::test]
fn early(world: &mut World) {
    describe(world, machine::early);
    check_copies(world);
    world.must_break(&[TWICE]);
}

/// The same, and the machine that answered is lost before it has passed the value on.
#[bizarro::test]
fn early_and_lost(world: &mut World) {
    describe(world, machine::early);
    world.model(Network::FairLoss, Nodes::Byzantine, Timing::PartiallySynchronous);
    world.incident("at 0s for 100ms: partition s20>s25");
    world.incident("at 0s for 100ms: partition s20>s27");
    world.after("answered", 1).trouble("disk-lost s20");
    world.must_break(&[READ]);
}

#[bizarro::test]
fn recursive(world: &mut World) {
    describe(world, machine::recursive);
    check_copies(world);
}

#[bizarro::test]
fn recursive_in_a_swarm(world: &mut World) {
    describe(world, machine::recursive);
    check_copies(world);
    world.explore(Explore::everything().without_matrix().swarm(100));
}

/// One machine is lost with its disk: what was answered is still there.
#[bizarro::test]
fn recursive_without_one_machine(world: &mut World) {
    describe(world, machine::recursive);
    world.model(Network::FairLoss, Nodes::Byzantine, Timing::PartiallySynchronous);
    world.after("answered", 1).trouble("disk-lost s20");
    world.explore(Explore::everything().without_matrix());
}

/// Two are: that was not promised.
#[bizarro::test]
fn recursive_without_two_machines(world: &mut World) {
    describe(world, machine::recursive);
    world.model(Network::FairLoss, Nodes::Byzantine, Timing::PartiallySynchronous);
    world.after("answered", 2).trouble("disk-lost s20");
    world.after("answered", 2).trouble("disk-lost s25");
    world.must_break(&[READ]);
}

#[test]
fn the_readme_is_true() {
    scenario_tests::readme_is_true(env!("CARGO_MANIFEST_DIR"));
}
