//! A hash of what a request asks for, whatever the pieces that it comes in: two requests of one name with the same
//! hash are taken for the same call.

use core::num::NonZeroU64;

use crate::fingerprint::Fingerprint;

/// Bytes beyond this count with their number only: a request is seldom told from another one so late, and hashing
/// whole uploads would cost more than carrying them.
const LIMIT: u64 = 4096;

/// A running hash of bytes and of how many there were. Cutting them differently makes no difference.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::net) struct Digest {
    hash: Fingerprint,
    length: u64,
    /// The last bytes, where they do not fill a word.
    rest: u64,
}

impl Digest {
    /// Adds bytes.
    #[inline]
    pub(in crate::net) fn write(&mut self, bytes: &[u8]) {
        let room = LIMIT.saturating_sub(self.length);
        let counted = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        let mut bytes_left = &bytes[..counted];
        let mut length = self.length;
        while !length.is_multiple_of(8) && !bytes_left.is_empty() {
            self.add(bytes_left[0], length);
            length += 1;
            bytes_left = &bytes_left[1..];
        }
        let (words, rest) = bytes_left.as_chunks::<8>();
        for word in words {
            self.hash.mix(u64::from_le_bytes(*word));
        }
        length += 8 * words.len() as u64;
        for byte in rest {
            self.add(*byte, length);
            length += 1;
        }
        self.length += bytes.len() as u64;
    }

    fn add(&mut self, byte: u8, place: u64) {
        self.rest |= u64::from(byte) << (8 * (place % 8));
        if place % 8 == 7 {
            self.hash.mix(core::mem::take(&mut self.rest));
        }
    }

    /// The hash so far.
    #[inline]
    pub(in crate::net) fn value(self) -> NonZeroU64 {
        let mut hash = self.hash;
        hash.mix(self.rest);
        hash.mix(self.length);
        // A bit less, so that there is room for "none".
        NonZeroU64::MIN | hash.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn of(parts: &[&[u8]]) -> NonZeroU64 {
        let mut digest = Digest::default();
        for part in parts {
            digest.write(part);
        }
        digest.value()
    }

    #[test]
    fn cuts_make_no_difference() {
        let bytes: Vec<u8> = (0..6000_u32).map(|n| (n * 7 % 251) as u8).collect();
        for length in [0, 1, 7, 8, 9, 30, 4095, 4096, 4097, 6000] {
            let whole = of(&[&bytes[..length]]);
            for cut in [0, 1, 3, 8, 15, 4096, 5000] {
                let (start, end) = bytes[..length].split_at(cut.min(length));
                assert_eq!(of(&[start, end]), whole, "{length} cut at {cut}");
                let ones: Vec<&[u8]> = start.chunks(1).chain([end]).collect();
                assert_eq!(of(&ones), whole, "{length} in ones up to {cut}");
            }
        }
    }

    #[test]
    fn bytes_and_their_number_make_a_difference() {
        assert_ne!(of(&[b"a"]), of(&[b"b"]));
        assert_ne!(of(&[b""]), of(&[b"\0"]));
        assert_ne!(of(&[b"12345678"]), of(&[b"12345678\0"]));
        assert_ne!(of(&[&vec![1; 5000]]), of(&[&vec![1; 5001]]));
    }
}
