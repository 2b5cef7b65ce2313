//! `ecsPropertiesOverride`: jobs of several containers.

use serde::{Deserialize, Serialize};

use super::{KeyValuePair, ResourceRequirement};
use crate::with::with;

/// What an ECS job changes of its definition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct EcsPropertiesOverride {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub task_properties: Vec<TaskPropertiesOverride>,
}

with!(EcsPropertiesOverride);

/// One task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct TaskPropertiesOverride {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<TaskContainerOverrides>,
}

with!(TaskPropertiesOverride);

/// One container of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct TaskContainerOverrides {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<KeyValuePair>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_requirements: Vec<ResourceRequirement>,
}

with!(TaskContainerOverrides);
