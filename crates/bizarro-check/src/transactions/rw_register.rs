//! Transactions that read and write registers. Every value is written once, so a read tells whose version it
//! saw; which version came after which, only a transaction tells that read one and then wrote the next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hash;

use super::anomaly::{Anomaly, Dependency, Phenomenon, Place, Proof};
use super::graph::{Edges, Graph, kind};
use super::{Disagreement, Interpretation, Unordered};
use crate::history::{History, Outcome};
use crate::intern::{Index, Interner, hash_of};
use crate::model::Access;

/// Transactions: what they accessed, and what the reads among that saw. A read may say nothing.
pub type RegisterHistory<V> = History<Vec<Access<V>>, Vec<Option<V>>>;

/// What a read of a value means that nobody wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unwritten {
    /// Something is wrong.
    #[default]
    Anomaly,
    /// Somebody wrote it whose transactions are not in the history, so that nothing follows. This is how
    /// Elle reads such histories.
    Foreign,
}

/// The version of a register that nobody wrote.
const INITIAL: u32 = u32::MAX;

/// A transaction that updated a version is compared with so many others that did. Two such are an anomaly
/// already.
const RIVALS_MAX: usize = 8;

struct Write {
    key: u32,
    place: Place,
    /// Its transaction writes the same register again.
    overwritten: bool,
}

/// What a transaction saw of a register as others had left it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Read {
    key: u32,
    version: u32,
    place: Place,
    /// It wrote the register after that.
    updates: bool,
}

/// A history as its transactions tell it.
pub(super) struct RwRegister<'h, V> {
    history: &'h RegisterHistory<V>,
    keys: Interner<&'h V>,
    writes: Vec<Write>,
    index: Index,
    /// By transaction.
    reads: Vec<Read>,
    took_effect: Vec<bool>,
    pub(super) anomalies: Vec<Anomaly>,
}

