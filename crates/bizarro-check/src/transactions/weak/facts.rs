//! What a history says of sessions, writes, and who read whose.

use std::collections::BTreeMap;
use std::hash::Hash;

use super::Violation;
use crate::history::Process;
use crate::model::Access;
use crate::transactions::anomaly::{Phenomenon, Place};
use crate::transactions::graph::{Edges, kind};
use crate::transactions::rw_register::INITIAL;
use crate::transactions::writes::{Overwritten, Saw, Write, Writes};
use crate::transactions::{Disagreement, LISTED_MAX, RegisterHistory, Unwritten};

/// Not in any session.
pub(super) const NOWHERE: u32 = u32::MAX;

/// A read of what another transaction wrote.
#[derive(Clone, Copy)]
pub(super) struct Read {
    pub(super) key: u32,
    pub(super) place: Place,
    /// The transaction that wrote it; [`INITIAL`] for what was there first.
    pub(super) from: u32,
}

pub(super) struct Facts<'h, V> {
    pub(super) history: &'h RegisterHistory<V>,
    pub(super) written: Writes<'h, V>,
    /// By place.
    pub(super) reads: Vec<Read>,
    /// Where the reads, and the writes, of each transaction begin; and where the last ones end.
    read_starts: Vec<u32>,
    write_starts: Vec<u32>,
    /// The session of each transaction, and its place in it.
    pub(super) session: Vec<u32>,
    pub(super) at: Vec<u32>,
    /// Transactions that took effect, in their order. One of unknown outcome is a session of its own, since
    /// it may take effect later than those that come after it.
    pub(super) sessions: Vec<Vec<u32>>,
    /// The transaction that came before such a session.
    pub(super) parents: Vec<Option<u32>>,
    pub(super) wrong: Vec<Violation>,
}

