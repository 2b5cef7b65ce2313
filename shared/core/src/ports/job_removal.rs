//! Forgetting jobs, submissions and runs.

use std::future::Future;

use super::PortError;
use crate::domain::{JobHead, JobId, JobName, Run, Submission};

/// Forgets what a person wants to be forgotten.
pub trait JobRemoval: Send + Sync {
    /// Forgets one submission and its children; the head forgets it too. Returns what was removed.
    fn remove_submission(
        &self,
        job_id: &JobId,
    ) -> impl Future<Output = Result<Option<Submission>, PortError>> + Send;

    /// Forgets a job: head, submissions, children. Returns the ids of its submissions.
    fn remove_job(&self, job_name: &JobName) -> impl Future<Output = Result<Vec<JobId>, PortError>> + Send;

    /// Forgets a job as [`JobRemoval::remove_job`] does, where its head is still as it was read, so that nobody has
    /// claimed the job meanwhile. Returns whether it was forgotten. Otherwise the head stays, and so does the right to
    /// submit that it may hold; earlier submissions may be gone.
    fn prune_job(&self, head: &JobHead) -> impl Future<Output = Result<bool, PortError>> + Send;

    /// Forgets a run that is still as it was read. Returns whether it was.
    fn prune_run(&self, run: &Run) -> impl Future<Output = Result<bool, PortError>> + Send;
}
