//! A store whose calls are slow now and then, and fail before or after they took effect.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use batchwright::domain::{
    Children, ClaimOutcome, FollowUp, Job, JobHead, JobId, JobName, JobState, JobStatus, LogsRecord,
    NewClaim, NewSubmission, Nonce, RecordOutcome, Run, RunId, SheetId, StatusCounts, Submission, Timestamp,
};
use batchwright::ports::{
    Applied, ClaimStore, Cursor, JobQueries, JobRemoval, Page, PortError, RunStore, StateStore, WorkLists,
};
use batchwright_tests::dice::Dice;

pub(crate) struct FaultyStore<S> {
    pub(crate) inner: S,
    dice: Mutex<Dice>,
    failed_permille: AtomicU64,
}

impl<S> FaultyStore<S> {
    pub(crate) fn new(inner: S, seed: u64, failed_permille: u64) -> Self {
        let failed_permille = AtomicU64::new(failed_permille);
        Self { inner, dice: Mutex::new(Dice::new(seed, 3)), failed_permille }
    }

    /// From now on no call fails.
    pub(crate) fn calm(&self) {
        self.failed_permille.store(0, Ordering::Relaxed);
    }

    /// Whether the call is slow, and fails.
    fn draw(&self) -> (Option<Duration>, bool) {
        let mut dice = self.dice.lock().expect("nothing panics while it is held");
        let slow = dice.permille(100).then(|| Duration::from_millis(1 + dice.below(20)));
        (slow, dice.permille(self.failed_permille.load(Ordering::Relaxed) / 2))
    }

    async fn faulty<T>(
        &self,
        call: impl Future<Output = Result<T, PortError>> + Send,
    ) -> Result<T, PortError> {
        self.may_fail().await?;
        let answer = call.await?;
        self.may_fail().await?;
        Ok(answer)
    }

    async fn may_fail(&self) -> Result<(), PortError> {
        let (slow, fails) = self.draw();
        if let Some(slow) = slow {
            tokio::time::sleep(slow).await;
        }
        if fails { Err(PortError::retryable("store", "the connection was reset")) } else { Ok(()) }
    }
}

impl<S: ClaimStore> ClaimStore for FaultyStore<S> {
    async fn open_sheet(
        &self,
        names: &[JobName],
        expires_at: Timestamp,
    ) -> Result<Option<SheetId>, PortError> {
        self.faulty(self.inner.open_sheet(names, expires_at)).await
    }

    async fn close_sheet(&self, sheet: &SheetId) -> Result<(), PortError> {
        self.faulty(self.inner.close_sheet(sheet)).await
    }

    async fn claim(&self, claim: &NewClaim) -> Result<ClaimOutcome, PortError> {
        self.faulty(self.inner.claim(claim)).await
    }

    async fn release(
        &self,
        job_name: &JobName,
        nonce: &Nonce,
        refusal: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        self.faulty(self.inner.release(job_name, nonce, refusal, now)).await
    }

    async fn record_submission(&self, submission: &NewSubmission) -> Result<RecordOutcome, PortError> {
        self.faulty(self.inner.record_submission(submission)).await
    }

    async fn take_in(&self, claim: &NewClaim, job_id: &JobId) -> Result<RecordOutcome, PortError> {
        self.faulty(self.inner.take_in(claim, job_id)).await
    }
}

impl<S: StateStore> StateStore for FaultyStore<S> {
    async fn apply_state(&self, state: &JobState, now: Timestamp) -> Result<Applied, PortError> {
        self.faulty(self.inner.apply_state(state, now)).await
    }

    async fn apply_known(&self, state: &JobState, now: Timestamp) -> Result<Option<Applied>, PortError> {
        self.faulty(self.inner.apply_known(state, now)).await
    }

    async fn save_children(
        &self,
        job_name: &JobName,
        job_id: &JobId,
        children: &Children,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        self.faulty(self.inner.save_children(job_name, job_id, children, now)).await
    }

    async fn save_logs(&self, job_id: &JobId, logs: &LogsRecord, now: Timestamp) -> Result<bool, PortError> {
        self.faulty(self.inner.save_logs(job_id, logs, now)).await
    }
}

impl<S: WorkLists> WorkLists for FaultyStore<S> {
    async fn unsettled_ends(&self, page: Option<&Cursor>) -> Result<Page<Submission>, PortError> {
        self.faulty(self.inner.unsettled_ends(page)).await
    }

