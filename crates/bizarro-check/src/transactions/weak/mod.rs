//! What is promised below snapshot isolation: session guarantees, read committed, read atomic and causal
//! consistency, of transactions that write and read registers. A read or write alone is a transaction too.
//!
//! Each of them is an axiom (R. Biswas, C. Enea, *On the Complexity of Checking Transactional Consistency*,
//! OOPSLA 2019): there is one order of all transactions, in which those of a session come in its order and
//! what was written before it was read, and where a read saw one write although another one to the same
//! register was *visible* to it, that other one comes first. They differ in what is visible. What a read makes
//! known of the order depends on no order, so all is known at once, and the promise is kept if there is no
//! cycle. How to do this in little time is shown by L. Møldrup, A. Pavlogiannis, *AWDIT: An Optimal Weak
//! Database Isolation Tester*, 2025.

mod causal;
mod facts;
mod infer;
mod reasons;

use std::fmt;
use std::hash::Hash;

use super::anomaly::{Phenomenon, Place};
use super::graph::{Edges, kind};
use super::{Disagreement, RegisterHistory, Unwritten};
use crate::budget::{Budget, Exhausted, Ledger, Share};
use facts::Facts;
use infer::Inferred;

/// What is promised. What is visible to a read of a transaction:
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Guarantee {
    /// What its session wrote before (D. Terry and others, *Session Guarantees for Weakly Consistent
    /// Replicated Data*, 1994).
    ReadYourWrites,
    /// What its session saw before.
    MonotonicReads,
    /// What was written in some session before something that its session has seen.
    MonotonicWrites,
    /// What some session had seen when it wrote something that its session has seen.
    WritesFollowReads,
    /// What was written by a transaction of which it saw something by an earlier read.
    ReadCommitted,
    /// What was written in its session before, or by a transaction of which it saw anything.
    ReadAtomic,
    /// What its session wrote or saw before, and what was visible to that, and so on.
    Causal,
}

/// Every guarantee, and its name.
pub const GUARANTEES: &[(&str, Guarantee)] = &[
    ("read-your-writes", Guarantee::ReadYourWrites),
    ("monotonic-reads", Guarantee::MonotonicReads),
    ("monotonic-writes", Guarantee::MonotonicWrites),
    ("writes-follow-reads", Guarantee::WritesFollowReads),
    ("read-committed", Guarantee::ReadCommitted),
    ("read-atomic", Guarantee::ReadAtomic),
    ("causal", Guarantee::Causal),
];

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = GUARANTEES.iter().find(|(_, it)| it == self).map(|(name, _)| *name);
        f.write_str(name.expect("every guarantee has a line in the list"))
    }
}

/// How to check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// What is promised.
    pub guarantee: Guarantee,
    /// What a read of a value means that nobody wrote.
    pub unwritten: Unwritten,
    /// What it may take.
    pub budget: Budget,
}

/// What a check says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The promise is kept, as this order of the transactions that took effect shows.
    Holds(Vec<u32>),
    /// It is not: here is why.
    Violated(Vec<Violation>),
    /// The budget ended.
    Unknown(Exhausted),
}

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Violation {
    /// Something was read that nobody can have read, whatever the order.
    Read(Phenomenon, Vec<Place>),
    /// Transactions of which each comes before the next one, and the last one before the first. One alone
    /// comes before what nothing comes before.
    Cycle(Vec<Before>),
}

/// Why one transaction comes before another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Before {
    /// They are of one session.
    Session {
        /// The first.
        from: u32,
        /// The second.
        to: u32,
    },
    /// What it wrote was read.
    Read {
        /// The write.
        from: Place,
        /// The read.
        to: Place,
    },
    /// Its write was visible to a read that saw another one.
    Overwritten {
        /// The write that was visible.
        from: Place,
        /// The write that was seen; none where what the register held first was seen.
        to: Option<Place>,
        /// The read.
        read: Place,
        /// Why it was visible: from the transaction that wrote it to the one that read.
        visible: Vec<Step>,
    },
}

/// How what one transaction did became known to the next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// This is a later one of the same session.
    Session(u32),
    /// By this read of something that the one before wrote.
    Read(Place),
}

impl Step {
    /// The transaction that it leads to.
    pub fn to(&self) -> u32 {
        match self {
            Step::Session(to) => *to,
            Step::Read(place) => place.operation,
        }
    }
}

impl Before {
    /// The transaction that comes first.
    pub fn from(&self) -> u32 {
        match self {
            Before::Session { from, .. } => *from,
            Before::Read { from, .. } | Before::Overwritten { from, .. } => from.operation,
        }
    }

    /// The one that comes after it; none if that is what was there first.
    pub fn to(&self) -> Option<u32> {
        match self {
            Before::Session { to, .. } => Some(*to),
            Before::Read { to, .. } => Some(to.operation),
            Before::Overwritten { to, .. } => to.map(|to| to.operation),
        }
    }
}

