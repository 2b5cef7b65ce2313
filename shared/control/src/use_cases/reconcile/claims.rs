//! Claims that have expired: their submissions adopted, or the jobs submitted under new ones.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};

use super::listing::{Expired, Listing, oldest_submission};
use super::{Found, Pass, Reconciled};
use crate::domain::limits::DESCRIBE_JOBS_MAX;
use crate::domain::plan::Skip;
use crate::domain::{JobHead, JobId, JobName, JobState, NewSubmission, RecordOutcome, Timestamp};
use crate::events::JobDetail;
use crate::ports::{
    Clock, Cursor, EventBus, JobEngine, JobStore, JobSummary, PortError, RunStore, SubmissionPace,
};
use crate::use_cases::record_state::Recorder;
use crate::use_cases::submit::{SubmitOutcome, end_surplus};
use crate::use_cases::take_over::take_over;

/// Claims that one pass looks into at most. What is held of them takes 50 MB.
const CLAIMS_MAX: usize = 100_000;

/// Milliseconds after the expiry of its last claim for which a sheet that nobody closed is kept: no submitter, however
/// long its machine slept, is still about to write a claim that expired then.
const SHEET_KEPT_MS: i64 = 3_600_000;

/// Claims that are settled at once.
const AT_ONCE: usize = 16;

impl<S, E, P, C, B> Pass<'_, S, E, P, C, B>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    B: EventBus,
{
    /// Three calls a hundred claims or fewer, where there are many: see `listing`.
    pub(super) async fn look_into_claims(&mut self) -> Result<(), PortError> {
        let before = self.recorder.clock.now().plus_millis(-self.policy.quarantine_ms);
        let expired = self.expired_claims(before).await?;
        let mut listing = self.list_queues(&expired).await;
        for part in expired.chunks(DESCRIBE_JOBS_MAX) {
            let names: Vec<JobName> = part.iter().map(|claim| claim.job_name.clone()).collect();
            match self.recorder.store.jobs_named(&names).await {
                Ok(jobs) => {
                    let heads = jobs.into_iter().flatten().map(|job| job.head);
                    let still =
                        |head: &JobHead| head.claim.as_ref().is_some_and(|claim| claim.expires_at < before);
                    self.look_into(heads.filter(still).collect(), &mut listing).await;
                }
                Err(error) => names.iter().for_each(|name| self.postpone(name, &error)),
            }
        }
        self.recorder.store.close_left_sheets(before.plus_millis(-SHEET_KEPT_MS)).await
    }

    async fn expired_claims(&mut self, before: Timestamp) -> Result<Vec<Expired>, PortError> {
        let mut expired = Vec::new();
        // Two sheets may name one job: that of a submitter that died, and that of the one which goes on with the run.
        let mut known = BTreeSet::new();
        let mut cursor: Option<Cursor> = None;
        loop {
            let page = self.recorder.store.expired_claims(before, cursor.as_ref()).await?;
            self.done.unreadable += page.unreadable.len() as u64;
            let new = page.items.iter().filter(|head| known.insert(head.spec.job_name.clone()));
            expired.extend(new.map(Expired::of));
            cursor = page.next;
            if cursor.is_none() || expired.len() >= CLAIMS_MAX {
                return Ok(expired);
            }
        }
    }

    /// Asks Batch what became of the claims of some heads, a hundred at most, and settles them.
    async fn look_into(&mut self, heads: Vec<JobHead>, listing: &mut Listing) {
        let mut asked: Vec<(JobHead, Vec<JobSummary>)> = Vec::new();
        for head in heads {
            match self.listed(&head, listing).await {
                Ok(found) => asked.push((head, found)),
                Err(error) => self.postpone(&head.spec.job_name, &error),
            }
        }
        let all: Vec<JobId> = asked.iter().flat_map(|(_, found)| ids(found)).collect();
        let together = self.describe(&all).await;
        let mut described = Vec::new();
        for (head, found) in asked {
            let details = match &together {
                Ok(details) => Ok(details.clone()),
                Err(error) if error.may_pass() || error.is_of_caller() => Err(error.clone()),
                // One job that can't be described must not hide the others.
                Err(_) => self.describe(&ids(&found).collect::<Vec<_>>()).await,
            };
            match details.and_then(|details| all_described(&head, &found, details)) {
                Ok(details) => described.push((head, details)),
                Err(error) => self.postpone(&head.spec.job_name, &error),
            }
        }
        let (recorder, policy) = (self.recorder, self.policy);
        let mut settling = stream::iter(described.into_iter().map(|(head, details)| async move {
            let (mut done, mut found) = (Reconciled::default(), Found::default());
            let mut pass = Pass { recorder, policy, done: &mut done, found: &mut found };
            if let Err(error) = pass.settle(&head, &details).await {
                pass.postpone(&head.spec.job_name, &error);
            }
            (done, found.ends)
        }))
        .buffer_unordered(AT_ONCE);
        while let Some((done, ends)) = settling.next().await {
            self.found.ends.extend(ends);
            self.done.add(done);
        }
    }

    async fn describe(&self, ids: &[JobId]) -> Result<Vec<JobDetail>, PortError> {
        let mut details = Vec::new();
        for ids in ids.chunks(DESCRIBE_JOBS_MAX) {
            details.extend(self.recorder.engine.describe_jobs(ids).await?);
        }
        Ok(details)
    }

    /// Adopts the claim's submission, or takes the claim over. `details`: what Batch has under the job's name and
    /// the head does not name.
    async fn settle(&mut self, head: &JobHead, details: &[JobDetail]) -> Result<(), PortError> {
        let Some(claim) = &head.claim else { return Ok(()) };
        let mut adopted = false;
        for state in details.iter().map(JobDetail::state) {
            if state.nonce.as_ref().is_some_and(|nonce| head.has_issued(nonce)) {
                adopted |= self.adopt(head, &state).await? && state.nonce.as_ref() == Some(&claim.nonce);
            }
        }
        if adopted {
            return Ok(());
        }
        let Recorder { store, engine, pace, clock, policy, .. } = self.recorder;
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
            | SubmitOutcome::Skipped(Skip::RunCancelled | Skip::LeftToItsRun) => {
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
}

fn ids(found: &[JobSummary]) -> impl Iterator<Item = JobId> {
    found.iter().map(|summary| summary.job_id.clone())
}

/// The descriptions of what was listed for a head.
///
/// Errs where a job is listed that may have been made under the claim, and is not described: whose it is can't be
/// told, and the claim must not be given up.
fn all_described(
    head: &JobHead,
    found: &[JobSummary],
    mut details: Vec<JobDetail>,
) -> Result<Vec<JobDetail>, PortError> {
    details.retain(|detail| found.iter().any(|summary| summary.job_id == detail.job_id));
    let oldest = oldest_submission(head);
    let hidden = found.iter().find(|summary| {
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
