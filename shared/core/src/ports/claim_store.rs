//! The right to submit a job, and its use.

use std::future::Future;

use super::PortError;
use crate::domain::{ClaimOutcome, JobId, JobName, NewClaim, NewSubmission, Nonce, RecordOutcome, Timestamp};

/// Claims. Every call is one conditional write, decided by [`claims`](crate::domain::claims).
pub trait ClaimStore: Send + Sync {
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

    /// Makes a submission of another program the job's latest, as a claim and a record in one step, decided by
    /// [`claims::take_in`](crate::domain::claims::take_in). `claim` says what is known of the job; its `expires_at` is
    /// not kept.
    fn take_in(
        &self,
        claim: &NewClaim,
        job_id: &JobId,
    ) -> impl Future<Output = Result<RecordOutcome, PortError>> + Send;
}
