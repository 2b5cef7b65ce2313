//! A job file is run to its end.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::future::pending;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};

use tokio::fs::File;
use tokio::io::BufReader;
use tokio::sync::mpsc::UnboundedReceiver;

use super::LocalError;
use super::controller::Controller;
use super::observer::Observer;
use super::of_their_runs::OfTheirRuns;
use super::pump::Pump;
use super::stop_requests::answer_stop_requests;
use super::take_up::take_up;
use crate::Gathering as _;
use crate::domain::plan::Skip;
use crate::domain::{JobDefinition, JobName, RunCounts, RunId};
use crate::engine::{LocalEngine, Setup};
use crate::events::JobStateChange;
use crate::job_file::{self, JobFile};
use crate::ports::{
    CheckpointStore, Clock, JobEngine, JobStore, LogSource, NoBus, ObjectStore, PortError, RunStore,
    SubmissionPace,
};
use crate::use_cases::reconcile::Reconciled;
use crate::use_cases::record_state::Recorder;
use crate::use_cases::run_file::{
    ReportLine, ReportOutcome, RunEnd, RunFile, RunFileError, reject_file, run_file,
};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Every job of the file has ended.
    Ended(RunCounts),
    /// Nothing more happens by itself: some jobs stay RUNNABLE, because this machine can't hold them.
    Blocked {
        /// As of a run that has ended.
        counts: RunCounts,
        /// Jobs of the file that have not ended, those that wait for others among them; an array is one.
        unfinished: u64,
    },
    /// It was stopped before. What runs goes on by itself, and is settled at the next start.
    Stopped {
        /// Jobs of the file that have not ended, as far as it was read; an array is one.
        unfinished: u64,
    },
}

/// Jobs of the folder that a run left to others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Others {
    /// Those that have not ended; an array is one.
    pub unfinished: u64,
    /// Their job files, as far as they are known.
    pub files: BTreeSet<PathBuf>,
}

/// Jobs that are submitted at once: enough to keep the engine's batches full.
const CONCURRENCY: usize = 16;

/// Events taken from the engine at once.
const TOLD_AT_ONCE: usize = 256;

/// Rounds of a run whose jobs could not all be submitted at once.
const ROUNDS: u32 = 10;

