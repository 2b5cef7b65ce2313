//! A set of places in a list, in space that grows with its gaps alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Places in a list, as ranges: from the first to before the end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indices(BTreeMap<u64, u64>);

impl Indices {
    /// All before `end`.
    pub fn below(end: u64) -> Self {
        Self(if end == 0 { BTreeMap::new() } else { BTreeMap::from([(0, end)]) })
    }

    /// Whether an index is one of them.
    pub fn contains(&self, index: u64) -> bool {
        self.0.range(..=index).next_back().is_some_and(|(_, end)| index < *end)
    }

    /// The first index that is none of them.
    pub(crate) fn first_missing(&self) -> u64 {
        self.0.first_key_value().filter(|(start, _)| **start == 0).map_or(0, |(_, end)| *end)
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(start, end)| end - start).sum()
    }

    /// Whether all of them are among others.
    pub(crate) fn is_within(&self, others: &Indices) -> bool {
        self.0.iter().all(|(start, end)| {
            others.0.range(..=start).next_back().is_some_and(|(_, others_end)| end <= others_end)
        })
    }

    /// Adds one; whether it is new.
    pub fn insert(&mut self, index: u64) -> bool {
        let before = self.0.range(..=index).next_back().map(|(start, end)| (*start, *end));
        if before.is_some_and(|(_, end)| index < end) {
            return false;
        }
        let start = before.filter(|(_, end)| *end == index).map_or(index, |(start, _)| start);
        let end = self.0.remove(&(index + 1)).unwrap_or(index + 1);
        self.0.insert(start, end);
        true
    }

    /// Takes one out.
    pub fn remove(&mut self, index: u64) {
        let Some((start, end)) = self.0.range(..=index).next_back().map(|(start, end)| (*start, *end)) else {
            return;
        };
        if index >= end {
            return;
        }
        self.0.remove(&start);
        if start < index {
            self.0.insert(start, index);
        }
        if index + 1 < end {
            self.0.insert(index + 1, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_set_of_what_was_put_in_and_not_taken_out(steps in prop::collection::vec((any::<bool>(), 0u64..40), 0..200)) {
            let (mut indices, mut model) = (Indices::default(), BTreeSet::new());
            for (is_new, index) in steps {
                if is_new {
                    prop_assert_eq!(indices.insert(index), model.insert(index));
                } else {
                    indices.remove(index);
                    model.remove(&index);
                }
                prop_assert_eq!(indices.count(), model.len() as u64);
                prop_assert!((0..42).all(|index| indices.contains(index) == model.contains(&index)));
                prop_assert_eq!(indices.first_missing(), (0..).find(|index| !model.contains(index)).unwrap());
                let apart = indices.0.iter().zip(indices.0.iter().skip(1)).all(|((_, end), (start, _))| end < start);
                prop_assert!(apart, "ranges that touch are one: {:?}", indices);
            }
        }
    }

    #[test]
    fn what_is_within_others_is_known_by_its_ranges() {
        let of = |indices: &[u64]| {
            let mut set = Indices::default();
            indices.iter().for_each(|index| _ = set.insert(*index));
            set
        };
        let others = of(&[0, 1, 2, 5, 6, 9]);
        for (some, is_within) in [
            (&[][..], true),
            (&[0, 2], true),
            (&[5, 6, 9], true),
            (&[2, 3], false),
            (&[4], false),
            (&[9, 10], false),
        ] {
            assert_eq!(of(some).is_within(&others), is_within, "{some:?}");
        }
        assert_eq!(serde_json::to_string(&others).unwrap(), r#"{"0":3,"5":7,"9":10}"#);
    }

    #[test]
    fn all_below_an_end_is_one_range() {
        assert_eq!((Indices::below(0).count(), Indices::below(7).first_missing()), (0, 7));
    }
}
