//! The ways to make a client.

use crate::any::{AnyEngine, AnyLogSource};
use crate::client::Client;
use crate::config::Config;
use crate::error::ClientError;
use crate::store;

#[cfg(feature = "aws")]
impl Client {
    /// A client of AWS Batch and CloudWatch Logs, and of the store that the config names.
    ///
    /// Errs where the store can't be opened. Credentials are looked for at the first call.
    pub async fn connect(config: Config) -> Result<Self, ClientError> {
        use aws_config::retry::RetryConfig;
        use batchwright_aws::aws::{BatchJobEngine, CloudWatchLogSource};

        let found = config.to_sdk_config().await;
        let store = match config.store.strip_prefix("dynamodb://") {
            // With the credentials and the Region of the client.
            #[cfg(feature = "dynamodb")]
            Some(name) if !name.is_empty() => store::dynamodb(&found, name),
            _ => store::open(&config.store).await?,
        };
        // The client repeats calls itself, and gives its place to another call meanwhile.
        let once = found.into_builder().retry_config(RetryConfig::disabled()).build();
        let engine = BatchJobEngine::new(aws_sdk_batch::Client::new(&once));
        let logs = CloudWatchLogSource::new(aws_sdk_cloudwatchlogs::Client::new(&once));
        Ok(Self::new(AnyEngine::new(engine), store, AnyLogSource::new(logs), config))
    }
}

#[cfg(feature = "local")]
impl Client {
    /// A client of an engine that runs nothing: a script decides by the seed how each job ends, on tokio's time. For
    /// tests, where tokio's clock is paused and hours pass at once.
    pub async fn simulated(seed: u64, config: Config) -> Result<Self, ClientError> {
        let store = store::open(&config.store).await?;
        Self::simulated_over(seed, store, config).await
    }

    /// The same over a store of one's own. The config's URL of a store is not looked at.
    pub async fn simulated_over(
        seed: u64,
        store: crate::AnyStore,
        config: Config,
    ) -> Result<Self, ClientError> {
        use crate::engine::{EngineConfig, LocalEngine, MemoryBooks, SeededScript, SimulatedRunner};
        use crate::ports::SystemClock;

        // Nobody listens to the events: those who wait ask the engine.
        let (events, _) = tokio::sync::mpsc::unbounded_channel();
        let runner = SimulatedRunner::new(SeededScript::new(seed));
        let settings = EngineConfig::with_vcpus(16);
        let engine = LocalEngine::start(settings, MemoryBooks::default(), runner, SystemClock, events).await;
        let engine = engine.map_err(|error| ClientError::Engine(error.to_string()))?;
        Ok(Self::new(AnyEngine::new(engine.clone()), store, AnyLogSource::new(engine), config))
    }
}

#[cfg(feature = "aws")]
impl Config {
    /// The SDK's configuration: the one that was given, or one by Region, profile and endpoint, found at the first call and
    /// kept from then on. Its accessors tell what is in force, and a client of any service is made from it, over the same pool
    /// of connections, as in `aws_sdk_sqs::Client::new(&config.to_sdk_config().await)`. Such a client's calls do not count
    /// among [`calls_at_once`](Config::calls_at_once).
    pub async fn to_sdk_config(&self) -> aws_config::SdkConfig {
        use batchwright_aws::aws::{Connection, connect};

        let found = self.connection.get_or_init(async || match self.sdk_config.clone() {
            Some(given) => given,
            None => {
                let connection = Connection {
                    region: self.region.clone(),
                    profile: self.profile.clone(),
                    endpoint_url: self.endpoint_url.clone(),
                    ..Connection::default()
                };
                connect(&connection).await
            }
        });
        found.await.clone()
    }
}
