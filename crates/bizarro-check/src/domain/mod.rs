//! Checks of one property each, in time that grows with the history and little more: they sort events and
//! look at each once. They decide less than [linearizability](crate::linearizable) does, and can say of
//! millions of operations, without a budget, which few contradict each other.
//!
//! | check | promise |
//! |---|---|
//! | [`fencing`] | tokens are unique and rise; a store takes no stale one; a lock that is asked for is granted in time |
//! | [`exclusion`] | nobody holds a lock while another one certainly does |
//! | [`set_full`] | what was added is read from then on |
//! | [`bank`] | money is neither made nor lost |
//! | [`long_fork`] | all readers see independent writes in one order |
//! | [`unique_ids`] | no id is given twice |
//! | [`broadcast`] | messages are delivered once, in order, to all |
//! | [`effects`] | a request takes effect at most once, at least once, or exactly once |
//! | [`convergence`] | when updates end, all readers come to see the same |
//!
//! A check is a function from a typed history to [`Findings`]; some can also be made while the history happens, see
//! [`online`](crate::online). Where a model of the same object exists, its
//! calls and replies are used.

pub mod bank;
pub mod broadcast;
pub mod convergence;
pub mod effects;
pub mod exclusion;
pub mod fencing;
pub mod long_fork;
pub mod set_full;
pub mod unique_ids;

use std::fmt;

use crate::history::{History, Operation, Outcome};

/// What is promised, and was not kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rule {
    /// No token is granted twice.
    UniqueToken,
    /// A grant that begins after another one ended has a greater token.
    RisingToken,
    /// A store that accepted a token accepts no lower one later.
    StaleToken,
    /// A lock that somebody asks for is granted in time.
    Availability,
    /// A lock is held by one process at a time.
    MutualExclusion,
    /// What a read contains was added before.
    NoCreation,
    /// What was added is read for ever.
    NothingLost,
    /// What was added is read at once.
    NothingStale,
    /// What was added once is read once.
    NoDuplicate,
    /// Balances add up to what there is.
    Conservation,
    /// No balance is below zero.
    NoOverdraft,
    /// Two reads see independent writes in one order.
    NoFork,
    /// No id is given twice.
    UniqueId,
    /// Messages of one sender are delivered in the order in which they were sent.
    FifoOrder,
    /// All processes deliver the same messages in the same order.
    TotalOrder,
    /// What one process delivers, every process delivers.
    Agreement,
    /// A request takes effect no more than once.
    AtMostOnce,
    /// A request that was answered takes effect.
    AtLeastOnce,
    /// Reads after the last update are equal.
    Convergence,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::UniqueToken => "token granted twice",
            Rule::RisingToken => "falling token",
            Rule::StaleToken => "stale token accepted",
            Rule::Availability => "lock not granted",
            Rule::MutualExclusion => "two holders",
            Rule::NoCreation => "out of nothing",
            Rule::NothingLost => "lost",
            Rule::NothingStale => "stale",
            Rule::NoDuplicate => "duplicate",
            Rule::Conservation => "wrong total",
            Rule::NoOverdraft => "overdrawn",
            Rule::NoFork => "long fork",
            Rule::UniqueId => "id given twice",
            Rule::FifoOrder => "sender's order broken",
            Rule::TotalOrder => "two orders",
            Rule::Agreement => "not delivered to all",
            Rule::AtMostOnce => "more than one effect",
            Rule::AtLeastOnce => "no effect",
            Rule::Convergence => "no convergence",
        })
    }
}

/// Operations that contradict each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contradiction {
    /// What they break.
    pub rule: Rule,
    /// Their indices in the history, in the order in which the sentence speaks of them. They contradict
    /// each other whatever else happened; or, where nothing was to be expected, stand alone.
    pub operations: Vec<u32>,
    /// How, in a sentence without a full stop.
    pub because: String,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.because)
    }
}

/// How many contradictions are listed. All are counted.
pub const LISTED_MAX: usize = 100;

/// What a check found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Findings {
    listed: Vec<Contradiction>,
    count: u64,
}

impl Findings {
    /// The first [`LISTED_MAX`] contradictions, in the order in which the check comes upon them.
    pub fn listed(&self) -> &[Contradiction] {
        &self.listed
    }

    /// How many contradictions there are in all.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether the promise was kept.
    pub fn held(&self) -> bool {
        self.count == 0
    }

    /// Adds one. The sentence is made only where it is kept.
    fn add(&mut self, rule: Rule, operations: &[u32], because: impl FnOnce() -> String) {
        self.count += 1;
        if self.listed.len() < LISTED_MAX {
            let (operations, because) = (operations.to_vec(), because());
            self.listed.push(Contradiction { rule, operations, because });
        }
    }
}

/// An operation that took effect, with its index.
struct Done<'h, C, R> {
    index: u32,
    operation: &'h Operation<C, R>,
    reply: &'h R,
    /// The positions of its events.
    invoked: u32,
    ended: u32,
}

/// The operations that took effect, in the order of their invocations.
fn done<C, R>(history: &History<C, R>) -> impl Iterator<Item = Done<'_, C, R>> {
    history.operations().iter().enumerate().filter_map(|(index, operation)| {
        let (reply, ended) = (operation.outcome.reply()?, operation.ended?.position);
        let invoked = operation.invoked.position;
        Some(Done { index: index as u32, operation, reply, invoked, ended })
    })
}

/// Whether an operation may have taken effect.
fn may_have_happened<C, R>(operation: &Operation<C, R>) -> bool {
    !matches!(operation.outcome, Outcome::Fail)
}

/// Something numbered that was certainly given between two events.
struct Numbered {
    index: u32,
    number: i64,
    invoked: u32,
    ended: u32,
}

/// For each one that was invoked after another with a number as high had ended (`falls` says what is too
/// high): the highest of those, and it. They are given in the order of invocations.
fn falling(
    numbered: &[Numbered],
    falls: impl Fn(i64, i64) -> bool,
    mut found: impl FnMut(&Numbered, &Numbered),
) {
    let mut by_end: Vec<&Numbered> = numbered.iter().collect();
    by_end.sort_unstable_by_key(|it| it.ended);
    let mut ended = by_end.into_iter().peekable();
    let mut highest: Option<&Numbered> = None;
    for later in numbered {
        while let Some(before) = ended.next_if(|it| it.ended < later.invoked) {
            if highest.is_none_or(|highest| before.number > highest.number) {
                highest = Some(before);
            }
        }
        if let Some(earlier) = highest.filter(|earlier| falls(earlier.number, later.number)) {
            found(earlier, later);
        }
    }
}
