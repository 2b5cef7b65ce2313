//! Jobs stopped.

use batchwright_control::use_cases::stop::{StopLine, stop_jobs};

use crate::client::Client;
use crate::domain::{JobName, Stop};
use crate::error::ClientError;

impl Client {
    /// Cancels jobs that have not reached STARTING, and returns what became of each. AWS Batch leaves the others
    /// running. Idempotent. Their ends come later: [`Client::wait`] for them.
    pub async fn cancel(
        &self,
        names: impl IntoIterator<Item = JobName>,
        reason: &str,
    ) -> Result<Vec<StopLine>, ClientError> {
        self.stop(Stop::Cancel, names, reason).await
    }

    /// Terminates jobs in any status, and returns what became of each. Idempotent. Their ends come later:
    /// [`Client::wait`] for them.
    pub async fn terminate(
        &self,
        names: impl IntoIterator<Item = JobName>,
        reason: &str,
    ) -> Result<Vec<StopLine>, ClientError> {
        self.stop(Stop::Terminate, names, reason).await
    }

    async fn stop(
        &self,
        stop: Stop,
        names: impl IntoIterator<Item = JobName>,
        reason: &str,
    ) -> Result<Vec<StopLine>, ClientError> {
        let names: Vec<JobName> = names.into_iter().collect();
        self.known(&names).await?;
        let mut lines = Vec::new();
        let each = |line: &StopLine| lines.push(line.clone());
        stop_jobs(self.store(), &self.shared().engine, &names, stop, reason, each).await?;
        Ok(lines)
    }
}
