//! Everything that can be set about a client.

use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::limited::Calls;

/// The settings of a [`Client`](crate::Client) and of everything made from it. The defaults are good for a program
/// that runs beside nothing else in its account.
///
/// Whatever is made from one config and its clones has one pool of connections and one limit of calls under way: clients,
/// functions and documents together. A clone goes its own way where its settings of the connection or of the limit are
/// changed afterwards.
///
/// ```
/// # use batchwright_client as batchwright;
/// use std::time::Duration;
/// use batchwright::Config;
///
/// let config = Config::default()
///     .region("eu-west-1")
///     .store("sqlite:jobs.db")
///     .pause(Duration::from_secs(2)..=Duration::from_secs(20));
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    #[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "a connection to AWS reads it"))]
    pub(crate) region: Option<String>,
    #[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "a connection to AWS reads it"))]
    pub(crate) profile: Option<String>,
    #[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "a connection to AWS reads it"))]
    pub(crate) endpoint_url: Option<String>,
    #[cfg(feature = "aws")]
    pub(crate) sdk_config: Option<aws_config::SdkConfig>,
    #[cfg_attr(
        not(any(feature = "aws", feature = "local")),
        expect(dead_code, reason = "a client that is made from parts brings its own store")
    )]
    pub(crate) store: String,
    pub(crate) calls_at_once: usize,
    pub(crate) submissions_per_second: f64,
    pub(crate) retries: u32,
    pub(crate) jitter: RangeInclusive<Duration>,
    pub(crate) pause: RangeInclusive<Duration>,
    /// Made with the first thing that calls.
    calls: Arc<OnceLock<Arc<Calls>>>,
    /// Made with the first thing that is connected; its HTTP client is the pool.
    #[cfg(feature = "aws")]
    pub(crate) connection: Arc<tokio::sync::OnceCell<aws_config::SdkConfig>>,
}

/// A look at jobs costs calls of AWS Batch, whose quota the account shares, and a pause of nothing could never grow.
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// A longer pause between two looks would miss jobs: AWS Batch may forget one a day after its end.
const WAIT_MAX: Duration = Duration::from_secs(12 * 3_600);

impl Config {
    /// Calls under way at once, of everything made from one client, where the config does not say.
    pub const CALLS_AT_ONCE: usize = 10;
    /// Further tries of a call that may be repeated, where the config does not say.
    pub const RETRIES: u32 = 4;
    /// The shortest and the longest wait before a call is repeated, where the config does not say.
    pub const JITTER: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(10);
    /// The shortest and the longest wait between two looks at jobs, where the config does not say.
    pub const PAUSE: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(30);
    /// `SubmitJob` calls a second, where the config does not say: the quota of an account and Region.
    pub const SUBMISSIONS_PER_SECOND: f64 = batchwright_control::pace::TokenBucket::SUBMIT_JOB_PER_SECOND;

    /// The AWS Region. Default: as every AWS program finds it.
    #[must_use]
    pub fn region(self, region: impl Into<String>) -> Self {
        Self { region: Some(region.into()), ..self.connected_anew() }
    }

    /// The profile of the AWS configuration: its credentials, whatever the environment holds, and its Region where the
    /// environment names none. One that is not there is told by the first call. Default: as every AWS program finds it, with
    /// `AWS_ACCESS_KEY_ID` before `AWS_PROFILE`.
    #[must_use]
    pub fn profile(self, profile: impl Into<String>) -> Self {
        Self { profile: Some(profile.into()), ..self.connected_anew() }
    }

    /// Another endpoint than AWS's, for all services.
    #[must_use]
    pub fn endpoint_url(self, url: impl Into<String>) -> Self {
        Self { endpoint_url: Some(url.into()), ..self.connected_anew() }
    }

    /// A configuration of the SDK's own: credentials, HTTP client, time-outs, whatever it holds. Region, profile and
    /// endpoint of this config are not looked at then. Its retries are switched off, because the client repeats
    /// calls itself, without holding one of its places meanwhile.
    #[cfg(feature = "aws")]
    #[must_use]
    pub fn sdk_config(self, config: aws_config::SdkConfig) -> Self {
        Self { sdk_config: Some(config), ..self.connected_anew() }
    }

