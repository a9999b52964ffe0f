//! The views of the toy's runs, as a reader sees them.

use std::time::Duration;

use bizarro_explore::toy::{Board, Player, Toy};
use bizarro_explore::{
    MatrixOptions, MatrixReport, Repeat, Runner, SchedulesReport, Silent, Verdict, compare,
    plan_without, verdict,
};
use bizarro_record::record::TaskState;
use bizarro_record::{Ending, Event, Nanos, Plan, RunRecord, Stamped, Stream};
use bizarro_report::{
    Colour, Look, difference, matrix, matrix_line, schedules, schedules_line, story, verdict_text,
};
use expect_test::{Expect, expect};

fn explored(toy: Toy) -> MatrixReport {
    let mut runners: Vec<Box<dyn Runner + Send>> = vec![Box::new(toy)];
    let options = MatrixOptions::default();
    let mut report = bizarro_explore::matrix(&mut runners, options, &mut Silent).unwrap();
    report.wall = Duration::from_millis(3_100);
    report
}

fn scheduled(toy: Toy, seeds: u64) -> SchedulesReport {
    let mut runners: Vec<Box<dyn Runner + Send>> = vec![Box::new(toy)];
    let mut report =
        bizarro_explore::schedules(&mut runners, seeds, Repeat::Baseline, &mut Silent).unwrap();
    report.wall = Duration::from_millis(420);
    report
}

fn play(toy: Toy, plan: &str) -> RunRecord {
    toy.play(&plan.parse().unwrap())
}

/// The story of a run beside the baseline of the same toy.
fn told(toy: Toy, plan: &str, change: impl Fn(&mut RunRecord)) -> String {
    let baseline = play(toy, "baseline");
    let mut record = play(toy, plan);
    change(&mut record);
    let verdict = verdict(&record, Some(&baseline));
    story(&record, &verdict, Some(&baseline), Look::PLAIN)
}

#[track_caller]
fn check(actual: String, expected: Expect) {
    expected.assert_eq(&actual);
}

mod differences;
mod matrices;
mod stopped;
mod stories;

/// Every command that a view prints is one that a shell and the command line understand, and names a
/// plan of the report.
#[test]
fn every_printed_command_repeats_a_run_of_the_report() {
    for player in [Player::Patient, Player::Naive, Player::Careful] {
        let report = explored(Toy::new(player));
        for width in [1, 20, 64, 100, 300] {
            let text = matrix(&report, Look { width, ..Look::PLAIN });
            let commands: Vec<&str> =
                text.lines().map(str::trim).filter(|line| line.starts_with("cargo ")).collect();
            // Of each dependency that is needed the first of its worst runs.
            let needed = report.dependencies.iter().map(|dependency| &dependency.removals[0]);
            let needed = needed.map(|removed| {
                let plan = plan_without(&removed.removal, &Plan::default());
                (plan, removed.verdict.clone())
            });
            let found = report.findings.iter().map(|f| (f.plan().clone(), f.verdict.clone()));
            let told: Vec<(Plan, Verdict)> = needed.chain(found).collect();
            assert_eq!(commands.len(), told.len());
            for (command, (meant, judged)) in commands.iter().zip(told) {
                let words = shlex::split(command).unwrap();
                assert_eq!(words[..4], ["cargo", "bizarro", "replay", "pacman::toy"]);
                let plan: Plan = words[4].parse().unwrap();
                assert_eq!(plan, meant);
                let again = Toy::new(player).play(&plan);
                assert_eq!(verdict(&again, Some(&report.baseline)), judged);
            }
        }
    }
}

/// Colour adds escape sequences and nothing else.
#[test]
fn colour_changes_no_character() {
    let coloured = Look { width: 100, colour: Colour::Always };
    let toy = Toy::new(Player::Naive);
    let (report, baseline) = (explored(toy), play(toy, "baseline"));
    let record = play(toy, "player>board POST /move #2 deliver-reply=lost");
    let judged = verdict(&record, Some(&baseline));
    let views: [&dyn Fn(Look) -> String; 4] = [
        &|look| matrix(&report, look),
        &|look| matrix_line(&report, look),
        &|look| story(&record, &judged, Some(&baseline), look),
        &|look| verdict_text("t", &record.plan, &judged, look),
    ];
    for view in views {
        let text = view(coloured);
        assert!(text.contains("\x1b["));
        assert_eq!(without_escapes(&text), view(Look::PLAIN));
    }
}

fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap().to_string();
    first + &parts.map(|part| part.split_once('m').unwrap().1).collect::<String>()
}
