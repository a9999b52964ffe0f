//! The bytes of a regular file: sparse, cheap to append to, counted in pages of 4 KiB.
//!
//! Bytes lie in chunks of 64 KiB that grow as they are written. Each chunk knows, per page, whether
//! the page is allocated (it counts into `st_blocks` and the disk's use) and whether it was written
//! (SEEK_DATA finds it; an allocated page that was not written reads as zeroes, as after
//! fallocate(2)).
//!
//! INVARIANT: bytes of a page that was not written are zero wherever they are stored, and no page
//! is written without being allocated. No stored byte lies at or past `size`.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::ops::Range;

/// Bytes of a page.
pub(super) const PAGE: u64 = 4096;
const PAGES_PER_CHUNK: u64 = 16;
const CHUNK: u64 = PAGE * PAGES_PER_CHUNK;

/// See the module. A copy shares its chunks until one of the two writes to them.
#[derive(Clone, Default)]
pub(super) struct Content {
    size: u64,
    chunks: BTreeMap<u64, Rc<Chunk>>,
    allocated: u64,
}

#[derive(Clone, Default)]
struct Chunk {
    /// Bytes from the chunk's start; what is missing at the end is zero.
    bytes: Vec<u8>,
    /// One bit per page.
    allocated: u16,
    /// One bit per page.
    written: u16,
}

impl Content {
    /// A file that holds `bytes`.
    pub(super) fn from_bytes(bytes: &[u8]) -> Content {
        let mut content = Content::default();
        content.write(0, bytes);
        content
    }

    /// Bytes in the file, holes included.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Pages that are allocated.
    pub(super) fn pages(&self) -> u64 {
        self.allocated
    }

    /// Copies from `offset` into `into` and gives how many bytes there were.
    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> usize {
        let there = self.size.saturating_sub(offset);
        let length = into.len().min(usize::try_from(there).unwrap_or(usize::MAX));
        for (chunk, within, part) in pieces(offset, length) {
            let into = &mut into[part];
            let stored = self.chunks.get(&chunk).map_or(&[][..], |c| &c.bytes);
            let stored = stored.get(within..).unwrap_or(&[]);
            let copied = stored.len().min(into.len());
            into[..copied].copy_from_slice(&stored[..copied]);
            into[copied..].fill(0);
        }
        length
    }

    /// Writes `from` at `offset`, growing the file where needed.
    pub(super) fn write(&mut self, offset: u64, from: &[u8]) {
        for (chunk, within, part) in pieces(offset, from.len()) {
            let chunk = Rc::make_mut(self.chunks.entry(chunk).or_default());
            let pages = page_bits(within..within + part.len());
            self.allocated += u64::from((pages & !chunk.allocated).count_ones());
            chunk.allocated |= pages;
            chunk.written |= pages;
            chunk.put(within, &from[part]);
        }
        if !from.is_empty() {
            self.size = self.size.max(offset + from.len() as u64);
        }
    }

    /// Cuts or extends the file to `size` bytes. What is cut off gives its pages back.
    pub(super) fn resize(&mut self, size: u64) {
        if size < self.size {
            let keep = size.div_ceil(PAGE) * PAGE;
            self.free(keep..u64::MAX);
            let (chunk, within) = (size / CHUNK, (size % CHUNK) as usize);
            if let Some(chunk) = self.chunks.get_mut(&chunk) {
                Rc::make_mut(chunk).bytes.truncate(within);
            }
        }
        self.size = size;
    }

    /// Allocates the pages that `range` touches without writing them.
    pub(super) fn allocate(&mut self, range: Range<u64>) {
        for (chunk, pages) in page_pieces(range) {
            let chunk = Rc::make_mut(self.chunks.entry(chunk).or_default());
            self.allocated += u64::from((pages & !chunk.allocated).count_ones());
            chunk.allocated |= pages;
        }
    }

    /// Makes `range` read as zeroes and gives the pages that lie wholly in it back.
    pub(super) fn punch(&mut self, range: Range<u64>) {
        let first = range.start.div_ceil(PAGE) * PAGE;
        let end = range.end / PAGE * PAGE;
        if first > end {
            self.clear(range);
            return;
        }
        self.clear(range.start..first);
        self.clear(end..range.end);
        self.free(first..end);
    }

