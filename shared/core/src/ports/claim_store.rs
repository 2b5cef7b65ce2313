//! The right to submit a job, and its use.

use std::future::Future;

use super::PortError;
use crate::domain::{
    ClaimOutcome, JobId, JobName, NewClaim, NewSubmission, Nonce, RecordOutcome, SheetId, Timestamp,
};

/// Jobs that one sheet names at most.
pub const SHEET_MAX: usize = 100;

/// Claims. Every call on a job is one conditional write, decided by [`claims`](crate::domain::claims).
pub trait ClaimStore: Send + Sync {
    /// Names jobs, at most [`SHEET_MAX`], that are about to be claimed. From then on
    /// [`WorkLists::expired_claims`] finds those of their claims that are [`on_sheet`](NewClaim::on_sheet) by this one
    /// sheet, until it is closed. `expires_at`: when the last of them expires. `None` where a store lists claims at no
    /// cost, as most do. A sheet that its submitter did not close is left to [`WorkLists::close_left_sheets`].
    ///
    /// [`WorkLists::expired_claims`]: super::WorkLists::expired_claims
    /// [`WorkLists::close_left_sheets`]: super::WorkLists::close_left_sheets
    fn open_sheet(
        &self,
        names: &[JobName],
        expires_at: Timestamp,
    ) -> impl Future<Output = Result<Option<SheetId>, PortError>> + Send {
        let _ = (names, expires_at);
        std::future::ready(Ok(None))
    }

    /// Takes a sheet down: none of its claims stands, and none will be made.
    fn close_sheet(&self, sheet: &SheetId) -> impl Future<Output = Result<(), PortError>> + Send {
        let _ = sheet;
        std::future::ready(Ok(()))
    }

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
