//! What follows for the order of a register's versions from what transactions must have seen, at levels at
//! which each reads from one moment.
//!
//! A transaction that saw something of another one, or began when that had ended, could see all of it. Where
//! it saw a version of somebody else instead, that one came later (*ww*). And where a version was written when
//! another one had long been there, those who saw the earlier one came before (*rw*).

use std::hash::Hash;

use super::anomaly::{Basis, Dependency, Order, Place};
use super::graph::{Edges, kind};
use super::rw_register::{INITIAL, Read, RwRegister};
use super::writes::Write;
use crate::history::Operation;

/// Adds these dependencies; those by time where the level respects real time.
pub(super) fn add<V: Eq + Hash>(known: &RwRegister<'_, V>, edges: &mut Edges, order: Order) {
    for read in known.reads.iter().filter(|read| read.version != INITIAL) {
        let to = known.written.all[read.version as usize].place.operation;
        for from in seen(known, read.place.operation).filter(|from| *from != to) {
            if writes(known, from, read.key).is_some() {
                edges.add(from, to, kind::WRITE_WRITE);
            }
        }
    }
    if order == Order::Realtime {
        by_time(known, edges);
    }
}

/// The transactions of which a transaction saw something.
fn seen<'k, V: Eq + Hash>(
    known: &'k RwRegister<'_, V>,
    operation: u32,
) -> impl Iterator<Item = u32> + 'k {
    let reads = known.reads_of(operation).iter();
    reads.filter_map(|read| Some(known.written.all.get(read.version as usize)?.place.operation))
}

fn writes<'k, V: Eq + Hash>(
    known: &'k RwRegister<'_, V>,
    operation: u32,
    key: u32,
) -> Option<&'k Write> {
    known.written.of(operation).iter().find(|write| write.key == key)
}

/// When a transaction began, and when it ended with a reply.
fn span<V>(known: &RwRegister<'_, V>, operation: u32) -> (u32, u32) {
    let it: &Operation<_, _> = &known.history.operations()[operation as usize];
    let ended = it.ended.filter(|_| it.outcome.reply().is_some());
    (it.invoked.position, ended.map_or(u32::MAX, |ended| ended.position))
}

/// The transactions that write a register, with the first and the last that may follow or precede.
#[derive(Default)]
struct Writers {
    /// By their invocations, with the earliest end from each on.
    by_invocation: Vec<(u32, u32, u32)>,
    /// By their ends, with the latest invocation up to each.
    by_end: Vec<(u32, u32, u32)>,
}

impl Writers {
    fn new(spans: &mut Vec<(u32, u32, u32)>) -> Writers {
        spans.sort_unstable();
        spans.dedup();
        let mut by_invocation: Vec<(u32, u32, u32)> = spans.clone();
        let mut earliest = u32::MAX;
        for (_, end, _) in by_invocation.iter_mut().rev() {
            earliest = earliest.min(*end);
            *end = earliest;
        }
        spans.sort_unstable_by_key(|(_, end, _)| *end);
        let mut latest = 0;
        let by_end = spans.drain(..).map(|(invoked, end, operation)| {
            latest = invoked.max(latest);
            (end, latest, operation)
        });
        Writers { by_invocation, by_end: by_end.collect() }
    }

    /// Those that began after an event, but for those that began when another one of them had ended.
    fn next_after(&self, event: u32) -> impl Iterator<Item = u32> + '_ {
        let from = self.by_invocation.partition_point(|(invoked, ..)| *invoked <= event);
        let earliest = self.by_invocation.get(from).map_or(0, |(_, earliest, _)| *earliest);
        let later = self.by_invocation[from..].iter();
        later.take_while(move |(invoked, ..)| *invoked < earliest).map(|(.., operation)| *operation)
    }

    /// Those that ended before an event, but for those that had ended when another one of them began.
    fn last_before(&self, event: u32) -> impl Iterator<Item = u32> + '_ {
        let end = self.by_end.partition_point(|(end, ..)| *end < event);
        let latest = end.checked_sub(1).map_or(u32::MAX, |last| self.by_end[last].1);
        let earlier = self.by_end[..end].iter().rev();
        earlier.take_while(move |(end, ..)| *end > latest).map(|(.., operation)| *operation)
    }
}

fn by_time<V: Eq + Hash>(known: &RwRegister<'_, V>, edges: &mut Edges) {
    let mut spans: Vec<Vec<(u32, u32, u32)>> = vec![Vec::new(); known.written.keys.len()];
    for write in &known.written.all {
        let operation = write.place.operation;
        if known.took_effect[operation as usize] {
            let (invoked, end) = span(known, operation);
            spans[write.key as usize].push((invoked, end, operation));
        }
    }
    let writers: Vec<Writers> = spans.iter_mut().map(Writers::new).collect();
    let versions = known.by_version.chunk_by(|a, b| (a.key, a.version) == (b.key, b.version));
    for readers in versions {
        let Read { key, version, .. } = readers[0];
        let Some(write) = known.written.all.get(version as usize) else { continue };
        let (of_key, writer) = (&writers[key as usize], write.place.operation);
        let begins = readers.iter().map(|read| span(known, read.place.operation).0);
        for earlier in of_key.last_before(begins.max().unwrap_or(0)) {
            edges.add(earlier, writer, kind::WRITE_WRITE_BY_TIME);
        }
        let (_, end) = span(known, writer);
        for later in of_key.next_after(end) {
            for reader in readers {
                edges.add(reader.place.operation, later, kind::READ_WRITE_BY_TIME);
            }
        }
    }
}

/// The reason for an edge.
pub(super) fn dependency<V: Eq + Hash>(
    known: &RwRegister<'_, V>,
    from: u32,
    to: u32,
    kind: u8,
) -> Option<Dependency> {
    if kind == kind::READ_WRITE_BY_TIME {
        return known.reads_of(from).iter().find_map(|read| {
            let (seen, write) =
                (known.written.all.get(read.version as usize)?, writes(known, to, read.key)?);
            let ended = span(known, seen.place.operation).1 < span(known, to).0;
            let (from, to, seen_by) = (read.place, write.place, Some(seen.place));
            let basis = Basis::Time;
            ended.then_some(Dependency::ReadWrite { from, to, seen_by, basis })
        });
    }
    let number = known.written.all.partition_point(|it| it.place.operation < to) as u32;
    (number..).zip(known.written.of(to)).find_map(|(version, later)| {
        let earlier = writes(known, from, later.key)?;
        let mut readers = known.readers(later.key, version).iter().map(|read| read.place);
        let (seen_by, basis) = match kind {
            kind::WRITE_WRITE => {
                let saw = |it: &Place| seen(known, it.operation).any(|writer| writer == from);
                (readers.find(saw)?, Basis::Values)
            }
            _ => {
                let (_, end) = span(known, from);
                (readers.find(|it| span(known, it.operation).0 > end)?, Basis::Time)
            }
        };
        let (from, to) = (earlier.place, later.place);
        Some(Dependency::WriteWrite { from, to, seen_by, basis })
    })
}
