//! What is known of job queues.

use std::future::Future;

use super::PortError;
use crate::domain::JobQueue;

/// Looks at job queues.
pub trait QueueSource: Send + Sync {
    /// The queue of that name or ARN, with its compute environments and its front; `None` where there is none, or
    /// nothing is known of it.
    fn job_queue(&self, name: &str) -> impl Future<Output = Result<Option<JobQueue>, PortError>> + Send;
}

/// Knows no queue: the embedded engine has none that could hold a job back.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoQueues;

impl QueueSource for NoQueues {
    async fn job_queue(&self, _: &str) -> Result<Option<JobQueue>, PortError> {
        Ok(None)
    }
}
