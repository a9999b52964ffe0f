//! The matrix of the toy, whole.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bizarro_explore::toy::{Board, Player, Toy};
use bizarro_explore::{
    Cell, FirstDifference, Forks, MatrixOptions, MatrixReport, Outcome, Phase, Place, Progress,
    Recovery, Repeat, Runner, RunnerError, Silent, Skip, Variant, Variants, Verdict, compare,
    matrix, schedules, self_check, verdict,
};
use bizarro_fault::{Network, SystemModel};
use bizarro_record::{Effect, Event, Injection, Lasting, Nanos, Plan, RunRecord, Step};
use expect_test::{Expect, expect};

fn runners(toy: Toy, jobs: usize) -> Vec<Box<dyn Runner + Send>> {
    (0..jobs).map(|_| Box::new(toy) as Box<dyn Runner + Send>).collect()
}

fn explored(toy: Toy, jobs: usize) -> MatrixReport {
    let mut report =
        matrix(&mut runners(toy, jobs), MatrixOptions::default(), &mut Silent).unwrap();
    report.wall = std::time::Duration::ZERO;
    report
}

/// A letter for each variant, a column for each step.
fn drawn(report: &MatrixReport) -> String {
    let mut text = String::new();
    for row in report.cells.chunks(8) {
        let columns: Vec<String> = row
            .iter()
            .map(|cell| {
                cell.variants
                    .iter()
                    .map(|v| match v.verdict.outcome {
                        Outcome::Held => '✓',
                        Outcome::NotApplicable => '·',
                        Outcome::Inconclusive => '?',
                        Outcome::Stuck => 'S',
                        Outcome::Crashed => 'C',
                        Outcome::Violated => 'V',
                    })
                    .collect()
            })
            .collect();
        writeln!(text, "{:<28} {}", row[0].exchange.to_string(), columns.join(" ")).unwrap();
    }
    for finding in &report.findings {
        let properties = finding.properties.join(" + ");
        writeln!(text, "{properties}: {} × {}", finding.plan(), finding.plans.len()).unwrap();
    }
    writeln!(text, "{} runs, {} broken", report.runs, report.cells_broken()).unwrap();
    text
}

#[track_caller]
fn check(player: Player, expected: Expect) {
    expected.assert_eq(&drawn(&explored(Toy::new(player), 1)));
}