    /// How many pages that `range` touches are not allocated.
    pub(super) fn missing(&self, range: Range<u64>) -> u64 {
        page_pieces(range)
            .map(|(chunk, pages)| {
                let allocated = self.chunks.get(&chunk).map_or(0, |c| c.allocated);
                u64::from((pages & !allocated).count_ones())
            })
            .sum()
    }

    /// How many bytes of `range`, from its start, fit if `free` pages may be added.
    pub(super) fn fitting(&self, range: Range<u64>, mut free: u64) -> u64 {
        let mut at = range.start;
        while at < range.end {
            let next = ((at / PAGE + 1) * PAGE).min(range.end);
            let missing = self.missing(at..next);
            if missing > free {
                break;
            }
            free -= missing;
            at = next;
        }
        at - range.start
    }

    /// The first byte at or after `offset` that was written; `None` where only a hole follows.
    /// `offset` must lie in the file.
    pub(super) fn data(&self, offset: u64) -> Option<u64> {
        let page = offset / PAGE;
        for (&number, chunk) in self.chunks.range(offset / CHUNK..) {
            let base = number * PAGES_PER_CHUNK;
            let from = page.saturating_sub(base).min(15) as u32;
            let written = chunk.written & (u16::MAX << from);
            if written != 0 {
                let found = (base + u64::from(written.trailing_zeros())) * PAGE;
                return Some(found.max(offset)).filter(|&at| at < self.size);
            }
        }
        None
    }

    /// The first byte at or after `offset` that is in a hole; the end of the file counts as one.
    /// `offset` must lie in the file.
    pub(super) fn hole(&self, offset: u64) -> u64 {
        let mut at = offset;
        while at < self.size {
            let Some(chunk) = self.chunks.get(&(at / CHUNK)) else { return at };
            let from = (at / PAGE % PAGES_PER_CHUNK) as u32;
            let holes = !chunk.written & (u16::MAX << from);
            if holes != 0 {
                let page = at / CHUNK * PAGES_PER_CHUNK + u64::from(holes.trailing_zeros());
                return (page * PAGE).max(at).min(self.size);
            }
            at = (at / CHUNK + 1) * CHUNK;
        }
        self.size
    }

    /// The bytes of a page; what is not there is zero.
    pub(super) fn page(&self, page: u64) -> [u8; PAGE as usize] {
        let mut bytes = [0; PAGE as usize];
        self.read(page * PAGE, &mut bytes);
        bytes
    }

    /// Writes a page, as far as the file reaches.
    pub(super) fn put_page(&mut self, page: u64, bytes: &[u8; PAGE as usize]) {
        let there = self.size.saturating_sub(page * PAGE).min(PAGE);
        self.write(page * PAGE, &bytes[..there as usize]);
    }

    /// The pages in which this file holds other bytes than `other`.
    pub(super) fn differing(&self, other: &Content) -> Vec<u64> {
        let shared = |number: &u64| match (self.chunks.get(number), other.chunks.get(number)) {
            (Some(one), Some(two)) => Rc::ptr_eq(one, two),
            _ => false,
        };
        let mut numbers: Vec<u64> =
            self.chunks.keys().chain(other.chunks.keys()).copied().collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.retain(|number| !shared(number));
        let pages = numbers
            .iter()
            .flat_map(|number| (0..PAGES_PER_CHUNK).map(move |n| number * PAGES_PER_CHUNK + n));
        pages.filter(|page| self.page(*page) != other.page(*page)).collect()
    }

    /// Zeroes what is stored of `range`; pages stay as they are.
    fn clear(&mut self, range: Range<u64>) {
        let range = range.start..range.end.min(self.size);
        if range.is_empty() {
            return;
        }
        for (chunk, within, part) in pieces(range.start, (range.end - range.start) as usize) {
            if let Some(chunk) = self.chunks.get_mut(&chunk) {
                let end = chunk.bytes.len().min(within + part.len());
                if within < end {
                    Rc::make_mut(chunk).bytes[within..end].fill(0);
                }
            }
        }
    }

