//! One state of a submission, from an event or from `DescribeJobs`, and what follows from its end.

use std::fmt;
use std::pin::Pin;

use tracing::{debug, info};

use super::submit::{Asked, Order, SubmitOutcome, SubmitPolicy, end_surplus, submit};
use crate::domain::plan::Skip;
use crate::domain::retry::{Again, Next, fallback, next};
use crate::domain::{Cause, Job, JobId, JobName, JobState, JobStatus, NewSubmission, RecordOutcome};
use crate::ports::{Applied, Clock, JobEngine, JobStore, PortError, RunStore, SubmissionPace};

/// What a state led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// The job is not one of ours, or was removed.
    NotOurs,
    /// A submission was one too many: it was terminated.
    Surplus,
    /// The submission goes on, or the state was known, or a child or node has ended, or another submits
    /// the job again.
    Noted(Applied),
    /// The job has ended.
    Ended(JobStatus, Option<Cause>),
    /// The submission ended, and the job, or the child in a job of its own, was submitted again.
    Resubmitted(Resubmission),
    /// The submission ended, and what follows is decided when children of an array that are run again have
    /// ended.
    Waiting,
}

/// Another try of a job. Displayed as in `HOST_LOST, try 2 of 4, in the queue on-demand`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resubmission {
    /// The new submission.
    pub job_id: JobId,
    /// Why, and which try it is.
    pub again: Again,
    /// Where it went, where that is not the job's own queue.
    pub job_queue: Option<String>,
}

impl fmt::Display for Resubmission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.again)?;
        match &self.job_queue {
            Some(job_queue) => write!(f, ", in the queue {job_queue}"),
            None => Ok(()),
        }
    }
}

/// The ports and rules that recording needs, together, because it recurs through dependencies.
#[derive(Debug)]
pub struct Recorder<'a, S, E, P, C> {
    /// The state of all jobs.
    pub store: &'a S,
    /// What runs them.
    pub engine: &'a E,
    /// How fast they may be submitted again.
    pub pace: &'a P,
    /// The time.
    pub clock: &'a C,
    /// How claims are used.
    pub policy: SubmitPolicy,
}

impl<S, E, P, C> Recorder<'_, S, E, P, C>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
{
    /// Records a state and does what follows from it.
    ///
    /// Idempotent: a state that is known changes nothing, but what follows from an end is looked at
    /// again. Errs where a port fails, or where what follows must wait: then deliver it again.
    pub async fn record_state(&self, state: &JobState) -> Result<Recorded, PortError> {
        match self.owner(state).await? {
            Owner::Nobody => return Ok(Recorded::NotOurs),
            Owner::Surplus => return self.end_surplus(state).await,
            Owner::Us => {}
        }
        let applied = self.store.apply_state(state, self.clock.now()).await?;
        debug!(job.name = %state.job_name, job.id = %state.job_id, status = %state.status, ?applied, "state");
        if !state.status.is_terminal() {
            return Ok(Recorded::Noted(applied));
        }
        if state.job_id.parent().is_some() {
            return Ok(self.child_ended(state).await?.unwrap_or(Recorded::Noted(applied)));
        }
        let followed = self.follow(&state.job_name, &state.job_id).await?;
        // While another submits the job again, nobody knows yet what follows: the end stays in view. So does
        // a parent's, whose children may not have been heard of yet: the reconciler settles it.
        let open = matches!(followed, Some(Recorded::Waiting | Recorded::Noted(_)));
        if state.may_be_tried_again() && state.parts() == 0 && !open {
            self.store.settle(&state.job_id).await?;
        }
        Ok(followed.unwrap_or(Recorded::Noted(applied)))
    }

    async fn owner(&self, state: &JobState) -> Result<Owner, PortError> {
        let root = state.job_id.root();
        if self.store.submission(&root).await?.is_some() {
            return Ok(Owner::Us);
        }
        let Some(nonce) = state.nonce.clone() else { return Ok(Owner::Nobody) };
        let submission =
            NewSubmission { job_name: state.job_name.clone(), nonce, job_id: root, now: self.clock.now() };
        Ok(match self.store.record_submission(&submission).await? {
            RecordOutcome::Recorded | RecordOutcome::Known => Owner::Us,
            RecordOutcome::Surplus => Owner::Surplus,
            RecordOutcome::Unknown => Owner::Nobody,
        })
    }

    async fn end_surplus(&self, state: &JobState) -> Result<Recorded, PortError> {
        if !state.status.is_terminal() {
            end_surplus(self.engine, &state.job_name, &state.job_id.root()).await?;
        }
        Ok(Recorded::Surplus)
    }

