//! Which writes come before which, by all guarantees but causal consistency.

use std::collections::BTreeMap;
use std::hash::Hash;

use super::Guarantee;
use super::facts::{Facts, Read};
use crate::budget::{Exhausted, Ledger, Share};
use crate::transactions::anomaly::Place;
use crate::transactions::rw_register::INITIAL;

/// Steps between two looks at the clock.
const STEPS: u32 = 1 << 12;

/// Pairs of transactions of which the first comes before the second.
pub(super) type Pairs = Vec<(u32, u32)>;

/// Those pairs, as they are found.
pub(super) struct Inferred<'l> {
    share: Share<'l>,
    /// What is held besides the pairs.
    besides: usize,
    pairs: Pairs,
    /// How many pairs there were when they were last sorted.
    sorted: usize,
    steps: u32,
    /// The first write that was visible to a read of what was there first.
    stale: Option<(u32, Place)>,
}

impl<'l> Inferred<'l> {
    pub(super) fn new(ledger: &'l Ledger) -> Inferred<'l> {
        let share = Share::new(ledger);
        Inferred { share, besides: 0, pairs: Vec::new(), sorted: 0, steps: 0, stale: None }
    }

    /// What `write`'s transaction wrote was visible to a read of something else.
    pub(super) fn add(&mut self, write: u32, read: &Read) -> Result<(), Exhausted> {
        self.step()?;
        if read.from == INITIAL {
            self.stale.get_or_insert((write, read.place));
        } else if read.from != write {
            if self.pairs.len() == self.pairs.capacity() {
                self.make_room()?;
            }
            self.pairs.push((write, read.from));
        }
        Ok(())
    }

    /// Is called now and then, so that the time that there is ends.
    pub(super) fn step(&mut self) -> Result<(), Exhausted> {
        self.steps += 1;
        if self.steps >= STEPS {
            self.steps = 0;
            self.share.in_time()?;
        }
        Ok(())
    }

    /// Says that this much more is held besides.
    fn hold_more(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.besides += bytes;
        self.share.hold(self.besides + self.pairs.capacity() * size_of::<(u32, u32)>())
    }

    fn make_room(&mut self) -> Result<(), Exhausted> {
        if self.pairs.len() > 2 * self.sorted {
            self.pairs.sort_unstable();
            self.pairs.dedup();
            self.sorted = self.pairs.len();
        }
        if 2 * self.pairs.len() > self.pairs.capacity() {
            let room = (2 * self.pairs.capacity()).max(1 << 10);
            // The old table is there while it grows.
            let tables = (room + self.pairs.capacity()) * size_of::<(u32, u32)>();
            self.share.hold(self.besides + tables)?;
            self.pairs.reserve_exact(room - self.pairs.len());
        }
        Ok(())
    }

    /// The pairs, each once; and a write with a read of what was there first to which it was visible.
    pub(super) fn finish(mut self) -> (Pairs, Option<(u32, Place)>) {
        self.pairs.sort_unstable();
        self.pairs.dedup();
        (self.pairs, self.stale)
    }
}

/// All but causal consistency.
pub(super) fn infer<V: Eq + Hash>(
    facts: &Facts<'_, V>,
    guarantee: Guarantee,
    inferred: &mut Inferred<'_>,
) -> Result<(), Exhausted> {
    match guarantee {
        Guarantee::ReadYourWrites => own_writes(facts, inferred),
        Guarantee::MonotonicReads => own_reads(facts, inferred),
        Guarantee::MonotonicWrites => by_others(facts, inferred, Since::Later),
        Guarantee::WritesFollowReads => by_others(facts, inferred, Since::Then),
        Guarantee::ReadCommitted => within(facts, inferred, Within::Later),
        Guarantee::ReadAtomic => {
            own_writes(facts, inferred)?;
            within(facts, inferred, Within::All)
        }
        Guarantee::Causal => unreachable!("it has a way of its own"),
    }
}

/// A read of a register that its session wrote before: only the last such write matters.
fn own_writes<V: Eq + Hash>(
    facts: &Facts<'_, V>,
    inferred: &mut Inferred<'_>,
) -> Result<(), Exhausted> {
    let mut last: Vec<BTreeMap<u32, u32>> = vec![BTreeMap::new(); facts.sessions.len()];
    for operation in in_sessions(facts) {
        let known = &last[home(facts, operation) as usize];
        for read in facts.reads_of(operation) {
            if let Some(write) = known.get(&read.key) {
                inferred.add(*write, read)?;
            }
        }
        let known = &mut last[facts.session[operation as usize] as usize];
        known.extend(facts.writes_of(operation).iter().map(|it| (it.key, operation)));
        inferred.step()?;
    }
    Ok(())
}

/// All transactions that took effect, those of a session in its order.
fn in_sessions<V: Eq + Hash>(facts: &Facts<'_, V>) -> impl Iterator<Item = u32> {
    (0..facts.history.len() as u32).filter(|it| facts.is_in_effect(*it))
}

/// The session whose past a transaction knows: one of unknown outcome, that of its process.
fn home<V: Eq + Hash>(facts: &Facts<'_, V>, operation: u32) -> u32 {
    match facts.previous(operation) {
        Some(previous) => facts.session[previous as usize],
        None => facts.session[operation as usize],
    }
}

/// A read of a register of which its session had seen another write.
fn own_reads<V: Eq + Hash>(
    facts: &Facts<'_, V>,
    inferred: &mut Inferred<'_>,
) -> Result<(), Exhausted> {
    // For each register, what was seen since another write was known to come after all that.
    let mut seen: Vec<BTreeMap<u32, Vec<u32>>> = vec![BTreeMap::new(); facts.sessions.len()];
    for operation in in_sessions(facts) {
        let known = &mut seen[facts.session[operation as usize] as usize];
        let reads = facts.reads_of(operation);
        for read in reads {
            for write in known.get(&read.key).into_iter().flatten() {
                inferred.add(*write, read)?;
            }
        }
        if let [read] = reads
            && read.from != INITIAL
            && let Some(before) = known.get_mut(&read.key)
        {
            before.clear();
        }
        for read in reads.iter().filter(|it| it.from != INITIAL) {
            for write in facts.writes_of(read.from) {
                inferred.step()?;
                let of = known.entry(write.key).or_default();
                if !of.contains(&read.from) {
                    of.push(read.from);
                }
            }
        }
    }
    Ok(())
}

/// What every session knew, of what was written to registers.
struct Known {
    /// By register and session: since which of its transactions, and who wrote it.
    keys: Vec<Vec<(u32, Writers)>>,
    /// Whether it was known to the transaction itself by which it came to be known, or to later ones.
    since: Since,
}

/// Places of transactions in a session, and who wrote what came to be known by each.
type Writers = Vec<(u32, u32)>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Since {
    Then,
    Later,
}

impl Known {
    fn new<V: Eq + Hash>(facts: &Facts<'_, V>, since: Since) -> Known {
        let mut by: BTreeMap<(u32, u32), Writers> = BTreeMap::new();
        for operation in in_sessions(facts) {
            let (session, at) = (facts.session[operation as usize], facts.at[operation as usize]);
            let writers = match since {
                Since::Later => vec![operation],
                Since::Then => facts.sources(operation),
            };
            for writer in writers {
                for write in facts.writes_of(writer).iter().filter(|it| !it.overwritten) {
                    by.entry((write.key, session)).or_default().push((at, writer));
                }
            }
        }
        let mut keys: Vec<Vec<(u32, Writers)>> = vec![Vec::new(); facts.written.keys.len()];
        for ((key, session), writers) in by {
            keys[key as usize].push((session, writers));
        }
        Known { keys, since }
    }

