//! A pace that keeps to a quota.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::ports::SubmissionPace;

/// Throttles within this time of a slow-down belong to the calls that led to it, so they do not slow down again.
const HOLD: Duration = Duration::from_secs(1);

/// How long the rate takes from nothing to its full value. It grows evenly.
const RECOVERY: Duration = Duration::from_secs(60);

/// The slowest, by the second.
const SLOWEST: f64 = 1.0;

/// Admits a fixed number of submissions a second, evenly. The bucket holds one token, so no second sees a burst.
/// The rate halves when Batch throttles, and recovers within a minute. Other processes have buckets of their own,
/// because Batch's throttling is the only signal that they share.
#[derive(Debug)]
pub struct TokenBucket {
    per_second: f64,
    state: Mutex<Fill>,
}

#[derive(Debug, Clone, Copy)]
struct Fill {
    /// When the next token is there.
    next: Instant,
    /// The rate after the last slow-down, and when that was.
    slowed: Option<(f64, Instant)>,
}

impl TokenBucket {
    /// `SubmitJob` calls a second in one account and Region. Source: AWS Batch quotas.
    pub const SUBMIT_JOB_PER_SECOND: f64 = 50.0;

    /// Keeps to `per_second`, which is 1 at least.
    pub fn new(per_second: f64) -> Self {
        let state = Fill { next: Instant::now(), slowed: None };
        Self { per_second: per_second.max(SLOWEST), state: Mutex::new(state) }
    }

    fn with_fill<T>(&self, change: impl FnOnce(&mut Fill) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the next token and says when it is there. Those who wait are admitted in turn.
    fn take(&self, now: Instant) -> Instant {
        self.with_fill(|state| {
            let at = state.next.max(now);
            let since = state.slowed.map(|(rate, when)| (rate, now.duration_since(when)));
            state.next = at + Duration::from_secs_f64(1.0 / rate(self.per_second, since));
            at
        })
    }
}

impl Default for TokenBucket {
    fn default() -> Self {
        Self::new(Self::SUBMIT_JOB_PER_SECOND)
    }
}

impl SubmissionPace for TokenBucket {
    async fn admit(&self) {
        sleep_until(self.take(Instant::now())).await;
    }

    fn throttled(&self) {
        let now = Instant::now();
        self.with_fill(|state| {
            let since = state.slowed.map(|(rate, when)| (rate, now.duration_since(when)));
            if since.is_none_or(|(_, passed)| passed >= HOLD) {
                let halved = (rate(self.per_second, since) / 2.0).max(SLOWEST);
                state.slowed = Some((halved, now));
            }
        });
    }
}

/// The rate some time after a slow-down to a rate.
fn rate(full: f64, slowed: Option<(f64, Duration)>) -> f64 {
    match slowed {
        None => full,
        Some((rate, passed)) => (rate + full * passed.as_secs_f64() / RECOVERY.as_secs_f64()).min(full),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many are admitted in so many seconds, by a caller who never waits for anything else.
    async fn admitted(bucket: &TokenBucket, seconds: u64) -> u32 {
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut count = 0;
        while Instant::now() < end {
            bucket.admit().await;
            count += 1;
        }
        count
    }

    #[test]
    fn a_rate_recovers_evenly_up_to_the_full_one() {
        let seconds = Duration::from_secs;
        for (slowed, expected) in [
            (None, 50.0),
            (Some((25.0, seconds(0))), 25.0),
            (Some((25.0, seconds(6))), 30.0),
            (Some((25.0, seconds(30))), 50.0),
            (Some((25.0, seconds(3_600))), 50.0),
            (Some((1.0, seconds(60))), 50.0),
        ] {
            assert!((rate(50.0, slowed) - expected).abs() < 1e-9, "{slowed:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_second_sees_more_than_the_quota() {
        let bucket = TokenBucket::default();
        for _ in 0..3 {
            let count = admitted(&bucket, 1).await;
            assert!((48..=51).contains(&count), "{count}");
        }
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(admitted(&bucket, 1).await <= 51, "idle time saves nothing up");
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_together_are_admitted_apart() {
        let bucket = TokenBucket::new(10.0);
        let start = Instant::now();
        let waiting = (0..20).map(|_| bucket.admit());
        futures_util::future::join_all(waiting).await;
        let passed = start.elapsed();
        assert!(passed >= Duration::from_millis(1_900), "{passed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_throttles_halves_the_rate_once_and_it_recovers() {
        let bucket = TokenBucket::default();
        for _ in 0..10 {
            bucket.throttled();
        }
        let slow = admitted(&bucket, 1).await;
        assert!((24..=27).contains(&slow), "{slow}");
        bucket.throttled();
        let slower = admitted(&bucket, 1).await;
        assert!((11..=15).contains(&slower), "{slower}");
        tokio::time::advance(RECOVERY).await;
        let recovered = admitted(&bucket, 1).await;
        assert!((48..=51).contains(&recovered), "{recovered}");
    }

    #[tokio::test(start_paused = true)]
    async fn it_never_stands_still() {
        let bucket = TokenBucket::new(1.5);
        for _ in 0..20 {
            bucket.throttled();
            tokio::time::advance(HOLD).await;
        }
        assert!(admitted(&bucket, 10).await >= 10);
    }
}
