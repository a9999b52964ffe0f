//! A leader whom nobody hears, or who was away for a minute, on simulated hosts.

use std::path::PathBuf;
use std::process::ExitCode;

use bizarro::bizarro_check::model::{Register, RegisterCall, RegisterReply};
use bizarro::prelude::*;
use half_open::client::{self, Call, End, Task, Watch};
use half_open::site::Site;
use half_open::{careful, http, naive};

const ONE: &str = "the register is one";
const SERVED: &str = "clients are served";

/// Tells the history what a client does.
struct Told(History);

impl Watch for Told {
    type Begun = Op;
    fn begins(&mut self, call: Call) -> Op {
        match call {
            Call::Read => self.0.invoke(RegisterCall::<u64>::Read),
            Call::Write(value) => self.0.invoke(RegisterCall::Write(value)),
        }
    }
    fn ends(&mut self, begun: Op, end: End) {
        match end {
            End::Value(value) => begun.ok(RegisterReply::Value(value)),
            End::Written => begun.ok(RegisterReply::<u64>::Written),
            End::Refused => begun.fail(),
            End::Unknown => begun.unknown(),
        }
    }
}

fn describe(world: &mut World, member: fn(&Site) -> ExitCode) {
    world.model(Network::FairLoss, Nodes::CrashRecovery, Timing::PartiallySynchronous);
    let members: Vec<String> = (0..3).map(|it| format!("http://member-{it}:8080")).collect();
    for me in 0..3 {
        let site = Site {
            me,
            members: members.clone(),
            listen: "0.0.0.0:8080".to_string(),
            directory: PathBuf::from("/register"),
            token: "only for members".to_string(),
        };
        world.host(&format!("member-{me}")).program(move || member(&site));
    }
    world.zone("majority", &["member-1", "member-2"]);
    let history = world.history("register");
    // The first one comes back to member 0 when everything that may have happened to it is over.
    let before = [Task::Wait(millis(10)), Task::Write(100), Task::Wait(secs(40)), Task::Read];
    let meanwhile = [Task::Wait(millis(500)), Task::Write(200), Task::Read];
    for (number, tasks) in [before.to_vec(), meanwhile.to_vec()].into_iter().enumerate() {
        let (members, history) = (members.clone(), history.clone());
        world.host(&format!("client-{number}")).workload(move || {
            http::run(async {
                let mut told = Told(history.clone());
                client::run(&members, number, &tasks, &mut told).await
            })
        });
    }
    world.linearizable(ONE, &history, Register::new(0_u64));
    // Who has learnt to wait long waits long for what was lost.
    world.eventually(SERVED, secs(500));
    world.deadline(secs(1000));
}

#[bizarro::test]
fn naive(world: &mut World) {
    describe(world, naive::run);
    world.must_break(&[ONE]);
}

#[bizarro::test]
fn careful(world: &mut World) {
    describe(world, careful::run);
}

#[bizarro::test]
fn careful_in_a_swarm(world: &mut World) {
    describe(world, careful::run);
    world.explore(Explore::everything().without_matrix().swarm(200));
}

/// It receives everything, and nothing that it sends arrives.
#[bizarro::test]
fn naive_half_open(world: &mut World) {
    describe(world, naive::run);
    world.at(millis(200)).lasting(secs(30)).trouble("partition member-0>*");
    world.must_break(&[ONE]);
}

#[bizarro::test]
fn careful_half_open(world: &mut World) {
    describe(world, careful::run);
    world.at(millis(200)).lasting(secs(30)).trouble("partition member-0>*");
    world.explore(Explore::everything().without_matrix().swarm(200));
}

/// The members do not hear it, but its clients do.
#[bizarro::test]
fn careful_heard_by_clients_only(world: &mut World) {
    describe(world, careful::run);
    world.at(millis(200)).lasting(secs(60)).trouble("partition member-0>majority");
    world.explore(Explore::everything().without_matrix().swarm(200));
}

/// It pauses and comes back.
#[bizarro::test]
fn careful_away(world: &mut World) {
    describe(world, careful::run);
    world.at(millis(200)).lasting(secs(39)).trouble("pause member-0");
    world.explore(Explore::everything().without_matrix().swarm(200));
}

/// Where nobody hears two of three, there is no majority: nobody is lied to, and nobody is served.
#[bizarro::test]
fn careful_without_a_majority(world: &mut World) {
    describe(world, careful::run);
    world.at(millis(200)).lasting(secs(3600)).trouble("partition majority>*");
    world.must_break(&[SERVED]);
}

#[test]
fn the_readme_is_true() {
    scenario_tests::readme_is_true(env!("CARGO_MANIFEST_DIR"));
}
