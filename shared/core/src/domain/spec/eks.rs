//! `eksPropertiesOverride`: jobs on Kubernetes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::with::with;

/// What an EKS job changes of its definition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct EksPropertiesOverride {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_properties: Option<EksPodPropertiesOverride>,
}

with!(EksPropertiesOverride);

/// The pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct EksPodPropertiesOverride {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<EksContainerOverride>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub init_containers: Vec<EksContainerOverride>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<EksMetadata>,
}

with!(EksPodPropertiesOverride);

/// One container of the pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct EksContainerOverride {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EksContainerEnvironmentVariable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<EksContainerResourceRequirements>,
}

with!(EksContainerOverride);

/// An environment variable of a container of the pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct EksContainerEnvironmentVariable {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

with!(EksContainerEnvironmentVariable);

impl EksContainerEnvironmentVariable {
    /// A variable and its value.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: Some(value.into()) }
    }
}

/// Kubernetes quantities: cpu, memory, nvidia.com/gpu.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct EksContainerResourceRequirements {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, String>,
}

with!(EksContainerResourceRequirements);

/// Labels, annotations and namespace of the pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct EksMetadata {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

with!(EksMetadata);
