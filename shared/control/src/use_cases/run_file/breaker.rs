//! When Batch is away, jobs are not burnt on it.

use std::time::Duration;

/// Answers left open in a row, after which jobs go one at a time. One is a lost connection, three are an outage.
const OPENS_AFTER: u32 = 3;

/// The first wait, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// Counts the answers that Batch left open, one after the other.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    in_a_row: u32,
}

impl Breaker {
    /// A job came back.
    pub(super) fn heard(&mut self, was_left_open: bool) {
        self.in_a_row = if was_left_open { self.in_a_row.saturating_add(1) } else { 0 };
    }

    pub(super) fn is_open(&self) -> bool {
        self.in_a_row >= OPENS_AFTER
    }

    /// How long to wait before the next job; `None` where it is closed.
    pub(super) fn wait(&self) -> Option<Duration> {
        let beyond = self.in_a_row.checked_sub(OPENS_AFTER)?;
        Some(WAITS.0.saturating_mul(1 << beyond.min(10)).min(WAITS.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_several_in_a_row_waits_longer_each_time_and_closes_at_the_first_answer() {
        let mut breaker = Breaker::default();
        for (was_left_open, wait_s) in [
            (true, None),
            (true, None),
            (false, None),
            (true, None),
            (true, None),
            (true, Some(5)),
            (true, Some(10)),
            (true, Some(20)),
            (true, Some(40)),
            (true, Some(60)),
            (true, Some(60)),
            (false, None),
        ] {
            breaker.heard(was_left_open);
            assert_eq!(breaker.wait(), wait_s.map(Duration::from_secs));
        }
    }
}
