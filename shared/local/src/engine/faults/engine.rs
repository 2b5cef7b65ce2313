//! Calls that fail before or after they took effect.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::{JobId, JobName, SubmitJobRequest, Timestamp};
use crate::engine::seed::Dice;
use crate::events::JobDetail;
use crate::ports::{Cursor, JobEngine, JobSummary, Page, PortError, SubmissionPace};

/// How often calls fail, in 1,000.
#[derive(Debug, Clone, Copy, Default)]
pub struct FaultPlan {
    /// Decides which: the n-th call of every run with this seed fails alike.
    pub seed: u64,
    /// Calls throttled, without effect.
    pub throttled_permille: u64,
    /// Calls refused for the moment, without effect.
    pub refused_permille: u64,
    /// Submissions, cancellations and terminations that take effect, and whose answer is lost.
    pub answer_lost_permille: u64,
    /// `DescribeJobs` and `ListJobs` that fail.
    pub read_failed_permille: u64,
    /// How long `ListJobs` leaves a new job out, on tokio's clock.
    pub list_delay: Duration,
}

/// Makes the calls of another engine fail.
pub struct FaultyEngine<E> {
    inner: E,
    plan: FaultPlan,
    state: Mutex<FaultState>,
}

struct FaultState {
    dice: Dice,
    /// Submissions that `ListJobs` does not show yet, oldest first.
    fresh: VecDeque<(Instant, JobId)>,
}

impl<E> FaultyEngine<E> {
    /// Lets calls through to `inner`, or not, by the plan.
    pub fn new(inner: E, plan: FaultPlan) -> Self {
        let state = FaultState { dice: Dice::new(plan.seed), fresh: VecDeque::new() };
        Self { inner, plan, state: Mutex::new(state) }
    }

    /// The engine behind the faults.
    pub fn inner(&self) -> &E {
        &self.inner
    }

    /// Nothing panics while it is held.
    fn state(&self) -> MutexGuard<'_, FaultState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn before_effect(&self, operation: &'static str) -> Result<(), PortError> {
        let mut state = self.state();
        if state.dice.permille(self.plan.throttled_permille) {
            return Err(PortError::throttled(operation, None));
        }
        if state.dice.permille(self.plan.refused_permille) {
            return Err(PortError::retryable(operation, "the service is unavailable"));
        }
        Ok(())
    }

    fn after_effect(&self, operation: &'static str) -> Result<(), PortError> {
        if self.state().dice.permille(self.plan.answer_lost_permille) {
            return Err(PortError::ambiguous(operation, "the connection was reset"));
        }
        Ok(())
    }

    fn before_read(&self, operation: &'static str) -> Result<(), PortError> {
        if self.state().dice.permille(self.plan.read_failed_permille) {
            return Err(PortError::retryable(operation, "the connection was reset"));
        }
        Ok(())
    }

    fn hide(&self, job_id: &JobId) {
        if !self.plan.list_delay.is_zero() {
            self.state().fresh.push_back((Instant::now() + self.plan.list_delay, job_id.clone()));
        }
    }

    fn show(&self, jobs: &mut Vec<JobSummary>) {
        let mut state = self.state();
        let now = Instant::now();
        while state.fresh.front().is_some_and(|(at, _)| *at <= now) {
            state.fresh.pop_front();
        }
        jobs.retain(|job| state.fresh.iter().all(|(_, fresh)| *fresh != job.job_id));
    }
}

impl<E: JobEngine> JobEngine for FaultyEngine<E> {
    async fn submit_job(&self, request: &SubmitJobRequest) -> Result<JobId, PortError> {
        self.before_effect("SubmitJob")?;
        let job_id = self.inner.submit_job(request).await?;
        self.hide(&job_id);
        self.after_effect("SubmitJob")?;
        Ok(job_id)
    }

    async fn describe_jobs(&self, job_ids: &[JobId]) -> Result<Vec<JobDetail>, PortError> {
        self.before_read("DescribeJobs")?;
        self.inner.describe_jobs(job_ids).await
    }

    async fn list_jobs(
        &self,
        job_queue: &str,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        self.before_read("ListJobs")?;
        let mut jobs = self.inner.list_jobs(job_queue, job_name, page).await?;
        self.show(&mut jobs.items);
        Ok(jobs)
    }

    async fn list_jobs_since(
        &self,
        job_queue: &str,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        self.before_read("ListJobs")?;
        let mut jobs = self.inner.list_jobs_since(job_queue, since, page).await?;
        self.show(&mut jobs.items);
        Ok(jobs)
    }

    async fn cancel_job(&self, job_id: &JobId, reason: &str) -> Result<(), PortError> {
        self.before_effect("CancelJob")?;
        self.inner.cancel_job(job_id, reason).await?;
        self.after_effect("CancelJob")
    }

    async fn terminate_job(&self, job_id: &JobId, reason: &str) -> Result<(), PortError> {
        self.before_effect("TerminateJob")?;
        self.inner.terminate_job(job_id, reason).await?;
        self.after_effect("TerminateJob")
    }
}

impl<E: SubmissionPace> SubmissionPace for FaultyEngine<E> {
    async fn admit(&self) {
        self.inner.admit().await;
    }
}
