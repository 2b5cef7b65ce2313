//! Where the state of all jobs is kept.

use std::future::Future;

use super::{Cursor, Page, PortError};
use crate::domain::{
    Children, Job, JobHead, JobId, JobName, JobSpec, JobState, JobStatus, LogsRecord, Nonce, RunId,
    StatusCounts, Submission, Timestamp, TryEnd,
};

/// A wish to submit a job.
#[derive(Debug, Clone)]
pub struct NewClaim {
    /// What is to be submitted.
    pub spec: JobSpec,
    /// For whom.
    pub run_id: RunId,
    /// The latest submission when the decision was made. The claim is granted only while it still is.
    pub replaces: Option<JobId>,
    /// How that submission ended: the head keeps it from now on.
    pub replaced_end: Option<TryEnd>,
    /// Where the submission goes; `None`: into the spec's own queue.
    pub job_queue: Option<String>,
    /// A claim that expired, of which Batch was asked: the new one takes its place in the same step, so
    /// that the wish to submit is never without a claim. Granted only while that one stands.
    pub takes_over: Option<Nonce>,
    /// A person asks for the job: the budget of `maxTries` starts anew.
    pub resets_budget: bool,
    /// This moment.
    pub now: Timestamp,
    /// When the reconciler may look into it.
    pub expires_at: Timestamp,
}

/// Whether a claim was granted.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimOutcome {
    /// It was: submit with this nonce.
    Granted(Nonce),
    /// It was not: another claim stands, live or expired, or the one to take over stands no longer.
    Held,
    /// It was not: the latest submission is another by now. Look again.
    Replaced,
}

/// A submission that took effect.
#[derive(Debug, Clone)]
pub struct NewSubmission {
    /// The job.
    pub job_name: JobName,
    /// The claim.
    pub nonce: Nonce,
    /// What Batch called it.
    pub job_id: JobId,
    /// This moment.
    pub now: Timestamp,
}

/// What recording a submission found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordOutcome {
    /// The claim stood: the submission is the job's latest now, and the claim is gone.
    Recorded,
    /// It was known already.
    Known,
    /// The claim stands no longer and the submission is not the job's: it is one too many.
    Surplus,
    /// The job is not known at all.
    Unknown,
}

/// What applying a state found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It was newer than what was known, and is known now.
    Applied,
    /// It was not newer: nothing changed.
    Stale,
}

/// Heads and submissions of all jobs. Every write is one condition and one change, applied as one, so
/// that any number of writers may race; repeated, it changes nothing more.
pub trait JobStore: Send + Sync {
    /// Grants a claim where no claim stands, or the one that it takes over, and `replaces` is still the
    /// latest submission, in one step; then the head takes on the claim's spec and run, and how the
    /// submission ended that is replaced. A new job gets its head by this.
    fn claim(&self, claim: &NewClaim) -> impl Future<Output = Result<ClaimOutcome, PortError>> + Send;

    /// Gives a claim up where it still stands with this nonce: nothing was submitted. `refusal` says
    /// why, where Batch refused. Returns whether it stood.
    fn release(
        &self,
        job_name: &JobName,
        nonce: &Nonce,
        refusal: Option<&str>,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, PortError>> + Send;

    /// Turns a claim into a submission: sets the head's `jobId`, appends it to `jobTries`, clears the
    /// claim, and makes the submission's item (SUBMITTED) where an event has not made it before.
    fn record_submission(
        &self,
        submission: &NewSubmission,
    ) -> impl Future<Output = Result<RecordOutcome, PortError>> + Send;

    /// Keeps what is known of the children of an array, of which those that lost their hosts are run
    /// again: where `job_id` is the job's latest submission, was submitted so, and no outcome was written
    /// before. Where the outcome is SUCCEEDED, the job counts as SUCCEEDED from then on; its submission
    /// stays as it is. Returns whether it was written.
    fn save_children(
        &self,
        job_name: &JobName,
        job_id: &JobId,
        children: &Children,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, PortError>> + Send;

    /// Writes a state where it is newer than the one known, by [`OrderKey`], or none is known.
    ///
    /// [`OrderKey`]: crate::domain::transition::OrderKey
    fn apply_state(
        &self,
        state: &JobState,
        now: Timestamp,
    ) -> impl Future<Output = Result<Applied, PortError>> + Send;

    /// What follows from a submission's end has been done: it leaves [`JobStore::unsettled_ends`].
    fn settle(&self, job_id: &JobId) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Submissions whose end has loose ends, by [`JobState::has_loose_ends`], and has not been settled, a
    /// page at a time.
    fn unsettled_ends(
        &self,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<Submission>, PortError>> + Send;

    /// Keeps where a submission's logs are. `false` where the submission is not known.
    fn save_logs(
        &self,
        job_id: &JobId,
        logs: &LogsRecord,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, PortError>> + Send;

    /// The job of that name with its latest submission.
    fn job(&self, job_name: &JobName) -> impl Future<Output = Result<Option<Job>, PortError>> + Send;

    /// Several jobs at once, in the order of the names.
    fn jobs_named(
        &self,
        job_names: &[JobName],
    ) -> impl Future<Output = Result<Vec<Option<Job>>, PortError>> + Send;

    /// The submission, child or node of that id.
    fn submission(
        &self,
        job_id: &JobId,
    ) -> impl Future<Output = Result<Option<Submission>, PortError>> + Send;

    /// Every submission, child and node of a job, a page at a time, in no promised order.
    fn submissions(
        &self,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<Submission>, PortError>> + Send;

    /// Every submission, child and node with a status, a page at a time.
    fn submissions_with_status(
        &self,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<Submission>, PortError>> + Send;

    /// All jobs, or those that the given run claimed last, each once, a page at a time.
    fn jobs(
        &self,
        run_id: Option<&RunId>,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<Job>, PortError>> + Send;

    /// The jobs whose latest submission has a status, by [`Job::status`], a page at a time.
    fn jobs_with_status(
        &self,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<Job>, PortError>> + Send;

    /// How many jobs have each status, by [`Job::status`].
    fn count_by_status(&self) -> impl Future<Output = Result<StatusCounts, PortError>> + Send;

    /// Heads whose claim expired before a moment, a page at a time.
    fn expired_claims(
        &self,
        before: Timestamp,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<JobHead>, PortError>> + Send;

    /// Submissions, children and nodes that have not ended and of which nothing was heard, and Batch was
    /// not asked, since a moment. What waits longest comes first, in each part of a store that is in parts;
    /// none of these comes first in every list.
    fn silent_submissions(
        &self,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<Submission>, PortError>> + Send;

    /// Batch was asked about submissions in flight and had no news of them: they leave
    /// [`JobStore::silent_submissions`] of moments up to `asked_at`. With `heard_at` Batch knows them, and
    /// their `updated_at` is that moment. One that has changed since it was read is left as it is.
    fn no_news(
        &self,
        submissions: &[Submission],
        heard_at: Option<Timestamp>,
        asked_at: Timestamp,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Submissions, children and nodes that ended before a moment and whose logs are not complete.
    fn unfinished_logs(
        &self,
        before: Timestamp,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<Submission>, PortError>> + Send;

    /// Forgets one submission and its children; the head forgets it too. Returns what was removed.
    fn remove_submission(
        &self,
        job_id: &JobId,
    ) -> impl Future<Output = Result<Option<Submission>, PortError>> + Send;

    /// Forgets a job: head, submissions, children. Returns the ids of its submissions.
    fn remove_job(&self, job_name: &JobName) -> impl Future<Output = Result<Vec<JobId>, PortError>> + Send;
}
