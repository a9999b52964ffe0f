//! The program and its libraries as the loader mapped them, and what a guest's /proc/self/maps says of its
//! addresses.
//!
//! INVARIANT: nothing here depends on where the program's binary lies, on which pages are write-protected for
//! the image swap, or on what the simulator itself has mapped.

use alloc::string::String;
use alloc::vec::Vec;

use bizarro_kernel::errno::Errno;
use bizarro_kernel::seams::{Backing, Mapping};

use crate::foreign::Range;
use crate::loaded::{self, Loaded};
use crate::{guest_heap, image, outside, pages, shared};

const PAGE: usize = 4096;

/// A loaded file.
struct Object {
    /// The path that it was loaded from; `None` for the program.
    path: Option<String>,
    /// What is added to the addresses that stand in the file.
    base: usize,
    mappings: Vec<Mapping>,
    /// Where it can be written to, at least by its loader.
    data: Vec<Range>,
}

static mut OBJECTS: Vec<Object> = Vec::new();

fn objects() -> &'static mut Vec<Object> {
    // SAFETY: written in the constructor, when there is one thread; read on the one kernel thread of a run.
    unsafe { &mut *(&raw mut OBJECTS) }
}

/// Notes what is loaded, but for the simulator: to be called in the constructor, since the loader must not be
/// asked while a guest may hold its lock.
pub fn capture() {
    loaded::each(|loaded| {
        if !loaded.is_own() && loaded.is_file() {
            objects().push(note(loaded));
        }
    });
}

fn note(loaded: &Loaded<'_>) -> Object {
    let path = String::from_utf8_lossy(loaded.name).into_owned();
    let path = if loaded.is_program() { None } else { Some(path) };
    let mappings = mappings_of(loaded.base, path.as_deref(), loaded.headers);
    let is_data = |header: &&libc::Elf64_Phdr| header.p_flags & libc::PF_W != 0;
    let data = loaded.segments().filter(is_data).map(|header| loaded.range(header)).collect();
    Object { path, base: loaded.base, mappings, data }
}

/// The mappings that a loader makes of program headers (elf(5)), with what is read-only after relocation so.
fn mappings_of(base: usize, path: Option<&str>, headers: &[libc::Elf64_Phdr]) -> Vec<Mapping> {
    let relro = headers.iter().find(|header| header.p_type == libc::PT_GNU_RELRO).map(|header| {
        let start = base + header.p_vaddr as usize;
        (start & !(PAGE - 1), (start + header.p_memsz as usize) & !(PAGE - 1))
    });
    let mut mappings = Vec::new();
    for header in headers.iter().filter(|header| header.p_type == libc::PT_LOAD) {
        let start = (base + header.p_vaddr as usize) & !(PAGE - 1);
        let in_file = (base + (header.p_vaddr + header.p_filesz) as usize).next_multiple_of(PAGE);
        let end = (base + (header.p_vaddr + header.p_memsz) as usize).next_multiple_of(PAGE);
        let offset = header.p_offset & !(PAGE as u64 - 1);
        let mut add = |from: usize, to: usize, prot: i32| {
            if from < to {
                let offset = offset + (from - start) as u64;
                let backing = match path {
                    _ if from >= in_file => Backing::Nothing,
                    None => Backing::Program(offset),
                    Some(path) => Backing::Library(String::from(path), offset),
                };
                mappings.push(Mapping { start: from as u64, end: to as u64, prot, backing });
            }
        };
        let inside = relro.filter(|(from, _)| (start..in_file).contains(from));
        let sealed = inside.map_or(start, |(_, to)| to.clamp(start, in_file));
        add(start, sealed, libc::PROT_READ);
        add(sealed, in_file, protection(header.p_flags));
        add(in_file, end, protection(header.p_flags));
    }
    mappings
}

/// mmap(2)'s protection for a segment's flags.
fn protection(flags: u32) -> i32 {
    let pairs = [
        (libc::PF_R, libc::PROT_READ),
        (libc::PF_W, libc::PROT_WRITE),
        (libc::PF_X, libc::PROT_EXEC),
    ];
    pairs.into_iter().filter(|(flag, _)| flags & flag != 0).map(|(_, prot)| prot).sum()
}

/// The file that the code at an address comes from, its path where it is not the program, and the address
/// there.
pub fn place_of(addr: usize) -> Option<(Option<&'static str>, usize)> {
    let holds = |mapping: &Mapping| (mapping.start..mapping.end).contains(&(addr as u64));
    let object = objects().iter().find(|object| object.mappings.iter().any(holds))?;
    Some((object.path.as_deref(), addr - object.base))
}

/// Where loaded objects can be written to, or could before their loader was done.
pub fn data() -> impl Iterator<Item = Range> {
    objects().iter().flat_map(|object| object.data.iter().copied())
}

/// Whether an address of a loaded object may not be written to (any more).
pub fn is_sealed(addr: usize) -> bool {
    let holds = |mapping: &&Mapping| (mapping.start..mapping.end).contains(&(addr as u64));
    let mapping = objects().iter().find_map(|object| object.mappings.iter().find(holds));
    mapping.is_none_or(|mapping| mapping.prot & libc::PROT_WRITE == 0)
}

