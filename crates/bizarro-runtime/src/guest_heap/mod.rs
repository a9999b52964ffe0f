//! The guests' heaps: `malloc` and its kin, an arena per host.
//!
//! Size classes in spans of 64 KiB; larger blocks take whole spans. Each arena lies at a fixed address, so
//! that addresses do not depend on the machine, and goes away in one piece with its host's process. A limit
//! makes allocation fail as it does on a machine without memory.
//!
//! Here is what an arena is, and how it comes and goes.

mod blocks;
pub mod lock;
mod spans;
#[cfg(feature = "shared-object")]
mod symbols;

use core::ops::Range;

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

/// Limits what a slot may allocate, in bytes.
pub fn set_limit(slot: usize, bytes: u64) {
    let limit = usize::try_from(bytes).unwrap_or(SIZE).min(SIZE);
    // SAFETY: one kernel thread; plain words, of an arena that is mapped when it is ready.
    unsafe {
        LIMITS[slot] = limit;
        if READY[slot] {
            (*((BASE + slot * SIZE) as *mut Arena)).limit = limit;
        }
    }
}

/// Bytes that a slot has taken: whole spans, in use or kept for small blocks.
pub fn used(slot: usize) -> u64 {
    // SAFETY: as above.
    unsafe { if READY[slot] { (*((BASE + slot * SIZE) as *const Arena)).used as u64 } else { 0 } }
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

fn arena_of(addr: usize) -> *mut Arena {
    (BASE + (addr - BASE) / SIZE * SIZE) as *mut Arena
}

fn set_errno(code: i32) {
    // SAFETY: the C library's own location for the current thread.
    unsafe { *libc::__errno_location() = code };
}
