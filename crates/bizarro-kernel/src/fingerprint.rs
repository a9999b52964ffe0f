//! The hash of all effects of a run: equal runs have equal fingerprints.

/// A running hash. Not cryptographic: it tells runs apart, not adversaries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint(u64);

const MULTIPLIER: u64 = 0x9fb2_1c65_1e98_df25;

/// Where a hash starts. Not zero, which a zero would leave as it is.
const START: u64 = 0x243f_6a88_85a3_08d3;

impl Default for Fingerprint {
    fn default() -> Fingerprint {
        Fingerprint(START)
    }
}

impl Fingerprint {
    /// Adds a number.
    #[inline]
    pub fn mix(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(MULTIPLIER).rotate_left(29);
    }

    /// Adds bytes and their length.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.mix(u64::from_le_bytes(word.try_into().expect("chunks of eight")));
        }
        let rest = words.remainder();
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.mix(u64::from_le_bytes(last));
        }
    }

    /// The hash so far.
    pub fn value(self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::Fingerprint;

    fn of(parts: &[&[u8]]) -> u64 {
        let mut fingerprint = Fingerprint::default();
        for part in parts {
            fingerprint.bytes(part);
        }
        fingerprint.value()
    }

    #[test]
    fn where_a_write_ends_matters() {
        assert_ne!(of(&[b"ab", b"c"]), of(&[b"a", b"bc"]));
        assert_ne!(of(&[b""]), of(&[]));
        assert_eq!(of(&[b"ab", b"c"]), of(&[b"ab", b"c"]));
    }
}
