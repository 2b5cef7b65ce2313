//! `JobDetail`: what `DescribeJobs` answers and what a job state change event carries.
//!
//! Only what batchwright reads is named. Source:
//! <https://docs.aws.amazon.com/batch/latest/APIReference/API_JobDetail.html>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::job::{Attempt, JobState, LogStream};
use crate::domain::spec::{Dependency, JobTimeout, KeyValuePair, ResourceRequirement, RetryStrategy};
use crate::domain::times::{JobTimes, Timestamp};
use crate::domain::{JobId, JobName, JobStatus, Nonce};

/// A job as Batch describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are AWS's own")]
pub struct JobDetail {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_arn: Option<String>,
    pub job_name: JobName,
    pub job_id: JobId,
    #[serde(default)]
    pub job_queue: String,
    pub status: JobStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_identifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduling_priority: Option<i32>,
    #[serde(default)]
    pub attempts: Vec<AttemptDetail>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_strategy: Option<RetryStrategy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<i64>,
    #[serde(default)]
    pub depends_on: Vec<Dependency>,
    #[serde(default)]
    pub job_definition: String,
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerDetail>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_details: Option<NodeDetails>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_properties: Option<NodePropertiesDetail>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array_properties: Option<ArrayPropertiesDetail>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<JobTimeout>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagate_tags: Option<bool>,
    #[serde(default)]
    pub platform_capabilities: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eks_properties: Option<EksPropertiesDetail>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub eks_attempts: Vec<EksAttemptDetail>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ecs_properties: Option<EcsPropertiesDetail>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_cancelled: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_terminated: Option<bool>,
}

/// `container`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
pub struct ContainerDetail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<i32>,
    pub command: Vec<String>,
    pub environment: Vec<KeyValuePair>,
    pub resource_requirements: Vec<ResourceRequirement>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_stream_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_configuration: Option<LogConfiguration>,
}

/// `logConfiguration`: names the log group under `awslogs-group`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
pub struct LogConfiguration {
    pub log_driver: String,
    pub options: BTreeMap<String, String>,
}

/// An entry of `attempts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
pub struct AttemptDetail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<AttemptContainerDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub task_properties: Vec<AttemptEcsTaskDetails>,
}

/// The container of an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
pub struct AttemptContainerDetail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_stream_name: Option<String>,
}

/// `nodeDetails`: this is a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
pub struct NodeDetails {
    pub node_index: Option<i32>,
    pub is_main_node: Option<bool>,
}

/// `nodeProperties`: this is the parent of a multi-node job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
pub struct NodePropertiesDetail {
    pub num_nodes: Option<i32>,
    pub main_node: Option<i32>,
}

/// `arrayProperties`: `size` on the parent, `index` on a child.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
pub struct ArrayPropertiesDetail {
    pub status_summary: BTreeMap<String, i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
}

/// `ecsProperties`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
pub struct EcsPropertiesDetail {
    pub task_properties: Vec<EcsTaskDetails>,
}

/// One task of an ECS job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
pub struct EcsTaskDetails {
    pub containers: Vec<TaskContainerDetails>,
}

/// One container of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
pub struct TaskContainerDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub essential: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_stream_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_configuration: Option<LogConfiguration>,
}

/// A task of an ECS job's attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
pub struct AttemptEcsTaskDetails {
    pub containers: Vec<AttemptTaskContainerDetails>,
}

/// One container of an attempt's task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
pub struct AttemptTaskContainerDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_stream_name: Option<String>,
}

/// `eksProperties`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
pub struct EksPropertiesDetail {
    pub pod_properties: EksPodPropertiesDetail,
}

/// The pod of an EKS job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
pub struct EksPodPropertiesDetail {
    pub containers: Vec<EksContainerDetail>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub init_containers: Vec<EksContainerDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
}

