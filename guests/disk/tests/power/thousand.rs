//! A thousand transactions, with the power failing before changes at equal distances; before every one where
//! `BIZARRO_EVERY_CHANGE` is set, which takes a while (`cargo test --release -p guests-disk --test power thousand`).

use bizarro::prelude::*;
use bizarro::{Lab, Plan};

use crate::guests::{Fjall, fjall, redb, sqlite};
use crate::wrong;

const TRANSACTIONS: u64 = 1000;
/// Changes before which the power fails, where not before all.
const SAMPLE: u64 = 24;

/// How many changes there are: the last one before which the power still fails.
fn changes(lab: &mut Lab) -> u64 {
    let mut fails_at = |change: u64| {
        let plan: Plan = format!("at disk db #{change}: power-off db").parse().expect("a plan");
        wrong(&lab.run(&plan).expect("runs can be made")).is_some()
    };
    let (mut low, mut high) = (1, 1 << 20);
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if fails_at(middle) { low = middle } else { high = middle }
    }
    low
}

#[track_caller]
fn loses_nothing(name: &str, describe: fn(&mut World)) {
    let mut lab = Lab::open(&format!("power::thousand::{name}"), describe);
    let changes = changes(&mut lab);
    assert!(changes > 2 * TRANSACTIONS, "{changes} changes");
    let every = std::env::var_os("BIZARRO_EVERY_CHANGE").is_some();
    let distance = if every { 1 } else { changes / SAMPLE };
    let (mut runs, mut failures) = (0, Vec::new());
    for change in (1..=changes).step_by(distance as usize) {
        let lost = format!("at disk db #{change}: power-off db");
        for plan in [lost.clone(), format!("seed={change}; {lost} some")] {
            let parsed: Plan = plan.parse().expect("a plan");
            let answer = wrong(&lab.run(&parsed).expect("runs can be made"));
            runs += 1;
            if let Err(what) = answer.expect("the power fails") {
                failures.push(format!("{plan}: {what}"));
            }
        }
    }
    eprintln!("{name}: {changes} changes, {runs} runs");
    assert_eq!(failures, Vec::<String>::new());
}

#[test]
fn sqlite_loses_nothing() {
    loses_nothing("sqlite_loses_nothing", |world| {
        world.host("db").workload(|| sqlite("DELETE", "EXTRA", TRANSACTIONS));
    });
}

#[test]
fn sqlite_with_a_write_ahead_log_loses_nothing() {
    loses_nothing("sqlite_with_a_write_ahead_log_loses_nothing", |world| {
        world.host("db").workload(|| sqlite("WAL", "FULL", TRANSACTIONS));
    });
}

#[test]
fn redb_loses_nothing() {
    loses_nothing("redb_loses_nothing", |world| {
        world.host("db").workload(|| redb(TRANSACTIONS));
    });
}

#[test]
fn fjall_loses_nothing() {
    loses_nothing("fjall_loses_nothing", |world| {
        world.host("db").workload(|| fjall(TRANSACTIONS, Fjall::Synced));
    });
}