    /// Gives back the pages of `range`, whose ends lie on pages (or at the end of everything).
    fn free(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = range.start / CHUNK;
        let last = (range.end - 1) / CHUNK;
        let mut emptied = Vec::new();
        for (&number, chunk) in self.chunks.range_mut(first..=last) {
            let base = number * CHUNK;
            let start = range.start.max(base) - base;
            let end = range.end.min(base + CHUNK) - base;
            let chunk = Rc::make_mut(chunk);
            self.allocated -= u64::from(chunk.free(start as usize..end as usize));
            if chunk.allocated == 0 {
                emptied.push(number);
            }
        }
        for number in emptied {
            self.chunks.remove(&number);
        }
    }
}

impl Chunk {
    fn put(&mut self, within: usize, from: &[u8]) {
        if self.bytes.len() < within {
            self.bytes.resize(within, 0);
        }
        let over = (self.bytes.len() - within).min(from.len());
        self.bytes[within..within + over].copy_from_slice(&from[..over]);
        self.bytes.extend_from_slice(&from[over..]);
    }

    /// Gives back pages and says how many there were.
    fn free(&mut self, range: Range<usize>) -> u32 {
        let pages = page_bits(range.clone());
        let freed = (self.allocated & pages).count_ones();
        self.allocated &= !pages;
        self.written &= !pages;
        if range.end >= self.bytes.len() {
            self.bytes.truncate(range.start);
        } else {
            self.bytes[range].fill(0);
        }
        freed
    }
}

/// The bits of the pages that a range of bytes within a chunk touches.
fn page_bits(range: Range<usize>) -> u16 {
    if range.is_empty() {
        return 0;
    }
    let first = range.start / PAGE as usize;
    let last = (range.end - 1) / PAGE as usize;
    (u16::MAX << first) & (u16::MAX >> (15 - last))
}

/// `length` bytes from `offset`, cut at chunks: the chunk, where in it, and which of the bytes.
fn pieces(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, Range<usize>)> {
    let mut done = 0;
    core::iter::from_fn(move || {
        if done == length {
            return None;
        }
        let at = offset + done as u64;
        let within = (at % CHUNK) as usize;
        let part = done..length.min(done + CHUNK as usize - within);
        done = part.end;
        Some((at / CHUNK, within, part))
    })
}

