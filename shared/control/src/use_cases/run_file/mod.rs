//! All jobs of a file: each submitted, skipped with its reason, or rejected with its reason.

mod before;
mod breaker;
mod denials;
mod feed;
mod open_lines;
mod progress;
mod report;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::io::AsyncBufRead;

use self::before::Before;
use self::feed::{Fed, Feed, retry_deferred};
use self::open_lines::{settle_open, settle_without_file};
use self::progress::Progress;
use super::submit::{Asked, ClaimSheet, Order, SubmitOutcome, SubmitPolicy, submit};
use crate::domain::{
    Allowed, Checkpoint, Ending, JobSpec, Newer, Run, RunCounts, RunId, RunState, SourceVersion, Timestamp,
};
use crate::job_file::{JobFile, JobFileError};
use crate::ports::{Clock, JobEngine, JobStore, ObjectStore, PortError, RunStore, SubmissionPace};
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
    /// A port failed for good, or refused the caller several times in a row
    /// ([`PortError::is_of_caller`]). The run goes on from its checkpoint when it is called again.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Another invocation of the same run has come further: it goes on, and this one has stopped.
    #[error("another invocation goes on with the run")]
    Overtaken,
}

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
    let submit_one = |FileJob { index, line, spec, sheet }: FileJob| -> BoxFuture<'_, Tried> {
        Box::pin(async move {
            let wanted = Order { spec: &spec, run_id: &order.run_id, asked, sheet: sheet.as_deref() };
            let result = submit(store, engine, pace, clock, &order.policy, &wanted).await;
            let result = match result {
                Ok(outcome) => before.own(store, index, &spec.job_name, outcome).await,
                Err(error) => Err(error),
            };
            if let Some(sheet) = &sheet {
                sheet.heard(&result);
            }
            Tried { index, line, spec, result }
        })
    };
    settle_open(store, &mut progress, &submit_one, order, 1).await?;
    let mut feed = Feed::new(file, order, clock);
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

/// A job of the file that is to be submitted.
struct FileJob {
    index: u64,
    line: u64,
    spec: JobSpec,
    /// On which its claim may be.
    sheet: Option<Arc<ClaimSheet>>,
}

/// A job that was tried.
struct Tried {
    index: u64,
    line: u64,
    spec: JobSpec,
    result: Result<SubmitOutcome, PortError>,
}
