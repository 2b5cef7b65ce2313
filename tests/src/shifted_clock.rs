//! The system's time, moved forward by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use batchwright::domain::Timestamp;
use batchwright::ports::{Clock, SystemClock};

/// Tells the time plus what it was moved by. Clones move together.
#[derive(Debug, Clone, Default)]
pub struct ShiftedClock {
    by_millis: Arc<AtomicI64>,
}

impl ShiftedClock {
    /// Moves it forward.
    pub fn pass(&self, millis: i64) {
        self.by_millis.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_millis(self.by_millis.load(Ordering::SeqCst))
    }
}
