//! Who depends on whom, in the toy and between groups.

use std::fmt::Write as _;

use bizarro_explore::toy::{Player, Scores, Toy};
use bizarro_explore::{
    Criticality, Finding, MatrixOptions, MatrixReport, Outcome, Place, Runner, RunnerError, Silent,
    Skip, Variants, matrix, verdict,
};
use bizarro_fault::{Network, SystemModel};
use bizarro_record::{Declared, Level, Plan, RunRecord};
use expect_test::{Expect, expect};

/// The toy in groups of hosts.
#[derive(Clone, Copy)]
struct Grouped(Toy, &'static [&'static str]);

impl Runner for Grouped {
    fn run(&mut self, plan: &Plan) -> Result<RunRecord, RunnerError> {
        let Grouped(toy, groups) = *self;
        let mut record = toy.play(plan);
        record.groups = groups.iter().map(ToString::to_string).collect();
        Ok(record)
    }
}

fn explored(runner: impl Runner + Send + Copy + 'static, options: MatrixOptions) -> MatrixReport {
    let options = MatrixOptions { lasting: Variants::Once, ..options };
    let mut runners: Vec<Box<dyn Runner + Send>> = vec![Box::new(runner), Box::new(runner)];
    matrix(&mut runners, options, &mut Silent).unwrap()
}

fn toy(scores: Scores) -> Toy {
    // A careful player asks again, and is told that its move was made; a naive one does not survive that.
    let player = if scores == Scores::Required { Player::Naive } else { Player::Careful };
    Toy { scores, ..Toy::new(player) }
}

fn told(report: &MatrixReport) -> String {
    let mut text = String::new();
    for dependency in &report.dependencies {
        let names: Vec<String> =
            dependency.names.iter().map(|(name, count)| format!("{name} ×{count}")).collect();
        let (client, server) = (&dependency.client, &dependency.server);
        writeln!(text, "{client} → {server}: {}", names.join(", ")).unwrap();
        for removed in &dependency.removals {
            let words = removed.criticality.map_or("not tried", Criticality::words);
            let broken: Vec<&str> = removed.verdict.properties().collect();
            write!(text, "  {}: {words}", removed.removal).unwrap();
            if let Some(loss) = removed.loss {
                let (exchanges, operations) = (loss.exchanges, loss.operations);
                write!(
                    text,
                    ", {} longer, {exchanges} exchanges, {operations} operations",
                    loss.longer
                )
                .unwrap();
            }
            writeln!(text, " {}", broken.join(" + ")).unwrap();
        }
    }
    text
}

#[track_caller]
fn check(scores: Scores, expected: Expect) {
    expected.assert_eq(&told(&explored(toy(scores), MatrixOptions::default())));
}

