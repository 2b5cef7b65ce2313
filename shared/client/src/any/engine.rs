//! Any job engine.

use std::sync::Arc;

use super::{argument, erase};
use crate::domain::{JobId, JobName, SubmitJobRequest};
use crate::events::JobDetail;
use crate::ports::{Cursor, JobEngine, JobSummary, Page, PortError};

/// A handle on any [`JobEngine`]. Clones share it.
#[derive(Clone)]
pub struct AnyEngine(Arc<dyn ErasedEngine>);

impl AnyEngine {
    /// Takes an engine in.
    pub fn new(engine: impl JobEngine + 'static) -> Self {
        Self(Arc::new(engine))
    }
}

erase! {
    JobEngine as ErasedEngine for AnyEngine {
        fn submit_job(request: reference SubmitJobRequest) -> Result<JobId, PortError>;
        fn describe_jobs(job_ids: reference [JobId]) -> Result<Vec<JobDetail>, PortError>;
        fn list_jobs(job_queue: reference str, job_name: reference JobName, page: option Cursor) -> Result<Page<JobSummary>, PortError>;
        fn cancel_job(job_id: reference JobId, reason: reference str) -> Result<(), PortError>;
        fn terminate_job(job_id: reference JobId, reason: reference str) -> Result<(), PortError>;
    }
}
