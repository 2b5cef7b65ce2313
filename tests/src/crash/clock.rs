//! The time of a deployment.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use batchwright::domain::Timestamp;
use batchwright::engine::VirtualClock;
use batchwright::ports::Clock;

use crate::world::START;

/// Follows tokio's clock. Where that one can't be paused, because real servers answer, time is let pass by
/// leaps. Clones tell the same time.
#[derive(Debug, Clone)]
pub struct DeploymentClock {
    clock: VirtualClock,
    leapt_ms: Arc<AtomicI64>,
    leaps: bool,
}

impl DeploymentClock {
    /// Starts now. `leaps`: tokio's clock is not paused.
    pub fn new(leaps: bool) -> Self {
        Self { clock: VirtualClock::starting_at(START), leapt_ms: Arc::default(), leaps }
    }

    /// Lets time pass, until a moment at the latest. `idle`: nothing else goes on.
    pub async fn pass_until(&self, moment: Timestamp, idle: bool) {
        let wait_ms = moment.millis_since(self.now()).max(0);
        if !self.leaps {
            tokio::time::sleep(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0))).await;
        } else if idle {
            self.leapt_ms.fetch_add(wait_ms, Ordering::Relaxed);
        } else {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Clock for DeploymentClock {
    fn now(&self) -> Timestamp {
        self.clock.now().plus_millis(self.leapt_ms.load(Ordering::Relaxed))
    }
}