    /// Where jobs are kept, by a URL that [`store::open`](crate::store::open) knows. Default: `memory:`, which is
    /// gone with the process, so that a second start submits again what the first had submitted.
    #[must_use]
    pub fn store(self, url: impl Into<String>) -> Self {
        Self { store: url.into(), ..self }
    }

    /// Calls under way at once, at least 1, of everything made from this config. A call that waits before it is repeated
    /// does not count, and the store's calls don't. A document of S3 counts as one call until it is done. A call of
    /// [`Functions`](crate::Functions) or of `Documents` that was begun and is not polled, as in a stream between two items, keeps its place.
    #[must_use]
    pub fn calls_at_once(self, calls: usize) -> Self {
        let calls_at_once = calls.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
        Self { calls_at_once, calls: Arc::default(), ..self }
    }

    /// `SubmitJob` calls a second, at least 1.
    #[must_use]
    pub fn submissions_per_second(self, rate: f64) -> Self {
        Self { submissions_per_second: rate, ..self }
    }

    /// Further tries of a call that may be repeated without harm.
    #[must_use]
    pub fn retries(self, retries: u32) -> Self {
        Self { retries, calls: Arc::default(), ..self }
    }

    /// The shortest and the longest wait before a call is repeated, half a day at most.
    #[must_use]
    pub fn jitter(self, jitter: RangeInclusive<Duration>) -> Self {
        Self { jitter: within(&jitter, Duration::ZERO), calls: Arc::default(), ..self }
    }

    /// The shortest and the longest wait between two looks at jobs: it grows from one to the other while nothing
    /// happens. What is below 10 milliseconds counts as that, what is above half a day as that, and a longest wait below the
    /// shortest as the shortest.
    #[must_use]
    pub fn pause(self, pause: RangeInclusive<Duration>) -> Self {
        Self { pause: within(&pause, PAUSE_MIN), ..self }
    }

    /// The limit of everything made from this config.
    pub(crate) fn calls(&self) -> Arc<Calls> {
        let made = || Arc::new(Calls::new(self.calls_at_once, self.retries, self.jitter.clone()));
        Arc::clone(self.calls.get_or_init(made))
    }

    fn connected_anew(self) -> Self {
        Self {
            #[cfg(feature = "aws")]
            connection: Arc::default(),
            ..self
        }
    }
}

/// Waits between the least and [`WAIT_MAX`]. What is longer could not be added to the clock.
fn within(waits: &RangeInclusive<Duration>, least: Duration) -> RangeInclusive<Duration> {
    let shortest = (*waits.start()).clamp(least, WAIT_MAX);
    shortest..=(*waits.end()).clamp(shortest, WAIT_MAX)
}

impl Default for Config {
    fn default() -> Self {
        Self {
            region: None,
            profile: None,
            endpoint_url: None,
            #[cfg(feature = "aws")]
            sdk_config: None,
            store: "memory:".to_owned(),
            calls_at_once: Self::CALLS_AT_ONCE,
            submissions_per_second: Self::SUBMISSIONS_PER_SECOND,
            retries: Self::RETRIES,
            jitter: Self::JITTER,
            pause: Self::PAUSE,
            calls: Arc::default(),
            #[cfg(feature = "aws")]
            connection: Arc::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_kept_to_what_can_be_waited() {
        let ms = Duration::from_millis;
        for (given, kept) in [
            (ms(20)..=ms(30), ms(20)..=ms(30)),
            (Duration::ZERO..=ms(30), ms(10)..=ms(30)),
            (Duration::ZERO..=Duration::ZERO, ms(10)..=ms(10)),
            (ms(60)..=ms(20), ms(60)..=ms(60)),
            (ms(60)..=Duration::MAX, ms(60)..=WAIT_MAX),
            (Duration::MAX..=Duration::MAX, WAIT_MAX..=WAIT_MAX),
        ] {
            assert_eq!(Config::default().pause(given).pause, kept);
        }
        assert_eq!(
            Config::default().jitter(Duration::ZERO..=Duration::MAX).jitter,
            Duration::ZERO..=WAIT_MAX
        );
    }
}
