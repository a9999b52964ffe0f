//! The guests' heaps: `malloc` and its kin, an arena per host.
//!
//! Size classes in spans of 64 KiB; larger blocks take whole spans. Each arena lies at a fixed address, so
//! that addresses do not depend on the machine, and goes away in one piece with its host's process. A limit
//! makes allocation fail as it does on a machine without memory.

use core::ops::Range;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::{raw, touched};

/// Where the arenas lie: the outside's first, then each host's.
const BASE: usize = 0x6000_0000_0000;
/// Length of an arena; only what is touched costs memory.
const SIZE: usize = 64 << 30;
/// The outside's and those of 256 hosts. They end below the place where Linux puts libraries and stacks.
const ARENAS: usize = 257;
/// Where the arenas begin and end.
pub(crate) const RANGE: (usize, usize) = (BASE, BASE + ARENAS * SIZE);
const SPAN: usize = 64 << 10;
const SPANS: usize = SIZE / SPAN;
const CLASSES: usize = 48;
/// Largest block that shares a span.
const SMALL: usize = 32 << 10;
/// Lists of free large blocks: by power of two of their length in spans.
const BINS: usize = 24;
/// What the copies of the outside heap have room for.
pub const OUTSIDE_SIZE: usize = 8 << 30;

/// What a span holds.
#[derive(Clone, Copy)]
#[repr(C)]
struct Span {
    /// Bytes per block; of a large block: its length. 0 where the span is in the middle of a large block.
    size: u64,
    /// Class + 1, or [`LARGE`].
    class: u8,
    /// Of a large block: whether it may hold what somebody wrote before it was freed.
    dirty: bool,
}

const LARGE: u8 = 255;
/// A freed block that is longer gives its pages back.
const KEPT: u64 = 256 << 10;

/// Head of an arena.
#[repr(C)]
struct Arena {
    free: [usize; CLASSES],
    bump: [usize; CLASSES],
    end: [usize; CLASSES],
    large: [usize; BINS],
    top: usize,
    used: usize,
    limit: usize,
    spans: [Span; SPANS],
}

const DATA: usize = size_of::<Arena>().next_multiple_of(SPAN);

/// Which arenas are in use.
static mut READY: [bool; ARENAS] = [false; ARENAS];
/// What the real kernel knows of an arena.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mapped {
    No,
    /// As one piece that can be written.
    Yes,
    /// The guest has unmapped, protected or replaced some of it.
    InPieces,
}
static mut MAPPED: [Mapped; ARENAS] = [Mapped::No; ARENAS];
static mut LIMITS: [usize; ARENAS] = [SIZE; ARENAS];
/// Taken while the process still has several kernel threads, that is, outside a world.
static LOCK: AtomicBool = AtomicBool::new(false);

fn lock() -> bool {
    if crate::world::is_armed() {
        return false;
    }
    while LOCK.swap(true, Ordering::Acquire) {
        core::hint::spin_loop();
    }
    true
}

fn unlock(taken: bool) {
    if taken {
        LOCK.store(false, Ordering::Release);
    }
}

/// Keeps the heap still while the process forks, so that the child does not inherit a held lock.
pub fn locked<R>(f: impl FnOnce() -> R) -> R {
    let taken = lock();
    let result = f();
    unlock(taken);
    result
}

/// Limits what a slot may allocate, in bytes.
pub fn set_limit(slot: usize, bytes: u64) {
    // SAFETY: one kernel thread; a plain word.
    unsafe { LIMITS[slot] = usize::try_from(bytes).unwrap_or(SIZE).min(SIZE) };
}

/// What the outside has allocated: start and length.
pub fn outside_range() -> (usize, usize) {
    let (start, end) = range(0);
    (start, end - start)
}

/// What a slot has allocated: start and end.
pub fn range(slot: usize) -> (usize, usize) {
    let base = BASE + slot * SIZE;
    // SAFETY: one kernel thread; the arena is mapped when it is ready.
    unsafe { if READY[slot] { (base, (*(base as *const Arena)).top) } else { (base, base) } }
}

