//! Checkers of session guarantees, read committed, read atomic and causal consistency.

use super::{Answer, Case, Checker, Doubt, Reason, Refusal, misfit};
use crate::picture::Arrow;
use crate::transactions::weak::{
    Before, Guarantee, Options, Step, Verdict, Violation, check as check_weak,
};
use crate::transactions::{Place, raw};

/// All of them.
pub(super) const CHECKERS: &[Checker] = &[
    Checker {
        name: "read-your-writes",
        about: "a session sees what it wrote",
        check: |case| check(case, Guarantee::ReadYourWrites),
    },
    Checker {
        name: "monotonic-reads",
        about: "a session sees nothing older than what it saw",
        check: |case| check(case, Guarantee::MonotonicReads),
    },
    Checker {
        name: "monotonic-writes",
        about: "a session's writes are seen in its order",
        check: |case| check(case, Guarantee::MonotonicWrites),
    },
    Checker {
        name: "writes-follow-reads",
        about: "who sees a write sees what its session had seen",
        check: |case| check(case, Guarantee::WritesFollowReads),
    },
    Checker {
        name: "read-committed",
        about: "reads of a transaction see whole transactions, later ones no older",
        check: |case| check(case, Guarantee::ReadCommitted),
    },
    Checker {
        name: "read-atomic",
        about: "a transaction sees all of another one or nothing",
        check: |case| check(case, Guarantee::ReadAtomic),
    },
    Checker {
        name: "causal",
        about: "who sees something sees all that it depends on",
        check: |case| check(case, Guarantee::Causal),
    },
];

fn check(case: &Case<'_>, guarantee: Guarantee) -> Result<Answer, Refusal> {
    case.has_no_level()?;
    case.has_no_consistency()?;
    let history = raw::accesses(case.history).map_err(misfit)?;
    let initial = case.initial.cloned().unwrap_or_default();
    let options = Options { guarantee, unwritten: case.unwritten, budget: case.options.budget };
    let report = check_weak(&history, &initial, &options).map_err(Refusal::Transactions)?;
    Ok(match report.verdict {
        Verdict::Holds(_) => Answer::Holds,
        Verdict::Unknown(what) => Answer::Unknown(Doubt::Exhausted(what)),
        Verdict::Violated(found) => {
            Answer::Violated(found.iter().map(|it| reason(it, guarantee)).collect())
        }
    })
}

fn reason(violation: &Violation, guarantee: Guarantee) -> Reason {
    let operations = violation.operations();
    match violation {
        Violation::Cycle(cycle) => {
            let because = cycle.iter().map(sentence).collect();
            let arrow = |it: &Before| {
                let (from, to) = (it.from(), it.to()?);
                Some(Arrow { from, to, because: sentence(it) })
            };
            let arrows = cycle.iter().filter_map(arrow).collect();
            Reason { name: format!("not {guarantee}"), operations, because, arrows }
        }
        Violation::Read(phenomenon, places) => {
            let places: Vec<String> = places.iter().map(place).collect();
            let because = vec![format!("see {}", places.join(", "))];
            Reason { name: phenomenon.to_string(), operations, because, arrows: Vec::new() }
        }
    }
}

/// Why one transaction comes before the other.
fn sentence(before: &Before) -> String {
    match before {
        Before::Session { from, to } => format!("{from} < {to}: of one process, it came first"),
        Before::Read { from, to } => {
            format!("{} < {}: {} saw {}", from.operation, to.operation, place(to), place(from))
        }
        Before::Overwritten { from, to, read, visible } => {
            let way = visible.iter().map(|step| match step {
                Step::Session(to) => format!("its process went on with {to}"),
                Step::Read(read) => format!("{} read what it wrote", read.operation),
            });
            let way = way.collect::<Vec<_>>().join(", then ");
            let seen = match to {
                Some(to) => format!(
                    "{} < {}: {} saw {}",
                    from.operation,
                    to.operation,
                    place(read),
                    place(to)
                ),
                None => format!("{} saw what was there first", place(read)),
            };
            format!("{seen} although {} was visible to it ({way})", place(from))
        }
    }
}

fn place(place: &Place) -> String {
    format!("access {} of {}", place.access, place.operation)
}
