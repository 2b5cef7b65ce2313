//! Opens the state folder, listens, stops.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::access::Access;
use super::batch::Batch;
use super::client_environment::client_environment;
use super::events::{EventTarget, Policy, deliver};
use super::fault::Fault;
use super::logs::Logs;
use super::resources::Shelf;
use super::routes::router;
use crate::domain::JobDefinition;
use crate::engine::{
    BooksError, EngineConfig, KeptSetups, LocalEngine, LogDirectory, ProcessRunner, ProcessRunnerError,
    ProcessSettings, Setup,
};
use crate::local::{StateDir, StateDirError, StateDirLock, answer_stop_requests, cores};
use crate::ports::{Clock, PortError};
use crate::sqlite::SqliteStore;

/// How long requests and events that are under way are waited for at the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// By which name an endpoint keeps how its jobs are started.
const SETUP: &str = "serve";

/// How the endpoint is set up.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The state folder.
    pub state_dir: StateDir,
    /// The interface that is listened on.
    pub host: IpAddr,
    /// 0: given by the system.
    pub port: u16,
    /// Which requests are served.
    pub access: Access,
    /// vCPUs that jobs may use at once; `None`: the machine's cores.
    pub vcpus: Option<u32>,
    /// How jobs run.
    pub processes: ProcessSettings,
    /// Job queues that are made at the start. Where there are none, jobs may be submitted to any.
    pub queues: Vec<String>,
    /// Job definitions that are registered at the start.
    pub definitions: Vec<JobDefinition>,
    /// Where job state changes are sent.
    pub events_to: Option<EventTarget>,
}

/// Why the endpoint can't be served.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The state folder can't be used.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The engine's books can't be used.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// The state can't be opened.
    #[error(transparent)]
    State(#[from] PortError),
    /// Processes can't be run from the folder.
    #[error(transparent)]
    Runner(#[from] ProcessRunnerError),
    /// What clients registered before can't be read, or what is given can't be registered.
    #[error("{}: job definitions and queues: {why}", .folder.display())]
    Resources {
        /// The state folder.
        folder: PathBuf,
        /// What went wrong.
        why: String,
    },
    /// Other machines could ask, and nothing tells which may.
    #[error("{0}")]
    Access(String),
    /// The port can't be listened on.
    #[error("{address} can't be listened on: {source}; give another --port or --host")]
    Listen {
        /// The interface and the port.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The engine could not go on.
    #[error(
        "the job engine has stopped, see above; what runs goes on by itself, and the same command takes it up"
    )]
    EngineStopped,
    /// Listening failed.
    #[error("the endpoint stopped: {0}")]
    Serve(io::Error),
}

/// Answers over an engine that somebody else has started, as long as this is polled. Jobs may be submitted to any queue;
/// what is registered lies in `folder`, as do the logs.
pub async fn serve_engine<C: Clock + 'static>(
    listener: TcpListener,
    engine: LocalEngine,
    folder: &Path,
    vcpus: u32,
    clock: C,
) -> Result<(), WireError> {
    let failed =
        |error: io::Error| WireError::Resources { folder: folder.to_owned(), why: error.to_string() };
    let shelf = Arc::new(Shelf::open(folder).map_err(failed)?);
    let logs = Logs::new(LogDirectory::new(folder), Arc::clone(&shelf));
    let batch = Batch { engine, shelf, any_queue: true, vcpus, clock: Arc::new(clock) };
    let served = axum::serve(listener, router(Arc::new(batch), logs, Access::default())).await;
    served.map_err(WireError::Serve)
}

/// An endpoint that listens: connections wait until it is served.
pub struct WireServer {
    listener: TcpListener,
    access: Access,
    batch: Arc<Batch>,
    logs: Logs,
    engine: LocalEngine,
    /// What other processes ask for.
    requests: SqliteStore,
    delivery: Option<JoinHandle<()>>,
    setups: KeptSetups,
    _lock: StateDirLock,
}

