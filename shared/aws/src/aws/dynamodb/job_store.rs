//! The port on DynamoDB.

use futures_util::{TryStreamExt as _, stream};

use super::DynamoDbJobStore;
use super::call::{until_settled, unusable};
use super::cursor::ListPosition;
use super::item;
use super::list::List;
use super::submissions::Which;
use crate::domain::{
    Children, ClaimOutcome, FollowUp, Job, JobHead, JobId, JobName, JobState, JobStatus, LogsRecord,
    NewClaim, NewSubmission, Nonce, RecordOutcome, Run, RunId, SheetId, StatusCounts, Submission, Timestamp,
    claims,
};
use crate::ports::{
    Applied, ClaimStore, Cursor, JobQueries, JobRemoval, Page, PortError, StateStore, WorkLists,
};

/// Submissions of one call whose silence is written at once.
const NOTES_AT_ONCE: usize = 16;

impl ClaimStore for DynamoDbJobStore {
    async fn open_sheet(
        &self,
        names: &[JobName],
        expires_at: Timestamp,
    ) -> Result<Option<SheetId>, PortError> {
        self.put_sheet(names, expires_at).await.map(Some)
    }

    async fn close_sheet(&self, sheet: &SheetId) -> Result<(), PortError> {
        self.remove_sheet(item::sheet_key(sheet)).await
    }

    async fn claim(&self, claim: &NewClaim) -> Result<ClaimOutcome, PortError> {
        match self.claim_unseen(claim).await? {
            Some(outcome) => Ok(outcome),
            None => until_settled("PutItem", || self.try_claim(claim)).await,
        }
    }

    async fn release(
        &self,
        job_name: &JobName,
        nonce: &Nonce,
        refusal: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        until_settled("PutItem", || self.try_release(job_name, nonce, refusal, now)).await
    }

    async fn record_submission(&self, submission: &NewSubmission) -> Result<RecordOutcome, PortError> {
        let rule = |head: &mut Option<JobHead>| claims::record(head.as_mut(), submission);
        let submitted = submission.state();
        until_settled("PutItem", || self.try_record(&submitted, submission.now, rule)).await
    }

    async fn take_in(&self, claim: &NewClaim, job_id: &JobId) -> Result<RecordOutcome, PortError> {
        let rule = |head: &mut Option<JobHead>| claims::take_in(head, claim, job_id);
        let submitted = JobState::submitted(claim.spec.job_name.clone(), job_id.clone(), None);
        until_settled("PutItem", || self.try_record(&submitted, claim.now, rule)).await
    }
}

impl StateStore for DynamoDbJobStore {
    async fn apply_state(&self, state: &JobState, now: Timestamp) -> Result<Applied, PortError> {
        let applied = until_settled("UpdateItem", || self.try_apply(state, now, Which::Any)).await?;
        Ok(applied.unwrap_or(Applied::Stale))
    }

    async fn apply_known(&self, state: &JobState, now: Timestamp) -> Result<Option<Applied>, PortError> {
        until_settled("UpdateItem", || self.try_apply(state, now, Which::Known)).await
    }

    async fn save_children(
        &self,
        job_name: &JobName,
        job_id: &JobId,
        children: &Children,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        until_settled("TransactWriteItems", || self.try_save_children(job_name, job_id, children, now)).await
    }

    async fn save_logs(&self, job_id: &JobId, logs: &LogsRecord, now: Timestamp) -> Result<bool, PortError> {
        let mut read_before = self.found.take(job_id);
        let key = match &read_before {
            Some(found) => item::key_of(found),
            None => match self.locate(job_id).await? {
                Some(key) => key,
                None => return Ok(false),
            },
        };
        until_settled("UpdateItem", || self.try_save_logs(&key, logs, now, read_before.take())).await
    }
}

impl WorkLists for DynamoDbJobStore {
    async fn unsettled_ends(&self, page: Option<&Cursor>) -> Result<Page<Submission>, PortError> {
        self.list_submissions(&List::of_unsettled(), page).await
    }

    async fn save_follow_up(
        &self,
        job_name: &JobName,
        job_id: &JobId,
        follow_up: &FollowUp,
    ) -> Result<(), PortError> {
        until_settled("UpdateItem", || self.try_save_follow_up(job_name, job_id, follow_up)).await
    }

