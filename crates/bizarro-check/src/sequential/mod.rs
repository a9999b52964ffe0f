//! Whether a history is sequentially consistent: whether its operations can be seen as coming one at a time, those
//! of each process in their order (L. Lamport, *How to Make a Multiprocessor Computer That Correctly Executes
//! Multiprocess Programs*, 1979).
//!
//! What is linearizable is sequentially consistent, and that is tried first. What is not is searched, in the order
//! of programs only. Real time says nothing here, and no object can be looked at alone: that every object is
//! sequentially consistent does not make all of them so. The search therefore grows with the number of processes and
//! is for small histories; its budget ends it.

mod search;

use std::collections::BTreeSet;

use crate::budget::{Exhausted, Ledger};
use crate::evidence::{Core, Evidence, NonSequential, Sequence};
use crate::history::{History, Outcome};
use crate::linearizable::{self, CoreSearch, Options, shrink, values};
use crate::model::Model;
use search::{Found, Problem, Quota, search};

/// What a check says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The history keeps the promise: here is how.
    Holds(Sequence),
    /// It does not: here is why.
    Violated(NonSequential),
    /// The budget ended before it was clear.
    Unknown(Exhausted),
}

impl Verdict {
    /// The evidence, where there is a verdict.
    pub fn evidence(&self) -> Option<Evidence<'_>> {
        match self {
            Verdict::Holds(sequence) => Some(Evidence::Sequence(sequence)),
            Verdict::Violated(violation) => Some(Evidence::NonSequential(violation)),
            Verdict::Unknown(_) => None,
        }
    }
}

/// A verdict and what it cost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// What the check says.
    pub verdict: Verdict,
    /// Configurations (how far each process is, with the states of all objects) that were kept. None where the
    /// history is linearizable.
    pub configurations: u64,
    /// The most bytes that the tables took, as the budget counts them.
    pub bytes_peak: usize,
}

/// What one attempt to make a core smaller may take. One that takes more shows nothing.
const QUOTA: Quota = Quota::Configurations(1 << 14);

/// Checks a history against a model, on one thread.
///
/// Operations that failed are left out. What is unknown may take effect at any time after what its process was
/// answered before, also after what the process does later; or never.
///
/// ```
/// use bizarro_check::history::Builder;
/// use bizarro_check::linearizable::Options;
/// use bizarro_check::model::{Register, RegisterCall::{Read, Write}, RegisterReply::{Value, Written}};
/// use bizarro_check::sequential::{Verdict, check};
///
/// let mut history = Builder::new();
/// history.invoke(1, Write(7))?;
/// history.ok(1, Written)?;
/// history.invoke(2, Read)?;
/// history.ok(2, Value(0))?; // Stale, but process 2 cannot know.
/// let report = check(&Register::new(0), &history.finish(), &Options::default());
/// assert!(matches!(report.verdict, Verdict::Holds(_)));
/// # Ok::<(), bizarro_check::history::Disorder>(())
/// ```
pub fn check<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    options: &Options,
) -> Report {
    let ledger = Ledger::new(&options.budget);
    let (verdict, configurations) = match decide(model, history, &ledger, options.core) {
        Ok(decided) => decided,
        Err(what) => (Verdict::Unknown(what), 0),
    };
    Report { verdict, configurations, bytes_peak: ledger.peak_bytes() }
}

fn decide<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    ledger: &Ledger,
    core: CoreSearch,
) -> Result<(Verdict, u64), Exhausted> {
    if let Some(order) = linearizable::order(model, history, ledger)? {
        return Ok((Verdict::Holds(Sequence { order }), 0));
    }
    let all: Vec<u32> = (0..)
        .zip(history.operations())
        .filter(|(_, it)| !matches!(it.outcome, Outcome::Fail))
        .map(|(index, _)| index)
        .collect();
    let problem = Problem::new(model, history, &all, |_| true);
    let (found, configurations) = search(&problem, ledger, Quota::None);
    let verdict = match found {
        Found::Order(order) => Verdict::Holds(Sequence { order }),
        Found::Nothing => {
            let core = smaller(model, history, all, ledger, core);
            Verdict::Violated(NonSequential { core })
        }
        Found::Exhausted(what) => Verdict::Unknown(what),
        Found::Paused => unreachable!("there is no quota"),
    };
    Ok((verdict, configurations))
}

/// The fewest of `kept` that no order can explain, as far as that can be told in time.
fn smaller<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    mut kept: Vec<u32>,
    ledger: &Ledger,
    how: CoreSearch,
) -> Core {
    let mut minimal = false;
    if let CoreSearch::For(time) = how {
        let ledger = ledger.within(time);
        let values = values(model, history, &kept, u32::MAX);
        minimal = shrink(&mut kept, |kept| {
            let wanted: BTreeSet<u32> =
                kept.iter().filter_map(|index| values.get(index)).copied().collect();
            let helps = |index| values.get(&index).is_none_or(|value| wanted.contains(value));
            let problem = Problem::new(model, history, kept, helps);
            match search(&problem, &ledger, QUOTA).0 {
                Found::Nothing => Some(true),
                Found::Order(_) => Some(false),
                Found::Exhausted(_) | Found::Paused => None,
            }
        });
    }
    Core { operations: kept, until: u32::MAX, minimal }
}
