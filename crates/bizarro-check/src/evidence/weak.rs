//! Checks what is said of session guarantees, read committed, read atomic and causal consistency, by their
//! definitions.
//!
//! What is trusted: the history. Who wrote what a read saw, what a guarantee makes visible, and what is wrong with a
//! single read are told from it anew, by looking at everything.

use std::collections::BTreeSet;

use super::{Doubt, wrong};
use crate::history::Outcome;
use crate::model::Access;
use crate::transactions::weak::{Before, Guarantee, Step, Verdict, Violation};
use crate::transactions::{Phenomenon, Place, RegisterHistory};

/// Checks a verdict on a history of registers that hold `initial` first. That the budget ended is always right.
///
/// # Errors
/// Why the verdict is not shown.
pub fn verify_weak<V: Eq>(
    history: &RegisterHistory<V>,
    initial: &V,
    guarantee: Guarantee,
    verdict: &Verdict,
) -> Result<(), Doubt> {
    let plain = Plain { history, initial };
    match verdict {
        Verdict::Unknown(_) => Ok(()),
        Verdict::Holds(order) => plain.holds(guarantee, order),
        Verdict::Violated(found) if found.is_empty() => wrong("nothing is wrong"),
        Verdict::Violated(found) => found.iter().try_for_each(|it| plain.violated(guarantee, it)),
    }
}

struct Plain<'h, V> {
    history: &'h RegisterHistory<V>,
    initial: &'h V,
}

/// A read with an answer: where, of which register, and what.
type Read<'h, V> = (Place, &'h V, &'h V);

