//! All jobs of a file: each submitted, skipped with its reason, or rejected with its reason.

mod breaker;
mod open_lines;
mod progress;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::io::AsyncBufRead;
use tracing::warn;

use self::breaker::Breaker;
use self::open_lines::{settle_line, settle_open, settle_without_file};
use super::submit::{Asked, Order, SubmitOutcome, SubmitPolicy, submit};
use crate::domain::allowed::NotAllowed;
use crate::domain::backoff::backoff;
use crate::domain::plan::Skip;
use crate::domain::{
    Allowed, Checkpoint, Ending, JobId, JobName, JobSpec, Newer, OpenLine, Run, RunCounts, RunId, RunState,
    SourceVersion, Timestamp,
};
use crate::job_file::{Entry, JobFile, JobFileError, Problem};
use crate::ports::{Clock, JobEngine, JobStore, ObjectStore, PortError, RunStore, SubmissionPace};
use progress::{Progress, SAVE_EVERY};
pub use report::{ReportLine, ReportOutcome, merged, report_key};

/// How a file is run.
#[derive(Debug, Clone)]
pub struct RunFile {
    /// The run's id: the same id goes on where the run was left.
    pub run_id: RunId,
    /// Where the file lies, for people.
    pub source: String,
    /// Which content of it is read. A run that goes on reads what it read first.
    pub source_version: SourceVersion,
    /// Run again what SUCCEEDED. A run that goes on does as it was told first.
    pub rerun: bool,
    /// Who asks, where that is known.
    pub requested_by: Option<String>,
    /// Jobs that are submitted at once.
    pub concurrency: usize,
    /// When to stop and hand on what is left.
    pub deadline: Option<Timestamp>,
    /// How claims are used.
    pub policy: SubmitPolicy,
    /// What jobs may name. A job that names something else is rejected by its line.
    pub allowed: Allowed,
    /// Every job is sealed, whether or not it asks for it. One that can't be is rejected by its line.
    pub seals_all: bool,
}

impl RunFile {
    /// Runs the content that the file has now, 16 jobs at once, with no deadline. Any job is allowed, none is sealed that
    /// does not ask for it, and what SUCCEEDED is left alone. Set what differs, as in
    /// `RunFile { rerun: true, ..RunFile::new(run_id, source) }`.
    pub fn new(run_id: RunId, source: impl Into<String>) -> Self {
        Self {
            run_id,
            source: source.into(),
            source_version: SourceVersion::default(),
            rerun: false,
            requested_by: None,
            concurrency: 16,
            deadline: None,
            policy: SubmitPolicy::default(),
            allowed: Allowed::default(),
            seals_all: false,
        }
    }
}

/// How far a run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// Every job of the file has been dealt with.
    Complete(RunCounts),
    /// The deadline came first, or some jobs can't be submitted yet: call again with the same run id.
    ToBeContinued(Checkpoint),
    /// Somebody has cancelled the run: it submits nothing more. The counts are those of the jobs that it had
    /// dealt with.
    Cancelled(RunCounts),
}

/// Why a file was not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunFileError {
    /// The file can't be read, or is wrong: nothing that comes after was submitted.
    #[error(transparent)]
    File(#[from] JobFileError),
    /// A port failed for good. The run goes on from its checkpoint when it is called again.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Another invocation of the same run has come further: it goes on, and this one has stopped.
    #[error("another invocation goes on with the run")]
    Overtaken,
}

/// Jobs that may be done ahead of the first that is not: bounds what is held in memory.
const WINDOW: u64 = 2_000;

/// Rounds in which jobs that could not be submitted yet are tried again, before they are handed on.
const ROUNDS: u32 = 6;