impl Violation {
    /// The transactions that it is about, in order.
    pub fn operations(&self) -> Vec<u32> {
        let mut operations: Vec<u32> = match self {
            Violation::Read(_, places) => places.iter().map(|it| it.operation).collect(),
            Violation::Cycle(cycle) => cycle
                .iter()
                .flat_map(|it| {
                    let steps = match it {
                        Before::Overwritten { visible, .. } => visible.as_slice(),
                        Before::Session { .. } | Before::Read { .. } => &[],
                    };
                    [Some(it.from()), it.to()]
                        .into_iter()
                        .flatten()
                        .chain(steps.iter().map(Step::to))
                        .collect::<Vec<u32>>()
                })
                .collect(),
        };
        operations.sort_unstable();
        operations.dedup();
        operations
    }
}

/// A verdict and what it cost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// What the check says.
    pub verdict: Verdict,
    /// How often it was found that one write came before another one.
    pub inferred: usize,
    /// The most bytes that the tables took, as the budget counts them.
    pub bytes_peak: usize,
}

/// Checks transactions on registers, which hold `initial` first. Each process is a session.
///
/// ```
/// use bizarro_check::budget::Budget;
/// use bizarro_check::history::Builder;
/// use bizarro_check::model::Access::{Read, Write};
/// use bizarro_check::transactions::Unwritten;
/// use bizarro_check::transactions::weak::{Guarantee, Options, Verdict, check};
///
/// let mut history = Builder::new();
/// history.invoke(1, vec![Write("x", "new")])?;
/// history.ok(1, vec![])?;
/// history.invoke(1, vec![Read("x")])?;
/// history.ok(1, vec![Some("old")])?; // What it wrote itself is not there.
/// let options = Options {
///     guarantee: Guarantee::ReadYourWrites,
///     unwritten: Unwritten::Anomaly,
///     budget: Budget::default(),
/// };
/// let report = check(&history.finish(), &"old", &options).unwrap();
/// assert!(matches!(report.verdict, Verdict::Violated(_)));
/// # Ok::<(), bizarro_check::history::Disorder>(())
/// ```
///
/// # Errors
/// Where the history does not tell who wrote what.
pub fn check<V: Eq + Hash>(
    history: &RegisterHistory<V>,
    initial: &V,
    options: &Options,
) -> Result<Report, Disagreement> {
    let ledger = Ledger::new(&options.budget);
    let mut share = Share::new(&ledger);
    let accesses: usize = history.operations().iter().map(|it| it.call.len()).sum();
    let mut inferred = 0;
    let expected = 48 * history.len() + 96 * accesses;
    let verdict = match share.hold(expected).and_then(|()| share.in_time()) {
        Err(what) => Verdict::Unknown(what),
        Ok(()) => {
            let facts = Facts::new(history, initial, options.unwritten)?;
            let mut decide = |guarantee| decide(&facts, guarantee, &ledger, &mut inferred);
            // Causal consistency gives these too, and is decided sooner.
            let sooner = match options.guarantee {
                Guarantee::MonotonicWrites | Guarantee::WritesFollowReads => {
                    decide(Guarantee::Causal).ok()
                }
                _ => None,
            };
            match sooner {
                Some(Verdict::Holds(order)) => Verdict::Holds(order),
                _ => decide(options.guarantee).unwrap_or_else(Verdict::Unknown),
            }
        }
    };
    drop(share);
    Ok(Report { verdict, inferred, bytes_peak: ledger.peak_bytes() })
}

fn decide<V: Eq + Hash>(
    facts: &Facts<'_, V>,
    guarantee: Guarantee,
    ledger: &Ledger,
    count: &mut usize,
) -> Result<Verdict, Exhausted> {
    if !facts.wrong.is_empty() {
        return Ok(Verdict::Violated(facts.wrong.clone()));
    }
    let mut share = Share::new(ledger);
    let mut edges = Edges::new(facts.history.len());
    facts.order(&mut edges);
    // The list of edges, and the graph that is made of it.
    share.hold(edges.bytes() * 2 + 8 * edges.graph_nodes())?;
    ledger.in_time()?;
    let graph = edges.graph();
    if let Err(among) = graph.in_order() {
        return reasons::cycles(facts, guarantee, &graph, &among, ledger);
    }
    let mut inferred = Inferred::new(ledger);
    match guarantee {
        Guarantee::Causal => causal::infer(facts, &graph, &mut inferred, ledger)?,
        _ => infer::infer(facts, guarantee, &mut inferred)?,
    }
    drop(graph);
    let (pairs, stale) = inferred.finish();
    *count = pairs.len();
    if let Some((write, read)) = stale {
        let cycle = reasons::stale(facts, guarantee, write, read);
        return Ok(Verdict::Violated(vec![Violation::Cycle(vec![cycle])]));
    }
    share.hold(3 * (edges.bytes() + pairs.len() * 12) + 12 * edges.graph_nodes())?;
    for (from, to) in pairs {
        edges.add(from, to, kind::WRITE_WRITE);
    }
    ledger.in_time()?;
    let graph = edges.graph();
    match graph.in_order() {
        Ok(mut order) => {
            order.retain(|it| facts.is_in_effect(*it));
            Ok(Verdict::Holds(order))
        }
        Err(among) => reasons::cycles(facts, guarantee, &graph, &among, ledger),
    }
}
