//! `JobDetail`: what `DescribeJobs` answers and what a job state change event carries.
//!
//! Only what batchwright reads or writes is named. What must be there to record a state is read strictly; see
//! `lenient` for the rest. Source:
//! <https://docs.aws.amazon.com/batch/latest/APIReference/API_JobDetail.html>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::lenient::{each_or_default, or_default, texts, whole};
use crate::domain::spec::{Dependency, JobTimeout, KeyValuePair, ResourceRequirement, RetryStrategy};
use crate::domain::{JobId, JobName, JobStatus};
use crate::with::with;

/// A job as Batch describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are AWS's own")]
#[non_exhaustive]
pub struct JobDetail {
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub job_arn: Option<String>,
    pub job_name: JobName,
    pub job_id: JobId,
    #[serde(default, deserialize_with = "or_default")]
    pub job_queue: String,
    pub status: JobStatus,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub share_identifier: Option<String>,
    #[serde(default, deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub scheduling_priority: Option<i32>,
    #[serde(default, deserialize_with = "each_or_default")]
    pub attempts: Vec<AttemptDetail>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    #[serde(default, deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub created_at: Option<i64>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub retry_strategy: Option<RetryStrategy>,
    #[serde(default, deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub started_at: Option<i64>,
    #[serde(default, deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<i64>,
    #[serde(default, deserialize_with = "or_default")]
    pub depends_on: Vec<Dependency>,
    #[serde(default, deserialize_with = "or_default")]
    pub job_definition: String,
    #[serde(default, deserialize_with = "texts")]
    pub parameters: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerDetail>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub node_details: Option<NodeDetails>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub node_properties: Option<NodePropertiesDetail>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub array_properties: Option<ArrayPropertiesDetail>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<JobTimeout>,
    #[serde(default, deserialize_with = "texts")]
    pub tags: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub propagate_tags: Option<bool>,
    #[serde(default, deserialize_with = "or_default")]
    pub platform_capabilities: Vec<String>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub eks_properties: Option<EksPropertiesDetail>,
    #[serde(default, deserialize_with = "each_or_default", skip_serializing_if = "Vec::is_empty")]
    pub eks_attempts: Vec<EksAttemptDetail>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub ecs_properties: Option<EcsPropertiesDetail>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub is_cancelled: Option<bool>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub is_terminated: Option<bool>,
}

with!(JobDetail);

impl JobDetail {
    /// A job of which no more is known.
    pub fn new(job_name: JobName, job_id: JobId, status: JobStatus) -> Self {
        Self {
            job_arn: None,
            job_name,
            job_id,
            job_queue: String::new(),
            status,
            share_identifier: None,
            scheduling_priority: None,
            attempts: Vec::new(),
            status_reason: None,
            created_at: None,
            retry_strategy: None,
            started_at: None,
            stopped_at: None,
            depends_on: Vec::new(),
            job_definition: String::new(),
            parameters: BTreeMap::new(),
            container: None,
            node_details: None,
            node_properties: None,
            array_properties: None,
            timeout: None,
            tags: BTreeMap::new(),
            propagate_tags: None,
            platform_capabilities: Vec::new(),
            eks_properties: None,
            eks_attempts: Vec::new(),
            ecs_properties: None,
            is_cancelled: None,
            is_terminated: None,
        }
    }
}

/// `container`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
#[non_exhaustive]
pub struct ContainerDetail {
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<i32>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub memory: Option<i32>,
    #[serde(deserialize_with = "or_default")]
    pub command: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub environment: Vec<KeyValuePair>,
    #[serde(deserialize_with = "or_default")]
    pub resource_requirements: Vec<ResourceRequirement>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub log_stream_name: Option<String>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub log_configuration: Option<LogConfiguration>,
}

with!(ContainerDetail);

/// `logConfiguration`: names the log group under `awslogs-group`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
#[non_exhaustive]
pub struct LogConfiguration {
    #[serde(deserialize_with = "or_default")]
    pub log_driver: String,
    #[serde(deserialize_with = "texts")]
    pub options: BTreeMap<String, String>,
}

with!(LogConfiguration);

