//! Blocks: from a size to a class and a span, and back.

use core::ptr::null_mut;

use crate::guest_heap::spans::{allocate_large, give_back, take_spans};
use crate::guest_heap::{Arena, LARGE, SMALL, SPAN, Span, arena, arena_of, span_of};
use crate::raw;

#[inline(always)]
pub(super) unsafe fn allocate(size: usize) -> *mut u8 {
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

pub(super) unsafe fn allocate_aligned(align: usize, size: usize) -> *mut u8 {
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

pub(super) unsafe fn release(block: *mut u8) {
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

/// A freed block that is longer gives its pages back.
const KEPT: u64 = 256 << 10;

/// The span that a block lies in, and its usable size.
pub(super) unsafe fn block_span(addr: usize) -> Span {
    // SAFETY: the block was given out by this heap.
    unsafe { *span_of(arena_of(addr), addr) }
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

#[cfg(test)]
mod tests {
    use super::class_of;
    use crate::guest_heap::{CLASSES, SMALL};

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