/// Frees all memory of these slots: their arenas are as new.
///
/// # Safety
/// No task of the slots' hosts runs or will run again.
pub unsafe fn tear_down(slots: Range<usize>) {
    // SAFETY: the caller's; one kernel thread. An arena that is one piece can be written.
    unsafe {
        let used = |slot: &usize| READY[*slot];
        let (Some(first), Some(last)) = (slots.clone().find(used), slots.clone().rfind(used))
        else {
            return;
        };
        let end = BASE + (last + 1) * SIZE;
        let cleared = touched::pagemap().is_some_and(|pagemap| {
            pagemap.each(BASE + first * SIZE, end, |start, end| {
                let slot = (start - BASE) / SIZE;
                if READY[slot] && MAPPED[slot] == Mapped::Yes {
                    touched::clear(start, end);
                }
            })
        });
        for slot in slots.filter(used) {
            READY[slot] = false;
            if !cleared || MAPPED[slot] != Mapped::Yes {
                raw::unmap(BASE + slot * SIZE, SIZE);
                MAPPED[slot] = Mapped::No;
            }
        }
    }
}

/// Notes that a guest unmaps, protects or replaces pages from this address on.
pub fn taken_apart(addr: usize) {
    if is_ours(addr) {
        // SAFETY: one kernel thread; a plain word.
        unsafe { MAPPED[(addr - BASE) / SIZE] = Mapped::InPieces };
    }
}

/// Whether an address lies in an arena.
fn is_ours(addr: usize) -> bool {
    (BASE..BASE + ARENAS * SIZE).contains(&addr)
}

/// The class of a size and the size of its blocks: multiples of 16 up to 128, then four steps per power of two.
#[inline(always)]
fn class_of(size: usize) -> (usize, usize) {
    if size <= 128 {
        let steps = (size.max(1) + 15) >> 4;
        (steps - 1, steps << 4)
    } else {
        let power = 63 - (size - 1).leading_zeros() as usize;
        let shift = power - 2;
        let quarter = ((size - 1) >> shift) & 3;
        (8 + (power - 7) * 4 + quarter, (1 << power) + ((quarter + 1) << shift))
    }
}

/// The current slot's arena.
///
/// # Safety
/// The lock is held or a world runs.
#[inline(always)]
unsafe fn arena() -> *mut Arena {
    let slot = crate::image::current();
    // SAFETY: one kernel thread at a time.
    unsafe {
        if !READY[slot] {
            make(slot);
        }
    }
    (BASE + slot * SIZE) as *mut Arena
}

#[cold]
unsafe fn make(slot: usize) {
    let base = BASE + slot * SIZE;
    let arena = base as *mut Arena;
    // SAFETY: zeroed pages that belong to this arena; one kernel thread at a time.
    unsafe {
        if MAPPED[slot] == Mapped::No {
            if raw::map(Some(base), SIZE, libc::PROT_READ | libc::PROT_WRITE).is_err() {
                raw::complain(format_args!("no room for the heap of host {slot}"));
                raw::exit(crate::OUR_BUG);
            }
            MAPPED[slot] = Mapped::Yes;
        }
        (*arena).top = base + DATA;
        (*arena).limit = LIMITS[slot];
        READY[slot] = true;
    }
}

unsafe fn span_of(arena: *mut Arena, addr: usize) -> *mut Span {
    // SAFETY: the caller's address lies in the arena, so its index is in the table.
    unsafe { &raw mut (*arena).spans[(addr - arena as usize) / SPAN] }
}

#[inline(always)]
unsafe fn allocate(size: usize) -> *mut u8 {
    // SAFETY: the caller holds the lock or a world runs; free lists link blocks of their own class.
    unsafe {
        let arena = arena();
        if size > SMALL {
            return allocate_large(arena, size, SPAN);
        }
        let (class, block) = class_of(size);
        let free = (*arena).free[class];
        if free != 0 {
            (*arena).free[class] = *(free as *const usize);
            return free as *mut u8;
        }
        let bump = (*arena).bump[class];
        if bump != 0 && bump + block <= (*arena).end[class] {
            (*arena).bump[class] = bump + block;
            return bump as *mut u8;
        }
        refill(arena, class, block)
    }
}

#[cold]
unsafe fn refill(arena: *mut Arena, class: usize, block: usize) -> *mut u8 {
    // SAFETY: as for `allocate`.
    unsafe {
        let at = take_spans(arena, SPAN, SPAN);
        if at == 0 {
            return null_mut();
        }
        *span_of(arena, at) = Span { size: block as u64, class: class as u8 + 1, dirty: true };
        (*arena).bump[class] = at + block;
        (*arena).end[class] = at + SPAN;
        at as *mut u8
    }
}

fn bin_of(len: usize) -> usize {
    ((len / SPAN).ilog2() as usize).min(BINS - 1)
}

