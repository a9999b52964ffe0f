//! The entries of a directory, in the order in which they were made.
//!
//! Every entry has a slot, and slots only grow, so a reader's position (the slot after the last
//! entry that it got) stays valid whatever is added or removed meanwhile. A name that is renamed
//! within the directory keeps its slot, so that a program that renames what it reads does not meet
//! its own work again.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::types::Ino;

/// The slots that `.` and `..` have in every directory.
const FIRST: u64 = 2;

/// See the module.
#[derive(Clone)]
pub(super) struct Directory {
    names: BTreeMap<Box<[u8]>, Entry>,
    slots: BTreeMap<u64, Box<[u8]>>,
    next: u64,
    /// Removed: nothing can be made in it.
    pub(super) dead: bool,
}

#[derive(Clone, Copy)]
struct Entry {
    slot: u64,
    ino: Ino,
}

impl Directory {
    /// A directory that holds only `.` and `..`.
    pub(super) fn new() -> Directory {
        Directory { names: BTreeMap::new(), slots: BTreeMap::new(), next: FIRST, dead: false }
    }

    /// The node of that name.
    pub(super) fn get(&self, name: &[u8]) -> Option<Ino> {
        self.names.get(name).map(|entry| entry.ino)
    }

    /// Whether only `.` and `..` are in it.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Adds a name, or gives a name that is there to another node, in its old slot.
    pub(super) fn insert(&mut self, name: &[u8], ino: Ino) {
        if let Some(entry) = self.names.get_mut(name) {
            entry.ino = ino;
            return;
        }
        let slot = self.next;
        self.next += 1;
        self.place(name, Entry { slot, ino });
    }

    /// Takes a name away.
    pub(super) fn remove(&mut self, name: &[u8]) {
        if let Some(entry) = self.names.remove(name) {
            self.slots.remove(&entry.slot);
        }
    }

    /// Gives `old` the name `new`, in the slot of `new` if that is there, else in its own.
    pub(super) fn rename(&mut self, old: &[u8], new: &[u8]) {
        let Some(entry) = self.names.remove(old) else { return };
        self.slots.remove(&entry.slot);
        match self.names.get_mut(new) {
            Some(there) => there.ino = entry.ino,
            None => self.place(new, entry),
        }
    }

    /// The first entry at or after the slot `from`, beside `.` and `..`: its slot, name and node.
    pub(super) fn next_entry(&self, from: u64) -> Option<(u64, &[u8], Ino)> {
        let (slot, name) = self.slots.range(from..).next()?;
        Some((*slot, name, self.names[name].ino))
    }

    /// All names and nodes, in the order in which they are listed.
    pub(super) fn entries(&self) -> Vec<(Box<[u8]>, Ino)> {
        self.slots.values().map(|name| (name.clone(), self.names[name].ino)).collect()
    }

    fn place(&mut self, name: &[u8], entry: Entry) {
        self.slots.insert(entry.slot, name.into());
        self.names.insert(name.into(), entry);
    }
}