/// Submits every job of the file, in an order in which dependencies come first, `concurrency` at once.
///
/// Idempotent, and resumable: the run's checkpoint is saved every thousand jobs, and a run that is
/// called again goes on from there. Of two invocations of one run, the one that is behind at its next
/// checkpoint stops ([`RunFileError::Overtaken`]). Memory does not grow with the number of jobs where the file is
/// streamed. `each` is told what became of every job, in the order of the file. A job that Batch may have taken or
/// not stays open: the run is done when it is known of each, and its line in the report is put right by a later one.
/// So does a sealed job under the claim of an invocation that died: nobody but this file can submit it.
#[expect(clippy::too_many_arguments, reason = "the ports that it uses, each required")]
pub async fn run_file<S, E, O, R>(
    store: &S,
    engine: &E,
    pace: &impl SubmissionPace,
    clock: &impl Clock,
    archive: &O,
    file: &mut JobFile<R>,
    order: &RunFile,
    each: impl FnMut(&ReportLine) + Send,
) -> Result<RunEnd, RunFileError>
where
    S: JobStore + RunStore,
    E: JobEngine,
    O: ObjectStore,
    R: AsyncBufRead + Send + Unpin,
{
    let run = begin(store, clock, order).await?;
    if run.state.is_cancelled() {
        return Ok(RunEnd::Cancelled(run.counts));
    }
    if run.state != RunState::Submitting {
        return Ok(RunEnd::Complete(run.counts));
    }
    let asked = Asked::ByPerson { rerun: run.rerun };
    let before = &Before::new(&run);
    let mut progress = Progress::new(store, archive, clock, run, each);
    let submit_one = |index: u64, line: u64, spec: JobSpec| -> BoxFuture<'_, Tried> {
        Box::pin(async move {
            let wanted = Order { spec: &spec, run_id: &order.run_id, asked };
            let result = submit(store, engine, pace, clock, &order.policy, &wanted).await;
            let result = match result {
                Ok(outcome) => before.own(store, index, &spec.job_name, outcome).await,
                Err(error) => Err(error),
            };
            Tried { index, line, spec, result }
        })
    };
    settle_open(store, &mut progress, &submit_one, order, 1).await?;
    let mut feed = Feed {
        file,
        order,
        clock,
        next_index: 0,
        flying: FuturesUnordered::new(),
        names: BTreeSet::new(),
        breaker: Breaker::default(),
    };
    let fed = feed.submit_all(store, &mut progress, &submit_one).await;
    let all_read = matches!(fed, Ok(Fed::All));
    let ended = match fed {
        Ok(Fed::All) => {
            let retried = retry_deferred(&mut progress, &submit_one, &order.run_id).await;
            if retried.is_ok() {
                settle_open(store, &mut progress, &submit_one, order, ROUNDS).await
            } else {
                retried
            }
        }
        Ok(Fed::UntilDeadline | Fed::UntilCancelled) => Ok(()),
        Err(RunFileError::File(error)) => {
            progress.reject(&error);
            progress.close(RunState::Rejected).await?;
            return Err(error.into());
        }
        Err(error) => Err(error),
    };
    let whole = all_read && progress.deferred.is_empty() && progress.open().is_empty() && ended.is_ok();
    let run = progress.close(if whole { RunState::Submitted } else { RunState::Submitting }).await?;
    ended?;
    if run.state.is_cancelled() {
        return Ok(RunEnd::Cancelled(run.counts));
    }
    Ok(if whole { RunEnd::Complete(run.counts) } else { RunEnd::ToBeContinued(run.checkpoint) })
}

/// Keeps a run whose file was refused as a whole, and its report. Returns whether it did: a run with open lines, whose jobs
/// Batch may have taken or not, is kept as it is until that is known.
pub async fn reject_file<S: JobStore + RunStore, O: ObjectStore>(
    store: &S,
    archive: &O,
    clock: &impl Clock,
    order: &RunFile,
    error: &JobFileError,
) -> Result<bool, RunFileError> {
    let run = begin(store, clock, order).await?;
    if run.state != RunState::Submitting {
        return Ok(true);
    }
    let mut progress = Progress::new(store, archive, clock, run, |_| ());
    settle_without_file(store, &mut progress, error).await?;
    if !progress.open().is_empty() {
        progress.close(RunState::Submitting).await?;
        return Ok(false);
    }
    progress.reject(error);
    progress.close(RunState::Rejected).await?;
    Ok(true)
}

async fn begin<S: RunStore>(store: &S, clock: &impl Clock, order: &RunFile) -> Result<Run, PortError> {
    let now = clock.now();
    let run = Run {
        run_id: order.run_id.clone(),
        source: order.source.clone(),
        source_version: order.source_version.clone(),
        rerun: order.rerun,
        state: RunState::Submitting,
        checkpoint: Checkpoint::default(),
        counts: RunCounts::default(),
        open: Vec::new(),
        started_at: now,
        updated_at: now,
        newer: Newer::default(),
        requested_by: order.requested_by.clone(),
        cancellation: None,
        ending: Ending::default(),
        end: None,
    };
    Ok(store.create_run(&run).await?.unwrap_or(run))
}

/// What an invocation that was killed has left between the checkpoint and its end.
struct Before {
    run_id: RunId,
    checkpoint: u64,
    saved_at: Timestamp,
    /// Submissions that have a line of this invocation, so that a job that the file names twice is submitted once in
    /// the report too.
    told: Mutex<BTreeSet<JobId>>,
}

impl Before {
    fn new(run: &Run) -> Self {
        let (run_id, saved_at) = (run.run_id.clone(), run.updated_at);
        Self { run_id, checkpoint: run.checkpoint.0, saved_at, told: Mutex::default() }
    }