/// Takes `len` bytes of whole spans from the free large blocks or from the top; 0 where there is no room.
unsafe fn take_spans(arena: *mut Arena, len: usize, align: usize) -> usize {
    // SAFETY: as for `allocate`.
    unsafe {
        if (*arena).used + len > (*arena).limit {
            set_errno(libc::ENOMEM);
            return 0;
        }
        if align <= SPAN {
            for bin in bin_of(len)..BINS {
                let at = take_from_bin(arena, bin, len);
                if at != 0 {
                    (*arena).used += len;
                    return at;
                }
            }
        }
        let at = (*arena).top.next_multiple_of(align.max(SPAN));
        if at + len > arena as usize + SIZE {
            set_errno(libc::ENOMEM);
            return 0;
        }
        (*arena).top = at + len;
        (*arena).used += len;
        at
    }
}

/// Takes the first block of a bin that is long enough; what is left of it goes back.
unsafe fn take_from_bin(arena: *mut Arena, bin: usize, len: usize) -> usize {
    // SAFETY: a free large block's first word links to the next one, and its span says how long it is.
    unsafe {
        let mut link = &raw mut (*arena).large[bin];
        while *link != 0 {
            let at = *link;
            let Span { size, dirty, .. } = *span_of(arena, at);
            let have = size as usize;
            if have >= len {
                *link = *(at as *const usize);
                if have > len {
                    give_back(arena, at + len, have - len, dirty);
                }
                *(at as *mut usize) = 0;
                return at;
            }
            link = at as *mut usize;
        }
        0
    }
}

unsafe fn give_back(arena: *mut Arena, at: usize, len: usize, dirty: bool) {
    // SAFETY: the block is free, and at least a span long.
    unsafe {
        (*span_of(arena, at)) = Span { size: len as u64, class: LARGE, dirty };
        let bin = bin_of(len);
        *(at as *mut usize) = (*arena).large[bin];
        (*arena).large[bin] = at;
    }
}

#[cold]
unsafe fn allocate_large(arena: *mut Arena, size: usize, align: usize) -> *mut u8 {
    let Some(len) = size.checked_next_multiple_of(SPAN).filter(|len| *len < SIZE) else {
        set_errno(libc::ENOMEM);
        return null_mut();
    };
    // SAFETY: as for `allocate`.
    unsafe {
        let at = take_spans(arena, len, align);
        if at == 0 {
            return null_mut();
        }
        // What was never given out before is no span yet; what was says whether it is dirty.
        let dirty = (*span_of(arena, at)).dirty;
        *span_of(arena, at) = Span { size: len as u64, class: LARGE, dirty };
        at as *mut u8
    }
}

fn arena_of(addr: usize) -> *mut Arena {
    (BASE + (addr - BASE) / SIZE * SIZE) as *mut Arena
}

/// The span that a block lies in, and its usable size.
unsafe fn block_span(addr: usize) -> Span {
    // SAFETY: the block was given out by this heap.
    unsafe { *span_of(arena_of(addr), addr) }
}

unsafe fn release(block: *mut u8) {
    let addr = block as usize;
    // SAFETY: the block was given out by this heap and is not used any more. One of the outside's, freed on a
    // host, goes to the host's own copy of the outside's arena.
    unsafe {
        let arena = arena_of(addr);
        let span = block_span(addr);
        if span.class == LARGE {
            let args = [addr, span.size as usize, libc::MADV_DONTNEED as usize, 0, 0, 0];
            let dirty = span.size <= KEPT || crate::image::tracking::is_tracked(addr);
            if !dirty {
                raw::call(libc::SYS_madvise, args);
            }
            (*arena).used -= span.size as usize;
            give_back(arena, addr, span.size as usize, dirty);
            return;
        }
        let class = usize::from(span.class) - 1;
        *(addr as *mut usize) = (*arena).free[class];
        (*arena).free[class] = addr;
    }
}

unsafe fn allocate_aligned(align: usize, size: usize) -> *mut u8 {
    // SAFETY: as for `allocate`.
    unsafe {
        if align <= 16 {
            return allocate(size);
        }
        // Blocks of a power of two lie at multiples of it, since spans do.
        let power = size.max(align).next_power_of_two();
        if power <= SMALL {
            return allocate(power);
        }
        allocate_large(arena(), size, align)
    }
}

fn set_errno(code: i32) {
    // SAFETY: the C library's own location for the current thread.
    unsafe { *libc::__errno_location() = code };
}

/// The symbols of the C library, stdlib.h(0p).
#[cfg(feature = "shared-object")]
mod symbols {
    use super::*;

