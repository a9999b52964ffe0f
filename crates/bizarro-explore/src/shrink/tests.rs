use super::*;
use crate::toy::{Board, Player, Toy};
use bizarro_record::{Effect, Step};
use proptest::prelude::*;

/// A run of a swarm: random schedule, jitter, and faults of all kinds.
fn wild(seed: u64, one_in: u32) -> Plan {
    let effects: Vec<String> = Effect::ALL.iter().map(ToString::to_string).collect();
    let effects = effects.join(",");
    format!("seed={seed}; random; jitter=3ms; faults=1/{one_in} {effects}").parse().unwrap()
}

fn properties(verdict: &Verdict) -> BTreeSet<&str> {
    verdict.properties().collect()
}

/// Shrinks the run of `plan`, if it fails; looks at everything that must be true of what comes out.
fn shrunk(toy: Toy, plan: &Plan) -> Option<Smallest> {
    let mut runner = toy;
    let baseline = toy.play(&Plan::default());
    let record = toy.play(plan);
    let before = verdict(&record, Some(&baseline));
    if !before.outcome.is_failure() {
        return None;
    }
    let smallest =
        shrink(&mut runner, record, &baseline, SystemModel::default(), SHRINK_RUNS).unwrap();
    assert!(smallest.shrunk.is_finished, "{plan}");
    assert_eq!(smallest.shrunk.original, *plan);
    // Its record is that of its plan, as it is written, and fails alike.
    let written: Plan = smallest.record.plan.to_string().parse().unwrap();
    assert_eq!(toy.play(&written), smallest.record);
    assert_eq!(smallest.verdict, verdict(&smallest.record, Some(&baseline)));
    assert_eq!(smallest.verdict.outcome, before.outcome);
    assert_eq!(properties(&smallest.verdict), properties(&before));
    // Nothing of it can be left out.
    let target = Target::of(&before);
    let plan = &smallest.record.plan;
    let fails = |plan: &Plan| Target::of(&verdict(&toy.play(plan), Some(&baseline))) == target;
    for index in 0..plan.injections.len() {
        let mut less = plan.clone();
        less.injections.remove(index);
        assert!(!fails(&less), "{less} is enough, not {plan}");
    }
    for index in 0..plan.deviations.len() {
        let mut less = plan.clone();
        less.deviations.remove(index);
        assert!(!fails(&less), "{less} is enough, not {plan}");
    }
    Some(smallest)
}

/// Shrinks what fails among a hundred runs of a swarm; gives how many failed, and the sizes of the shrunk plans.
fn sizes(toy: Toy, one_in: u32, property: &str) -> (usize, Vec<(usize, usize)>) {
    let wanted: Vec<Smallest> = (1..)
        .filter_map(|seed| shrunk(toy, &wild(seed, one_in)))
        .filter(|smallest| properties(&smallest.verdict) == BTreeSet::from([property]))
        .take(100)
        .collect();
    let mut sizes: Vec<(usize, usize)> = wanted
        .iter()
        .map(|smallest| {
            let plan = &smallest.record.plan;
            assert_eq!((plan.schedule, plan.jitter, plan.seed), (Schedule::Fair, Nanos::ZERO, 0));
            (plan.injections.len(), plan.deviations.len())
        })
        .collect();
    let count = sizes.len();
    sizes.sort_unstable();
    sizes.dedup();
    (count, sizes)
}

const ONCE: &str = "each move is applied at most once";

#[test]
fn one_fault_is_enough_to_move_twice() {
    assert_eq!(sizes(Toy::new(Player::Naive), 12, ONCE), (100, vec![(1, 0)]));
}

#[test]
fn two_faults_are_needed_where_the_second_strikes_the_retry_of_the_first() {
    assert_eq!(sizes(Toy::new(Player::Hasty), 8, ONCE), (100, vec![(2, 0)]));
}

#[test]
fn a_race_needs_one_preemption_and_no_fault() {
    let toy = Toy { board: Board::Racy, turns: 20, ..Toy::new(Player::Careful) };
    assert_eq!(sizes(toy, 30, "no move is lost"), (100, vec![(0, 1)]));
}

#[test]
fn a_sticky_fault_becomes_a_transient_one() {
    let plan = "player>board POST /move #3+ deliver-reply=lost".parse().unwrap();
    let smallest = shrunk(Toy::new(Player::Naive), &plan).unwrap();
    let expected = "player>board POST /move #1 deliver-reply=lost";
    assert_eq!(smallest.record.plan.to_string(), expected);
}

