//! Numbers for things: every distinct thing is kept once and is told apart by its number.

use std::hash::{Hash, Hasher};

/// An open-addressing index from hashes to numbers. It keeps no keys: whoever asks compares.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// 32 bits of hash above the number plus one; zero where it is empty.
    slots: Vec<u64>,
    len: usize,
}

impl Index {
    /// The number with this hash for which `same` holds.
    pub(crate) fn find(&self, hash: u64, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let (tag, mask) = (hash >> 32, self.slots.len() - 1);
        let mut at = tag as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return None;
            }
            let number = (slot as u32) - 1;
            if slot >> 32 == tag && same(number) {
                return Some(number);
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds a number that [`Index::find`] did not find.
    pub(crate) fn insert(&mut self, hash: u64, number: u32) {
        if self.is_full() {
            self.grow();
        }
        self.place((hash >> 32) << 32 | u64::from(number + 1));
        self.len += 1;
    }

    /// Bytes that it takes after the next insertion, the old table included while it grows.
    pub(crate) fn bytes_after_insert(&self) -> usize {
        let grown = if self.is_full() { 2 * self.slots.len().max(16) } else { 0 };
        8 * (self.slots.len() + grown)
    }

    fn is_full(&self) -> bool {
        4 * (self.len + 1) > 3 * self.slots.len()
    }

    fn grow(&mut self) {
        let size = (2 * self.slots.len()).max(32);
        let old = std::mem::replace(&mut self.slots, vec![0; size]);
        for slot in old.into_iter().filter(|slot| *slot != 0) {
            self.place(slot);
        }
    }

    fn place(&mut self, slot: u64) {
        let mask = self.slots.len() - 1;
        let mut at = (slot >> 32) as usize & mask;
        while self.slots[at] != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }
}

/// Things and their numbers, which are given in the order in which things come first.
#[derive(Debug)]
pub(crate) struct Interner<T> {
    things: Vec<T>,
    index: Index,
}

impl<T: Eq + Hash> Interner<T> {
    pub(crate) fn new() -> Interner<T> {
        Interner { things: Vec::new(), index: Index::default() }
    }

    /// The number of a thing.
    pub(crate) fn intern(&mut self, thing: T) -> u32 {
        let hash = hash_of(&thing);
        if let Some(number) = self.index.find(hash, |number| self.things[number as usize] == thing)
        {
            return number;
        }
        let number = u32::try_from(self.things.len()).expect("memory ends before numbers do");
        self.index.insert(hash, number);
        self.things.push(thing);
        number
    }

    /// The thing of a number.
    pub(crate) fn get(&self, number: u32) -> &T {
        &self.things[number as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.things.len()
    }

    /// Bytes of the tables, without what things own elsewhere.
    pub(crate) fn bytes(&self) -> usize {
        self.things.capacity() * size_of::<T>() + self.index.bytes_after_insert()
    }

    pub(crate) fn into_things(self) -> Vec<T> {
        self.things
    }
}

/// A hash which is the same in every process.
pub(crate) fn hash_of(thing: &impl Hash) -> u64 {
    let mut hasher = Mixer(SEED);
    thing.hash(&mut hasher);
    hasher.finish()
}

/// A hash of words.
pub(crate) fn hash_words(words: &[u64]) -> u64 {
    words.iter().fold(SEED, |hash, word| mix(hash ^ word))
}

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Multiplies to 128 bits and folds the halves: a good mix in one instruction or two.
struct Mixer(u64);

fn mix(word: u64) -> u64 {
    let product = u128::from(word ^ SEED) * 0xa076_1d64_78bd_642f;
    (product as u64) ^ ((product >> 64) as u64)
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.write_u64(u64::from_le_bytes(word.try_into().expect("a chunk has eight bytes")));
        }
        let mut last = [0; 8];
        let rest = words.remainder();
        last[..rest.len()].copy_from_slice(rest);
        self.write_u64(u64::from_le_bytes(last) ^ (bytes.len() as u64) << 56);
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = mix(self.0 ^ number);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thing_has_one_number() {
        let mut interner = Interner::new();
        let numbers: Vec<u32> =
            (0..10_000).map(|i| interner.intern(format!("{}", i % 3_000))).collect();
        assert_eq!(interner.len(), 3_000);
        for (i, number) in numbers.iter().enumerate() {
            assert_eq!(*number as usize, i % 3_000);
            assert_eq!(interner.get(*number), &format!("{}", i % 3_000));
        }
    }

    #[test]
    fn hashes_of_near_things_are_far_apart() {
        let mut tags: Vec<u64> = (0..100_000_u64).map(|i| hash_words(&[i]) >> 32).collect();
        tags.sort_unstable();
        tags.dedup();
        // Of 100,000 random tags of 32 bits one or two are the same.
        assert!(tags.len() > 99_980, "{}", tags.len());
    }
}
