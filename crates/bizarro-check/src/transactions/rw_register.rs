//! Transactions that read and write registers. Every value is written once, so a read tells whose version it
//! saw; which version came after which, only a transaction tells that read one and then wrote the next.

use std::hash::Hash;

use super::anomaly::{Anomaly, Basis, Dependency, Phenomenon, Place, Proof};
use super::graph::{Edges, Graph, kind};
use super::level::{Family, Level};
use super::schedule::Schedule;
use super::writes::{Overwritten, Saw, Writes};
use super::{Disagreement, Interpretation, Unordered, versions};
use crate::budget::{Exhausted, Ledger};
use crate::history::History;
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
pub(super) const INITIAL: u32 = u32::MAX;

/// A transaction that updated a version is compared with so many others that did. Two such are an anomaly
/// already.
const RIVALS_MAX: usize = 8;

/// What a transaction saw of a register as others had left it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Read {
    pub(super) key: u32,
    pub(super) version: u32,
    pub(super) place: Place,
    /// It wrote the register after that.
    updates: bool,
}

/// A history as its transactions tell it.
pub(super) struct RwRegister<'h, V> {
    pub(super) history: &'h RegisterHistory<V>,
    pub(super) written: Writes<'h, V>,
    /// By transaction.
    pub(super) reads: Vec<Read>,
    /// By version.
    pub(super) by_version: Vec<Read>,
    pub(super) took_effect: Vec<bool>,
    pub(super) anomalies: Vec<Anomaly>,
}

impl<'h, V: Eq + Hash> RwRegister<'h, V> {
    /// Reads the history; dependencies are added to `edges`.
    pub(super) fn new(
        history: &'h RegisterHistory<V>,
        initial: &V,
        unwritten: Unwritten,
        level: Level,
        edges: &mut Edges,
    ) -> Result<RwRegister<'h, V>, Disagreement> {
        let took_effect = history.operations().iter().map(|it| it.outcome.reply().is_some());
        let mut this = RwRegister {
            history,
            written: Writes::new(history, initial)?,
            reads: Vec::new(),
            by_version: Vec::new(),
            took_effect: took_effect.collect(),
            anomalies: Vec::new(),
        };
        for (index, operation) in (0..).zip(history.operations()) {
            if let Some(reply) = operation.outcome.reply() {
                this.transaction(index, &operation.call, reply, initial, unwritten)?;
            }
        }
        this.dependencies(edges);
        if level.family() >= Family::Snapshot {
            versions::add(&this, edges, level.order());
        }
        Ok(this)
    }

    /// About how many bytes this takes.
    pub(super) fn bytes(&self) -> usize {
        self.written.bytes() + 2 * self.reads.capacity() * size_of::<Read>()
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
            let key = self.written.keys.intern(key);
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
        let version = match self.written.saw(place, key, value, initial) {
            Saw::Initial => INITIAL,
            Saw::Version(version, overwritten) => {
                if let Overwritten::Yes(write) = overwritten {
                    self.anomaly(Phenomenon::IntermediateRead, &[write, place]);
                }
                let write = self.written.all[version as usize].place;
                self.took_effect[write.operation as usize] = true;
                version
            }
            Saw::Wrong(phenomenon, write) => return self.anomaly(phenomenon, &[write, place]),
            Saw::Unwritten if unwritten == Unwritten::Foreign => return,
            Saw::Unwritten => return self.anomaly(Phenomenon::UnwrittenRead, &[place]),
        };
        self.reads.push(Read { key, version, place, updates: false });
    }

    fn anomaly(&mut self, phenomenon: Phenomenon, places: &[Place]) {
        if self.anomalies.len() < super::LISTED_MAX {
            let proof = Proof::Accesses(places.to_vec());
            self.anomalies.push(Anomaly { phenomenon, proof });
        }
    }

    fn dependencies(&mut self, edges: &mut Edges) {
        let mut writers: Vec<Vec<u32>> = vec![Vec::new(); self.written.keys.len()];
        for write in &self.written.all {
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
            if let Some(write) = self.written.all.get(version as usize) {
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
        self.by_version = reads;
    }

    /// Who read a version.
    pub(super) fn readers(&self, key: u32, version: u32) -> &[Read] {
        let at = |it: &Read| (it.key, it.version);
        let from = self.by_version.partition_point(|it| at(it) < (key, version));
        let end = self.by_version.partition_point(|it| at(it) <= (key, version));
        &self.by_version[from..end]
    }

    pub(super) fn reads_of(&self, operation: u32) -> &[Read] {
        let from = self.reads.partition_point(|it| it.place.operation < operation);
        let end = self.reads.partition_point(|it| it.place.operation <= operation);
        &self.reads[from..end]
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
                let write = self.written.all.get(read.version as usize)?;
                let (from, to) = (Some(write.place).filter(|it| it.operation == from)?, read.place);
                Some(Dependency::WriteRead { from, to })
            }),
            kind::READ_WRITE => self.reads_of(from).iter().find_map(|read| {
                let write = self.written.of(to).iter().find(|write| write.key == read.key)?;
                let mut same = self.reads_of(to).iter();
                let same = same.find(|it| (it.key, it.version) == (read.key, read.version));
                let seen_by = same.filter(|it| it.updates).map(|it| it.place);
                let after = read.version == INITIAL || seen_by.is_some();
                let seen_by = seen_by.filter(|_| read.version != INITIAL);
                let (from, to) = (read.place, write.place);
                let basis = Basis::Values;
                after.then_some(Dependency::ReadWrite { from, to, seen_by, basis })
            }),
            kind::WRITE_WRITE | kind::WRITE_WRITE_BY_TIME | kind::READ_WRITE_BY_TIME => {
                versions::dependency(self, from, to, kind)
            }
            _ => None,
        }
    }

    fn unordered(&self) -> Unordered {
        Unordered::Versions
    }

    fn serial(
        &self,
        graph: &Graph,
        _: &[u32],
        ledger: &Ledger,
    ) -> Result<Option<Vec<u32>>, Exhausted> {
        Schedule::new(self, graph).run(ledger)
    }
}
