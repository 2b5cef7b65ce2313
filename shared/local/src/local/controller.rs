//! Runs job files on this machine.

use std::collections::{BTreeSet, VecDeque};
use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};

use tokio::fs::File;
use tokio::io::BufReader;
use tokio::sync::mpsc::UnboundedReceiver;
use tracing::warn;

use super::observer::{Observer, Silent};
use super::pump::Pump;
use super::state_dir::{StateDir, StateDirError, StateDirLock};
use super::stop_requests::answer_stop_requests;
use crate::directory::DirectoryObjectStore;
use crate::domain::limits::DESCRIBE_JOBS_MAX;
use crate::domain::{Allowed, JobDefinition, JobId, RunCounts, RunId, RunState, SourceVersion};
use crate::engine::{
    BooksError, Durability, EngineConfig, LocalEngine, LogDirectory, ProcessRunner, ProcessRunnerError,
    ProcessSettings, SeededScript, SimulatedRunner,
};
use crate::events::JobStateChange;
use crate::job_file::{self, JobFile, JobFileError};
use crate::ports::{
    CheckpointStore, Clock, JobEngine, JobStore, LogSource, ObjectStore, OneByOne, PortError, RunStore,
    SubmissionPace,
};
use crate::sqlite::SqliteStore;
use crate::use_cases::reconcile::{ReconcilePolicy, Reconciled, reconcile};
use crate::use_cases::record_state::Recorder;
use crate::use_cases::run_file::{RunEnd, RunFile, RunFileError, reject_file, run_file};
use crate::use_cases::stop::stop_run;
use crate::use_cases::submit::SubmitPolicy;

/// What runs the jobs.
#[derive(Debug, Clone)]
pub enum Mode {
    /// Processes of this machine.
    Processes(ProcessSettings),
    /// Nothing: a script decides how each job ends, by this seed, on tokio's time.
    Simulated {
        /// Equal seeds give equal outcomes.
        seed: u64,
    },
}

/// How the controller runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The state folder.
    pub state_dir: StateDir,
    /// vCPUs that jobs may use at once; `None`: the machine's cores.
    pub vcpus: Option<u32>,
    /// What runs the jobs.
    pub mode: Mode,
}

