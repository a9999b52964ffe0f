//! A copy of the process image for every host: the writable data of the program and of its libraries,
//! and the memory that the test had allocated when the run began.
//!
//! The first kind starts, on every host and after every restart, as it was when the program was loaded,
//! as after execve(2). The second kind, what a test's closures captured, starts as it was when the run
//! began, as after fork(2).
//!
//! All hosts see their copy at the same addresses. Pages that some host has written are *tracked*. All others are
//! write-protected; the first write to one faults and makes it tracked. When a task of another host runs, tracked pages
//! are compared with the template; only lines in which some slot has ever differed from it are kept and put back:
//! a few of the thousands that a program could have written. Where the processor has protection keys, pages that nobody
//! writes any more grow *cold*: they are not compared until a write faults.
//!
//! INVARIANT: what is in memory is the current slot's; a line that is not among a piece's `differing` is, in every
//! slot but the current one, as in the template.

use alloc::vec::Vec;
use core::ffi::c_int;

use crate::foreign::Range;
use crate::guest_heap::OUTSIDE_SIZE;
use crate::keys::Key;
use crate::lines::{self, Line, Lines};
use crate::loaded::{self, Loaded};
use crate::{raw, vectors};

const PAGE: usize = 4096;
/// How many switches a page stays hot after its first write, and at most after any later one.
const PATIENCE: u64 = 256;
const LONGEST_PATIENCE: u64 = 1 << 16;
/// Slot of the process outside the world: the test function. Once a run has begun nobody goes back to it.
pub const OUTSIDE: usize = 0;
/// No slot's copy is in place: what is there belongs to a process that has gone.
const NOBODY: usize = usize::MAX;
/// Where the template begins and ends, at most: far from where Linux and the usual allocators place anything.
pub(crate) const TEMPLATE: Range = (0x2000_0000_0000, 0x2000_0000_0000 + (64 << 30));

/// A range of addresses that every slot has a copy of.
#[derive(Clone, Copy, Debug)]
struct Region {
    start: usize,
    len: usize,
    /// Where its copy lies in the template.
    offset: usize,
}

/// A part of a region that some slot has written: a page, or the part of a page that belongs to the region.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: usize,
    len: usize,
    offset: usize,
    /// The lines that are places.
    differing: Lines,
    /// The lines that are zero in the template.
    blank: Lines,
    /// Whether its page has the protection key: nobody has written it since the last switch, or the next write faults.
    cold: bool,
    /// At which switch it grows cold.
    cools_at: u64,
    /// How many switches later, if it is written again then.
    patience: u64,
}

/// A line in which some slot has differed from the template: it is kept and put back at every switch.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    /// Of its content in the template.
    template: usize,
    /// The last line of a piece may be shorter than others.
    len: usize,
}

/// The copy of a slot that is not in place: what it has in the first of all places. In the others it is as the
/// template.
type Slot = Vec<Line>;

/// The image and its copies.
pub struct Image {
    regions: Vec<Region>,
    /// Our own object's segments.
    own: Vec<Range>,
    pieces: Vec<Piece>,
    places: Vec<Place>,
    template: usize,
    total: usize,
    slots: Vec<Slot>,
    current: usize,
    armed: bool,
    /// Whether lines are compared by vectors of 32 bytes.
    wide: bool,
    /// What cold pages have.
    key: Option<Key>,
    /// Switches so far.
    switches: u64,
    /// How many pieces are not cold.
    hot: usize,
    /// Whether nothing has been written since the current slot's lines were put in place.
    unchanged: bool,
    /// The executable's constructors (DT_INIT_ARRAY): address and count.
    constructors: (usize, usize),
    /// The environment that constructors are called with.
    environment: usize,
    /// The executable's thread-local data as loaded: address of the copy and length.
    thread_local: (usize, usize),
}