#[test]
fn what_nobody_waits_for_is_not_needed() {
    check(
        Scores::Noted,
        expect![[r#"
        player → board: POST /move ×3, GET /findAll ×3
          player>board removed=refused: critical, 600.090981 s longer, 0 exchanges, 0 operations the game ends + the workload ends
          player>board removed=unreachable: critical, 600.090981 s longer, 0 exchanges, 0 operations the game ends + the workload ends
          player>board removed=partition: critical, 604.990981 s longer, 0 exchanges, 0 operations the game ends + the workload ends
        board → scores: PUT /score ×3
          board>scores removed=refused: not needed, 0.000000 s longer, 0 exchanges, 0 operations 
          board>scores removed=unreachable: not needed, 0.000000 s longer, 0 exchanges, 0 operations 
          board>scores removed=partition: not needed, 0.000000 s longer, 0 exchanges, 0 operations 
    "#]],
    );
}

#[test]
fn what_is_waited_for_makes_the_run_longer() {
    check(
        Scores::Awaited,
        expect![[r#"
        player → board: POST /move ×3, GET /findAll ×3
          player>board removed=refused: critical, 600.090981 s longer, 0 exchanges, 0 operations the game ends + the workload ends
          player>board removed=unreachable: critical, 600.090981 s longer, 0 exchanges, 0 operations the game ends + the workload ends
          player>board removed=partition: critical, 604.990981 s longer, 0 exchanges, 0 operations the game ends + the workload ends
        board → scores: PUT /score ×3
          board>scores removed=refused: degraded, 5.996998 s longer, 0 exchanges, 0 operations 
          board>scores removed=unreachable: degraded, 5.996998 s longer, 0 exchanges, 0 operations 
          board>scores removed=partition: degraded, 5.996998 s longer, 0 exchanges, 0 operations 
    "#]],
    );
}

#[test]
fn what_is_insisted_on_is_critical() {
    check(
        Scores::Required,
        expect![[r#"
            player → board: POST /move ×3, GET /findAll ×3
              player>board removed=refused: critical, 600.090981 s longer, 0 exchanges, 0 operations the game ends + the workload ends
              player>board removed=unreachable: critical, 600.090981 s longer, 0 exchanges, 0 operations the game ends + the workload ends
              player>board removed=partition: critical, 604.990981 s longer, 0 exchanges, 0 operations the game ends + the workload ends
            board → scores: PUT /score ×3
              board>scores removed=refused: critical, 600.034433 s longer, 6 exchanges, 0 operations each move is applied at most once + the game ends + the workload ends
              board>scores removed=unreachable: critical, 600.034433 s longer, 6 exchanges, 0 operations each move is applied at most once + the game ends + the workload ends
              board>scores removed=partition: critical, 600.034433 s longer, 6 exchanges, 0 operations each move is applied at most once + the game ends + the workload ends
        "#]],
    );
}

/// Nobody's failure, unless the test says that it holds without the host.
#[test]
fn a_critical_host_that_is_declared_not_to_be_is_a_finding() {
    let of_edges = |report: &MatrixReport| -> Vec<Finding> {
        let findings = report.findings.iter();
        findings.filter(|f| matches!(f.place, Place::Dependency { .. })).cloned().collect()
    };
    let report = explored(toy(Scores::Required), MatrixOptions::default());
    assert_eq!(of_edges(&report), []);
    assert!(report.dependencies.iter().all(|d| d.outcome() == Outcome::Held));

    let options =
        || MatrixOptions { non_critical: vec!["scores".to_string()], ..MatrixOptions::default() };
    let report = explored(toy(Scores::Required), options());
    let [board, scores] = &report.dependencies[..] else { panic!("two dependencies") };
    assert_eq!((board.declared, scores.declared), (Declared::Nothing, Declared::NonCritical));
    assert!(scores.is_misplaced() && !board.is_misplaced());
    assert_eq!(scores.outcome(), Outcome::Violated);
    let found = of_edges(&report);
    let [finding] = &found[..] else { panic!("{}", found.len()) };
    let (client, server) = ("board".to_string(), "scores".to_string());
    assert_eq!(finding.place, Place::Dependency { client, server });
    assert_eq!(finding.plan().to_string(), "board>scores removed=refused");
    assert_eq!(finding.plans.len(), 3);

    let report = explored(toy(Scores::Awaited), options());
    assert_eq!(of_edges(&report), []);
    assert!(!report.dependencies[1].is_misplaced());
}

#[test]
fn what_the_model_excludes_is_not_tried() {
    let model = SystemModel { network: Network::Reliable, ..SystemModel::default() };
    let report = explored(toy(Scores::Noted), MatrixOptions { model, ..MatrixOptions::default() });
    let removals = || report.dependencies.iter().flat_map(|d| &d.removals);
    assert_eq!(removals().count(), 6);
    assert!(removals().all(|r| r.skip == Some(Skip::OutsideModel) && r.criticality.is_none()));
    assert!(report.dependencies.iter().all(|d| d.criticality().is_none()));
}

/// Between groups there is one client and one server, and what they ask each other within is not seen.
#[test]
fn groups_are_asked_as_one() {
    let options = || MatrixOptions { level: Level::Groups, ..MatrixOptions::default() };
    let halves = Grouped(toy(Scores::Noted), &["game", "player", "game"]);
    let report = explored(halves, options());
    assert_eq!(report.baseline.exchanges.len(), 9);
    assert_eq!(report.cells.len(), 6 * 8);
    assert!(report.cells.iter().all(|cell| cell.exchange.server == "game"));
    // The toy itself knows nothing of groups, so no fault strikes there.
    let struck = report.cells.iter().flat_map(|cell| &cell.variants);
    assert!(
        struck.filter(|v| v.skip.is_none()).all(|v| v.verdict.outcome == Outcome::NotApplicable)
    );
    assert_eq!(told(&report).lines().next(), Some("player → game: POST /move ×3, GET /findAll ×3"));

    let one = Grouped(toy(Scores::Noted), &["all", "all", "all"]);
    let report = explored(one, options());
    assert_eq!((report.cells.len(), report.dependencies.len()), (0, 0));
}

/// A fault between groups has struck where the exchange that it struck is the one of this number between them.
#[test]
fn a_strike_is_found_by_its_number_between_groups() {
    let mut record =
        toy(Scores::Noted).play(&"player>board POST /move #2 deliver-reply=lost".parse().unwrap());
    record.groups = vec!["boards".into(), "players".into(), "scores".into()];
    let missed = |plan: &str| {
        let plan: Plan = plan.parse().unwrap();
        verdict(&RunRecord { plan, ..record.clone() }, None).missed.len()
    };
    assert_eq!(missed("players>boards POST /move #2 deliver-reply=lost"), 0);
    assert_eq!(missed("players>boards POST /move #1+ deliver-reply=lost"), 0);
    assert_eq!(missed("players>boards POST /move #3 deliver-reply=lost"), 1);
    assert_eq!(missed("boards>players POST /move #2 deliver-reply=lost"), 1);
    assert_eq!(missed("players>boards removed=refused"), 1);
}
