//! Checks serial orders and cycles of transactions in the plainest way there is.
//!
//! What is trusted: the history, and what the evidence calls a dependency. Each dependency is looked up in the history
//! itself, and a cycle gets its name here from the kinds of its dependencies. What is wrong with single
//! reads is checked in `reads.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Doubt, wrong};
use crate::history::{History, Outcome, Process};
use crate::model::Access;
use crate::transactions::{
    Basis, Cyclic, Dependency, ListAccess, ListHistory, Order, Phenomenon, Place, RegisterHistory,
};

/// What transactions did, put plainly.
#[derive(Debug)]
pub struct Transactions<'h, K, V> {
    pub(super) all: Vec<Transaction<'h, K, V>>,
    pub(super) objects: Objects,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Objects {
    Lists,
    Registers,
}

#[derive(Debug)]
pub(super) struct Transaction<'h, K, V> {
    process: Process,
    invoked: u32,
    /// Where it ended, if it certainly took effect.
    ended: Option<u32>,
    pub(super) failed: bool,
    pub(super) accesses: Vec<Step<'h, K, V>>,
}

/// A read of a register is one of a list with one element, or none.
#[derive(Debug)]
pub(super) enum Step<'h, K, V> {
    Write(&'h K, &'h V),
    Read(&'h K, Option<&'h [V]>),
}

impl<'h, K: Ord, V: Eq> Transaction<'h, K, V> {
    /// All that it is known to have read.
    pub(super) fn reads(&self) -> impl Iterator<Item = (&'h K, &'h [V])> + '_ {
        self.accesses.iter().filter_map(|it| match it {
            Step::Read(key, Some(seen)) => Some((*key, *seen)),
            Step::Read(_, None) | Step::Write(..) => None,
        })
    }

    /// Whether what was read of an object shows something that it wrote.
    pub(super) fn shows(&self, key: &K, seen: &[V]) -> bool {
        let mut writes = self.accesses.iter();
        writes.any(|it| matches!(it, Step::Write(to, value) if *to == key && seen.contains(value)))
    }
}

impl<'h, K: Ord, V: Eq> Transactions<'h, K, V> {
    /// Of lists that are appended to.
    pub fn lists(history: &'h ListHistory<K, V>) -> Transactions<'h, K, V> {
        Transactions::new(history, Objects::Lists, |access, seen| match access {
            ListAccess::Append(key, value) => Step::Write(key, value),
            ListAccess::Read(key) => Step::Read(key, seen().map(|list| &**list)),
        })
    }

    fn new<A, R>(
        history: &'h History<Vec<A>, Vec<R>>,
        objects: Objects,
        step: impl Fn(&'h A, &mut dyn FnMut() -> Option<&'h R>) -> Step<'h, K, V>,
    ) -> Transactions<'h, K, V> {
        let operations = history.operations().iter();
        let all = operations.map(|it| {
            let mut seen = it.outcome.reply().into_iter().flatten();
            let accesses = it.call.iter().map(|access| step(access, &mut || seen.next())).collect();
            let ended = it.ended.filter(|_| it.outcome.reply().is_some()).map(|end| end.position);
            let (process, invoked) = (it.process, it.invoked.position);
            let failed = matches!(it.outcome, Outcome::Fail);
            Transaction { process, invoked, ended, failed, accesses }
        });
        Transactions { all: all.collect(), objects }
    }

