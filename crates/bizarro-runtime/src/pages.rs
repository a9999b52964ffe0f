//! The hosts' mappings: each host has a window of addresses of its own, at a fixed place, so that
//! what a program sees of its addresses does not depend on the machine or on the other hosts.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;

use bizarro_kernel::errno::Errno;
use bizarro_kernel::seams::{Moving, Pages};

use crate::shared::SharedFiles;
use crate::{guest_heap, raw, touched};

/// Where the first host's window starts. The windows of 256 hosts end below the place where Linux loads programs.
const BASE: u64 = 0x4100_0000_0000;
/// Length of a window.
const SIZE: u64 = 64 << 30;
/// The first part of a window is for brk(2).
const BREAK: u64 = 1 << 30;
const PAGE: u64 = 4096;
const READ_WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;

/// Ranges of addresses that do not overlap: start and length.
#[derive(Default)]
struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    const fn new() -> Ranges {
        Ranges(BTreeMap::new())
    }

    fn insert(&mut self, addr: u64, length: u64) {
        self.remove(addr, length);
        self.0.insert(addr, length);
    }

    /// What the ranges have of the bytes between these addresses, each part as start and end.
    fn within(&self, start: u64, end: u64) -> impl Iterator<Item = (u64, u64)> {
        let first = self.0.range(..=start).next_back().map_or(start, |(at, _)| *at);
        let parts =
            self.0.range(first..end).map(move |(at, len)| (start.max(*at), end.min(at + len)));
        parts.filter(|(start, end)| start < end)
    }

    /// Takes `length` bytes from `addr` on out of the ranges. Says whether any of them was in one.
    fn remove(&mut self, addr: u64, length: u64) -> bool {
        let end = addr + length;
        let first = self.0.range(..addr).next_back().map(|(start, _)| *start);
        let hit: Vec<(u64, u64)> = self
            .0
            .range(first.unwrap_or(addr)..end)
            .map(|(start, len)| (*start, *len))
            .filter(|(start, len)| start + len > addr)
            .collect();
        for (start, len) in &hit {
            self.0.remove(start);
            if *start < addr {
                self.0.insert(*start, addr - start);
            }
            if start + len > end {
                self.0.insert(end, start + len - end);
            }
        }
        !hit.is_empty()
    }

    /// Whether no range has any of these bytes.
    fn is_free(&self, addr: u64, length: u64) -> bool {
        let before = self.0.range(..addr + length).next_back();
        before.is_none_or(|(start, len)| start + len <= addr)
    }

    /// Whether one range has all of these bytes.
    fn holds(&self, addr: u64, length: u64) -> bool {
        let before = self.0.range(..=addr).next_back();
        before.is_some_and(|(start, len)| start + len >= addr + length)
    }

    /// The lowest `length` bytes from `from` on that no range has.
    fn gap(&self, from: u64, end: u64, length: u64) -> Option<u64> {
        let mut at = from;
        if let Some((start, len)) = self.0.range(..from).next_back() {
            at = at.max(start + len);
        }
        for (start, len) in self.0.range(from..) {
            if start.checked_sub(at).is_some_and(|gap| gap >= length) {
                return Some(at);
            }
            at = at.max(start + len);
        }
        (at.checked_add(length)? <= end).then_some(at)
    }

    /// These and others, with neighbours as one.
    fn joined(&self, other: &Ranges) -> Ranges {
        let mut all: Vec<(u64, u64)> =
            self.0.iter().chain(&other.0).map(|(at, len)| (*at, *len)).collect();
        all.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for (at, len) in all {
            match joined.last_mut() {
                Some((last, length)) if *last + *length == at => *length += len,
                _ => joined.push((at, len)),
            }
        }
        Ranges(joined.into_iter().collect())
    }
}

#[derive(Default)]
struct Window {
    /// What the host has mapped; neighbours are not merged.
    mapped: Ranges,
    /// Where the search for room starts.
    hint: u64,
    /// The program break, as an offset.
    brk: u64,
    /// What of it can be written. All the rest has not been since it was zero, unless it is `sealed`.
    writable: Ranges,
    /// Whether some of it was writable and is no more.
    sealed: bool,
    /// What of it shows files that are shared: never writable in the sense above, and never kept.
    shared: Ranges,
}

/// Ranges of a window that the real kernel still knows, while the host does not: zero, and nobody may read or write
/// them. Giving them to the host again is cheaper than mapping new ones. They outlive a run.
static mut KEPT: [Ranges; HOSTS] = [const { Ranges::new() }; HOSTS];
const HOSTS: usize = 256;

