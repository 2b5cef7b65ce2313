//! Jobs stopped on request, and runs cancelled.
//!
//! A run is cancelled in two steps. [`cancel_run`] writes its state: from then on nobody submits a job for it
//! (`submit` looks at it after each claim). [`stop_run`] stops the jobs that are under way; it is repeated, by
//! the reconciler or the process that runs the jobs, until none is left.

use std::collections::BTreeSet;

use serde::Serialize;
use tracing::info;

use crate::domain::stop::{Stopping, stopping};
use crate::domain::{Cancellation, Job, JobId, JobName, JobStatus, Run, RunId, RunState, Stop};
use crate::ports::{Clock, Cursor, JobQueries, JobStopper, PortError, RunStore, STOP_MAX};

/// Names that are looked up in one call.
const NAMES_PER_CALL: usize = 100;

/// What became of one job that was to be stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopLine {
    /// The job.
    pub job_name: JobName,
    /// Its submission, where there is one.
    pub job_id: Option<JobId>,
    /// What became of it.
    pub outcome: StopOutcome,
    /// Why it could not be stopped, or need not be.
    pub reason: Option<String>,
}

/// What became of one job that was to be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StopOutcome {
    /// Batch was asked to stop it.
    Requested,
    /// Nothing was under way.
    Ended,
    /// `cancel` leaves it running.
    RunsOn,
    /// It can't be stopped now.
    NotStopped,
}

impl StopOutcome {
    /// Whether the job may still be under way.
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Ended)
    }
}

/// What was done about several jobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StopCounts {
    /// Batch was asked to stop them.
    pub requested: u64,
    /// Nothing was under way.
    pub ended: u64,
    /// `cancel` leaves them running.
    pub runs_on: u64,
    /// They could not be stopped.
    pub not_stopped: u64,
}

impl StopCounts {
    fn count(&mut self, outcome: StopOutcome) {
        *(match outcome {
            StopOutcome::Requested => &mut self.requested,
            StopOutcome::Ended => &mut self.ended,
            StopOutcome::RunsOn => &mut self.runs_on,
            StopOutcome::NotStopped => &mut self.not_stopped,
        }) += 1;
    }

    /// Jobs that may still be under way.
    pub const fn under_way(&self) -> u64 {
        self.requested + self.runs_on + self.not_stopped
    }
}

/// Cancels a run: from now on it submits nothing more. Its jobs under way are for [`stop_run`] to stop.
///
/// Idempotent; asked again with [`Stop::Terminate`], running jobs are stopped too. Returns the run as it is now:
/// one that was rejected, or whose jobs have all ended or been stopped, stays as it was. `None` where it is not known.
pub async fn cancel_run<S: RunStore>(
    store: &S,
    clock: &impl Clock,
    run_id: &RunId,
    stop: Stop,
    reason: &str,
) -> Result<Option<Run>, PortError> {
    loop {
        let Some(known) = store.run(run_id).await? else { return Ok(None) };
        if matches!(known.state, RunState::Rejected | RunState::Cancelled) || known.end.is_some() {
            return Ok(Some(known));
        }
        if known
            .cancellation
            .as_ref()
            .is_some_and(|known| known.stop == Stop::Terminate || known.stop == stop)
        {
            return Ok(Some(known));
        }
        let now = clock.now();
        let cancellation = Cancellation { requested_at: now, reason: reason.to_owned(), stop };
        let cancelled =
            Run { state: RunState::Cancelling, cancellation: Some(cancellation), updated_at: now, ..known };
        // Not written where its submitter came further meanwhile: looked at again.
        if store.save_run(&cancelled).await? {
            info!(run.id = %run_id, %stop, reason, "run cancelled");
            return Ok(Some(cancelled));
        }
    }
}

