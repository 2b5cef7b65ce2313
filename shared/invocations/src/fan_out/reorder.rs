//! Results, back in the order of the list.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::result::Outcome;

/// An item that has its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Its result as a line, with the line's end.
    pub line: String,
    /// What became of it.
    pub outcome: Outcome,
    /// How often it was tried.
    pub attempts: u32,
    /// How long its last attempt took, where it was answered.
    pub answered_in_ms: Option<u64>,
}

/// Holds results until all before them are there.
#[derive(Debug, Default)]
pub struct Reorder {
    next: u64,
    waiting: BTreeMap<u64, Settled>,
    bytes: usize,
}

impl Reorder {
    /// The first result that is given out is the one of `next`.
    pub fn from(next: u64) -> Self {
        Self { next, ..Self::default() }
    }

    /// The index of the first result that is missing.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the result of an item is there.
    pub fn has(&self, index: u64) -> bool {
        index < self.next || self.waiting.contains_key(&index)
    }

    /// Takes a result in, and gives those out whose turn it is. A second result for one index is dropped.
    pub fn settle(&mut self, index: u64, settled: Settled) -> Vec<Settled> {
        if !self.has(index) {
            self.bytes += settled.line.len();
            self.waiting.insert(index, settled);
        }
        let mut due = Vec::new();
        while let Some(settled) = self.waiting.remove(&self.next) {
            self.bytes -= settled.line.len();
            self.next += 1;
            due.push(settled);
        }
        due
    }

    /// What still waits for others, in order.
    pub fn early(&self) -> impl Iterator<Item = (u64, &Settled)> {
        self.waiting.iter().map(|(index, settled)| (*index, settled))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settled(index: u64) -> Settled {
        let line = format!("{index}\n");
        Settled { line, outcome: Outcome::Succeeded, attempts: 1, answered_in_ms: Some(1) }
    }

    proptest! {
        #[test]
        fn results_come_out_once_and_in_order_however_they_come_in(order in Just((0u64..60).collect::<Vec<_>>()).prop_shuffle(), doubled in prop::collection::vec(0u64..60, 0..20)) {
            let mut reorder = Reorder::from(0);
            let mut out = Vec::new();
            for index in order.into_iter().chain(doubled) {
                out.extend(reorder.settle(index, settled(index)));
            }
            prop_assert_eq!(out, (0..60).map(settled).collect::<Vec<_>>());
            prop_assert_eq!((reorder.bytes(), reorder.next(), reorder.early().count()), (0, 60, 0));
        }
    }

    #[test]
    fn what_waits_is_counted_and_told() {
        let mut reorder = Reorder::from(5);
        assert!(reorder.settle(7, settled(7)).is_empty());
        assert_eq!((reorder.bytes(), reorder.has(4), reorder.has(6), reorder.has(7)), (2, true, false, true));
        assert_eq!(reorder.early().map(|(index, _)| index).collect::<Vec<_>>(), [7]);
        assert_eq!(reorder.settle(5, settled(5)).len(), 1);
        assert_eq!(reorder.settle(6, settled(6)).len(), 2);
    }
}