    /// # Safety
    /// malloc(3).
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn malloc(size: usize) -> *mut u8 {
        let taken = lock();
        // SAFETY: locked.
        let block = unsafe { allocate(size) };
        unlock(taken);
        block
    }

    /// # Safety
    /// free(3). A block of another allocator, from before this one was there, is left alone.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn free(block: *mut u8) {
        if !is_ours(block as usize) {
            return;
        }
        let taken = lock();
        // SAFETY: locked; the block is the caller's.
        unsafe { release(block) };
        unlock(taken);
    }

    /// # Safety
    /// calloc(3).
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut u8 {
        let Some(total) = count.checked_mul(size) else {
            set_errno(libc::ENOMEM);
            return null_mut();
        };
        // SAFETY: as for malloc.
        let block = unsafe { malloc(total) };
        // SAFETY: the block is at least this long, and of this arena.
        unsafe {
            if !block.is_null() && (total <= SMALL || block_span(block as usize).dirty) {
                core::ptr::write_bytes(block, 0, total);
            }
        }
        block
    }

    /// # Safety
    /// realloc(3).
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn realloc(block: *mut u8, size: usize) -> *mut u8 {
        if block.is_null() {
            // SAFETY: as for malloc.
            return unsafe { malloc(size) };
        }
        if !is_ours(block as usize) {
            return foreign(block, size);
        }
        // SAFETY: the block is the caller's.
        let have = unsafe { block_span(block as usize) }.size as usize;
        if size <= have && size > have / 2 {
            return block;
        }
        // SAFETY: as for malloc, copy and free: both blocks are at least as long as what is copied.
        unsafe {
            let new = malloc(size);
            if !new.is_null() {
                core::ptr::copy_nonoverlapping(block, new, have.min(size));
                free(block);
            }
            new
        }
    }

    /// A block from the loader's own allocator: its size is not known, but what follows it is mapped for at
    /// least a page's rest.
    #[cold]
    fn foreign(block: *mut u8, size: usize) -> *mut u8 {
        let rest = 4096 - block as usize % 4096;
        // SAFETY: the bytes up to the end of the page are mapped.
        unsafe {
            let new = malloc(size);
            if !new.is_null() {
                core::ptr::copy_nonoverlapping(block, new, size.min(rest));
            }
            new
        }
    }

    /// # Safety
    /// memalign(3).
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn memalign(align: usize, size: usize) -> *mut u8 {
        let taken = lock();
        // SAFETY: locked.
        let block = unsafe { allocate_aligned(align, size) };
        unlock(taken);
        block
    }

    /// # Safety
    /// aligned_alloc(3).
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn aligned_alloc(align: usize, size: usize) -> *mut u8 {
        // SAFETY: as for memalign.
        unsafe { memalign(align, size) }
    }

    /// # Safety
    /// posix_memalign(3).
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn posix_memalign(out: *mut *mut u8, align: usize, size: usize) -> i32 {
        if !align.is_power_of_two() || !align.is_multiple_of(size_of::<usize>()) {
            return libc::EINVAL;
        }
        // SAFETY: as for memalign; `out` is the caller's.
        unsafe {
            let block = memalign(align, size);
            if block.is_null() {
                return libc::ENOMEM;
            }
            *out = block;
        }
        0
    }

    /// # Safety
    /// valloc(3).
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn valloc(size: usize) -> *mut u8 {
        // SAFETY: as for memalign.
        unsafe { memalign(4096, size) }
    }

    /// # Safety
    /// pvalloc(3).
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn pvalloc(size: usize) -> *mut u8 {
        // SAFETY: as for memalign.
        unsafe { memalign(4096, size.next_multiple_of(4096)) }
    }

    /// # Safety
    /// malloc_usable_size(3).
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn malloc_usable_size(block: *mut u8) -> usize {
        if !is_ours(block as usize) {
            return 0;
        }
        // SAFETY: the block is the caller's.
        unsafe { block_span(block as usize) }.size as usize
    }

    /// # Safety
    /// malloc_trim(3): there is nothing to give back.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn malloc_trim(_: usize) -> i32 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_they_are_asked_for_and_waste_at_most_a_quarter() {
        let mut last = 0;
        for size in 1..=SMALL {
            let (class, block) = class_of(size);
            assert!(class < CLASSES && block >= size, "{size} in {block}");
            assert!(class >= last, "{size}");
            assert!(size <= 128 || block - size <= size / 4 + 16, "{size} in {block}");
            last = class;
        }
    }
}
