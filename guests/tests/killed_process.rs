//! A process that makes runs and is killed while it makes none is replaced, and owes nobody an answer. This file has one
//! test: it kills what others would use.

use bizarro::prelude::*;
use bizarro::{Lab, RunRecord};

fn describe(world: &mut World) {
    world.host("one").workload(|| std::thread::spawn(|| println!("here")).join().expect("it ends"));
}

/// What happened in a run.
fn shape(record: &RunRecord) -> (u64, String) {
    (record.fingerprint, format!("{:?} {:#?}", record.ending, record.events))
}

/// The processes that a process made and that still live.
fn children(pid: &str) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(str::to_string).collect::<Vec<_>>()).collect()
}

/// Kills the processes that make runs; says how many there were.
fn kill_makers_of_runs() -> usize {
    let makers: Vec<String> = children("self").iter().flat_map(|world| children(world)).collect();
    for maker in &makers {
        let maker = maker.parse().expect("a process id");
        // SAFETY: a signal to a process of this test's own.
        assert_eq!(unsafe { libc::kill(maker, libc::SIGKILL) }, 0);
    }
    makers.len()
}

#[test]
fn a_process_that_dies_between_two_runs_is_replaced() {
    let mut lab =
        Lab::open("killed_process::a_process_that_dies_between_two_runs_is_replaced", describe);
    let plans =
        ["baseline", "seed=5; random"].map(|text| text.parse::<bizarro::Plan>().expect("a plan"));
    let firsts = plans.each_ref().map(|plan| shape(&lab.run(plan).expect("runs can be made")));
    if children("self").is_empty() {
        eprintln!(
            "SKIPPED: this kernel does not say which processes are whose (CONFIG_PROC_CHILDREN)"
        );
        return;
    }
    for round in 0..6 {
        assert!(kill_makers_of_runs() > 0, "{round}: nobody makes runs");
        let at = round % 2;
        assert_eq!(shape(&lab.run(&plans[at]).expect("runs can be made")), firsts[at], "{round}");
    }
}
