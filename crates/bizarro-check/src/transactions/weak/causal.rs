//! Which writes come before which, by causal consistency.
//!
//! Of each session it is known up to which transaction it was visible to another transaction: a vector clock
//! (C. Fidge, *Timestamps in Message-Passing Systems That Preserve the Partial Ordering*, 1988). Of those that
//! wrote a register in one session, only the last that was visible matters. A clock is kept until all have
//! been looked at that follow at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hash;

use super::facts::{Facts, Read};
use super::infer::Inferred;
use crate::budget::{Exhausted, Ledger, Share};
use crate::transactions::graph::Graph;
use crate::transactions::rw_register::INITIAL;

/// Adds what follows from all reads. `graph` is that of sessions and reads, without cycles.
pub(super) fn infer<V: Eq + Hash>(
    facts: &Facts<'_, V>,
    graph: &Graph,
    inferred: &mut Inferred<'_>,
    ledger: &Ledger,
) -> Result<(), Exhausted> {
    let mut share = Share::new(ledger);
    let count = facts.history.len();
    share.hold(count * 32 + facts.written.all.len() * 28)?;
    let writers = Writers::new(facts);
    let (mut before, mut followers) = (vec![0_u32; count], vec![0_u32; count]);
    for node in 0..count as u32 {
        for (to, _) in graph.from(node) {
            before[to as usize] += 1;
            followers[node as usize] += 1;
        }
    }
    // The order of the history as far as that can be, so that few clocks are kept at one time.
    let free = (0..count as u32).filter(|it| facts.is_in_effect(*it) && before[*it as usize] == 0);
    let mut next: BinaryHeap<Reverse<u32>> = free.map(Reverse).collect();
    let mut clocks = Clocks {
        width: facts.sessions.len(),
        of: vec![None; count],
        kept: 0,
        base: share.bytes(),
        share,
    };
    while let Some(Reverse(operation)) = next.pop() {
        let previous = facts.previous(operation);
        let mut clock = match previous {
            None => clocks.new_clock()?,
            Some(it) if followers[it as usize] == 1 => clocks.take(it),
            Some(it) => clocks.copy(it)?,
        };
        let reads = facts.reads_of(operation);
        let sources = facts.sources(operation);
        for source in &sources {
            // It may be the one before, whose clock this is.
            if let Some(other) = clocks.get(*source) {
                let both = clock.iter_mut().zip(other);
                both.for_each(|(mine, other)| *mine = (*mine).max(*other));
            }
        }
        for read in reads {
            let seen = if read.from == INITIAL { None } else { clocks.get(read.from) };
            writers.visible(read, &clock, seen, inferred)?;
        }
        clock[facts.session[operation as usize] as usize] = facts.at[operation as usize] + 1;
        match followers[operation as usize] {
            0 => clocks.forget(clock),
            _ => clocks.of[operation as usize] = Some(clock),
        }
        for (to, _) in graph.from(operation) {
            before[to as usize] -= 1;
            if before[to as usize] == 0 {
                next.push(Reverse(to));
            }
        }
        for it in previous.into_iter().chain(sources) {
            followers[it as usize] -= 1;
            if followers[it as usize] == 0 {
                clocks.drop(it);
            }
        }
        inferred.step()?;
    }
    Ok(())
}

/// The clocks of transactions, that of a transaction itself included.
struct Clocks<'l> {
    width: usize,
    of: Vec<Option<Box<[u32]>>>,
    kept: usize,
    /// What is held besides.
    base: usize,
    share: Share<'l>,
}

impl Clocks<'_> {
    fn new_clock(&mut self) -> Result<Box<[u32]>, Exhausted> {
        self.kept += 1;
        self.share.hold(self.base + self.kept * (4 * self.width + 32))?;
        Ok(vec![0; self.width].into_boxed_slice())
    }

    fn get(&self, operation: u32) -> Option<&[u32]> {
        self.of[operation as usize].as_deref()
    }

    fn take(&mut self, operation: u32) -> Box<[u32]> {
        self.of[operation as usize].take().expect("it is kept for those that follow")
    }

    fn copy(&mut self, operation: u32) -> Result<Box<[u32]>, Exhausted> {
        let mut copy = self.new_clock()?;
        copy.copy_from_slice(self.get(operation).expect("it is kept for those that follow"));
        Ok(copy)
    }

    fn forget(&mut self, clock: Box<[u32]>) {
        drop(clock);
        self.kept -= 1;
    }

    fn drop(&mut self, operation: u32) {
        if let Some(clock) = self.of[operation as usize].take() {
            self.forget(clock);
        }
    }
}

/// Who wrote which register, by session.
struct Writers {
    /// The place in its session, and the transaction: by register, session and place.
    all: Vec<(u32, u32)>,
    /// For each register and session that wrote it: the session, and where its writes end.
    groups: Vec<(u32, u32)>,
    /// Where the groups of each register end.
    keys: Vec<u32>,
}

impl Writers {
    fn new<V: Eq + Hash>(facts: &Facts<'_, V>) -> Writers {
        let writes = facts.written.all.iter().filter(|it| !it.overwritten);
        let writes = writes.filter(|it| facts.is_in_effect(it.place.operation));
        let mut sorted: Vec<(u32, u32, u32, u32)> = writes
            .map(|it| {
                let operation = it.place.operation;
                let at = operation as usize;
                (it.key, facts.session[at], facts.at[at], operation)
            })
            .collect();
        sorted.sort_unstable();
        let mut writers = Writers { all: Vec::new(), groups: Vec::new(), keys: Vec::new() };
        for group in sorted.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)) {
            let (key, session, ..) = group[0];
            // Registers in between were written by nobody that counts.
            let next = (key as usize + 1).max(writers.keys.len());
            writers.keys.resize(next, writers.groups.len() as u32);
            writers.all.extend(group.iter().map(|(.., at, operation)| (*at, *operation)));
            writers.groups.push((session, writers.all.len() as u32));
            writers.keys[key as usize] = writers.groups.len() as u32;
        }
        writers
    }

    /// Adds the last write of each session that was visible at this clock and is not known to come before the
    /// one that was seen.
    fn visible(
        &self,
        read: &Read,
        clock: &[u32],
        seen: Option<&[u32]>,
        inferred: &mut Inferred<'_>,
    ) -> Result<(), Exhausted> {
        let key = read.key as usize;
        let Some(&last) = self.keys.get(key) else { return Ok(()) };
        let first = key.checked_sub(1).map_or(0, |before| self.keys[before] as usize);
        for group in first..last as usize {
            let (session, stop) = self.groups[group];
            let known = clock[session as usize];
            if known == 0 || seen.is_some_and(|seen| seen[session as usize] >= known) {
                continue;
            }
            let start = group.checked_sub(1).map_or(0, |before| self.groups[before].1) as usize;
            let writes = &self.all[start..stop as usize];
            let Some(last) = writes.partition_point(|(at, _)| *at < known).checked_sub(1) else {
                continue;
            };
            let (at, write) = writes[last];
            if seen.is_none_or(|seen| seen[session as usize] <= at) {
                inferred.add(write, read)?;
            }
        }
        inferred.step()
    }
}