    /// What is said of a job that was left alone because this very run has submitted it: since the checkpoint was
    /// saved, by an invocation that did not come to the next, so that no report says it.
    async fn own<S: JobStore>(
        &self,
        store: &S,
        index: u64,
        job_name: &JobName,
        outcome: SubmitOutcome,
    ) -> Result<SubmitOutcome, PortError> {
        // No invocation comes further before it saves.
        if index >= self.checkpoint + WINDOW + SAVE_EVERY {
            return Ok(outcome);
        }
        match &outcome {
            SubmitOutcome::Submitted(job_id) => {
                self.tell(job_id);
                return Ok(outcome);
            }
            SubmitOutcome::Skipped(
                Skip::InFlight(_)
                | Skip::Recovering
                | Skip::SubmittedBefore
                | Skip::Succeeded
                | Skip::Claimed,
            ) => {}
            _ => return Ok(outcome),
        }
        let Some(head) = store.job(job_name).await?.map(|job| job.head) else { return Ok(outcome) };
        if matches!(outcome, SubmitOutcome::Skipped(Skip::Claimed)) {
            // Nobody else could submit it for want of its environment, once it is known that nothing was.
            let is_left = head.claim.is_some() && head.run_id == self.run_id && head.spec.seal.is_some();
            let why = "an earlier invocation of this run holds its claim; the reconciler finds out";
            return Ok(if is_left { SubmitOutcome::Unknown(why.to_owned()) } else { outcome });
        }
        let is_own = head.run_id == self.run_id && head.submitted_at >= Some(self.saved_at);
        match head.job_id.filter(|job_id| is_own && self.tell(job_id)) {
            Some(job_id) => Ok(SubmitOutcome::Submitted(job_id)),
            None => Ok(outcome),
        }
    }

    /// Returns whether it is said for the first time.
    fn tell(&self, job_id: &JobId) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(job_id.clone())
    }
}

/// A job that was tried.
struct Tried {
    index: u64,
    line: u64,
    spec: JobSpec,
    result: Result<SubmitOutcome, PortError>,
}

enum Fed {
    All,
    UntilDeadline,
    UntilCancelled,
}

/// Reads the file and keeps up to `concurrency` jobs on their way.
struct Feed<'a, 'f, C, R> {
    file: &'a mut JobFile<R>,
    order: &'a RunFile,
    clock: &'a C,
    next_index: u64,
    flying: FuturesUnordered<BoxFuture<'f, Tried>>,
    names: BTreeSet<JobName>,
    breaker: Breaker,
}

