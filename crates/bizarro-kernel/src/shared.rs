//! Shared mappings of files: mmap(2) with MAP_SHARED.
//!
//! The pages are the runtime's, one set for each file, so all mappings of a file show the same bytes at once. The file
//! is the disk's. What a call writes to it is put into the pages before the call returns (`Kernel::heed_disk`). What
//! the program stores in the pages makes no call, so it is looked for (`Kernel::collect`) whenever the file is read or
//! synced, and when a mapping or the process goes: until then it is what Linux calls a dirty page.
//!
//! DIVERGENCE: a store into a hole takes its room on the disk when it is found; Linux takes it at the store and sends
//! SIGBUS where there is none. Two addresses of one page are two futexes.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::errno::Errno;
use crate::fs::{By, Ino, Realtime, Seek};
use crate::host::HostId;
use crate::kernel::Kernel;
use crate::seams::GuestMemory;

/// Bytes that are looked at in one go.
const CHUNK: u64 = 1 << 16;

/// Whether a mapping may be written to: that of a file that was open for reading and writing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// It may only be read.
    Read,
    /// It may be written to.
    Write,
}

/// Addresses that show a part of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SharedMap {
    /// Bytes, whole pages.
    pub length: u64,
    /// The file, which is retained while any mapping shows it.
    pub ino: Ino,
    /// Its byte that the first address shows.
    pub offset: u64,
    /// What the program may do.
    pub access: Access,
}

/// The shared mappings of a process, by address. They do not overlap.
#[derive(Debug, Default)]
pub struct SharedMaps(BTreeMap<u64, SharedMap>);

impl SharedMaps {
    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The files that are mapped.
    pub fn files(&self) -> BTreeSet<Ino> {
        self.0.values().map(|map| map.ino).collect()
    }

    /// What there is at these addresses, cut to them.
    pub fn within(&self, addr: u64, length: u64) -> Vec<(u64, SharedMap)> {
        let end = addr.saturating_add(length);
        let hit = self.0.range(..end).filter(|(start, map)| *start + map.length > addr);
        hit.map(|(start, map)| {
            let from = addr.max(*start);
            let to = end.min(start + map.length);
            let offset = map.offset + (from - start);
            (from, SharedMap { length: to - from, offset, ..*map })
        })
        .collect()
    }

    /// Takes these addresses out, and gives what was there.
    fn cut(&mut self, addr: u64, length: u64) -> Vec<(u64, SharedMap)> {
        let (end, parts) = (addr.saturating_add(length), self.within(addr, length));
        for (from, part) in &parts {
            let Some((&start, &map)) = self.0.range(..=from).next_back() else { continue };
            self.0.remove(&start);
            if start < addr {
                self.0.insert(start, SharedMap { length: addr - start, ..map });
            }
            let last = start + map.length;
            if last > end {
                let offset = map.offset + (end - start);
                self.0.insert(end, SharedMap { length: last - end, offset, ..map });
            }
            debug_assert!(from + part.length <= last, "a part lies in its mapping");
        }
        parts
    }

    fn insert(&mut self, addr: u64, map: SharedMap) {
        self.0.insert(addr, map);
    }

    fn shows(&self, ino: Ino) -> bool {
        self.0.values().any(|map| map.ino == ino)
    }

    fn may_have_written(&self, ino: Ino) -> bool {
        self.0.values().any(|map| map.ino == ino && map.access == Access::Write)
    }
}

impl Kernel {
    fn by_on(&self, host: HostId) -> By {
        let owner = &self.hosts[usize::from(host.0)];
        let now = Realtime(owner.clock.realtime(self.now).0 as i64);
        By { cred: owner.cred(), umask: owner.process.umask, now }
    }