/// Stops the jobs of a cancelled run that are under way. Once none is left, the run is CANCELLED; not before
/// `settle_ms` have passed since it was cancelled, because a store's list may lag behind.
///
/// Idempotent. Errs where the store fails; a job that can't be stopped is told to `each`, and found again.
pub async fn stop_run<S: JobQueries + RunStore>(
    store: &S,
    stopper: &impl JobStopper,
    clock: &impl Clock,
    run: &Run,
    settle_ms: i64,
    mut each: impl FnMut(&StopLine) + Send,
) -> Result<StopCounts, PortError> {
    let mut counts = StopCounts::default();
    let Some(cancellation) = run.cancellation.as_ref().filter(|_| run.state == RunState::Cancelling) else {
        return Ok(counts);
    };
    let mut note = |line: &StopLine| {
        counts.count(line.outcome);
        each(line);
    };
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = store.jobs(Some(&run.run_id), cursor.as_ref()).await?;
        stop_all(stopper, &page.items, cancellation.stop, &cancellation.reason, &mut note).await;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let now = clock.now();
    let has_settled = now.millis_since(cancellation.requested_at) >= settle_ms;
    let state =
        if counts.under_way() == 0 && has_settled { RunState::Cancelled } else { RunState::Cancelling };
    // Not written where somebody has written more: the next look finds that.
    store.save_run(&Run { state, updated_at: now, ..run.clone() }).await?;
    Ok(counts)
}

/// Stops jobs by their names, each once; of an array whose lost children are run again, these children's jobs.
pub async fn stop_jobs<S: JobQueries>(
    store: &S,
    stopper: &impl JobStopper,
    job_names: &[JobName],
    stop: Stop,
    reason: &str,
    mut each: impl FnMut(&StopLine) + Send,
) -> Result<StopCounts, PortError> {
    let mut counts = StopCounts::default();
    let mut note = |line: &StopLine| {
        counts.count(line.outcome);
        each(line);
    };
    let names: BTreeSet<&JobName> = job_names.iter().collect();
    let names: Vec<JobName> = names.into_iter().cloned().collect();
    for names in names.chunks(NAMES_PER_CALL) {
        let known: Vec<Job> = store.jobs_named(names).await?.into_iter().flatten().collect();
        let children: Vec<JobName> = known
            .iter()
            .filter_map(|job| match stopping(job, stop) {
                Stopping::Children(children) => Some(children),
                _ => None,
            })
            .flatten()
            .filter(|child| !job_names.contains(child))
            .collect();
        stop_all(stopper, &known, stop, reason, &mut note).await;
        for children in children.chunks(NAMES_PER_CALL) {
            let known: Vec<Job> = store.jobs_named(children).await?.into_iter().flatten().collect();
            stop_all(stopper, &known, stop, reason, &mut note).await;
        }
    }
    Ok(counts)
}

async fn stop_all(
    stopper: &impl JobStopper,
    jobs: &[Job],
    stop: Stop,
    reason: &str,
    note: &mut (impl FnMut(&StopLine) + Send),
) {
    let mut asked: Vec<(Option<JobStatus>, JobName, JobId)> = Vec::new();
    for job in jobs {
        let (outcome, reason) = match stopping(job, stop) {
            Stopping::Ask(job_id) => {
                asked.push((job.status(), job.name().clone(), job_id));
                continue;
            }
            Stopping::Ended(status) => (StopOutcome::Ended, format!("it is {status}")),
            Stopping::NeverSubmitted => (StopOutcome::Ended, "it was not submitted".to_owned()),
            Stopping::RunsOn(status) => (StopOutcome::RunsOn, format!("it is {status}; terminate stops it")),
            Stopping::BeingSubmitted => {
                (StopOutcome::NotStopped, "it is being submitted at this moment; ask again".to_owned())
            }
            Stopping::Children(_) => {
                (StopOutcome::Ended, "its lost children are jobs of their own".to_owned())
            }
        };
        let (job_name, job_id) = (job.name().clone(), job.head.job_id.clone());
        note(&StopLine { job_name, job_id, outcome, reason: Some(reason) });
    }
    // Those that wait come first: else one starts in the room that another leaves, to be stopped a moment later.
    asked.sort_by_key(|(status, ..)| *status);
    for asked in asked.chunks(STOP_MAX) {
        let job_ids: Vec<JobId> = asked.iter().map(|(.., job_id)| job_id.clone()).collect();
        let answers = stopper.stop_jobs(&job_ids, stop, reason).await;
        for ((_, job_name, job_id), answer) in asked.iter().zip(answers) {
            let (outcome, reason) = match answer {
                Ok(()) => (StopOutcome::Requested, None),
                Err(error) => (StopOutcome::NotStopped, Some(error.to_string())),
            };
            let (job_name, job_id) = (job_name.clone(), Some(job_id.clone()));
            note(&StopLine { job_name, job_id, outcome, reason });
        }
    }
}
