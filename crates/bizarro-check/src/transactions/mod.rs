//! Whether transactions were isolated from each other as promised, in the manner of Elle (K. Kingsbury,
//! P. Alvaro, *Elle: Inferring Isolation Anomalies from Experimental Observations*, VLDB 2020): from what was
//! written and read follows which transaction came before which, and what cannot have been is a cycle.
//!
//! [`list_append`] takes transactions that append to lists, [`rw_register`] those that write registers. Lists
//! tell more: whoever reads one sees all versions before it.
//!
//! What is said beyond Elle: a serializable history *holds* only with a serial order that shows it, which
//! [`Transactions`](crate::evidence::Transactions) replays; appends that nobody read come after all that was read; and
//! where versions of registers cannot be put in order, the verdict is *unknown*.
//!
//! The published crate `adya` (0.1) does much of this. It is not used here: it has no budget and no serial
//! order as evidence, brings database clients along, and takes more than twice the time and memory.

mod anomaly;
mod cycles;
mod graph;
mod level;
mod list_append;
mod orders;
pub mod raw;
mod rw_register;
mod schedule;
mod versions;
pub mod weak;
mod writes;

pub use anomaly::{Anomaly, Basis, Cyclic, Dependency, Order, Phenomenon, Place, Proof};
use level::Family;
pub use level::{LEVELS, Level};
pub use list_append::{ListAccess, ListHistory};
pub use rw_register::{RegisterHistory, Unwritten};

use std::fmt;
use std::hash::Hash;

use crate::budget::{Budget, Exhausted, Ledger, Share};
use crate::history::History;
use graph::{Edges, Graph, kind};
use list_append::ListAppend;
use rw_register::RwRegister;

/// How many anomalies of single accesses are given.
pub const LISTED_MAX: usize = 100;

/// How to check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// What is promised.
    pub level: Level,
    /// What it may take.
    pub budget: Budget,
}

impl Default for Options {
    /// Strict serializability, and the default budget.
    fn default() -> Options {
        Options { level: Level::StrictSerializable, budget: Budget::default() }
    }
}

/// What a check says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The promise is kept. Where it is serializability, here is a serial order: indices of transactions.
    /// All that took effect are in it. For weaker levels it is there where there is one.
    Holds(Option<Vec<u32>>),
    /// It is not: here is why.
    Violated(Vec<Anomaly>),
    /// It could not be told.
    Unknown(Undecided),
}

/// Why there is no verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Undecided {
    /// The budget ended.
    Exhausted(Exhausted),
    /// Nothing is wrong as far as the order of versions is known, which is not far enough.
    VersionOrder,
}

/// A verdict and what it rests on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// What the check says.
    pub verdict: Verdict,
    /// How many dependencies were found, those of time included.
    pub edges: usize,
    /// The most bytes that the tables took, as the budget counts them.
    pub bytes_peak: usize,
}

/// Why a history cannot be read as one of such transactions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disagreement {
    /// This transaction's reply has not one answer for each of its reads.
    Replies(u32),
    /// This transaction wrote what the registers hold first.
    WritesInitial(u32),
    /// These two transactions (or one, twice) wrote the same value to one object, so that a read of it does
    /// not tell whose it saw.
    WrittenTwice(u32, u32),
}

impl Disagreement {
    /// The transaction that it is about.
    pub fn operation(&self) -> u32 {
        match self {
            Disagreement::Replies(operation)
            | Disagreement::WritesInitial(operation)
            | Disagreement::WrittenTwice(_, operation) => *operation,
        }
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Disagreement::Replies(index) => {
                write!(f, "operation {index}: expected an answer for each read")
            }
            Disagreement::WritesInitial(index) => {
                write!(f, "operation {index}: expected other values than the initial one")
            }
            Disagreement::WrittenTwice(first, second) => write!(
                f,
                "operation {second}: expected a value that operation {first} had not written to the \
                 same object"
            ),
        }
    }
}

impl std::error::Error for Disagreement {}

