//! Cycles, and why each transaction of one comes before the next.

use std::collections::{BTreeMap, VecDeque};
use std::hash::Hash;

use super::facts::{Facts, Read};
use super::{Before, Guarantee, Step, Verdict, Violation};
use crate::budget::{Exhausted, Ledger, Share};
use crate::transactions::anomaly::Place;
use crate::transactions::graph::{Components, Graph, Walks, kind, state};
use crate::transactions::rw_register::INITIAL;

/// Cycles that are given, of different components.
const CYCLES_MAX: usize = 8;
/// Transactions of a component from which a short cycle is looked for.
const TRIED_MAX: usize = 32;

/// A short cycle of each of a few components.
pub(super) fn cycles<V: Eq + Hash>(
    facts: &Facts<'_, V>,
    guarantee: Guarantee,
    graph: &Graph,
    among: &[u32],
    ledger: &Ledger,
) -> Result<Verdict, Exhausted> {
    let mut share = Share::new(ledger);
    share.hold(48 * graph.nodes() as usize + 8 * facts.reads.len())?;
    let walks = Walks { kinds: kind::ALL, nonadjacent: false };
    let components = Components::new(graph, walks, among, |_| true);
    let of = |node: u32| components.cyclic(state(node, false));
    let mut tried: BTreeMap<u32, usize> = BTreeMap::new();
    let mut best: BTreeMap<u32, Vec<(u32, u32, u8)>> = BTreeMap::new();
    for &node in among {
        let Some(component) = of(node) else { continue };
        let tries = tried.entry(component).or_default();
        *tries += 1;
        let more = best.contains_key(&component) || best.len() < CYCLES_MAX;
        if !more || *tries > TRIED_MAX {
            continue;
        }
        ledger.in_time()?;
        let found = shortest(graph, node, |it| of(it) == Some(component));
        let best = best.entry(component).or_insert_with(|| found.clone());
        if found.len() < best.len() {
            *best = found;
        }
    }
    let readers = Readers::new(facts);
    let named = best.into_values().map(|cycle| {
        let before = cycle.iter().map(|edge| because(facts, guarantee, &readers, *edge));
        Violation::Cycle(before.collect())
    });
    Ok(Verdict::Violated(named.collect()))
}

/// The shortest cycle through a node that is on one.
fn shortest(graph: &Graph, start: u32, inside: impl Fn(u32) -> bool) -> Vec<(u32, u32, u8)> {
    let mut by: BTreeMap<u32, (u32, u8)> = BTreeMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(node) = open.pop_front() {
        for (to, kind) in graph.from(node).filter(|(to, _)| inside(*to)) {
            if to == start {
                let (mut cycle, mut at) = (vec![(node, to, kind)], node);
                while at != start {
                    let (from, kind) = by[&at];
                    cycle.push((from, at, kind));
                    at = from;
                }
                cycle.reverse();
                return cycle;
            }
            by.entry(to).or_insert_with(|| {
                open.push_back(to);
                (node, kind)
            });
        }
    }
    unreachable!("it is on a cycle")
}

/// Reads by who wrote what was read.
struct Readers(Vec<u32>);

impl Readers {
    fn new<V>(facts: &Facts<'_, V>) -> Readers {
        let mut numbers: Vec<u32> = (0..facts.reads.len() as u32).collect();
        numbers.sort_by_key(|it| facts.reads[*it as usize].from);
        Readers(numbers)
    }

    fn of<'f, V>(&self, facts: &'f Facts<'_, V>, write: u32) -> impl Iterator<Item = &'f Read> {
        let read = |number: &u32| &facts.reads[*number as usize];
        let start = self.0.partition_point(|it| read(it).from < write);
        self.0[start..].iter().map(read).take_while(move |it| it.from == write)
    }
}

fn because<V: Eq + Hash>(
    facts: &Facts<'_, V>,
    guarantee: Guarantee,
    readers: &Readers,
    (from, to, kind): (u32, u32, u8),
) -> Before {
    match kind {
        kind::PROCESS => Before::Session { from, to },
        kind::WRITE_READ => {
            let read = facts.reads_of(to).iter().find(|it| it.from == from);
            let read = read.expect("it read that");
            Before::Read { from: written(facts, from, read), to: read.place }
        }
        _ => {
            let mut reads = readers.of(facts, to);
            let found = reads.find_map(|read| {
                let write = facts.write(from, read.key)?;
                let visible = visible(facts, guarantee, from, read)?;
                let to = Some(written(facts, to, read));
                Some(Before::Overwritten { from: write, to, read: read.place, visible })
            });
            found.expect("every edge has its reason")
        }
    }
}

