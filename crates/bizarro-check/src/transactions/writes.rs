//! Who wrote what, where every value is written to a register once.

use std::hash::Hash;

use super::anomaly::{Phenomenon, Place};
use super::{Disagreement, RegisterHistory};
use crate::history::Outcome;
use crate::intern::{Index, Interner, hash_of};
use crate::model::Access;

/// What is known of a write.
pub(super) struct Write {
    pub(super) key: u32,
    pub(super) place: Place,
    /// Its transaction writes the same register again.
    pub(super) overwritten: bool,
}

/// All writes of a history. A write's number is that of the version that it makes.
pub(super) struct Writes<'h, V> {
    history: &'h RegisterHistory<V>,
    pub(super) keys: Interner<&'h V>,
    /// By transaction.
    pub(super) all: Vec<Write>,
    index: Index,
}

/// What a read is of, where its transaction has not accessed the register before.
pub(super) enum Saw {
    /// What was there first.
    Initial,
    /// This version; and whether its transaction wrote the register again after it.
    Version(u32, Overwritten),
    /// Nothing that anybody wrote.
    Unwritten,
    /// Something that cannot be read there: what it is called, and the write.
    Wrong(Phenomenon, Place),
}

/// Whether a transaction writes a register again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Overwritten {
    No,
    /// By a write later in the transaction; this is the earlier one.
    Yes(Place),
}

impl<'h, V: Eq + Hash> Writes<'h, V> {
    pub(super) fn new(
        history: &'h RegisterHistory<V>,
        initial: &V,
    ) -> Result<Writes<'h, V>, Disagreement> {
        let (keys, all) = (Interner::new(), Vec::new());
        let mut this = Writes { history, keys, all, index: Index::default() };
        for (operation, of) in (0..).zip(history.operations()) {
            for (access, what) in (0..).zip(&of.call) {
                let Access::Write(key, value) = what else { continue };
                let (key, place) = (this.keys.intern(key), Place { operation, access });
                if value == initial {
                    return Err(Disagreement::WritesInitial(operation));
                }
                if let Some(before) = this.find(key, value) {
                    let first = this.all[before as usize].place.operation;
                    return Err(Disagreement::WrittenTwice(first, operation));
                }
                let mine = this.all.iter_mut().rev();
                let mut mine = mine.take_while(|it| it.place.operation == operation);
                if let Some(earlier) = mine.find(|it| it.key == key) {
                    earlier.overwritten = true;
                }
                this.index.insert(hash_of(&(key, value)), this.all.len() as u32);
                this.all.push(Write { key, place, overwritten: false });
            }
        }
        Ok(this)
    }

    /// The version of a register that has this value.
    pub(super) fn find(&self, key: u32, value: &V) -> Option<u32> {
        self.index.find(hash_of(&(key, value)), |number| {
            let write = &self.all[number as usize];
            write.key == key && self.value(write.place) == Some(value)
        })
    }

    /// What a read with this answer is of.
    pub(super) fn saw(&self, read: Place, key: u32, value: &V, initial: &V) -> Saw {
        if value == initial {
            return Saw::Initial;
        }
        let Some(version) = self.find(key, value) else { return Saw::Unwritten };
        let Write { place: write, overwritten, .. } = self.all[version as usize];
        if self.history.operations()[write.operation as usize].outcome == Outcome::Fail {
            Saw::Wrong(Phenomenon::AbortedRead, write)
        } else if write.operation == read.operation {
            Saw::Wrong(Phenomenon::Internal, write)
        } else {
            Saw::Version(
                version,
                if overwritten { Overwritten::Yes(write) } else { Overwritten::No },
            )
        }
    }

    fn value(&self, place: Place) -> Option<&'h V> {
        match &self.history.operations()[place.operation as usize].call[place.access as usize] {
            Access::Write(_, value) => Some(value),
            Access::Read(_) => None,
        }
    }

    /// Those of one transaction.
    pub(super) fn of(&self, operation: u32) -> &[Write] {
        let from = self.all.partition_point(|it| it.place.operation < operation);
        let end = self.all.partition_point(|it| it.place.operation <= operation);
        &self.all[from..end]
    }

    /// About how many bytes this takes.
    pub(super) fn bytes(&self) -> usize {
        self.keys.bytes()
            + self.all.capacity() * size_of::<Write>()
            + self.index.bytes_after_insert()
    }
}
