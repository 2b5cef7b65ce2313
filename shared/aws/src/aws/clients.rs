//! How AWS is reached.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};

use super::http::{Http, Roots};

/// From the start of an attempt until its connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// One attempt, answer and all. `SubmitPolicy::claim_margin_ms` is longer: a call that was started
/// under a claim has ended when the claim has.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// Attempts of one call, by the SDK's standard retries. `SubmitJob` alone is called with none.
const ATTEMPTS: u32 = 5;

/// What a person or a function's environment says of the way to AWS. What is absent is found as every
/// AWS program finds it.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// `--region`, `AWS_REGION`.
    pub region: Option<String>,
    /// `--profile`: its credentials and no others, not even those of the environment. Without it `AWS_PROFILE` is found
    /// as every AWS program finds it, after `AWS_ACCESS_KEY_ID`. One that is not there is told by the first call.
    pub profile: Option<String>,
    /// `--endpoint-url`, `AWS_ENDPOINT_URL`.
    pub endpoint_url: Option<String>,
    /// Whom TLS trusts.
    pub roots: Roots,
}

impl Connection {
    /// For a function of Lambda, whose environment says the rest.
    pub fn of_function(look_up: &impl Fn(&str) -> Option<String>) -> Self {
        Self { roots: Roots::of_function(look_up), ..Self::default() }
    }
}

/// The configuration from which every client is made.
pub async fn connect(connection: &Connection) -> SdkConfig {
    let mut loader = loader(connection);
    if let Some(region) = &connection.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let Some(profile) = &connection.profile else { return loader.load().await };
    let found = loader.no_credentials().load().await;
    let credentials = super::profile::credentials(profile, &found).await;
    found.into_builder().credentials_provider(credentials).build()
}

fn loader(connection: &Connection) -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .app_name(AppName::new("batchwright").expect("the name holds letters only"))
        .http_client(Http::new(connection.roots))
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
    if let Some(profile) = &connection.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(endpoint_url) = &connection.endpoint_url {
        loader = loader.endpoint_url(endpoint_url);
    }
    loader
}

/// The same without credentials, for public data, and without asking the machine's metadata service for a Region:
/// us-east-1 where none is given, from where each bucket's own is found. A profile that is named and not there has
/// credentials after all, which refuse every call.
#[cfg(feature = "s3")]
pub async fn connect_unsigned(connection: &Connection) -> SdkConfig {
    use aws_config::environment::region::EnvironmentVariableRegionProvider;
    use aws_config::meta::region::RegionProviderChain;
    use aws_config::profile::region::ProfileFileRegionProvider;
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = &connection.profile {
        profile = profile.profile_name(name);
    }
    let region = RegionProviderChain::first_try(connection.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(profile.build())
        .or_else(Region::from_static(FALLBACK_REGION));
    let found = loader(connection).region(region).no_credentials().load().await;
    let Some(profile) = &connection.profile else { return found };
    match super::profile::refusing(profile).await {
        Some(refusing) => found.into_builder().credentials_provider(refusing).build(),
        None => found,
    }
}

/// Where S3 is asked if no Region is given: it tells each bucket's own.
#[cfg(feature = "s3")]
const FALLBACK_REGION: &str = "us-east-1";

/// Until an attempt is given up on which nothing moves. What the system has taken of a part, some MiB, still has to pass the
/// link after the last byte was handed over.
#[cfg(feature = "s3")]
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(60);

/// A client for S3, which follows buckets to their Regions and gives up what does not move rather than what takes
/// long. Buckets stand in the path where an endpoint was given, by any of the ways that AWS knows: what is no AWS
/// endpoint seldom has a host name for each bucket.
#[cfg(feature = "s3")]
pub fn s3_client(config: &SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(s3_config(config).build())
}

/// The same by S3's transfer acceleration, for buckets that have it.
#[cfg(feature = "s3")]
pub fn accelerated_s3_client(config: &SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(s3_config(config).accelerate(true).build())
}

#[cfg(feature = "s3")]
fn s3_config(config: &SdkConfig) -> aws_sdk_s3::config::Builder {
    use aws_sdk_s3::config::StalledStreamProtectionConfig;
    let path_style = config.endpoint_url().is_some() || has_own_endpoint(config, "S3");
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(PROGRESS_TIMEOUT).build();
    let stalled =
        StalledStreamProtectionConfig::enabled().upload_enabled(false).grace_period(PROGRESS_TIMEOUT);
    let region = config.region().cloned().unwrap_or(Region::from_static(FALLBACK_REGION));
    let mut builder = aws_sdk_s3::config::Builder::from(config)
        .region(region)
        .force_path_style(path_style)
        .timeout_config(timeouts)
        .stalled_stream_protection(stalled.build())
        .interceptor(super::s3::FollowRegion::default())
        .interceptor(super::s3::BlankKeys)
        .retry_classifier(super::s3::Elsewhere);
    if let Some(http_client) = config.http_client() {
        builder = builder.http_client(super::s3::WithProgress(http_client));
    }
    if config.credentials_provider().is_none() {
        builder = builder.allow_no_auth();
    }
    builder
}

/// Whether the environment or the profile gives one service an endpoint: `AWS_ENDPOINT_URL_S3`.
#[cfg(feature = "s3")]
fn has_own_endpoint(config: &SdkConfig, service: &'static str) -> bool {
    let key = aws_types::service_config::ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .expect("service, variable and field are given");
    config.service_config().and_then(|services| services.load_config(key)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_client_gets_the_same_time_outs_retries_and_name() {
        let connection = Connection {
            region: Some("eu-west-1".into()),
            profile: None,
            endpoint_url: Some("http://127.0.0.1:9".into()),
            roots: Roots::Machine,
        };
        let config = connect(&connection).await;
        assert_eq!(config.region().map(AsRef::as_ref), Some("eu-west-1"));
        assert_eq!(config.endpoint_url(), Some("http://127.0.0.1:9"));
        assert_eq!(config.app_name().map(AsRef::as_ref), Some("batchwright"));
        assert_eq!(config.retry_config().map(RetryConfig::max_attempts), Some(ATTEMPTS));
        let timeouts = config.timeout_config().unwrap();
        assert_eq!(timeouts.connect_timeout(), Some(CONNECT_TIMEOUT));
        assert_eq!(timeouts.operation_attempt_timeout(), Some(ATTEMPT_TIMEOUT));
        assert_eq!(timeouts.operation_timeout(), None, "the attempts have their own");
    }

    #[test]
    fn a_call_has_ended_when_its_claim_has() {
        let margin_ms = batchwright_control::use_cases::submit::SubmitPolicy::default().claim_margin_ms;
        assert!(u128::try_from(margin_ms).unwrap() > ATTEMPT_TIMEOUT.as_millis());
    }
}
