//! The symbols of the C library, stdlib.h(0p).

use core::ptr::null_mut;

use crate::guest_heap::blocks::{allocate, allocate_aligned, block_span, release};
use crate::guest_heap::lock::{lock, unlock};
use crate::guest_heap::{SMALL, is_ours, set_errno};

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