impl<'f, C: Clock, R: AsyncBufRead + Send + Unpin> Feed<'_, 'f, C, R> {
    async fn submit_all<S: JobStore + RunStore, O: ObjectStore>(
        &mut self,
        store: &S,
        progress: &mut Progress<'_, S, O, C, impl FnMut(&ReportLine) + Send>,
        submit_one: &impl Fn(u64, u64, JobSpec) -> BoxFuture<'f, Tried>,
    ) -> Result<Fed, RunFileError> {
        let fed = loop {
            // Lines that were dealt with are read all the same: open ones may wait for that.
            let is_full = self.next_index >= progress.checkpoint() && progress.open().len() >= OpenLine::MAX;
            if self.is_over() || is_full {
                break Ok(Fed::UntilDeadline);
            }
            if progress.is_cancelled() {
                break Ok(Fed::UntilCancelled);
            }
            let Entry { line, job } = match self.file.next().await {
                Ok(Some(entry)) => entry,
                Ok(None) => break Ok(Fed::All),
                Err(error) => break Err(RunFileError::File(error)),
            };
            let index = self.next_index;
            self.next_index += 1;
            let is_done = index < progress.checkpoint();
            if is_done && progress.open().is_empty() {
                continue;
            }
            let job = job.and_then(|spec| self.admitted(line, spec));
            if is_done {
                if let Ok(spec) = job {
                    settle_line(store, progress, submit_one, line, spec).await?;
                }
                continue;
            }
            match job {
                Err(problems) => progress.invalid(index, line, &problems),
                Ok(spec) => {
                    self.start(progress, submit_one, index, line, spec).await?;
                    if !self.probe(progress).await? {
                        break Ok(Fed::UntilDeadline);
                    }
                }
            }
            progress.save_if_due().await?;
        };
        self.land_while(progress, |_| true).await?;
        fed
    }

    /// The job, where it may name what it names, and sealed where all are.
    fn admitted(&self, line: u64, spec: JobSpec) -> Result<JobSpec, Vec<Problem>> {
        let refused =
            |field: &str, message| vec![Problem { line: Some(line), field: Some(field.to_owned()), message }];
        if let Some(NotAllowed { field, message }) = self.order.allowed.refused(&spec) {
            return Err(refused(field, message));
        }
        if !self.order.seals_all {
            return Ok(spec);
        }
        spec.into_sealed().map_err(|field| {
            let message =
                "can't be sealed, and every job is sealed here (SealJobs); put it into the job definition";
            refused(field, message.to_owned())
        })
    }

    /// Starts a job once there is room and no job that it depends on is on its way.
    async fn start<S: RunStore, O: ObjectStore>(
        &mut self,
        progress: &mut Progress<'_, S, O, C, impl FnMut(&ReportLine) + Send>,
        submit_one: &impl Fn(u64, u64, JobSpec) -> BoxFuture<'f, Tried>,
        index: u64,
        line: u64,
        spec: JobSpec,
    ) -> Result<(), RunFileError> {
        let concurrency = self.order.concurrency.max(1);
        let waits = |feed: &Self| {
            feed.flying.len() >= concurrency
                || feed.names.contains(&spec.job_name)
                || spec.dependency_names().any(|name| feed.names.contains(name))
        };
        self.land_while(progress, waits).await?;
        while index - progress.checkpoint() >= WINDOW && !progress.deferred.is_empty() {
            self.land_while(progress, |_| true).await?;
            retry_deferred(progress, submit_one, &self.order.run_id).await?;
            if !progress.deferred.is_empty() {
                let why = "jobs at the run's checkpoint can't be submitted yet";
                return Err(PortError::retryable("run", why).into());
            }
        }
        if progress.defers_with_dependency(&spec) {
            progress.deferred.insert(index, (line, spec));
            return Ok(());
        }
        self.names.insert(spec.job_name.clone());
        self.flying.push(submit_one(index, line, spec));
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.order.deadline.is_some_and(|deadline| self.clock.now() >= deadline)
    }

    /// While Batch leaves its answers open, lets one job go at a time, with growing waits: each that goes leaves
    /// a claim behind for the reconciler. `false` where the time is over before.
    async fn probe<S: RunStore, O: ObjectStore>(
        &mut self,
        progress: &mut Progress<'_, S, O, C, impl FnMut(&ReportLine) + Send>,
    ) -> Result<bool, RunFileError> {
        if !self.breaker.is_open() {
            return Ok(true);
        }
        self.land_while(progress, |_| true).await?;
        let Some(wait) = self.breaker.wait() else { return Ok(true) };
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let ends = self.clock.now().plus_millis(wait_ms);
        if self.order.deadline.is_some_and(|deadline| ends >= deadline) {
            return Ok(false);
        }
        warn!(wait.ms = wait_ms, "Batch left several answers open; one job is tried after a while");
        tokio::time::sleep(wait).await;
        Ok(true)
    }

    async fn land_while<S: RunStore, O: ObjectStore>(
        &mut self,
        progress: &mut Progress<'_, S, O, C, impl FnMut(&ReportLine) + Send>,
        waits: impl Fn(&Self) -> bool,
    ) -> Result<(), RunFileError> {
        while waits(self) {
            let Some(tried) = self.flying.next().await else { return Ok(()) };
            self.names.remove(&tried.spec.job_name);
            self.breaker.heard(matches!(tried.result, Ok(SubmitOutcome::Unknown(_))));
            progress.landed(tried);
        }
        Ok(())
    }
}

/// Tries the deferred jobs again, in the order of the file, until none is left or the rounds are over.
async fn retry_deferred<'f, S: RunStore, O: ObjectStore, C: Clock>(
    progress: &mut Progress<'_, S, O, C, impl FnMut(&ReportLine) + Send>,
    submit_one: &impl Fn(u64, u64, JobSpec) -> BoxFuture<'f, Tried>,
    run_id: &RunId,
) -> Result<(), RunFileError> {
    for round in 0..ROUNDS {
        if progress.deferred.is_empty() || progress.is_cancelled() {
            return Ok(());
        }
        tokio::time::sleep(backoff(round, run_id.as_str())).await;
        let deferred: BTreeMap<u64, (u64, JobSpec)> = std::mem::take(&mut progress.deferred);
        for (index, (line, spec)) in deferred {
            if progress.defers_with_dependency(&spec) {
                progress.deferred.insert(index, (line, spec));
                continue;
            }
            let tried = submit_one(index, line, spec).await;
            progress.landed(tried);
        }
    }
    warn!(jobs = progress.deferred.len(), "jobs could not be submitted yet; the run is to be continued");
    Ok(())
}