impl<'h, V: Eq + Hash> Facts<'h, V> {
    pub(super) fn new(
        history: &'h RegisterHistory<V>,
        initial: &V,
        unwritten: Unwritten,
    ) -> Result<Facts<'h, V>, Disagreement> {
        let count = history.len();
        let mut facts = Facts {
            history,
            written: Writes::new(history, initial)?,
            reads: Vec::new(),
            read_starts: Vec::with_capacity(count + 1),
            write_starts: Vec::with_capacity(count + 1),
            session: vec![NOWHERE; count],
            at: vec![NOWHERE; count],
            sessions: Vec::new(),
            parents: Vec::new(),
            wrong: Vec::new(),
        };
        for (operation, of) in (0..).zip(history.operations()) {
            facts.read_starts.push(facts.reads.len() as u32);
            if let Some(reply) = of.outcome.reply() {
                facts.transaction(operation, &of.call, reply, initial, unwritten)?;
            }
        }
        facts.read_starts.push(facts.reads.len() as u32);
        let mut write = 0;
        for operation in 0..=count as u32 {
            let all = &facts.written.all;
            while all.get(write as usize).is_some_and(|it| it.place.operation < operation) {
                write += 1;
            }
            facts.write_starts.push(write);
        }
        facts.place_in_sessions();
        Ok(facts)
    }

    fn transaction(
        &mut self,
        operation: u32,
        call: &'h [Access<V>],
        reply: &'h [Option<V>],
        initial: &V,
        unwritten: Unwritten,
    ) -> Result<(), Disagreement> {
        let mut seen = reply.iter();
        // What it has written.
        let mut own: Vec<(u32, &V, Place)> = Vec::new();
        for (access, what) in (0..).zip(call) {
            let place = Place { operation, access };
            let (Access::Read(key) | Access::Write(key, _)) = what;
            let key = self.written.keys.intern(key);
            if let Access::Write(_, value) = what {
                own.retain(|(of, ..)| *of != key);
                own.push((key, value, place));
                continue;
            }
            let value = seen.next().ok_or(Disagreement::Replies(operation))?;
            let Some(value) = value else { continue };
            match own.iter().find(|(of, ..)| *of == key) {
                Some((_, mine, _)) if *mine == value => {}
                Some((.., write)) => self.wrong(Phenomenon::Internal, &[*write, place]),
                None => self.saw(place, key, value, initial, unwritten),
            }
        }
        match seen.next() {
            None => Ok(()),
            Some(_) => Err(Disagreement::Replies(operation)),
        }
    }

    fn saw(&mut self, place: Place, key: u32, value: &V, initial: &V, unwritten: Unwritten) {
        let from = match self.written.saw(place, key, value, initial) {
            Saw::Initial => INITIAL,
            Saw::Version(version, overwritten) => {
                if let Overwritten::Yes(write) = overwritten {
                    self.wrong(Phenomenon::IntermediateRead, &[write, place]);
                }
                self.written.all[version as usize].place.operation
            }
            Saw::Wrong(phenomenon, write) => return self.wrong(phenomenon, &[write, place]),
            Saw::Unwritten if unwritten == Unwritten::Foreign => return,
            Saw::Unwritten => return self.wrong(Phenomenon::UnwrittenRead, &[place]),
        };
        self.reads.push(Read { key, place, from });
    }

    fn wrong(&mut self, phenomenon: Phenomenon, places: &[Place]) {
        if self.wrong.len() < LISTED_MAX {
            self.wrong.push(Violation::Read(phenomenon, places.to_vec()));
        }
    }

    fn place_in_sessions(&mut self) {
        let mut was_read = vec![false; self.history.len()];
        for read in self.reads.iter().filter(|it| it.from != INITIAL) {
            was_read[read.from as usize] = true;
        }
        let mut of_process: BTreeMap<Process, u32> = BTreeMap::new();
        for (operation, of) in (0..).zip(self.history.operations()) {
            let known = of.outcome.reply().is_some();
            if !known && !was_read[operation as usize] {
                continue;
            }
            let current = of_process.get(&of.process).copied();
            let last = current.and_then(|it| self.sessions[it as usize].last().copied());
            let session = match current {
                Some(session) if known => session,
                _ => {
                    self.sessions.push(Vec::new());
                    self.parents.push(last);
                    self.sessions.len() as u32 - 1
                }
            };
            if known {
                of_process.insert(of.process, session);
            }
            self.session[operation as usize] = session;
            self.at[operation as usize] = self.sessions[session as usize].len() as u32;
            self.sessions[session as usize].push(operation);
        }
    }

    /// Whether a transaction took effect.
    pub(super) fn is_in_effect(&self, operation: u32) -> bool {
        self.session[operation as usize] != NOWHERE
    }

    pub(super) fn reads_of(&self, operation: u32) -> &[Read] {
        let at = operation as usize;
        &self.reads[self.read_starts[at] as usize..self.read_starts[at + 1] as usize]
    }

    pub(super) fn writes_of(&self, operation: u32) -> &[Write] {
        let at = operation as usize;
        &self.written.all[self.write_starts[at] as usize..self.write_starts[at + 1] as usize]
    }

    /// The last of a transaction's writes to a register.
    pub(super) fn write(&self, operation: u32, key: u32) -> Option<Place> {
        self.writes_of(operation).iter().rev().find(|it| it.key == key).map(|it| it.place)
    }

    /// The transaction before this one in its session.
    pub(super) fn previous(&self, operation: u32) -> Option<u32> {
        let session = self.session[operation as usize] as usize;
        match self.at[operation as usize] {
            0 => self.parents[session],
            at => Some(self.sessions[session][at as usize - 1]),
        }
    }

    /// Those before this one in its session, the last one first.
    pub(super) fn before(&self, operation: u32) -> impl Iterator<Item = u32> {
        std::iter::successors(self.previous(operation), |it| self.previous(*it))
    }

    /// Adds the orders of sessions and of what was written and read.
    pub(super) fn order(&self, edges: &mut Edges) {
        for operation in self.sessions.iter().flatten() {
            if let Some(previous) = self.previous(*operation) {
                edges.add(previous, *operation, kind::PROCESS);
            }
            let sources = self.sources(*operation);
            sources.iter().for_each(|it| edges.add(*it, *operation, kind::WRITE_READ));
        }
    }

    /// Whose writes a transaction read, each once.
    pub(super) fn sources(&self, operation: u32) -> Vec<u32> {
        let reads = self.reads_of(operation).iter();
        let mut sources: Vec<u32> = reads.map(|it| it.from).filter(|it| *it != INITIAL).collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }
}
