//! The same programs on the real kernel's loopback and on simulated hosts, round by round in one process,
//! so that both see the same machine at the same time: `cargo run --release -p bench [ROUNDS [WORKLOAD]]`.
//!
//! What counts are the ratios; absolute figures move with the machine.

mod cells;
mod programs;
mod restarts;

use std::time::{Duration, Instant};

use bizarro::{Lab, Plan};

use cells::Matrix;

/// What a workload did: units of work, and how long they took.
#[derive(Clone, Copy)]
struct Sample {
    units: u64,
    took: Duration,
}

impl Sample {
    fn rate(self) -> f64 {
        self.units as f64 / self.took.as_secs_f64()
    }
}

/// A workload: its real and its simulated form.
struct Workload {
    name: &'static str,
    unit: &'static str,
    real: fn() -> Option<Sample>,
    lab: Lab,
    units: u64,
    /// How many runs make a sample: more than one where the making of worlds is what is measured.
    runs: u64,
    /// The ratio that is wanted of it, or the rate where there is no real form.
    wanted: f64,
}

fn main() {
    // In a world process one of these serves it and does not return.
    let mut workloads = [
        Workload {
            name: "tokio TCP ping-pong, 64 B",
            unit: "round trips/s",
            real: programs::ping_pong_real,
            lab: Lab::open("bench::ping_pong", programs::ping_pong),
            units: programs::ROUND_TRIPS,
            runs: 1,
            wanted: 10.0,
        },
        Workload {
            name: "axum + reqwest GET, keep-alive",
            unit: "requests/s",
            real: programs::http_real,
            lab: Lab::open("bench::http", programs::http),
            units: programs::REQUESTS,
            runs: 1,
            wanted: 2.0,
        },
        Workload {
            name: "spawn + join of a thread",
            unit: "threads/s",
            real: programs::threads_real,
            lab: Lab::open("bench::threads", programs::threads),
            units: programs::THREADS,
            runs: 1,
            wanted: 1.0,
        },
        Workload {
            name: "worlds of 5 hosts, 10 exchanges",
            unit: "worlds/s",
            real: || None,
            lab: Lab::open("bench::five_hosts", programs::five_hosts),
            units: 1,
            runs: 500,
            wanted: 2000.0,
        },
    ];
    let mut matrices = [
        Matrix {
            name: "cells of Pac-Man's matrix",
            lab: Lab::open("bench::pac_man", programs::pac_man),
            exchanges: &[
                "player>board GET /v2/find #1",
                "player>board POST /v2/move #1",
                "player>board POST /v2/move #2",
                "player>board POST /v2/move #3",
            ],
        },
        Matrix {
            name: "cells, after a long start",
            lab: Lab::open("bench::slow_start", programs::slow_start),
            exchanges: &[
                "client>server tcp:9 #1",
                "client>server tcp:9 #2",
                "client>server tcp:9 #3",
                "client>server tcp:9 #4",
            ],
        },
    ];
    let mut restarts = [
        Lab::open("bench::fewer_restarts", restarts::thousand),
        Lab::open("bench::restarts", restarts::ten_thousand),
    ];
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(5);
    let wanted = arguments.next().unwrap_or_default();
    println!(
        "{:<34} {:>14} {:>14} {:>8} {:>8}   medians of {rounds} rounds",
        "workload", "real", "simulated", "ratio", "wanted"
    );
    for workload in workloads.iter_mut().filter(|workload| workload.name.contains(&wanted)) {
        println!("{}", measure(workload, rounds));
    }
    if "restarts".contains(&wanted) {
        let [fewer, more] = &mut restarts;
        println!("restarts of a service of axum: {}", restarts::measure(fewer, more));
    }
    println!("{:<34} {:>14} {:>14}", "", "from the start", "forked");
    for matrix in matrices.iter_mut().filter(|matrix| matrix.name.contains(&wanted)) {
        println!("{}", cells::measure(matrix, rounds));
    }
}

fn measure(workload: &mut Workload, rounds: usize) -> String {
    let (mut real, mut simulated) = (Vec::new(), Vec::new());
    for round in 0..rounds as u64 {
        real.extend((workload.real)().map(Sample::rate));
        simulated.push(simulate(workload, round).rate());
    }
    let (real, simulated) = (median(real), median(simulated));
    let shown = real.map_or("-".to_string(), |rate| format!("{rate:.0}"));
    let ratio =
        real.map_or("-".to_string(), |real| format!("{:.2}", simulated.unwrap_or(0.0) / real));
    format!(
        "{:<34} {shown:>14} {:>14.0} {ratio:>8} {:>8}   {}",
        workload.name,
        simulated.unwrap_or(0.0),
        workload.wanted,
        workload.unit
    )
}

/// One sample: the time that the runs themselves report, or, where worlds are counted, everything from
/// asking for a run to its record.
fn simulate(workload: &mut Workload, round: u64) -> Sample {
    let started = Instant::now();
    let mut inside = Duration::ZERO;
    for run in 0..workload.runs {
        let plan = Plan { seed: round * workload.runs + run + 1, ..Plan::default() };
        let record = workload.lab.run(&plan).unwrap_or_else(|error| panic!("{error}"));
        assert!(
            record.ending == bizarro::Ending::Completed,
            "{} did not end well: {:?}",
            workload.name,
            record.ending
        );
        inside += Duration::from_nanos(record.stats.wall_ns);
    }
    let took = if workload.runs > 1 { started.elapsed() } else { inside };
    Sample { units: workload.units * workload.runs, took }
}

fn median(mut rates: Vec<f64>) -> Option<f64> {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied()
}
