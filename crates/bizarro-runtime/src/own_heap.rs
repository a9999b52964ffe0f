//! The simulator's own memory: the kernel never calls the guest's `malloc`.
//!
//! Power-of-two size classes over one reserved range at a fixed address, so that nothing in a run
//! depends on where the real kernel would have put it. One kernel thread uses it at a time.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;

use crate::raw;

/// Where it lies. Far from where Linux places images, stacks and mappings.
const BASE: usize = 0x1000_0000_0000;
const SIZE: usize = 1 << 36;
/// Where it begins and ends.
pub(crate) const RANGE: (usize, usize) = (BASE, BASE + SIZE);
const CLASSES: usize = 48;

/// How much is asked of the real kernel at once: a page at a time costs a fault each.
const CHUNK: usize = 256 << 10;

struct State {
    top: usize,
    /// Up to here there are pages.
    populated: usize,
    /// Bytes of the blocks in use.
    used: usize,
    free: [usize; CLASSES],
}

/// The allocator of everything in the shared object.
pub struct OwnHeap(UnsafeCell<State>);

// SAFETY: the simulator runs on one kernel thread: the supervisor's side of the process allocates nothing
// here but in the constructor and on the thread that forks.
unsafe impl Sync for OwnHeap {}

impl Default for OwnHeap {
    fn default() -> OwnHeap {
        OwnHeap::new()
    }
}

impl OwnHeap {
    /// An empty heap; the range is reserved on first use.
    pub const fn new() -> OwnHeap {
        OwnHeap(UnsafeCell::new(State { top: 0, populated: 0, used: 0, free: [0; CLASSES] }))
    }
}

/// Goes on with pages that are this process's own, after fork(2): the first write to one that the parent has too
/// would copy it.
#[cfg(feature = "shared-object")]
pub fn start_page() {
    // SAFETY: one kernel thread, and no reference outlives this function.
    let state = unsafe { &mut *crate::OWN_HEAP.0.get() };
    state.top = state.populated.max(state.top);
}

/// Only the shared object has this heap.
#[cfg(not(feature = "shared-object"))]
pub fn start_page() {}

/// Bytes of the blocks in use.
#[cfg(feature = "shared-object")]
pub fn used() -> u64 {
    // SAFETY: as above.
    unsafe { (*crate::OWN_HEAP.0.get()).used as u64 }
}

/// Only the shared object has this heap.
#[cfg(not(feature = "shared-object"))]
pub fn used() -> u64 {
    0
}

fn class(layout: Layout) -> usize {
    layout.size().max(layout.align()).max(16).next_power_of_two().trailing_zeros() as usize
}

// SAFETY: blocks are cut from a range that belongs to this heap alone, aligned to their size, and reused only
// after they were freed with the same layout, so with the same class.
unsafe impl GlobalAlloc for OwnHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let class = class(layout);
        // SAFETY: one kernel thread, and no reference outlives this function.
        let state = unsafe { &mut *self.0.get() };
        state.used += 1 << class;
        if state.free[class] != 0 {
            let block = state.free[class];
            // SAFETY: a free block's first word links to the next free one.
            state.free[class] = unsafe { *(block as *const usize) };
            return block as *mut u8;
        }
        if state.top == 0 {
            if raw::map(Some(BASE), SIZE, libc::PROT_READ | libc::PROT_WRITE) != Ok(BASE) {
                return core::ptr::null_mut();
            }
            state.top = BASE;
        }
        let size = 1 << class;
        let align = size.min(4096);
        let block = (state.top + align - 1) & !(align - 1);
        if block + size > BASE + SIZE {
            return core::ptr::null_mut();
        }
        state.top = block + size;
        if state.top > state.populated {
            let until = state.top.next_multiple_of(CHUNK);
            // What is larger than a chunk may never be touched as a whole.
            if size < CHUNK {
                let from = state.populated.max(block & !4095);
                raw::populate(from, until - from);
            }
            state.populated = until;
        }
        block as *mut u8
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let class = class(layout);
        // SAFETY: one kernel thread, and no reference outlives this function.
        let state = unsafe { &mut *self.0.get() };
        state.used -= 1 << class;
        // SAFETY: the block is at least sixteen bytes and nobody uses it any more.
        unsafe { *block.cast::<usize>() = state.free[class] };
        state.free[class] = block as usize;
    }
}
