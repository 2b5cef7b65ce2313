//! One state of a submission, from an event or from `DescribeJobs`, and what follows from its end.

use std::fmt;

use tracing::debug;

use super::follow::{LOOKS_OF_AN_EVENT, Telling, is_last};
use super::submit::{SubmitPolicy, end_surplus};
use crate::domain::retry::Again;
use crate::domain::{JobId, JobState, JobStatus, NewSubmission, RecordOutcome};
use crate::events::JobEnded;
use crate::ports::{
    Applied, Clock, EventBus, JobEngine, JobStore, NoBus, PortError, RunStore, SubmissionPace,
};

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
    Ended(Box<JobEnded>),
    /// The submission ended, and the job, or the child in a job of its own, was submitted again.
    Resubmitted(Resubmission),
    /// The submission ended, and what follows is decided when that is known of a dependency, or when children
    /// of an array that are run again have ended.
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

/// The ports and rules that recording and following up need.
#[derive(Debug)]
pub struct Recorder<'a, S, E, P, C, B = NoBus> {
    /// The state of all jobs.
    pub store: &'a S,
    /// What runs them.
    pub engine: &'a E,
    /// How fast they may be submitted again.
    pub pace: &'a P,
    /// The time.
    pub clock: &'a C,
    /// Who is told that a job has ended, before that leaves every list of the store: so at least once, whatever dies.
    pub bus: &'a B,
    /// How claims are used.
    pub policy: SubmitPolicy,
}

impl<S, E, P, C, B> Recorder<'_, S, E, P, C, B>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    B: EventBus,
{
    /// Records a state and does what follows from it.
    ///
    /// Idempotent: a state that is known changes nothing, but what follows from an end is looked at
    /// again. Errs where a port fails: then deliver it again.
    pub async fn record_state(&self, state: &JobState) -> Result<Recorded, PortError> {
        self.record_state_telling(state, &mut |_, _| ()).await
    }

    /// The same. `telling` is told what followed from the ends of other jobs, which waited for this one.
    pub async fn record_state_telling(
        &self,
        state: &JobState,
        telling: Telling<'_>,
    ) -> Result<Recorded, PortError> {
        self.record(state, Origin::Delivered, telling).await
    }

    pub(super) async fn record(
        &self,
        state: &JobState,
        origin: Origin,
        telling: Telling<'_>,
    ) -> Result<Recorded, PortError> {
        let mut told = if is_last(state) { self.tell_ahead(state, origin).await? } else { None };
        // The first events may come before the submission is recorded. Later ones mostly tell something new of one that is
        // known: one write, and no look before it.
        let applied = match state.status {
            JobStatus::Submitted | JobStatus::Pending | JobStatus::Runnable => None,
            _ => self.store.apply_known(state, self.clock.now()).await?,
        };
        let applied = match applied {
            Some(applied) => applied,
            None => match self.owner(state).await? {
                Owner::Nobody => return Ok(Recorded::NotOurs),
                Owner::Surplus => return self.end_surplus(state).await,
                Owner::Us if says_no_more_than_its_record(state) => Applied::Stale,
                Owner::Us => {
                    if is_last(state) && told.is_none() {
                        told = self.tell_ahead(state, origin).await?;
                    }
                    self.store.apply_state(state, self.clock.now()).await?
                }
            },
        };
        debug!(job.name = %state.job_name, job.id = %state.job_id, status = %state.status, ?applied, "state");
        let followed = match (state.status.is_terminal(), state.job_id.parent()) {
            (false, _) => None,
            // Nothing follows from an end that contradicts the one that is known, and nobody is told of it.
            (true, _) if applied == Applied::Stale && self.contradicts(state).await? => None,
            (true, Some(_)) => self.child_ended(state).await?,
            // Boxed, because it is large, and most states are no end.
            (true, None) => Box::pin(self.follow(state, told, LOOKS_OF_AN_EVENT, telling)).await?,
        };
        Ok(followed.unwrap_or(Recorded::Noted(applied)))
    }

    /// Whether another end of it is known: a terminal status never changes.
    async fn contradicts(&self, state: &JobState) -> Result<bool, PortError> {
        let known = self.store.submission_of(&state.job_name, &state.job_id).await?;
        Ok(known.is_some_and(|known| known.state.status != state.status))
    }

    async fn owner(&self, state: &JobState) -> Result<Owner, PortError> {
        let root = state.job_id.root();
        if self.store.is_recorded(&state.job_name, &root).await? {
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
}

/// Where a state comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A message, which comes again where it is not dealt with.
    Delivered,
    /// An answer of Batch's: nobody asks again when it is written down.
    Asked,
}

/// Whether all that a state says was written down when its submission was recorded.
fn says_no_more_than_its_record(state: &JobState) -> bool {
    state.status == JobStatus::Submitted
        && state.job_id.parent().is_none()
        && state.status_reason.is_none()
        && state.attempts.is_empty()
}

enum Owner {
    Us,
    Nobody,
    Surplus,
}
