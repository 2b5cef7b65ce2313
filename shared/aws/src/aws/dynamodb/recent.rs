//! What this program has just read or written, so that the write that follows it need not read again.
//!
//! Every write is made on a condition, so what is out of date here costs a refused write and a read, and no more.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// What is kept of one kind: more than a program has under way at once.
const KEPT: usize = 64;

/// The last few of a kind, each handed out once.
#[derive(Debug)]
pub(super) struct Recent<K, V>(Mutex<VecDeque<(K, V)>>);

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: PartialEq, V> Recent<K, V> {
    /// Keeps the newest of a key, and forgets the oldest of all.
    pub(super) fn keep(&self, key: K, value: V) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(known, _)| *known != key);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back((key, value));
    }

    /// Hands out what is kept of a key.
    pub(super) fn take(&self, key: &K) -> Option<V> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|(known, _)| known == key)?;
        kept.remove(place).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_key_is_handed_out_once_and_the_oldest_are_forgotten() {
        let recent = Recent::default();
        recent.keep(1, "old");
        recent.keep(1, "new");
        assert_eq!((recent.take(&1), recent.take(&1)), (Some("new"), None));
        for key in 0..=KEPT {
            recent.keep(key, "a");
        }
        assert_eq!((recent.take(&0), recent.take(&1), recent.take(&KEPT)), (None, Some("a"), Some("a")));
    }
}
