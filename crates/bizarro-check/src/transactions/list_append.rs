//! Transactions that append to lists and read them. Every element is appended once, so a list that was read
//! tells which versions came before it, and whose.

use std::hash::Hash;
use std::sync::Arc;

use super::anomaly::{Anomaly, Basis, Dependency, Phenomenon, Place, Proof};
use super::graph::{Edges, Graph, kind};
use super::{Disagreement, Interpretation, Unordered};
use crate::budget::{Exhausted, Ledger};
use crate::history::{History, Outcome};
use crate::intern::{Index, Interner, hash_of};

/// One access of several.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ListAccess<K, V> {
    /// What is in the list of this name?
    Read(K),
    /// Add this to the end of the list of this name. No list gets an element twice.
    Append(K, V),
}

/// Transactions: what they accessed, and the lists that the reads among that saw.
pub type ListHistory<K, V> = History<Vec<ListAccess<K, V>>, Vec<Arc<[V]>>>;

/// An append that has no place in its list as far as it was read.
const UNREAD: u32 = u32::MAX;

/// No append.
const NOBODY: u32 = u32::MAX;

/// A transaction that has read the end of a list and appended to it is compared with so many of those that
/// appended what nobody read. Two such are an anomaly already.
const RIVALS_MAX: usize = 8;

/// What is known of an append.
struct Append {
    key: u32,
    place: Place,
    /// How many elements were before it.
    position: u32,
    /// Its transaction appends to the same list again.
    overwritten: bool,
}

/// What is known of a list.
struct List<'h, V> {
    /// The longest that was read, and by whom.
    longest: &'h [V],
    read_by: Option<Place>,
    /// The append of each element of the longest.
    versions: Vec<u32>,
    /// Transactions that took effect and appended what no read shows.
    unread: Vec<u32>,
    /// The node between those who read all and those who appended what nobody read.
    between: Option<u32>,
}

/// A history as its transactions tell it.
pub(super) struct ListAppend<'h, K, V> {
    history: &'h ListHistory<K, V>,
    /// The key of every access, transaction by transaction.
    keys: Vec<u32>,
    first_key: Vec<u32>,
    lists: Vec<List<'h, V>>,
    appends: Vec<Append>,
    index: Index,
    took_effect: Vec<bool>,
    pub(super) anomalies: Vec<Anomaly>,
}

