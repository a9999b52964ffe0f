//! Makes memory zero again without giving its pages back: a run writes the pages that the run before it wrote, and each
//! that is mapped anew costs a fault.
//!
//! Which pages hold something the real kernel says (PAGEMAP_SCAN(2const), Linux 6.7 and later), whoever wrote them.

use crate::raw;

/// `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: usize = 0xc060_6610;
const PAGE_IS_PRESENT: u64 = 1 << 3;
const PAGE_IS_SWAPPED: u64 = 1 << 4;
/// Read, but never written.
const PAGE_IS_PFNZERO: u64 = 1 << 5;
/// More than this is not worth keeping.
const LIMIT: u64 = 32 << 20;

/// `struct pm_scan_arg`.
#[repr(C)]
#[derive(Default)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `struct page_region`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// Shows the page tables of this process.
pub struct Pagemap {
    fd: usize,
}

static mut PAGEMAP: Option<Pagemap> = None;

/// That of this process; `None` where it was never opened, or the real kernel is too old.
pub fn pagemap() -> Option<&'static Pagemap> {
    // SAFETY: written by `open` only, on the one kernel thread, before anybody asks.
    unsafe { (*(&raw const PAGEMAP)).as_ref() }
}

/// Opens it: to be called in the process that makes runs, which is not the one that made it.
pub fn open() {
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as usize;
    let path = c"/proc/self/pagemap".as_ptr() as usize;
    let directory = libc::AT_FDCWD as usize;
    // SAFETY: opens a file; the path is a constant.
    let fd = unsafe { raw::call(libc::SYS_openat, [directory, path, flags, 0, 0, 0]) };
    if let Ok(fd) = usize::try_from(fd) {
        // SAFETY: one kernel thread, and nobody has asked yet.
        unsafe { PAGEMAP = Some(Pagemap { fd }) };
    }
}

impl Pagemap {
    /// Finds the pages of a range that hold something, and gives each stretch of them, start and end, to `clear`, which
    /// writes zeros where that is needed. Says whether all were found: not where the real kernel cannot tell, or where
    /// it is so much that the pages are better given back.
    pub fn each(&self, start: usize, end: usize, mut clear: impl FnMut(usize, usize)) -> bool {
        const ROOM: usize = 256;
        let mut found = [Region { start: 0, end: 0, categories: 0 }; ROOM];
        let mut cleared = 0;
        let mut from = start as u64;
        while from < end as u64 {
            let mut scan = Scan {
                size: size_of::<Scan>() as u64,
                start: from,
                end: end as u64,
                vec: found.as_mut_ptr() as u64,
                vec_len: ROOM as u64,
                category_inverted: PAGE_IS_PFNZERO,
                category_mask: PAGE_IS_PFNZERO,
                category_anyof_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
                return_mask: PAGE_IS_PRESENT,
                ..Scan::default()
            };
            let args = [self.fd, PAGEMAP_SCAN, &raw mut scan as usize, 0, 0, 0];
            // SAFETY: the kernel writes the structure and at most as many regions as there is room for.
            let count = unsafe { raw::call(libc::SYS_ioctl, args) };
            let Some(regions) = usize::try_from(count).ok().and_then(|count| found.get(..count))
            else {
                return false;
            };
            for region in regions {
                cleared += region.end - region.start;
                if cleared > LIMIT {
                    return false;
                }
                clear(region.start as usize, region.end as usize);
            }
            if scan.walk_end <= from {
                return false;
            }
            from = scan.walk_end;
        }
        true
    }
}

/// Writes zeros.
///
/// # Safety
/// The range can be written, and nobody uses what it holds.
pub unsafe fn clear(start: usize, end: usize) {
    // SAFETY: the caller's.
    unsafe { core::ptr::write_bytes(start as *mut u8, 0, end - start) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_zero_again_and_nothing_else_is_touched() {
        let fd = std::fs::File::open("/proc/self/pagemap").unwrap();
        let pagemap = Pagemap { fd: std::os::fd::AsRawFd::as_raw_fd(&fd) as usize };
        let len = 64 << 20;
        let at = raw::map(None, len, libc::PROT_READ | libc::PROT_WRITE).unwrap();
        let pages = [0, 1, 7, 4095, 4096, 16383];
        let byte = |page: usize| (at + page * 4096 + 77) as *mut u8;
        // SAFETY: the pages were just mapped and nobody else knows them.
        unsafe {
            for page in pages {
                *byte(page) = 1;
            }
            // Only read.
            assert_eq!(*byte(100), 0);
            if !pagemap.each(at, at + 4096 * 16000, |start, end| clear(start, end)) {
                std::eprintln!("SKIPPED: this kernel has no PAGEMAP_SCAN");
                return;
            }
            assert_eq!(pages.map(|page| *byte(page)), [0, 0, 0, 0, 0, 1]);
            let mut resident = std::vec![0_u8; len / 4096];
            assert_eq!(libc::mincore(at as *mut _, len, resident.as_mut_ptr()), 0);
            assert!(resident.iter().map(|byte| usize::from(byte & 1)).sum::<usize>() <= 7);
            raw::unmap(at, len);
        }
    }

    #[test]
    fn much_is_refused() {
        let fd = std::fs::File::open("/proc/self/pagemap").unwrap();
        let pagemap = Pagemap { fd: std::os::fd::AsRawFd::as_raw_fd(&fd) as usize };
        let len = LIMIT as usize + 4096;
        let at = raw::map(None, len, libc::PROT_READ | libc::PROT_WRITE).unwrap();
        // SAFETY: the pages were just mapped and nobody else knows them.
        unsafe {
            core::ptr::write_bytes(at as *mut u8, 1, len);
            assert!(!pagemap.each(at, at + len, |_, _| ()));
            raw::unmap(at, len);
        }
    }
}