impl<'h, V: Eq> Plain<'h, V> {
    fn reads(&self, operation: u32) -> Vec<Read<'h, V>> {
        let of = &self.history.operations()[operation as usize];
        let mut seen = of.outcome.reply().into_iter().flatten();
        let reads = (0..).zip(&of.call).filter_map(|(access, it)| match it {
            Access::Read(key) => Some((Place { operation, access }, key, seen.next()?.as_ref()?)),
            Access::Write(..) => None,
        });
        reads.collect()
    }

    fn writes(&self, operation: u32) -> Vec<(Place, &'h V, &'h V)> {
        let call = &self.history.operations()[operation as usize].call;
        let writes = (0..).zip(call).filter_map(|(access, it)| match it {
            Access::Write(key, value) => Some((Place { operation, access }, key, value)),
            Access::Read(_) => None,
        });
        writes.collect()
    }

    fn all(&self) -> impl Iterator<Item = u32> + use<V> {
        0..self.history.len() as u32
    }

    /// The write that a read saw.
    fn writer(&self, (_, key, value): Read<'h, V>) -> Option<Place> {
        let mut writes = self.all().flat_map(|it| self.writes(it));
        writes.find(|(_, to, wrote)| *to == key && *wrote == value).map(|(place, ..)| place)
    }

    /// The others whose writes a transaction saw, by reads before an access.
    fn seen(&self, operation: u32, before: u32) -> BTreeSet<u32> {
        let reads = self.reads(operation).into_iter().filter(|(at, ..)| at.access < before);
        let writers = reads.filter_map(|it| self.writer(it)).map(|it| it.operation);
        writers.filter(|it| *it != operation).collect()
    }

    fn took_effect(&self, operation: u32) -> bool {
        match self.history.operations()[operation as usize].outcome {
            Outcome::Ok(_) => true,
            Outcome::Fail => false,
            Outcome::Unknown => self.all().any(|it| self.seen(it, u32::MAX).contains(&operation)),
        }
    }

    /// Those of the same process before this one. What is unknown may have come later.
    fn earlier(&self, operation: u32) -> BTreeSet<u32> {
        let of = |it: u32| &self.history.operations()[it as usize];
        let known = |it: &u32| of(*it).outcome.reply().is_some();
        let same = |it: &u32| of(*it).process == of(operation).process;
        (0..operation).filter(known).filter(same).collect()
    }

    /// Those whose writes are visible to a read.
    fn visible(&self, guarantee: Guarantee, read: Place) -> BTreeSet<u32> {
        let with_earlier = |it: u32| self.earlier(it).into_iter().chain([it]);
        let seen = |it: u32| self.seen(it, u32::MAX);
        let observed = || with_earlier(read.operation).flat_map(seen);
        match guarantee {
            Guarantee::ReadYourWrites => self.earlier(read.operation),
            Guarantee::MonotonicReads => {
                self.earlier(read.operation).into_iter().flat_map(seen).collect()
            }
            Guarantee::MonotonicWrites => observed().flat_map(|it| self.earlier(it)).collect(),
            Guarantee::WritesFollowReads => {
                observed().flat_map(with_earlier).flat_map(seen).collect()
            }
            Guarantee::ReadCommitted => self.seen(read.operation, read.access),
            Guarantee::ReadAtomic => {
                self.earlier(read.operation).union(&seen(read.operation)).copied().collect()
            }
            Guarantee::Causal => {
                let (mut past, mut open) = (BTreeSet::new(), vec![read.operation]);
                while let Some(it) = open.pop() {
                    let before = self.earlier(it).into_iter().chain(seen(it));
                    open.extend(before.filter(|it| past.insert(*it)).collect::<Vec<u32>>());
                }
                past
            }
        }
    }

    fn holds(&self, guarantee: Guarantee, order: &[u32]) -> Result<(), Doubt> {
        let rank = |operation: u32| order.iter().position(|it| *it == operation);
        let distinct: BTreeSet<&u32> = order.iter().collect();
        let all: Vec<u32> = self.all().filter(|it| self.took_effect(*it)).collect();
        if distinct.len() != order.len() || !all.iter().eq(distinct) {
            return wrong("the order is not of all transactions that took effect");
        }
        for operation in all {
            let before = self.earlier(operation).into_iter().chain(self.seen(operation, u32::MAX));
            if before.into_iter().any(|it| rank(it) >= rank(operation)) {
                return wrong(format!("transaction {operation} comes before what it knew"));
            }
            for read in self.reads(operation) {
                self.is_allowed(read)?;
                let saw = self.writer(read).filter(|it| it.operation != operation);
                if saw.is_none() && read.2 != self.initial {
                    continue;
                }
                let visible = self.visible(guarantee, read.0).into_iter();
                let writes = visible.filter(|it| self.writes(*it).iter().any(|it| it.1 == read.1));
                let mut others = writes.filter(|it| saw.is_none_or(|saw| saw.operation != *it));
                // What was there first comes before all.
                let rank_seen = saw.and_then(|it| rank(it.operation));
                if let Some(other) = others.find(|it| *it != operation && rank(*it) > rank_seen) {
                    return wrong(format!("{:?} does not see transaction {other}", read.0));
                }
            }
        }
        Ok(())
    }

    /// Whether a read may see this, whatever the order.
    fn is_allowed(&self, read: Read<'h, V>) -> Result<(), Doubt> {
        match self.fault(read) {
            None => Ok(()),
            Some(what) => wrong(format!("{:?} is a {what}", read.0)),
        }
    }

    fn fault(&self, read: Read<'h, V>) -> Option<Phenomenon> {
        let (place, key, value) = read;
        let mine = self.writes(place.operation).into_iter().rev();
        let mut mine = mine.filter(|(at, to, _)| *to == key && at.access < place.access);
        if let Some((.., wrote)) = mine.next() {
            return (wrote != value).then_some(Phenomenon::Internal);
        }
        let Some(write) = self.writer(read) else {
            return (value != self.initial).then_some(Phenomenon::UnwrittenRead);
        };
        let later = |it: &Read<'h, V>| it.1 == key && it.0.access > write.access;
        if self.history.operations()[write.operation as usize].outcome == Outcome::Fail {
            Some(Phenomenon::AbortedRead)
        } else if write.operation == place.operation {
            Some(Phenomenon::Internal)
        } else if self.writes(write.operation).iter().any(later) {
            Some(Phenomenon::IntermediateRead)
        } else {
            None
        }
    }

    fn violated(&self, guarantee: Guarantee, violation: &Violation) -> Result<(), Doubt> {
        let cycle = match violation {
            Violation::Cycle(cycle) => cycle,
            Violation::Read(phenomenon, places) => {
                let Some(place) = places.last() else { return wrong("it has no place") };
                return match self.read(*place).and_then(|it| self.fault(it)) {
                    Some(found) if found == *phenomenon => Ok(()),
                    found => wrong(format!("{place:?} is no {phenomenon} but {found:?}")),
                };
            }
        };
        for (at, before) in cycle.iter().enumerate() {
            let next = &cycle[(at + 1) % cycle.len()];
            let closed = match before.to() {
                Some(to) => to == next.from() && to != before.from(),
                None => cycle.len() == 1,
            };
            if !closed || !self.comes_before(guarantee, before) {
                return wrong(format!("{before:?} is not so"));
            }
        }
        if cycle.is_empty() { wrong("the cycle is empty") } else { Ok(()) }
    }

    fn read(&self, place: Place) -> Option<Read<'h, V>> {
        self.reads(place.operation).into_iter().find(|(at, ..)| *at == place)
    }

    fn comes_before(&self, guarantee: Guarantee, before: &Before) -> bool {
        let saw = |place: Place| self.read(place).and_then(|it| self.writer(it));
        match before {
            Before::Session { from, to } => self.earlier(*to).contains(from),
            Before::Read { from, to } => saw(*to) == Some(*from),
            Before::Overwritten { from, to, read, visible } => {
                let Some((_, key, value)) = self.read(*read) else { return false };
                let mut writes = self.writes(from.operation).into_iter();
                let mut at = from.operation;
                let is_path = visible.iter().all(|step| {
                    let from = std::mem::replace(&mut at, step.to());
                    match step {
                        Step::Session(to) => self.earlier(*to).contains(&from),
                        Step::Read(place) => saw(*place).is_some_and(|it| it.operation == from),
                    }
                });
                writes.any(|(place, to, _)| place == *from && to == key)
                    && saw(*read) == *to
                    && (to.is_some() || value == self.initial)
                    && is_path
                    && at == read.operation
                    && self.visible(guarantee, *read).contains(&from.operation)
            }
        }
    }
}
