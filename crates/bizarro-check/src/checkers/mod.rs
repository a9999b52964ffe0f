//! Every checker that a history from a file can be given to, by name. A checker is a function in one of the
//! files here and a line in its list.

mod domain;
mod linearizable;
mod transactions;
mod weak;

use std::fmt;

use crate::budget::Exhausted;
use crate::history::{RawHistory, Value};
use crate::linearizable::Options;
use crate::model::Misfit;
use crate::picture::Arrow;
use crate::transactions::{Disagreement, Level, Unwritten};

/// A checker of raw histories.
#[derive(Clone, Copy, Debug)]
pub struct Checker {
    /// Its name.
    pub name: &'static str,
    /// What it decides, in a phrase.
    pub about: &'static str,
    /// Checks a history.
    pub check: fn(&Case<'_>) -> Result<Answer, Refusal>,
}

/// What is checked, and how.
#[derive(Clone, Copy, Debug)]
pub struct Case<'c> {
    /// What happened.
    pub history: &'c RawHistory,
    /// What the object holds first; where there is none, `nil`, zero or nothing, as the checker has it.
    pub initial: Option<&'c Value>,
    /// Whether real time counts, where an object is checked against its model.
    pub consistency: Consistency,
    /// What is promised of transactions; where there is none, strict serializability.
    pub level: Option<Level>,
    /// What a read of a register means that no transaction wrote so.
    pub unwritten: Unwritten,
    /// The budget, threads, and whether a reason is made small.
    pub options: Options,
}

/// Which orders of operations count where an object is checked against its model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Consistency {
    /// Those that keep real time: what had ended when another one was invoked comes before it.
    #[default]
    Linearizable,
    /// Those that keep the order of each process.
    Sequential,
}

/// What a checker says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The promise is kept.
    Holds,
    /// It is not, for these reasons among others. There is at least one.
    Violated(Vec<Reason>),
    /// It could not be told.
    Unknown(Doubt),
}

/// Why a promise is not kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason {
    /// What kind of violation it is.
    pub name: String,
    /// The operations that contradict each other, by their indices.
    pub operations: Vec<u32>,
    /// How, in a sentence or several, without a full stop.
    pub because: Vec<String>,
    /// Which of them comes before which, where that is why.
    pub arrows: Vec<Arrow>,
}

/// Why there is no verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// The budget ended.
    Exhausted(Exhausted),
    /// The history does not tell enough of the order of versions.
    VersionOrder,
}

/// Why a history could not be checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The operation of this index is none that the checker knows.
    Operation(usize, Misfit),
    /// The transactions do not tell who wrote what.
    Transactions(Disagreement),
    /// The object cannot hold this first.
    Initial(Misfit),
    /// Only checkers of transactions have levels.
    Level(Level),
    /// Only objects with a model are checked for sequential consistency.
    Sequential,
}

impl Refusal {
    /// The operation that it is about.
    pub fn operation(&self) -> Option<usize> {
        match self {
            Refusal::Operation(index, _) => Some(*index),
            Refusal::Transactions(disagreement) => Some(disagreement.operation() as usize),
            Refusal::Initial(_) | Refusal::Level(_) | Refusal::Sequential => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Operation(index, misfit) => write!(f, "operation {index}: {misfit}"),
            Refusal::Transactions(disagreement) => disagreement.fmt(f),
            Refusal::Initial(misfit) => write!(f, "the initial value: {misfit}"),
            Refusal::Level(level) => {
                write!(
                    f,
                    "expected no level of isolation for what are not transactions, found {level}"
                )
            }
            Refusal::Sequential => f.write_str(
                "expected the model of an object for sequential consistency, found another check",
            ),
        }
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Doubt::Exhausted(Exhausted::Memory) => "the budget of memory ended",
            Doubt::Exhausted(Exhausted::Time) => "the budget of time ended",
            Doubt::VersionOrder => "nothing is wrong as far as the order of versions is known",
        })
    }
}

/// The checkers: of linearizability, of single properties, of transactions, and of what is weaker.
pub fn checkers() -> impl Iterator<Item = &'static Checker> {
    let lists = [linearizable::CHECKERS, domain::CHECKERS, transactions::CHECKERS, weak::CHECKERS];
    lists.into_iter().flatten()
}

impl Checker {
    /// The checker of this name.
    pub fn named(name: &str) -> Option<&'static Checker> {
        checkers().find(|checker| checker.name == name)
    }
}

impl Case<'_> {
    /// Refuses what only objects with a model have.
    fn has_no_consistency(&self) -> Result<(), Refusal> {
        match self.consistency {
            Consistency::Linearizable => Ok(()),
            Consistency::Sequential => Err(Refusal::Sequential),
        }
    }

    /// Refuses what only transactions have.
    fn has_no_level(&self) -> Result<(), Refusal> {
        self.level.map_or(Ok(()), |level| Err(Refusal::Level(level)))
    }

    /// Refuses a first value where nothing can be held first.
    fn begins_empty(&self) -> Result<(), Refusal> {
        match self.initial {
            None => Ok(()),
            Some(other) => Err(Refusal::Initial(Misfit::new("none", other))),
        }
    }
}

/// Accounts with balances, as a value has them.
fn balances(initial: Option<&Value>) -> Result<Vec<(Value, i64)>, Refusal> {
    let Some(initial) = initial else { return Ok(Vec::new()) };
    let wanted = |found: &Value| Refusal::Initial(Misfit::new("a map of balances", found));
    let pairs = initial.pairs().ok_or_else(|| wanted(initial))?.iter();
    pairs
        .map(|(account, balance)| {
            Ok((account.clone(), balance.int().ok_or_else(|| wanted(balance))?))
        })
        .collect()
}

/// What an operation that is not understood is refused with.
fn misfit((index, misfit): (usize, Misfit)) -> Refusal {
    Refusal::Operation(index, misfit)
}
