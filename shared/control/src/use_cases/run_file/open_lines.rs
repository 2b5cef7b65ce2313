//! Lines that were UNKNOWN, settled: by an event that told of the submission, by the reconciler, or here.

use futures_util::future::BoxFuture;

use super::progress::Progress;
use super::report::{ReportLine, ReportOutcome};
use super::{FileJob, RunFile, RunFileError, Tried};
use crate::domain::backoff::backoff;
use crate::domain::{Job, JobSpec, OpenLine, Run};
use crate::job_file::JobFileError;
use crate::ports::{Clock, JobStore, ObjectStore, RunStore};
use crate::use_cases::submit::SubmitOutcome;

/// Settles what can be settled of a run's open lines, in some rounds: events tell of most submissions within
/// seconds. Those under claims that nobody has looked into stay open.
pub(super) async fn settle_open<'f, S: JobStore + RunStore, O: ObjectStore, C: Clock>(
    store: &S,
    progress: &mut Progress<'_, S, O, C, impl FnMut(&ReportLine) + Send>,
    submit_one: &impl Fn(FileJob) -> BoxFuture<'f, Tried>,
    order: &RunFile,
    rounds: u32,
) -> Result<(), RunFileError> {
    for round in 0..rounds {
        if progress.open().is_empty() || progress.is_cancelled() {
            return Ok(());
        }
        if round > 0 {
            tokio::time::sleep(backoff(round, order.run_id.as_str())).await;
        }
        let mut settled = Vec::new();
        for open in progress.open().to_vec() {
            settled.extend(match look_up(store, progress.run(), &open).await? {
                Standing::Known(outcome) => ReportLine::of(open.line, open.job_name, outcome).ok(),
                // A sealed one waits for its line: the store does not hold its environment.
                Standing::Own(spec) if spec.seal.is_none() => submitted(submit_one, open, *spec).await,
                Standing::Own(_) | Standing::Open => None,
            });
        }
        progress.settled(settled).await?;
    }
    Ok(())
}

/// Settles the open line that was read again, if it is one.
pub(super) async fn settle_line<'f, S: JobStore + RunStore, O: ObjectStore, C: Clock>(
    store: &S,
    progress: &mut Progress<'_, S, O, C, impl FnMut(&ReportLine) + Send>,
    submit_one: &impl Fn(FileJob) -> BoxFuture<'f, Tried>,
    line: u64,
    spec: JobSpec,
) -> Result<(), RunFileError> {
    let is_it = |open: &&OpenLine| open.line == line && open.job_name == spec.job_name;
    let Some(open) = progress.open().iter().find(is_it).cloned() else { return Ok(()) };
    match look_up(store, progress.run(), &open).await? {
        Standing::Own(_) => {
            progress.settled(submitted(submit_one, open, spec).await.into_iter().collect()).await
        }
        Standing::Known(_) | Standing::Open => Ok(()),
    }
}

/// Settles what can be settled of the open lines of a run whose file can't be read again: what was not submitted is not
/// going to be.
pub(super) async fn settle_without_file<S: JobStore + RunStore, O: ObjectStore, C: Clock>(
    store: &S,
    progress: &mut Progress<'_, S, O, C, impl FnMut(&ReportLine) + Send>,
    error: &JobFileError,
) -> Result<(), RunFileError> {
    let mut settled = Vec::new();
    for open in progress.open().to_vec() {
        let outcome = match look_up(store, progress.run(), &open).await? {
            Standing::Known(outcome) => outcome,
            Standing::Own(_) => {
                SubmitOutcome::Rejected(format!("nothing was submitted before its file went: {error}"))
            }
            Standing::Open => continue,
        };
        settled.extend(ReportLine::of(open.line, open.job_name, outcome).ok());
    }
    progress.settled(settled).await
}

/// How an open line stands.
enum Standing {
    /// That is what became of its job.
    Known(SubmitOutcome),
    /// Nothing was submitted under the claim, and nobody has it in hand: it is this run's to submit.
    Own(Box<JobSpec>),
    /// Nobody can tell yet.
    Open,
}

async fn look_up<S: JobStore>(store: &S, run: &Run, open: &OpenLine) -> Result<Standing, RunFileError> {
    let Some(job) = store.job(&open.job_name).await? else {
        let why = "what was known of the job was removed before Batch had answered".to_owned();
        return Ok(Standing::Known(SubmitOutcome::Rejected(why)));
    };
    let is_own = job.head.run_id == run.run_id;
    if is_own && job.head.claim.is_some() {
        return Ok(Standing::Open);
    }
    if let Some(submitted) = submitted_by(run, &job) {
        return Ok(Standing::Known(submitted));
    }
    Ok(match job.head.refusal.filter(|_| is_own) {
        Some(refusal) => Standing::Known(SubmitOutcome::Rejected(refusal)),
        None => Standing::Own(Box::new(job.head.spec)),
    })
}

/// Submits a line's job. What became of it; `None` where nobody can tell yet.
async fn submitted<'f>(
    submit_one: &impl Fn(FileJob) -> BoxFuture<'f, Tried>,
    OpenLine { line, job_name }: OpenLine,
    spec: JobSpec,
) -> Option<ReportLine> {
    let tried = submit_one(FileJob { index: 0, line, spec, sheet: None }).await;
    let said = tried.result.ok().and_then(|outcome| ReportLine::of(line, job_name, outcome).ok());
    said.filter(|said| said.outcome != ReportOutcome::Unknown)
}

/// The submission that was made for this run and has been found since.
fn submitted_by(run: &Run, job: &Job) -> Option<SubmitOutcome> {
    let job_id = job.head.job_id.clone()?;
    let is_of_run = job.head.run_id == run.run_id
        && job.head.submitted_at.is_some_and(|submitted_at| submitted_at >= run.started_at);
    is_of_run.then_some(SubmitOutcome::Submitted(job_id))
}