/// Why a run did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The job file can't be opened.
    #[error("{}: {source}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The job file is wrong: nothing was submitted.
    #[error(transparent)]
    File(#[from] JobFileError),
    /// The state folder can't be used.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The state or the engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The engine's books can't be used.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// Processes can't be run from the folder.
    #[error(transparent)]
    Runner(#[from] ProcessRunnerError),
}

impl From<RunFileError> for LocalError {
    fn from(error: RunFileError) -> Self {
        match error {
            RunFileError::File(error) => error.into(),
            RunFileError::Port(error) => error.into(),
            // Only by a state folder that was opened twice, past its lock.
            overtaken @ RunFileError::Overtaken => PortError::permanent("run", overtaken.to_string()).into(),
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Every job has ended.
    Ended(RunCounts),
    /// Nothing more happens by itself: some jobs stay RUNNABLE, because this machine can't hold them.
    Blocked {
        /// As of a run that has ended.
        counts: RunCounts,
        /// Submissions and children that have not ended, those that wait for others among them.
        unfinished: u64,
    },
    /// It was stopped before. What runs goes on by itself, and is settled at the next start.
    Stopped {
        /// Submissions and children that have not ended.
        unfinished: u64,
    },
}

/// Jobs that are submitted at once: enough to keep the engine's batches full.
const CONCURRENCY: usize = 16;

/// Events taken from the engine at once.
const TOLD_AT_ONCE: usize = 256;

/// Rounds of a run whose jobs could not all be submitted at once.
const ROUNDS: u32 = 10;

/// At the start every claim is a dead process's, because this one holds the folder's lock, and every
/// submission may have moved on unseen. The engine's answers are consistent: nothing is waited for.
const AT_START: ReconcilePolicy = ReconcilePolicy {
    quarantine_ms: -86_400_000,
    silence_ms: -1_000,
    lost_after_ms: 0,
    asked_max: usize::MAX,
    listed_from: 20,
};

/// The controller of one state folder. Holds the folder's lock as long as it lives.
pub struct Controller<C> {
    store: SqliteStore,
    bucket: DirectoryObjectStore,
    /// `None`: nothing writes logs.
    logs: Option<LogDirectory>,
    engine: LocalEngine,
    events: UnboundedReceiver<JobStateChange>,
    clock: C,
    requested_by: Option<String>,
    _lock: StateDirLock,
}

impl<C: Clock + Clone + 'static> Controller<C> {
    /// Opens a state folder, or makes it, and takes up what an earlier process left: the engine
    /// settles what was running, before this returns.
    pub async fn open(options: &Options, clock: C) -> Result<Self, LocalError> {
        Self::open_and(true, options, clock).await
    }

    /// Opens a state folder to stop jobs: none of those that wait is started.
    pub async fn open_to_stop(options: &Options, clock: C) -> Result<Self, LocalError> {
        Self::open_and(false, options, clock).await
    }

    async fn open_and(starts_jobs: bool, options: &Options, clock: C) -> Result<Self, LocalError> {
        let dir = &options.state_dir;
        let lock = dir.lock()?;
        let store = SqliteStore::open(&dir.database())?;
        let (sender, events) = tokio::sync::mpsc::unbounded_channel();
        let vcpus = options.vcpus.unwrap_or_else(cores);
        let of_machine = match &options.mode {
            Mode::Processes(_) => EngineConfig::on_this_machine(vcpus),
            Mode::Simulated { .. } => EngineConfig::with_vcpus(vcpus),
        };
        let config = EngineConfig { starts_jobs, ..of_machine };
        let engine = match &options.mode {
            Mode::Processes(settings) => {
                let books = dir.books(Durability::Machine)?;
                let runner = ProcessRunner::open(dir.root(), settings.clone(), clock.clone())?;
                LocalEngine::start(config, books, runner, clock.clone(), sender).await?
            }
            Mode::Simulated { seed } => {
                let books = dir.books(Durability::Program)?;
                let runner = SimulatedRunner::new(SeededScript::new(*seed));
                LocalEngine::start(config, books, runner, clock.clone(), sender).await?
            }
        };
        let logs = matches!(options.mode, Mode::Processes(_)).then(|| dir.logs());
        let (bucket, requested_by) = (dir.bucket(), None);
        Ok(Self { store, bucket, logs, engine, events, clock, requested_by, _lock: lock })
    }

    /// Says who asks for runs from now on.
    pub fn set_requested_by(&mut self, who: Option<String>) {
        self.requested_by = who;
    }

    /// The state of all jobs.
    pub fn store(&self) -> &SqliteStore {
        &self.store
    }

    /// What stops the folder's jobs.
    pub fn stopper(&self) -> OneByOne<'_, LocalEngine> {
        OneByOne(&self.engine)
    }

    /// Records how submissions ended that were asked to. `waits`: until all of them have. One that was cancelled
    /// has ended at once, or runs on for as long as it takes.
    pub async fn until_ended(&mut self, mut job_ids: BTreeSet<JobId>, waits: bool) -> Result<(), LocalError> {
        let Self { store, bucket, logs, engine, events, clock, .. } = &mut *self;
        let (store, engine, clock) = (&*store, &*engine, &*clock);
        let recorder = Recorder { store, engine, pace: engine, clock, policy: SubmitPolicy::default() };
        let logs = logs.as_ref().map(|logs| (logs, &*bucket));
        let mut pump = Pump { recorder, logs, observer: &Silent, redeliveries: VecDeque::new() };
        let ids: Vec<JobId> = job_ids.iter().cloned().collect();
        for ids in ids.chunks(DESCRIBE_JOBS_MAX) {
            for ended in engine.describe_jobs(ids).await?.iter().filter(|job| job.status.is_terminal()) {
                pump.deliver([ended.state()]).await;
                job_ids.remove(&ended.job_id);
            }
        }
        if !waits {
            job_ids.clear();
        }
        while !job_ids.is_empty() || !pump.redeliveries.is_empty() {
            tokio::select! {
                Some(event) = events.recv() => {
                    if event.detail.status.is_terminal() {
                        job_ids.remove(&event.detail.job_id);
                    }
                    pump.deliver([event.detail.state()]).await;
                }
                () = pump.due() => pump.redeliver().await,
            }
        }
        Ok(())
    }

    /// Takes up what was left behind, once.
    pub async fn reconcile(&mut self) -> Result<Reconciled, LocalError> {
        let Self { store, bucket, logs, engine, clock, .. } = &*self;
        let recorder = Recorder { store, engine, pace: engine, clock, policy: SubmitPolicy::default() };
        let logs = logs.as_ref().map(|logs| (logs, bucket));
        Ok(take_up(&Pump { recorder, logs, observer: &Silent, redeliveries: VecDeque::new() }).await?)
    }

    /// Ends the cancellation of runs none of whose jobs is under way any more.
    pub async fn finish_cancelled_runs(&self) -> Result<(), LocalError> {
        Ok(stop_cancelled_runs(&self.store, &self.engine, &self.clock).await?)
    }

    /// Submits the jobs of a file and waits until every job in the folder has ended, or `stop` comes.
    pub async fn run(
        &mut self,
        path: &Path,
        rerun: bool,
        definitions: Vec<JobDefinition>,
        observer: &dyn Observer,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<(RunId, End), LocalError> {
        let order = self.order(path, rerun);
        let mut file = match open_job_file(path).await {
            Ok(file) => file,
            Err(error) => {
                if let LocalError::File(error) = &error {
                    reject_file(&self.store, &self.bucket, &self.clock, &order, error).await?;
                }
                return Err(error);
            }
        };
        for definition in definitions.into_iter().chain(file.local().job_definitions.iter().cloned()) {
            self.engine.define(definition).await?;
        }
        let mut stop = pin!(stop);
        for _ in 0..ROUNDS {
            let Self { store, bucket, logs, engine, events, clock, .. } = &mut *self;
            let recorder = Recorder {
                store: &*store,
                engine: &*engine,
                pace: &*engine,
                clock: &*clock,
                policy: order.policy,
            };
            let logs = logs.as_ref().map(|logs| (logs, &*bucket));
            let has_processes = logs.is_some();
            let answering = async {
                // In a simulation nobody comes and asks: its time is not that of other processes.
                if has_processes { answer_stop_requests(&*store, &*engine).await } else { pending().await }
            };
            let mut pump = Pump { recorder, logs, observer, redeliveries: VecDeque::new() };
            take_up(&pump).await?;
            let submitting =
                run_file(&*store, &*engine, &*engine, &*clock, &*bucket, &mut file, &order, |line| {
                    observer.reported(line);
                });
            let followed = follow(&mut pump, engine, events, submitting, stop.as_mut());
            let followed = tokio::select! {
                followed = followed => followed,
                () = answering => Ok(None),
            };
            let Some(end) = followed? else {
                let unfinished = self.engine.unfinished() as u64;
                return Ok((order.run_id, End::Stopped { unfinished }));
            };
            let done = take_up(&pump).await?;
            let unfinished = engine.unfinished() as u64;
            // What is blocked is asked about in every pass, and nothing comes of it.
            let asked_about = if unfinished > 0 { done.described } else { 0 };
            let settled = done == Reconciled { described: asked_about, ..Reconciled::default() };
            match end {
                RunEnd::Complete(counts) | RunEnd::Cancelled(counts) if settled && unfinished == 0 => {
                    return Ok((order.run_id, End::Ended(counts)));
                }
                RunEnd::Complete(counts) | RunEnd::Cancelled(counts) if settled && !engine.is_moving() => {
                    return Ok((order.run_id, End::Blocked { counts, unfinished }));
                }
                RunEnd::Complete(_) | RunEnd::ToBeContinued(_) | RunEnd::Cancelled(_) => {
                    file = open_job_file(path).await?;
                }
            }
        }
        let why = format!("{} could not be run to its end in {ROUNDS} rounds; run it again", path.display());
        Err(PortError::retryable("run", why).into())
    }

    fn order(&self, path: &Path, rerun: bool) -> RunFile {
        let source = path.display().to_string();
        let run_id = RunId::derive(&source, "", &self.clock.now().as_millis().to_string());
        let policy = SubmitPolicy::default();
        let requested_by = self.requested_by.clone();
        let source_version = SourceVersion::default();
        let (concurrency, deadline, allowed) = (CONCURRENCY, None, Allowed::default());
        RunFile {
            run_id,
            source,
            source_version,
            rerun,
            requested_by,
            concurrency,
            deadline,
            policy,
            allowed,
        }
    }
}

/// vCPUs of this machine: its cores.
pub fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX))
}

