//! Whether a history is linearizable: whether each operation can be seen as taking effect at one moment
//! between its invocation and its end (Herlihy and Wing, *Linearizability: A Correctness Condition for
//! Concurrent Objects*, 1990).

mod cache;
mod core;
mod distinct;
mod outlook;
mod prefix;
mod problem;
mod rounds;
mod search;
mod steps;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

pub use self::core::CoreSearch;
pub(crate) use self::core::{shrink, values};
use crate::budget::{Budget, Exhausted, Ledger};
use crate::evidence::{Evidence, Linearization, NonLinearizable};
use crate::history::History;
use crate::model::Model;
use distinct::Decision;
use problem::{Problem, Role};
use search::{Cost, Outcome, Quota, Stuck, search};

/// How to check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// What it may take.
    pub budget: Budget,
    /// How many threads share the parts of a history. The verdict does not depend on it, unless the budget
    /// ends.
    pub threads: NonZeroUsize,
    /// Whether a violated history is made smaller.
    pub core: CoreSearch,
}

impl Default for Options {
    /// One thread, the default budget, and a core for what is violated.
    fn default() -> Options {
        let core = CoreSearch::default();
        Options { budget: Budget::default(), threads: NonZeroUsize::MIN, core }
    }
}

/// What a check says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The history keeps the promise: here is how.
    Holds(Linearization),
    /// It does not: here is why.
    Violated(NonLinearizable),
    /// The budget ended before it was clear.
    Unknown(Exhausted),
}

impl Verdict {
    /// The evidence, where there is a verdict.
    pub fn evidence(&self) -> Option<Evidence<'_>> {
        match self {
            Verdict::Holds(linearization) => Some(Evidence::Linearization(linearization)),
            Verdict::Violated(violation) => Some(Evidence::NonLinearizable(violation)),
            Verdict::Unknown(_) => None,
        }
    }
}

/// A verdict and what it cost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// What the check says.
    pub verdict: Verdict,
    /// Configurations (sets of linearized operations with the state after them) that were kept.
    pub configurations: u64,
    /// States that were met, added up over the parts.
    pub states: u64,
    /// The most bytes that the tables took, as the budget counts them.
    pub bytes_peak: usize,
}

/// Checks a history against a model.
///
/// Operations that failed are left out. What is unknown may take effect at any time after its invocation,
/// or never.
///
/// ```
/// use bizarro_check::history::Builder;
/// use bizarro_check::linearizable::{Options, Verdict, check};
/// use bizarro_check::model::{Register, RegisterCall::{Read, Write}, RegisterReply::{Value, Written}};
///
/// let mut history = Builder::new();
/// history.invoke(1, Write(7))?;
/// history.ok(1, Written)?;
/// history.invoke(2, Read)?;
/// history.ok(2, Value(0))?; // It ought to be 7.
/// let report = check(&Register::new(0), &history.finish(), &Options::default());
/// assert!(matches!(report.verdict, Verdict::Violated(_)));
/// # Ok::<(), bizarro_check::history::Disorder>(())
/// ```
pub fn check<M>(model: &M, history: &History<M::Call, M::Reply>, options: &Options) -> Report
where
    M: Model + Sync,
    M::Call: Sync,
    M::Reply: Sync,
{
    let ledger = Ledger::new(&options.budget);
    let parts = parts(model, history);
    let (outcomes, cost) = rounds::run(parts.len(), options.threads.get(), |part, quota| {
        solve(model, history, &parts[part], u32::MAX, &ledger, quota)
    });
    let verdict = verdict(model, history, &parts, outcomes, &ledger, options.core);
    let Cost { configurations, states } = cost;
    Report { verdict, configurations, states, bytes_peak: ledger.peak_bytes() }
}

/// Decides on a part up to and with the event `until`: without a search where that can be, else by one.
fn solve<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    part: &[u32],
    until: u32,
    ledger: &Ledger,
    quota: Quota,
) -> (Outcome, Cost) {
    let outcome = match distinct::decide(model, history, part, until, ledger) {
        Ok(None) => {
            let problem = Problem::new(model, history, part, |_| Role::Kept, until);
            return search(&problem, ledger, quota);
        }
        Ok(Some(Decision::Order(order))) => Outcome::Found(order),
        Ok(Some(Decision::Contradiction { operations, until })) => Outcome::None(Stuck {
            rank: 0,
            prefix: Vec::new(),
            contradiction: Some((operations, until)),
        }),
        Err(what) => Outcome::Exhausted(what),
    };
    (outcome, Cost::default())
}

/// The indices of each part's operations, parts in their order.
fn parts<M: Model>(model: &M, history: &History<M::Call, M::Reply>) -> Vec<Vec<u32>> {
    let mut parts: BTreeMap<M::Part, Vec<u32>> = BTreeMap::new();
    for (index, operation) in history.operations().iter().enumerate() {
        parts.entry(model.part(&operation.call)).or_default().push(index as u32);
    }
    parts.into_values().collect()
}

/// Configurations that [`order`] may keep for each part.
const ORDER_QUOTA: Quota = Quota::Configurations(1 << 14);

/// One order of all operations, whatever they are about, in which real time is kept; none where the history is not
/// linearizable, or that is not soon clear.
pub(crate) fn order<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    ledger: &Ledger,
) -> Result<Option<Vec<u32>>, Exhausted> {
    // Each takes effect when all that it comes after, and itself, have been invoked: no later than it ends.
    let mut moments = Vec::with_capacity(history.len());
    for part in parts(model, history) {
        match solve(model, history, &part, u32::MAX, ledger, ORDER_QUOTA).0 {
            Outcome::Found(order) => {
                let mut latest = 0;
                moments.extend(order.into_iter().map(|index| {
                    latest = latest.max(history.operations()[index as usize].invoked.position);
                    (latest, index)
                }));
            }
            Outcome::None(_) | Outcome::Paused => return Ok(None),
            Outcome::Exhausted(what) => return Err(what),
        }
    }
    // Stable, so that each part's operations stay in their order.
    moments.sort_by_key(|(moment, _)| *moment);
    Ok(Some(moments.into_iter().map(|(_, index)| index).collect()))
}

/// One violated part is enough; otherwise all have to hold.
fn verdict<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    parts: &[Vec<u32>],
    outcomes: Vec<Option<Outcome>>,
    ledger: &Ledger,
    core: CoreSearch,
) -> Verdict {
    let mut found = Vec::new();
    let mut exhausted = None;
    for (part, outcome) in parts.iter().zip(outcomes) {
        match outcome {
            Some(Outcome::None(mut stuck)) => {
                let contradiction = stuck.contradiction.take();
                let prefix = prefix::longest(model, history, part, stuck, ledger);
                let until = contradiction.as_ref().map_or(prefix.violated_at, |(_, until)| *until);
                let known = contradiction.as_ref().map(|(operations, _)| operations.as_slice());
                let core = core::find(model, history, part, known, until, ledger, core);
                let (stuck, longest, prefix) = (prefix.stuck, prefix.longest, prefix.order);
                return Verdict::Violated(NonLinearizable { stuck, prefix, longest, core });
            }
            Some(Outcome::Found(order)) => found.push(order),
            Some(Outcome::Exhausted(what)) => exhausted = exhausted.or(Some(what)),
            Some(Outcome::Paused) | None => {}
        }
    }
    match exhausted {
        Some(what) => Verdict::Unknown(what),
        None => Verdict::Holds(Linearization { parts: found }),
    }
}