impl<'h, V: Eq + Hash> RwRegister<'h, V> {
    /// Reads the history; dependencies are added to `edges`.
    pub(super) fn new(
        history: &'h RegisterHistory<V>,
        initial: &V,
        unwritten: Unwritten,
        edges: &mut Edges,
    ) -> Result<RwRegister<'h, V>, Disagreement> {
        let took_effect = history.operations().iter().map(|it| it.outcome.reply().is_some());
        let mut this = RwRegister {
            history,
            keys: Interner::new(),
            writes: Vec::new(),
            index: Index::default(),
            reads: Vec::new(),
            took_effect: took_effect.collect(),
            anomalies: Vec::new(),
        };
        this.collect_writes(initial)?;
        for (index, operation) in (0..).zip(history.operations()) {
            if let Some(reply) = operation.outcome.reply() {
                this.transaction(index, &operation.call, reply, initial, unwritten)?;
            }
        }
        this.dependencies(edges);
        Ok(this)
    }

    /// About how many bytes this takes.
    pub(super) fn bytes(&self) -> usize {
        self.keys.bytes()
            + self.writes.capacity() * size_of::<Write>()
            + self.index.bytes_after_insert()
            + 2 * self.reads.capacity() * size_of::<Read>()
    }

    fn collect_writes(&mut self, initial: &V) -> Result<(), Disagreement> {
        for (operation, of) in (0..).zip(self.history.operations()) {
            for (access, what) in (0..).zip(&of.call) {
                let Access::Write(key, value) = what else { continue };
                let (key, place) = (self.keys.intern(key), Place { operation, access });
                if value == initial {
                    return Err(Disagreement::WritesInitial(operation));
                }
                if let Some(before) = self.find(key, value) {
                    let first = self.writes[before as usize].place.operation;
                    return Err(Disagreement::WrittenTwice(first, operation));
                }
                let mine = self.writes.iter_mut().rev();
                let mut mine = mine.take_while(|it| it.place.operation == operation);
                if let Some(earlier) = mine.find(|it| it.key == key) {
                    earlier.overwritten = true;
                }
                self.index.insert(hash_of(&(key, value)), self.writes.len() as u32);
                self.writes.push(Write { key, place, overwritten: false });
            }
        }
        Ok(())
    }

    fn find(&self, key: u32, value: &V) -> Option<u32> {
        self.index.find(hash_of(&(key, value)), |number| {
            let write = &self.writes[number as usize];
            write.key == key && self.written(write.place) == Some(value)
        })
    }

    fn written(&self, place: Place) -> Option<&'h V> {
        match &self.history.operations()[place.operation as usize].call[place.access as usize] {
            Access::Write(_, value) => Some(value),
            Access::Read(_) => None,
        }
    }

    /// What a transaction saw, of itself and of others.
    fn transaction(
        &mut self,
        operation: u32,
        call: &'h [Access<V>],
        reply: &'h [Option<V>],
        initial: &V,
        unwritten: Unwritten,
    ) -> Result<(), Disagreement> {
        let mut seen = reply.iter();
        // What it knows of each register, from which access; and its read of others' versions.
        let mut views: Vec<(u32, &'h V, Place)> = Vec::new();
        let first_read = self.reads.len();
        for (access, what) in (0..).zip(call) {
            let place = Place { operation, access };
            let (Access::Read(key) | Access::Write(key, _)) = what;
            let key = self.keys.intern(key);
            let view = views.iter().position(|(of, ..)| *of == key);
            match what {
                Access::Write(_, value) => {
                    let mut own = self.reads[first_read..].iter_mut();
                    if let Some(read) = own.find(|read| read.key == key) {
                        read.updates = true;
                    }
                    match view {
                        Some(view) => views[view] = (key, value, place),
                        None => views.push((key, value, place)),
                    }
                }
                Access::Read(_) => {
                    let value = seen.next().ok_or(Disagreement::Replies(operation))?;
                    let Some(value) = value else { continue };
                    match view.map(|view| views[view]) {
                        None => {
                            self.saw(place, key, value, initial, unwritten);
                            views.push((key, value, place));
                        }
                        Some((_, known, before)) if known != value => {
                            self.anomaly(Phenomenon::Internal, &[before, place]);
                        }
                        Some(_) => {}
                    }
                }
            }
        }
        match seen.next() {
            None => Ok(()),
            Some(_) => Err(Disagreement::Replies(operation)),
        }
    }

    fn saw(&mut self, place: Place, key: u32, value: &V, initial: &V, unwritten: Unwritten) {
        if value == initial {
            self.reads.push(Read { key, version: INITIAL, place, updates: false });
            return;
        }
        let Some(version) = self.find(key, value) else {
            if unwritten == Unwritten::Anomaly {
                self.anomaly(Phenomenon::UnwrittenRead, &[place]);
            }
            return;
        };
        let Write { place: write, overwritten, .. } = self.writes[version as usize];
        if self.history.operations()[write.operation as usize].outcome == Outcome::Fail {
            return self.anomaly(Phenomenon::AbortedRead, &[write, place]);
        }
        if write.operation == place.operation {
            return self.anomaly(Phenomenon::Internal, &[write, place]);
        }
        if overwritten {
            self.anomaly(Phenomenon::IntermediateRead, &[write, place]);
        }
        self.took_effect[write.operation as usize] = true;
        self.reads.push(Read { key, version, place, updates: false });
    }

    fn anomaly(&mut self, phenomenon: Phenomenon, places: &[Place]) {
        if self.anomalies.len() < super::LISTED_MAX {
            let proof = Proof::Accesses(places.to_vec());
            self.anomalies.push(Anomaly { phenomenon, proof });
        }
    }

    fn dependencies(&mut self, edges: &mut Edges) {
        let mut writers: Vec<Vec<u32>> = vec![Vec::new(); self.keys.len()];
        for write in &self.writes {
            let (of_key, operation) = (&mut writers[write.key as usize], write.place.operation);
            if self.took_effect[operation as usize] && of_key.last() != Some(&operation) {
                of_key.push(operation);
            }
        }
        let mut reads = self.reads.clone();
        reads.sort_unstable();
        for group in
            reads.chunk_by(|one, other| (one.key, one.version) == (other.key, other.version))
        {
            let version = group[0].version;
            if let Some(write) = self.writes.get(version as usize) {
                let from = write.place.operation;
                group.iter().for_each(|it| edges.add(from, it.place.operation, kind::WRITE_READ));
            }
            let updates: Vec<Place> =
                group.iter().filter(|it| it.updates).map(|it| it.place).collect();
            for pair in updates.windows(2) {
                self.anomaly(Phenomenon::LostUpdate, pair);
            }
            match version {
                INITIAL => overwrite(edges, group, &writers[group[0].key as usize]),
                _ => {
                    let by: Vec<u32> = updates.iter().map(|place| place.operation).collect();
                    overwrite(edges, group, &by);
                }
            }
        }
    }

    fn reads_of(&self, operation: u32) -> &[Read] {
        let from = self.reads.partition_point(|it| it.place.operation < operation);
        let end = self.reads.partition_point(|it| it.place.operation <= operation);
        &self.reads[from..end]
    }

    fn writes_of(&self, operation: u32) -> &[Write] {
        let from = self.writes.partition_point(|it| it.place.operation < operation);
        let end = self.writes.partition_point(|it| it.place.operation <= operation);
        &self.writes[from..end]
    }
}

