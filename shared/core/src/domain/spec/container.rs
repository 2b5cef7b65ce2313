//! `containerOverrides`.

use serde::{Deserialize, Serialize};

use crate::with::with;

/// What a container job changes of its definition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct ContainerOverrides {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<KeyValuePair>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_requirements: Vec<ResourceRequirement>,
}

with!(ContainerOverrides);

/// An environment variable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct KeyValuePair {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

with!(KeyValuePair);

impl KeyValuePair {
    /// A variable and its value.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: Some(name.into()), value: Some(value.into()) }
    }
}

/// An entry of `resourceRequirements`. `value` is a number in a string: cores, MiB or devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct ResourceRequirement {
    pub value: String,
    #[serde(rename = "type")]
    pub kind: ResourceType,
}

with!(ResourceRequirement);

impl ResourceRequirement {
    /// So much of it.
    pub fn new(kind: ResourceType, value: impl Into<String>) -> Self {
        Self { value: value.into(), kind }
    }
}

/// What is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are AWS's own")]
#[non_exhaustive]
pub enum ResourceType {
    Gpu,
    Vcpu,
    Memory,
}

impl ResourceType {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gpu => "GPU",
            Self::Vcpu => "VCPU",
            Self::Memory => "MEMORY",
        }
    }
}
