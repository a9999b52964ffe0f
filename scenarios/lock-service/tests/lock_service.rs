//! Figures 8-4 and 8-5 on simulated hosts: three lock servers, a file store, two clients.

use std::process::ExitCode;
use std::time::Duration;

use bizarro::bizarro_check::domain::{Findings, Rule, fencing};
use bizarro::bizarro_check::history::History as Operations;
use bizarro::bizarro_check::model::{FencedLockCall, FencedLockReply};
use bizarro::prelude::*;
use bizarro_remedy::lease::Token;
use lock_service::client::{self, Call, End, Watch};
use lock_service::{server, store};

/// Safety of the tokens.
const UNIQUE: &str = "no two grants have the same token";
const RISING: &str = "a later grant has a higher token";
/// Safety of the file.
const LATE: &str = "no write of an earlier holder lands after a later holder's";
const WHOLE: &str = "no line is lost";
/// Liveness.
const GRANTED: &str = "a lock that is free is granted in the end";
const ENDS: &str = "each client writes its line";

/// How long a lock that is free may be asked for: faults last for a minute.
const LIMIT: Duration = secs(150);

/// Tells the history what a client does.
#[derive(Clone)]
struct Told(History);

impl Watch for Told {
    type Begun = Op;

    fn begins(&mut self, call: Call) -> Op {
        match call {
            Call::Acquire => self.0.invoke(FencedLockCall::Acquire),
            Call::Write(token) => {
                bizarro::milestone("has read");
                self.0.invoke(FencedLockCall::Use(number(token)))
            }
            Call::Release(token) => self.0.invoke(FencedLockCall::Release(number(token))),
        }
    }

    fn ends(&mut self, begun: Op, end: End) {
        match end {
            End::Granted(token) => begun.ok(FencedLockReply::Granted(number(token))),
            End::Held => begun.fail(),
            End::Written => {
                begun.ok(FencedLockReply::Accepted(true));
                bizarro::milestone("written");
            }
            End::Stale => begun.ok(FencedLockReply::Accepted(false)),
            End::Released => begun.ok(FencedLockReply::Released),
            End::Unknown => begun.unknown(),
        }
    }
}

fn number(token: Token) -> i64 {
    i64::try_from(token.0).expect("tokens begin at 33")
}

/// Client 1 comes when the lock servers have elected a leader, client 2 when client 1 is done.
fn describe(world: &mut World, servers: u64, store: fn() -> ExitCode) {
    world.model(Network::FairLoss, Nodes::CrashRecovery, Timing::PartiallySynchronous);
    let urls: Vec<String> = (1..=servers).map(|me| format!("http://lock-{me}:8080")).collect();
    let urls = urls.join(",");
    for me in 1..=servers {
        let host = world.host(&format!("lock-{me}")).env("ME", me).env("SERVERS", &urls);
        host.program(server::main);
    }
    world.host("store").program(store);
    let history = world.history("lock");
    for (name, wait_ms) in [("client-1", 100), ("client-2", 200)] {
        let told = Told(history.clone());
        let host = world.host(name).env("NAME", name).env("SERVERS", &urls);
        host.env("WAIT_MS", wait_ms).workload(move || client::run(told.clone()));
    }
    world.check(UNIQUE, |run| has_none(run, Rule::UniqueToken));
    world.check(RISING, |run| has_none(run, Rule::RisingToken));
    world.check(LATE, |run| {
        let (tokens, _) = said(run);
        match tokens.windows(2).find(|two| two[1] < two[0]) {
            Some(two) => Err(format!("the store took token {} after token {}", two[1], two[0])),
            None => has_none(run, Rule::StaleToken),
        }
    });
    world.check(WHOLE, |run| {
        let (_, lines) = said(run);
        let lost = ["client-1", "client-2"].into_iter().find(|name| {
            let has_said = !run.output(name).is_empty();
            has_said && !lines.contains(name)
        });
        lost.map_or(Ok(()), |name| {
            Err(format!("{name} has written its line: {}", lines.join(", ")))
        })
    });
    world.check(GRANTED, |run| {
        let findings = fencing::availability(&operations(run)?, LIMIT);
        told_of(&findings, Rule::Availability)
    });
    world.eventually(ENDS, secs(180));
}

/// The tokens under which the store took the file, in order, and the lines that it has in the end.
fn said<'r>(run: &Run<'r>) -> (Vec<u64>, Vec<&'r str>) {
    let said = run.output("store");
    let tokens = said
        .iter()
        .filter_map(|line| line.strip_prefix("under token ")?.split_once(':')?.0.parse().ok());
    let last = said.last().and_then(|line| Some(line.split_once(": ")?.1));
    (tokens.collect(), last.map_or_else(Vec::new, |lines| lines.split(", ").collect()))
}

