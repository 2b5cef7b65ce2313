//! A job file is run to its end.

use std::collections::VecDeque;
use std::future::pending;
use std::path::Path;
use std::pin::{Pin, pin};

use tokio::fs::File;
use tokio::io::BufReader;
use tokio::sync::mpsc::UnboundedReceiver;

use super::LocalError;
use super::controller::Controller;
use super::observer::Observer;
use super::pump::Pump;
use super::stop_requests::answer_stop_requests;
use super::take_up::take_up;
use crate::Gathering as _;
use crate::domain::{JobDefinition, RunCounts, RunId};
use crate::engine::LocalEngine;
use crate::events::JobStateChange;
use crate::job_file::{self, JobFile};
use crate::ports::{
    CheckpointStore, Clock, JobEngine, JobStore, LogSource, NoBus, ObjectStore, PortError, RunStore,
    SubmissionPace,
};
use crate::use_cases::reconcile::Reconciled;
use crate::use_cases::record_state::Recorder;
use crate::use_cases::run_file::{RunEnd, RunFile, RunFileError, reject_file, run_file};

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

impl<C: Clock + Clone + 'static> Controller<C> {
    /// Submits the jobs of a file and waits until every job in the folder has ended, or `stop` comes.
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
        ran
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
        let mut stop = pin!(stop);
        for _ in 0..ROUNDS {
            let Self { store, bucket, logs, engine, events, clock, .. } = &mut *self;
            let recorder = Recorder {
                store: &*store,
                engine: &*engine,
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
        let requested_by = self.requested_by.clone();
        RunFile { rerun, requested_by, concurrency: CONCURRENCY, ..RunFile::new(run_id, source) }
    }
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
