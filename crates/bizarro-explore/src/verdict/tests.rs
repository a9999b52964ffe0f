use super::*;
use crate::toy::{Player, Toy};
use bizarro_record::{Plan, Stamped};

fn plan(text: &str) -> Plan {
    text.parse().unwrap()
}

/// A careful game without faults, then changed by hand.
fn record(change: impl FnOnce(&mut RunRecord)) -> RunRecord {
    let mut record = Toy::new(Player::Careful).play(&Plan::default());
    change(&mut record);
    record
}

fn happened(record: &mut RunRecord, host: u16, event: Event) {
    record.events.push(Stamped { at: Nanos::from_secs(9), host, tid: 4, event });
}

fn panicked(message: &str) -> Event {
    Event::Panicked { message: message.to_string(), backtrace: "program+0x1".to_string() }
}

/// The verdict in a line: outcome, then properties with their facts, then doubts.
fn told(record: &RunRecord) -> String {
    let verdict = verdict(record, None);
    let mut text = verdict.outcome.words().to_string();
    for v in &verdict.broken {
        let host = v.host.as_deref().unwrap_or("-");
        text += &format!(" | {} [{host}] {}", v.property, v.fact);
    }
    for doubt in &verdict.doubts {
        text += &format!(" | {doubt}");
    }
    text
}

#[test]
fn a_good_run_held() {
    assert_eq!(told(&record(|_| {})), "held");
}

#[test]
fn a_stated_property_that_failed_is_violated_with_its_fact() {
    let record =
        Toy::new(Player::Naive).play(&plan("player>board POST /move #2 deliver-reply=lost"));
    assert_eq!(
        told(&record),
        "violated | each move is applied at most once [board] move 2 was applied twice"
    );
}

#[test]
fn eventually_needs_one_look_that_succeeds() {
    let looked = |passes, failures| {
        told(&record(|r| {
            let property =
                r.properties.iter_mut().find(|p| p.kind == PropertyKind::Eventually).unwrap();
            (property.passes, property.failures) = (passes, failures);
        }))
    };
    assert_eq!(looked(0, 0), "held");
    assert_eq!(looked(1, 7), "held");
    assert_eq!(looked(0, 7), "violated | the game ends [-] ");
}

#[test]
fn sometimes_is_no_matter_of_one_run() {
    let record = record(|r| {
        for property in &mut r.properties {
            if property.kind == PropertyKind::Sometimes {
                (property.passes, property.failures) = (0, 3);
            }
        }
    });
    assert_eq!(told(&record), "held");
}

#[test]
fn a_panic_is_told_once() {
    let unwound = record(|r| {
        happened(r, 1, panicked("index out of bounds"));
        happened(r, 1, Event::Exited { status: 101, backtrace: String::new() });
    });
    assert_eq!(told(&unwound), "crashed | no panic [player] index out of bounds");
    let aborted = record(|r| {
        happened(r, 1, panicked("index out of bounds"));
        happened(r, 1, Event::Killed { signal: 6, backtrace: String::new() });
    });
    assert_eq!(told(&aborted), told(&unwound));
}

#[test]
fn a_new_incarnation_has_not_panicked() {
    let record = record(|r| {
        happened(r, 0, panicked("first"));
        happened(r, 0, Event::Started { incarnation: 2 });
        happened(r, 0, Event::Killed { signal: 6, backtrace: String::new() });
    });
    assert_eq!(
        told(&record),
        "crashed | no panic [board] first | no crash by a signal [board] killed by SIGABRT"
    );
}

#[test]
fn signals_and_statuses_are_crashes() {
    let killed =
        record(|r| happened(r, 0, Event::Killed { signal: 11, backtrace: "f".to_string() }));
    assert_eq!(told(&killed), "crashed | no crash by a signal [board] killed by SIGSEGV");
    let exited = record(|r| happened(r, 1, Event::Exited { status: 3, backtrace: String::new() }));
    assert_eq!(told(&exited), "crashed | programs end with success [player] ended with status 3");
}

