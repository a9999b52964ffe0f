//! What forks save: the same runs of a failure matrix, each made from its beginning, and forked where their faults strike.

use std::time::{Duration, Instant};

use bizarro::{Injection, Lab, Plan, RunRecord};

/// A world, and what is asked in it.
pub(crate) struct Matrix {
    pub(crate) name: &'static str,
    pub(crate) lab: Lab,
    pub(crate) exchanges: &'static [&'static str],
}

/// One or two for each step.
const EFFECTS: [&str; 12] = [
    "post-request=reset",
    "post-request=refused",
    "deliver-request=lost",
    "deliver-request=crash",
    "validate-request=garbage",
    "update-server=crash",
    "update-server=pause",
    "post-reply=reset",
    "deliver-reply=lost",
    "deliver-reply=late",
    "validate-reply=truncated",
    "update-client=pause",
];

/// Makes the runs both ways, round by round, and gives a line of the table.
pub(crate) fn measure(matrix: &mut Matrix, rounds: usize) -> String {
    let Matrix { name, lab, exchanges } = matrix;
    let faults: Vec<Injection> = exchanges
        .iter()
        .flat_map(|exchange| EFFECTS.iter().map(move |effect| format!("{exchange} {effect}")))
        .map(|text| text.parse().unwrap_or_else(|error| panic!("{text}: {error}")))
        .collect();
    let plan = Plan::default();
    let mut ratios = Vec::new();
    let (mut each, mut forked) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let started = Instant::now();
        let whole: Vec<RunRecord> = faults
            .iter()
            .map(|fault| lab.run(&plan.and(fault)).unwrap_or_else(|error| panic!("{error}")))
            .collect();
        each.push(started.elapsed());
        let started = Instant::now();
        let branches = lab.run_branches(&plan, &faults).unwrap_or_else(|error| panic!("{error}"));
        forked.push(started.elapsed());
        for (branch, whole) in branches.iter().zip(&whole) {
            assert_eq!(branch.fingerprint, whole.fingerprint, "{name}: {}", branch.plan);
        }
        let last = ratios.len();
        ratios.push(each[last].as_secs_f64() / forked[last].as_secs_f64());
    }
    let runs = faults.len() as f64;
    let rate = |took: &mut Vec<Duration>| {
        took.sort();
        runs / took[took.len() / 2].as_secs_f64()
    };
    ratios.sort_by(f64::total_cmp);
    format!(
        "{name:<34} {:>14.0} {:>14.0} {:>8.2} {:>8}   runs/s",
        rate(&mut each),
        rate(&mut forked),
        ratios[ratios.len() / 2],
        5
    )
}
