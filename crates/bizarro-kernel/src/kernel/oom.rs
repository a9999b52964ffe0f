//! The memory of a host: what its process has asked for, and what happens when it asks for more than there is.
//!
//! Counted is what the C library's `malloc` has taken for its heap, and what the process has mapped for itself to write:
//! private or shared anonymous memory that was writable from the start, and the program break. Not counted, because a
//! program only reserves it: mappings with MAP_NORESERVE or PROT_NONE, and stacks of threads.
//!
//! DIVERGENCE: Linux counts pages when they are touched first, and by default promises more than it has (proc(5),
//! `overcommit_memory`). Here memory is taken when it is asked for, so that an allocation can fail at the limit, as with
//! `overcommit_memory=2`, or, where the test wants that, the process is killed there, as by the OOM killer.

use alloc::collections::BTreeMap;
use alloc::format;

use bizarro_record::{Event, OutOfMemory};

use crate::errno::{Errno, Stop};
use crate::host::HostId;
use crate::kernel::{Command, Kernel, RESTART_AFTER};
use crate::seams::GuestMemory;

/// What a process has mapped to write: ranges that do not overlap, start and length.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    ranges: BTreeMap<u64, u64>,
    total: u64,
}

impl Committed {
    /// Bytes in all ranges.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many of these bytes are in a range.
    pub fn overlap(&self, addr: u64, length: u64) -> u64 {
        let end = addr.saturating_add(length);
        let before = self.ranges.range(..addr).next_back();
        let all = before.into_iter().chain(self.ranges.range(addr..end));
        all.map(|(at, len)| (at + len).min(end).saturating_sub(addr.max(*at))).sum()
    }

    /// Takes these bytes out.
    pub fn remove(&mut self, addr: u64, length: u64) {
        let end = addr.saturating_add(length);
        while let Some((at, len)) = self.first_hit(addr, end) {
            self.ranges.remove(&at);
            self.total -= len;
            for (at, until) in [(at, addr), (end, at + len)] {
                if at < until {
                    self.ranges.insert(at, until - at);
                    self.total += until - at;
                }
            }
        }
    }

    fn first_hit(&self, addr: u64, end: u64) -> Option<(u64, u64)> {
        let before = self.ranges.range(..addr).next_back().filter(|(at, len)| *at + *len > addr);
        let hit = before.or_else(|| self.ranges.range(addr..end).next());
        hit.map(|(at, len)| (*at, *len))
    }

    /// Puts these bytes in.
    pub fn insert(&mut self, addr: u64, length: u64) {
        self.remove(addr, length);
        if length > 0 {
            self.ranges.insert(addr, length);
            self.total += length;
        }
    }
}

impl Kernel {
    /// Bytes that the current host's process may still take.
    pub(crate) fn memory_left(&self, memory: &mut dyn GuestMemory) -> u64 {
        let host = self.host();
        let heap = memory.pages().heap(host.id.0);
        host.memory_limit.saturating_sub(heap).saturating_sub(host.process.committed.total())
    }

    /// The current process is about to take this much more.
    ///
    /// # Errors
    /// `ENOMEM` where that is too much; or the process is gone.
    pub(crate) fn charge(&mut self, memory: &mut dyn GuestMemory, more: u64) -> Result<(), Stop> {
        if more <= self.memory_left(memory) {
            return Ok(());
        }
        self.out_of_memory(more);
        Err(Errno::ENOMEM.into())
    }

    /// What the current process has mapped to write has changed: its heap may grow to what is left.
    pub(crate) fn share_memory(&mut self, memory: &mut dyn GuestMemory) {
        let host = self.host();
        let limit = host.memory_limit.saturating_sub(host.process.committed.total());
        memory.pages().limit_heap(host.id.0, limit);
    }

    /// The memory of a host is now this many bytes. What its process has already is not taken away from it.
    pub fn limit_memory(&mut self, host: HostId, bytes: u64) {
        let owner = &mut self.hosts[usize::from(host.0)];
        owner.memory_limit = bytes;
        let limit = bytes.saturating_sub(owner.process.committed.total());
        self.command(Command::LimitHeap(host, limit));
    }

    /// The current process wants this many bytes, which there are not: where the test said so, it is killed and started
    /// again later. Says whether it is.
    pub fn out_of_memory(&mut self, wanted: u64) -> bool {
        let host = self.host();
        // What makes a process's first thread is not yet the process.
        if host.spec.out_of_memory == OutOfMemory::Fails || self.task().tid == 0 {
            return false;
        }
        let (id, limit) = (host.id, host.memory_limit);
        let text = format!("out of memory: {wanted} bytes more than {limit} are wanted");
        self.emit(Event::Note { text });
        // The machine does this, not the program: it is no crash of the program's own making.
        self.crash_host(id, Some(RESTART_AFTER));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    proptest! {
        /// Byte by byte, on few bytes.
        #[test]
        fn ranges_count_each_byte_once(
            deeds in prop::collection::vec((any::<bool>(), 0u64..40, 0u64..20), 0..30),
            asked in (0u64..40, 0u64..20),
        ) {
            let (mut ranges, mut naive) = (Committed::default(), [false; 64]);
            for (inserts, addr, length) in deeds {
                if inserts { ranges.insert(addr, length) } else { ranges.remove(addr, length) }
                naive[addr as usize..(addr + length) as usize].fill(inserts);
            }
            prop_assert_eq!(ranges.total(), naive.iter().filter(|byte| **byte).count() as u64);
            let within: Vec<bool> =
                naive[asked.0 as usize..(asked.0 + asked.1) as usize].to_vec();
            let naive = within.iter().filter(|byte| **byte).count() as u64;
            prop_assert_eq!(ranges.overlap(asked.0, asked.1), naive);
        }
    }
}
