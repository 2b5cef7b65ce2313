//! What runs jobs: AWS Batch, or the engine of this machine.

use std::future::Future;

use super::{Cursor, Page, PortError};
use crate::domain::{JobId, JobName, JobStatus, SubmitJobRequest, Timestamp};
use crate::events::JobDetail;

/// An entry of `ListJobs`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobSummary {
    /// The submission.
    pub job_id: JobId,
    /// Its name, spelt as it was submitted.
    pub job_name: JobName,
    /// Its status.
    pub status: JobStatus,
    /// When Batch took it on.
    pub created_at: Option<Timestamp>,
}

impl JobSummary {
    /// An entry.
    pub fn new(job_id: JobId, job_name: JobName, status: JobStatus, created_at: Option<Timestamp>) -> Self {
        Self { job_id, job_name, status, created_at }
    }
}

/// The calls of AWS Batch that are made here.
pub trait JobEngine: Send + Sync {
    /// `SubmitJob`. Not idempotent: AWS gives it no client token. An implementation makes one request
    /// and never repeats it. [`ErrorKind::Throttled`] and [`ErrorKind::Retryable`] promise that no job
    /// was made; [`ErrorKind::Ambiguous`] that nobody knows.
    ///
    /// [`ErrorKind::Throttled`]: super::ErrorKind::Throttled
    /// [`ErrorKind::Retryable`]: super::ErrorKind::Retryable
    /// [`ErrorKind::Ambiguous`]: super::ErrorKind::Ambiguous
    fn submit_job(&self, request: &SubmitJobRequest)
    -> impl Future<Output = Result<JobId, PortError>> + Send;

    /// `DescribeJobs`, at most 100 ids. Ids that Batch does not know are absent from the answer.
    fn describe_jobs(
        &self,
        job_ids: &[JobId],
    ) -> impl Future<Output = Result<Vec<JobDetail>, PortError>> + Send;

    /// `ListJobs` by name, in every status. Batch matches without regard to case and leaves out
    /// children and nodes; the answer here holds the exact name only. Its consistency is not
    /// documented: a job submitted a moment ago may be missing.
    fn list_jobs(
        &self,
        job_queue: &str,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<JobSummary>, PortError>> + Send;

    /// `ListJobs` by the moment of creation: the jobs of a queue that were created after it, in every status,
    /// without children and nodes, in no promised order. Its consistency is that of
    /// [`JobEngine::list_jobs`].
    fn list_jobs_since(
        &self,
        job_queue: &str,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<JobSummary>, PortError>> + Send;

    /// `CancelJob`: ends a job that has not reached STARTING. Idempotent.
    fn cancel_job(&self, job_id: &JobId, reason: &str) -> impl Future<Output = Result<(), PortError>> + Send;

    /// `TerminateJob`: ends a job in any status. Idempotent.
    fn terminate_job(
        &self,
        job_id: &JobId,
        reason: &str,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}
