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

pub mod cold;
pub mod program;
pub mod regions;
pub mod slots;
pub mod tracking;

use alloc::vec::Vec;

use crate::foreign::Range;
use crate::keys::Key;
use crate::lines::{Line, Lines};

const PAGE: usize = 4096;
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

unsafe fn copy(to: usize, from: usize, len: usize) {
    // SAFETY: the caller's: both ranges are mapped, and the template is apart from the image.
    unsafe { core::ptr::copy_nonoverlapping(from as *const u8, to as *mut u8, len) };
}