/// Those who read a version come before all these (in order) who wrote upon it, but for themselves.
fn overwrite(edges: &mut Edges, readers: &[Read], writers: &[u32]) {
    let is_writer = |read: &Read| writers.binary_search(&read.place.operation).is_ok();
    let rivals = readers.iter().filter(|read| is_writer(read)).count();
    let mut between = None;
    for reader in readers {
        let me = reader.place.operation;
        if writers.len() > 1 && !is_writer(reader) {
            let between = *between.get_or_insert_with(|| {
                let between = edges.between();
                writers.iter().for_each(|writer| edges.add(between, *writer, kind::THROUGH));
                between
            });
            edges.add(me, between, kind::READ_WRITE);
            continue;
        }
        // A lone one has to be told from all others; several are an anomaly, and a few will do.
        let limit = if rivals < 2 { usize::MAX } else { RIVALS_MAX };
        let others = writers.iter().filter(|writer| **writer != me).take(limit);
        others.for_each(|writer| edges.add(me, *writer, kind::READ_WRITE));
    }
}

impl<V: Eq + Hash> Interpretation for RwRegister<'_, V> {
    fn took_effect(&self) -> &[bool] {
        &self.took_effect
    }

    fn dependency(&self, from: u32, to: u32, kind: u8) -> Option<Dependency> {
        match kind {
            kind::WRITE_READ => self.reads_of(to).iter().find_map(|read| {
                let write = self.writes.get(read.version as usize)?;
                let (from, to) = (Some(write.place).filter(|it| it.operation == from)?, read.place);
                Some(Dependency::WriteRead { from, to })
            }),
            kind::READ_WRITE => self.reads_of(from).iter().find_map(|read| {
                let write = self.writes_of(to).iter().find(|write| write.key == read.key)?;
                let mut same = self.reads_of(to).iter();
                let same = same.find(|it| (it.key, it.version) == (read.key, read.version));
                let seen_by = same.filter(|it| it.updates).map(|it| it.place);
                let after = read.version == INITIAL || seen_by.is_some();
                let seen_by = seen_by.filter(|_| read.version != INITIAL);
                let (from, to) = (read.place, write.place);
                after.then_some(Dependency::ReadWrite { from, to, seen_by })
            }),
            _ => None,
        }
    }

    fn unordered(&self) -> Unordered {
        Unordered::Versions
    }

    fn serial(&self, graph: &Graph, _: &[u32]) -> Option<Vec<u32>> {
        Schedule::new(self, graph).run()
    }
}

/// Looks for a serial order: of the transactions that may come next, the one that ended first comes, unless
/// somebody still has to read what it would overwrite. This need not find an order that there is.
struct Schedule<'s, 'h, V> {
    known: &'s RwRegister<'h, V>,
    graph: &'s Graph,
    /// How many edges still lead to a node.
    left: Vec<u32>,
    /// What to take first.
    urgency: Vec<u32>,
    ready: BinaryHeap<Reverse<(u32, u32)>>,
    /// The present version of each register, how many have still to read each version, and who waits for
    /// that.
    present: Vec<u32>,
    readers: Vec<u32>,
    first_readers: Vec<u32>,
    waiting: Vec<Vec<u32>>,
    order: Vec<u32>,
}

