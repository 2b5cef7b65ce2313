//! Any job engine.

use std::sync::Arc;

use super::{argument, erase};
use crate::domain::{JobId, JobName, Stop, SubmitJobRequest, Timestamp};
use crate::events::JobDetail;
use crate::ports::{Cursor, JobEngine, JobStopper, JobSummary, Page, PortError};

/// A handle on any [`JobEngine`] that can stop jobs. Clones share it.
#[derive(Clone)]
pub struct AnyEngine(Arc<dyn ErasedParts>);

impl AnyEngine {
    /// Takes an engine in.
    pub fn new(engine: impl JobEngine + JobStopper + 'static) -> Self {
        Self(Arc::new(engine))
    }
}

trait ErasedParts: ErasedEngine + ErasedStopper {}

impl<T: JobEngine + JobStopper> ErasedParts for T {}

erase! {
    JobEngine as ErasedEngine for AnyEngine {
        fn submit_job(request: reference SubmitJobRequest) -> Result<JobId, PortError>;
        fn describe_jobs(job_ids: reference [JobId]) -> Result<Vec<JobDetail>, PortError>;
        fn list_jobs(job_queue: reference str, job_name: reference JobName, page: option Cursor) -> Result<Page<JobSummary>, PortError>;
        fn list_jobs_since(job_queue: reference str, since: value Timestamp, page: option Cursor) -> Result<Page<JobSummary>, PortError>;
        fn cancel_job(job_id: reference JobId, reason: reference str) -> Result<(), PortError>;
        fn terminate_job(job_id: reference JobId, reason: reference str) -> Result<(), PortError>;
    }
}

erase! {
    JobStopper as ErasedStopper for AnyEngine {
        fn stop_jobs(job_ids: reference [JobId], stop: value Stop, reason: reference str) -> Vec<Result<(), PortError>>;
    }
}
