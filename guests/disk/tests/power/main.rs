//! The power fails before every change of the disk, and with whatever may be left of it: what was committed is there
//! again, unless the program has a defect.

mod guests;
mod thousand;

use bizarro::prelude::*;
use bizarro::{Ending, Event, Lab, Plan, RunRecord};
use guests::{Defect, Fjall, fjall, log, mapped_log, redb, replaced_file, sqlite};

/// What is wrong with a run in which the power failed; `None` where it did not fail.
fn wrong(record: &RunRecord) -> Option<Result<(), String>> {
    let number = |line: &str, word: &str| line.strip_prefix(word)?.trim().parse::<u64>().ok();
    let (mut committed, mut failed) = (0, None);
    let mut answer = None;
    for stamped in &record.events {
        match &stamped.event {
            Event::PowerFailed { .. } => failed = Some(committed),
            Event::Output { line, .. } => {
                committed = number(line, "committed ").unwrap_or(committed);
                if let (Some(before), Some(found)) = (failed, number(line, "found ")) {
                    let kept = (before..=before + 1).contains(&found);
                    answer = Some(if kept {
                        Ok(())
                    } else {
                        Err(format!("{before} were committed, {found} are there"))
                    });
                }
            }
            Event::Exited { status, .. } if *status != 0 => {
                answer = Some(Err(format!("{} ended with status {status}", record.plan)));
            }
            Event::Panicked { message, .. } => answer = Some(Err(message.clone())),
            _ => {}
        }
    }
    if failed.is_some() && record.ending != Ending::Completed {
        answer = Some(Err(format!("{:?}", record.ending)));
    }
    failed.map(|_| answer.unwrap_or_else(|| Err("it did not start again".to_string())))
}

/// Has the power fail before each change, once with nothing left that was not synced and a few times with something;
/// gives how many runs there were and what went wrong, with the plan.
fn everywhere(lab: &mut Lab, draws: u64) -> (usize, Vec<String>) {
    let (mut runs, mut failures) = (0, Vec::new());
    for change in 1.. {
        let lost = format!("at disk db #{change}: power-off db");
        let mut plans = vec![lost.clone(), format!("{lost} all")];
        // A seed of its own for each, so that not the same is drawn before every change.
        let seeds = change * draws + 1..=change * draws + draws;
        plans.extend(seeds.map(|seed| format!("seed={seed}; {lost} some")));
        for plan in plans {
            let parsed: Plan = plan.parse().expect("it is a plan");
            let record = lab.run(&parsed).expect("runs can be made");
            let Some(answer) = wrong(&record) else { return (runs, failures) };
            runs += 1;
            failures.extend(answer.err().map(|what| format!("{plan}: {what}")));
        }
    }
    (runs, failures)
}

/// What a test of a log expects: that its defect is found.
#[track_caller]
fn is_found(name: &str, describe: fn(&mut World), expected: &str) {
    let mut lab = Lab::open(&format!("power::{name}"), describe);
    let (runs, failures) = everywhere(&mut lab, 12);
    assert!(runs > 100, "{runs} runs");
    assert!(failures.iter().any(|what| what.contains(expected)), "{runs} runs, {failures:#?}");
}

#[track_caller]
fn holds(name: &str, describe: fn(&mut World), draws: u64) {
    let mut lab = Lab::open(&format!("power::{name}"), describe);
    let (runs, failures) = everywhere(&mut lab, draws);
    eprintln!("{name}: {runs} runs in which the power failed");
    assert!(runs > 100, "{runs} runs");
    assert_eq!(failures, Vec::<String>::new());
}

#[test]
fn a_log_that_syncs_and_checks_holds() {
    holds(
        "a_log_that_syncs_and_checks_holds",
        |world| {
            world.host("db").workload(|| log(Defect::None));
        },
        12,
    );
}

#[test]
fn a_log_that_does_not_sync_loses() {
    is_found(
        "a_log_that_does_not_sync_loses",
        |world| {
            world.host("db").workload(|| log(Defect::NoSync));
        },
        " were committed, 1 are there",
    );
}

#[test]
fn a_log_whose_directory_is_not_synced_vanishes() {
    is_found(
        "a_log_whose_directory_is_not_synced_vanishes",
        |world| {
            world.host("db").workload(|| log(Defect::NoSyncOfTheDirectory));
        },
        " were committed, 0 are there",
    );
}

#[test]
fn a_log_without_checksums_takes_torn_records() {
    is_found(
        "a_log_without_checksums_takes_torn_records",
        |world| {
            world.host("db").workload(|| log(Defect::NoChecksum));
        },
        "ended with status 1",
    );
}