impl<'s, 'h, V: Eq + Hash> Schedule<'s, 'h, V> {
    fn new(known: &'s RwRegister<'h, V>, graph: &'s Graph) -> Schedule<'s, 'h, V> {
        let mut left = vec![0; graph.nodes() as usize];
        for node in 0..graph.nodes() {
            graph.from(node).for_each(|(to, _)| left[to as usize] += 1);
        }
        let operations = known.history.operations().iter();
        let ends = operations.map(|it| match (&it.outcome, it.ended) {
            (Outcome::Ok(_), Some(ended)) => ended.position,
            _ => u32::MAX,
        });
        let mut urgency: Vec<u32> = ends.collect();
        urgency.resize(graph.nodes() as usize, 0);
        let keys = known.keys.len();
        let mut readers = vec![0; known.writes.len()];
        let mut first_readers = vec![0; keys];
        for read in &known.reads {
            match known.writes.get(read.version as usize) {
                None => first_readers[read.key as usize] += 1,
                Some(write) => {
                    readers[read.version as usize] += 1;
                    // Its writer must have come before.
                    let end = urgency[read.place.operation as usize];
                    let writer = &mut urgency[write.place.operation as usize];
                    *writer = end.min(*writer);
                }
            }
        }
        Schedule {
            known,
            graph,
            left,
            urgency,
            ready: BinaryHeap::new(),
            present: vec![INITIAL; keys],
            readers,
            first_readers,
            waiting: vec![Vec::new(); keys],
            order: Vec::new(),
        }
    }

    fn run(mut self) -> Option<Vec<u32>> {
        let all = self.known.took_effect.iter().filter(|it| **it).count();
        for node in 0..self.graph.nodes() {
            if self.left[node as usize] == 0 {
                self.ready.push(Reverse((self.urgency[node as usize], node)));
            }
        }
        while let Some(Reverse((_, node))) = self.ready.pop() {
            if self.known.took_effect.get(node as usize) == Some(&true) {
                if let Some(key) = self.in_use(node) {
                    self.waiting[key as usize].push(node);
                    continue;
                }
                self.take(node)?;
            }
            for (to, _) in self.graph.from(node) {
                self.left[to as usize] -= 1;
                if self.left[to as usize] == 0 {
                    self.ready.push(Reverse((self.urgency[to as usize], to)));
                }
            }
        }
        (self.order.len() == all).then_some(self.order)
    }

    fn readers_of(&mut self, key: u32, version: u32) -> &mut u32 {
        match version {
            INITIAL => &mut self.first_readers[key as usize],
            version => &mut self.readers[version as usize],
        }
    }

    /// A register that it would overwrite while others have to read it.
    fn in_use(&mut self, operation: u32) -> Option<u32> {
        let known = self.known;
        known.writes_of(operation).iter().map(|write| write.key).find(|key| {
            let version = self.present[*key as usize];
            let mut own = known.reads_of(operation).iter();
            let own = own.any(|read| read.key == *key && read.version == version);
            *self.readers_of(*key, version) > u32::from(own)
        })
    }

    fn take(&mut self, operation: u32) -> Option<()> {
        let known = self.known;
        for read in known.reads_of(operation) {
            if self.present[read.key as usize] != read.version {
                return None;
            }
            *self.readers_of(read.key, read.version) -= 1;
            for waiting in std::mem::take(&mut self.waiting[read.key as usize]) {
                self.ready.push(Reverse((self.urgency[waiting as usize], waiting)));
            }
        }
        for (number, write) in (0..).zip(known.writes_of(operation)) {
            let first = known.writes.partition_point(|it| it.place.operation < operation) as u32;
            self.present[write.key as usize] = first + number;
        }
        self.order.push(operation);
        Some(())
    }
}