/// The pages that `range` touches: chunk by chunk, one bit a page.
fn page_pieces(range: Range<u64>) -> impl Iterator<Item = (u64, u16)> {
    let mut at = range.start;
    core::iter::from_fn(move || {
        if at >= range.end {
            return None;
        }
        let chunk = at / CHUNK;
        let end = range.end.min((chunk + 1) * CHUNK);
        let bits = page_bits((at % CHUNK) as usize..(end - chunk * CHUNK) as usize);
        at = end;
        Some((chunk, bits))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    /// The same operations on a plain vector and a set of pages.
    #[derive(Default)]
    struct Naive {
        bytes: Vec<u8>,
        allocated: Vec<bool>,
        written: Vec<bool>,
    }

    impl Naive {
        fn page(&mut self, page: usize) {
            if self.allocated.len() <= page {
                self.allocated.resize(page + 1, false);
                self.written.resize(page + 1, false);
            }
        }
        fn write(&mut self, offset: usize, from: &[u8]) {
            if from.is_empty() {
                return;
            }
            if self.bytes.len() < offset + from.len() {
                self.bytes.resize(offset + from.len(), 0);
            }
            self.bytes[offset..offset + from.len()].copy_from_slice(from);
            for page in offset / 4096..=(offset + from.len() - 1) / 4096 {
                self.page(page);
                self.allocated[page] = true;
                self.written[page] = true;
            }
        }
        fn drop_pages(&mut self, from: usize, to: usize) {
            for page in from..to.min(self.allocated.len()) {
                self.allocated[page] = false;
                self.written[page] = false;
            }
        }
        fn resize(&mut self, size: usize) {
            if size < self.bytes.len() {
                self.drop_pages(size.div_ceil(4096), usize::MAX);
            }
            self.bytes.resize(size, 0);
        }
        fn allocate(&mut self, start: usize, end: usize) {
            for page in start / 4096..end.div_ceil(4096) {
                self.page(page);
                self.allocated[page] = true;
            }
        }
        fn punch(&mut self, start: usize, end: usize) {
            let size = self.bytes.len();
            self.bytes[start.min(size)..end.min(size)].fill(0);
            self.drop_pages(start.div_ceil(4096), end / 4096);
        }
        fn is_data(&self, at: usize) -> bool {
            self.written.get(at / 4096).copied().unwrap_or(false)
        }
    }

    #[derive(Clone, Debug)]
    enum Op {
        Write(u64, usize, u8),
        Resize(u64),
        Allocate(u64, u64),
        Punch(u64, u64),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let at = 0..200_000u64;
        let op = prop_oneof![
            (at.clone(), 0..9_000usize, 1u8..).prop_map(|(o, n, b)| Op::Write(o, n, b)),
            (at.clone()).prop_map(Op::Resize),
            (at.clone(), 1..70_000u64).prop_map(|(o, n)| Op::Allocate(o, o + n)),
            (at, 1..140_000u64).prop_map(|(o, n)| Op::Punch(o, o + n)),
        ];
        prop::collection::vec(op, 1..12)
    }

    proptest! {
        #[test]
        fn content_is_what_a_plain_vector_would_hold(ops in ops(), probes in prop::collection::vec(0..210_000usize, 8)) {
            let (mut content, mut naive) = (Content::default(), Naive::default());
            for op in ops {
                match op {
                    Op::Write(o, n, b) => {
                        content.write(o, &vec![b; n]);
                        naive.write(o as usize, &vec![b; n]);
                    }
                    Op::Resize(n) => { content.resize(n); naive.resize(n as usize); }
                    Op::Allocate(a, b) => { content.allocate(a..b); naive.allocate(a as usize, b as usize); }
                    Op::Punch(a, b) => { content.punch(a..b); naive.punch(a as usize, b as usize); }
                }
                prop_assert_eq!(content.size(), naive.bytes.len() as u64);
                prop_assert_eq!(content.pages(), naive.allocated.iter().filter(|a| **a).count() as u64);
            }
            let mut all = vec![7; naive.bytes.len() + 5];
            let read = content.read(0, &mut all);
            prop_assert_eq!(read, naive.bytes.len());
            prop_assert!(all[..read] == naive.bytes[..]);
            for at in probes.into_iter().filter(|at| *at < naive.bytes.len()) {
                let data = (at..naive.bytes.len()).find(|i| naive.is_data(*i));
                prop_assert_eq!(content.data(at as u64), data.map(|d| d as u64));
                let hole = (at..naive.bytes.len()).find(|i| !naive.is_data(*i));
                prop_assert_eq!(content.hole(at as u64), hole.unwrap_or(naive.bytes.len()) as u64);
                let mut one = [9];
                prop_assert_eq!(content.read(at as u64, &mut one), 1);
                prop_assert_eq!(one[0], naive.bytes[at]);
            }
        }
    }

    #[test]
    fn what_fits_ends_at_the_first_page_that_does_not() {
        let mut content = Content::from_bytes(&[1; 4096]);
        assert_eq!(content.fitting(100..20_000, 0), 3996);
        assert_eq!(content.fitting(100..20_000, 2), 3 * 4096 - 100);
        assert_eq!(content.fitting(100..5_000, 2), 4_900);
        assert_eq!(content.missing(0..20_000), 4);
        content.allocate(4096..8192);
        assert_eq!(content.missing(0..20_000), 3);
    }

    #[test]
    fn a_byte_at_the_far_end_costs_one_page() {
        let mut content = Content::default();
        content.write(1 << 43, b"x");
        assert_eq!((content.size(), content.pages()), ((1 << 43) + 1, 1));
        assert_eq!(content.data(0), Some(1 << 43));
        assert_eq!(content.hole(0), 0);
        assert_eq!(content.hole(1 << 43), (1 << 43) + 1);
    }
}
