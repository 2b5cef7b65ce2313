//! One state of a submission, from an event or from `DescribeJobs`, and what follows from its end.

use std::pin::Pin;

use tracing::{debug, info};

use super::submit::{Asked, Order, Outcome, SubmitPolicy, end_surplus, submit};
use crate::domain::retry::{Next, next};
use crate::domain::{Cause, Job, JobId, JobName, JobState, JobStatus};
use crate::ports::{
    Applied, Clock, JobEngine, JobStore, NewSubmission, PortError, RecordOutcome, SubmissionPace,
};

/// What a state led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// The job is not one of ours, or was removed.
    NotOurs,
    /// The submission is one too many: it was terminated.
    Surplus,
    /// The submission goes on, or the state was known, or a child or node has ended.
    Noted(Applied),
    /// The job has ended.
    Ended(JobStatus, Option<Cause>),
    /// The submission ended, and the job was submitted again.
    Resubmitted(JobId),
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
    S: JobStore,
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
        if !state.status.is_terminal() || state.job_id.parent().is_some() {
            return Ok(Recorded::Noted(applied));
        }
        let followed = self.follow(&state.job_name, &state.job_id).await?;
        // While another's claim stands nothing is decided: it may be given up, and nobody would look again.
        let undecided = matches!(followed, Some(Recorded::Noted(_)));
        if state.may_be_tried_again() && !undecided {
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
            Next::Resubmit => true,
            Next::AfterDependencies => self.dependencies_recover(&job).await?,
            Next::Undecided => return Ok(Some(Recorded::Noted(Applied::Stale))),
            Next::Done => false,
        };
        if !again {
            return Ok(Some(Recorded::Ended(state.status, state.cause())));
        }
        self.submit_again(&job).await.map(Some)
    }

    async fn submit_again(&self, job: &Job) -> Result<Recorded, PortError> {
        let order = Order { spec: &job.head.spec, run_id: &job.head.run_id, asked: Asked::ByRetry };
        match submit(self.store, self.engine, self.pace, self.clock, &self.policy, &order).await? {
            Outcome::Submitted(job_id) => {
                info!(job.name = %job.name(), job.id = %job_id, "submitted again");
                Ok(Recorded::Resubmitted(job_id))
            }
            Outcome::Skipped(_) | Outcome::Unknown(_) => Ok(Recorded::Noted(Applied::Stale)),
            Outcome::Rejected(why) => {
                info!(job.name = %job.name(), %why, "not submitted again");
                let state = job.state();
                Ok(Recorded::Ended(JobStatus::Failed, state.and_then(JobState::cause)))
            }
            Outcome::Deferred(why) => Err(PortError::retryable("resubmit", format!("{}: {why}", job.name()))),
        }
    }

    /// Whether every job that this one depends on by name is on its way again, or SUCCEEDED. Those
    /// that lost their host are submitted again by this, if nobody has done so before.
    fn dependencies_recover<'b>(
        &'b self,
        job: &'b Job,
    ) -> Pin<Box<dyn Future<Output = Result<bool, PortError>> + Send + 'b>> {
        Box::pin(async move {
            let names: Vec<JobName> = job.head.spec.dependency_names().cloned().collect();
            for name in &names {
                if !self.recovers(name).await? {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    async fn recovers(&self, name: &JobName) -> Result<bool, PortError> {
        let Some(job) = self.store.job(name).await? else { return Ok(false) };
        if job.head.claim.is_some() {
            return Err(PortError::retryable("resubmit", format!("{name} is being submitted")));
        }
        let Some(job_id) = &job.head.job_id else { return Ok(false) };
        // The event of the dependency's own end may be still on its way: ask, before it is believed
        // to be running.
        if job.status().is_some_and(|status| !status.is_terminal()) {
            for detail in self.engine.describe_jobs(std::slice::from_ref(job_id)).await? {
                self.store.apply_state(&detail.state(), self.clock.now()).await?;
            }
        }
        match self.follow(name, job_id).await? {
            None | Some(Recorded::Resubmitted(_) | Recorded::Ended(JobStatus::Succeeded, _)) => Ok(true),
            Some(Recorded::Ended(..)) => Ok(false),
            Some(_) => Err(PortError::retryable("resubmit", format!("{name} is being submitted"))),
        }
    }
}

enum Owner {
    Us,
    Nobody,
    Surplus,
}