    /// Those that matter of what a session knew before this many of its transactions.
    fn before<'k>(&self, writers: &'k Writers, count: u32) -> &'k [(u32, u32)] {
        let known = &writers[..writers.partition_point(|(at, _)| *at < count)];
        match self.since {
            Since::Then => known,
            // A session's writes come after each other.
            Since::Later => &known[known.len().saturating_sub(1)..],
        }
    }
}

/// What was known to other sessions of which something was seen.
fn by_others<V: Eq + Hash>(
    facts: &Facts<'_, V>,
    inferred: &mut Inferred<'_>,
    since: Since,
) -> Result<(), Exhausted> {
    let known = Known::new(facts, since);
    // For each session, how many transactions' knowledge of each other one was seen.
    let sessions = facts.sessions.len();
    let mut seen: Vec<Vec<u32>> = vec![Vec::new(); sessions];
    for operation in in_sessions(facts) {
        let mine = &mut seen[facts.session[operation as usize] as usize];
        if mine.is_empty() {
            inferred.hold_more(4 * sessions)?;
            *mine = vec![0; sessions];
        }
        let mut see = |of: u32, more: u32| {
            let count = &mut mine[facts.session[of as usize] as usize];
            *count = (*count).max(facts.at[of as usize] + more);
        };
        for source in facts.sources(operation) {
            see(source, u32::from(since == Since::Then));
            let session = facts.session[source as usize];
            facts.parents[session as usize].into_iter().for_each(|parent| see(parent, 1));
        }
        for read in facts.reads_of(operation) {
            for (session, writers) in &known.keys[read.key as usize] {
                inferred.step()?;
                for (_, write) in known.before(writers, mine[*session as usize]) {
                    inferred.add(*write, read)?;
                }
            }
        }
    }
    Ok(())
}

/// To which reads of a transaction it is visible what it saw by another one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Later,
    All,
}

fn within<V: Eq + Hash>(
    facts: &Facts<'_, V>,
    inferred: &mut Inferred<'_>,
    how: Within,
) -> Result<(), Exhausted> {
    for operation in in_sessions(facts) {
        let reads = facts.reads_of(operation);
        let mut by_key: Vec<&Read> = reads.iter().collect();
        by_key.sort_by_key(|it| it.key);
        let mut sources: Vec<(u32, Place)> = reads.iter().map(|it| (it.from, it.place)).collect();
        sources.sort_unstable();
        sources.dedup_by_key(|it| it.0);
        for (from, first) in sources.into_iter().filter(|it| it.0 != INITIAL) {
            let writes = facts.writes_of(from);
            // Whichever is shorter is gone through.
            let mut add = |read: &Read| match how {
                Within::Later if read.place <= first => inferred.step(),
                Within::Later | Within::All => inferred.add(from, read),
            };
            if writes.len() < by_key.len() {
                for write in writes {
                    let start = by_key.partition_point(|it| it.key < write.key);
                    let same = by_key[start..].iter().take_while(|it| it.key == write.key);
                    same.into_iter().try_for_each(|read| add(read))?;
                }
                continue;
            }
            let mut keys: Vec<u32> = writes.iter().map(|it| it.key).collect();
            keys.sort_unstable();
            let seen = by_key.iter().filter(|it| keys.binary_search(&it.key).is_ok());
            seen.into_iter().try_for_each(|read| add(read))?;
        }
        inferred.step()?;
    }
    Ok(())
}
