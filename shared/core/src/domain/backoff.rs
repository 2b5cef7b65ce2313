//! How long to wait between calls that failed.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(20);

/// The wait before retry `n` (from 0): doubles from 0.2 s to 20 s, and lies between half and all of
/// that, by `salt`, so that callers who failed together do not come back together.
pub fn backoff(n: u32, salt: &str) -> Duration {
    let ceiling = FIRST.saturating_mul(1 << n.min(10)).min(LONGEST);
    let spread = salt
        .bytes()
        .fold(n.wrapping_mul(0x9e37_79b9), |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    ceiling / 2 + (ceiling / 2).mul_f64(f64::from(spread) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_ceiling_and_differ_between_callers() {
        for n in 0..40 {
            let ceiling = (FIRST * 2u32.pow(n.min(10))).min(LONGEST);
            let wait = backoff(n, "3-0123456789abcdef");
            assert!(wait >= ceiling / 2 && wait <= ceiling, "{n}: {wait:?}");
        }
        assert_ne!(backoff(5, "a"), backoff(5, "b"));
    }
}
