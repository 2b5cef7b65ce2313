//! What events, submitters and collectors left behind, found and finished.

use serde::Serialize;
use tracing::{info, warn};

use super::record_state::{Recorded, Recorder};
use super::submit::{Outcome, end_surplus};
use super::take_over::take_over;
use crate::domain::cause::LOST_STATUS_REASON;
use crate::domain::limits::DESCRIBE_JOBS_MAX;
use crate::domain::{JobHead, JobId, JobState, JobStatus, Submission};
use crate::events::JobDetail;
use crate::ports::{
    Clock, Cursor, JobEngine, JobStore, NewSubmission, PortError, RecordOutcome, SubmissionPace,
};

/// When the reconciler believes what.
#[derive(Debug, Clone, Copy)]
pub struct ReconcilePolicy {
    /// Milliseconds from a claim's expiry until an empty answer of `ListJobs` is believed.
    pub quarantine_ms: i64,
    /// Milliseconds without news after which Batch is asked about a submission.
    pub silence_ms: i64,
    /// Milliseconds without news after which a submission that Batch does not know is LOST.
    pub lost_after_ms: i64,
}

impl Default for ReconcilePolicy {
    fn default() -> Self {
        Self { quarantine_ms: 300_000, silence_ms: 900_000, lost_after_ms: 86_400_000 }
    }
}

/// What one pass found and did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Reconciled {
    /// Claims whose submission was found in Batch.
    pub claims_adopted: u64,
    /// Claims under which nothing was submitted.
    pub claims_released: u64,
    /// Submissions that were one too many.
    pub surplus_terminated: u64,
    /// Submissions Batch was asked about.
    pub described: u64,
    /// Submissions that Batch no longer knows.
    pub lost: u64,
    /// Jobs submitted again.
    pub resubmitted: u64,
    /// Things that a failing port left for the next pass.
    pub postponed: u64,
}

/// One pass: expired claims, silent submissions, ends that nobody followed up.
///
/// Idempotent. What fails for one job is postponed and does not keep the others waiting; errs only
/// where the store itself can't be read.
pub async fn reconcile<S, E, P, C>(
    recorder: &Recorder<'_, S, E, P, C>,
    policy: &ReconcilePolicy,
) -> Result<Reconciled, PortError>
where
    S: JobStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
{
    let mut pass = Pass { recorder, policy, done: Reconciled::default() };
    pass.settle_claims().await?;
    pass.ask_about_silent_submissions().await?;
    pass.follow_unsettled_ends().await?;
    if pass.done != Reconciled::default() {
        info!(reconciled = ?pass.done, "reconciled");
    }
    Ok(pass.done)
}

struct Pass<'a, S, E, P, C> {
    recorder: &'a Recorder<'a, S, E, P, C>,
    policy: &'a ReconcilePolicy,
    done: Reconciled,
}

