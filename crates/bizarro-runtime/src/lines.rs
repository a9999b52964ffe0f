//! Lines: the pieces of 64 bytes, as a cache has them, in which two copies of a page are compared and copied.

/// What is in a line.
pub type Line = [u128; 4];
/// Bytes of a line.
const LINE: usize = size_of::<Line>();

/// The lines of a piece of memory of at most a page, a bit each; the last one may be shorter.
pub type Lines = u64;

/// Whether the processor has vectors of 32 bytes, and the kernel saves them (Intel SDM volume 1, 14.7.1).
pub fn has_wide_vectors() -> bool {
    use core::arch::x86_64::{__cpuid, __cpuid_count};
    const OSXSAVE_AND_AVX: u32 = 1 << 27 | 1 << 28;
    const SSE_AND_AVX: u32 = 0b110;
    const AVX2: u32 = 1 << 5;
    // SAFETY: every x86_64 has CPUID, and XGETBV where OSXSAVE says so.
    unsafe {
        __cpuid(0).eax >= 7
            && __cpuid(1).ecx & OSXSAVE_AND_AVX == OSXSAVE_AND_AVX
            && saved_states() & SSE_AND_AVX == SSE_AND_AVX
            && __cpuid_count(7, 0).ebx & AVX2 != 0
    }
}

/// XCR0: what the kernel saves of a task's registers.
///
/// # Safety
/// The kernel has set CPUID's bit OSXSAVE.
unsafe fn saved_states() -> u32 {
    let (low, _high): (u32, u32);
    // SAFETY: reads a register, by the caller's condition allowed.
    unsafe {
        core::arch::asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") _high, options(nomem, nostack));
    }
    low
}

/// Which lines differ between two copies of `len` bytes, of those that are not in `but`.
///
/// # Safety
/// Both copies are readable, `len` is at most 4096, and `wide` is what [`has_wide_vectors`] says.
#[inline]
pub unsafe fn differing(one: usize, other: usize, len: usize, but: Lines, wide: bool) -> Lines {
    let whole = len / LINE;
    // SAFETY: the caller's.
    unsafe {
        let mut found = match wide {
            true => wide_differing(one, other, whole, but),
            false => narrow_differing(one, other, whole, but),
        };
        let rest = whole * LINE;
        if rest < len && bytes(one + rest, len - rest) != bytes(other + rest, len - rest) {
            found |= 1 << whole;
        }
        found & !but
    }
}

unsafe fn bytes<'a>(at: usize, len: usize) -> &'a [u8] {
    // SAFETY: the caller's: mapped, and nobody writes while it is looked at.
    unsafe { core::slice::from_raw_parts(at as *const u8, len) }
}

/// Eight lines at a time, for most pages are the same throughout; then those of eight that are not.
#[target_feature(enable = "avx2")]
unsafe fn wide_differing(one: usize, other: usize, lines: usize, but: Lines) -> Lines {
    use core::arch::x86_64::*;
    let line = |index: usize| {
        // SAFETY: within both copies.
        unsafe {
            let at = |copy: usize, half: usize| {
                _mm256_loadu_si256((copy + index * LINE + half * 32) as *const __m256i)
            };
            let low = _mm256_xor_si256(at(one, 0), at(other, 0));
            let high = _mm256_xor_si256(at(one, 1), at(other, 1));
            _mm256_or_si256(low, high)
        }
    };
    let mut found = 0;
    for first in (0..lines).step_by(8) {
        let group = first..(first + 8).min(lines);
        let excluded = but >> first & 0xff;
        if excluded == 0 {
            let mut any = _mm256_setzero_si256();
            for index in group.clone() {
                any = _mm256_or_si256(any, line(index));
            }
            if _mm256_testz_si256(any, any) == 1 {
                continue;
            }
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
    use std::vec;
    use std::vec::Vec;

    /// A page with some lines changed, the original, and which were changed.
    fn pages(len: usize, changed: &[usize]) -> (Vec<u8>, Vec<u8>, Lines) {
        let original: Vec<u8> = (0..len).map(|at| (at * 7) as u8).collect();
        let mut page = original.clone();
        let mut lines = 0;
        for at in changed {
            page[*at] ^= 0x10;
            lines |= 1 << (at / LINE);
        }
        (page, original, lines)
    }

    fn find(page: &[u8], original: &[u8], but: Lines, wide: bool) -> Lines {
        // SAFETY: two vectors of this length.
        unsafe {
            differing(page.as_ptr() as usize, original.as_ptr() as usize, page.len(), but, wide)
        }
    }

    #[test]
    fn every_changed_byte_is_found_in_its_line() {
        for wide in [false, has_wide_vectors()] {
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
        for wide in [false, has_wide_vectors()] {
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