static mut IMAGE: Image = Image {
    regions: Vec::new(),
    own: Vec::new(),
    pieces: Vec::new(),
    places: Vec::new(),
    template: 0,
    total: 0,
    slots: Vec::new(),
    current: OUTSIDE,
    armed: false,
    wide: false,
    key: None,
    switches: 0,
    hot: 0,
    unchanged: false,
    constructors: (0, 0),
    environment: 0,
    thread_local: (0, 0),
};

fn image() -> &'static mut Image {
    // SAFETY: one kernel thread runs the simulator, and no function here keeps the reference while another runs.
    unsafe { &mut *(&raw mut IMAGE) }
}

/// The slot whose copy is in place.
#[inline]
pub fn current() -> usize {
    // SAFETY: a plain word, read on the one kernel thread.
    unsafe { (*(&raw const IMAGE)).current }
}

// ---- What belongs to the image.

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

/// Room for a copy of the image and of what the test allocated.
fn template(total: usize) -> usize {
    let len = total.next_multiple_of(PAGE) + OUTSIDE_SIZE;
    assert!(len <= TEMPLATE.1 - TEMPLATE.0, "a process image of {total} bytes");
    reserve(Some(TEMPLATE.0), len)
}

fn reserve(at: Option<usize>, len: usize) -> usize {
    match raw::map(at, len.next_multiple_of(PAGE), libc::PROT_READ | libc::PROT_WRITE) {
        Ok(at) => at,
        Err(code) => {
            raw::complain(format_args!("no room for a process image ({len} bytes, errno {code})"));
            raw::exit(crate::OUR_BUG)
        }
    }
}

unsafe fn copy(to: usize, from: usize, len: usize) {
    // SAFETY: the caller's: both ranges are mapped, and the template is apart from the image.
    unsafe { core::ptr::copy_nonoverlapping(from as *const u8, to as *mut u8, len) };
}