    /// Maps a part of a file for the current process, at `at` where it is given; gives the address.
    pub(crate) fn share(
        &mut self,
        memory: &mut dyn GuestMemory,
        at: Option<u64>,
        prot: i32,
        map: SharedMap,
    ) -> Result<u64, Errno> {
        let host = self.host_id();
        if let Some(at) = at {
            self.unshare(memory, at, map.length);
        }
        if !self.host().process.shared.shows(map.ino) {
            self.fill(memory, host, map.ino)?;
        }
        let pages = memory.pages();
        let mapped = pages.map_shared(host.0, at, map.length, prot, map.ino.0, map.offset);
        let address = match mapped {
            Ok(address) => address,
            Err(errno) => {
                self.forget_unless_shown(memory, host, map.ino);
                return Err(errno);
            }
        };
        self.host_mut().process.shared.insert(address, map);
        Ok(address)
    }

    /// Makes the pages of a file, with its bytes.
    fn fill(&mut self, memory: &mut dyn GuestMemory, host: HostId, ino: Ino) -> Result<(), Errno> {
        let disk = self.hosts[usize::from(host.0)].fs();
        disk.retain(ino);
        disk.show_changes_of(ino);
        let size = disk.size(ino);
        let pages = memory.pages();
        if let Err(errno) = pages.resize_shared(host.0, ino.0, size) {
            self.forget_unless_shown(memory, host, ino);
            return Err(errno);
        }
        let mut at = 0;
        loop {
            let disk = self.hosts[usize::from(host.0)].disk();
            let Ok(start) = disk.seek(ino, at, Seek::Data) else { return Ok(()) };
            at = disk.seek(ino, start, Seek::Hole).unwrap_or(size);
            self.put(memory, host, ino, start..at);
        }
    }

    /// Puts bytes of a file into its pages.
    fn put(&self, memory: &mut dyn GuestMemory, host: HostId, ino: Ino, range: Range<u64>) {
        let disk = self.hosts[usize::from(host.0)].disk();
        let mut at = range.start;
        let mut buffer = vec![0; CHUNK.min(range.end.saturating_sub(range.start)) as usize];
        while at < range.end {
            let want = CHUNK.min(range.end - at) as usize;
            let Ok(got @ 1..) = disk.read_at(ino, at, &mut buffer[..want]) else { return };
            memory.pages().write_shared(host.0, ino.0, at, &buffer[..got]);
            at += got as u64;
        }
    }

    /// Takes shared mappings of the current process away, before their addresses are unmapped or mapped anew.
    pub(crate) fn unshare(&mut self, memory: &mut dyn GuestMemory, addr: u64, length: u64) {
        if self.host().process.shared.is_empty() {
            return;
        }
        let host = self.host_id();
        for (_, part) in self.host().process.shared.within(addr, length) {
            self.collect(memory, host, part.ino);
        }
        for (_, part) in self.host_mut().process.shared.cut(addr, length) {
            self.forget_unless_shown(memory, host, part.ino);
        }
    }

    /// The mapping at `addr` of the current process was moved or has another length now, mremap(2).
    pub(crate) fn shared_map_moved(
        &mut self,
        memory: &mut dyn GuestMemory,
        from: (u64, u64),
        to: (u64, u64),
    ) {
        if self.host().process.shared.is_empty() {
            return;
        }
        let moved = self.host_mut().process.shared.cut(from.0, from.1);
        self.unshare(memory, to.0, to.1);
        if let Some((_, map)) = moved.first() {
            self.host_mut().process.shared.insert(to.0, SharedMap { length: to.1, ..*map });
        }
        let host = self.host_id();
        for (_, part) in moved {
            self.forget_unless_shown(memory, host, part.ino);
        }
    }

    fn forget_unless_shown(&mut self, memory: &mut dyn GuestMemory, host: HostId, ino: Ino) {
        let owner = &mut self.hosts[usize::from(host.0)];
        if !owner.process.shared.shows(ino) && owner.fs().hide_changes_of(ino) {
            memory.pages().forget_shared(host.0, ino.0);
            owner.fs().release(ino);
        }
    }

