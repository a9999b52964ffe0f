//! What belongs to the image.

use alloc::vec::Vec;

use crate::foreign::Range;
use crate::guest_heap::OUTSIDE_SIZE;
use crate::image::{PAGE, Region, TEMPLATE, copy, image, program};
use crate::loaded::{self, Loaded};
use crate::raw;

/// Finds the writable data of every loaded object but our own and keeps its content: to be called after
/// relocation and before any constructor of the program.
pub fn capture(envp: usize) {
    image().environment = envp;
    loaded::each(visit);
    let image = image();
    image.total = image.regions.iter().map(|region| region.offset + region.len).max().unwrap_or(0);
    // The memory that the test allocates comes last, and is copied page by page when it is first written.
    image.template = template(image.total);
    for region in &image.regions {
        // SAFETY: the region is mapped and readable, the template is long enough.
        unsafe { copy(image.template + region.offset, region.start, region.len) };
    }
}

fn visit(object: &Loaded<'_>) {
    if object.is_own() {
        image().own = object.segments().map(|h| whole_pages(object.range(h))).collect();
        return;
    }
    if object.is_program() {
        program::find_constructors(object);
        if let Some(header) = object.header(libc::PT_TLS) {
            program::keep_thread_local(header);
        }
    }
    // Data that is read-only after relocation never differs; its last, partial page may.
    let relro = object.header(libc::PT_GNU_RELRO).map(|header| object.range(header));
    for header in object.segments().filter(|header| header.p_flags & libc::PF_W != 0) {
        let (mut start, end) = object.range(header);
        if let Some((from, to)) = relro
            && (from..to).contains(&start)
        {
            start = to & !(PAGE - 1);
        }
        add_region(start, end.max(start));
    }
}

fn add_region(start: usize, end: usize) {
    if end <= start {
        return;
    }
    let image = image();
    let offset = image.regions.iter().map(|r| (r.offset + r.len).next_multiple_of(PAGE)).max();
    // Offset and address agree within a page, so that pages are pages in the copies too.
    let offset = offset.unwrap_or(0) + start % PAGE;
    image.regions.push(Region { start, len: end - start, offset });
}

/// Room for a copy of the image and of what the test allocated.
fn template(total: usize) -> usize {
    let len = total.next_multiple_of(PAGE) + OUTSIDE_SIZE;
    assert!(len <= TEMPLATE.1 - TEMPLATE.0, "a process image of {total} bytes");
    reserve(Some(TEMPLATE.0), len)
}

pub(super) fn reserve(at: Option<usize>, len: usize) -> usize {
    match raw::map(at, len.next_multiple_of(PAGE), libc::PROT_READ | libc::PROT_WRITE) {
        Ok(at) => at,
        Err(code) => {
            raw::complain(format_args!("no room for a process image ({len} bytes, errno {code})"));
            raw::exit(crate::OUR_BUG)
        }
    }
}

/// Whether an address lies in the simulator's own object.
pub fn is_own(addr: usize) -> bool {
    image().own.iter().any(|(start, end)| (*start..*end).contains(&addr))
}

/// What belongs to the image already, or to the simulator's own.
pub fn known_ranges() -> Vec<Range> {
    let regions = image().regions.iter().map(|r| whole_pages((r.start, r.start + r.len)));
    regions.chain(image().own.iter().copied()).collect()
}

fn whole_pages((start, end): Range) -> Range {
    (start & !(PAGE - 1), end.next_multiple_of(PAGE))
}
