//! Lines: the pieces of 64 bytes, as a cache has them, in which two copies of a page are compared and copied.

/// What is in a line.
pub type Line = [u128; 4];
/// Bytes of a line.
const LINE: usize = size_of::<Line>();

/// The lines of a piece of memory of at most a page, a bit each; the last one may be shorter.
pub type Lines = u64;

/// Which lines of a page, `len` bytes of it, differ from the template's, of those that are not in `but`. `blank`: lines
/// that are zero in the template.
///
/// # Safety
/// Both are readable, `len` is at most 4096, and `wide` is what [`vectors::are_wide`](crate::vectors::are_wide) says.
#[inline]
pub unsafe fn differing(
    page: usize,
    template: usize,
    len: usize,
    but: Lines,
    blank: Lines,
    wide: bool,
) -> Lines {
    let whole = len / LINE;
    // SAFETY: the caller's.
    unsafe {
        let mut found = match wide {
            true => wide_differing(page, template, whole, but, blank),
            false => narrow_differing(page, template, whole, but),
        };
        let rest = whole * LINE;
        if rest < len && bytes(page + rest, len - rest) != bytes(template + rest, len - rest) {
            found |= 1 << whole;
        }
        found & !but
    }
}

/// Which lines of a page are zero.
///
/// # Safety
/// So many bytes are readable, at most 4096.
pub unsafe fn blank(page: usize, len: usize) -> Lines {
    let is_blank = |index: &usize| {
        // SAFETY: the caller's.
        unsafe { bytes(page + index * LINE, LINE) }.iter().all(|byte| *byte == 0)
    };
    (0..len / LINE).filter(is_blank).fold(0, |lines, index| lines | 1 << index)
}

unsafe fn bytes<'a>(at: usize, len: usize) -> &'a [u8] {
    // SAFETY: the caller's: mapped, and nobody writes while it is looked at.
    unsafe { core::slice::from_raw_parts(at as *const u8, len) }
}

/// Eight lines at a time, for most pages are the same throughout; then those of eight that are not. What is blank in the
/// template need not be read there.
#[target_feature(enable = "avx2")]
unsafe fn wide_differing(
    page: usize,
    template: usize,
    lines: usize,
    but: Lines,
    blank: Lines,
) -> Lines {
    use core::arch::x86_64::*;
    let half = |of: usize, index: usize, half: usize| {
        // SAFETY: within both.
        unsafe { _mm256_loadu_si256((of + index * LINE + half * 32) as *const __m256i) }
    };
    let written = |index: usize| _mm256_or_si256(half(page, index, 0), half(page, index, 1));
    let line = |index: usize| {
        let low = _mm256_xor_si256(half(page, index, 0), half(template, index, 0));
        let high = _mm256_xor_si256(half(page, index, 1), half(template, index, 1));
        _mm256_or_si256(low, high)
    };
    let mut found = 0;
    for first in (0..lines).step_by(8) {
        let group = first..(first + 8).min(lines);
        let mut any = _mm256_setzero_si256();
        match (but >> first & 0xff, blank >> first & 0xff) {
            (0, 0xff) => {
                for index in group.clone() {
                    any = _mm256_or_si256(any, written(index));
                }
            }
            (0, _) => {
                for index in group.clone() {
                    any = _mm256_or_si256(any, line(index));
                }
            }
            (0xff, _) => continue,
            _ => {
                for index in group.clone().filter(|index| but & 1 << index == 0) {
                    any = _mm256_or_si256(any, line(index));
                }
            }
        }
        if _mm256_testz_si256(any, any) == 1 {
            continue;
        }
        for index in group.filter(|index| but & 1 << index == 0) {
            let difference = line(index);
            if _mm256_testz_si256(difference, difference) == 0 {
                found |= 1 << index;
            }
        }
    }
    found
}

