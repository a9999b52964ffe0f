use super::*;
use crate::progress::Silent;
use crate::toy::{Board, Player, Toy};
use bizarro_fault::{Network, Nodes, Timing};
use bizarro_record::{Effect, Nanos, Schedule};

fn runners(toy: Toy, jobs: usize) -> Vec<Box<dyn Runner + Send>> {
    (0..jobs).map(|_| Box::new(toy) as Box<dyn Runner + Send>).collect()
}

fn options(runs: u64, guidance: Guidance) -> SwarmOptions {
    SwarmOptions { model: SystemModel::default(), seed: 1, runs: Some(runs), time: None, guidance }
}

fn flown(toy: Toy, jobs: usize, options: SwarmOptions) -> SwarmReport {
    let mut report = swarm(&mut runners(toy, jobs), options, &mut Silent).unwrap();
    report.wall = Duration::ZERO;
    report
}

#[test]
fn the_number_of_jobs_changes_nothing() {
    for guidance in [Guidance::Blind, Guidance::Directed] {
        let alone = flown(Toy::new(Player::Naive), 1, options(300, guidance));
        assert!(!alone.findings.is_empty());
        for jobs in [2, 5] {
            assert_eq!(flown(Toy::new(Player::Naive), jobs, options(300, guidance)), alone);
        }
    }
}

#[test]
fn a_longer_swarm_begins_like_a_shorter_one() {
    let plans = |runs: u64| {
        struct Seen(Vec<String>);
        impl Progress for Seen {
            fn begin(&mut self, _phase: Phase, _runs: u64) {}
            fn ran(&mut self, plan: &Plan, _verdict: &crate::Verdict) {
                self.0.push(plan.to_string());
            }
            fn shrunk(&mut self, _plan: &Plan) {}
            fn combinations(&mut self, _count: u64) {}
        }
        let mut seen = Seen(vec![]);
        let toy = Toy::new(Player::Careful);
        swarm(&mut runners(toy, 1), options(runs, Guidance::Directed), &mut seen).unwrap();
        seen.0
    };
    let (short, long) = (plans(100), plans(200));
    assert_eq!((short.len(), long.len()), (100, 200));
    assert_eq!(long[..100], short);
    let distinct: BTreeSet<&String> = long.iter().collect();
    assert!(distinct.len() > 190, "{}", distinct.len());
}

#[test]
fn what_is_found_is_shrunk_and_repeats() {
    let report = flown(Toy::new(Player::Hasty), 2, options(2_000, Guidance::Directed));
    let baseline = &report.baseline;
    let toy = Toy::new(Player::Hasty);
    let once =
        report.findings.iter().find(|f| f.properties == ["each move is applied at most once"]);
    let once = once.expect("two faults in a row are drawn in two thousand runs");
    assert_eq!(once.plan().injections.len(), 2);
    for finding in &report.findings {
        let shrunk = finding.shrunk.as_ref().unwrap();
        for plan in [finding.plan(), &shrunk.original] {
            let plan: Plan = plan.to_string().parse().unwrap();
            let verdict = crate::verdict(&toy.play(&plan), Some(baseline));
            let mut properties: Vec<&str> = verdict.properties().collect();
            properties.sort_unstable();
            assert_eq!(properties, finding.properties, "{plan}");
        }
    }
    assert!(report.failed >= report.findings.len() as u64);
    assert_eq!(report.drawn, 2_000);
}

#[test]
fn a_directed_swarm_comes_to_more_combinations() {
    let combinations = |guidance| {
        let of_seed = |seed| {
            let options = SwarmOptions { seed, ..options(1_000, guidance) };
            flown(Toy::new(Player::Careful), 1, options).combinations
        };
        (1..6).map(of_seed).sum::<u64>()
    };
    let (blind, directed) = (combinations(Guidance::Blind), combinations(Guidance::Directed));
    assert!(directed * 10 > blind * 11, "{directed} against {blind}");
}

#[test]
fn nothing_is_drawn_that_the_model_excludes() {
    let kind = SystemModel {
        network: Network::Reliable,
        nodes: Nodes::CrashStop,
        timing: Timing::Synchronous,
    };
    let baseline = Toy::new(Player::Careful).play(&Plan::default());
    let space = Space::of(&baseline, kind);
    let mut schedules = BTreeSet::new();
    for number in 1..500 {
        let plan = swarm_plan(7, number, &space);
        assert_eq!(plan.jitter, Nanos::ZERO);
        let effects = plan.faults.into_iter().flat_map(|faults| faults.effects);
        assert!(effects.into_iter().all(|effect| kind.allows(effect)));
        schedules.insert(match plan.schedule {
            Schedule::Fair => 0,
            Schedule::Random => 1,
            Schedule::Priority { depth, .. } => 1 + depth,
        });
    }
    assert_eq!(schedules.len(), 7);
    let all = Space::of(&baseline, SystemModel::default());
    let drawn: BTreeSet<Effect> = (1..500)
        .filter_map(|number| swarm_plan(7, number, &all).faults)
        .flat_map(|faults| faults.effects)
        .collect();
    assert_eq!(drawn.len(), Effect::ALL.len());
}

#[test]
fn time_ends_a_swarm_too() {
    let limit = Duration::from_millis(200);
    let mut options = options(0, Guidance::Directed);
    (options.runs, options.time) = (None, Some(limit));
    let toy = Toy { board: Board::Racy, ..Toy::new(Player::Careful) };
    let report = swarm(&mut runners(toy, 2), options, &mut Silent).unwrap();
    assert!(report.drawn > 0 && report.wall >= limit);
    assert!(!report.interrupted);
    let none = SwarmOptions { time: Some(Duration::ZERO), ..options };
    assert_eq!(swarm(&mut runners(toy, 1), none, &mut Silent).unwrap().drawn, 0);
}
