//! The engine as it is asked to try jobs again that may be of any run.

use crate::domain::{JobId, JobName, SubmitJobRequest, Timestamp};
use crate::engine::{KeptSetups, LocalEngine};
use crate::events::JobDetail;
use crate::ports::{Cursor, JobEngine, JobQueries, JobSummary, Page, PortError};
use crate::sqlite::SqliteStore;

/// Submits each job so that it is started as its own run starts jobs.
pub(super) struct OfTheirRuns<'a> {
    pub(super) engine: &'a LocalEngine,
    pub(super) store: &'a SqliteStore,
    pub(super) setups: &'a KeptSetups,
}

impl OfTheirRuns<'_> {
    /// `None`: the run is of an earlier version, which kept none, and its jobs are started as ever.
    async fn setup(&self, job_name: &JobName) -> Result<Option<String>, PortError> {
        let Some(job) = self.store.job(job_name).await? else { return Ok(None) };
        let run_id = job.head.run_id.to_string();
        if self.setups.has(&run_id) {
            return Ok(Some(run_id));
        }
        // One that is gone must not be taken for none.
        let earlier = self.engine.records(job.head.job_id.into_iter().collect()).await?;
        Ok(earlier.into_iter().find_map(|record| record.setup))
    }
}

impl JobEngine for OfTheirRuns<'_> {
    async fn submit_job(&self, request: &SubmitJobRequest) -> Result<JobId, PortError> {
        let setup = self.setup(&request.spec().job_name).await?;
        self.engine.starting_by(setup.as_deref()).submit_job(request).await
    }

    async fn describe_jobs(&self, job_ids: &[JobId]) -> Result<Vec<JobDetail>, PortError> {
        self.engine.describe_jobs(job_ids).await
    }

    async fn list_jobs(
        &self,
        job_queue: &str,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        self.engine.list_jobs(job_queue, job_name, page).await
    }

    async fn list_jobs_since(
        &self,
        job_queue: &str,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        self.engine.list_jobs_since(job_queue, since, page).await
    }

    async fn cancel_job(&self, job_id: &JobId, reason: &str) -> Result<(), PortError> {
        self.engine.cancel_job(job_id, reason).await
    }

    async fn terminate_job(&self, job_id: &JobId, reason: &str) -> Result<(), PortError> {
        self.engine.terminate_job(job_id, reason).await
    }
}
