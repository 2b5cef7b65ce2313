//! Randomness that repeats itself: everything random in a simulation comes from its seed.

use crate::domain::ids::hex_digest;

/// A stream of numbers from a seed (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    state: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A stream for one thing, the same whenever it is asked for.
    pub(crate) fn for_parts(seed: u64, parts: &[&str]) -> Self {
        let seed = seed.to_string();
        let parts: Vec<&str> = std::iter::once(seed.as_str()).chain(parts.iter().copied()).collect();
        let digest = hex_digest(&parts);
        Self::new(u64::from_str_radix(&digest[..16], 16).expect("a digest has hexadecimal digits"))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to `bound` - 1; 0 where the bound is 0. Slightly uneven for huge bounds.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// True in so many of 1,000 cases.
    pub(crate) fn permille(&mut self, cases: u64) -> bool {
        self.below(1_000) < cases
    }
}