impl<C: Clock + Clone + 'static> Controller<C> {
    /// Submits the jobs of a file and waits until all of them have ended, those among them that were under way already, or
    /// `stop` comes. Jobs of other files that an earlier process left go on while it lasts.
    pub async fn run(
        &mut self,
        path: &Path,
        rerun: bool,
        definitions: Vec<JobDefinition>,
        observer: &dyn Observer,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<(RunId, End), LocalError> {
        let ran = self.run_until(path, rerun, definitions, observer, stop).await;
        self.store.commit()?;
        if matches!(ran, Ok((_, End::Ended(_) | End::Blocked { .. }))) {
            self.forget_setups().await?;
        }
        ran
    }

    /// The jobs that have not ended and that the latest [`Controller::run`] did not wait for.
    ///
    /// # Errors
    ///
    /// Where the engine has stopped, or what is kept of the runs can't be read.
    pub async fn others(&self) -> Result<Others, LocalError> {
        let unfinished = self.engine.submissions().saturating_sub(self.engine.waited_for()) as u64;
        let mut files = BTreeSet::new();
        if unfinished > 0 {
            let own = self.setup.as_ref().and_then(Setup::job_file);
            for name in self.engine.setups().await?.iter().filter(|name| self.setups.has(name)) {
                let setup = self.setups.read(name).map_err(|error| self.dir.failed(error))?;
                files.extend(setup.job_file().filter(|file| Some(*file) != own).map(Path::to_owned));
            }
        }
        Ok(Others { unfinished, files })
    }

    /// Keeps how the jobs of a run are started, and waits for them and for those that earlier runs of the file have left.
    /// Returns the names of all these setups.
    async fn begin(&mut self, run_id: &RunId) -> Result<HashSet<String>, LocalError> {
        let mut own = HashSet::from([run_id.to_string()]);
        if let Some(setup) = &self.setup {
            let failed = |error| self.dir.failed(error);
            self.setups.keep(run_id.as_str(), setup).map_err(failed)?;
            for name in self.setups.names().map_err(failed)? {
                let is_own = setup.job_file().is_some()
                    && self.setups.read(&name).map_err(failed)?.job_file() == setup.job_file();
                own.extend(is_own.then_some(name));
            }
        }
        self.engine = self.engine.starting_by(Some(run_id.as_str()));
        self.engine.wait_for(own.clone(), HashSet::new()).await?;
        Ok(own)
    }

    async fn run_until(
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
        let own = self.begin(&order.run_id).await?;
        let mut stop = pin!(stop);
        for round in 1..=ROUNDS {
            let Self { store, bucket, logs, engine, events, clock, setups, .. } = &mut *self;
            let recorder = Recorder {
                store: &*store,
                engine: &OfTheirRuns { engine: &*engine, store: &*store, setups: &*setups },
                pace: &*engine,
                clock: &*clock,
                bus: &NoBus,
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
            let under_way = Mutex::new(HashSet::new());
            let submitting = async {
                let each = |line: &ReportLine| {
                    observer.reported(line);
                    if let Some(name) = waited_for(line) {
                        under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
                    }
                };
                let end =
                    run_file(&*store, &*engine, &*engine, &*clock, &*bucket, &mut file, &order, each).await?;
                let names = std::mem::take(&mut *under_way.lock().unwrap_or_else(PoisonError::into_inner));
                engine.wait_for(own.clone(), names).await?;
                Ok(end)
            };
            let followed = follow(&mut pump, engine, events, submitting, stop.as_mut());
            let followed = tokio::select! {
                followed = followed => followed,
                () = answering => Ok(None),
            };
            let Some(end) = followed? else {
                let unfinished = self.engine.waited_for() as u64;
                return Ok((order.run_id, End::Stopped { unfinished }));
            };
            let done = take_up(&pump).await?;
            let unfinished = engine.waited_for() as u64;
            // What is blocked, and what runs for others, is asked about in every pass, and nothing comes of it.
            let asked_about = if engine.submissions() > 0 { done.described } else { 0 };
            let settled = done == Reconciled { described: asked_about, ..Reconciled::default() };
            // Others' jobs may end and be tried again in every pass.
            let is_at_rest = unfinished == 0 || !engine.is_moving();
            let settled = settled || (round == ROUNDS && is_at_rest && engine.submissions() > 0);
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
        let source = source_of(path);
        let run_id = RunId::derive(&source, "", &self.clock.now().as_millis().to_string());
        let requested_by = self.requested_by.clone();
        RunFile { rerun, requested_by, concurrency: CONCURRENCY, ..RunFile::new(run_id, source) }
    }
}

/// What a run keeps as its source: the job file's absolute path, because commands of other folders look for it there.
/// Runs of earlier versions keep the path as it was given.
pub fn source_of(path: &Path) -> String {
    std::path::absolute(path).as_deref().unwrap_or(path).display().to_string()
}

async fn open_job_file(path: &Path) -> Result<JobFile<BufReader<File>>, LocalError> {
    let opened = File::open(path).await;
    let file = opened.map_err(|source| LocalError::Open { path: path.to_owned(), source })?;
    Ok(job_file::open(BufReader::new(file), &path.display().to_string()).await?)
}

/// The job of a line, where it may be under way though this run did not submit it.
fn waited_for(line: &ReportLine) -> Option<&JobName> {
    let succeeded = Skip::Succeeded.to_string();
    let may_be = match line.outcome {
        ReportOutcome::Skipped => line.reason.as_ref() != Some(&succeeded),
        ReportOutcome::Unknown | ReportOutcome::Surplus => true,
        ReportOutcome::Submitted | ReportOutcome::Changed | ReportOutcome::Rejected => false,
    };
    line.job_name.as_ref().filter(|_| may_be)
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
