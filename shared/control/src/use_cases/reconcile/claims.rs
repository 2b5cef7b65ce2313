//! Claims that have expired: their submissions adopted, or the jobs submitted under new ones.

use super::Pass;
use crate::domain::limits::DESCRIBE_JOBS_MAX;
use crate::domain::plan::Skip;
use crate::domain::{JobHead, JobId, JobState, NewSubmission, RecordOutcome};
use crate::events::JobDetail;
use crate::ports::{Clock, Cursor, JobEngine, JobStore, JobSummary, PortError, RunStore, SubmissionPace};
use crate::use_cases::record_state::Recorder;
use crate::use_cases::submit::{SubmitOutcome, end_surplus};
use crate::use_cases::take_over::take_over;

/// How far Batch's clock and ours may be apart, in milliseconds.
const CLOCK_SKEW_MS: i64 = 3_600_000;

impl<S, E, P, C> Pass<'_, S, E, P, C>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
{
    pub(super) async fn look_into_claims(&mut self) -> Result<(), PortError> {
        let before = self.recorder.clock.now().plus_millis(-self.policy.quarantine_ms);
        let mut cursor: Option<Cursor> = None;
        loop {
            let page = self.recorder.store.expired_claims(before, cursor.as_ref()).await?;
            self.done.unreadable += page.unreadable.len() as u64;
            for head in &page.items {
                if let Err(error) = self.look_into_claim(head).await {
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
    async fn look_into_claim(&mut self, head: &JobHead) -> Result<(), PortError> {
        let Some(claim) = &head.claim else { return Ok(()) };
        let mut adopted = false;
        for detail in self.submissions_unknown_to(head).await? {
            let state = detail.state();
            if state.nonce.as_ref().is_some_and(|nonce| head.has_issued(nonce)) {
                adopted |= self.adopt(head, &state).await? && state.nonce.as_ref() == Some(&claim.nonce);
            }
        }
        if adopted {
            return Ok(());
        }
        let Recorder { store, engine, pace, clock, policy } = self.recorder;
        match take_over(*store, *engine, *pace, *clock, policy, head, &claim.nonce).await? {
            SubmitOutcome::Submitted(_) => {
                self.done.claims_released += 1;
                self.done.resubmitted += 1;
            }
            SubmitOutcome::Surplus(_) => {
                self.done.claims_released += 1;
                self.done.surplus_terminated += 1;
            }
            SubmitOutcome::Rejected(_)
            | SubmitOutcome::Unknown(_)
            | SubmitOutcome::Skipped(Skip::RunCancelled) => {
                self.done.claims_released += 1;
            }
            SubmitOutcome::Deferred(why) => return Err(PortError::retryable("take over a claim", why)),
            // Another has settled it meanwhile.
            SubmitOutcome::Skipped(_) => {}
        }
        Ok(())
    }

    /// Makes a submission that carries one of the job's nonces known, or ends it where it is one too many.
    /// Returns whether it is the job's.
    async fn adopt(&mut self, head: &JobHead, state: &JobState) -> Result<bool, PortError> {
        let Some(nonce) = state.nonce.clone() else { return Ok(false) };
        let Recorder { store, engine, clock, .. } = self.recorder;
        let (job_name, job_id) = (head.spec.job_name.clone(), state.job_id.clone());
        let submission = NewSubmission { job_name, nonce, job_id, now: clock.now() };
        match store.record_submission(&submission).await? {
            RecordOutcome::Recorded => self.done.claims_adopted += 1,
            RecordOutcome::Known | RecordOutcome::Unknown => {}
            RecordOutcome::Surplus => {
                if !state.status.is_terminal() {
                    end_surplus(*engine, &head.spec.job_name, &state.job_id).await?;
                    self.done.surplus_terminated += 1;
                }
                return Ok(false);
            }
        }
        self.record(state).await?;
        Ok(true)
    }

    /// What Batch has under the job's name, where the claim's submission goes, and the head does not know of.
    ///
    /// Errs where `ListJobs` shows a job that may have been made under the claim and `DescribeJobs` does
    /// not: whose it is can't be told, and the claim must not be given up.
    async fn submissions_unknown_to(&self, head: &JobHead) -> Result<Vec<JobDetail>, PortError> {
        let engine = self.recorder.engine;
        let mut unknown: Vec<JobSummary> = Vec::new();
        let mut cursor: Option<Cursor> = None;
        loop {
            let page = engine.list_jobs(head.claimed_queue(), &head.spec.job_name, cursor.as_ref()).await?;
            unknown.extend(page.items.into_iter().filter(|found| !head.job_tries.contains(&found.job_id)));
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        let mut details: Vec<JobDetail> = Vec::new();
        for found in unknown.chunks(DESCRIBE_JOBS_MAX) {
            let ids: Vec<JobId> = found.iter().map(|summary| summary.job_id.clone()).collect();
            details.extend(engine.describe_jobs(&ids).await?);
        }
        // A head that is claimed changed last when it was.
        let oldest = head.updated_at.plus_millis(-CLOCK_SKEW_MS);
        let hidden = unknown.iter().find(|summary| {
            summary.created_at.is_none_or(|created_at| created_at >= oldest)
                && details.iter().all(|detail| detail.job_id != summary.job_id)
        });
        match hidden {
            None => Ok(details),
            Some(hidden) => {
                let why = format!("{} is listed, and not described yet", hidden.job_id);
                Err(PortError::retryable("DescribeJobs", why))
            }
        }
    }
}
