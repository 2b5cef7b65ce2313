//! How AWS is reached.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

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
    /// `--profile`, `AWS_PROFILE`.
    pub profile: Option<String>,
    /// `--endpoint-url`, `AWS_ENDPOINT_URL`.
    pub endpoint_url: Option<String>,
}

/// The configuration from which every client is made.
pub async fn connect(connection: &Connection) -> SdkConfig {
    let http_client =
        aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .app_name(AppName::new("batchwright").expect("the name holds letters only"))
        .http_client(http_client)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
    if let Some(region) = &connection.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &connection.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(endpoint_url) = &connection.endpoint_url {
        loader = loader.endpoint_url(endpoint_url);
    }
    loader.load().await
}