/// What the name of the rollback journal needs, which SQLite's documentation says of `PRAGMA synchronous`: with FULL the
/// removal of the journal is not synced, and a journal that comes back takes the last commit with it.
#[test]
fn sqlite_may_lose_its_last_commit_unless_it_is_extra_synchronous() {
    is_found(
        "sqlite_may_lose_its_last_commit_unless_it_is_extra_synchronous",
        |world| {
            world.host("db").workload(|| sqlite("DELETE", "FULL", 12));
        },
        "7 were committed, 6 are there",
    );
}

#[test]
fn sqlite_holds() {
    holds(
        "sqlite_holds",
        |world| {
            world.host("db").workload(|| sqlite("DELETE", "EXTRA", 12));
        },
        2,
    );
}

/// The index of the log is mapped and shared, and never synced.
#[test]
fn sqlite_with_a_write_ahead_log_holds() {
    holds(
        "sqlite_with_a_write_ahead_log_holds",
        |world| {
            world.host("db").workload(|| sqlite("WAL", "FULL", 12));
        },
        2,
    );
}

/// As its documentation says of `PRAGMA synchronous`: the log is synced only before a checkpoint.
#[test]
fn sqlite_with_a_write_ahead_log_may_lose_commits_unless_it_is_fully_synchronous() {
    is_found(
        "sqlite_with_a_write_ahead_log_may_lose_commits_unless_it_is_fully_synchronous",
        |world| {
            world.host("db").workload(|| sqlite("WAL", "NORMAL", 40));
        },
        " were committed, ",
    );
}

#[test]
fn a_file_that_is_replaced_holds() {
    holds(
        "a_file_that_is_replaced_holds",
        |world| {
            world.host("db").workload(|| replaced_file(Defect::None));
        },
        4,
    );
}

/// What has the name may be empty, or a part of what was written: both are seen.
#[test]
fn a_file_that_is_renamed_before_it_is_synced_may_be_empty_or_torn() {
    let name = "a_file_that_is_renamed_before_it_is_synced_may_be_empty_or_torn";
    let mut lab = Lab::open(&format!("power::{name}"), |world| {
        world.host("db").workload(|| replaced_file(Defect::RenameBeforeSync));
    });
    let (runs, failures) = everywhere(&mut lab, 8);
    assert!(runs > 100, "{runs} runs");
    for expected in [" were committed, 0 are there", "ended with status 1"] {
        assert!(failures.iter().any(|what| what.contains(expected)), "{expected}: {failures:#?}");
    }
}

#[test]
fn a_mapped_log_holds() {
    holds(
        "a_mapped_log_holds",
        |world| {
            world.host("db").workload(|| mapped_log(Defect::None));
        },
        12,
    );
}

#[test]
fn a_mapped_log_that_is_not_synced_loses() {
    is_found(
        "a_mapped_log_that_is_not_synced_loses",
        |world| {
            world.host("db").workload(|| mapped_log(Defect::NoSync));
        },
        " were committed, 0 are there",
    );
}

#[test]
fn a_mapped_log_without_checksums_takes_torn_records() {
    is_found(
        "a_mapped_log_without_checksums_takes_torn_records",
        |world| {
            world.host("db").workload(|| mapped_log(Defect::NoChecksum));
        },
        "ended with status 1",
    );
}

#[test]
fn redb_holds() {
    holds(
        "redb_holds",
        |world| {
            world.host("db").workload(|| redb(12));
        },
        2,
    );
}

#[test]
fn fjall_holds() {
    holds(
        "fjall_holds",
        |world| {
            world.host("db").workload(|| fjall(12, Fjall::Synced));
        },
        2,
    );
}

/// As its documentation says of `PersistMode::Buffer`: what is in the operating system's buffers goes with the power.
#[test]
fn fjall_that_does_not_sync_loses() {
    is_found(
        "fjall_that_does_not_sync_loses",
        |world| {
            world.host("db").workload(|| fjall(12, Fjall::Buffered));
        },
        " were committed, ",
    );
}

/// fsync(2): that a directory has an entry for the file takes an fsync of the directory, too. Where the file system syncs
/// more than it has to, as ext4 does, this is not seen.
#[test]
fn fjall_loses_a_partition_whose_name_nobody_synced() {
    is_found(
        "fjall_loses_a_partition_whose_name_nobody_synced",
        |world| {
            world.host("db").workload(|| fjall(12, Fjall::UnsyncedName));
        },
        " were committed, 0 are there",
    );
}
