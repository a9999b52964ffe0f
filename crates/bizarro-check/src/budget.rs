//! How much a check may take, and who keeps count.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What a check may take. A check that would take more ends with an unknown verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Bytes for the tables of the search, over all threads. The history itself is not counted.
    pub memory_bytes: usize,
    /// Time by the real clock.
    pub time: Duration,
}

impl Default for Budget {
    /// 1 GiB and a minute.
    fn default() -> Budget {
        Budget { memory_bytes: 1 << 30, time: Duration::from_secs(60) }
    }
}

/// What ran out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exhausted {
    /// The tables would have grown over [`Budget::memory_bytes`].
    Memory,
    /// [`Budget::time`] has passed.
    Time,
}

/// Keeps count for all threads of one check.
#[derive(Debug)]
pub(crate) struct Ledger {
    memory_bytes: usize,
    used_bytes: AtomicUsize,
    peak_bytes: AtomicUsize,
    until: Option<Instant>,
}

impl Ledger {
    pub(crate) fn new(budget: &Budget) -> Ledger {
        Ledger {
            memory_bytes: budget.memory_bytes,
            used_bytes: AtomicUsize::new(0),
            peak_bytes: AtomicUsize::new(0),
            until: Instant::now().checked_add(budget.time),
        }
    }

    /// The same count with less time: what a part of the work may take.
    pub(crate) fn within(&self, time: Duration) -> Ledger {
        let until = Instant::now().checked_add(time);
        Ledger {
            memory_bytes: self.memory_bytes,
            used_bytes: AtomicUsize::new(self.used_bytes.load(Ordering::Relaxed)),
            peak_bytes: AtomicUsize::new(0),
            until: match (until, self.until) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            },
        }
    }

    pub(crate) fn in_time(&self) -> Result<(), Exhausted> {
        match self.until {
            Some(until) if Instant::now() >= until => Err(Exhausted::Time),
            _ => Ok(()),
        }
    }

    pub(crate) fn peak_bytes(&self) -> usize {
        self.peak_bytes.load(Ordering::Relaxed)
    }
}

/// The part of the memory that one search holds. It is given back when the search ends.
#[derive(Debug)]
pub(crate) struct Share<'l> {
    ledger: &'l Ledger,
    bytes: usize,
}

impl<'l> Share<'l> {
    pub(crate) fn new(ledger: &'l Ledger) -> Share<'l> {
        Share { ledger, bytes: 0 }
    }

    /// Says that the search is about to hold this much in all.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), Exhausted> {
        if bytes <= self.bytes {
            return Ok(());
        }
        let more = bytes - self.bytes;
        let used = self.ledger.used_bytes.fetch_add(more, Ordering::Relaxed) + more;
        self.bytes = bytes;
        if used > self.ledger.memory_bytes {
            return Err(Exhausted::Memory);
        }
        self.ledger.peak_bytes.fetch_max(used, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn in_time(&self) -> Result<(), Exhausted> {
        self.ledger.in_time()
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.ledger.used_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
