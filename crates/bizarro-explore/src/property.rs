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

/// What many runs saw of all properties, in order of kind of discovery: by name, so that the order of
/// the runs does not matter.
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