impl<'h, K: Eq + Hash, V: Eq + Hash> ListAppend<'h, K, V> {
    /// Reads the history; dependencies are added to `edges`.
    pub(super) fn new(
        history: &'h ListHistory<K, V>,
        edges: &mut Edges,
    ) -> Result<ListAppend<'h, K, V>, Disagreement> {
        let mut this = ListAppend {
            history,
            keys: Vec::new(),
            first_key: Vec::with_capacity(history.len()),
            lists: Vec::new(),
            appends: Vec::new(),
            index: Index::default(),
            took_effect: Vec::with_capacity(history.len()),
            anomalies: Vec::new(),
        };
        this.collect()?;
        this.find_versions();
        this.versions_in_order(edges);
        this.reads(edges);
        Ok(this)
    }

    /// About how many bytes this takes.
    pub(super) fn bytes(&self) -> usize {
        4 * (self.keys.capacity() + self.first_key.capacity())
            + self.appends.capacity() * size_of::<Append>()
            + self.index.bytes_after_insert()
            + self.lists.iter().map(|list| 80 + 4 * list.versions.len()).sum::<usize>()
    }

    /// Numbers keys and appends, and finds the longest read of each list.
    fn collect(&mut self) -> Result<(), Disagreement> {
        let mut keys: Interner<&'h K> = Interner::new();
        for (index, operation) in (0..).zip(self.history.operations()) {
            self.first_key.push(self.keys.len() as u32);
            self.took_effect.push(operation.outcome.reply().is_some());
            let mut seen = operation.outcome.reply().map(|reply| reply.iter());
            for (access, what) in (0..).zip(&operation.call) {
                let place = Place { operation: index, access };
                let (ListAccess::Read(key) | ListAccess::Append(key, _)) = what;
                let key = keys.intern(key);
                self.keys.push(key);
                if key as usize == self.lists.len() {
                    self.lists.push(List {
                        longest: &[],
                        read_by: None,
                        versions: Vec::new(),
                        unread: Vec::new(),
                        between: None,
                    });
                }
                match (what, &mut seen) {
                    (ListAccess::Append(_, value), _) => self.append(key, value, place)?,
                    (ListAccess::Read(_), Some(seen)) => {
                        let list = seen.next().ok_or(Disagreement::Replies(index))?;
                        let known = &mut self.lists[key as usize];
                        if known.read_by.is_none() || list.len() > known.longest.len() {
                            (known.longest, known.read_by) = (list, Some(place));
                        }
                    }
                    (ListAccess::Read(_), None) => {}
                }
            }
            if seen.is_some_and(|mut rest| rest.next().is_some()) {
                return Err(Disagreement::Replies(index));
            }
        }
        Ok(())
    }

    fn append(&mut self, key: u32, value: &'h V, place: Place) -> Result<(), Disagreement> {
        if let Some(before) = self.find(key, value) {
            let first = self.appends[before as usize].place.operation;
            return Err(Disagreement::WrittenTwice(first, place.operation));
        }
        let number = self.appends.len() as u32;
        self.index.insert(hash_of(&(key, value)), number);
        let mine = self.appends.iter_mut().rev();
        let mut mine = mine.take_while(|it| it.place.operation == place.operation);
        if let Some(earlier) = mine.find(|it| it.key == key) {
            earlier.overwritten = true;
        }
        self.appends.push(Append { key, place, position: UNREAD, overwritten: false });
        Ok(())
    }

    /// The append of a value to a list.
    fn find(&self, key: u32, value: &V) -> Option<u32> {
        self.index.find(hash_of(&(key, value)), |number| {
            let append = &self.appends[number as usize];
            append.key == key && self.value(append.place) == value
        })
    }

    fn value(&self, place: Place) -> &'h V {
        match &self.history.operations()[place.operation as usize].call[place.access as usize] {
            ListAccess::Append(_, value) => value,
            ListAccess::Read(_) => unreachable!("appends are kept by where they are"),
        }
    }

    /// Looks up whose versions the longest read of each list shows, and says who took effect.
    fn find_versions(&mut self) {
        for key in 0..self.lists.len() {
            let List { longest, read_by, .. } = self.lists[key];
            let Some(read_by) = read_by else { continue };
            let mut versions = Vec::with_capacity(longest.len());
            for (position, value) in (0..).zip(longest) {
                let Some(append) = self.find(key as u32, value) else {
                    self.anomaly(Phenomenon::UnwrittenRead, &[read_by]);
                    versions.push(NOBODY);
                    continue;
                };
                let place = self.appends[append as usize].place;
                if self.appends[append as usize].position != UNREAD {
                    self.anomaly(Phenomenon::DuplicateElements, &[place, read_by]);
                    versions.push(NOBODY);
                    continue;
                }
                self.appends[append as usize].position = position;
                versions.push(append);
                if self.outcome(place.operation) == &Outcome::Fail {
                    self.anomaly(Phenomenon::AbortedRead, &[place, read_by]);
                } else {
                    self.took_effect[place.operation as usize] = true;
                }
            }
            self.lists[key].versions = versions;
        }
        for append in &self.appends {
            let operation = append.place.operation;
            let unread = &mut self.lists[append.key as usize].unread;
            let new = append.position == UNREAD && unread.last() != Some(&operation);
            if new && self.took_effect[operation as usize] {
                unread.push(operation);
            }
        }
    }

    fn outcome(&self, operation: u32) -> &'h Outcome<Vec<Arc<[V]>>> {
        &self.history.operations()[operation as usize].outcome
    }

    fn anomaly(&mut self, phenomenon: Phenomenon, places: &[Place]) {
        if self.anomalies.len() < super::LISTED_MAX {
            let proof = Proof::Accesses(places.to_vec());
            self.anomalies.push(Anomaly { phenomenon, proof });
        }
    }

    /// Who appended after whom.
    fn versions_in_order(&mut self, edges: &mut Edges) {
        for key in 0..self.lists.len() {
            let (mut last, mut failed) = (None, None);
            for at in 0..self.lists[key].versions.len() {
                let Some(append) = self.appends.get(self.lists[key].versions[at] as usize) else {
                    continue;
                };
                let place = append.place;
                if !self.took_effect[place.operation as usize] {
                    failed = Some(place);
                    continue;
                }
                if let Some(last) = last.replace(place.operation) {
                    edges.add(last, place.operation, kind::WRITE_WRITE);
                }
                if let Some(failed) = failed.take() {
                    self.anomaly(Phenomenon::DirtyUpdate, &[failed, place]);
                }
            }
            let list = &self.lists[key];
            for unread in list.unread.iter().filter(|_| last.is_some()) {
                edges.add(last.unwrap_or_default(), *unread, kind::WRITE_WRITE);
            }
        }
    }

    /// What each transaction saw, of itself and of others.
    fn reads(&mut self, edges: &mut Edges) {
        let mut views: Vec<View> = Vec::new();
        // Which transaction's view of a list stands where.
        let mut view_of: Vec<(u32, u32)> = vec![(u32::MAX, 0); self.lists.len()];
        let mut updates: Vec<(u32, u32, Place)> = Vec::new();
        for (index, operation) in (0..).zip(self.history.operations()) {
            let Some(reply) = operation.outcome.reply() else { continue };
            let mut seen = reply.iter();
            views.clear();
            for (access, what) in (0..).zip(&operation.call) {
                let place = Place { operation: index, access };
                let key = self.keys[self.first_key[index as usize] as usize + access as usize];
                let (whose, at) = &mut view_of[key as usize];
                if *whose != index {
                    (*whose, *at) = (index, views.len() as u32);
                    views.push(View::default());
                }
                let view = &mut views[*at as usize];
                match what {
                    ListAccess::Append(..) => {
                        if let (Some((base, read)), true) = (view.base, view.own.is_empty()) {
                            updates.push((key, base, read));
                        }
                        view.own.push(place);
                    }
                    ListAccess::Read(_) => {
                        let list = seen.next().expect("replies were counted");
                        self.read(place, key, list, view, edges);
                    }
                }
            }
        }
        updates.sort_unstable();
        for pair in updates.windows(2) {
            if let [(key, base, one), (same_key, same_base, other)] = pair
                && (key, base) == (same_key, same_base)
            {
                self.anomaly(Phenomenon::LostUpdate, &[*one, *other]);
            }
        }
    }

    fn read(&mut self, place: Place, key: u32, seen: &'h [V], view: &mut View, edges: &mut Edges) {
        let list = &self.lists[key as usize];
        if !list.longest.starts_with(seen) {
            let longest = list.read_by.expect("it was read");
            return self.anomaly(Phenomenon::IncompatibleOrder, &[longest, place]);
        }
        // What a transaction appended itself stands at the end of what it reads.
        let own = seen.len().checked_sub(view.own.len());
        let own = own.filter(|base| {
            seen[*base..].iter().zip(&view.own).all(|(seen, own)| seen == self.value(*own))
        });
        let known = view.base.map(|(base, _)| base as usize);
        let Some(base) = own.filter(|base| known.is_none_or(|known| known == *base)) else {
            let others = view.own.iter().chain(view.base.as_ref().map(|(_, read)| read));
            let before: Vec<Place> = others.copied().chain([place]).collect();
            return self.anomaly(Phenomenon::Internal, &before);
        };
        if view.base.is_none() {
            view.base = Some((base as u32, place));
            self.saw(place, key, base, edges);
        }
    }

    /// A transaction saw the first `base` elements of a list as others had left it.
    fn saw(&mut self, place: Place, key: u32, base: usize, edges: &mut Edges) {
        let me = place.operation;
        let versions = &self.lists[key as usize].versions;
        let effective = |append: &u32| {
            let append = self.appends.get(*append as usize)?;
            self.took_effect[append.place.operation as usize].then_some(append)
        };
        if let Some(append) = versions[..base].iter().rev().find_map(effective) {
            edges.add(append.place.operation, me, kind::WRITE_READ);
        }
        let overwriter = versions[base..].iter().find_map(effective);
        let last = base.checked_sub(1).and_then(|last| self.appends.get(versions[last] as usize));
        let intermediate = last.filter(|it| it.overwritten && it.place.operation != me);
        let intermediate = intermediate.map(|it| it.place);
        match overwriter {
            Some(append) => edges.add(me, append.place.operation, kind::READ_WRITE),
            None => self.saw_all(me, key, edges),
        }
        if let Some(write) = intermediate {
            self.anomaly(Phenomenon::IntermediateRead, &[write, place]);
        }
    }

    /// A transaction saw all that anybody did: what was appended and not read came later.
    fn saw_all(&mut self, me: u32, key: u32, edges: &mut Edges) {
        let list = &mut self.lists[key as usize];
        if list.unread.len() < 2 || list.unread.binary_search(&me).is_ok() {
            let others = list.unread.iter().filter(|unread| **unread != me);
            others.take(RIVALS_MAX).for_each(|other| edges.add(me, *other, kind::READ_WRITE));
            return;
        }
        let between = *list.between.get_or_insert_with(|| {
            let between = edges.between();
            list.unread.iter().for_each(|unread| edges.add(between, *unread, kind::THROUGH));
            between
        });
        edges.add(me, between, kind::READ_WRITE);
    }

    fn accesses(&self, operation: u32) -> impl Iterator<Item = (Place, u32)> + '_ {
        let count = self.history.operations()[operation as usize].call.len() as u32;
        (0..count).map(move |access| {
            let at = self.first_key[operation as usize] + access;
            (Place { operation, access }, self.keys[at as usize])
        })
    }

    /// The appends of a transaction: where, to which list, and at which position.
    fn appended(&self, operation: u32) -> impl Iterator<Item = (Place, u32, u32)> + '_ {
        let from = self.appends.partition_point(|it| it.place.operation < operation);
        let own = self.appends[from..].iter().take_while(move |it| it.place.operation == operation);
        own.map(|it| (it.place, it.key, it.position))
    }

    /// The reads of a transaction: where, of which list, and how much of the longest read they saw. Those that
    /// saw something else tell nothing.
    fn saw_by(&self, operation: u32) -> impl Iterator<Item = (Place, u32, u32)> + '_ {
        let of = &self.history.operations()[operation as usize];
        let reads = self.accesses(operation);
        let reads = reads
            .filter(|(place, _)| matches!(of.call[place.access as usize], ListAccess::Read(_)));
        let seen = of.outcome.reply().into_iter().flatten();
        let seen = reads
            .zip(seen)
            .filter(|((_, key), seen)| self.lists[*key as usize].longest.starts_with(seen));
        seen.map(|((place, key), seen)| (place, key, seen.len() as u32))
    }
}

