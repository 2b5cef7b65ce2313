//! Jobs and submissions, read.

use std::future::Future;

use super::{Cursor, Page, PortError};
use crate::domain::{Job, JobId, JobName, JobStatus, RunId, StatusCounts, Submission};

/// Answers about jobs and submissions. Nothing changes by them.
pub trait JobQueries: Send + Sync {
    /// The job of that name with its latest submission.
    fn job(&self, job_name: &JobName) -> impl Future<Output = Result<Option<Job>, PortError>> + Send;

    /// Several jobs at once, in the order of the names.
    fn jobs_named(
        &self,
        job_names: &[JobName],
    ) -> impl Future<Output = Result<Vec<Option<Job>>, PortError>> + Send;

    /// The submission, child or node of that id.
    fn submission(
        &self,
        job_id: &JobId,
    ) -> impl Future<Output = Result<Option<Submission>, PortError>> + Send;

    /// The submission, child or node of that id, which is the job's. Costs one read by its key, and sees what was
    /// written a moment ago, where [`JobQueries::submission`] may need an index.
    fn submission_of(
        &self,
        job_name: &JobName,
        job_id: &JobId,
    ) -> impl Future<Output = Result<Option<Submission>, PortError>> + Send;

    /// Whether a submission is recorded as the job's. Where it is, it is SUBMITTED at least.
    fn is_recorded(
        &self,
        job_name: &JobName,
        job_id: &JobId,
    ) -> impl Future<Output = Result<bool, PortError>> + Send {
        let known = self.submission_of(job_name, job_id);
        async move { Ok(known.await?.is_some()) }
    }

    /// Every submission, child and node of a job, a page at a time, in no promised order.
    fn submissions(
        &self,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<Submission>, PortError>> + Send;

    /// Every submission, child and node with a status, a page at a time.
    fn submissions_with_status(
        &self,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<Submission>, PortError>> + Send;

    /// All jobs, or those that the given run claimed last, each once, a page at a time.
    fn jobs(
        &self,
        run_id: Option<&RunId>,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<Job>, PortError>> + Send;

    /// The jobs whose latest submission has a status, by [`Job::status`], a page at a time.
    fn jobs_with_status(
        &self,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<Job>, PortError>> + Send;

    /// How many jobs have each status, by [`Job::status`].
    fn count_by_status(&self) -> impl Future<Output = Result<StatusCounts, PortError>> + Send;
}
