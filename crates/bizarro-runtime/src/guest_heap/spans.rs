//! Whole spans: large blocks, free and in use.

use core::ptr::null_mut;

use crate::guest_heap::{Arena, BINS, LARGE, SIZE, SPAN, Span, set_errno, span_of};

#[cold]
pub(super) unsafe fn allocate_large(arena: *mut Arena, size: usize, align: usize) -> *mut u8 {
    let Some(len) = size.checked_next_multiple_of(SPAN).filter(|len| *len < SIZE) else {
        set_errno(libc::ENOMEM);
        return null_mut();
    };
    // SAFETY: as for `blocks::allocate`.
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

/// Takes `len` bytes of whole spans from the free large blocks or from the top; 0 where there is no room.
pub(super) unsafe fn take_spans(arena: *mut Arena, len: usize, align: usize) -> usize {
    // SAFETY: as for `blocks::allocate`.
    unsafe {
        if (*arena).used + len > (*arena).limit {
            crate::world::out_of_memory(len);
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

pub(super) unsafe fn give_back(arena: *mut Arena, at: usize, len: usize, dirty: bool) {
    // SAFETY: the block is free, and at least a span long.
    unsafe {
        (*span_of(arena, at)) = Span { size: len as u64, class: LARGE, dirty };
        let bin = bin_of(len);
        *(at as *mut usize) = (*arena).large[bin];
        (*arena).large[bin] = at;
    }
}

fn bin_of(len: usize) -> usize {
    ((len / SPAN).ilog2() as usize).min(BINS - 1)
}
