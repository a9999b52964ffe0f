//! What verdicts rest on, in a form that a small program can check. Nothing here shares code with the checkers, and
//! each verifier's files have less than 300 lines and say at their tops what they trust:
//!
//! | verifier | evidence |
//! |---|---|
//! | [`verify`] | orders of operations on objects with a model, and cores that have none: linearizability and sequential consistency |
//! | [`Transactions`] | serial orders, and cycles with their names; and in a file of its own what is wrong with single reads |
//! | [`verify_weak`] | orders and cycles of session guarantees, read committed, read atomic and causal consistency |
//!
//! What [`domain`](crate::domain) finds are a few operations that are wrong by themselves; the tests keep only these,
//! and look at them pair by pair.

mod reads;
mod transactions;
mod verify;
mod weak;

use std::fmt;

pub use transactions::Transactions;
pub use verify::verify;
pub use weak::verify_weak;

/// Why evidence was not accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// It does not show what it claims.
    Wrong(String),
    /// It could not be told within so many configurations.
    TooLarge(usize),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::Wrong(why) => f.write_str(why),
            Doubt::TooLarge(limit) => write!(f, "not shown within {limit} configurations"),
        }
    }
}

impl std::error::Error for Doubt {}

fn wrong<T>(why: impl Into<String>) -> Result<T, Doubt> {
    Err(Doubt::Wrong(why.into()))
}

/// What a verdict rests on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Evidence<'a> {
    /// An order which shows that a history is linearizable.
    Linearization(&'a Linearization),
    /// Operations which show that it is not.
    NonLinearizable(&'a NonLinearizable),
    /// An order which shows that a history is sequentially consistent.
    Sequence(&'a Sequence),
    /// Operations which show that it is not.
    NonSequential(&'a NonSequential),
}

/// An order of operations for each part of a history, by their indices. Every operation with a reply is in
/// it once, one with an unknown outcome at most once, and a failed one never.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Linearization {
    /// Parts in their order.
    pub parts: Vec<Vec<u32>>,
}

/// Why a history is not linearizable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NonLinearizable {
    /// The history up to just before the end of this operation is linearizable.
    pub stuck: u32,
    /// A linearization of this prefix, of the part that `stuck` belongs to.
    pub prefix: Vec<u32>,
    /// Whether there is no longer linearizable prefix. Otherwise the budget ended before that was clear.
    pub longest: bool,
    /// Operations that contradict each other.
    pub core: Core,
}

/// An order of operations, by their indices, which keeps that of each process. Every operation with a reply is in it
/// once, one with an unknown outcome at most once, and a failed one never.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sequence {
    /// All of them.
    pub order: Vec<u32>,
}

/// Why a history is not sequentially consistent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NonSequential {
    /// Operations that no order of each process's own explains. All events count.
    pub core: Core,
}

/// Operations that cannot be put in order among each other, even if every other one of their parts that was
/// invoked before the event `until` may take effect at any time, more than once, or never; but all of these
/// together no more often than there are of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Core {
    /// Indices of operations, in order.
    pub operations: Vec<u32>,
    /// The position of the last event that counts.
    pub until: u32,
    /// Whether none of them can be spared. Otherwise the time for trying was over before that was clear.
    pub minimal: bool,
}
