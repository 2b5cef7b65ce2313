//! The ports of a store.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::RedisStore;
use super::error::failed;
use super::keys::List;
use crate::domain::{
    Children, ClaimOutcome, FollowUp, Job, JobHead, JobId, JobName, JobState, JobStatus, LogsRecord,
    NewClaim, NewSubmission, Nonce, RecordOutcome, Run, RunId, StatusCounts, Submission, Timestamp, claims,
};
use crate::ports::{
    Applied, ClaimStore, Cursor, JobQueries, JobRemoval, Page, PortError, RunStore, StateStore, WorkLists,
};

/// Calls under way at once for one call of a port: they share a connection.
const AT_ONCE: usize = 32;

impl ClaimStore for RedisStore {
    async fn claim(&self, claim: &NewClaim) -> Result<ClaimOutcome, PortError> {
        self.write_claim(claim).await
    }

    async fn release(
        &self,
        job_name: &JobName,
        nonce: &Nonce,
        refusal: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        self.write_release(job_name, nonce, refusal, now).await
    }

    async fn record_submission(&self, submission: &NewSubmission) -> Result<RecordOutcome, PortError> {
        let rule = |head: &mut Option<JobHead>| claims::record(head.as_mut(), submission);
        self.write_submission(submission.state(), submission.now, rule).await
    }

    async fn take_in(&self, claim: &NewClaim, job_id: &JobId) -> Result<RecordOutcome, PortError> {
        let submitted = JobState::submitted(claim.spec.job_name.clone(), job_id.clone(), None);
        self.write_submission(submitted, claim.now, |head| claims::take_in(head, claim, job_id)).await
    }
}

impl StateStore for RedisStore {
    async fn apply_state(&self, state: &JobState, now: Timestamp) -> Result<Applied, PortError> {
        self.write_state(state, now).await
    }

    async fn save_children(
        &self,
        job_name: &JobName,
        job_id: &JobId,
        children: &Children,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        self.write_children(job_name, job_id, children, now).await
    }

    async fn save_logs(&self, job_id: &JobId, logs: &LogsRecord, now: Timestamp) -> Result<bool, PortError> {
        self.write_logs(job_id, logs, now).await
    }
}

impl WorkLists for RedisStore {
    async fn unsettled_ends(&self, page: Option<&Cursor>) -> Result<Page<Submission>, PortError> {
        let items = self.items("list unsettled ends", &List::Unsettled, None, page).await?;
        Ok(items.map(|item| item.submission))
    }

    async fn ends_waiting_for(
        &self,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        let list = List::WaitingFor(job_name.clone());
        let items = self.items("list ends that wait for a job", &list, None, page).await?;
        Ok(items.map(|item| item.submission))
    }

    async fn save_follow_up(
        &self,
        _: &JobName,
        job_id: &JobId,
        follow_up: &FollowUp,
    ) -> Result<(), PortError> {
        self.write_follow_up(job_id, follow_up).await
    }

