//! A clock that follows tokio's timers, also where they are paused.

use tokio::time::Instant;

use crate::domain::Timestamp;
use crate::ports::Clock;

/// Tells a given moment plus the time that has passed on tokio's clock since it was made.
#[derive(Debug, Clone, Copy)]
pub struct VirtualClock {
    base: Timestamp,
    since: Instant,
}

impl VirtualClock {
    /// Starts at a moment. Needs a tokio runtime.
    pub fn starting_at(base: Timestamp) -> Self {
        Self { base, since: Instant::now() }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let passed = self.since.elapsed().as_millis();
        self.base.plus_millis(i64::try_from(passed).unwrap_or(i64::MAX))
    }
}
