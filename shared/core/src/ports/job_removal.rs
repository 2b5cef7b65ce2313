//! Forgetting jobs and submissions.

use std::future::Future;

use super::PortError;
use crate::domain::{JobId, JobName, Submission};

/// Forgets what a person wants to be forgotten.
pub trait JobRemoval: Send + Sync {
    /// Forgets one submission and its children; the head forgets it too. Returns what was removed.
    fn remove_submission(
        &self,
        job_id: &JobId,
    ) -> impl Future<Output = Result<Option<Submission>, PortError>> + Send;

    /// Forgets a job: head, submissions, children. Returns the ids of its submissions.
    fn remove_job(&self, job_name: &JobName) -> impl Future<Output = Result<Vec<JobId>, PortError>> + Send;
}