fn kept(host: u16) -> &'static mut Ranges {
    // SAFETY: one kernel thread, and no function here keeps the reference while another uses it.
    unsafe { &mut (*(&raw mut KEPT))[usize::from(host)] }
}

/// The windows of all hosts.
#[derive(Default)]
pub struct Windows {
    windows: Vec<Window>,
    shared: SharedFiles,
}

/// A host's window: start and end.
pub fn window_of(host: u16) -> (usize, usize) {
    let base = BASE + u64::from(host) * SIZE;
    (base as usize, (base + SIZE) as usize)
}

fn errno(result: isize) -> Errno {
    Errno(-result as u16)
}

impl Window {
    /// The lowest free range of `length` bytes at or after the last one that was found.
    fn find(&mut self, base: u64, length: u64) -> Option<u64> {
        let low = base + BREAK;
        let start = self.hint.max(low);
        let gap = |from| self.mapped.gap(from, base + SIZE, length);
        gap(start).or_else(|| gap(low))
    }

    /// Makes everything writable that may hold something, and forgets what does not lie in the window.
    ///
    /// # Safety
    /// The host's tasks have gone.
    unsafe fn prepare(&mut self, host: u16) {
        let (base, end) = window_of(host);
        for (at, length) in core::mem::take(&mut self.shared.0) {
            // SAFETY: the host mapped a file there, and its tasks have gone.
            unsafe { raw::unmap(at as usize, length as usize) };
            self.mapped.remove(at, length);
            self.writable.remove(at, length);
        }
        self.mapped.0.retain(|at, length| {
            let (at, length) = (*at as usize, *length as usize);
            let inside = (base..end).contains(&at);
            if !inside && !crate::image::tracking::is_tracked(at) {
                // SAFETY: the host chose this address, and its tasks have gone.
                unsafe { raw::unmap(at, length) };
            }
            inside
        });
        if self.sealed {
            self.writable = self.mapped.joined(&Ranges::new());
            for (at, length) in &self.writable.0 {
                // SAFETY: nobody uses these pages.
                unsafe { raw::protect(*at as usize, *length as usize, READ_WRITE) };
            }
        }
    }

    /// Keeps what is zero now for the host's next process, where nobody may read or write it; else unmaps it.
    ///
    /// # Safety
    /// The host's tasks have gone.
    unsafe fn give_back(&self, host: u16, cleared: bool) {
        let kept = kept(host);
        if !cleared {
            let (base, end) = window_of(host);
            // SAFETY: the window is the host's alone.
            unsafe { raw::unmap(base, end - base) };
            *kept = Ranges::new();
            return;
        }
        for (at, length) in &self.mapped.joined(&Ranges::new()).0 {
            // SAFETY: as above.
            unsafe { raw::protect(*at as usize, *length as usize, libc::PROT_NONE) };
        }
        *kept = kept.joined(&self.mapped);
    }
}

impl Windows {
    fn window(&mut self, host: u16) -> (&mut Window, u64) {
        let index = usize::from(host);
        if index >= self.windows.len() {
            self.windows.resize_with(index + 1, Window::default);
        }
        (&mut self.windows[index], BASE + u64::from(host) * SIZE)
    }

    /// See [`SharedFiles::become_own`].
    pub fn become_own(&mut self) -> Result<(), Errno> {
        self.shared.become_own()
    }

    /// Frees everything that these hosts mapped.
    ///
    /// # Safety
    /// No task of the hosts runs or will run again.
    pub unsafe fn tear_down(&mut self, hosts: Range<u16>) {
        let mut torn: Vec<(u16, Window)> =
            hosts.map(|host| (host, core::mem::take(self.window(host).0))).collect();
        torn.retain(|(_, window)| !window.mapped.0.is_empty());
        let (Some((first, _)), Some((last, _))) = (torn.first(), torn.last()) else { return };
        let (start, end) = (window_of(*first).0, window_of(*last).1);
        // SAFETY: the windows are the hosts' alone, and their tasks have gone.
        unsafe {
            for (host, window) in &mut torn {
                window.prepare(*host);
            }
            let cleared = touched::pagemap().is_some_and(|pagemap| {
                pagemap.each(start, end, |start, end| {
                    let host = (start as u64 - BASE) / SIZE;
                    let window = torn.iter().find(|(torn, _)| u64::from(*torn) == host);
                    let Some((_, window)) = window else { return };
                    for (start, end) in window.writable.within(start as u64, end as u64) {
                        touched::clear(start as usize, end as usize);
                    }
                })
            });
            for (host, window) in &torn {
                window.give_back(*host, cleared);
            }
        }
    }

