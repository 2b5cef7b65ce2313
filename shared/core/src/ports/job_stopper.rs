//! What stops jobs, many at once.

use std::future::Future;

use super::{JobEngine, PortError};
use crate::domain::{JobId, Stop};

/// Ids in one `CancelJobs` or `TerminateJobs`. Source: their API references.
pub const STOP_MAX: usize = 50;

/// Ends submissions on request.
pub trait JobStopper: Send + Sync {
    /// Asks for the end of at most [`STOP_MAX`] submissions: one answer for each, in their order. Idempotent.
    fn stop_jobs(
        &self,
        job_ids: &[JobId],
        stop: Stop,
        reason: &str,
    ) -> impl Future<Output = Vec<Result<(), PortError>>> + Send;
}

/// Stops one job a call, by any engine.
#[derive(Debug)]
pub struct OneByOne<'a, E>(pub &'a E);

impl<E: JobEngine> JobStopper for OneByOne<'_, E> {
    async fn stop_jobs(&self, job_ids: &[JobId], stop: Stop, reason: &str) -> Vec<Result<(), PortError>> {
        let mut answers = Vec::with_capacity(job_ids.len());
        for job_id in job_ids {
            answers.push(match stop {
                Stop::Cancel => self.0.cancel_job(job_id, reason).await,
                Stop::Terminate => self.0.terminate_job(job_id, reason).await,
            });
        }
        answers
    }
}