/// An entry of `attempts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
#[non_exhaustive]
pub struct AttemptDetail {
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub container: Option<AttemptContainerDetail>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub started_at: Option<i64>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<i64>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    #[serde(deserialize_with = "each_or_default", skip_serializing_if = "Vec::is_empty")]
    pub task_properties: Vec<AttemptEcsTaskDetails>,
}

with!(AttemptDetail);

/// The container of an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
#[non_exhaustive]
pub struct AttemptContainerDetail {
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub log_stream_name: Option<String>,
}

with!(AttemptContainerDetail);

/// `nodeDetails`: this is a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
#[non_exhaustive]
pub struct NodeDetails {
    #[serde(deserialize_with = "whole")]
    pub node_index: Option<i32>,
    #[serde(deserialize_with = "or_default")]
    pub is_main_node: Option<bool>,
}

with!(NodeDetails);

/// `nodeProperties`: this is the parent of a multi-node job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
#[non_exhaustive]
pub struct NodePropertiesDetail {
    #[serde(deserialize_with = "whole")]
    pub num_nodes: Option<i32>,
    #[serde(deserialize_with = "whole")]
    pub main_node: Option<i32>,
}

with!(NodePropertiesDetail);

/// `arrayProperties`: `size` on the parent, `index` on a child.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
#[non_exhaustive]
pub struct ArrayPropertiesDetail {
    #[serde(deserialize_with = "or_default")]
    pub status_summary: BTreeMap<String, i64>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
}

with!(ArrayPropertiesDetail);

/// `ecsProperties`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
#[non_exhaustive]
pub struct EcsPropertiesDetail {
    #[serde(deserialize_with = "each_or_default")]
    pub task_properties: Vec<EcsTaskDetails>,
}

with!(EcsPropertiesDetail);

/// One task of an ECS job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
#[non_exhaustive]
pub struct EcsTaskDetails {
    #[serde(deserialize_with = "each_or_default")]
    pub containers: Vec<TaskContainerDetails>,
}

with!(EcsTaskDetails);

/// One container of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
#[non_exhaustive]
pub struct TaskContainerDetails {
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub essential: Option<bool>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub log_stream_name: Option<String>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub log_configuration: Option<LogConfiguration>,
}

with!(TaskContainerDetails);

/// A task of an ECS job's attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
#[non_exhaustive]
pub struct AttemptEcsTaskDetails {
    #[serde(deserialize_with = "each_or_default")]
    pub containers: Vec<AttemptTaskContainerDetails>,
}

with!(AttemptEcsTaskDetails);

/// One container of an attempt's task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
#[non_exhaustive]
pub struct AttemptTaskContainerDetails {
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub log_stream_name: Option<String>,
}

with!(AttemptTaskContainerDetails);

/// `eksProperties`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
#[non_exhaustive]
pub struct EksPropertiesDetail {
    #[serde(deserialize_with = "or_default")]
    pub pod_properties: EksPodPropertiesDetail,
}

with!(EksPropertiesDetail);

/// The pod of an EKS job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
#[non_exhaustive]
pub struct EksPodPropertiesDetail {
    #[serde(deserialize_with = "each_or_default")]
    pub containers: Vec<EksContainerDetail>,
    #[serde(deserialize_with = "each_or_default", skip_serializing_if = "Vec::is_empty")]
    pub init_containers: Vec<EksContainerDetail>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub pod_name: Option<String>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
}

with!(EksPodPropertiesDetail);

/// One container of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
#[non_exhaustive]
pub struct EksContainerDetail {
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

with!(EksContainerDetail);

/// An entry of `eksAttempts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
#[non_exhaustive]
pub struct EksAttemptDetail {
    #[serde(deserialize_with = "each_or_default")]
    pub containers: Vec<EksAttemptContainerDetail>,
    #[serde(deserialize_with = "each_or_default", skip_serializing_if = "Vec::is_empty")]
    pub init_containers: Vec<EksAttemptContainerDetail>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub pod_name: Option<String>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub started_at: Option<i64>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<i64>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
}

with!(EksAttemptDetail);

/// One container of an EKS attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AWS's own")]
#[non_exhaustive]
pub struct EksAttemptContainerDetail {
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

with!(EksAttemptContainerDetail);