    /// What follows from the end of a job's latest submission. `None` where `ended` is not the latest.
    pub async fn follow(&self, name: &JobName, ended: &JobId) -> Result<Option<Recorded>, PortError> {
        let Some(job) = self.store.job(name).await? else { return Ok(None) };
        let Some(state) = job.state().filter(|state| &state.job_id == ended && state.status.is_terminal())
        else {
            return Ok(None);
        };
        let again = match next(&job, state) {
            Next::Resubmit(again) => Some(again),
            Next::AfterDependencies(again) => match self.dependencies_recover(&job).await? {
                Recovers::Yes => Some(again),
                Recovers::No => None,
                Recovers::Later => return Ok(Some(Recorded::Waiting)),
            },
            Next::Children => return self.follow_children(&job, 0).await.map(Some),
            Next::Undecided => return Ok(Some(Recorded::Noted(Applied::Stale))),
            Next::Done => None,
        };
        let followed = match again {
            Some(again) => self.submit_again(&job, again).await?,
            None if job.head.has_recovered() => Recorded::Ended(JobStatus::Succeeded, None),
            None => Recorded::Ended(state.status, state.cause()),
        };
        if let (Recorded::Ended(..), Some(child)) = (&followed, &job.head.spec.child_of) {
            self.own_job_ended(child).await?;
        }
        Ok(Some(followed))
    }

    async fn submit_again(&self, job: &Job, again: Again) -> Result<Recorded, PortError> {
        let order = Order { spec: &job.head.spec, run_id: &job.head.run_id, asked: Asked::ByRetry };
        match submit(self.store, self.engine, self.pace, self.clock, &self.policy, &order).await? {
            SubmitOutcome::Submitted(job_id) => {
                let job_queue = fallback(job).map(str::to_owned);
                let resubmission = Resubmission { job_id, again, job_queue };
                info!(job.name = %job.name(), job.id = %resubmission.job_id, why = %resubmission, "submitted again");
                Ok(Recorded::Resubmitted(resubmission))
            }
            SubmitOutcome::Skipped(skip @ Skip::RunCancelled) => Ok(not_again(job, &skip.to_string())),
            SubmitOutcome::Rejected(why) => Ok(not_again(job, &why)),
            SubmitOutcome::Skipped(_) | SubmitOutcome::Unknown(_) => Ok(Recorded::Noted(Applied::Stale)),
            SubmitOutcome::Surplus(_) => Ok(Recorded::Surplus),
            SubmitOutcome::Deferred(why) => {
                Err(PortError::retryable("resubmit", format!("{}: {why}", job.name())))
            }
        }
    }

    /// Whether every job that this one depends on by name is on its way again, or SUCCEEDED; an array
    /// whose lost children are run again has to end first. Those
    /// that have tries left are submitted again by this, if nobody has done so before.
    fn dependencies_recover<'b>(
        &'b self,
        job: &'b Job,
    ) -> Pin<Box<dyn Future<Output = Result<Recovers, PortError>> + Send + 'b>> {
        Box::pin(async move {
            let names: Vec<JobName> = job.head.spec.dependency_names().cloned().collect();
            let mut all = Recovers::Yes;
            for name in &names {
                match self.recovers(name).await? {
                    Recovers::No => return Ok(Recovers::No),
                    Recovers::Later => all = Recovers::Later,
                    Recovers::Yes => {}
                }
            }
            Ok(all)
        })
    }

    async fn recovers(&self, name: &JobName) -> Result<Recovers, PortError> {
        let Some(job) = self.store.job(name).await? else { return Ok(Recovers::No) };
        if job.head.claim.is_some() {
            return Err(PortError::retryable("resubmit", format!("{name} is being submitted")));
        }
        let Some(job_id) = &job.head.job_id else { return Ok(Recovers::No) };
        // The event of the dependency's own end may be still on its way: ask, before it is believed
        // to be running.
        if job.status().is_some_and(|status| !status.is_terminal()) {
            for detail in self.engine.describe_jobs(std::slice::from_ref(job_id)).await? {
                self.store.apply_state(&detail.state(), self.clock.now()).await?;
            }
        }
        match self.follow(name, job_id).await? {
            None | Some(Recorded::Resubmitted(_) | Recorded::Ended(JobStatus::Succeeded, _)) => {
                Ok(Recovers::Yes)
            }
            Some(Recorded::Ended(..)) => Ok(Recovers::No),
            Some(Recorded::Waiting) => Ok(Recovers::Later),
            Some(_) => Err(PortError::retryable("resubmit", format!("{name} is being submitted"))),
        }
    }
}

/// The job has ended, though a try would have been left.
fn not_again(job: &Job, why: &str) -> Recorded {
    info!(job.name = %job.name(), why, "not submitted again");
    Recorded::Ended(JobStatus::Failed, job.state().and_then(JobState::cause))
}

/// Whether a job that failed with its dependencies goes on.
enum Recovers {
    Yes,
    No,
    /// Not before an array's lost children were run again.
    Later,
}

enum Owner {
    Us,
    Nobody,
    Surplus,
}
