//! A service of axum that is killed at any of its system calls, again and again, and started anew: nothing is left of its
//! lives, and what it wrote down is there in the next one.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use axum::Router;
use axum::routing::post;
use bizarro::prelude::*;
use bizarro::{Ending, Event, Lab, RunRecord};
use nix::fcntl::{Flock, FlockArg};

/// How a service keeps what it has counted.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// The file is there as a whole or not at all.
    Careful,
    /// It is written in its place.
    Naive,
}

/// Counts calls in a file, and takes a lock that a killed process must not keep.
#[tokio::main]
async fn count(manner: Manner) {
    let lock = fs::File::create("/lock").unwrap();
    let _held = Flock::lock(lock, FlockArg::LockExclusiveNonblock).expect("nobody else is alive");
    let count = move || async move {
        let text = fs::read_to_string("/count").unwrap_or_default();
        let count = text.parse::<u64>().unwrap_or(0) + 1;
        if manner == Manner::Naive {
            fs::write("/count", count.to_string()).unwrap();
        } else {
            fs::write("/new", count.to_string()).unwrap();
            fs::rename("/new", "/count").unwrap();
        }
        count.to_string()
    };
    let listener = tokio::net::TcpListener::bind("0.0.0.0:80").await.unwrap();
    axum::serve(listener, Router::new().route("/count", post(count))).await.unwrap();
}

/// One call: what was counted, where an answer came.
fn call() -> Option<u64> {
    let mut stream = TcpStream::connect("service:80").ok()?;
    stream.set_read_timeout(Some(millis(500))).ok()?;
    stream.write_all(b"POST /count HTTP/1.1\r\nhost: service\r\nconnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.split("\r\n\r\n").nth(1)?.parse().ok()
}

fn calls() {
    let begun = Instant::now();
    let (mut last, mut answers, mut went_back) = (0, 0, 0);
    while begun.elapsed() < secs(400) {
        if let Some(count) = call() {
            went_back += u32::from(count <= last);
            (last, answers) = (count, answers + 1);
        }
        std::thread::sleep(millis(100));
    }
    println!("{}, went back {went_back} times", answers > 50);
}

fn careful(world: &mut World) {
    world.host("service").program(|| count(Manner::Careful));
    world.host("client").workload(calls);
}

fn naive(world: &mut World) {
    world.host("service").program(|| count(Manner::Naive));
    world.host("client").workload(calls);
}

fn outputs(record: &RunRecord) -> Vec<String> {
    let lines = record.events.iter().filter_map(|stamped| match &stamped.event {
        Event::Output { line, .. } => Some(line.clone()),
        _ => None,
    });
    lines.collect()
}

fn crashes(record: &RunRecord) -> usize {
    record.events.iter().filter(|stamped| matches!(stamped.event, Event::Crashed)).count()
}

#[test]
fn nothing_is_left_of_a_life_that_ends_at_any_system_call() {
    let mut lab =
        Lab::open("restarts::nothing_is_left_of_a_life_that_ends_at_any_system_call", careful);
    let plan = "seed=5; at 1s for 380s: crash-at-calls service 500".parse().unwrap();
    let [one, other] = std::array::from_fn(|_| lab.run(&plan).unwrap());
    assert_eq!(one.fingerprint, other.fingerprint);
    assert_eq!(one.ending, Ending::Completed);
    assert!(crashes(&one) > 150, "{}", crashes(&one));
    assert_eq!(outputs(&one), ["true, went back 0 times"]);
}

#[test]
fn a_file_that_is_written_in_its_place_is_lost_with_a_life() {
    let mut lab =
        Lab::open("restarts::a_file_that_is_written_in_its_place_is_lost_with_a_life", naive);
    let plan = "seed=5; at 1s for 380s: crash-at-calls service 500".parse().unwrap();
    let record = lab.run(&plan).unwrap();
    assert!(crashes(&record) > 150, "{}", crashes(&record));
    let said = outputs(&record);
    assert!(said[0].starts_with("true, ") && said[0] != "true, went back 0 times", "{said:?}");
}

#[test]
fn the_simulator_holds_no_more_after_many_lives_than_after_a_few() {
    let mut lab = Lab::open(
        "restarts::the_simulator_holds_no_more_after_many_lives_than_after_a_few",
        careful,
    );
    let mut lives = |seconds: u64| {
        let plan = format!("seed=5; at 1s for {seconds}s: crash-at-calls service 500");
        let record = lab.run(&plan.parse().unwrap()).unwrap();
        (crashes(&record) as u64, lab.memory())
    };
    let ((few, before), (many, after)) = (lives(40), lives(380));
    assert!(many > 150 && few < 40, "{few} lives, {many} lives");
    assert!(before.record > 0 && after.record > 0, "{before:?}, {after:?}");
    let grown = after.rest.saturating_sub(before.rest);
    assert!(grown < 16 * (many - few), "{before:?} after {few} lives, {after:?} after {many}");
}
