use super::*;
use bizarro_report::{event_lines, stopped};

fn halted(ending: Ending) -> RunRecord {
    let mut record = play(Toy::new(Player::Naive), "player>board POST /move #2 deliver-reply=lost");
    record.events.truncate(8);
    record.ending = ending;
    record
}

fn task(tid: u32, waits_for: &str, backtrace: &str) -> TaskState {
    TaskState {
        host: "player".to_string(),
        tid,
        name: "ma\u{1b}in".to_string(),
        waits_for: waits_for.to_string(),
        backtrace: backtrace.to_string(),
    }
}

#[test]
fn every_task_says_where_it_is() {
    let tasks = vec![
        task(
            4,
            "socket 3",
            "std::net::read at library/std/src/net.rs:7\nplayer::main at src/main.rs:9",
        ),
        task(5, "running", ""),
    ];
    let record = halted(Ending::Deadline { tasks });
    check(
        stopped(&record, Nanos::from_millis(5), Look::PLAIN),
        expect![[r#"

        pacman::toy   player>board POST /move #2 deliver-reply=lost

             0.000000 s  board starts
             0.000000 s  player starts
             0.000579 s  board │ move 1 applied
             0.002649 s  board │ move 2 applied
             0.002649 s  board fault at player>board POST /move #2: the reply was lost on the way
             5.003075 s  board │ move 2 applied
             5.005111 s  board │ move 3 applied
             5.006503 s  player │ game over

          stopped at 0.005000 s

          player task 4 `ma\u{1b}in`: socket 3
            std::net::read at library/std/src/net.rs:7
            player::main at src/main.rs:9

          player task 5 `ma\u{1b}in`: running
    "#]],
    );
}

#[test]
fn a_run_that_ended_before_has_no_tasks() {
    let record = halted(Ending::Completed);
    check(
        stopped(&record, Nanos::from_secs(500), Look::PLAIN),
        expect![[r#"

        pacman::toy   player>board POST /move #2 deliver-reply=lost

             0.000000 s  board starts
             0.000000 s  player starts
             0.000579 s  board │ move 1 applied
             0.002649 s  board │ move 2 applied
             0.002649 s  board fault at player>board POST /move #2: the reply was lost on the way
             5.003075 s  board │ move 2 applied
             5.005111 s  board │ move 3 applied
             5.006503 s  player │ game over

          the run was over at 5.006503 s, before it was stopped
    "#]],
    );
}

#[test]
fn lines_have_hosts_and_times() {
    let lines = event_lines(&play(Toy::new(Player::Naive), "baseline"));
    assert_eq!(lines[0], (Nanos::ZERO, "board starts".to_string()));
    assert!(
        lines.iter().any(|(at, line)| at.0 > 0 && line == "board │ move 1 applied"),
        "{lines:?}"
    );
}
