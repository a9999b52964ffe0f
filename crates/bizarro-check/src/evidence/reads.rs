//! Checks what is said of single reads of transactions, by looking at the accesses that are named.
//!
//! What is trusted: the history, and of the names of phenomena what they mean.

use super::transactions::{Objects, Step, Transactions};
use super::{Doubt, wrong};
use crate::transactions::{Phenomenon, Place};

impl<K: Ord, V: Eq> Transactions<'_, K, V> {
    /// Whether reads are wrong in this way. Cycles are for [`Transactions::cycle`].
    ///
    /// # Errors
    /// Why they are not.
    pub fn accesses(&self, phenomenon: Phenomenon, places: &[Place]) -> Result<(), Doubt> {
        let is_so = match (phenomenon, places) {
            (Phenomenon::AbortedRead, [write, read]) => {
                self.is_shown(*write, *read)? && self.transaction(write.operation)?.failed
            }
            (Phenomenon::IntermediateRead, [write, read]) => {
                let key = self.wrote(*write)?.0;
                self.is_shown(*write, *read)?
                    && write.operation != read.operation
                    && self.writes_after(*write, key)?
            }
            (Phenomenon::UnwrittenRead, [read]) => {
                let (key, seen) = self.saw(*read)?;
                let nobody = |value| !self.all.iter().any(|it| it.shows(key, value));
                seen.chunks(1).any(nobody)
            }
            (Phenomenon::DuplicateElements, [write, read]) => {
                let (value, seen) = (self.wrote(*write)?.1, self.saw(*read)?.1);
                self.is_shown(*write, *read)? && seen.iter().filter(|it| *it == value).count() > 1
            }
            (Phenomenon::IncompatibleOrder, [one, other]) => {
                let (one, other) = (self.saw(*one)?, self.saw(*other)?);
                one.0 == other.0 && one.1.iter().zip(other.1).any(|(one, other)| one != other)
            }
            (Phenomenon::DirtyUpdate, [failed, write]) => {
                let (lost, kept) = (self.wrote(*failed)?, self.wrote(*write)?);
                let at = |seen: &[V], value: &V| seen.iter().position(|it| it == value);
                let mut reads = self.all.iter().flat_map(|it| it.reads());
                lost.0 == kept.0
                    && self.transaction(failed.operation)?.failed
                    && reads.any(|(key, seen)| {
                        let pair = (at(seen, lost.1), at(seen, kept.1));
                        key == lost.0 && matches!(pair, (Some(lost), Some(kept)) if lost < kept)
                    })
            }
            (Phenomenon::LostUpdate, [one, other]) => {
                let (first, second) = (self.saw(*one)?, self.saw(*other)?);
                first.0 == second.0
                    && first.1.len() == second.1.len()
                    && (self.objects == Objects::Lists || first.1 == second.1)
                    && one.operation != other.operation
                    && self.writes_after(*one, first.0)?
                    && self.writes_after(*other, first.0)?
            }
            (Phenomenon::Internal, [.., read]) => self.contradicts_itself(*read)?,
            _ => false,
        };
        if is_so { Ok(()) } else { wrong(format!("{places:?} show no {phenomenon}")) }
    }

    fn is_shown(&self, write: Place, read: Place) -> Result<bool, Doubt> {
        let (wrote, saw) = (self.wrote(write)?, self.saw(read)?);
        Ok(wrote.0 == saw.0 && saw.1.contains(wrote.1))
    }

    /// Whether the transaction of an access writes an object after it.
    fn writes_after(&self, place: Place, key: &K) -> Result<bool, Doubt> {
        let later =
            self.transaction(place.operation)?.accesses.iter().skip(1 + place.access as usize);
        Ok(later.into_iter().any(|it| matches!(it, Step::Write(to, _) if *to == key)))
    }

    /// Whether a read is not of what its transaction knew already, or of what it wrote only later.
    fn contradicts_itself(&self, read: Place) -> Result<bool, Doubt> {
        let (key, seen) = self.saw(read)?;
        let (mut known, mut own): (Option<Vec<&V>>, Vec<&V>) = (None, Vec::new());
        for (at, step) in (0..).zip(&self.transaction(read.operation)?.accesses) {
            match step {
                Step::Write(to, value) if *to == key && at > read.access => {
                    if seen.contains(value) {
                        return Ok(true);
                    }
                }
                Step::Write(to, value) if *to == key && self.objects == Objects::Registers => {
                    known = Some(vec![value]);
                }
                Step::Write(to, value) if *to == key => {
                    own.push(value);
                    known.iter_mut().for_each(|known| known.push(value));
                }
                Step::Read(to, Some(list)) if *to == key && at < read.access && known.is_none() => {
                    known = Some(list.iter().collect());
                }
                Step::Write(..) | Step::Read(..) => {}
            }
        }
        let ends = seen.len() >= own.len()
            && seen.iter().rev().zip(own.iter().rev()).all(|(a, b)| a == *b);
        Ok(!ends || known.is_some_and(|known| !known.into_iter().eq(seen)))
    }
}