#[test]
fn what_cannot_be_simpler_stays() {
    let plan: Plan = "player>board POST /move #1 validate-reply=garbage".parse().unwrap();
    let smallest = shrunk(Toy::new(Player::Naive), &plan).unwrap();
    assert_eq!(smallest.record.plan, plan);
    assert!(is_smallest(&plan, &Plan::default()));
}

#[test]
fn shrinking_ends_when_its_runs_are_used_up() {
    let toy = Toy::new(Player::Naive);
    let baseline = toy.play(&Plan::default());
    let seed = (1..).find(|seed| {
        let verdict = verdict(&toy.play(&wild(*seed, 8)), Some(&baseline));
        verdict.outcome.is_failure()
    });
    let record = toy.play(&wild(seed.unwrap(), 8));
    for runs in [0, 1, 2, 3] {
        let smallest =
            shrink(&mut { toy }, record.clone(), &baseline, SystemModel::default(), runs).unwrap();
        assert!(smallest.shrunk.runs <= runs);
        assert!(!smallest.shrunk.is_finished);
    }
}

#[test]
fn findings_that_become_alike_become_one() {
    let toy = Toy::new(Player::Naive);
    let baseline = toy.play(&Plan::default());
    let mut findings = Findings::default();
    let mut failing = 0;
    for seed in 1..60 {
        let mut runner = toy;
        let plan = wild(seed, 12);
        let trial =
            crate::job::try_plan(&mut runner, &plan, &baseline, crate::Repeat::Baseline).unwrap();
        failing += usize::from(trial.verdict.outcome.is_failure());
        findings.add(seed as usize, crate::Place::of(&plan), trial);
    }
    let found = findings.into_sorted();
    let mut runners: Vec<Box<dyn Runner + Send>> = vec![Box::new(toy), Box::new(toy)];
    let (shrunk, runs, coverage) =
        shrink_all(&mut runners, found, &baseline, SystemModel::default(), &mut crate::Silent)
            .unwrap();
    assert_eq!(coverage, Coverage::Complete);
    assert_eq!(shrunk.iter().map(|f| f.plans.len()).sum::<usize>(), failing);
    let taken: u64 = shrunk.iter().filter_map(|f| f.shrunk.as_ref()).map(|s| s.runs).sum();
    assert!(runs >= taken && taken > 0);
    for finding in &shrunk {
        let original = &finding.shrunk.as_ref().unwrap().original;
        assert!(finding.plans.contains(original));
        assert_eq!(finding.plan().injections.len().min(2), finding.plan().injections.len());
        assert_eq!(finding.place, crate::Place::of(finding.plan()));
    }
}

proptest! {
    #[test]
    fn the_run_is_the_same_when_it_is_written_out(seed: u64, one_in in 2u32..40, racy: bool, modes in 0..3u8) {
        let board = if racy { Board::Racy } else { Board::Sound };
        let toy = Toy { board, ..Toy::new(Player::Hasty) };
        let mut plan = wild(seed, one_in);
        plan.schedule = match modes {
            0 => Schedule::Fair,
            1 => Schedule::Random,
            _ => Schedule::Priority { depth: 3, steps: 6 },
        };
        let record = toy.play(&plan);
        let written = written_out(&record);
        prop_assert!(written.schedule == Schedule::Fair && written.faults.is_none());
        prop_assert_eq!(toy.play(&written).fingerprint, record.fingerprint, "{}", written);
    }

    #[test]
    fn no_smaller_plan_fails_alike(seed: u64, one_in in 4u32..30) {
        // All plans of fewer faults than the shrunk one are tried where that is a single one.
        let toy = Toy::new(Player::Patient);
        if let Some(smallest) = shrunk(toy, &wild(seed, one_in)) {
            let plan = &smallest.record.plan;
            let single = Step::ALL.into_iter().flat_map(|step| {
                Effect::of(step).iter().map(move |effect| (step, *effect))
            });
            if plan.injections.len() > 1 {
                let baseline = toy.play(&Plan::default());
                for (step, effect) in single {
                    for name in ["POST /move", "GET /findAll"] {
                        for ordinal in 1..4 {
                            let at = format!("player>board {name} #{ordinal}").parse().unwrap();
                            let injections = vec![Injection::once(at, step, effect)];
                            let less = Plan { injections, ..Plan::default() };
                            let verdict = verdict(&toy.play(&less), Some(&baseline));
                            prop_assert!(Target::of(&verdict) != Target::of(&smallest.verdict), "{} for {}", less, plan);
                        }
                    }
                }
            }
        }
    }
}