/// One container of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
pub struct EksContainerDetail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An entry of `eksAttempts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
pub struct EksAttemptDetail {
    pub containers: Vec<EksAttemptContainerDetail>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub init_containers: Vec<EksAttemptContainerDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
}

/// One container of an EKS attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
pub struct EksAttemptContainerDetail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl LogConfiguration {
    fn group(&self) -> Option<String> {
        self.options.get("awslogs-group").cloned()
    }
}

impl JobDetail {
    /// What is kept of it: everything small.
    pub fn state(&self) -> JobState {
        let (exit_code, reason) = self.outcome();
        JobState {
            job_name: self.job_name.clone(),
            job_id: self.job_id.clone(),
            nonce: self.parameters.get(Nonce::PARAMETER).and_then(|text| Nonce::parse(text).ok()),
            status: self.status,
            status_reason: self.status_reason.clone(),
            job_queue: self.job_queue.clone(),
            job_definition: self.job_definition.clone(),
            times: JobTimes {
                created_at: Timestamp::reported(self.created_at),
                started_at: Timestamp::reported(self.started_at),
                stopped_at: Timestamp::reported(self.stopped_at),
            },
            exit_code,
            reason,
            is_cancelled: self.is_cancelled.unwrap_or(false),
            is_terminated: self.is_terminated.unwrap_or(false),
            attempts: self.attempts(),
            log_streams: self.log_streams(),
            array_size: self.array_properties.as_ref().and_then(|array| array.size),
            num_nodes: self.node_properties.as_ref().and_then(|nodes| nodes.num_nodes?.try_into().ok()),
        }
    }

    /// The exit code and reason of the container, or of the one of several that tells most.
    fn outcome(&self) -> (Option<i32>, Option<String>) {
        let single = self.container.iter().map(|container| (container.exit_code, container.reason.clone()));
        let ecs = self.task_containers().map(|container| (container.exit_code, container.reason.clone()));
        let pods = self.eks_properties.iter().map(|eks| &eks.pod_properties);
        let eks = pods
            .flat_map(|pod| pod.init_containers.iter().chain(&pod.containers))
            .map(|container| (container.exit_code, container.reason.clone()));
        worst(single.chain(ecs).chain(eks))
    }

    fn attempts(&self) -> Vec<Attempt> {
        let ecs = self.attempts.iter().map(|attempt| self.attempt(attempt));
        ecs.chain(self.eks_attempts.iter().map(eks_attempt)).collect()
    }

    fn attempt(&self, detail: &AttemptDetail) -> Attempt {
        let containers = || detail.task_properties.iter().flat_map(|task| &task.containers);
        let (exit_code, reason) = match &detail.container {
            Some(container) => (container.exit_code, container.reason.clone()),
            None => worst(containers().map(|container| (container.exit_code, container.reason.clone()))),
        };
        let single = detail.container.as_ref().and_then(|container| container.log_stream_name.as_ref());
        let several = containers().filter_map(|container| {
            let name = container.log_stream_name.clone()?;
            let group = container.name.as_deref().and_then(|name| self.group_of(name));
            Some(LogStream { group, name, container: container.name.clone() })
        });
        Attempt {
            started_at: Timestamp::reported(detail.started_at),
            stopped_at: Timestamp::reported(detail.stopped_at),
            exit_code,
            reason,
            status_reason: detail.status_reason.clone(),
            log_streams: single.map(|name| self.container_stream(name)).into_iter().chain(several).collect(),
        }
    }

    fn log_streams(&self) -> Vec<LogStream> {
        let single = self.container.as_ref().and_then(|container| container.log_stream_name.as_ref());
        let several = self.task_containers().filter_map(|container| {
            let name = container.log_stream_name.clone()?;
            let group = container.log_configuration.as_ref().and_then(LogConfiguration::group);
            Some(LogStream { group, name, container: container.name.clone() })
        });
        single.map(|name| self.container_stream(name)).into_iter().chain(several).collect()
    }

    fn container_stream(&self, name: &str) -> LogStream {
        let container = self.container.as_ref();
        let group = container
            .and_then(|container| container.log_configuration.as_ref())
            .and_then(LogConfiguration::group);
        LogStream { group, name: name.to_owned(), container: None }
    }

    fn task_containers(&self) -> impl Iterator<Item = &TaskContainerDetails> {
        self.ecs_properties.iter().flat_map(|ecs| &ecs.task_properties).flat_map(|task| &task.containers)
    }

    /// An attempt does not repeat its container's log configuration.
    fn group_of(&self, container: &str) -> Option<String> {
        let named = self.task_containers().find(|candidate| candidate.name.as_deref() == Some(container));
        named.and_then(|found| found.log_configuration.as_ref()).and_then(LogConfiguration::group)
    }
}

fn eks_attempt(detail: &EksAttemptDetail) -> Attempt {
    let containers = detail.init_containers.iter().chain(&detail.containers);
    let (exit_code, reason) =
        worst(containers.map(|container| (container.exit_code, container.reason.clone())));
    Attempt {
        started_at: Timestamp::reported(detail.started_at),
        stopped_at: Timestamp::reported(detail.stopped_at),
        exit_code,
        reason,
        status_reason: detail.status_reason.clone(),
        log_streams: Vec::new(),
    }
}

/// The first container that failed, or else the first that never ran for a reason, or else the first
/// that ended.
fn worst(outcomes: impl Iterator<Item = (Option<i32>, Option<String>)>) -> (Option<i32>, Option<String>) {
    let outcomes: Vec<_> = outcomes.collect();
    let failed = outcomes.iter().find(|(exit_code, _)| exit_code.is_some_and(|code| code != 0));
    let never_ran = || outcomes.iter().find(|(exit_code, reason)| exit_code.is_none() && reason.is_some());
    let ended = || outcomes.iter().find(|(exit_code, _)| exit_code.is_some());
    failed.or_else(never_ran).or_else(ended).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_that_tells_most_stands_for_all() {
        let reason = |text: &str| Some(text.to_owned());
        for (outcomes, expected) in [
            (vec![], (None, None)),
            (vec![(None, None), (Some(0), None)], (Some(0), None)),
            (vec![(Some(0), None), (Some(3), reason("x"))], (Some(3), reason("x"))),
            (
                vec![(Some(0), None), (None, reason("CannotPullContainerError"))],
                (None, reason("CannotPullContainerError")),
            ),
        ] {
            assert_eq!(worst(outcomes.clone().into_iter()), expected, "{outcomes:?}");
        }
    }
}
