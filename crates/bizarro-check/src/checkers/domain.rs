//! Checkers of single properties, in near linear time.

use std::time::Duration;

use super::{Answer, Case, Checker, Reason, Refusal, balances, misfit};
use crate::domain::broadcast::{self, Ending, Order};
use crate::domain::effects::{self, Delivery};
use crate::domain::set_full::{self, Staleness};
use crate::domain::{Findings, bank, convergence, exclusion, fencing, long_fork, unique_ids};
use crate::model::{Bank, FencedLock, FromRaw, Mutex, Overdraft, Set, UniqueId};
use crate::transactions::raw;

/// All of them.
pub(super) const CHECKERS: &[Checker] = &[
    Checker {
        name: "fencing-tokens",
        about: "tokens are unique, rise and are heeded",
        check: tokens,
    },
    Checker {
        name: "mutual-exclusion",
        about: "a lock has one holder at a time",
        check: exclusion,
    },
    Checker {
        name: "set-full",
        about: "what was added to a set is read from then on",
        check: set_full,
    },
    Checker { name: "bank-total", about: "transfers make and lose no money", check: bank_total },
    Checker { name: "long-fork", about: "reads see writes in one order", check: long_fork },
    Checker { name: "unique-ids", about: "no id is given twice", check: unique_ids },
    Checker {
        name: "broadcast",
        about: "messages come once, to all in one order",
        check: broadcast,
    },
    Checker {
        name: "exactly-once",
        about: "requests take effect exactly once",
        check: exactly_once,
    },
    Checker {
        name: "convergence",
        about: "after all updates, reads are equal",
        check: convergence,
    },
];

type Checked = Result<Answer, Refusal>;

fn answer(findings: &Findings) -> Answer {
    if findings.held() {
        return Answer::Holds;
    }
    let reasons = findings.listed().iter().map(|found| Reason {
        name: found.rule.to_string(),
        operations: found.operations.clone(),
        because: vec![found.because.clone()],
        arrows: Vec::new(),
    });
    Answer::Violated(reasons.collect())
}

/// Refuses what only other checkers have.
fn single(case: &Case<'_>) -> Result<(), Refusal> {
    case.has_no_level()?;
    case.has_no_consistency()
}

/// Refuses what these checkers do not have.
fn plain(case: &Case<'_>) -> Result<(), Refusal> {
    single(case)?;
    case.begins_empty()
}

fn tokens(case: &Case<'_>) -> Checked {
    plain(case)?;
    let history = FencedLock::default().history(case.history).map_err(misfit)?;
    Ok(answer(&fencing::tokens(&history)))
}

fn exclusion(case: &Case<'_>) -> Checked {
    plain(case)?;
    Ok(answer(&exclusion::mutual_exclusion(&Mutex.history(case.history).map_err(misfit)?)))
}

fn set_full(case: &Case<'_>) -> Checked {
    plain(case)?;
    let history = Set::new().history(case.history).map_err(misfit)?;
    Ok(answer(&set_full::set_full(&history, Staleness::Refused)))
}

fn bank_total(case: &Case<'_>) -> Checked {
    single(case)?;
    let bank = Bank { overdraft: Overdraft::Allowed, ..Bank::new(balances(case.initial)?) };
    let history = bank.history(case.history).map_err(misfit)?;
    Ok(answer(&bank::conservation(&bank, &history)))
}

fn long_fork(case: &Case<'_>) -> Checked {
    single(case)?;
    let history = raw::registers(case.history).map_err(misfit)?;
    Ok(answer(&long_fork::long_fork(&history, &case.initial.cloned().unwrap_or_default())))
}

fn unique_ids(case: &Case<'_>) -> Checked {
    plain(case)?;
    let history = UniqueId::new().history(case.history).map_err(misfit)?;
    Ok(answer(&unique_ids::unique_ids(&history)))
}

fn broadcast(case: &Case<'_>) -> Checked {
    plain(case)?;
    let history = broadcast::from_raw(case.history).map_err(misfit)?;
    Ok(answer(&broadcast::broadcast(&history, Order::Total, Ending::Open)))
}

fn exactly_once(case: &Case<'_>) -> Checked {
    plain(case)?;
    let history = effects::from_raw(case.history).map_err(misfit)?;
    Ok(answer(&effects::effects(&history, Delivery::ExactlyOnce)))
}

fn convergence(case: &Case<'_>) -> Checked {
    plain(case)?;
    let history = convergence::from_raw(case.history).map_err(misfit)?;
    Ok(answer(&convergence::convergence(&history, Duration::ZERO)))
}