#[test]
fn a_crash_that_a_fault_made_is_none_of_the_programs() {
    assert_eq!(told(&record(|r| happened(r, 0, Event::Crashed))), "held");
}

fn task(name: &str, waits_for: &str) -> TaskState {
    TaskState {
        host: "player".to_string(),
        tid: 4,
        name: name.to_string(),
        waits_for: waits_for.to_string(),
        backtrace: String::new(),
    }
}

#[test]
fn a_run_without_end_is_stuck() {
    let deadlock = record(|r| {
        let tasks = vec![task("main", "futex(0x7f10)"), task("io", "epoll_wait(5)")];
        r.ending = Ending::Deadlock { tasks };
    });
    assert_eq!(
        told(&deadlock),
        "stuck | no deadlock [-] player's task 4 `main` waits in futex(0x7f10), and 1 other task waits"
    );
    let late = record(|r| r.ending = Ending::Deadline { tasks: vec![task("main", "running")] });
    assert_eq!(told(&late), "stuck | the workload ends [-] player's task 4 `main` is running");
    let spinning = record(|r| {
        r.ending = Ending::Spinning { task: task("main", "running"), backtrace: String::new() };
    });
    assert_eq!(
        told(&spinning),
        "stuck | no endless loop [player] task 4 `main` uses time without a system call"
    );
}

#[test]
fn the_worst_names_the_outcome() {
    let record = record(|r| {
        r.ending = Ending::Deadlock { tasks: vec![] };
        happened(r, 1, Event::Exited { status: 3, backtrace: String::new() });
    });
    assert_eq!(
        told(&record),
        "crashed | programs end with success [player] ended with status 3 | no deadlock [-] no task is left"
    );
}

#[test]
fn what_is_not_simulated_is_in_doubt_whatever_else_broke() {
    let record = record(|r| {
        happened(r, 0, Event::Unsupported { call: "io_uring_setup(256)".to_string() });
        happened(r, 0, Event::Unsupported { call: "io_uring_setup(128)".to_string() });
        happened(r, 1, Event::Exited { status: 3, backtrace: String::new() });
    });
    assert_eq!(
        told(&record),
        "inconclusive | programs end with success [player] ended with status 3 \
         | board called io_uring_setup(256) at 9.000000 s (task 4), which Bizarro does not simulate yet"
    );
}

#[test]
fn a_lost_process_is_in_doubt() {
    let record = record(|r| r.ending = Ending::Lost { reason: "killed by SIGKILL".to_string() });
    assert_eq!(told(&record), "inconclusive | the world process was lost: killed by SIGKILL");
}

#[test]
fn a_fault_that_never_struck_is_not_applicable_unless_it_broke_something_new() {
    let baseline = record(|_| {});
    let missing = plan("player>board POST /move #99 deliver-reply=lost");
    let missed = record(|r| r.plan = missing.clone());
    let judged = verdict(&missed, Some(&baseline));
    assert_eq!((judged.outcome, judged.missed.len()), (Outcome::NotApplicable, 1));

    let broken =
        |r: &mut RunRecord| happened(r, 1, Event::Exited { status: 3, backtrace: String::new() });
    let missed = record(|r| {
        r.plan = missing.clone();
        broken(r);
    });
    assert_eq!(verdict(&missed, Some(&baseline)).outcome, Outcome::Crashed);
    assert_eq!(verdict(&missed, Some(&record(broken))).outcome, Outcome::NotApplicable);
}

#[test]
fn one_strike_of_two_is_judged() {
    let both = plan(
        "player>board POST /move #1 post-request=reset; player>board POST /move #99 post-reply=reset",
    );
    let judged = verdict(&Toy::new(Player::Careful).play(&both), None);
    assert_eq!((judged.outcome, judged.missed.len()), (Outcome::Held, 1));
}