#[test]
fn the_careful_player_holds_in_every_cell() {
    check(
        Player::Careful,
        expect![[r#"
            player>board POST /move #1   ✓✓✓✓✓✓ ✓✓✓✓✓✓ ✓✓✓·✓✓✓· ✓✓✓✓✓✓✓✓✓✓✓✓✓✓ ✓✓✓✓✓✓ ✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓✓✓ ✓✓···✓✓···
            player>board GET /findAll #1 ✓✓✓✓✓✓ ✓✓✓✓✓✓ ✓✓✓·✓✓✓· ··✓✓✓···✓✓✓· ✓✓·✓✓· ✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓✓✓ ✓✓···✓✓···
            player>board POST /move #2   ✓✓✓✓✓✓ ✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓✓✓✓✓✓✓ ✓✓✓✓✓✓ ✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓✓✓ ✓✓···✓✓···
            player>board GET /findAll #2 ✓✓✓✓✓✓ ✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓ ··✓✓✓···✓✓✓· ✓✓·✓✓· ✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓✓✓ ✓✓···✓✓···
            player>board POST /move #3   ✓✓✓✓✓✓ ✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓✓✓✓✓✓✓ ✓✓✓✓✓✓ ✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓✓✓ ✓✓···✓✓···
            player>board GET /findAll #3 ✓✓✓✓✓✓ ✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓ ··✓✓✓···✓✓✓· ✓✓·✓✓· ✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓✓✓ ✓✓···✓✓···
            324 runs, 0 broken
        "#]],
    );
}

#[test]
fn the_naive_player_moves_twice_and_panics() {
    check(
        Player::Naive,
        expect![[r#"
            player>board POST /move #1   ✓✓✓✓✓✓ ✓✓✓✓✓✓ ✓✓✓·✓✓✓· ✓✓✓✓V✓✓✓✓✓✓V✓✓ VVVVVV V✓VV✓V CVCVCCVCVC ✓✓···✓✓···
            player>board GET /findAll #1 ✓✓✓✓✓✓ ✓✓✓✓✓✓ ✓✓✓·✓✓✓· ··✓✓✓···✓✓✓· ✓✓·✓✓· ✓✓✓✓✓✓ C✓C✓CC✓C✓C ✓✓···✓✓···
            player>board POST /move #2   ✓✓✓✓✓✓ ✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓ ✓✓✓✓V✓✓✓✓✓✓V✓✓ VVVVVV V✓VV✓V CVCVCCVCVC ✓✓···✓✓···
            player>board GET /findAll #2 ✓✓✓✓✓✓ ✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓ ··✓✓✓···✓✓✓· ✓✓·✓✓· ✓✓✓✓✓✓ C✓C✓CC✓C✓C ✓✓···✓✓···
            player>board POST /move #3   ✓✓✓✓✓✓ ✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓ ✓✓✓✓V✓✓✓✓✓✓V✓✓ VVVVVV V✓VV✓V CVCVCCVCVC ✓✓···✓✓···
            player>board GET /findAll #3 ✓✓✓✓✓✓ ✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓ ··✓✓✓···✓✓✓· ✓✓·✓✓· ✓✓✓✓✓✓ C✓C✓CC✓C✓C ✓✓···✓✓···
            each move is applied at most once: player>board POST /move #1 post-reply=reset × 48
            no panic: player>board POST /move #1 validate-reply=bit-flip × 9
            no panic: player>board GET /findAll #1 validate-reply=bit-flip × 9
            306 runs, 15 broken
        "#]],
    );
}

#[test]
fn the_patient_player_is_stuck() {
    check(
        Player::Patient,
        expect![[r#"
            player>board POST /move #1   ✓✓✓✓✓✓ V✓✓V✓✓ ✓✓✓·✓✓✓· ✓✓✓✓V✓✓✓✓✓✓V✓✓ VVVVVV V✓VV✓V CVCVCCVCVC ✓✓···✓✓···
            player>board GET /findAll #1 ✓✓✓✓✓✓ V✓✓V✓✓ ✓✓✓·✓✓✓· ··✓✓✓···✓✓✓· ✓✓·✓✓· V✓✓V✓✓ C✓C✓CC✓C✓C ✓✓···✓✓···
            player>board POST /move #2   ✓✓✓✓✓✓ V✓✓V✓✓ ✓✓✓✓✓✓✓✓ ✓✓✓✓V✓✓✓✓✓✓V✓✓ VVVVVV V✓VV✓V CVCVCCVCVC ✓✓···✓✓···
            player>board GET /findAll #2 ✓✓✓✓✓✓ V✓✓V✓✓ ✓✓✓✓✓✓✓✓ ··✓✓✓···✓✓✓· ✓✓·✓✓· V✓✓V✓✓ C✓C✓CC✓C✓C ✓✓···✓✓···
            player>board POST /move #3   ✓✓✓✓✓✓ V✓✓V✓✓ ✓✓✓✓✓✓✓✓ ✓✓✓✓V✓✓✓✓✓✓V✓✓ VVVVVV V✓VV✓V CVCVCCVCVC ✓✓···✓✓···
            player>board GET /findAll #3 ✓✓✓✓✓✓ V✓✓V✓✓ ✓✓✓✓✓✓✓✓ ··✓✓✓···✓✓✓· ✓✓·✓✓· V✓✓V✓✓ C✓C✓CC✓C✓C ✓✓···✓✓···
            no deadlock + the game ends: player>board POST /move #1 deliver-request=lost × 6
            each move is applied at most once: player>board POST /move #1 post-reply=reset × 42
            no deadlock + the game ends: player>board GET /findAll #1 deliver-request=lost × 6
            no panic: player>board POST /move #1 validate-reply=bit-flip × 9
            no panic: player>board GET /findAll #1 validate-reply=bit-flip × 9
            294 runs, 24 broken
        "#]],
    );
}

#[test]
fn the_number_of_jobs_changes_nothing() {
    let toy = Toy::new(Player::Naive);
    let alone = explored(toy, 1);
    for jobs in [2, 3, 7] {
        assert_eq!(explored(toy, jobs), alone);
    }
}

#[test]
fn forks_change_nothing() {
    let explored = |forks, jobs, repeat| {
        let options = MatrixOptions { forks, repeat, pairs: 100, ..MatrixOptions::default() };
        let toy = Toy { turns: 2, ..Toy::new(Player::Hasty) };
        let mut report = matrix(&mut runners(toy, jobs), options, &mut Silent).unwrap();
        report.wall = std::time::Duration::ZERO;
        report
    };
    for repeat in [Repeat::Baseline, Repeat::EveryRun] {
        let each = explored(Forks::Never, 1, repeat);
        assert_eq!(explored(Forks::Always, 1, repeat), each);
        assert_eq!(explored(Forks::Always, 3, repeat), each);
    }
}

#[test]
fn every_run_can_be_made_twice() {
    let options = MatrixOptions { repeat: Repeat::EveryRun, ..MatrixOptions::default() };
    let toy = Toy::new(Player::Careful);
    let report = matrix(&mut runners(toy, 2), options, &mut Silent).unwrap();
    assert_eq!(report.difference, None);
    // The baseline is made three times, whatever else is repeated.
    assert_eq!(report.runs - 3, 2 * (explored(toy, 1).runs - 3));
}

#[test]
fn a_cell_says_what_a_run_of_its_plan_says_or_why_there_was_none() {
    let toy = Toy::new(Player::Careful);
    let report = explored(toy, 1);
    let mut seen = BTreeMap::new();
    for cell in &report.cells {
        for variant in &cell.variants {
            let Some(skip) = variant.skip else {
                let plan = plan_of(cell, variant);
                let record = toy.play(&plan);
                assert_eq!(verdict(&record, Some(&report.baseline)), variant.verdict, "{plan}");
                continue;
            };
            if skip == Skip::SameAsOnce {
                let sticky = toy.play(&plan_of(cell, variant));
                let once = Variant { lasting: Lasting::Once, ..variant.clone() };
                let once = toy.play(&plan_of(cell, &once));
                assert_eq!(once.fingerprint, sticky.fingerprint, "{}", sticky.plan);
                assert_eq!(verdict(&once, Some(&report.baseline)), variant.verdict);
            }
            *seen.entry(format!("{skip:?} {}", variant.effect)).or_insert(0) += 1;
        }
    }
    let seen: Vec<String> = seen.iter().map(|(what, n)| format!("{what} {n}")).collect();
    assert_eq!(
        seen,
        [
            "NoDiskWrite disk-full 18",
            "NoDiskWrite io-error 18",
            "NoDiskWrite power-off 24",
            "NothingOlder older 4",
            "SameAsOnce late 2",
            "SameAsOnce partition 2",
            "SameAsOnce pause 4",
        ]
    );
    assert_eq!(report.pruned, 8);
}

#[test]
fn pairs_find_what_single_faults_do_not() {
    let toy = Toy { turns: 1, ..Toy::new(Player::Hasty) };
    let pairs = |budget, jobs| {
        let lasting = Variants::Once;
        let options = MatrixOptions { pairs: budget, lasting, ..MatrixOptions::default() };
        let mut report = matrix(&mut runners(toy, jobs), options, &mut Silent).unwrap();
        report.wall = std::time::Duration::ZERO;
        report
    };
    let alone = pairs(0, 1);
    assert_eq!((alone.cells_broken(), alone.pairs), (0, None));
    let report = pairs(300, 1);
    let tried = report.pairs.unwrap();
    assert_eq!(tried.tried, 300);
    assert!(tried.possible > 500 && tried.broken > 0, "{tried:?}");
    assert_eq!(report.cells, alone.cells);
    let finding = &report.findings[0];
    assert_eq!(finding.properties, ["each move is applied at most once"]);
    assert_eq!(finding.plan().injections.len(), 2);
    assert_eq!(finding.plans.len() as u64, tried.broken);
    assert_eq!(pairs(300, 3), report);
    // The budget only cuts the end off.
    let fewer = pairs(50, 1);
    assert!(fewer.pairs.unwrap().broken <= tried.broken);
    assert_eq!(fewer.pairs.unwrap().possible, tried.possible);
}

#[test]
fn a_sticky_fault_is_met_by_more_than_one_attempt() {
    let report = explored(Toy::new(Player::Careful), 1);
    let variants =
        report.cells.iter().flat_map(|cell| cell.variants.iter().map(move |v| (cell, v)));
    let (cell, lost) = variants
        .filter(|(_, v)| v.effect == Effect::Lost && v.lasting == Lasting::Sticky)
        .find(|(_, v)| v.skip.is_none())
        .unwrap();
    let record = Toy::new(Player::Careful).play(&plan_of(cell, lost));
    let strikes: Vec<Nanos> = record
        .events
        .iter()
        .filter(|s| matches!(s.event, Event::Struck { .. }))
        .map(|s| s.at)
        .collect();
    // It asks again every five seconds, for a minute.
    assert_eq!(strikes.len(), 12);
    assert_eq!(lost.verdict.outcome, Outcome::Held);
}

fn plan_of(cell: &Cell, variant: &Variant) -> Plan {
    let injection = Injection {
        lasting: variant.lasting,
        ..Injection::once(cell.exchange.clone(), cell.step, variant.effect)
    };
    Plan { injections: vec![injection], ..Plan::default() }
}

#[test]
fn steps_that_the_baseline_never_reached_need_no_run() {
    /// A toy whose last exchange is never answered.
    struct Unanswered(Toy);
    impl Runner for Unanswered {
        fn run(&mut self, plan: &Plan) -> Result<RunRecord, RunnerError> {
            let mut record = self.0.play(plan);
            if let Some(last) = record.exchanges.last_mut() {
                (last.replied, last.completed, last.status) = (None, None, None);
            }
            Ok(record)
        }
    }
    let mut runners: Vec<Box<dyn Runner + Send>> =
        vec![Box::new(Unanswered(Toy::new(Player::Careful)))];
    let report = matrix(&mut runners, MatrixOptions::default(), &mut Silent).unwrap();
    let last = &report.cells[report.cells.len() - 8..];
    let unreached: Vec<usize> = last
        .iter()
        .filter(|cell| cell.variants.iter().all(|v| v.skip == Some(Skip::NotReached)))
        .map(|cell| cell.step.number())
        .collect();
    assert_eq!(unreached, [5, 6, 7, 8]);
}

#[test]
fn a_model_leaves_out_what_it_excludes() {
    let model = SystemModel { network: Network::FairLoss, ..SystemModel::default() };
    let options = MatrixOptions { model, ..MatrixOptions::default() };
    let report = matrix(&mut runners(Toy::new(Player::Naive), 1), options, &mut Silent).unwrap();
    let outside: Vec<Effect> = report
        .cells
        .iter()
        .flat_map(|cell| &cell.variants)
        .filter(|variant| variant.skip == Some(Skip::OutsideModel))
        .map(|variant| variant.effect)
        .collect();
    assert!(!outside.is_empty());
    assert!(outside.iter().all(|effect| effect.is_kind_of(Effect::BitFlip)
        || matches!(effect, Effect::Garbage | Effect::Older | Effect::ErrorBody)));
    assert!(report.findings.iter().all(|f| !f.properties.contains(&"no panic".to_string())));
}

#[test]
fn recovery_and_blast_radius_are_measured_against_the_baseline() {
    let report = explored(Toy::new(Player::Naive), 1);
    let impact = |step: Step, effect: Effect| {
        let cell = report.cells.iter().find(|cell| cell.step == step).unwrap();
        cell.variants.iter().find(|v| v.effect == effect).unwrap().impact.unwrap()
    };
    let lost = impact(Step::DeliverReply, Effect::Lost);
    let Some(Recovery::After(time)) = lost.recovery else { panic!("{lost:?}") };
    // Five seconds of patience, then one exchange of two hops of half a millisecond.
    assert!(time > Nanos::from_millis(5_000) && time < Nanos::from_millis(5_002), "{time}");
    assert!((5_000_000_000..5_002_000_000).contains(&lost.delay_ns), "{}", lost.delay_ns);
    assert_eq!((lost.blast.exchanges, lost.blast.exchanges_total), (1, 6));
    assert_eq!((lost.blast.hosts, lost.blast.hosts_total), (1, 2));

    // What is lost is over at once; a pause lasts 15 s, and the board answers soon after it.
    assert_eq!(lost.recovery_from_heal, lost.recovery);
    let paused = impact(Step::UpdateServer, Effect::Pause);
    let (Some(Recovery::After(struck)), Some(Recovery::After(healed))) =
        (paused.recovery, paused.recovery_from_heal)
    else {
        panic!("{paused:?}")
    };
    assert_eq!(struck, healed + Nanos::from_secs(15));
    assert!(healed < Nanos::from_millis(1), "{healed}");

    // The player panics at the first reply and asks for nothing more.
    let noise = impact(Step::ValidateReply, Effect::Garbage);
    assert_eq!((noise.blast.exchanges, noise.blast.hosts), (6, 1));
    assert_eq!(noise.recovery, Some(Recovery::Never));

    let stuck = explored(Toy::new(Player::Patient), 1);
    let lost = stuck.cells[5].variants[0].impact.unwrap();
    assert_eq!(lost.recovery, Some(Recovery::Never));
    assert_eq!(lost.recovery_from_heal, Some(Recovery::Never));
}

#[test]
fn a_broken_baseline_has_no_cells() {
    let toy = Toy { board: Board::Exotic, ..Toy::new(Player::Careful) };
    let report = explored(toy, 1);
    assert_eq!(report.baseline_verdict.outcome, Outcome::Inconclusive);
    assert!(report.cells.is_empty());
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].place, Place::Baseline);
}

/// A runner whose runs differ: the second and every later one notes how many there were.
struct Drifting {
    toy: Toy,
    runs: u32,
    from: u32,
}

impl Runner for Drifting {
    fn run(&mut self, plan: &Plan) -> Result<RunRecord, RunnerError> {
        let mut record = self.toy.play(plan);
        self.runs += 1;
        if self.runs >= self.from {
            let text = format!("run {}", self.runs);
            // Without the board there are few.
            let place = 6.min(record.events.len() - 1);
            record.events[place].event = Event::Note { text };
        }
        Ok(record)
    }
}

fn drifting(from: u32) -> Vec<Box<dyn Runner + Send>> {
    vec![Box::new(Drifting { toy: Toy::new(Player::Careful), runs: 0, from })]
}

#[test]
fn a_baseline_that_differs_from_itself_has_no_cells() {
    let report = matrix(&mut drifting(2), MatrixOptions::default(), &mut Silent).unwrap();
    assert!(report.cells.is_empty());
    let difference = report.difference.unwrap();
    let FirstDifference::Event { index, before, sides } = difference.first else {
        panic!("{difference:?}")
    };
    assert_eq!((index, before.len()), (6, 5));
    assert_eq!(sides[1].as_ref().unwrap().event, Event::Note { text: "run 2".to_string() });
}

#[test]
fn the_earliest_run_that_differs_is_shown() {
    let options = MatrixOptions { repeat: Repeat::EveryRun, ..MatrixOptions::default() };
    // Runs 1 and 2 are the baseline, 3 and 4 the first cell; 6 is the second run of the second cell.
    let report = matrix(&mut drifting(6), options, &mut Silent).unwrap();
    let plan = report.difference.unwrap().plan.to_string();
    assert_eq!(plan, "player>board POST /move #1 post-request=refused");
}

#[test]
fn what_a_run_leaves_behind_shows_at_the_end() {
    let report = matrix(&mut drifting(3), MatrixOptions::default(), &mut Silent).unwrap();
    assert_eq!(report.difference.unwrap().plan, Plan::default());
    assert!(!report.cells.is_empty());
}

#[test]
fn the_self_check_of_a_deterministic_toy_finds_nothing() {
    let mut toy = Toy::new(Player::Naive);
    let (record, difference) = self_check(&mut toy, &Plan::default()).unwrap();
    assert_eq!((record.plan, difference), (Plan::default(), None));
}

#[test]
fn hidden_differences_and_endings_are_told_apart() {
    let first = Toy::new(Player::Careful).play(&Plan::default());
    let mut second = first.clone();
    second.fingerprint ^= 1;
    assert_eq!(compare(&first, &second).unwrap().first, FirstDifference::Hidden);
    second.ending = bizarro_record::Ending::Deadlock { tasks: vec![] };
    let found = compare(&first, &second).unwrap().first;
    assert!(matches!(found, FirstDifference::Ending { .. }), "{found:?}");
    second.ending = bizarro_record::Ending::Lost { reason: "killed".to_string() };
    assert_eq!(compare(&first, &second), None);
}

/// Stops after some runs, as Ctrl-C does.
struct Impatient {
    toy: Toy,
    left: u32,
    error: RunnerError,
}

impl Runner for Impatient {
    fn run(&mut self, plan: &Plan) -> Result<RunRecord, RunnerError> {
        self.left = self.left.checked_sub(1).ok_or_else(|| self.error.clone())?;
        Ok(self.toy.play(plan))
    }
}

fn impatient(left: u32, error: RunnerError) -> Vec<Box<dyn Runner + Send>> {
    vec![Box::new(Impatient { toy: Toy::new(Player::Naive), left, error })]
}

/// Runs in which the player's only dependency is missing.
const WITHOUT_BOARD: u64 = 3;

#[test]
fn an_interrupted_matrix_tells_what_is_known() {
    let mut runners = impatient(2 + 30, RunnerError::Interrupted);
    let report = matrix(&mut runners, MatrixOptions::default(), &mut Silent).unwrap();
    assert!(report.interrupted);
    assert_eq!(report.runs, 32);
    assert!(!report.findings.is_empty());
    let whole = explored(Toy::new(Player::Naive), 1);
    let skipped = report.cells.iter().flat_map(|cell| &cell.variants);
    let skipped = skipped.filter(|v| v.skip == Some(Skip::Interrupted)).count();
    // And those without the board, and the baseline at the end.
    let unknown = whole.pruned - report.pruned;
    assert_eq!(skipped as u64 + WITHOUT_BOARD + 1, whole.runs - report.runs + unknown);
}

#[test]
fn a_runner_that_fails_ends_the_exploration() {
    let bug = RunnerError::Bug("the record is cut short".to_string());
    for left in [0, 1, 2, 9] {
        let mut runners = impatient(left, bug.clone());
        let result = matrix(&mut runners, MatrixOptions::default(), &mut Silent);
        assert_eq!(result.unwrap_err(), bug);
    }
}

#[derive(Default)]
struct Counting {
    announced: Vec<(Phase, u64)>,
    ran: u64,
    failures: usize,
}

impl Progress for Counting {
    fn begin(&mut self, phase: Phase, runs: u64) {
        self.announced.push((phase, runs));
    }
    fn ran(&mut self, _plan: &Plan, verdict: &Verdict) {
        self.ran += 1;
        self.failures += usize::from(verdict.outcome.is_failure());
    }
    fn shrunk(&mut self, _plan: &Plan) {}
    fn combinations(&mut self, _count: u64) {}
}

#[test]
fn progress_is_told_every_run() {
    let mut progress = Counting::default();
    let mut runners = runners(Toy::new(Player::Naive), 2);
    let report = matrix(&mut runners, MatrixOptions::default(), &mut progress).unwrap();
    assert_eq!(progress.ran, report.runs);
    let variants = report.cells.iter().flat_map(|cell| &cell.variants);
    let sticky = variants.filter(|v| v.lasting == Lasting::Sticky && v.skip.is_none());
    let sticky = sticky.count() as u64;
    assert_eq!(
        progress.announced,
        [
            (Phase::Baseline, 2),
            (Phase::Matrix, report.runs - 2 - sticky - WITHOUT_BOARD),
            (Phase::Sticky, sticky),
            (Phase::Dependencies, WITHOUT_BOARD),
        ]
    );
    let in_findings: usize = report.findings.iter().map(|finding| finding.plans.len()).sum();
    assert_eq!(progress.failures, in_findings);
}

#[test]
fn random_schedules_find_the_race() {
    let toy = Toy { board: Board::Racy, turns: 20, ..Toy::new(Player::Careful) };
    let found = |jobs| {
        let mut report =
            schedules(&mut runners(toy, jobs), 50, Repeat::Baseline, &mut Silent).unwrap();
        report.wall = std::time::Duration::ZERO;
        report
    };
    let report = found(1);
    assert_eq!(report.findings.len(), 1);
    let finding = &report.findings[0];
    assert_eq!(finding.properties, ["no move is lost"]);
    assert_eq!(finding.place, Place::Schedule);
    assert!(finding.plans.len() > 1, "{:?}", finding.plans);
    let plan = finding.plan().to_string();
    assert!(plan.starts_with("preempt board/100 #") && !plan.contains(';'), "{plan}");
    let shrunk = finding.shrunk.as_ref().unwrap();
    assert_eq!(shrunk.original, finding.plans[0]);
    assert_eq!((report.runs, report.distinct), (51 + shrunk.runs, 50));
    assert_eq!(found(3), report);
}

#[test]
fn a_sound_toy_holds_under_every_schedule_and_meets_what_it_sometimes_meets() {
    let toy = Toy::new(Player::Careful);
    let report = schedules(&mut runners(toy, 1), 20, Repeat::EveryRun, &mut Silent).unwrap();
    assert_eq!((report.findings.len(), report.runs), (0, 41));
    assert_eq!(report.properties.unmet().count(), 0);
}

#[test]
fn what_never_happens_sometimes_is_unmet() {
    let toy = Toy { turns: 1, ..Toy::new(Player::Careful) };
    let report = explored(toy, 1);
    let unmet: Vec<&str> = report.properties.unmet().map(|p| p.name.as_str()).collect();
    assert_eq!(unmet, ["a ghost is met"]);
    // The repeated baselines say nothing new, and nothing has to hold without the board.
    assert_eq!(report.properties.runs, report.runs - 2 - WITHOUT_BOARD);

    let mut both = report.properties.clone();
    both.merge(&explored(Toy::new(Player::Careful), 1).properties);
    assert_eq!(both.unmet().count(), 0);
}
