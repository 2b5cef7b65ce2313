//! A pace that keeps to a quota.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::ports::SubmissionPace;

/// How much one admission counts for the share of calls that were answered: a change is half known after fourteen.
const WEIGHT: f64 = 0.05;

/// After so long without a throttle the full rate is tried again, whatever was admitted meanwhile.
const RECOVERY: Duration = Duration::from_secs(60);

/// The slowest, by the second.
const SLOWEST: f64 = 1.0;

/// Admits a fixed number of submissions a second, evenly. The bucket holds one token, so no second sees a burst.
/// The rate follows the share of calls that Batch does not throttle: where half of them are, half the rate is left. It
/// recovers within a minute. Each process has a bucket of its own: [`SharedPace`](super::SharedPace) divides the rate
/// among them.
#[derive(Debug)]
pub struct TokenBucket {
    per_second: f64,
    state: Mutex<Fill>,
}

#[derive(Debug, Clone, Copy)]
struct Fill {
    /// When the next token is there.
    next: Instant,
    /// The part of the rate that is used, from 0 to 1.
    share: f64,
    /// When Batch throttled last.
    throttled_at: Option<Instant>,
    /// How many processes share the rate.
    sharers: u32,
}

impl Fill {
    /// Each admission brings the share nearer to 1 and each throttle takes twice as much of it, so that with a part
    /// `f` of the calls throttled it stays at 1 / (1 + 2 f): a half where half of them are.
    fn admitted(&mut self, now: Instant) {
        self.share += (1.0 - self.share) * WEIGHT;
        if self.throttled_at.is_some_and(|throttled_at| now.duration_since(throttled_at) >= RECOVERY) {
            (self.share, self.throttled_at) = (1.0, None);
        }
    }

    fn throttled(&mut self, now: Instant) {
        self.share -= self.share * 2.0 * WEIGHT;
        self.throttled_at = Some(now);
    }
}

impl TokenBucket {
    /// `SubmitJob` calls a second in one account and Region. Source: AWS Batch quotas.
    pub const SUBMIT_JOB_PER_SECOND: f64 = 50.0;

    /// Keeps to `per_second`, which is 1 at least.
    pub fn new(per_second: f64) -> Self {
        let state = Fill { next: Instant::now(), share: 1.0, throttled_at: None, sharers: 1 };
        Self { per_second: per_second.max(SLOWEST), state: Mutex::new(state) }
    }

    /// Leaves the others their parts of the rate: it is divided among so many, itself included.
    pub(crate) fn share_among(&self, sharers: u32) {
        self.with_fill(|state| state.sharers = sharers.max(1));
    }

    fn with_fill<T>(&self, change: impl FnOnce(&mut Fill) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the next token and says when it is there. Those who wait are admitted in turn.
    fn take(&self, now: Instant) -> Instant {
        self.with_fill(|state| {
            let at = state.next.max(now);
            state.admitted(at);
            let rate = (self.per_second * state.share / f64::from(state.sharers)).max(SLOWEST);
            state.next = at + Duration::from_secs_f64(1.0 / rate);
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
        self.with_fill(|state| state.throttled(now));
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

    /// Admitted in a minute, after a minute to settle, where one call in so many is throttled.
    async fn under_throttles(one_in: u32) -> f64 {
        let bucket = TokenBucket::default();
        let start = Instant::now();
        let (mut calls, mut counted) = (0, 0);
        while start.elapsed() < Duration::from_secs(120) {
            bucket.admit().await;
            calls += 1;
            counted += u32::from(start.elapsed() >= Duration::from_secs(60));
            if calls % one_in == 0 {
                bucket.throttled();
            }
        }
        f64::from(counted) / 60.0
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_that_is_left_follows_the_share_of_calls_that_are_answered() {
        for (one_in, expected) in [(2, 25.0), (4, 33.3), (10, 41.7), (1, 16.7)] {
            let rate = under_throttles(one_in).await;
            assert!((rate - expected).abs() < 2.0, "one in {one_in}: {rate} a second");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_throttles_slows_it_down_and_it_recovers() {
        let bucket = TokenBucket::default();
        for _ in 0..10 {
            bucket.throttled();
        }
        let slow = admitted(&bucket, 1).await;
        assert!((15..=35).contains(&slow), "{slow}");
        tokio::time::advance(RECOVERY).await;
        admitted(&bucket, 1).await;
        let recovered = admitted(&bucket, 1).await;
        assert!((48..=51).contains(&recovered), "{recovered}");
    }

    #[tokio::test(start_paused = true)]
    async fn it_never_stands_still() {
        let bucket = TokenBucket::new(1.5);
        for _ in 0..200 {
            bucket.throttled();
        }
        assert!(admitted(&bucket, 10).await >= 10);
    }
}
