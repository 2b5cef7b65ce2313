//! `nodeOverrides`: multi-node parallel jobs.

use serde::{Deserialize, Serialize};

use super::{ConsumableResourceProperties, ContainerOverrides, EcsPropertiesOverride, EksPropertiesOverride};
use crate::with::with;

/// What a multi-node job changes of its definition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct NodeOverrides {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_nodes: Option<i32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_property_overrides: Vec<NodePropertyOverride>,
}

with!(NodeOverrides);

/// The nodes of one range, as in `0:3` or `4:`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct NodePropertyOverride {
    pub target_nodes: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_overrides: Option<ContainerOverrides>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ecs_properties_override: Option<EcsPropertiesOverride>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instance_types: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eks_properties_override: Option<EksPropertiesOverride>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumable_resource_properties_override: Option<ConsumableResourceProperties>,
}

with!(NodePropertyOverride);

impl NodePropertyOverride {
    /// Of these nodes, nothing changed yet.
    pub fn new(target_nodes: impl Into<String>) -> Self {
        Self {
            target_nodes: target_nodes.into(),
            container_overrides: None,
            ecs_properties_override: None,
            instance_types: Vec::new(),
            eks_properties_override: None,
            consumable_resource_properties_override: None,
        }
    }
}
