//! Memory that the test's own allocator got from the kernel (mimalloc, jemalloc), not from our `malloc`.
//!
//! What a test's closures captured may lie there. It is part of the image, so that each host has its own copy.
//! INVARIANT: memory of the simulator, and the stack and thread control block that the root task runs on, are
//! not: they belong to no host.

use alloc::vec::Vec;

use crate::{guest_heap, image, outside, own_heap, raw, switch};

/// Start and end of a range of addresses.
pub type Range = (usize, usize);

/// From the thread pointer to the end of its thread control block, at most.
const THREAD_BLOCK: usize = 0x1000;
const PAGE: usize = 4096;

/// Finds the private, writable memory without a file that is neither ours nor the image's.
pub fn find() -> Vec<Range> {
    let text = match outside::mappings() {
        Ok(text) => text,
        Err(error) => {
            raw::complain(format_args!("the mappings of this process cannot be read: {error}"));
            raw::exit(crate::OUR_BUG)
        }
    };
    let mut ranges: Vec<Range> = text.split(|byte| *byte == b'\n').filter_map(parse).collect();
    let mut excluded: Vec<Range> = image::regions::known_ranges();
    excluded.extend([own_heap::RANGE, guest_heap::RANGE, image::TEMPLATE]);
    excluded.extend(own_stack(&ranges));
    for cut in excluded {
        ranges = ranges.into_iter().flat_map(|range| without(range, cut)).collect();
    }
    ranges
}

/// A line of proc_pid_maps(5), if it is private memory that can be written and has no file:
/// `start-end rw-p offset device inode`, perhaps with a name that prctl(2) gave it.
fn parse(line: &[u8]) -> Option<Range> {
    let mut fields = core::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let is_private = fields.next()? == "rw-p";
    let is_nameless = fields.nth(3).is_none_or(|name| name.starts_with("[anon:"));
    let parsed = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    (is_private && is_nameless).then_some(parsed)
}

/// What the root task stands on. The C library puts a thread's control block at the upper end of its stack; the next
/// mapping may follow it without a gap, and what comes before it belongs to it. The stack of a process's main thread
/// has a name and a control block somewhere else.
fn own_stack(ranges: &[Range]) -> Vec<Range> {
    let block = switch::thread_pointer();
    let local = &raw const block as usize;
    let around = |addr: usize| ranges.iter().find(|range| (range.0..range.1).contains(&addr));
    let below = around(block).map(|range| (range.0, (block + THREAD_BLOCK).next_multiple_of(PAGE)));
    let stack = around(local).filter(|range| !(range.0..range.1).contains(&block)).copied();
    below.into_iter().chain(stack).collect()
}

/// What is left of a range without another.
fn without(range: Range, cut: Range) -> impl Iterator<Item = Range> {
    let before = (range.0, range.1.min(cut.0));
    let after = (range.0.max(cut.1), range.1);
    let halves = if cut.0 < range.1 && range.0 < cut.1 { [before, after] } else { [range, (0, 0)] };
    halves.into_iter().filter(|half| half.0 < half.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_private_writable_memory_without_a_file_counts() {
        assert_eq!(parse(b"7f00-8f00 rw-p 00000000 00:00 0 "), Some((0x7f00, 0x8f00)));
        let named: &[u8] = b"7f00-8f00 rw-p 00000000 00:00 0    [anon:mimalloc]";
        assert_eq!(parse(named), Some((0x7f00, 0x8f00)));
        for line in [
            &b"7f00-8f00 r--p 00000000 00:00 0 "[..],
            b"7f00-8f00 rw-s 00000000 00:00 0 ",
            b"7f00-8f00 rw-p 00001000 fe:01 77  /usr/lib/libc.so.6",
            b"7f00-8f00 rw-p 00000000 00:00 0   [stack]",
            b"",
        ] {
            assert_eq!(parse(line), None, "{}", std::string::String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn a_cut_leaves_what_lies_before_and_after_it() {
        let left = |cut| without((10, 20), cut).collect::<Vec<_>>();
        assert_eq!(left((0, 10)), [(10, 20)]);
        assert_eq!(left((20, 30)), [(10, 20)]);
        assert_eq!(left((12, 15)), [(10, 12), (15, 20)]);
        assert_eq!(left((5, 15)), [(15, 20)]);
        assert_eq!(left((15, 25)), [(10, 15)]);
        assert_eq!(left((0, 99)), []);
    }
}
