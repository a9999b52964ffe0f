//! How far failing runs of swarms shrink, and whether they repeat.
//!
//! `cargo test -p canary --test figures` looks at a few. `CANARY_SEEDS=100 CANARY_RUNS=10000 CANARY_SAMPLE=200` gives
//! the figures that are reported.

mod worlds;

use bizarro::{Lab, Plan, RunRecord};
use bizarro_explore::{
    Outcome, Runner, RunnerError, SHRINK_RUNS, Space, shrink, swarm_plan, verdict,
};
use bizarro_fault::SystemModel;

/// A canary, the properties that its bug breaks, and the least number of faults that it needs.
struct Canary {
    name: &'static str,
    lab: Lab,
    breaks: &'static [&'static str],
    faults: usize,
}

fn main() {
    let canary = |name, describe, breaks, faults| Canary {
        name,
        lab: Lab::open(&format!("figures::{name}"), describe),
        breaks,
        faults,
    };
    let mut all = [
        canary("safety", worlds::safety, &[worlds::ONCE], 2),
        canary("liveness", worlds::liveness, &["no deadlock", worlds::SERVED], 1),
        canary("crash", worlds::crash, &["no panic"], 1),
        canary("race", worlds::race, &[worlds::COUNTED], 0),
    ];
    // Tools that list tests are told that there are none.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let mut again = Lab::open("figures::again", worlds::safety);
    for canary in &mut all {
        shrinks(canary, number("CANARY_SEEDS", 5));
    }
    let [safety, ..] = &mut all;
    repeats(safety, &mut again, number("CANARY_RUNS", 300), number("CANARY_SAMPLE", 10));
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

struct Runs<'a>(&'a mut Lab);

impl Runner for Runs<'_> {
    fn run(&mut self, plan: &Plan) -> Result<RunRecord, RunnerError> {
        self.0.run(plan)
    }
}

/// Of each seed's swarm, shrinks the first run that breaks just what the bug breaks. At least 95 of 100 have to come
/// to the known number of faults.
fn shrinks(canary: &mut Canary, seeds: u64) {
    let baseline = canary.lab.run(&Plan::default()).expect("a world can be run");
    assert_eq!(verdict(&baseline, None).outcome, Outcome::Held, "{}", canary.name);
    let space = Space::of(&baseline, SystemModel::default());
    let model = SystemModel::default();
    let (mut least, mut others, mut runs, mut shrinking) = (0, Vec::new(), 0, 0);
    for seed in 1..=seeds {
        let record = (1..).find_map(|number| {
            runs += 1;
            let plan = swarm_plan(seed, number, &space);
            let record = canary.lab.run(&plan).expect("a world can be run");
            let verdict = verdict(&record, Some(&baseline));
            let mut broken: Vec<&str> = verdict.properties().collect();
            broken.sort_unstable();
            let mut wanted = canary.breaks.to_vec();
            wanted.sort_unstable();
            (broken == wanted).then_some(record)
        });
        let record = record.expect("numbers never end");
        let smallest = shrink(&mut Runs(&mut canary.lab), record, &baseline, model, SHRINK_RUNS);
        let smallest = smallest.expect("a world can be run");
        shrinking += smallest.shrunk.runs;
        match smallest.record.plan.injections.len() {
            faults if faults == canary.faults => least += 1,
            _ => others.push(smallest.record.plan.to_string()),
        }
    }
    println!(
        "{}: {least} of {seeds} seeds shrink to {} faults; {runs} runs to find them, {shrinking} to shrink them",
        canary.name, canary.faults
    );
    others.iter().for_each(|plan| println!("  not {plan}"));
    assert!(least * 100 >= seeds * 95, "{}: {least} of {seeds}", canary.name);
}

/// Failing runs of a swarm come out the same from their plans as they are printed, in another world process.
fn repeats(canary: &mut Canary, again: &mut Lab, runs: u64, sample: u64) {
    let baseline = canary.lab.run(&Plan::default()).expect("a world can be run");
    let space = Space::of(&baseline, SystemModel::default());
    let mut failing = Vec::new();
    for number in 1..=runs {
        let plan = swarm_plan(1, number, &space);
        let record = canary.lab.run(&plan).expect("a world can be run");
        if verdict(&record, Some(&baseline)).outcome.is_failure() {
            failing.push((plan.to_string(), record));
        }
    }
    let wanted = (sample as usize).min(failing.len());
    let chosen = (0..wanted).map(|n| &failing[n * failing.len() / wanted]);
    let same = chosen.filter(|(plan, record)| {
        let plan: Plan = plan.parse().expect("a plan is read as it is written");
        let repeated = again.run(&plan).expect("a world can be run");
        (repeated.fingerprint, &repeated.events, &repeated.ending)
            == (record.fingerprint, &record.events, &record.ending)
    });
    let same = same.count();
    println!("{same} of {wanted} repeat, of {} that fail in a swarm of {runs} runs", failing.len());
    assert!(same == wanted && wanted > 0);
}
