//! Until an object is there.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::failure::{Failure, FailureCode};
use super::look::{Info, info};
use super::many;
use crate::domain::S3Uri;
use crate::ports::Buckets;

/// How often, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Between the first two looks; the next times twice as long each.
    pub first: Duration,
    /// The longest time between two looks.
    pub longest: Duration,
    /// When it ends.
    pub end: Instant,
}

impl Patience {
    /// Until a moment, from a quarter of a second to ten between two looks.
    pub fn until(end: Instant) -> Self {
        Self { first: Duration::from_millis(250), longest: Duration::from_secs(10), end }
    }
}

/// Looks for an object, at once and again, until it is there. Errs with the time where it never was. A
/// denial does not pass and ends the wait; an S3 that can't answer does not end it.
pub async fn wait<B: Buckets>(buckets: &B, object: &S3Uri, patience: Patience) -> Result<Info, Failure> {
    let mut pause = patience.first;
    loop {
        let failure = match many::by(Some(patience.end), info(buckets, object, None)).await {
            Ok(info) => return Ok(info),
            Err(failure) => failure,
        };
        let may_come = failure.code == FailureCode::NotFound || failure.may_pass();
        if !may_come {
            return Err(failure);
        }
        let next = Instant::now() + pause;
        if next >= patience.end {
            sleep_until(patience.end).await;
            let message = format!("{object}: the time was over before it was there; last: {failure}");
            return Err(Failure::new(FailureCode::TimeOver, message));
        }
        sleep_until(next).await;
        pause = (pause * 2).min(patience.longest);
    }
}