fn operations(run: &Run<'_>) -> Result<Operations<FencedLockCall, FencedLockReply>, String> {
    run.operations("lock")
}

/// What clients were told contradicts no promise of this kind.
fn has_none(run: &Run<'_>, rule: Rule) -> Result<(), String> {
    told_of(&fencing::tokens(&operations(run)?), rule)
}

fn told_of(findings: &Findings, rule: Rule) -> Result<(), String> {
    let broken = findings.listed().iter().find(|it| it.rule == rule);
    broken.map_or(Ok(()), |it| Err(it.because.clone()))
}

/// Client 1 has token 33 and has read the file; before it writes it stands still, for longer than its lease lasts.
fn client_1_is_away(world: &mut World) {
    world.after("has read", 1).lasting(secs(30)).trouble("pause client-1");
}

/// Figure 8-4.
#[bizarro::test]
fn unfenced(world: &mut World) {
    describe(world, 3, store::unfenced);
    client_1_is_away(world);
    world.must_break(&[LATE, WHOLE]);
}

/// The same store, and nobody is told to stand still: the matrix finds the pause, where client 1 has read the file. How many
/// servers agree about the lock is all the same to the file, so one has to do.
#[bizarro::test]
fn unfenced_with_one_server(world: &mut World) {
    describe(world, 1, store::unfenced);
    world.must_break(&[LATE, WHOLE]);
}

/// Figure 8-5.
#[bizarro::test]
fn fenced(world: &mut World) {
    describe(world, 3, store::fenced);
    client_1_is_away(world);
    world.explore(Explore::everything().without_matrix());
}

#[bizarro::test]
fn fenced_with_one_server(world: &mut World) {
    describe(world, 1, store::fenced);
}

/// And whatever else may happen: one of the lock servers, too, may crash, stand still, lose its power or be cut off.
#[bizarro::test]
fn fenced_whatever_happens(world: &mut World) {
    describe(world, 3, store::fenced);
}

/// What a majority wrote down is there again: token 33 is not granted a second time.
#[bizarro::test]
fn fenced_though_all_servers_lose_their_power(world: &mut World) {
    describe(world, 3, store::fenced);
    for me in 1..=3 {
        world.after("written", 1).trouble(&format!("power-off lock-{me} some"));
    }
    world.explore(Explore::everything().without_matrix());
}

/// The leader is cut off for good: the other two elect another one, and client 2 is granted the lock.
#[bizarro::test]
fn fenced_without_the_leader(world: &mut World) {
    describe(world, 3, store::fenced);
    world.after("written", 1).lasting(secs(600)).trouble("partition lock-1<>*");
    world.explore(Explore::everything().without_matrix());
}

/// Liveness needs a majority, and safety does not: nobody is granted anything.
#[bizarro::test]
fn fenced_without_a_majority(world: &mut World) {
    describe(world, 3, store::fenced);
    for me in 1..=2 {
        let cut_off = format!("partition lock-{me}<>*");
        world.after("written", 1).lasting(secs(600)).trouble(&cut_off);
    }
    world.deadline(secs(240));
    world.must_break(&[GRANTED, ENDS]);
}

/// Raft's times are fixed: where messages take longer, nobody leads for long. Nothing wrong is granted.
#[bizarro::test]
fn fenced_on_a_slow_network(world: &mut World) {
    describe(world, 3, store::fenced);
    world.at(secs(0)).trouble("delay *<>* 2s");
    world.deadline(secs(240));
    world.must_break(&[GRANTED, ENDS]);
}

/// The store loses its disk, and with it the highest token that it has seen, while client 1 is away.
#[bizarro::test]
fn fenced_with_a_store_that_forgets(world: &mut World) {
    describe(world, 3, store::fenced);
    world.model(Network::FairLoss, Nodes::Byzantine, Timing::PartiallySynchronous);
    client_1_is_away(world);
    world.after("written", 1).trouble("disk-lost store");
    world.must_break(&[LATE, WHOLE]);
}

/// A majority of the lock servers lose their disks: 33 is granted twice.
#[bizarro::test]
fn fenced_with_servers_that_forget(world: &mut World) {
    describe(world, 3, store::fenced);
    world.model(Network::FairLoss, Nodes::Byzantine, Timing::PartiallySynchronous);
    for me in 1..=3 {
        world.after("written", 1).trouble(&format!("disk-lost lock-{me}"));
    }
    world.must_break(&[UNIQUE]);
}

#[test]
fn the_readme_is_true() {
    scenario_tests::readme_is_true(env!("CARGO_MANIFEST_DIR"));
}