fn visit(object: &Loaded<'_>) {
    if object.is_own() {
        image().own = object.segments().map(|h| whole_pages(object.range(h))).collect();
        return;
    }
    if object.is_program() {
        find_constructors(object);
        if let Some(header) = object.header(libc::PT_TLS) {
            keep_thread_local(header);
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

fn whole_pages((start, end): Range) -> Range {
    (start & !(PAGE - 1), end.next_multiple_of(PAGE))
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

fn find_constructors(program: &Loaded<'_>) {
    const DT_INIT_ARRAY: usize = 25;
    const DT_INIT_ARRAYSZ: usize = 27;
    for (tag, value) in program.dynamic() {
        match tag {
            DT_INIT_ARRAY => image().constructors.0 = program.base + value,
            DT_INIT_ARRAYSZ => image().constructors.1 = value / size_of::<usize>(),
            _ => {}
        }
    }
}

fn keep_thread_local(header: &libc::Elf64_Phdr) {
    let align = (header.p_align as usize).max(1);
    let len = (header.p_memsz as usize).next_multiple_of(align);
    let kept = reserve(None, len.max(1));
    // SAFETY: on x86_64 the executable's thread-local data ends at the thread pointer (ELF handling for TLS, variant II).
    unsafe { copy(kept, crate::switch::thread_pointer() - len, len) };
    image().thread_local = (kept, len);
}

/// The executable's thread-local data as it was loaded: address of the copy and length.
pub fn thread_local() -> (usize, usize) {
    image().thread_local
}

/// Calls the executable's constructors, as the C library's start code does, on the current task, with the
/// arguments of its program.
pub fn run_constructors(argc: c_int, argv: usize) {
    let ((at, count), envp) = (image().constructors, image().environment);
    for index in 0..count {
        // SAFETY: the loader's table of functions of this type, called once per process image.
        unsafe {
            let constructor = *(at as *const extern "C" fn(c_int, usize, usize)).add(index);
            constructor(argc, argv, envp);
        }
    }
}

// ---- Tracking.

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
    let (start, len) = crate::guest_heap::outside_range();
    for (start, end) in foreign.into_iter().chain([(start, start + len)]) {
        add_outside(image, start, end - start);
    }
}

/// Starts over with another run: every slot is as in the template again.
pub fn start_over(hosts: usize) {
    let image = image();
    image.slots.clear();
    image.slots.resize(hosts + 1, Slot::new());
    image.current = NOBODY;
    image.unchanged = false;
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

/// A write to a cold page: makes it hot. Says whether it was one, so that the write is tried again.
pub fn forbidden(addr: usize) -> bool {
    let image = image();
    let Some(key) = image.key else { return false };
    let page = addr & !(PAGE - 1);
    let mut found = false;
    for piece in image.pieces.iter_mut().filter(|piece| piece.cold) {
        if piece.start & !(PAGE - 1) == page {
            piece.cold = false;
            piece.patience = (piece.patience * 2).min(LONGEST_PATIENCE);
            piece.cools_at = image.switches + piece.patience;
            image.hot += 1;
            image.unchanged = false;
            found = true;
        }
    }
    // SAFETY: the page was writable before it had the key.
    found && unsafe { key.set(page, PAGE, false) }
}

/// Gives the key to pages that have not been written for the first time, or again, for long. Where the real kernel
/// refuses they stay hot.
fn cool(image: &mut Image, key: Key) {
    for index in 0..image.pieces.len() {
        let page = image.pieces[index].start & !(PAGE - 1);
        let due = |piece: &Piece| !piece.cold && piece.cools_at <= image.switches;
        // Pieces that share a page are of one mind.
        let shares = |piece: &&mut Piece| piece.start & !(PAGE - 1) == page;
        // SAFETY: pieces are writable.
        if due(&image.pieces[index]) && unsafe { key.set(page, PAGE, true) } {
            for piece in image.pieces.iter_mut().filter(shares).filter(|piece| !piece.cold) {
                piece.cold = true;
                image.hot -= 1;
            }
        }
    }
}

/// Puts a slot's copy in place of the current one's.
#[inline]
pub fn switch_to(slot: usize) {
    if slot != current() && image().armed {
        swap(slot);
    }
}

fn swap(slot: usize) {
    let image = image();
    image.switches += 1;
    if !image.unchanged {
        find_differing(image);
        if image.current != NOBODY {
            save(image);
        }
    }
    match image.key {
        Some(key) => {
            key.writable(|| load(image, slot));
            if image.hot > 0 && image.switches.is_multiple_of(PATIENCE) {
                cool(image, key);
            }
        }
        None => load(image, slot),
    }
    image.unchanged = image.hot == 0;
    image.current = slot;
}

/// Finds the lines that differ from the template and were not known to.
fn find_differing(image: &mut Image) {
    for piece in image.pieces.iter_mut().filter(|piece| !piece.cold) {
        let Piece { start, len, differing, blank, .. } = *piece;
        let template = image.template + piece.offset;
        // SAFETY: pieces lie within mapped regions and the template, and none is longer than a page.
        let found = unsafe { lines::differing(start, template, len, differing, blank, image.wide) };
        piece.differing |= found;
        image.places.extend(lines::offsets(found).map(|offset| Place {
            at: start + offset,
            template: template + offset,
            len: len - offset,
        }));
    }
}

/// Keeps what is in place for its slot.
fn save(image: &mut Image) {
    let slot = &mut image.slots[image.current];
    slot.clear();
    // SAFETY: places lie within pieces.
    slot.extend(image.places.iter().map(|place| unsafe { lines::get(place.at, place.len) }));
}

/// Puts a slot's lines in place.
fn load(image: &Image, slot: usize) {
    let held = &image.slots[slot];
    for (place, line) in image.places.iter().zip(held) {
        // SAFETY: places lie within pieces.
        unsafe { lines::put(place.at, place.len, *line) };
    }
    for place in &image.places[held.len()..] {
        // SAFETY: as above, and in the template.
        unsafe { lines::put(place.at, place.len, lines::get(place.template, place.len)) };
    }
}

/// Makes a slot start afresh: its process has gone.
pub fn reset(slot: usize) {
    let image = image();
    if !image.armed {
        return;
    }
    image.slots[slot].clear();
    if image.current == slot {
        image.current = NOBODY;
        image.unchanged = false;
    }
}
