//! The controller of a state folder: opened, asked, and told to take up what was left.

use std::collections::{BTreeSet, VecDeque};

use tokio::sync::mpsc::UnboundedReceiver;

use super::LocalError;
use super::observer::Silent;
use super::of_their_runs::OfTheirRuns;
use super::pump::Pump;
use super::state_dir::{StateDir, StateDirLock};
use super::take_up::{finish_runs, take_up};
use crate::Gathering as _;
use crate::directory::DirectoryObjectStore;
use crate::domain::limits::DESCRIBE_JOBS_MAX;
use crate::domain::{JobId, RunId, RunState};
use crate::engine::{
    EngineConfig, KeptSetups, LocalEngine, LogDirectory, ProcessRunner, ProcessSettings, SeededScript, Setup,
    SimulatedRunner,
};
use crate::events::JobStateChange;
use crate::ports::{Clock, JobEngine, NoBus, OneByOne, RunStore};
use crate::sqlite::SqliteStore;
use crate::use_cases::reconcile::Reconciled;
use crate::use_cases::record_state::Recorder;
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

/// The controller of one state folder. Holds the folder's lock as long as it lives.
pub struct Controller<C> {
    pub(super) store: SqliteStore,
    pub(super) bucket: DirectoryObjectStore,
    /// `None`: nothing writes logs.
    pub(super) logs: Option<LogDirectory>,
    pub(super) engine: LocalEngine,
    pub(super) events: UnboundedReceiver<JobStateChange>,
    pub(super) clock: C,
    pub(super) dir: StateDir,
    pub(super) setups: KeptSetups,
    /// How the jobs of this controller's runs are started. `None`: nothing starts processes.
    pub(super) setup: Option<Setup>,
    pub(super) requested_by: Option<String>,
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
        if starts_jobs {
            dir.keep_for(matches!(options.mode, Mode::Simulated { .. }))?;
        }
        let store = match options.mode {
            Mode::Processes(_) => SqliteStore::open(&dir.database())?,
            Mode::Simulated { .. } => SqliteStore::open_gathering(&dir.database())?,
        };
        let (sender, events) = tokio::sync::mpsc::unbounded_channel();
        let vcpus = options.vcpus.unwrap_or_else(cores);
        let of_machine = match &options.mode {
            Mode::Processes(_) => EngineConfig::on_this_machine(vcpus),
            Mode::Simulated { .. } => EngineConfig::with_vcpus(vcpus),
        };
        let config = EngineConfig { starts_jobs, ..of_machine };
        let setups = dir.setups();
        let setup = match &options.mode {
            Mode::Processes(settings) => Some(Setup::of(settings).map_err(|error| dir.failed(error))?),
            Mode::Simulated { .. } => None,
        };
        if let Some(setup) = &setup {
            // Before the engine starts what waits.
            setups.replace_of_its_file(setup).map_err(|error| dir.failed(error))?;
        }
        let engine = match &options.mode {
            Mode::Processes(settings) => {
                let books = dir.books()?;
                let runner = ProcessRunner::open(dir.root(), settings.clone(), clock.clone())?;
                LocalEngine::start(config, books, runner, clock.clone(), sender).await?
            }
            Mode::Simulated { seed } => {
                let books = dir.books_beside(&store)?;
                let runner = SimulatedRunner::new(SeededScript::new(*seed));
                LocalEngine::start(config, books, runner, clock.clone(), sender).await?
            }
        };
        let logs = matches!(options.mode, Mode::Processes(_)).then(|| dir.logs());
        let (bucket, requested_by, dir) = (dir.bucket(), None, dir.clone());
        Ok(Self { store, bucket, logs, engine, events, clock, dir, setups, setup, requested_by, _lock: lock })
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
        let Self { store, bucket, logs, engine, events, clock, setups, .. } = &mut *self;
        let (store, pace, clock) = (&*store, &*engine, &*clock);
        let engine = &OfTheirRuns { engine: pace, store, setups };
        let recorder = Recorder { store, engine, pace, clock, bus: &NoBus, policy: SubmitPolicy::default() };
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
        let Self { store, bucket, logs, engine: pace, clock, setups, .. } = &*self;
        let engine = &OfTheirRuns { engine: pace, store, setups };
        let recorder = Recorder { store, engine, pace, clock, bus: &NoBus, policy: SubmitPolicy::default() };
        let logs = logs.as_ref().map(|logs| (logs, bucket));
        let done =
            take_up(&Pump { recorder, logs, observer: &Silent, redeliveries: VecDeque::new() }).await?;
        self.forget_setups().await?;
        Ok(done)
    }

    /// Removes the setups of runs that have ended. Everything that was left must have been taken up.
    pub(super) async fn forget_setups(&self) -> Result<(), LocalError> {
        let names = self.setups.names().map_err(|error| self.dir.failed(error))?;
        if names.is_empty() {
            return Ok(());
        }
        let in_use = self.engine.setups().await?;
        for name in names.iter().filter(|name| !in_use.contains(*name)) {
            let run = match RunId::parse(name) {
                Ok(run_id) => self.store.run(&run_id).await?,
                Err(_) => None,
            };
            // A job of a run that has not ended may be submitted again. One that was killed while it read its file has no end, and
            // what it left was taken up or has ended.
            if run.is_none_or(|run| run.end.is_some() || run.state == RunState::Submitting) {
                self.setups.remove(name).map_err(|error| self.dir.failed(error))?;
            }
        }
        Ok(())
    }

    /// Ends the cancellation of runs none of whose jobs is under way any more, and the runs with it.
    pub async fn finish_cancelled_runs(&self) -> Result<(), LocalError> {
        Ok(finish_runs(&self.store, &self.engine, &self.clock).await?)
    }
}

/// vCPUs of this machine: its cores.
pub fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX))
}