/// What the process of the current call has mapped, by address: the program and its libraries, its heap, and
/// what it mapped itself. What the test had allocated when the run began is left out: other runs add to it.
pub fn of_current_process() -> Result<Vec<Mapping>, Errno> {
    let slot = image::current();
    let host = slot.saturating_sub(1) as u16;
    let mut mappings: Vec<Mapping> =
        objects().iter().flat_map(|object| object.mappings.iter().cloned()).collect();
    let heap = guest_heap::range(slot);
    if heap.0 < heap.1 {
        mappings.push(Mapping {
            start: heap.0 as u64,
            end: heap.1.next_multiple_of(PAGE) as u64,
            prot: libc::PROT_READ | libc::PROT_WRITE,
            backing: Backing::Named("[heap]"),
        });
    }
    let text = outside::mappings()?;
    let lines = text.split(|byte| *byte == b'\n');
    let window = pages::window_of(host);
    mappings.extend(lines.filter_map(|line| real(line, window, slot == image::OUTSIDE)));
    mappings.sort_by_key(|mapping| mapping.start);
    Ok(mappings)
}

/// A line of the real kernel's table, if it is in the window of the host, or the stack that a program was started
/// with.
fn real(line: &[u8], window: Range, has_stack: bool) -> Option<Mapping> {
    let mut fields = core::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let rights = fields.next()?;
    let address = |text: &str| usize::from_str_radix(text, 16).ok();
    let (start, end) = (address(start)?, address(end)?);
    let is_stack = has_stack && fields.nth(3) == Some("[stack]");
    let is_in_window = window.0 <= start && end <= window.1;
    if !(is_stack || is_in_window) {
        return None;
    }
    let bits = [('r', libc::PROT_READ), ('w', libc::PROT_WRITE), ('x', libc::PROT_EXEC)];
    let prot = bits.into_iter().filter(|(c, _)| rights.contains(*c)).map(|(_, prot)| prot).sum();
    let backing = match shared::place(core::str::from_utf8(line).ok()?) {
        Some(place) => Backing::Shared(place.file, place.offset),
        None if is_stack => Backing::Named("[stack]"),
        None => Backing::Nothing,
    };
    Some(Mapping { start: start as u64, end: end as u64, prot, backing })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: u32, flags: u32, at: (u64, u64), sizes: (u64, u64)) -> libc::Elf64_Phdr {
        // SAFETY: all zero is a valid header.
        let header: libc::Elf64_Phdr = unsafe { core::mem::zeroed() };
        let ((p_offset, p_vaddr), (p_filesz, p_memsz)) = (at, sizes);
        libc::Elf64_Phdr {
            p_type: kind,
            p_flags: flags,
            p_offset,
            p_vaddr,
            p_filesz,
            p_memsz,
            ..header
        }
    }

    #[test]
    fn a_data_segment_is_read_only_first_then_the_files_then_zeroes() {
        let headers = [
            header(libc::PT_LOAD, libc::PF_R | libc::PF_X, (0x1000, 0x1010), (0x20, 0x20)),
            header(libc::PT_LOAD, libc::PF_R | libc::PF_W, (0x2100, 0x3100), (0x2000, 0x4000)),
            header(libc::PT_GNU_RELRO, libc::PF_R, (0x2100, 0x3100), (0xf00, 0xf00)),
        ];
        let both = libc::PROT_READ | libc::PROT_WRITE;
        let of = |start, end, prot, backing| Mapping { start, end, prot, backing };
        let code = libc::PROT_READ | libc::PROT_EXEC;
        assert_eq!(
            mappings_of(0x10000, None, &headers),
            [
                of(0x11000, 0x12000, code, Backing::Program(0x1000)),
                of(0x13000, 0x14000, libc::PROT_READ, Backing::Program(0x2000)),
                of(0x14000, 0x16000, both, Backing::Program(0x3000)),
                of(0x16000, 0x18000, both, Backing::Nothing),
            ]
        );
    }

    #[test]
    fn of_the_real_table_only_the_window_is_told() {
        let window = (0x5000_0000_0000, 0x5010_0000_0000);
        let line = |text: &str| real(text.as_bytes(), window, false);
        let mapping = line("500040000000-500040001000 rw-p 00000000 00:00 0 ").unwrap();
        assert_eq!((mapping.start, mapping.end), (0x5000_4000_0000, 0x5000_4000_1000));
        assert_eq!(mapping.prot, libc::PROT_READ | libc::PROT_WRITE);
        assert_eq!(line("100000000000-100000001000 rw-p 00000000 00:00 0 "), None);
        let stack =
            "7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]";
        assert_eq!(line(stack), None);
        assert_eq!(
            real(stack.as_bytes(), window, true).unwrap().backing,
            Backing::Named("[stack]")
        );
        assert_eq!(line(""), None);
    }
}
