//! Which pages some host has written.

use alloc::vec::Vec;

use crate::foreign::Range;
use crate::guest_heap::{self, OUTSIDE_SIZE};
use crate::image::cold::PATIENCE;
use crate::image::{Image, NOBODY, PAGE, Piece, Region, Slot, copy, image};
use crate::keys::Key;
use crate::{lines, raw, vectors};

/// Starts tracking, in the process that runs the world. What the process outside made of the program's data is given
/// up; what it allocated, by our `malloc` or as `foreign` by another allocator, is what every host starts with.
/// `keys`: whether protection keys may be used.
pub fn arm(hosts: usize, foreign: Vec<Range>, keys: bool) {
    let image = image();
    image.key = keys.then(Key::new).flatten();
    image.slots = alloc::vec![Slot::new(); hosts + 1];
    image.armed = true;
    image.wide = vectors::are_wide();
    image.current = NOBODY;
    for index in 0..image.regions.len() {
        arm_region(image, index);
    }
    let (start, len) = guest_heap::outside_range();
    for (start, end) in foreign.into_iter().chain([(start, start + len)]) {
        add_outside(image, start, end - start);
    }
}

/// Memory of the test: copied page by page when it is first written.
fn add_outside(image: &mut Image, start: usize, len: usize) {
    let last =
        image.regions.iter().map(|region| (region.offset + region.len).next_multiple_of(PAGE));
    let offset = last.max().unwrap_or(0).max(image.total.next_multiple_of(PAGE));
    if offset + len > image.total.next_multiple_of(PAGE) + OUTSIDE_SIZE {
        raw::complain(format_args!("the test has allocated more than {OUTSIDE_SIZE} bytes"));
        raw::exit(crate::CANNOT_RUN);
    }
    image.regions.push(Region { start, len, offset });
    guard(start, start + len);
}

/// Puts a region back to what it was when the program was loaded and protects its pages. Parts of pages, which
/// share theirs with something else, are tracked from the start: what differs in them is found when the first
/// slot's copy is put in place.
fn arm_region(image: &mut Image, index: usize) {
    let Region { start, len, offset } = image.regions[index];
    let end = start + len;
    let (first, last) = (start.next_multiple_of(PAGE).min(end), (end & !(PAGE - 1)).max(start));
    let parts = if first >= last { [(start, end), (0, 0)] } else { [(start, first), (last, end)] };
    for (mut from, to) in parts {
        while from < to {
            let until = to.min((from + 1).next_multiple_of(PAGE));
            add_piece(image, from, until - from, offset + from - start);
            from = until;
        }
    }
    for page in (first..last).step_by(PAGE) {
        let loaded = image.template + offset + page - start;
        // SAFETY: both pages are mapped; nobody of the process outside runs again.
        unsafe {
            if *(page as *const [u64; PAGE / 8]) != *(loaded as *const [u64; PAGE / 8]) {
                copy(page, loaded, PAGE);
            }
        }
    }
    guard(first, last);
}

fn add_piece(image: &mut Image, start: usize, len: usize, offset: usize) {
    let cools_at = image.switches + PATIENCE;
    image.pieces.push(Piece {
        start,
        len,
        offset,
        differing: 0,
        // SAFETY: the template has all of the piece.
        blank: unsafe { lines::blank(image.template + offset, len) },
        cold: false,
        cools_at,
        patience: PATIENCE,
    });
    image.hot += 1;
    image.unchanged = false;
}

fn guard(from: usize, to: usize) {
    if from < to {
        // SAFETY: writes from now on fault and are let through by `fault`.
        unsafe { raw::protect(from, to - from, libc::PROT_READ) };
    }
}

/// Whether an address belongs to the image.
pub fn is_tracked(addr: usize) -> bool {
    let image = image();
    image.armed && image.regions.iter().any(|r| (r.start..r.start + r.len).contains(&addr))
}

/// A write to a protected page: makes it tracked. Says whether it was one of ours, so that the write is tried again.
pub fn fault(addr: usize) -> bool {
    let image = image();
    if !image.armed {
        return false;
    }
    let page = addr & !(PAGE - 1);
    let inside = |r: &&Region| page >= r.start && page + PAGE <= r.start + r.len;
    let Some(region) = image.regions.iter().find(inside).copied() else { return false };
    if image.pieces.iter().any(|piece| piece.start == page) {
        return false;
    }
    let offset = region.offset + page - region.start;
    if offset >= image.total {
        // Memory of the test: its content up to now, which nobody has written since the run began, is the template.
        // SAFETY: the template has room for what the test allocated.
        unsafe { copy(image.template + offset, page, PAGE) };
    }
    add_piece(image, page, PAGE, offset);
    // SAFETY: the page was writable before it was guarded.
    unsafe { raw::protect(page, PAGE, libc::PROT_READ | libc::PROT_WRITE) };
    true
}
