//! Checkers of transactions.

use super::{Answer, Case, Checker, Doubt, Reason, Refusal, misfit};
use crate::picture::Arrow;
use crate::transactions::{
    Anomaly, Dependency, Disagreement, Level, Options, Proof, Report, Undecided, Verdict,
    list_append, raw, rw_register,
};

/// All of them.
pub(super) const CHECKERS: &[Checker] = &[
    Checker {
        name: "list-append",
        about: "transactions that append to lists and read them, at a level of isolation",
        check: lists,
    },
    Checker {
        name: "rw-register",
        about: "transactions that write and read registers, at a level of isolation",
        check: registers,
    },
];

fn lists(case: &Case<'_>) -> Result<Answer, Refusal> {
    case.begins_empty()?;
    case.has_no_consistency()?;
    let history = raw::lists(case.history).map_err(misfit)?;
    answer(list_append(&history, &options(case)))
}

fn registers(case: &Case<'_>) -> Result<Answer, Refusal> {
    case.has_no_consistency()?;
    let history = raw::registers(case.history).map_err(misfit)?;
    let initial = case.initial.cloned().unwrap_or_default();
    answer(rw_register(&history, &initial, case.unwritten, &options(case)))
}

fn options(case: &Case<'_>) -> Options {
    let level = case.level.unwrap_or(Level::StrictSerializable);
    Options { level, budget: case.options.budget }
}

fn answer(report: Result<Report, Disagreement>) -> Result<Answer, Refusal> {
    Ok(match report.map_err(Refusal::Transactions)?.verdict {
        Verdict::Holds(_) => Answer::Holds,
        Verdict::Violated(anomalies) => Answer::Violated(anomalies.iter().map(reason).collect()),
        Verdict::Unknown(Undecided::Exhausted(what)) => Answer::Unknown(Doubt::Exhausted(what)),
        Verdict::Unknown(Undecided::VersionOrder) => Answer::Unknown(Doubt::VersionOrder),
    })
}

fn reason(anomaly: &Anomaly) -> Reason {
    let (because, arrows) = match &anomaly.proof {
        Proof::Cycle(cycle) => (cycle.iter().map(sentence).collect(), arrows(cycle)),
        Proof::Accesses(places) => {
            let places = places.iter().map(|it| format!("{} of {}", it.access, it.operation));
            let places = places.collect::<Vec<_>>().join(", ");
            (vec![format!("see access {places}")], Vec::new())
        }
    };
    let operations = anomaly.operations();
    Reason { name: anomaly.phenomenon.to_string(), operations, because, arrows }
}

fn arrows(cycle: &[Dependency]) -> Vec<Arrow> {
    let arrow = |it: &Dependency| {
        let because = format!("{}: {}", it.name(), how(it));
        Arrow { from: it.from(), to: it.to(), because }
    };
    cycle.iter().map(arrow).collect()
}

/// Why one transaction comes before the other.
fn sentence(dependency: &Dependency) -> String {
    let (from, to) = (dependency.from(), dependency.to());
    format!("{from} < {to} ({}): {}", dependency.name(), how(dependency))
}

fn how(dependency: &Dependency) -> String {
    let to = dependency.to();
    match dependency {
        Dependency::Process { .. } => "of one process, it came first".to_string(),
        Dependency::Realtime { .. } => format!("it had ended when {to} began"),
        Dependency::WriteWrite { from: write, to: later, .. } => {
            format!("access {} of {to} came upon its access {}", later.access, write.access)
        }
        Dependency::WriteRead { from: write, to: read } => {
            format!("access {} of {to} saw its access {}", read.access, write.access)
        }
        Dependency::ReadWrite { from: read, to: write, .. } => {
            format!("its access {} did not see access {} of {to}", read.access, write.access)
        }
    }
}
