//! The machine's clock is set by people and programs, and stands still while the machine sleeps. How long a job has
//! run is told by the monotonic clock.

use tokio::time::Instant;

use crate::domain::Timestamp;

/// A clock that is off by less was put right a little at a time.
const JUMP_MIN_MS: i64 = 1_000;

/// Compares the machine's clock with the monotonic one.
#[derive(Debug)]
pub(super) struct Jumps {
    wall: Timestamp,
    steady: Instant,
}

impl Jumps {
    pub(super) fn since(now: Timestamp) -> Self {
        Self { wall: now, steady: Instant::now() }
    }

    /// How far the clock has jumped ahead since the last jump, or back, below 0. `None`: not at all.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<i64> {
        let steady = Instant::now();
        let passed = i64::try_from((steady - self.steady).as_millis()).unwrap_or(i64::MAX);
        let jump_ms = now.millis_since(self.wall) - passed;
        if jump_ms.abs() < JUMP_MIN_MS {
            return None;
        }
        (self.wall, self.steady) = (now, steady);
        Some(jump_ms)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_jump_is_what_the_monotonic_clock_does_not_confirm() {
        let at = Timestamp::from_millis;
        let mut jumps = Jumps::since(at(0));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(jumps.next(at(60_400)), None, "it is only fast");
        assert_eq!(jumps.next(at(3_660_400)), Some(3_600_400));
        assert_eq!(jumps.next(at(3_660_400)), None, "told once");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(jumps.next(at(61_400)), Some(-3_600_000));
    }
}
