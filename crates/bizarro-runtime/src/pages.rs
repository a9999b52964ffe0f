//! The hosts' mappings: each host has a window of addresses of its own, at a fixed place, so that
//! what a program sees of its addresses does not depend on the machine or on the other hosts.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bizarro_kernel::errno::Errno;
use bizarro_kernel::seams::{Moving, Pages};

use crate::raw;

/// Where the first host's window starts. The windows of 256 hosts end below the place where Linux loads programs.
const BASE: u64 = 0x4100_0000_0000;
/// Length of a window.
const SIZE: u64 = 64 << 30;
/// The first part of a window is for brk(2).
const BREAK: u64 = 1 << 30;
const PAGE: u64 = 4096;

#[derive(Default)]
struct Window {
    /// Mapped ranges: start and length; neighbours are not merged.
    mapped: BTreeMap<u64, u64>,
    /// Where the search for room starts.
    hint: u64,
    /// The program break, as an offset.
    brk: u64,
}

/// The windows of all hosts.
#[derive(Default)]
pub struct Windows {
    windows: Vec<Window>,
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
    /// Takes `length` bytes out of the mapped ranges from `addr` on.
    fn forget(&mut self, addr: u64, length: u64) {
        let end = addr + length;
        let first = self.mapped.range(..addr).next_back().map(|(start, _)| *start);
        let hit: Vec<(u64, u64)> = self
            .mapped
            .range(first.unwrap_or(addr)..end)
            .map(|(start, len)| (*start, *len))
            .filter(|(start, len)| start + len > addr)
            .collect();
        for (start, len) in hit {
            self.mapped.remove(&start);
            if start < addr {
                self.mapped.insert(start, addr - start);
            }
            if start + len > end {
                self.mapped.insert(end, start + len - end);
            }
        }
    }

    fn is_free(&self, addr: u64, length: u64) -> bool {
        let before = self.mapped.range(..addr + length).next_back();
        before.is_none_or(|(start, len)| start + len <= addr)
    }

    /// The lowest free range of `length` bytes at or after the last one that was found.
    fn find(&mut self, base: u64, length: u64) -> Option<u64> {
        let low = base + BREAK;
        let start = self.hint.max(low);
        self.search(start, base + SIZE, length).or_else(|| self.search(low, base + SIZE, length))
    }

    fn search(&self, from: u64, end: u64, length: u64) -> Option<u64> {
        let mut at = from;
        if let Some((start, len)) = self.mapped.range(..from).next_back() {
            at = at.max(start + len);
        }
        for (start, len) in self.mapped.range(from..) {
            if start.checked_sub(at).is_some_and(|gap| gap >= length) {
                return Some(at);
            }
            at = at.max(start + len);
        }
        (at.checked_add(length)? <= end).then_some(at)
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

    /// Frees everything that a host mapped.
    ///
    /// # Safety
    /// No task of the host runs or will run again.
    pub unsafe fn tear_down(&mut self, host: u16) {
        let (window, base) = self.window(host);
        let was = core::mem::take(window);
        if was.mapped.is_empty() {
            return;
        }
        // SAFETY: the window is the host's alone, and its tasks have gone.
        unsafe { raw::unmap(base as usize, SIZE as usize) };
    }
}

impl Pages for Windows {
    fn map(&mut self, host: u16, at: Option<u64>, length: u64, prot: i32) -> Result<u64, Errno> {
        let (window, base) = self.window(host);
        let addr = match at {
            Some(addr) => addr,
            None => window.find(base, length).ok_or(Errno::ENOMEM)?,
        };
        let result = raw::map(Some(addr as usize), length as usize, prot);
        result.map_err(|code| Errno(code as u16))?;
        window.forget(addr, length);
        window.mapped.insert(addr, length);
        if at.is_none() {
            window.hint = addr + length;
        }
        Ok(addr)
    }

    fn is_mapped(&self, host: u16, addr: u64, length: u64) -> bool {
        self.windows.get(usize::from(host)).is_some_and(|window| !window.is_free(addr, length))
    }

    fn unmap(&mut self, host: u16, addr: u64, length: u64) -> Result<(), Errno> {
        if crate::image::is_tracked(addr as usize) {
            // What the test allocated is the other hosts' too; this one only uses it no more.
            return Ok(());
        }
        let (window, base) = self.window(host);
        window.forget(addr, length);
        if addr < window.hint && (base..base + SIZE).contains(&addr) {
            window.hint = addr;
        }
        // SAFETY: the guest gives up its own pages; what it does with others' is what munmap(2) would let it do.
        match unsafe { raw::unmap(addr as usize, length as usize) } {
            0 => Ok(()),
            error => Err(errno(error)),
        }
    }

    fn protect(&mut self, _: u16, addr: u64, length: u64, prot: i32) -> Result<(), Errno> {
        if crate::image::is_tracked(addr as usize) {
            // The loader protects parts of the image that are never written again (RELRO); those that we
            // swap between hosts have to stay writable for us.
            return Ok(());
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
        let grows = window.is_free(addr + old, new - old) && addr + new <= base + SIZE;
        if grows {
            let args = [addr as usize, old as usize, new as usize, 0, 0, 0];
            // SAFETY: the pages behind the mapping are free in the host's own window.
            let result = unsafe { raw::call(libc::SYS_mremap, args) };
            if result > 0 {
                window.forget(addr, old);
                window.mapped.insert(addr, new);
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
        if crate::image::is_tracked(addr as usize) {
            return Ok(());
        }
        let args = [addr as usize, length as usize, real as usize, 0, 0, 0];
        // SAFETY: the guest advises on its own pages.
        match unsafe { raw::call(libc::SYS_madvise, args) } {
            0 => Ok(()),
            error => Err(errno(error)),
        }
    }

    fn brk(&mut self, host: u16, to: u64) -> u64 {
        let (window, base) = self.window(host);
        let offset = to.wrapping_sub(base);
        if to >= base && offset < BREAK - PAGE {
            let old_end = window.brk.next_multiple_of(PAGE);
            let new_end = offset.next_multiple_of(PAGE);
            if new_end > old_end {
                let at = Some((base + old_end) as usize);
                let prot = libc::PROT_READ | libc::PROT_WRITE;
                if raw::map(at, (new_end - old_end) as usize, prot).is_err() {
                    return base + window.brk;
                }
                window.mapped.insert(base + old_end, new_end - old_end);
            }
            window.brk = offset;
        }
        base + window.brk
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
        let (window, _) = self.window(host);
        window.forget(from, old);
        window.forget(to, new);
        window.mapped.insert(to, new);
        Ok(to)
    }
}
