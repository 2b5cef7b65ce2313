//! Jobs stopped.

use crate::client::Client;
use crate::domain::{JobId, JobName};
use crate::error::ClientError;
use crate::ports::{JobEngine, JobQueries, PortError};

/// What stopping a job does to it.
#[derive(Clone, Copy)]
enum Stop {
    Cancel,
    Terminate,
}

impl Client {
    /// Cancels jobs that have not reached STARTING; AWS Batch leaves the others alone. Returns the submissions that it
    /// was asked to cancel. Idempotent. Their ends come later: [`Client::wait`] for them.
    pub async fn cancel(
        &self,
        names: impl IntoIterator<Item = JobName>,
        reason: &str,
    ) -> Result<Vec<JobId>, ClientError> {
        self.stop(Stop::Cancel, names, reason).await
    }

    /// Terminates jobs in any status. Returns the submissions that it was asked to terminate. Idempotent. Their ends
    /// come later: [`Client::wait`] for them.
    pub async fn terminate(
        &self,
        names: impl IntoIterator<Item = JobName>,
        reason: &str,
    ) -> Result<Vec<JobId>, ClientError> {
        self.stop(Stop::Terminate, names, reason).await
    }

    async fn stop(
        &self,
        stop: Stop,
        names: impl IntoIterator<Item = JobName>,
        reason: &str,
    ) -> Result<Vec<JobId>, ClientError> {
        let engine = &self.shared().engine;
        let mut stopped = Vec::new();
        for name in names {
            let job = self.store().job(&name).await?.ok_or_else(|| ClientError::UnknownJob(name.clone()))?;
            if job.head.claim.is_some() {
                let why = format!("{name} is being submitted; try again when it has a job id");
                return Err(PortError::retryable("TerminateJob", why).into());
            }
            let in_flight = job.status().is_some_and(|status| !status.is_terminal());
            let Some(job_id) = job.head.job_id.filter(|_| in_flight) else { continue };
            match stop {
                Stop::Cancel => engine.cancel_job(&job_id, reason).await?,
                Stop::Terminate => engine.terminate_job(&job_id, reason).await?,
            }
            stopped.push(job_id);
        }
        Ok(stopped)
    }
}
