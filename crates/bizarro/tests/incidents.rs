//! What goes wrong with hosts at a moment, and is well again at another: each kind of moment and of end.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::sleep;
use std::time::Instant;

use bizarro::prelude::*;
use bizarro::{Ending, Event, Lab, RunRecord};

/// Counts in a file, one a second, and says so.
fn counter() {
    let next = fs::read("/count").map_or(1, |count| count.len() + 1);
    for number in next..=20 {
        sleep(secs(1));
        fs::write("/new", vec![b'x'; number]).unwrap();
        fs::rename("/new", "/count").unwrap();
        println!("{number}");
        bizarro::milestone("counted");
    }
}

/// Answers each byte with one.
fn echo() {
    let listener = TcpListener::bind("0.0.0.0:80").unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut byte = [0];
        while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
    }
}

/// Asks once a second until it has had five answers; says how long each took.
fn ask() {
    let mut answers = 0;
    while answers < 5 {
        sleep(secs(1));
        let begun = Instant::now();
        let one = || -> std::io::Result<()> {
            let mut stream = TcpStream::connect("server:80")?;
            stream.set_read_timeout(Some(secs(40)))?;
            stream.write_all(b"x")?;
            stream.read_exact(&mut [0])
        };
        match one() {
            Ok(()) => {
                answers += 1;
                println!("{}", begun.elapsed().as_secs());
                bizarro::milestone("answered");
            }
            Err(error) => println!("{:?}", error.kind()),
        }
    }
}

fn two(world: &mut World) {
    world.host("server").program(echo);
    world.host("client").workload(ask);
    world.group("servers", &["server"]);
}

fn one(world: &mut World) {
    world.host("counter").workload(counter);
}

fn run(name: &str, describe: fn(&mut World), plan: &str) -> RunRecord {
    let mut lab = Lab::open(&format!("incidents::{name}"), describe);
    lab.run(&plan.parse().unwrap()).unwrap()
}

fn seconds(record: &RunRecord, is_meant: impl Fn(&Event) -> bool) -> Vec<f64> {
    let all = record.events.iter().filter(|stamped| is_meant(&stamped.event));
    all.map(|stamped| (stamped.at.0 / 1_000_000) as f64 / 1e3).collect()
}

fn began(record: &RunRecord) -> Vec<f64> {
    seconds(record, |event| matches!(event, Event::Began { .. }))
}

fn healed(record: &RunRecord) -> Vec<f64> {
    seconds(record, |event| matches!(event, Event::Healed { .. }))
}

fn started(record: &RunRecord) -> Vec<f64> {
    seconds(record, |event| matches!(event, Event::Started { .. }))
}

fn lines(record: &RunRecord, host: u16) -> Vec<&str> {
    let all = record.events.iter().filter(|stamped| stamped.host == host);
    all.filter_map(|stamped| match &stamped.event {
        Event::Output { line, .. } => Some(line.as_str()),
        _ => None,
    })
    .collect()
}

#[test]
fn a_crash_at_a_time_ends_when_the_plan_says() {
    let name = "a_crash_at_a_time_ends_when_the_plan_says";
    let record = run(name, two, "at 2500ms for 30s: crash server");
    assert_eq!((began(&record), healed(&record)), (vec![2.5], vec![32.5]));
    assert_eq!(started(&record), [0.0, 0.0, 32.5]);
    assert_eq!(record.ending, Ending::Completed);
    assert!(lines(&record, 1).contains(&"ConnectionRefused"));
}

#[test]
fn a_group_stands_for_its_hosts_and_a_kind_lasts_as_long_as_it_does() {
    let name = "a_group_stands_for_its_hosts_and_a_kind_lasts_as_long_as_it_does";
    let record = run(name, two, "at 2500ms: crash servers");
    assert_eq!((began(&record), healed(&record)), (vec![2.5], vec![3.5]));
    let record = run(name, two, "at 3s: pause servers");
    assert_eq!((began(&record), healed(&record)), (vec![3.0], vec![18.0]));
    // One request waits for the server to come back to itself.
    let waits: Vec<u64> = lines(&record, 1).iter().map(|line| line.parse().unwrap()).collect();
    assert_eq!(waits.iter().filter(|wait| **wait >= 13).count(), 1, "{waits:?}");
}

