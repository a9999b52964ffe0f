//! How a property folds over looks and over runs.

use bizarro_record::{Property, PropertyKind, RunRecord};
use serde::{Deserialize, Serialize};

/// Whether one run alone breaks a property.
///
/// - *Always*, *Unreachable* and *AtEnd* are broken by the first look that fails.
/// - *Eventually* is broken where it was looked at and no look succeeded: a property may become true
///   while it is being waited for.
/// - *Sometimes* and *Reachable* are never broken by one run; see [`Properties::unmet`].
pub(crate) fn is_broken(property: &Property) -> bool {
    match property.kind {
        PropertyKind::Always | PropertyKind::Unreachable | PropertyKind::AtEnd => {
            property.failures > 0
        }
        PropertyKind::Eventually => property.failures > 0 && property.passes == 0,
        PropertyKind::Sometimes | PropertyKind::Reachable => false,
    }
}

/// What many runs saw of one property.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Folded {
    /// When it has to be true.
    pub kind: PropertyKind,
    /// Its name.
    pub name: String,
    /// `file:line` of the assertion, or empty.
    pub place: String,
    /// Runs in which it was looked at and true at least once.
    pub runs_passed: u64,
    /// Runs that broke it.
    pub runs_broken: u64,
}

/// What many runs saw of all properties, sorted by name, so that the order of the runs does not
/// matter.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Properties {
    /// How many runs were looked at.
    pub runs: u64,
    /// The properties, sorted by name.
    pub folded: Vec<Folded>,
}

impl Properties {
    /// Adds what a run saw.
    pub fn add(&mut self, record: &RunRecord) {
        self.runs += 1;
        for property in &record.properties {
            self.add_folded(&Folded {
                kind: property.kind,
                name: property.name.clone(),
                place: property.place.clone(),
                runs_passed: u64::from(property.passes > 0),
                runs_broken: u64::from(is_broken(property)),
            });
        }
    }

    /// Adds what other runs saw.
    pub fn merge(&mut self, other: &Properties) {
        self.runs += other.runs;
        for folded in &other.folded {
            self.add_folded(folded);
        }
    }

    /// *Sometimes* and *Reachable* properties that no run met: a pass without them is vacuous.
    pub fn unmet(&self) -> impl Iterator<Item = &Folded> {
        self.folded.iter().filter(|folded| {
            matches!(folded.kind, PropertyKind::Sometimes | PropertyKind::Reachable)
                && folded.runs_passed == 0
        })
    }

    fn add_folded(&mut self, new: &Folded) {
        match self.folded.binary_search_by(|known| known.name.cmp(&new.name)) {
            Ok(index) => {
                let known = &mut self.folded[index];
                known.runs_passed += new.runs_passed;
                known.runs_broken += new.runs_broken;
            }
            Err(index) => self.folded.insert(index, new.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toy::{Player, Toy};
    use bizarro_record::Plan;
    use proptest::prelude::*;

    const KINDS: [PropertyKind; 6] = [
        PropertyKind::Always,
        PropertyKind::Sometimes,
        PropertyKind::Reachable,
        PropertyKind::Unreachable,
        PropertyKind::Eventually,
        PropertyKind::AtEnd,
    ];

    /// A run that looked at some properties: kind (which is also the name), passes and failures.
    fn run(looks: &[(usize, u64, u64)]) -> RunRecord {
        let mut record = Toy::new(Player::Careful).play(&Plan::default());
        record.properties = looks
            .iter()
            .map(|(kind, passes, failures)| Property {
                kind: KINDS[*kind],
                name: format!("{:?}", KINDS[*kind]),
                place: String::new(),
                passes: *passes,
                failures: *failures,
                first_failure: None,
                picture: None,
            })
            .collect();
        record
    }

    fn looks() -> impl Strategy<Value = Vec<Vec<(usize, u64, u64)>>> {
        let one_run =
            prop::collection::btree_map(0usize..6, (0u64..3, 0u64..3), 0..6).prop_map(|looks| {
                looks.into_iter().map(|(kind, (p, f))| (kind, p, f)).collect::<Vec<_>>()
            });
        prop::collection::vec(one_run, 0..8)
    }

    proptest! {
        #[test]
        fn parts_merge_to_the_whole(runs in looks(), cut in 0usize..8) {
            let fold = |runs: &[Vec<(usize, u64, u64)>]| {
                let mut properties = Properties::default();
                for looks in runs {
                    properties.add(&run(looks));
                }
                properties
            };
            let (first, second) = runs.split_at(cut.min(runs.len()));
            let mut merged = fold(second);
            merged.merge(&fold(first));
            prop_assert_eq!(merged, fold(&runs));
        }

        #[test]
        fn unmet_is_what_no_run_saw(runs in looks()) {
            let mut properties = Properties::default();
            for looks in &runs {
                properties.add(&run(looks));
            }
            for (index, kind) in [(1, "Sometimes"), (2, "Reachable")] {
                let of_kind = || runs.iter().flatten().filter(|(kind, ..)| *kind == index);
                let naive = of_kind().count() > 0 && of_kind().all(|(_, passes, _)| *passes == 0);
                prop_assert_eq!(properties.unmet().any(|p| p.name == kind), naive);
            }
        }
    }
}
