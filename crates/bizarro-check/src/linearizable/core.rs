//! Why a history is not linearizable: the fewest operations that already contradict each other.
//!
//! Operations cannot simply be left out: without a write, every read of its value is wrong. They are
//! *relaxed* instead: a relaxed operation may take effect at any time, more than once, or never. Where the
//! kept operations cannot be linearized even so, they are a reason that needs none of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::budget::Ledger;
use crate::evidence::Core;
use crate::history::{History, Outcome};
use crate::model::{ContainerUse, Model, Uses};

use super::distinct::known;
use super::problem::{Problem, Role};
use super::search::{self, Quota, search};

/// Whether and how long to look for a core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CoreSearch {
    /// Not at all: the core is everything up to the operation that could not end.
    Skip,
    /// As long as this, and not beyond the check's own budget.
    For(Duration),
}

impl Default for CoreSearch {
    /// Ten seconds.
    fn default() -> CoreSearch {
        CoreSearch::For(Duration::from_secs(10))
    }
}

/// What one attempt may take. One that takes more shows nothing.
const QUOTA: Quota = Quota::Configurations(1 << 16);

/// Where a few operations are known to contradict each other, none of them is tried to be spared in a part
/// with more operations than this: each attempt looks at all.
const PART_MAX: usize = 1 << 14;

/// A core of a part that is violated by the event `until`; among the operations `known`, where some are known to
/// contradict each other.
pub(super) fn find<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    part: &[u32],
    known: Option<&[u32]>,
    until: u32,
    ledger: &Ledger,
    how: CoreSearch,
) -> Core {
    let mut kept: Vec<u32> = known
        .unwrap_or(part)
        .iter()
        .copied()
        .filter(|index| {
            let operation = &history.operations()[*index as usize];
            operation.invoked.position < until && !matches!(operation.outcome, Outcome::Fail)
        })
        .collect();
    let mut minimal = false;
    let few = known.is_none() || part.len() <= PART_MAX;
    if let (CoreSearch::For(time), true) = (how, few) {
        let ledger = ledger.within(time);
        let values = values(model, history, part, until);
        minimal = shrink(&mut kept, |kept| {
            let wanted: BTreeSet<u32> =
                kept.iter().filter_map(|index| values.get(index)).copied().collect();
            let role = |index| match (kept.binary_search(&index), values.get(&index)) {
                (Ok(_), _) => Role::Kept,
                (Err(_), Some(value)) if !wanted.contains(value) => Role::Idle,
                (Err(_), _) => Role::Relaxed,
            };
            let problem = Problem::new(model, history, part, role, until);
            match search(&problem, &ledger, QUOTA).0 {
                search::Outcome::None(_) => Some(true),
                search::Outcome::Found(_) => Some(false),
                search::Outcome::Exhausted(_) | search::Outcome::Paused => None,
            }
        });
    }
    Core { operations: kept, until, minimal }
}

/// The value that each operation of a part puts into a container, or takes from it; nothing of other objects.
///
/// What happens to a value that no kept operation speaks of cannot help these: where they have a linearization
/// in which it is put and taken, they have one without. The others are taken in the same order, and what is
/// empty stays so.
pub(crate) fn values<M: Model>(
    model: &M,
    history: &History<M::Call, M::Reply>,
    part: &[u32],
    until: u32,
) -> BTreeMap<u32, u32> {
    let asked = part.iter().map(|index| {
        let operation = &history.operations()[*index as usize];
        (&operation.call, known(operation, until).1)
    });
    let Some(Uses::Container(_, uses)) = model.uses(&asked.collect::<Vec<_>>()) else {
        return BTreeMap::new();
    };
    let of = |(index, it): (&u32, ContainerUse)| match it {
        ContainerUse::Put(value) | ContainerUse::Take(Some(value)) => Some((*index, value)),
        ContainerUse::Take(None) | ContainerUse::Empty => None,
    };
    part.iter().zip(uses).filter_map(of).collect()
}

/// Takes members away, many at a time and then fewer, as long as what is left is `bad`. Whether every
/// single member was shown to be needed.
pub(crate) fn shrink(kept: &mut Vec<u32>, bad: impl Fn(&[u32]) -> Option<bool>) -> bool {
    let mut size = kept.len().div_ceil(2).max(1);
    loop {
        let mut sure = true;
        let mut end = kept.len();
        // From the back: what came late is near the contradiction, and is tried while much else is kept.
        while end > 0 {
            let begin = end.saturating_sub(size);
            let mut fewer = kept[..begin].to_vec();
            fewer.extend_from_slice(&kept[end..]);
            match bad(&fewer) {
                Some(true) => *kept = fewer,
                Some(false) => {}
                None => sure = false,
            }
            end = begin;
        }
        if size == 1 {
            return sure;
        }
        size = size.div_ceil(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_stays_and_nothing_else() {
        for needed in [vec![0], vec![3, 17], vec![1, 2, 98, 99], (0..100).collect::<Vec<u32>>()] {
            let mut kept: Vec<u32> = (0..100).collect();
            let bad = |kept: &[u32]| Some(needed.iter().all(|index| kept.contains(index)));
            assert!(shrink(&mut kept, bad));
            assert_eq!(kept, needed);
        }
    }

    #[test]
    fn what_could_not_be_told_is_not_called_minimal() {
        let mut kept: Vec<u32> = (0..10).collect();
        assert!(!shrink(&mut kept, |_| None));
        assert_eq!(kept.len(), 10);
    }
}
