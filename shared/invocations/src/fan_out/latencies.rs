//! How long invocations took, in constant space.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Values below it are told exactly; from there on, within one part in half of it.
const EXACT: u64 = 64;
const HALF: u64 = EXACT / 2;

/// Counts of durations, in buckets whose width grows with the duration: quantiles are told at most 3 % too
/// high. Two of them add up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Latencies(BTreeMap<u64, u64>);

impl Latencies {
    /// Counts one.
    pub fn add(&mut self, duration_ms: u64) {
        *self.0.entry(bucket(duration_ms)).or_default() += 1;
    }

    /// Adds the others' counts.
    pub fn merge(&mut self, others: &Latencies) {
        for (bucket, count) in &others.0 {
            *self.0.entry(*bucket).or_default() += count;
        }
    }

    /// The duration that `percent` of all do not pass; `None` where nothing was counted.
    pub(crate) fn percentile(&self, percent: u64) -> Option<u64> {
        let total: u64 = self.0.values().sum();
        let rank = (total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        self.0.iter().find_map(|(bucket, count)| {
            seen += count;
            (seen >= rank).then(|| longest_of(*bucket))
        })
    }
}

fn bucket(value: u64) -> u64 {
    if value < EXACT {
        return value;
    }
    let shift = u64::from(value.ilog2() - HALF.ilog2());
    EXACT + (shift - 1) * HALF + (value >> shift) - HALF
}

fn longest_of(bucket: u64) -> u64 {
    if bucket < EXACT {
        return bucket;
    }
    let shift = (bucket - EXACT) / HALF + 1;
    let part = (bucket - EXACT) % HALF + HALF;
    ((part + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn quantiles_are_the_true_ones_or_a_little_more(mut values in prop::collection::vec(0u64..1_000_000, 1..400)) {
            let mut latencies = Latencies::default();
            values.iter().for_each(|value| latencies.add(*value));
            values.sort_unstable();
            for percent in [1, 50, 90, 99, 100] {
                let rank = (values.len() as u64 * percent).div_ceil(100).max(1);
                let exact = values[rank as usize - 1];
                let told = latencies.percentile(percent).unwrap();
                prop_assert!(told >= exact && told <= exact + exact / HALF, "p{}: {} of {}", percent, told, exact);
            }
        }

        #[test]
        fn two_halves_add_up(values in prop::collection::vec(0u64..100_000, 0..100), cut in 0usize..100) {
            let cut = cut.min(values.len());
            let count = |values: &[u64]| {
                let mut latencies = Latencies::default();
                values.iter().for_each(|value| latencies.add(*value));
                latencies
            };
            let mut first = count(&values[..cut]);
            first.merge(&count(&values[cut..]));
            prop_assert_eq!(first, count(&values));
        }
    }

    #[test]
    fn of_nothing_nothing_is_told() {
        assert_eq!(Latencies::default().percentile(50), None);
    }

    #[test]
    fn any_duration_makes_few_buckets() {
        assert!(bucket(16 * 60 * 1_000) < 600);
        assert_eq!(longest_of(bucket(100)), 101);
    }
}