    async fn ends_waiting_for(
        &self,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.faulty(self.inner.ends_waiting_for(job_name, page)).await
    }

    async fn save_follow_up(
        &self,
        job_name: &JobName,
        job_id: &JobId,
        follow_up: &FollowUp,
    ) -> Result<(), PortError> {
        self.faulty(self.inner.save_follow_up(job_name, job_id, follow_up)).await
    }

    async fn expired_claims(
        &self,
        before: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<JobHead>, PortError> {
        self.faulty(self.inner.expired_claims(before, page)).await
    }

    async fn close_left_sheets(&self, before: Timestamp) -> Result<(), PortError> {
        self.faulty(self.inner.close_left_sheets(before)).await
    }

    async fn silent_submissions(
        &self,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.faulty(self.inner.silent_submissions(since, page)).await
    }

    async fn no_news(
        &self,
        submissions: &[Submission],
        heard_at: Option<Timestamp>,
        asked_at: Timestamp,
    ) -> Result<(), PortError> {
        self.faulty(self.inner.no_news(submissions, heard_at, asked_at)).await
    }

    async fn unfinished_logs(
        &self,
        before: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.faulty(self.inner.unfinished_logs(before, page)).await
    }
}

impl<S: JobQueries> JobQueries for FaultyStore<S> {
    async fn job(&self, job_name: &JobName) -> Result<Option<Job>, PortError> {
        self.faulty(self.inner.job(job_name)).await
    }

    async fn jobs_named(&self, job_names: &[JobName]) -> Result<Vec<Option<Job>>, PortError> {
        self.faulty(self.inner.jobs_named(job_names)).await
    }

    async fn submission(&self, job_id: &JobId) -> Result<Option<Submission>, PortError> {
        self.faulty(self.inner.submission(job_id)).await
    }

    async fn submission_of(
        &self,
        job_name: &JobName,
        job_id: &JobId,
    ) -> Result<Option<Submission>, PortError> {
        self.faulty(self.inner.submission_of(job_name, job_id)).await
    }

    async fn is_recorded(&self, job_name: &JobName, job_id: &JobId) -> Result<bool, PortError> {
        self.faulty(self.inner.is_recorded(job_name, job_id)).await
    }

    async fn submissions(
        &self,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.faulty(self.inner.submissions(job_name, page)).await
    }

    async fn submissions_with_status(
        &self,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.faulty(self.inner.submissions_with_status(status, page)).await
    }

    async fn jobs(&self, run_id: Option<&RunId>, page: Option<&Cursor>) -> Result<Page<Job>, PortError> {
        self.faulty(self.inner.jobs(run_id, page)).await
    }

    async fn jobs_with_status(
        &self,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> Result<Page<Job>, PortError> {
        self.faulty(self.inner.jobs_with_status(status, page)).await
    }

    async fn count_by_status(&self) -> Result<StatusCounts, PortError> {
        self.faulty(self.inner.count_by_status()).await
    }
}

impl<S: JobRemoval> JobRemoval for FaultyStore<S> {
    async fn remove_submission(&self, job_id: &JobId) -> Result<Option<Submission>, PortError> {
        self.faulty(self.inner.remove_submission(job_id)).await
    }

    async fn remove_job(&self, job_name: &JobName) -> Result<Vec<JobId>, PortError> {
        self.faulty(self.inner.remove_job(job_name)).await
    }

    async fn prune_job(&self, head: &JobHead) -> Result<bool, PortError> {
        self.faulty(self.inner.prune_job(head)).await
    }

    async fn prune_run(&self, run: &Run) -> Result<bool, PortError> {
        self.faulty(self.inner.prune_run(run)).await
    }
}

impl<S: RunStore> RunStore for FaultyStore<S> {
    async fn create_run(&self, run: &Run) -> Result<Option<Run>, PortError> {
        self.faulty(self.inner.create_run(run)).await
    }

    async fn save_run(&self, run: &Run) -> Result<bool, PortError> {
        self.faulty(self.inner.save_run(run)).await
    }

    async fn run(&self, run_id: &RunId) -> Result<Option<Run>, PortError> {
        self.faulty(self.inner.run(run_id)).await
    }

    async fn runs(&self, page: Option<&Cursor>) -> Result<Page<Run>, PortError> {
        self.faulty(self.inner.runs(page)).await
    }

    async fn unfinished_runs(&self, since: Timestamp, page: Option<&Cursor>) -> Result<Page<Run>, PortError> {
        self.faulty(self.inner.unfinished_runs(since, page)).await
    }
}