/// What a transaction knows of a list: how long it was as others had left it, from which read; and what it
/// appended itself.
#[derive(Default)]
struct View {
    base: Option<(u32, Place)>,
    own: Vec<Place>,
}

impl<K: Eq + Hash, V: Eq + Hash> Interpretation for ListAppend<'_, K, V> {
    fn took_effect(&self) -> &[bool] {
        &self.took_effect
    }

    fn dependency(&self, from: u32, to: u32, kind: u8) -> Option<Dependency> {
        let earlier = |one: u32, other: u32| one != UNREAD && one < other;
        match kind {
            kind::WRITE_WRITE => self.appended(from).find_map(|(from, key, position)| {
                let seen_by = self.lists[key as usize].read_by?;
                let mut later = self.appended(to);
                let (to, ..) =
                    later.find(|(_, same, later)| *same == key && earlier(position, *later))?;
                Some(Dependency::WriteWrite { from, to, seen_by, basis: Basis::Values })
            }),
            kind::WRITE_READ => self.saw_by(to).find_map(|(to, key, seen)| {
                let mut before = self.appended(from);
                let (from, ..) =
                    before.find(|(_, same, position)| *same == key && earlier(*position, seen))?;
                Some(Dependency::WriteRead { from, to })
            }),
            kind::READ_WRITE => self.saw_by(from).find_map(|(from, key, seen)| {
                let mut later = self.appended(to);
                let (to, ..) =
                    later.find(|(_, same, position)| *same == key && *position >= seen)?;
                Some(Dependency::ReadWrite { from, to, seen_by: None, basis: Basis::Values })
            }),
            _ => None,
        }
    }

    fn unordered(&self) -> Unordered {
        let groups = self.lists.iter().filter(|list| list.unread.len() > 1);
        Unordered::Groups(groups.map(|list| list.unread.clone()).collect())
    }

    /// Every order that respects all dependencies will do: they tell the place of each read and append.
    fn serial(&self, _: &Graph, order: &[u32], _: &Ledger) -> Result<Option<Vec<u32>>, Exhausted> {
        let took_effect = |node: &&u32| self.took_effect.get(**node as usize) == Some(&true);
        Ok(Some(order.iter().filter(took_effect).copied().collect()))
    }
}