    async fn expired_claims(
        &self,
        before: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<JobHead>, PortError> {
        self.heads("list expired claims", &List::Claims, Some(before), page).await
    }

    async fn silent_submissions(
        &self,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        let items = self.items("list silent submissions", &List::Silent, Some(since), page).await?;
        Ok(items.map(|item| item.submission))
    }

    async fn no_news(
        &self,
        submissions: &[Submission],
        heard_at: Option<Timestamp>,
        asked_at: Timestamp,
    ) -> Result<(), PortError> {
        let writes: Vec<_> =
            submissions.iter().map(|asked| self.write_silence(asked, heard_at, asked_at)).collect();
        stream::iter(writes).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn unfinished_logs(
        &self,
        before: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        let items = self.items("list unfinished logs", &List::Logs, Some(before), page).await?;
        Ok(items.map(|item| item.submission))
    }
}

impl JobQueries for RedisStore {
    async fn job(&self, job_name: &JobName) -> Result<Option<Job>, PortError> {
        self.found_job("find a job", job_name).await
    }

    async fn jobs_named(&self, job_names: &[JobName]) -> Result<Vec<Option<Job>>, PortError> {
        let jobs: Vec<_> = job_names.iter().map(|job_name| self.found_job("find jobs", job_name)).collect();
        stream::iter(jobs).buffered(AT_ONCE).try_collect().await
    }

    async fn submission(&self, job_id: &JobId) -> Result<Option<Submission>, PortError> {
        Ok(self.item("find a submission", job_id).await?.record.map(|item| item.submission))
    }

    async fn submission_of(
        &self,
        job_name: &JobName,
        job_id: &JobId,
    ) -> Result<Option<Submission>, PortError> {
        Ok(self.submission(job_id).await?.filter(|found| found.state.job_name == *job_name))
    }

    async fn submissions(
        &self,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        let list = List::SubmissionsOf(job_name.clone());
        Ok(self.items("list a job's submissions", &list, None, page).await?.map(|item| item.submission))
    }

    async fn submissions_with_status(
        &self,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        let list = List::SubmissionsWithStatus(status);
        Ok(self.items("list submissions", &list, None, page).await?.map(|item| item.submission))
    }

    async fn jobs(&self, run_id: Option<&RunId>, page: Option<&Cursor>) -> Result<Page<Job>, PortError> {
        const OPERATION: &str = "list jobs";
        let list = run_id.map_or(List::Jobs, |run_id| List::JobsOfRun(run_id.clone()));
        let heads = self.heads(OPERATION, &list, None, page).await?;
        self.with_latest(OPERATION, heads).await
    }

    async fn jobs_with_status(
        &self,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> Result<Page<Job>, PortError> {
        const OPERATION: &str = "list jobs";
        let heads = self.heads_with_status(OPERATION, status, page).await?;
        let mut jobs = self.with_latest(OPERATION, heads).await?;
        jobs.items.retain(|job| job.status() == Some(status));
        Ok(jobs)
    }

    async fn count_by_status(&self) -> Result<StatusCounts, PortError> {
        let mut counted = redis::pipe();
        counted.atomic();
        for status in JobStatus::ALL {
            counted.cmd("ZCARD").arg(self.keys.list(&List::JobsWithStatus(status)));
        }
        counted.cmd("ZCARD").arg(self.keys.list(&List::Unsubmitted));
        let answer: Result<Vec<u64>, _> = counted.query_async(&mut self.connection.clone()).await;
        let found = answer.map_err(failed("count jobs", &self.at))?;
        let mut counts = StatusCounts::default();
        for (status, count) in JobStatus::ALL.into_iter().zip(&found) {
            counts[status] = *count;
        }
        counts.unsubmitted = found.last().copied().unwrap_or_default();
        Ok(counts)
    }
}

impl JobRemoval for RedisStore {
    async fn remove_submission(&self, job_id: &JobId) -> Result<Option<Submission>, PortError> {
        self.forget_submission(job_id).await
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

impl RunStore for RedisStore {
    async fn create_run(&self, run: &Run) -> Result<Option<Run>, PortError> {
        self.write_new_run(run).await
    }

    async fn save_run(&self, run: &Run) -> Result<bool, PortError> {
        self.write_run(run).await
    }

    async fn run(&self, run_id: &RunId) -> Result<Option<Run>, PortError> {
        Ok(self.found_run("find a run", run_id).await?.record)
    }

    async fn runs(&self, page: Option<&Cursor>) -> Result<Page<Run>, PortError> {
        self.page("list runs", &List::Runs, None, page, |id| self.keys.run(id)).await
    }

    async fn unfinished_runs(&self, since: Timestamp, page: Option<&Cursor>) -> Result<Page<Run>, PortError> {
        let list = List::UnfinishedRuns;
        self.page("list unfinished runs", &list, Some(since), page, |id| self.keys.run(id)).await
    }
}