impl<S, E, P, C> Pass<'_, S, E, P, C>
where
    S: JobStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
{
    async fn settle_claims(&mut self) -> Result<(), PortError> {
        let before = self.recorder.clock.now().plus_millis(-self.policy.quarantine_ms);
        let mut cursor: Option<Cursor> = None;
        loop {
            let page = self.recorder.store.expired_claims(before, cursor.as_ref()).await?;
            for head in &page.items {
                if let Err(error) = self.settle_claim(head).await {
                    self.postpone(&head.spec.job_name, &error);
                }
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Asks Batch what became of a claim: adopts its submission, or takes the claim over.
    async fn settle_claim(&mut self, head: &JobHead) -> Result<(), PortError> {
        let Some(claim) = &head.claim else { return Ok(()) };
        let Recorder { store, engine, pace, clock, .. } = self.recorder;
        let name = &head.spec.job_name;
        for detail in self.submissions_unknown_to(head).await? {
            let state = detail.state();
            // Also what was made late, under an earlier claim.
            let Some(nonce) = state.nonce.clone() else { continue };
            let job_id = state.job_id.clone();
            let submission = NewSubmission { job_name: name.clone(), nonce, job_id, now: clock.now() };
            match store.record_submission(&submission).await? {
                RecordOutcome::Recorded => self.done.claims_adopted += 1,
                RecordOutcome::Known | RecordOutcome::Unknown => {}
                RecordOutcome::Surplus if state.status.is_terminal() => continue,
                RecordOutcome::Surplus => {
                    end_surplus(*engine, name, &state.job_id).await?;
                    self.done.surplus_terminated += 1;
                    continue;
                }
            }
            self.record(&state).await?;
        }
        let policy = &self.recorder.policy;
        match take_over(*store, *engine, *pace, *clock, policy, head, &claim.nonce).await? {
            Outcome::Submitted(_) => {
                self.done.claims_released += 1;
                self.done.resubmitted += 1;
            }
            Outcome::Rejected(_) | Outcome::Unknown(_) => self.done.claims_released += 1,
            Outcome::Deferred(why) => return Err(PortError::retryable("take over a claim", why)),
            // Another has settled it meanwhile.
            Outcome::Skipped(_) => {}
        }
        Ok(())
    }

    /// What Batch has under the job's name and the head does not know of.
    async fn submissions_unknown_to(&self, head: &JobHead) -> Result<Vec<JobDetail>, PortError> {
        let engine = self.recorder.engine;
        let mut unknown: Vec<JobId> = Vec::new();
        let mut cursor: Option<Cursor> = None;
        loop {
            let page = engine.list_jobs(&head.spec.job_queue, &head.spec.job_name, cursor.as_ref()).await?;
            let ids = page.items.into_iter().map(|summary| summary.job_id);
            unknown.extend(ids.filter(|id| !head.job_tries.contains(id)));
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        let mut details = Vec::new();
        for ids in unknown.chunks(DESCRIBE_JOBS_MAX) {
            details.extend(engine.describe_jobs(ids).await?);
        }
        Ok(details)
    }

    async fn ask_about_silent_submissions(&mut self) -> Result<(), PortError> {
        let since = self.recorder.clock.now().plus_millis(-self.policy.silence_ms);
        let mut cursor: Option<Cursor> = None;
        loop {
            let page = self.recorder.store.silent_submissions(since, cursor.as_ref()).await?;
            for silent in page.items.chunks(DESCRIBE_JOBS_MAX) {
                self.ask_about(silent).await;
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn ask_about(&mut self, silent: &[Submission]) {
        let ids: Vec<JobId> = silent.iter().map(|submission| submission.state.job_id.clone()).collect();
        let details = match self.recorder.engine.describe_jobs(&ids).await {
            Ok(details) => details,
            Err(error) => {
                warn!(%error, "submissions could not be described");
                self.done.postponed += ids.len() as u64;
                return;
            }
        };
        self.done.described += details.len() as u64;
        for submission in silent {
            let found = details.iter().find(|detail| detail.job_id == submission.state.job_id);
            let state = match found {
                Some(detail) => detail.state(),
                None if self.is_lost(submission) => {
                    self.done.lost += 1;
                    lost(&submission.state)
                }
                None => continue,
            };
            if let Err(error) = self.record(&state).await {
                self.postpone(&state.job_name, &error);
            }
        }
    }

    fn is_lost(&self, submission: &Submission) -> bool {
        self.recorder.clock.now().millis_since(submission.updated_at) >= self.policy.lost_after_ms
    }

    async fn follow_unsettled_ends(&mut self) -> Result<(), PortError> {
        let mut cursor: Option<Cursor> = None;
        loop {
            let page = self.recorder.store.unsettled_ends(cursor.as_ref()).await?;
            for submission in &page.items {
                if let Err(error) = self.record(&submission.state).await {
                    self.postpone(&submission.state.job_name, &error);
                }
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn record(&mut self, state: &JobState) -> Result<(), PortError> {
        match self.recorder.record_state(state).await? {
            Recorded::Resubmitted(_) => self.done.resubmitted += 1,
            Recorded::Surplus => self.done.surplus_terminated += 1,
            Recorded::NotOurs | Recorded::Noted(_) | Recorded::Ended(..) => {}
        }
        Ok(())
    }

    fn postpone(&mut self, name: &impl std::fmt::Display, error: &PortError) {
        warn!(job.name = %name, %error, "postponed to the next pass");
        self.done.postponed += 1;
    }
}

/// The last known state, ended because nobody can say more.
fn lost(known: &JobState) -> JobState {
    let was = known.status;
    let status_reason = Some(format!("{LOST_STATUS_REASON}; it was {was} when it was last heard of"));
    JobState { status: JobStatus::Failed, status_reason, ..known.clone() }
}
