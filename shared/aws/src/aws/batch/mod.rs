//! AWS Batch.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `submit` | from a spec to `SubmitJob`'s input, field by field |
//! | `describe` | from the SDK's `JobDetail` to ours |
//! | `queues` | job queues, their compute environments and their fronts |
//! | `stop` | many jobs cancelled or terminated at once |

mod describe;
mod queues;
mod stop;
mod submit;

use aws_sdk_batch::Client;
use aws_sdk_batch::config::retry::RetryConfig;
use aws_sdk_batch::types;

use super::error::{Effect, port_error};
use crate::domain::limits::DESCRIBE_JOBS_MAX;
use crate::domain::{JobId, JobName, JobStatus, SubmitJobRequest, Timestamp};
use crate::events::JobDetail;
use crate::ports::{Cursor, JobEngine, JobSummary, Page, PortError};

/// Jobs in one page of `ListJobs`. Source: `ListJobs` API reference.
const LIST_PAGE: i32 = 100;

/// A [`JobEngine`] that is AWS Batch.
#[derive(Debug, Clone)]
pub struct BatchJobEngine {
    client: Client,
}

impl BatchJobEngine {
    /// Over a client, whose retries hold for every call but `SubmitJob`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl JobEngine for BatchJobEngine {
    async fn submit_job(&self, request: &SubmitJobRequest) -> Result<JobId, PortError> {
        const OPERATION: &str = "SubmitJob";
        let one_request = aws_sdk_batch::config::Builder::new().retry_config(RetryConfig::disabled());
        let sent = submit::input(&self.client, request.spec())
            .customize()
            .config_override(one_request)
            .send()
            .await
            .map_err(|error| port_error(OPERATION, Effect::Once, error))?;
        let job_id = sent.job_id().unwrap_or_default();
        JobId::parse(job_id).map_err(|error| PortError::ambiguous(OPERATION, error))
    }

    async fn describe_jobs(&self, job_ids: &[JobId]) -> Result<Vec<JobDetail>, PortError> {
        const OPERATION: &str = "DescribeJobs";
        if job_ids.is_empty() {
            return Ok(Vec::new());
        }
        if job_ids.len() > DESCRIBE_JOBS_MAX {
            let message = format!("{} ids, at most {DESCRIBE_JOBS_MAX} fit one call", job_ids.len());
            return Err(PortError::permanent(OPERATION, message));
        }
        let described = self
            .client
            .describe_jobs()
            .set_jobs(Some(job_ids.iter().map(ToString::to_string).collect()))
            .send()
            .await
            .map_err(|error| port_error(OPERATION, Effect::Idempotent, error))?;
        let details = described.jobs.unwrap_or_default();
        details.into_iter().map(describe::job_detail).collect::<Result<_, _>>().map_err(|error| {
            // Leaving the job out would say that Batch no longer knows it.
            PortError::permanent(OPERATION, error)
        })
    }

    async fn list_jobs(
        &self,
        job_queue: &str,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        let (entries, next) = self.listed(job_queue, ("JOB_NAME", job_name.as_str()), page).await?;
        let named = entries.into_iter().filter(|entry| entry.job_name.as_deref() == Some(job_name.as_str()));
        let items = named.map(|entry| job_summary(&entry, job_name.clone())).collect::<Result<_, _>>()?;
        Ok(Page::new(items, next))
    }

    async fn list_jobs_since(
        &self,
        job_queue: &str,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        let since = since.as_millis().max(0).to_string();
        let (entries, next) = self.listed(job_queue, ("AFTER_CREATED_AT", &since), page).await?;
        // A name that is none of ours is another program's job.
        let named = entries.iter().filter_map(|entry| {
            let job_name = JobName::parse(entry.job_name.as_deref().unwrap_or_default()).ok()?;
            Some(job_summary(entry, job_name))
        });
        Ok(Page::new(named.collect::<Result<_, _>>()?, next))
    }

    async fn cancel_job(&self, job_id: &JobId, reason: &str) -> Result<(), PortError> {
        let call = self.client.cancel_job().job_id(job_id.as_str()).reason(reason);
        call.send().await.map_err(|error| port_error("CancelJob", Effect::Idempotent, error))?;
        Ok(())
    }

    async fn terminate_job(&self, job_id: &JobId, reason: &str) -> Result<(), PortError> {
        let call = self.client.terminate_job().job_id(job_id.as_str()).reason(reason);
        call.send().await.map_err(|error| port_error("TerminateJob", Effect::Idempotent, error))?;
        Ok(())
    }
}

impl BatchJobEngine {
    /// A page of a queue's jobs by one filter: Batch takes one at a time.
    async fn listed(
        &self,
        job_queue: &str,
        (filter, value): (&str, &str),
        page: Option<&Cursor>,
    ) -> Result<(Vec<types::JobSummary>, Option<Cursor>), PortError> {
        let listed = self
            .client
            .list_jobs()
            .job_queue(job_queue)
            .filters(types::KeyValuesPair::builder().name(filter).values(value).build())
            .max_results(LIST_PAGE)
            .set_next_token(page.map(|cursor| cursor.0.clone()))
            .send()
            .await
            .map_err(|error| port_error("ListJobs", Effect::Idempotent, error))?;
        Ok((listed.job_summary_list.unwrap_or_default(), listed.next_token.map(Cursor)))
    }
}

fn job_summary(entry: &types::JobSummary, job_name: JobName) -> Result<JobSummary, PortError> {
    let unreadable = |error: &dyn std::fmt::Display| PortError::permanent("ListJobs", error);
    Ok(JobSummary::new(
        JobId::parse(entry.job_id().unwrap_or_default()).map_err(|error| unreadable(&error))?,
        job_name,
        status(entry.status.as_ref()).map_err(|error| unreadable(&error))?,
        Timestamp::reported(entry.created_at),
    ))
}

fn status(status: Option<&types::JobStatus>) -> Result<JobStatus, crate::domain::status::UnknownStatus> {
    status.map(types::JobStatus::as_str).unwrap_or_default().parse()
}
