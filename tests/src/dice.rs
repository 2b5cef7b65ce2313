//! Numbers from a seed.

/// SplitMix64.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// One of the streams of a seed.
    pub fn new(seed: u64, stream: u64) -> Self {
        Self(seed.wrapping_mul(0xD134_2543_DE82_EF95) ^ stream.wrapping_mul(0xA24B_AED4_963E_E407))
    }

    /// A number from 0 to one less than `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }

    /// True in so many of 1,000 cases.
    pub fn permille(&mut self, cases: u64) -> bool {
        self.below(1_000) < cases
    }

    /// One of the choices, each as likely as the others.
    ///
    /// # Panics
    ///
    /// Where there is none.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).expect("an index")]
    }
}