async fn open_job_file(path: &Path) -> Result<JobFile<BufReader<File>>, LocalError> {
    let opened = File::open(path).await;
    let file = opened.map_err(|source| LocalError::Open { path: path.to_owned(), source })?;
    Ok(job_file::open(BufReader::new(file), &path.display().to_string()).await?)
}

/// Delivers events while jobs are submitted and until all have ended. `None`: stopped before.
async fn follow<S, E, P, C, L, O>(
    pump: &mut Pump<'_, S, E, P, C, L, O>,
    engine: &LocalEngine,
    events: &mut UnboundedReceiver<JobStateChange>,
    submitting: impl Future<Output = Result<RunEnd, RunFileError>> + Send,
    mut stop: Pin<&mut (impl Future<Output = ()> + Send)>,
) -> Result<Option<RunEnd>, LocalError>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    L: LogSource,
    O: ObjectStore + CheckpointStore,
{
    let mut submitting = pin!(submitting);
    let (mut end, mut told) = (None, Vec::new());
    loop {
        tokio::select! {
            biased;
            () = &mut stop => return Ok(None),
            1.. = events.recv_many(&mut told, TOLD_AT_ONCE) => {
                pump.deliver(told.drain(..).map(|event| event.detail.state())).await;
            }
            () = engine.stopped() => {
                let why = "the job engine has stopped, see above; what runs goes on by itself, and the same command takes it up";
                return Err(PortError::retryable("run", why).into());
            }
            () = pump.due() => pump.redeliver().await,
            result = &mut submitting, if end.is_none() => end = Some(result),
            () = engine.idle(), if end.is_some() && pump.redeliveries.is_empty() => {
                if events.is_empty() {
                    break;
                }
            }
        }
    }
    match end {
        Some(Err(error)) => Err(error.into()),
        Some(Ok(end)) => Ok(Some(end)),
        None => Ok(None),
    }
}

