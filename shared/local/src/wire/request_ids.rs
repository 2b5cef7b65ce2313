//! Ids of answers, in the form that AWS's have.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::JobIds;

/// Gives every answer an id of its own.
pub(super) struct RequestIds {
    ids: JobIds,
    count: AtomicU64,
}

impl RequestIds {
    /// Ids that no other endpoint gives.
    pub(super) fn new() -> Self {
        Self { ids: JobIds::random(), count: AtomicU64::new(0) }
    }

    pub(super) fn next(&self) -> String {
        self.ids.nth(self.count.fetch_add(1, Ordering::Relaxed)).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_answers_have_the_same_id() {
        let (one, other) = (RequestIds::new(), RequestIds::new());
        let ids = [one.next(), one.next(), other.next()];
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
        assert_eq!(ids[0].len(), 36);
    }
}