/// The write that a read saw.
fn written<V: Eq + Hash>(facts: &Facts<'_, V>, by: u32, read: &Read) -> Place {
    facts.write(by, read.key).expect("it wrote what was read")
}

/// Why a write comes before all: it was visible to a read of what was there first.
pub(super) fn stale<V: Eq + Hash>(
    facts: &Facts<'_, V>,
    guarantee: Guarantee,
    write: u32,
    read: Place,
) -> Before {
    let reads = facts.reads_of(read.operation);
    let it = reads.iter().find(|it| it.place == read).expect("it is a read");
    let from = facts.write(write, it.key).expect("it wrote that register");
    let visible = visible(facts, guarantee, write, it).expect("it was visible");
    Before::Overwritten { from, to: None, read, visible }
}

/// How what a transaction wrote was visible to a read, if it was.
fn visible<V: Eq + Hash>(
    facts: &Facts<'_, V>,
    guarantee: Guarantee,
    write: u32,
    read: &Read,
) -> Option<Vec<Step>> {
    let reader = read.place.operation;
    let in_session = || facts.before(reader).any(|it| it == write).then_some(Step::Session(reader));
    match guarantee {
        Guarantee::ReadYourWrites => in_session().map(|step| vec![step]),
        Guarantee::ReadAtomic => {
            in_session().or_else(|| saw(facts, reader, write)).map(|step| vec![step])
        }
        Guarantee::ReadCommitted => {
            let step = saw(facts, reader, write)?;
            matches!(step, Step::Read(place) if place < read.place).then(|| vec![step])
        }
        Guarantee::MonotonicReads => facts
            .before(reader)
            .find_map(|earlier| Some(vec![saw(facts, earlier, write)?, Step::Session(reader)])),
        Guarantee::MonotonicWrites | Guarantee::WritesFollowReads => with_itself(facts, reader)
            .find_map(|observer| {
                let mut seen = facts.reads_of(observer).iter().filter(|it| it.from != INITIAL);
                let mut path = seen.find_map(|it| {
                    let mut path = known(facts, guarantee, it.from, write)?;
                    path.push(Step::Read(it.place));
                    Some(path)
                })?;
                path.extend((observer != reader).then_some(Step::Session(reader)));
                Some(path)
            }),
        Guarantee::Causal => path(facts, write, reader),
    }
}

fn with_itself<V: Eq + Hash>(facts: &Facts<'_, V>, operation: u32) -> impl Iterator<Item = u32> {
    [operation].into_iter().chain(facts.before(operation))
}

/// How a transaction knew of a write, which it or its session made or read.
fn known<V: Eq + Hash>(
    facts: &Facts<'_, V>,
    guarantee: Guarantee,
    operation: u32,
    write: u32,
) -> Option<Vec<Step>> {
    if guarantee == Guarantee::MonotonicWrites {
        let made = facts.before(operation).any(|it| it == write);
        return made.then(|| vec![Step::Session(operation)]);
    }
    with_itself(facts, operation).find_map(|it| {
        let mut path = vec![saw(facts, it, write)?];
        path.extend((it != operation).then_some(Step::Session(operation)));
        Some(path)
    })
}

/// The first read of a transaction that saw something of another one.
fn saw<V: Eq + Hash>(facts: &Facts<'_, V>, operation: u32, write: u32) -> Option<Step> {
    let mut reads = facts.reads_of(operation).iter();
    reads.find(|it| it.from == write).map(|it| Step::Read(it.place))
}

/// The shortest way from one transaction to a later one.
fn path<V: Eq + Hash>(facts: &Facts<'_, V>, from: u32, to: u32) -> Option<Vec<Step>> {
    let mut by: BTreeMap<u32, Step> = BTreeMap::new();
    let mut open = VecDeque::from([to]);
    while let Some(at) = open.pop_front() {
        let reads = facts.reads_of(at).iter().filter(|it| it.from != INITIAL);
        let before = reads.map(|it| (it.from, Step::Read(it.place)));
        for (earlier, step) in before.chain(facts.previous(at).map(|it| (it, Step::Session(at)))) {
            by.entry(earlier).or_insert_with(|| {
                open.push_back(earlier);
                step
            });
        }
        if by.contains_key(&from) {
            let mut path = vec![by[&from]];
            while let Some(last) = path.last().map(Step::to).filter(|it| *it != to) {
                path.push(by[&last]);
            }
            return Some(path);
        }
    }
    None
}
