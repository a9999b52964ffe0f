//! Random numbers from a seed.
//!
//! SplitMix64 (Steele, Lea, Flood, *Fast Splittable Pseudorandom Number Generators*, OOPSLA 2014) is
//! written out here, and not taken from a crate, because a seed in somebody's regression file has to
//! mean the same draws for years: crates change how they turn bits into ranges between versions.

/// The fractional part of the golden ratio, as an odd 64-bit number.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of random bits; equal seeds give equal streams.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// The stream that belongs to `seed`.
    pub fn new(seed: u64) -> SplitMix64 {
        SplitMix64 { state: seed }
    }

    /// A stream of its own for each `purpose` of one `seed`: drawing from one shifts no other.
    pub fn stream(seed: u64, purpose: u64) -> SplitMix64 {
        // One step mixes the seed before the purpose is added, so that seed 1, purpose 2 and seed 2,
        // purpose 1 are strangers.
        let mixed = SplitMix64::new(seed).bits();
        SplitMix64::new(SplitMix64::new(mixed ^ purpose.wrapping_mul(GOLDEN)).bits())
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A value in `low..=high`, or `low` (and no draw) where the range holds no other.
    ///
    /// The widening multiplication favours some values by at most one part in 2⁶⁴ divided by the
    /// range's length, which no run can notice.
    pub fn within(&mut self, low: u64, high: u64) -> u64 {
        if high <= low {
            return low;
        }
        let choices = u128::from(high - low) + 1;
        let offset = (u128::from(self.bits()) * choices) >> 64;
        low + u64::try_from(offset).expect("an offset is smaller than the number of choices")
    }

    /// True `ppm` times in a million; nothing is drawn for never and always.
    pub fn chance(&mut self, ppm: u32) -> bool {
        match ppm {
            0 => false,
            1_000_000.. => true,
            _ => self.within(0, 999_999) < u64::from(ppm),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_stream_is_that_of_the_reference_implementation() {
        // First outputs of Vigna's splitmix64.c for the seed 1234567.
        let mut draw = SplitMix64::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(expected, core::array::from_fn(|_| draw.bits()));
    }

    #[test]
    fn a_range_is_covered_evenly() {
        let mut draw = SplitMix64::new(3);
        let mut counts = [0u32; 10];
        for _ in 0..100_000 {
            counts[usize::try_from(draw.within(0, 9)).unwrap()] += 1;
        }
        assert!(counts.iter().all(|n| (9_500..=10_500).contains(n)), "{counts:?}");
    }

    #[test]
    fn a_chance_comes_as_often_as_it_says() {
        let mut draw = SplitMix64::new(4);
        let hits = (0..1_000_000).filter(|_| draw.chance(10_000)).count();
        assert!((9_500..=10_500).contains(&hits), "{hits}");
    }

    proptest! {
        #[test]
        fn a_draw_stays_in_its_range(seed: u64, a: u64, b: u64) {
            let (low, high) = (a.min(b), a.max(b));
            let drawn = SplitMix64::new(seed).within(low, high);
            prop_assert!((low..=high).contains(&drawn));
        }

        #[test]
        fn streams_of_one_seed_differ(seed: u64, a in 0u64..100, b in 0u64..100) {
            prop_assume!(a != b);
            let mut a = SplitMix64::stream(seed, a);
            let mut b = SplitMix64::stream(seed, b);
            prop_assert_ne!([a.bits(), a.bits()], [b.bits(), b.bits()]);
        }
    }
}