/// Checks transactions that append to lists.
///
/// ```
/// use std::sync::Arc;
/// use bizarro_check::history::Builder;
/// use bizarro_check::transactions::{ListAccess::{Append, Read}, Options, Verdict, list_append};
///
/// // Both read an empty list, and both append to it.
/// let mut history = Builder::new();
/// for process in [1, 2] {
///     history.invoke(process, vec![Read("x"), Append("x", process)])?;
/// }
/// for process in [1, 2] {
///     history.ok(process, vec![Arc::from([])])?;
/// }
/// let report = list_append(&history.finish(), &Options::default()).unwrap();
/// let Verdict::Violated(anomalies) = report.verdict else { panic!("an update was lost") };
/// assert_eq!(anomalies[0].phenomenon.to_string(), "lost-update");
/// # Ok::<(), bizarro_check::history::Disorder>(())
/// ```
///
/// # Errors
/// Where the history does not tell who wrote what.
pub fn list_append<K: Eq + Hash, V: Eq + Hash>(
    history: &ListHistory<K, V>,
    options: &Options,
) -> Result<Report, Disagreement> {
    let ledger = Ledger::new(&options.budget);
    if let Some(report) = too_large(history.operations().iter().map(|it| it.call.len()), &ledger) {
        return Ok(report);
    }
    let mut edges = Edges::new(history.len());
    let mut known = ListAppend::new(history, &mut edges)?;
    let anomalies = std::mem::take(&mut known.anomalies);
    let bytes = known.bytes();
    Ok(decide(history, &known, anomalies, edges, bytes, options, &ledger))
}

/// Checks transactions that read and write registers, which hold `initial` first.
///
/// Levels above read committed rest on the order of versions, which registers tell only in part. Where that
/// is not enough for a serial order or an anomaly, the verdict is unknown.
///
/// # Errors
/// Where the history does not tell who wrote what.
pub fn rw_register<V: Eq + Hash>(
    history: &RegisterHistory<V>,
    initial: &V,
    unwritten: Unwritten,
    options: &Options,
) -> Result<Report, Disagreement> {
    let ledger = Ledger::new(&options.budget);
    if let Some(report) = too_large(history.operations().iter().map(|it| it.call.len()), &ledger) {
        return Ok(report);
    }
    let mut edges = Edges::new(history.len());
    let mut known = RwRegister::new(history, initial, unwritten, options.level, &mut edges)?;
    let anomalies = std::mem::take(&mut known.anomalies);
    let bytes = known.bytes();
    Ok(decide(history, &known, anomalies, edges, bytes, options, &ledger))
}

/// What transactions say about each other.
trait Interpretation {
    /// Which transactions certainly took effect.
    fn took_effect(&self) -> &[bool];

    /// Why one comes before another one, for an edge of this kind.
    fn dependency(&self, from: u32, to: u32, kind: u8) -> Option<Dependency>;

    /// Writes of one object whose order is not known.
    fn unordered(&self) -> Unordered;

    /// A serial order out of one that respects all dependencies, if that is one or can be made one.
    ///
    /// # Errors
    /// The budget ended.
    fn serial(
        &self,
        graph: &Graph,
        order: &[u32],
        ledger: &Ledger,
    ) -> Result<Option<Vec<u32>>, Exhausted>;
}

/// Writes of one object whose order is not known.
enum Unordered {
    /// The transactions of each object that wrote it after all versions whose order is known.
    Groups(Vec<Vec<u32>>),
    /// It is known of few versions which comes next.
    Versions,
}

/// That the budget ended, if the tables for transactions of so many accesses each are certain not to fit into it.
fn too_large(accesses: impl Iterator<Item = usize>, ledger: &Ledger) -> Option<Report> {
    // A write or read, its place in an index, and an edge.
    let bytes = accesses.map(|accesses| 16 + 32 * accesses).sum();
    let what = Share::new(ledger).hold(bytes).err()?;
    let verdict = Verdict::Unknown(Undecided::Exhausted(what));
    Some(Report { verdict, edges: 0, bytes_peak: ledger.peak_bytes() })
}