    async fn ends_waiting_for(
        &self,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.list_waiting(job_name, page).await
    }

    async fn expired_claims(
        &self,
        before: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<JobHead>, PortError> {
        self.list_expired_claims(before, page).await
    }

    async fn close_left_sheets(&self, before: Timestamp) -> Result<(), PortError> {
        self.remove_left_sheets(before).await
    }

    async fn silent_submissions(
        &self,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.list_silent(since, page).await
    }

    async fn no_news(
        &self,
        submissions: &[Submission],
        heard_at: Option<Timestamp>,
        asked_at: Timestamp,
    ) -> Result<(), PortError> {
        let notes = submissions.iter().filter(|submission| !submission.state.status.is_terminal());
        stream::iter(notes.map(Ok))
            .try_for_each_concurrent(NOTES_AT_ONCE, |submission| {
                until_settled("UpdateItem", move || self.try_no_news(&submission.state, heard_at, asked_at))
            })
            .await
    }

    async fn unfinished_logs(
        &self,
        before: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.list_without_logs(before, page).await
    }
}

impl JobQueries for DynamoDbJobStore {
    async fn job(&self, job_name: &JobName) -> Result<Option<Job>, PortError> {
        self.job_by_name(job_name).await
    }

    async fn jobs_named(&self, job_names: &[JobName]) -> Result<Vec<Option<Job>>, PortError> {
        self.named(job_names, None).await
    }

    async fn submission(&self, job_id: &JobId) -> Result<Option<Submission>, PortError> {
        self.found(job_id).await
    }

    async fn submission_of(
        &self,
        job_name: &JobName,
        job_id: &JobId,
    ) -> Result<Option<Submission>, PortError> {
        self.known_by_key(item::submission_key(job_name, job_id)).await
    }

    async fn is_recorded(&self, job_name: &JobName, job_id: &JobId) -> Result<bool, PortError> {
        self.is_named(job_name, job_id).await
    }

    async fn submissions(
        &self,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.list_of_job(job_name, page).await
    }

    async fn submissions_with_status(
        &self,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        let mut page = match status {
            JobStatus::Failed => return self.list_submissions(&List::of_failed(), page).await,
            JobStatus::Succeeded => self.scan_submissions(page).await?,
            _ => self.list_submissions(&List::of_all_in_flight(), page).await?,
        };
        page.items.retain(|submission| submission.state.status == status);
        Ok(page)
    }

    async fn jobs(&self, run_id: Option<&RunId>, page: Option<&Cursor>) -> Result<Page<Job>, PortError> {
        if run_id.is_none()
            && ListPosition::read(page).map_err(unusable("Scan"))?.is_of_scan()
            && let Some(page) = self.scan_jobs(page).await?
        {
            return Ok(page);
        }
        match run_id {
            Some(run_id) => self.list_jobs_of_run(run_id, page).await,
            None => self.list_all_jobs(page).await,
        }
    }

    async fn jobs_with_status(
        &self,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> Result<Page<Job>, PortError> {
        if status != JobStatus::Succeeded {
            return self.list_jobs_with_status(status, page).await;
        }
        let mut page = self.jobs(None, page).await?;
        page.items.retain(|job| job.status() == Some(status));
        Ok(page)
    }

    async fn count_by_status(&self) -> Result<StatusCounts, PortError> {
        self.counts().await
    }
}

impl JobRemoval for DynamoDbJobStore {
    async fn remove_submission(&self, job_id: &JobId) -> Result<Option<Submission>, PortError> {
        let Some(key) = self.locate(job_id).await? else { return Ok(None) };
        let Some(submission) = self.forget_submission(&key).await? else { return Ok(None) };
        until_settled("TransactWriteItems", || self.try_forget(&submission)).await?;
        Ok(Some(submission))
    }

    async fn remove_job(&self, job_name: &JobName) -> Result<Vec<JobId>, PortError> {
        self.forget_job(job_name).await
    }

    async fn prune_job(&self, head: &JobHead) -> Result<bool, PortError> {
        self.forget_job_as_read(head).await
    }

    async fn prune_run(&self, run: &Run) -> Result<bool, PortError> {
        self.forget_run(run).await
    }
}
