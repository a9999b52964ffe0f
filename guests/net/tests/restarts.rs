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

/// Counts calls in a file, which is there as a whole or not at all, and takes a lock that a killed process must not keep.
#[tokio::main]
async fn count() {
    let lock = fs::File::create("/lock").unwrap();
    let _held = Flock::lock(lock, FlockArg::LockExclusiveNonblock).expect("nobody else is alive");
    let count = || async {
        let count: u64 = fs::read_to_string("/count").map_or(0, |text| text.parse().unwrap()) + 1;
        fs::write("/new", count.to_string()).unwrap();
        fs::rename("/new", "/count").unwrap();
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
    let (mut last, mut answers) = (0, 0);
    while begun.elapsed() < secs(400) {
        if let Some(count) = call() {
            assert!(count > last, "{count} after {last}");
            (last, answers) = (count, answers + 1);
        }
        std::thread::sleep(millis(100));
    }
    println!("{}", answers > 50);
}

fn describe(world: &mut World) {
    world.host("service").program(count);
    world.host("client").workload(calls);
}

fn crashes(record: &RunRecord) -> usize {
    record.events.iter().filter(|stamped| matches!(stamped.event, Event::Crashed)).count()
}

#[test]
fn nothing_is_left_of_a_life_that_ends_at_any_system_call() {
    let mut lab =
        Lab::open("restarts::nothing_is_left_of_a_life_that_ends_at_any_system_call", describe);
    let plan = "seed=5; at 1s for 380s: crash-at-calls service 500".parse().unwrap();
    let [one, other] = std::array::from_fn(|_| lab.run(&plan).unwrap());
    assert_eq!(one.fingerprint, other.fingerprint);
    assert_eq!(one.ending, Ending::Completed);
    assert!(crashes(&one) > 150, "{}", crashes(&one));
    let outputs = |record: &RunRecord| -> Vec<String> {
        let lines = record.events.iter().filter_map(|stamped| match &stamped.event {
            Event::Output { line, .. } => Some(line.clone()),
            _ => None,
        });
        lines.collect()
    };
    assert_eq!(outputs(&one), ["true"]);
}