/// Goes on with runs that somebody has cancelled.
async fn stop_cancelled_runs<S: JobStore + RunStore, E: JobEngine>(
    store: &S,
    engine: &E,
    clock: &impl Clock,
) -> Result<(), PortError> {
    let mut cursor = None;
    loop {
        let since = clock.now().plus_millis(1);
        let page = store.unfinished_runs(since, cursor.as_ref()).await?;
        for run in page.items.iter().filter(|run| run.state == RunState::Cancelling) {
            stop_run(store, &OneByOne(engine), clock, run, 0, |_| ()).await?;
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// Takes up what was left behind: claims, submissions without news, ends not followed up, logs.
async fn take_up<S, E, P, C, L, O>(pump: &Pump<'_, S, E, P, C, L, O>) -> Result<Reconciled, PortError>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    L: LogSource,
    O: ObjectStore + CheckpointStore,
{
    let done = reconcile(&pump.recorder, &AT_START).await?;
    stop_cancelled_runs(pump.recorder.store, pump.recorder.engine, pump.recorder.clock).await?;
    if pump.logs.is_none() {
        return Ok(done);
    }
    let Recorder { store, clock, .. } = pump.recorder;
    let mut cursor = None;
    loop {
        let page = store.unfinished_logs(clock.now(), cursor.as_ref()).await?;
        for submission in &page.items {
            let job_id = &submission.state.job_id;
            if let Err(error) = pump.collect(job_id).await {
                warn!(job.name = %submission.state.job_name, job.id = %job_id, %error, "a log is not archived yet");
            }
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(done),
        }
    }
}
