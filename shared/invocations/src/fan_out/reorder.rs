//! Results, back in the order of the list.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::indices::Indices;
use super::result::ItemOutcome;

/// Bytes that a held result takes beside its line.
const ENTRY_BYTES: usize = 160;

/// An item that has its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Its result as a line, with the line's end.
    pub line: String,
    /// What became of it.
    pub outcome: ItemOutcome,
    /// How often it was tried.
    pub attempts: u32,
    /// How long its last attempt took, where it was answered.
    pub answered_in_ms: Option<u64>,
}

/// In which order results are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultOrder {
    /// As the list has them. Past so many bytes of results that wait for one before them, these are given out
    /// before it, because holding more would take memory without bound, and starting less would let one slow
    /// item stall all others.
    List {
        /// Bytes that are held.
        held_max_bytes: usize,
    },
    /// As they come.
    Completion,
}

/// Holds results until all before them are there.
#[derive(Debug)]
pub(crate) struct Reorder {
    held_max_bytes: usize,
    next: u64,
    given: Indices,
    waiting: BTreeMap<u64, Settled>,
    bytes: usize,
}

impl Reorder {
    /// Results of some items were given out before.
    pub(crate) fn new(order: ResultOrder, given: Indices) -> Self {
        let held_max_bytes = match order {
            ResultOrder::List { held_max_bytes } => held_max_bytes,
            ResultOrder::Completion => 0,
        };
        Self { held_max_bytes, next: given.first_missing(), given, waiting: BTreeMap::new(), bytes: 0 }
    }

    /// The index of the first result that was not given out.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The items whose result was given out.
    pub(crate) fn given(&self) -> &Indices {
        &self.given
    }

    /// Bytes that are held.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the result of an item is there.
    pub(crate) fn has(&self, index: u64) -> bool {
        self.given.contains(index) || self.waiting.contains_key(&index)
    }

    /// Whether the result of an item waits for others.
    pub(crate) fn holds(&self, index: u64) -> bool {
        self.waiting.contains_key(&index)
    }

    /// Takes a result in, and gives those out whose turn it is. A second result for one index is dropped.
    pub(crate) fn settle(&mut self, index: u64, settled: Settled) -> Vec<Settled> {
        let mut due = Vec::new();
        if self.has(index) {
            return due;
        }
        self.bytes += settled.line.len() + ENTRY_BYTES;
        self.waiting.insert(index, settled);
        while let Some(settled) = self.waiting.remove(&self.next) {
            self.give(self.next, settled, &mut due);
        }
        if self.bytes > self.held_max_bytes {
            due.extend(self.release());
        }
        due
    }

    /// Gives out all that still waits, in order.
    pub(crate) fn release(&mut self) -> Vec<Settled> {
        let mut due = Vec::new();
        for (index, settled) in std::mem::take(&mut self.waiting) {
            self.give(index, settled, &mut due);
        }
        due
    }

    fn give(&mut self, index: u64, settled: Settled, due: &mut Vec<Settled>) {
        self.bytes -= settled.line.len() + ENTRY_BYTES;
        self.given.insert(index);
        if index == self.next {
            self.next = self.given.first_missing();
        }
        due.push(settled);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: ResultOrder = ResultOrder::List { held_max_bytes: usize::MAX };

    fn settled(index: u64) -> Settled {
        let line = format!("{index}\n");
        Settled { line, outcome: ItemOutcome::Succeeded, attempts: 1, answered_in_ms: Some(1) }
    }

    proptest! {
        #[test]
        fn results_come_out_once_and_in_order_however_they_come_in(order in Just((0u64..60).collect::<Vec<_>>()).prop_shuffle(), doubled in prop::collection::vec(0u64..60, 0..20)) {
            let mut reorder = Reorder::new(ALL, Indices::default());
            let mut out = Vec::new();
            for index in order.into_iter().chain(doubled) {
                out.extend(reorder.settle(index, settled(index)));
            }
            prop_assert_eq!(out, (0..60).map(settled).collect::<Vec<_>>());
            prop_assert_eq!((reorder.bytes(), reorder.next()), (0, 60));
        }

        #[test]
        fn with_any_bound_each_comes_out_once_and_no_more_is_held(order in Just((0u64..60).collect::<Vec<_>>()).prop_shuffle(), most in 0usize..4_000) {
            let mut reorder = Reorder::new(ResultOrder::List { held_max_bytes: most }, Indices::below(3));
            let mut out = Vec::new();
            for index in order {
                out.extend(reorder.settle(index, settled(index)));
                prop_assert!(reorder.bytes() <= most);
            }
            out.extend(reorder.release());
            out.sort_by_key(|settled| settled.line.trim().parse::<u64>().unwrap());
            prop_assert_eq!(out, (3..60).map(settled).collect::<Vec<_>>());
            prop_assert_eq!((reorder.bytes(), reorder.next()), (0, 60));
        }
    }

    #[test]
    fn as_they_come_nothing_is_held() {
        let mut reorder = Reorder::new(ResultOrder::Completion, Indices::default());
        assert_eq!(reorder.settle(7, settled(7)).len(), 1);
        assert_eq!((reorder.bytes(), reorder.next(), reorder.has(7), reorder.holds(7)), (0, 0, true, false));
    }

    #[test]
    fn what_waits_is_counted_and_told() {
        let mut reorder = Reorder::new(ALL, Indices::below(5));
        assert!(reorder.settle(7, settled(7)).is_empty());
        assert_eq!(
            (reorder.bytes(), reorder.has(4), reorder.has(6), reorder.holds(7)),
            (162, true, false, true)
        );
        assert_eq!(reorder.settle(5, settled(5)).len(), 1);
        assert_eq!(reorder.settle(6, settled(6)).len(), 2);
    }
}