#[test]
fn milestones_begin_and_end_what_goes_wrong() {
    let name = "milestones_begin_and_end_what_goes_wrong";
    let plan = "after \"counted\" #3 until \"answered\" #2: power-off counter all";
    let both: fn(&mut World) = |world| {
        world.host("counter").workload(counter);
        two(world);
    };
    let record = run(name, both, plan);
    let (began, healed) = (began(&record), healed(&record));
    assert_eq!((began.len(), healed.len()), (1, 1));
    let answered =
        seconds(&record, |e| matches!(e, Event::Milestone { name } if name == "answered"));
    let after: Vec<&f64> = answered.iter().filter(|at| **at > began[0]).collect();
    assert_eq!(*after[1], healed[0]);
    assert_eq!(started(&record).last(), Some(&healed[0]));
    // All that was written was left to it, so nothing is counted twice.
    let counted: Vec<String> = (1..=20).map(|n| n.to_string()).collect();
    assert_eq!(lines(&record, 0), counted);
}

#[test]
fn it_is_the_host_at_which_the_moment_came() {
    let name = "it_is_the_host_at_which_the_moment_came";
    for plan in ["after \"answered\" #2: crash @it", "after \"answered\" #2 +500ms: crash @it"] {
        let record = run(name, two, plan);
        let crashed = record.events.iter().find(|stamped| stamped.event == Event::Crashed).unwrap();
        assert_eq!(record.hosts[usize::from(crashed.host)], "client");
        let reached = seconds(&record, |event| matches!(event, Event::Milestone { .. }))[1];
        let later = if plan.contains('+') { 0.5 } else { 0.0 };
        let off = (crashed.at.0 / 1_000_000) as f64 / 1e3 - reached - later;
        assert!((0.0..0.002).contains(&off), "{plan}: {off}");
        // Five answers of the first life and the second together are not enough: it does not remember.
        assert_eq!(lines(&record, 1).iter().filter(|line| **line == "0").count(), 7);
    }
}

#[test]
fn a_step_of_an_exchange_is_a_moment() {
    let name = "a_step_of_an_exchange_is_a_moment";
    let record = run(name, two, "at client>server tcp:80 #2 update-server: power-off @it");
    let failed =
        record.events.iter().find(|s| matches!(s.event, Event::PowerFailed { .. })).unwrap();
    assert_eq!(record.hosts[usize::from(failed.host)], "server");
    assert_eq!(Some(failed.at), record.exchanges[1].delivered);
}

#[test]
fn a_crash_comes_before_every_system_call_that_a_plan_names() {
    let name = "a_crash_comes_before_every_system_call_that_a_plan_names";
    let mut lab = Lab::open(&format!("incidents::{name}"), one);
    let mut crashes = 0;
    for number in (1..).step_by(7) {
        let plan = format!("at call counter #{number}: crash counter");
        let record = lab.run(&plan.parse().unwrap()).unwrap();
        if began(&record).is_empty() {
            break;
        }
        crashes += 1;
        assert_eq!(record.ending, Ending::Completed, "{plan}");
        // The disk stays, so at most one number is missing: it was counted, and not said.
        let lines = lines(&record, 0);
        assert!((19..=20).contains(&lines.len()), "{plan}: {lines:?}");
    }
    assert!(crashes > 15, "{crashes}");
}

#[test]
fn what_a_test_says_goes_wrong_in_every_run() {
    let name = "what_a_test_says_goes_wrong_in_every_run";
    let described: fn(&mut World) = |world| {
        two(world);
        world.at(millis(1500)).lasting(secs(9)).trouble("crash server");
        world.after("answered", 3).until("answered", 1).trouble("crash server");
        world.incident("at 20s: pause client");
    };
    let record = run(name, described, "seed=7; at 500ms for 100ms: pause server");
    let (began, healed) = (began(&record), healed(&record));
    assert_eq!((began[1], healed[1]), (1.5, 10.5));
    assert_eq!(began.len(), 4, "{began:?}");
    // Nobody can answer while nobody serves: what waits for an answer then never ends.
    assert_eq!(healed.len(), 3, "{healed:?}");
    assert!(record.ending != Ending::Completed);
}

#[test]
fn two_pauses_are_over_when_the_longer_one_is() {
    let name = "two_pauses_are_over_when_the_longer_one_is";
    let record = run(name, one, "at 2500ms for 30s: pause counter; at 5s for 2s: pause counter");
    let said = seconds(&record, |event| matches!(event, Event::Output { .. }));
    assert!(said[2] >= 32.5, "{said:?}");
    assert_eq!(record.stats.virtual_time.0 / 1_000_000_000, 49);
}
