//! The configurations that the search has seen, each in a few words and exactly.
//!
//! A configuration is a rank below which all is linearized, a state, the set of later operations that are
//! linearized too, and for each kind of optional operations how many were used. Of two that differ only in
//! the last, the one that used no more of any kind can do all that the other can.

use crate::budget::{Exhausted, Share};
use crate::intern::{Index, hash_words};

/// Configurations that agree in all but the used numbers form a chain. A chain longer than this is no
/// longer walked; equal configurations are still found, by a hash of everything.
const CHAIN_MAX: u32 = 24;

/// No next one.
const END: u32 = u32::MAX;

/// A set of configurations. A record is: place (rank and state), mask words, count words, and where there
/// are count words the next record of the chain and the chain's length.
#[derive(Debug)]
pub(super) struct Cache {
    records: Vec<u64>,
    index: Index,
    mask_words: usize,
    guards: Vec<u64>,
    len: u32,
}

impl Cache {
    pub(super) fn new(mask_words: usize, guards: &[u64]) -> Cache {
        let (records, index) = (Vec::new(), Index::default());
        Cache { records, index, mask_words, guards: guards.to_vec(), len: 0 }
    }

    /// Adds a configuration; false where it, or one that can do all that it can, was added before.
    /// `other_bytes` is what the search holds beside this.
    pub(super) fn insert(
        &mut self,
        place: u64,
        words: &[u64],
        share: &mut Share<'_>,
        other_bytes: usize,
    ) -> Result<bool, Exhausted> {
        let exact = 1 + self.mask_words;
        let hash = hash_words(&words[..self.mask_words]) ^ hash_words(&[place]);
        let same = |number: u32| {
            let record = self.record(number);
            record[0] == place && record[1..exact] == words[..self.mask_words]
        };
        let head = self.index.find(hash, same);
        if self.guards.is_empty() {
            if head.is_some() {
                return Ok(false);
            }
            self.add(hash, place, words, share, other_bytes)?;
            return Ok(true);
        }
        let Some(head) = head else {
            self.add(hash, place, words, share, other_bytes)?;
            return Ok(true);
        };
        self.insert_into_chain(head, hash, place, words, share, other_bytes)
    }

    /// How many configurations there are.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    fn insert_into_chain(
        &mut self,
        head: u32,
        hash: u64,
        place: u64,
        words: &[u64],
        share: &mut Share<'_>,
        other_bytes: usize,
    ) -> Result<bool, Exhausted> {
        let mut at = head;
        while at != END {
            if self.dominates(at, words) {
                return Ok(false);
            }
            at = self.link(at) as u32;
        }
        let length = (self.link(head) >> 32) as u32;
        if length < CHAIN_MAX {
            let number = self.len;
            self.add_record(place, words, share, other_bytes)?;
            let next = self.link(head) as u32;
            self.set_link(number, u64::from(next));
            self.set_link(head, u64::from(length + 1) << 32 | u64::from(number));
            return Ok(true);
        }
        let all = hash ^ hash_words(words).rotate_left(17);
        let end = self.size() - 1;
        let same = |number: u32| {
            let record = self.record(number);
            record[0] == place && record[1..end] == *words
        };
        if self.index.find(all, same).is_some() {
            return Ok(false);
        }
        self.add(all, place, words, share, other_bytes)?;
        Ok(true)
    }

    /// Whether a record used no more of any kind than these words.
    fn dominates(&self, number: u32, words: &[u64]) -> bool {
        let counts = &self.record(number)[1 + self.mask_words..];
        let others = &words[self.mask_words..];
        // The bit above each number is zero in both; it stays set unless the subtraction borrowed it.
        self.guards
            .iter()
            .zip(counts.iter().zip(others))
            .all(|(guard, (mine, other))| ((other | guard) - mine) & guard == *guard)
    }

    fn add(
        &mut self,
        hash: u64,
        place: u64,
        words: &[u64],
        share: &mut Share<'_>,
        other_bytes: usize,
    ) -> Result<(), Exhausted> {
        let number = self.len;
        self.add_record(place, words, share, other_bytes)?;
        self.index.insert(hash, number);
        Ok(())
    }

    fn add_record(
        &mut self,
        place: u64,
        words: &[u64],
        share: &mut Share<'_>,
        other_bytes: usize,
    ) -> Result<(), Exhausted> {
        let capacity = self.records.capacity();
        let grown =
            if capacity - self.records.len() < self.size() { 2 * capacity.max(64) } else { 0 };
        share.hold(other_bytes + 8 * (capacity + grown) + self.index.bytes_after_insert())?;
        if self.len == END - 1 {
            return Err(Exhausted::Memory);
        }
        self.records.push(place);
        self.records.extend_from_slice(words);
        if !self.guards.is_empty() {
            self.records.push(u64::from(END));
        }
        self.len += 1;
        Ok(())
    }

    fn size(&self) -> usize {
        let counts = self.guards.len();
        1 + self.mask_words + counts + usize::from(counts > 0)
    }

    fn record(&self, number: u32) -> &[u64] {
        let size = self.size();
        &self.records[number as usize * size..][..size]
    }

    fn link(&self, number: u32) -> u64 {
        self.records[(number as usize + 1) * self.size() - 1]
    }

    fn set_link(&mut self, number: u32, link: u64) {
        let at = (number as usize + 1) * self.size() - 1;
        self.records[at] = link;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{Budget, Ledger};

    /// One mask word, and one word of eight numbers below 128.
    const GUARDS: [u64; 1] = [0x8080_8080_8080_8080];

    #[test]
    fn what_used_more_is_not_new() {
        let ledger = Ledger::new(&Budget::default());
        let mut share = Share::new(&ledger);
        let mut cache = Cache::new(1, &GUARDS);
        let mut insert = |mask, counts| cache.insert(7, &[mask, counts], &mut share, 0).unwrap();
        assert!(insert(1, 0x02_00_05));
        assert!(!insert(1, 0x02_00_05));
        assert!(!insert(1, 0x02_01_05), "it used one more");
        assert!(insert(2, 0x02_01_05), "another mask");
        assert!(insert(1, 0x03_00_04), "more of one, less of the other");
        assert!(!insert(1, 0x03_00_05));
        assert!(insert(1, 0x00_00_00));
        assert!(!insert(1, 0x01_00_00));
    }

    #[test]
    fn long_chains_still_know_what_they_hold() {
        let ledger = Ledger::new(&Budget::default());
        let mut share = Share::new(&ledger);
        let mut cache = Cache::new(1, &GUARDS);
        // None of these used at most as much as another one.
        let counts = |i: u64| i << 8 | (100 - i);
        for i in 0..100 {
            assert!(cache.insert(7, &[1, counts(i)], &mut share, 0).unwrap());
        }
        for i in 0..100 {
            assert!(!cache.insert(7, &[1, counts(i)], &mut share, 0).unwrap());
        }
    }

    #[test]
    fn it_stops_at_its_share() {
        let ledger = Ledger::new(&Budget { memory_bytes: 100_000, ..Budget::default() });
        let mut share = Share::new(&ledger);
        let mut cache = Cache::new(1, &[]);
        let end = (0..1_000_000).find_map(|i| cache.insert(i, &[0], &mut share, 0).err());
        assert_eq!(end, Some(Exhausted::Memory));
        assert!(cache.len() > 1_000);
    }
}