    /// Whether transactions may have come one at a time in this order, all that took effect among them.
    ///
    /// # Errors
    /// Why not.
    pub fn serial(&self, order: Order, serial: &[u32]) -> Result<(), Doubt> {
        let mut held: BTreeMap<&K, Vec<&V>> = BTreeMap::new();
        let (mut seen, mut latest_invoked) = (BTreeSet::new(), 0);
        let mut last: BTreeMap<Process, u32> = BTreeMap::new();
        for &index in serial {
            let it = self.transaction(index)?;
            if it.failed || !seen.insert(index) {
                return wrong(format!("transaction {index} failed, or comes twice"));
            }
            if order == Order::Realtime && it.ended.is_some_and(|end| end < latest_invoked) {
                return wrong(format!("transaction {index} ended before an earlier one began"));
            }
            latest_invoked = latest_invoked.max(it.invoked);
            if order == Order::Process && it.ended.is_some() {
                if last.get(&it.process).is_some_and(|last| *last > index) {
                    return wrong(format!(
                        "transaction {index} comes after a later one of its process"
                    ));
                }
                last.insert(it.process, index);
            }
            for access in &it.accesses {
                match access {
                    Step::Write(key, value) => {
                        let object = held.entry(key).or_default();
                        if self.objects == Objects::Registers {
                            object.clear();
                        }
                        object.push(value);
                    }
                    Step::Read(key, Some(seen)) => {
                        if !held.entry(key).or_default().iter().copied().eq(seen.iter()) {
                            return wrong(format!("transaction {index} saw something else"));
                        }
                    }
                    Step::Read(_, None) => {}
                }
            }
        }
        match (0..).zip(&self.all).find(|(at, it)| it.ended.is_some() && !seen.contains(at)) {
            Some((index, _)) => wrong(format!("transaction {index} took effect and is missing")),
            None => Ok(()),
        }
    }

    /// Whether each transaction comes before the next one, and the last one before the first, in a cycle of
    /// this kind.
    ///
    /// # Errors
    /// Why not.
    pub fn cycle(&self, phenomenon: Phenomenon, cycle: &[Dependency]) -> Result<(), Doubt> {
        let next = || cycle.iter().cycle().skip(1);
        for (one, next) in cycle.iter().zip(next()) {
            if one.to() != next.from() || !self.took_effect(one.to())? || !self.holds(one)? {
                return wrong(format!("{one:?} does not hold, or does not lead to {next:?}"));
            }
        }
        let are = |name: &str| cycle.iter().filter(|it| it.name() == name).count();
        let is_read = |it: &Dependency| matches!(it, Dependency::ReadWrite { .. });
        let adjacent = cycle.iter().zip(next()).any(|(one, next)| is_read(one) && is_read(next));
        let cyclic = match (are("rw"), are("wr")) {
            (0, 0) if are("ww") > 0 => Cyclic::G0,
            (0, 1..) => Cyclic::G1c,
            (1, _) => Cyclic::GSingle,
            (2.., _) if !adjacent => Cyclic::GNonadjacent,
            (2.., _) => Cyclic::G2Item,
            (0, 0) => return wrong("nothing was written or read"),
        };
        let by_time = |it: &&Dependency| match it {
            Dependency::WriteWrite { basis, .. } | Dependency::ReadWrite { basis, .. } => {
                *basis == Basis::Time
            }
            _ => it.name() == "realtime",
        };
        let order = match (are("process"), cycle.iter().filter(by_time).count()) {
            (0, 0) => Order::None,
            (_, 0) => Order::Process,
            (_, _) => Order::Realtime,
        };
        match phenomenon == Phenomenon::Cycle(cyclic, order) {
            true => Ok(()),
            false => wrong(format!("this is no {phenomenon}")),
        }
    }