    /// Finds what the process of `host` stored in the pages of a file since they were looked at last, and makes it the
    /// file's content: not durable, as what write(2) wrote.
    pub(crate) fn collect(&mut self, memory: &mut dyn GuestMemory, host: HostId, ino: Ino) {
        let (by, now) = (self.by_on(host), self.now);
        let owner = &mut self.hosts[usize::from(host.0)];
        if !owner.process.shared.may_have_written(ino) {
            return;
        }
        let disk = owner.fs();
        disk.tell_time(now);
        let size = disk.size(ino);
        let mut buffer = vec![0; CHUNK.min(size) as usize];
        let mut next = 0;
        while let Some(stretch) = memory.pages().shared_data(host.0, ino.0, next) {
            let end = stretch.end.min(size);
            let mut at = stretch.start;
            while at < end {
                let bytes = &mut buffer[..CHUNK.min(end - at) as usize];
                memory.pages().read_shared(host.0, ino.0, at, bytes);
                disk.store(by, ino, at, bytes, &mut |page| self.fingerprint.bytes(page));
                at += bytes.len() as u64;
            }
            next = stretch.end;
        }
    }

    /// `Kernel::collect`, of the current host.
    #[inline]
    pub(crate) fn collect_here(&mut self, memory: &mut dyn GuestMemory, ino: Ino) {
        if !self.host().process.shared.is_empty() {
            self.collect(memory, self.host_id(), ino);
        }
    }

    /// `Kernel::collect`, of all files of a host: to be called before somebody outside looks at them.
    pub fn collect_all(&mut self, memory: &mut dyn GuestMemory, host: HostId) {
        for ino in self.hosts[usize::from(host.0)].process.shared.files() {
            self.collect(memory, host, ino);
        }
    }

    /// The tasks of the host's process have gone, and its memory is about to: what it had stored in files stays, and
    /// where the power failed, the disk keeps what it must and may.
    pub fn process_is_gone(&mut self, memory: &mut dyn GuestMemory, host: HostId) {
        self.collect_all(memory, host);
        let shared = core::mem::take(&mut self.hosts[usize::from(host.0)].process.shared);
        for ino in shared.files() {
            self.forget_unless_shown(memory, host, ino);
        }
        self.settle_disk(host);
    }

    /// Puts what calls wrote to mapped files into the pages.
    pub(crate) fn show_changes(&mut self, memory: &mut dyn GuestMemory, host: HostId) {
        for (ino, range) in self.hosts[usize::from(host.0)].fs().take_changes_to_show() {
            let size = self.hosts[usize::from(host.0)].disk().size(ino);
            // What there was of it stays where the real kernel has no memory left.
            let _ = memory.pages().resize_shared(host.0, ino.0, size);
            self.put(memory, host, ino, range.start..range.end.min(size));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(length: u64, offset: u64) -> SharedMap {
        SharedMap { length, ino: Ino(7), offset, access: Access::Write }
    }

    #[test]
    fn a_mapping_can_be_cut_in_its_middle() {
        let mut maps = SharedMaps::default();
        maps.insert(100, map(50, 1000));
        maps.insert(200, map(50, 0));
        assert_eq!(maps.within(0, 100), []);
        assert_eq!(maps.cut(120, 10), [(120, map(10, 1020))]);
        assert_eq!(
            maps.within(0, 1000),
            [(100, map(20, 1000)), (130, map(20, 1030)), (200, map(50, 0))]
        );
        assert_eq!(maps.cut(140, 70), [(140, map(10, 1040)), (200, map(10, 0))]);
        assert_eq!(
            maps.within(0, 1000),
            [(100, map(20, 1000)), (130, map(10, 1030)), (210, map(40, 10))]
        );
        assert!(maps.may_have_written(Ino(7)) && !maps.shows(Ino(8)));
        maps.cut(0, 1000);
        assert!(maps.is_empty());
    }
}