unsafe fn narrow_differing(one: usize, other: usize, lines: usize, but: Lines) -> Lines {
    let mut found = 0;
    for index in (0..lines).filter(|index| but & 1 << index == 0) {
        // SAFETY: within both copies.
        let (one, other) =
            unsafe { (bytes(one + index * LINE, LINE), bytes(other + index * LINE, LINE)) };
        if one != other {
            found |= 1 << index;
        }
    }
    found
}

/// Where these lines begin.
pub fn offsets(mut lines: Lines) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let at = (lines != 0).then_some(lines.trailing_zeros() as usize * LINE);
        lines &= lines.wrapping_sub(1);
        at
    })
}

/// A line, of which `len` bytes are there; the rest is zero.
///
/// # Safety
/// So many bytes are readable, at most those of a line.
#[inline]
pub unsafe fn get(from: usize, len: usize) -> Line {
    // SAFETY: the caller's: `len` bytes are readable. A whole line is a few moves, and no call.
    unsafe {
        if len >= LINE {
            return (from as *const Line).read_unaligned();
        }
        let mut line = Line::default();
        core::ptr::copy_nonoverlapping(from as *const u8, (&raw mut line).cast(), len);
        line
    }
}

/// Writes the first `len` bytes of a line, at most all.
///
/// # Safety
/// So many bytes are writable.
#[inline]
pub unsafe fn put(to: usize, len: usize, line: Line) {
    // SAFETY: the caller's: `len` bytes are writable.
    unsafe {
        if len >= LINE {
            return (to as *mut Line).write_unaligned(line);
        }
        core::ptr::copy_nonoverlapping((&raw const line).cast(), to as *mut u8, len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::are_wide;
    use std::vec;
    use std::vec::Vec;

    /// A page with some lines changed, the original, of which the first quarter is blank, and which were changed.
    fn pages(len: usize, changed: &[usize]) -> (Vec<u8>, Vec<u8>, Lines) {
        let original: Vec<u8> =
            (0..len).map(|at| if at < 1024 { 0 } else { (at * 7) as u8 }).collect();
        let mut page = original.clone();
        let mut lines = 0;
        for at in changed {
            page[*at] ^= 0x10;
            lines |= 1 << (at / LINE);
        }
        (page, original, lines)
    }

    fn find(page: &[u8], original: &[u8], but: Lines, wide: bool) -> Lines {
        let (page, template, len) =
            (page.as_ptr() as usize, original.as_ptr() as usize, page.len());
        // SAFETY: two vectors of this length.
        unsafe { differing(page, template, len, but, blank(template, len), wide) }
    }

    #[test]
    fn every_changed_byte_is_found_in_its_line() {
        for wide in [false, are_wide()] {
            for len in [4096, 4095, 712, 64, 63, 1] {
                for at in 0..len {
                    let (page, original, lines) = pages(len, &[at]);
                    assert_eq!(find(&page, &original, 0, wide), lines, "byte {at} of {len}");
                    assert_eq!(find(&page, &original, lines, wide), 0, "byte {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn lines_that_are_known_are_left_out_and_others_found() {
        let (page, original, lines) = pages(4096, &[0, 70, 600, 4095]);
        for wide in [false, are_wide()] {
            assert_eq!(find(&page, &original, 1 << 1 | 1 << 63, wide), 1 | 1 << 9);
            assert_eq!(find(&page, &original, 0, wide), lines);
        }
    }

    #[test]
    fn a_line_comes_back_as_long_as_it_was() {
        let page: Vec<u8> = (1..=100).collect();
        for len in [64, 80, 63, 1] {
            let mut copy = vec![0; 100];
            // SAFETY: vectors of a hundred bytes.
            unsafe { put(copy.as_mut_ptr() as usize, len, get(page.as_ptr() as usize, len)) };
            let copied = len.min(64);
            assert_eq!(copy[..copied], page[..copied]);
            assert_eq!(copy[copied..], vec![0; 100 - copied]);
        }
        assert!(offsets(0b101).eq([0, 128]));
    }
}