    fn holds(&self, dependency: &Dependency) -> Result<bool, Doubt> {
        Ok(match *dependency {
            Dependency::Process { from, to } => {
                let (one, other) = (self.transaction(from)?, self.transaction(to)?);
                one.process == other.process && one.ended.is_some_and(|end| end < other.invoked)
            }
            Dependency::Realtime { from, to } => {
                let invoked = self.transaction(to)?.invoked;
                self.transaction(from)?.ended.is_some_and(|end| end < invoked)
            }
            Dependency::WriteWrite { from, to, seen_by, .. } if self.objects == Objects::Lists => {
                let (first, second, seen) =
                    (self.wrote(from)?, self.wrote(to)?, self.saw(seen_by)?);
                let at = seen.1.iter().position(|value| value == first.1);
                first.0 == second.0
                    && first.0 == seen.0
                    && at.is_some_and(|at| !seen.1[..at].contains(second.1))
            }
            Dependency::WriteWrite { from, to, seen_by, basis } => {
                let (first, second, seen) =
                    (self.wrote(from)?, self.wrote(to)?, self.saw(seen_by)?);
                let (writer, reader) =
                    (self.transaction(from.operation)?, self.transaction(seen_by.operation)?);
                let could_see = match basis {
                    Basis::Time => writer.ended.is_some_and(|end| end < reader.invoked),
                    Basis::Values => reader.reads().any(|(key, seen)| writer.shows(key, seen)),
                };
                first.0 == second.0 && second.0 == seen.0 && seen.1.contains(second.1) && could_see
            }
            Dependency::WriteRead { from, to } => {
                let (wrote, saw) = (self.wrote(from)?, self.saw(to)?);
                wrote.0 == saw.0 && saw.1.contains(wrote.1)
            }
            Dependency::ReadWrite { from, to, seen_by, basis } => {
                let (saw, wrote) = (self.saw(from)?, self.wrote(to)?);
                let upon = match (self.objects, seen_by) {
                    (Objects::Registers, None) => saw.1.is_empty(),
                    (Objects::Registers, Some(write)) if basis == Basis::Time => {
                        let end = self.transaction(write.operation)?.ended;
                        let (key, value) = self.wrote(write)?;
                        let later = self.transaction(to.operation)?.invoked;
                        key == saw.0 && saw.1.contains(value) && end.is_some_and(|end| end < later)
                    }
                    (Objects::Registers, Some(read)) => {
                        let before = read.operation == to.operation && read.access < to.access;
                        before && self.saw(read)? == saw
                    }
                    (Objects::Lists, _) => !saw.1.contains(wrote.1),
                };
                saw.0 == wrote.0 && upon
            }
        })
    }

    /// Whether it is known to have taken effect: it ended well, or something that it wrote was read.
    fn took_effect(&self, index: u32) -> Result<bool, Doubt> {
        let this = self.transaction(index)?;
        let mut reads = self.all.iter().flat_map(Transaction::reads);
        Ok(this.ended.is_some() || (!this.failed && reads.any(|(key, seen)| this.shows(key, seen))))
    }

    pub(super) fn transaction(&self, index: u32) -> Result<&Transaction<'h, K, V>, Doubt> {
        let found = self.all.get(index as usize);
        found.ok_or_else(|| Doubt::Wrong(format!("there is no transaction {index}")))
    }

    pub(super) fn wrote(&self, place: Place) -> Result<(&'h K, &'h V), Doubt> {
        match self.transaction(place.operation)?.accesses.get(place.access as usize) {
            Some(Step::Write(key, value)) => Ok((key, value)),
            _ => wrong(format!("{place:?} is no write")),
        }
    }

    pub(super) fn saw(&self, place: Place) -> Result<(&'h K, &'h [V]), Doubt> {
        match self.transaction(place.operation)?.accesses.get(place.access as usize) {
            Some(Step::Read(key, Some(seen))) => Ok((key, seen)),
            _ => wrong(format!("{place:?} is no read with an answer")),
        }
    }
}

impl<'h, V: Ord> Transactions<'h, V, V> {
    /// Of registers that are written. What one holds first reads as if there were nothing in it.
    pub fn registers(history: &'h RegisterHistory<V>, initial: &V) -> Transactions<'h, V, V> {
        Transactions::new(history, Objects::Registers, |access, seen| match access {
            Access::Write(key, value) => Step::Write(key, value),
            Access::Read(key) => {
                let value = seen().and_then(Option::as_ref).map(std::slice::from_ref);
                Step::Read(key, value.map(|it| if it[0] == *initial { &[] } else { it }))
            }
        })
    }
}