fn decide<C, R>(
    history: &History<C, R>,
    known: &impl Interpretation,
    mut anomalies: Vec<Anomaly>,
    mut edges: Edges,
    bytes: usize,
    options: &Options,
    ledger: &Ledger,
) -> Report {
    let mut share = Share::new(ledger);
    orders::add(&mut edges, history, known.took_effect(), options.level.order());
    // What is wrong with what was read leaves no serial order, even where the level allows it.
    let serial = if anomalies.is_empty() { Serial::Possible } else { Serial::Impossible };
    anomalies.retain(|it| options.level.rules_out(it.phenomenon));
    // Beside the list of edges, the graph takes about half of that, and its search 36 bytes a node.
    let held = share.hold(bytes + edges.bytes() * 3 / 2 + 36 * edges.graph_nodes());
    let graph = edges.graph();
    let verdict = match held.and_then(|()| ledger.in_time()) {
        Ok(()) => {
            let question = Question { known, edges, graph: &graph, level: options.level };
            question.verdict(anomalies, serial, history.len() as u32, ledger)
        }
        Err(what) => Verdict::Unknown(Undecided::Exhausted(what)),
    };
    drop(share);
    Report { verdict, edges: graph.edges(), bytes_peak: ledger.peak_bytes() }
}

/// Whether a serial order is worth looking for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Serial {
    Possible,
    Impossible,
}

/// A graph and the level that it is held against.
struct Question<'q, I> {
    known: &'q I,
    edges: Edges,
    graph: &'q Graph,
    level: Level,
}

impl<I: Interpretation> Question<'_, I> {
    fn verdict(
        self,
        mut anomalies: Vec<Anomaly>,
        serial: Serial,
        transactions: u32,
        ledger: &Ledger,
    ) -> Verdict {
        let order = self.graph.in_order();
        if let Err(among) = &order {
            match cycles::find(self.graph, transactions, self.level, among, ledger) {
                Err(what) => return Verdict::Unknown(Undecided::Exhausted(what)),
                Ok(found) => anomalies.extend(found.iter().map(|cycle| self.named(cycle))),
            }
        }
        if !anomalies.is_empty() {
            return Verdict::Violated(anomalies);
        }
        let order = order.ok().filter(|_| serial == Serial::Possible);
        let serial = order.map(|order| self.known.serial(self.graph, &order, ledger));
        match serial.transpose() {
            Ok(Some(Some(order))) => Verdict::Holds(Some(order)),
            Ok(_) => self.without_serial_order(),
            Err(what) => Verdict::Unknown(Undecided::Exhausted(what)),
        }
    }

    /// A cycle with the reason for each of its edges.
    fn named(&self, cycle: &[cycles::Edge]) -> Anomaly {
        let reason = |&(from, to, kind): &cycles::Edge| match kind {
            kind::PROCESS => Dependency::Process { from, to },
            kind::REALTIME => Dependency::Realtime { from, to },
            _ => self.known.dependency(from, to, kind).expect("every edge has its reason"),
        };
        Anomaly::cycle(cycle.iter().map(reason).collect())
    }

    /// Nothing that is known is wrong.
    fn without_serial_order(self) -> Verdict {
        match (self.level.family(), self.known.unordered()) {
            // Without rw edges, versions of unknown order can take any that the others allow.
            (Family::ReadUncommitted | Family::ReadCommitted, _) => Verdict::Holds(None),
            (Family::Snapshot, Unordered::Groups(groups)) => self.snapshot(groups),
            (Family::Snapshot | Family::Serializable, _) => {
                Verdict::Unknown(Undecided::VersionOrder)
            }
        }
    }

    /// Whether some order of the unordered writes has no forbidden cycle either. One is tried, in which
    /// transactions commit as their dependencies say.
    fn snapshot(mut self, groups: Vec<Vec<u32>>) -> Verdict {
        let nodes: Vec<u32> = (0..self.graph.nodes()).collect();
        let order = cycles::nonadjacent(self.graph, &nodes).expect("cycles were looked for");
        let mut rank = vec![0_u32; nodes.len()];
        for (at, node) in (0..).zip(order) {
            rank[node as usize] = at;
        }
        for mut group in groups {
            group.sort_unstable_by_key(|it| rank[*it as usize]);
            for pair in group.windows(2) {
                self.edges.add(pair[0], pair[1], kind::WRITE_WRITE);
            }
        }
        match cycles::nonadjacent(&self.edges.graph(), &nodes) {
            Some(_) => Verdict::Holds(None),
            None => Verdict::Unknown(Undecided::VersionOrder),
        }
    }
}