impl WireServer {
    /// Opens a state folder, or makes it, and listens. What an earlier process
    /// left running is taken up again.
    pub async fn open<C: Clock + Clone + 'static>(
        options: ServeOptions,
        clock: C,
    ) -> Result<Self, WireError> {
        options.access.check(options.host).map_err(WireError::Access)?;
        let dir = &options.state_dir;
        let lock = dir.lock()?;
        dir.keep_for(false)?;
        let folder = dir.root().to_owned();
        let failed = |why: String| WireError::Resources { folder: folder.clone(), why };
        let shelf = Shelf::open(dir.root()).map_err(|error| failed(error.to_string()))?;
        let address = SocketAddr::new(options.host, options.port);
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| WireError::Listen { address, source })?;
        let vcpus = options.vcpus.unwrap_or_else(cores);
        let requests = SqliteStore::open(&dir.database())?;
        let books = dir.books()?;
        let mut processes = options.processes;
        let address = listener.local_addr().map_err(WireError::Serve)?;
        let clients = client_environment(address, options.access.token.as_deref());
        processes.environment.splice(0..0, clients.iter().cloned());
        processes.container_environment.splice(0..0, clients);
        // Whatever takes up what an endpoint leaves starts it as the latest endpoint did.
        let setup = Setup::of(&processes).and_then(|setup| dir.setups().keep(SETUP, &setup));
        setup.map_err(|error| dir.failed(error))?;
        let runner = ProcessRunner::open(dir.root(), processes, clock.clone())?;
        let (sender, events) = mpsc::unbounded_channel();
        let engine =
            LocalEngine::start(EngineConfig::on_this_machine(vcpus), books, runner, clock.clone(), sender)
                .await?
                .starting_by(Some(SETUP));
        let delivery = options.events_to.map(|target| {
            let sender = target.sender();
            tokio::spawn(async move { deliver(events, &sender, Policy::default()).await })
        });
        let any_queue = options.queues.is_empty();
        let shelf = Arc::new(shelf);
        let batch = Batch {
            engine: engine.clone(),
            shelf: Arc::clone(&shelf),
            any_queue,
            vcpus,
            clock: Arc::new(clock),
        };
        let refused = |fault: Fault| failed(fault.message().to_owned());
        batch.register_given(options.definitions).await.map_err(refused)?;
        batch.create_given(&options.queues).await.map_err(refused)?;
        let logs = Logs::new(dir.logs(), shelf);
        let access = options.access;
        let (batch, setups) = (Arc::new(batch), dir.setups());
        Ok(Self { listener, access, batch, logs, engine, requests, delivery, setups, _lock: lock })
    }

    /// The endpoint's address, as in `http://127.0.0.1:4567`.
    pub fn url(&self) -> io::Result<String> {
        Ok(format!("http://{}", self.listener.local_addr()?))
    }

    /// Answers until `stop` comes. Returns how many jobs have not ended, an array being one: what runs goes on by itself, and
    /// the next endpoint on the folder takes it up.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<usize, WireError> {
        let Self { listener, access, batch, logs, engine, requests, delivery, setups, _lock } = self;
        let (stopping, stopped) = oneshot::channel();
        let signal = async move {
            stop.await;
            // The receiver waits as long as this is served.
            let _ = stopping.send(());
        };
        let serving = axum::serve(listener, router(batch, logs, access)).with_graceful_shutdown(signal);
        let deadline = async {
            match stopped.await {
                Ok(()) => tokio::time::sleep(FAREWELL).await,
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            served = serving => served.map_err(WireError::Serve)?,
            () = engine.stopped() => return Err(WireError::EngineStopped),
            () = deadline => {}
            () = answer_stop_requests(&requests, &engine) => {}
        }
        // An end is in the books, and so in an answer, a moment before it is counted.
        engine.shutdown().await;
        let unfinished = engine.submissions();
        if unfinished == 0
            && let Err(error) = setups.remove(SETUP)
        {
            tracing::warn!(%error, "how jobs were started is still kept");
        }
        if let Some(delivery) = delivery
            && tokio::time::timeout(FAREWELL, delivery).await.is_err()
        {
            tracing::warn!("events were lost because their target did not take them in before the end");
        }
        Ok(unfinished)
    }
}
