//! A pace that is divided among all who submit.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::warn;

use super::TokenBucket;
use crate::ports::{Clock, SubmissionPace, SubmissionShares};

/// How often a program says that it submits, and hears how many do.
const RENEWED_EVERY: Duration = Duration::from_secs(5);

/// For how long it says so: a program that ends leaves its part to the others by then. In milliseconds.
const LEASE_MS: i64 = 15_000;

/// A [`TokenBucket`] whose rate is that of the account: the programs that submit at the same time have equal parts of
/// it. A program that begins takes no more than its part at once; the others make room within five seconds. While
/// the list of programs can't be reached, the last number holds.
#[derive(Debug)]
pub struct SharedPace<S, C> {
    bucket: TokenBucket,
    shares: S,
    clock: C,
    renewed_at: Mutex<Option<Instant>>,
}

impl<S: SubmissionShares, C: Clock> SharedPace<S, C> {
    /// Divides `per_second` among those whom `shares` lists.
    pub fn new(per_second: f64, shares: S, clock: C) -> Self {
        Self { bucket: TokenBucket::new(per_second), shares, clock, renewed_at: Mutex::default() }
    }

    async fn renew(&self) {
        let mut renewed_at = self.renewed_at.lock().await;
        if renewed_at.is_some_and(|renewed_at| renewed_at.elapsed() < RENEWED_EVERY) {
            return;
        }
        let now = self.clock.now();
        match self.shares.renew(now, now.plus_millis(LEASE_MS)).await {
            Ok(sharers) => self.bucket.share_among(sharers),
            Err(error) => warn!(%error, "how many submit at present can't be told"),
        }
        *renewed_at = Some(Instant::now());
    }
}

impl<S: SubmissionShares, C: Clock> SubmissionPace for SharedPace<S, C> {
    async fn admit(&self) {
        self.renew().await;
        self.bucket.admit().await;
    }

    fn throttled(&self) {
        self.bucket.throttled();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Arc, PoisonError};

    use super::*;
    use crate::domain::Timestamp;
    use crate::ports::PortError;

    #[derive(Clone)]
    struct VirtualClock(Instant);

    impl Clock for VirtualClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(i64::try_from(self.0.elapsed().as_millis()).unwrap())
        }
    }

    #[derive(Default)]
    struct List {
        until: std::sync::Mutex<BTreeMap<u32, Timestamp>>,
        fails: AtomicU32,
        asked: AtomicU32,
    }

    #[derive(Clone)]
    struct Listed(Arc<List>, u32);

    impl SubmissionShares for Listed {
        async fn renew(&self, now: Timestamp, until: Timestamp) -> Result<u32, PortError> {
            self.0.asked.fetch_add(1, Ordering::Relaxed);
            if self.0.fails.load(Ordering::Relaxed) > 0 {
                return Err(PortError::throttled("UpdateItem", None));
            }
            let mut list = self.0.until.lock().unwrap_or_else(PoisonError::into_inner);
            list.insert(self.1, until);
            Ok(u32::try_from(list.values().filter(|until| **until > now).count()).unwrap())
        }
    }

    /// Submits for so long, and returns how often it was admitted.
    async fn submits(list: &Arc<List>, number: u32, clock: &VirtualClock, seconds: u64) -> u32 {
        let pace = SharedPace::new(50.0, Listed(Arc::clone(list), number), clock.clone());
        let start = Instant::now();
        let mut admitted = 0;
        while start.elapsed() < Duration::from_secs(seconds) {
            pace.admit().await;
            admitted += 1;
        }
        admitted
    }

    #[tokio::test(start_paused = true)]
    async fn ten_uploads_at_once_keep_to_the_accounts_rate_and_have_equal_parts() {
        let (list, clock) = (Arc::default(), VirtualClock(Instant::now()));
        let all = (0..10).map(|number| submits(&list, number, &clock, 120));
        let admitted = futures_util::future::join_all(all).await;
        let sum: u32 = admitted.iter().sum();
        // 50 a second for 120 seconds, and what those do too many who heard too early of too few.
        assert!((5_900..=6_600).contains(&sum), "{sum}");
        let (least, most) = (admitted.iter().min().unwrap(), admitted.iter().max().unwrap());
        assert!(most - least <= 250, "{admitted:?}");
        let asked = list.asked.load(Ordering::Relaxed);
        assert!(asked <= 10 * 25, "{asked}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_ends_leaves_its_part_to_the_others() {
        let (list, clock) = (Arc::default(), VirtualClock(Instant::now()));
        let (short, long) = tokio::join!(submits(&list, 1, &clock, 60), submits(&list, 2, &clock, 180));
        assert!((1_450..=1_900).contains(&short), "{short}");
        // Half of the rate for a minute, the lease, and the whole for the rest.
        assert!((6_500..=7_600).contains(&long), "{long}");
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_list_can_t_be_reached_the_last_number_holds() {
        let (list, clock): (Arc<List>, _) = (Arc::default(), VirtualClock(Instant::now()));
        list.until.lock().unwrap().insert(9, Timestamp::from_millis(3_600_000));
        let pace = SharedPace::new(50.0, Listed(Arc::clone(&list), 1), clock);
        pace.admit().await;
        list.fails.store(1, Ordering::Relaxed);
        let start = Instant::now();
        for _ in 0..1_000 {
            pace.admit().await;
        }
        let seconds = start.elapsed().as_secs();
        assert!((38..=42).contains(&seconds), "{seconds}");
        assert!(list.asked.load(Ordering::Relaxed) <= 10, "it is not asked for each job");
    }
}
