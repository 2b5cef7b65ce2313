//! Lines that were UNKNOWN, settled: by an event that told of the submission, by the reconciler, or here.

use futures_util::future::BoxFuture;

use super::progress::Progress;
use super::report::{ReportLine, ReportOutcome};
use super::{RunFile, RunFileError, Tried};
use crate::domain::backoff::backoff;
use crate::domain::{Job, JobSpec, OpenLine, Run};
use crate::ports::{Clock, JobStore, ObjectStore, RunStore};
use crate::use_cases::submit::SubmitOutcome;

/// Settles what can be settled of a run's open lines, in some rounds: events tell of most submissions within
/// seconds. Those under claims that nobody has looked into stay open.
pub(super) async fn settle_open<'f, S: JobStore + RunStore, O: ObjectStore, C: Clock>(
    store: &S,
    progress: &mut Progress<'_, S, O, C, impl FnMut(&ReportLine) + Send>,
    submit_one: &impl Fn(u64, u64, JobSpec) -> BoxFuture<'f, Tried>,
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
            settled.extend(settle(store, progress.run(), submit_one, open).await?);
        }
        progress.settled(settled).await?;
    }
    Ok(())
}

/// What became of a line; `None` where nobody can tell yet.
async fn settle<'f, S: JobStore>(
    store: &S,
    run: &Run,
    submit_one: &impl Fn(u64, u64, JobSpec) -> BoxFuture<'f, Tried>,
    OpenLine { line, job_name }: OpenLine,
) -> Result<Option<ReportLine>, RunFileError> {
    let Some(job) = store.job(&job_name).await? else {
        let why = "what was known of the job was removed before Batch had answered".to_owned();
        return Ok(ReportLine::of(line, job_name, SubmitOutcome::Rejected(why)).ok());
    };
    if job.head.run_id == run.run_id && job.head.claim.is_some() {
        return Ok(None);
    }
    if let Some(submitted) = submitted_by(run, &job) {
        return Ok(ReportLine::of(line, job_name, submitted).ok());
    }
    if let Some(refusal) = job.head.refusal.clone().filter(|_| job.head.run_id == run.run_id) {
        return Ok(ReportLine::of(line, job_name, SubmitOutcome::Rejected(refusal)).ok());
    }
    // Nothing was submitted under the claim, and nobody has it in hand: it is this run's to submit.
    let tried = submit_one(0, line, job.head.spec.clone()).await;
    let said = tried.result.ok().and_then(|outcome| ReportLine::of(line, job_name, outcome).ok());
    Ok(said.filter(|said| said.outcome != ReportOutcome::Unknown))
}

/// The submission that was made for this run and has been found since.
fn submitted_by(run: &Run, job: &Job) -> Option<SubmitOutcome> {
    let job_id = job.head.job_id.clone()?;
    let is_of_run = job.head.run_id == run.run_id
        && job.head.submitted_at.is_some_and(|submitted_at| submitted_at >= run.started_at);
    is_of_run.then_some(SubmitOutcome::Submitted(job_id))
}
