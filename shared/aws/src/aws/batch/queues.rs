//! Job queues, their compute environments and their fronts.

use aws_sdk_batch::types;

use super::BatchJobEngine;
use crate::aws::error::{Effect, port_error};
use crate::domain::queue::{ComputeEnvironment, InFront};
use crate::domain::{JobQueue, Timestamp};
use crate::ports::{PortError, QueueSource};

impl QueueSource for BatchJobEngine {
    async fn job_queue(&self, name: &str) -> Result<Option<JobQueue>, PortError> {
        let call = self.client.describe_job_queues().job_queues(name);
        let described =
            call.send().await.map_err(|error| port_error("DescribeJobQueues", Effect::Idempotent, error))?;
        let Some(queue) = described.job_queues.unwrap_or_default().into_iter().next() else {
            return Ok(None);
        };
        let mut order = queue.compute_environment_order.unwrap_or_default();
        order.sort_by_key(|entry| entry.order);
        let names: Vec<String> = order.into_iter().filter_map(|entry| entry.compute_environment).collect();
        Ok(Some(JobQueue {
            job_queue_name: queue.job_queue_name.unwrap_or_default(),
            state: text(queue.state.as_ref().map(types::JqState::as_str)),
            status: text(queue.status.as_ref().map(types::JqStatus::as_str)),
            status_reason: queue.status_reason,
            compute_environments: self.environments(&names).await?,
            front: self.front(name).await?,
        }))
    }
}

impl BatchJobEngine {
    async fn environments(&self, names: &[String]) -> Result<Vec<ComputeEnvironment>, PortError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let call = self.client.describe_compute_environments().set_compute_environments(Some(names.to_vec()));
        let described = call
            .send()
            .await
            .map_err(|error| port_error("DescribeComputeEnvironments", Effect::Idempotent, error))?;
        let found = described.compute_environments.unwrap_or_default().into_iter();
        Ok(found
            .map(|environment| {
                let resources = environment.compute_resources;
                ComputeEnvironment {
                    compute_environment_name: environment.compute_environment_name.unwrap_or_default(),
                    state: text(environment.state.as_ref().map(types::CeState::as_str)),
                    status: text(environment.status.as_ref().map(types::CeStatus::as_str)),
                    status_reason: environment.status_reason,
                    max_vcpus: resources.as_ref().and_then(|resources| resources.maxv_cpus),
                    desired_vcpus: resources.as_ref().and_then(|resources| resources.desiredv_cpus),
                }
            })
            .collect())
    }

    /// Empty where the snapshot can't be had: a permission of its own, and not every endpoint knows it.
    async fn front(&self, name: &str) -> Result<Vec<InFront>, PortError> {
        let Ok(snapshot) = self.client.get_job_queue_snapshot().job_queue(name).send().await else {
            return Ok(Vec::new());
        };
        let jobs = snapshot.front_of_queue.and_then(|front| front.jobs).unwrap_or_default();
        Ok(jobs
            .into_iter()
            .map(|job| InFront {
                job_arn: job.job_arn.unwrap_or_default(),
                since: Timestamp::reported(job.earliest_time_at_position),
            })
            .collect())
    }
}

fn text(word: Option<&str>) -> String {
    word.unwrap_or_default().to_owned()
}