    /// Maps zeroed pages at an address of a host's choice.
    fn map_at(&mut self, host: u16, addr: u64, length: u64, prot: i32) -> Result<(), Errno> {
        let kept = kept(host);
        let protected = kept.holds(addr, length)
            && (prot == libc::PROT_NONE
                // SAFETY: nobody uses these pages.
                || unsafe { raw::protect(addr as usize, length as usize, prot) } == 0);
        if !protected {
            raw::map(Some(addr as usize), length as usize, prot)
                .map_err(|code| Errno(code as u16))?;
            guest_heap::taken_apart(addr as usize);
        }
        kept.remove(addr, length);
        let (window, _) = self.window(host);
        window.mapped.insert(addr, length);
        window.shared.remove(addr, length);
        match prot & libc::PROT_WRITE {
            0 => drop(window.writable.remove(addr, length)),
            _ => window.writable.insert(addr, length),
        }
        Ok(())
    }
}

impl Pages for Windows {
    fn map(&mut self, host: u16, at: Option<u64>, length: u64, prot: i32) -> Result<u64, Errno> {
        if let Some(addr) = at {
            self.map_at(host, addr, length, prot)?;
            return Ok(addr);
        }
        let (window, base) = self.window(host);
        let addr = window.find(base, length).ok_or(Errno::ENOMEM)?;
        self.map_at(host, addr, length, prot)?;
        self.window(host).0.hint = addr + length;
        Ok(addr)
    }

    fn is_mapped(&self, host: u16, addr: u64, length: u64) -> bool {
        self.windows
            .get(usize::from(host))
            .is_some_and(|window| !window.mapped.is_free(addr, length))
    }

    fn unmap(&mut self, host: u16, addr: u64, length: u64) -> Result<(), Errno> {
        if crate::image::tracking::is_tracked(addr as usize) {
            // What the test allocated is the other hosts' too; this one only uses it no more.
            return Ok(());
        }
        guest_heap::taken_apart(addr as usize);
        kept(host).remove(addr, length);
        let (window, base) = self.window(host);
        window.mapped.remove(addr, length);
        window.writable.remove(addr, length);
        window.shared.remove(addr, length);
        if addr < window.hint && (base..base + SIZE).contains(&addr) {
            window.hint = addr;
        }
        // SAFETY: the guest gives up its own pages; what it does with others' is what munmap(2) would let it do.
        match unsafe { raw::unmap(addr as usize, length as usize) } {
            0 => Ok(()),
            error => Err(errno(error)),
        }
    }

    fn protect(&mut self, host: u16, addr: u64, length: u64, prot: i32) -> Result<(), Errno> {
        if crate::image::tracking::is_tracked(addr as usize) {
            // The loader protects parts of the image that are never written again (RELRO); those that we
            // swap between hosts have to stay writable for us.
            return Ok(());
        }
        guest_heap::taken_apart(addr as usize);
        let (window, _) = self.window(host);
        if prot & libc::PROT_WRITE != 0 {
            window.writable.insert(addr, length);
        } else if window.writable.remove(addr, length) {
            window.sealed = true;
        }
        // SAFETY: the guest protects its own pages.
        match unsafe { raw::protect(addr as usize, length as usize, prot) } {
            0 => Ok(()),
            error => Err(errno(error)),
        }
    }

    fn remap(
        &mut self,
        host: u16,
        addr: u64,
        old: u64,
        new: u64,
        moving: Moving,
    ) -> Result<u64, Errno> {
        if !self.is_mapped(host, addr, old.max(PAGE)) {
            return Err(Errno::EFAULT);
        }
        if let Moving::To(to) = moving {
            return self.move_pages(host, addr, old, new, to);
        }
        let (window, base) = self.window(host);
        if new <= old {
            if new < old {
                self.unmap(host, addr + new, old - new)?;
            }
            return Ok(addr);
        }
        let grows = window.mapped.is_free(addr + old, new - old) && addr + new <= base + SIZE;
        if grows {
            if kept(host).remove(addr + old, new - old) {
                // SAFETY: the host has not mapped these pages.
                unsafe { raw::unmap((addr + old) as usize, (new - old) as usize) };
            }
            let args = [addr as usize, old as usize, new as usize, 0, 0, 0];
            // SAFETY: the pages behind the mapping are free in the host's own window.
            let result = unsafe { raw::call(libc::SYS_mremap, args) };
            if result > 0 {
                window.mapped.remove(addr, old);
                window.mapped.insert(addr, new);
                if window.shared.remove(addr, old) {
                    window.shared.insert(addr, new);
                }
                window.sealed = true;
                return Ok(addr);
            }
        }
        if moving == Moving::Never {
            return Err(Errno::ENOMEM);
        }
        let to = window.find(base, new).ok_or(Errno::ENOMEM)?;
        self.move_pages(host, addr, old, new, to)
    }

