//! The client itself: what everything made from one config shares.

use std::any::Any;
use std::sync::Arc;

use batchwright_control::pace::TokenBucket;
use batchwright_control::use_cases::record_state::Recorder;
use batchwright_control::use_cases::submit::SubmitPolicy;

use crate::any::{AnyEngine, AnyLogSource, AnyStore};
use crate::config::Config;
use crate::follow::Looks;
use crate::limited::Limited;
use crate::ports::{NoBus, SystemClock};

/// Submits jobs once by name, follows them and stops them. Clones are handles on the same client: they share its
/// store, its limit of calls under way and its looks at jobs.
///
/// ```
/// # mod batchwright { pub use batchwright_client::*; pub use batchwright_core::*; }
/// use batchwright::{Client, Config};
/// use batchwright::domain::{JobSpec, JobStatus};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::simulated(7, Config::default()).await?;
/// let first = JobSpec::named("first", "queue", "definition:1")?.command(["echo", "hello"]);
/// let second = JobSpec::named("second", "queue", "definition:1")?.command(["echo", "world"]).after(&first);
/// let jobs = client.run([first, second]).await?;
/// assert!(jobs.iter().all(|job| job.status().is_some_and(JobStatus::is_terminal)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) engine: Limited<AnyEngine>,
    pub(crate) store: AnyStore,
    pub(crate) logs: Limited<AnyLogSource>,
    pub(crate) pace: TokenBucket,
    pub(crate) config: Config,
    pub(crate) looks: Looks,
    /// What must live as long as the client: the lock of a state folder.
    _kept: Box<dyn Any + Send + Sync>,
}

impl Client {
    /// A client on parts of your own: an engine, a store and a source of logs.
    pub fn new(engine: AnyEngine, store: AnyStore, logs: AnyLogSource, config: Config) -> Self {
        Self::keeping(engine, store, logs, config, ())
    }

    /// The same, with what must live as long as the client.
    pub(crate) fn keeping(
        engine: AnyEngine,
        store: AnyStore,
        logs: AnyLogSource,
        config: Config,
        kept: impl Any + Send + Sync,
    ) -> Self {
        let calls = config.calls();
        let shared = Shared {
            engine: Limited { port: engine, calls: Arc::clone(&calls) },
            store,
            logs: Limited { port: logs, calls },
            pace: TokenBucket::new(config.submissions_per_second),
            looks: Looks::new(*config.pause.start()),
            config,
            _kept: Box::new(kept),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Where the jobs are kept: everything that the ports answer can be asked of it.
    pub fn store(&self) -> &AnyStore {
        &self.shared.store
    }

    /// The config that it was made from.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn recorder(&self) -> Recorder<'_, AnyStore, Limited<AnyEngine>, TokenBucket, SystemClock> {
        let Shared { store, engine, pace, .. } = self.shared();
        Recorder { store, engine, pace, clock: &SystemClock, bus: &NoBus, policy: SubmitPolicy::default() }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("config", &self.shared.config).finish_non_exhaustive()
    }
}