    fn advise(&mut self, _: u16, addr: u64, length: u64, advice: i32) -> Result<(), Errno> {
        let forgets = [libc::MADV_DONTNEED, libc::MADV_FREE];
        // MADV_FREE may keep or drop the pages at the real kernel's will: dropping at once is always legal.
        let real = if forgets.contains(&advice) { libc::MADV_DONTNEED } else { advice };
        if crate::image::tracking::is_tracked(addr as usize) {
            return Ok(());
        }
        let args = [addr as usize, length as usize, real as usize, 0, 0, 0];
        // SAFETY: the guest advises on its own pages.
        match unsafe { raw::call(libc::SYS_madvise, args) } {
            0 => Ok(()),
            error => Err(errno(error)),
        }
    }

    fn heap(&self, host: u16) -> u64 {
        guest_heap::used(usize::from(host) + 1)
    }

    fn limit_heap(&mut self, host: u16, bytes: u64) {
        guest_heap::set_limit(usize::from(host) + 1, bytes);
    }

    fn brk(&mut self, host: u16, to: u64) -> u64 {
        let (window, base) = self.window(host);
        let offset = to.wrapping_sub(base);
        if to >= base && offset < BREAK - PAGE {
            let old_end = window.brk.next_multiple_of(PAGE);
            let new_end = offset.next_multiple_of(PAGE);
            if new_end > old_end {
                let brk = window.brk;
                if self.map_at(host, base + old_end, new_end - old_end, READ_WRITE).is_err() {
                    return base + brk;
                }
            }
            self.window(host).0.brk = offset;
        }
        base + self.window(host).0.brk
    }

    fn map_shared(
        &mut self,
        host: u16,
        at: Option<u64>,
        length: u64,
        prot: i32,
        file: u64,
        offset: u64,
    ) -> Result<u64, Errno> {
        let (window, base) = self.window(host);
        let addr = match at {
            Some(addr) => addr,
            None => window.find(base, length).ok_or(Errno::ENOMEM)?,
        };
        self.shared.map((host, file), addr, length, prot, offset)?;
        guest_heap::taken_apart(addr as usize);
        kept(host).remove(addr, length);
        let (window, _) = self.window(host);
        window.mapped.insert(addr, length);
        window.writable.remove(addr, length);
        window.shared.insert(addr, length);
        if at.is_none() {
            window.hint = addr + length;
        }
        Ok(addr)
    }

    fn resize_shared(&mut self, host: u16, file: u64, size: u64) -> Result<(), Errno> {
        self.shared.resize(host, file, size)
    }

    fn shared_data(&self, host: u16, file: u64, from: u64) -> Option<Range<u64>> {
        self.shared.data(host, file, from)
    }

    fn read_shared(&self, host: u16, file: u64, offset: u64, into: &mut [u8]) {
        self.shared.read(host, file, offset, into);
    }

    fn write_shared(&mut self, host: u16, file: u64, offset: u64, from: &[u8]) {
        self.shared.write(host, file, offset, from);
    }

    fn forget_shared(&mut self, host: u16, file: u64) {
        self.shared.forget(host, file);
    }
}

impl Windows {
    fn move_pages(
        &mut self,
        host: u16,
        from: u64,
        old: u64,
        new: u64,
        to: u64,
    ) -> Result<u64, Errno> {
        let flags = (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED) as usize;
        let args = [from as usize, old as usize, new as usize, flags, to as usize, 0];
        // SAFETY: source and destination are the guest's own: the destination is free or given up by MREMAP_FIXED.
        let result = unsafe { raw::call(libc::SYS_mremap, args) };
        if result < 0 {
            return Err(errno(result));
        }
        kept(host).remove(to, new);
        let (window, _) = self.window(host);
        window.mapped.remove(from, old);
        window.mapped.insert(to, new);
        window.writable.remove(from, old);
        window.writable.remove(to, new);
        window.shared.remove(to, new);
        if window.shared.remove(from, old) {
            window.shared.insert(to, new);
        }
        window.sealed = true;
        Ok(to)
    }
}
