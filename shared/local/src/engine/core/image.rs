//! What a job definition says of the container that its image runs in.
//!
//! Source: <https://docs.aws.amazon.com/batch/latest/APIReference/API_ContainerProperties.html>

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::JobDefinition;

/// The members of `containerProperties` that a container runtime is told, beside the command, the environment and
/// the resource requirements.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are RegisterJobDefinition's own")]
pub struct Image {
    pub image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    pub privileged: bool,
    pub readonly_root_filesystem: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ulimits: Vec<Ulimit>,
    pub linux_parameters: LinuxParameters,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mount_points: Vec<MountPoint>,
    /// Fargate's: its vCPUs are a limit, and its network is its own.
    pub is_fargate: bool,
}

/// An entry of `ulimits`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ulimit {
    pub name: String,
    pub soft_limit: i64,
    pub hard_limit: i64,
}

/// `linuxParameters`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LinuxParameters {
    pub init_process_enabled: bool,
    /// MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_memory_size: Option<i64>,
    /// MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_swap: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swappiness: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tmpfs: Vec<Tmpfs>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
}

/// An entry of `linuxParameters.tmpfs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tmpfs {
    pub container_path: String,
    /// MiB.
    pub size: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mount_options: Vec<String>,
}

/// An entry of `linuxParameters.devices`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    pub host_path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_path: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<String>,
}

/// An entry of `volumes`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Volume {
    pub name: String,
    pub host: Host,
    /// A file system that is not there on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub efs_volume_configuration: Option<Value>,
}

/// `volumes[].host`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Host {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_path: Option<String>,
}

/// An entry of `mountPoints`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MountPoint {
    pub container_path: String,
    pub read_only: bool,
    pub source_volume: String,
}

impl Image {
    /// The image of a definition; `None` where it has none.
    ///
    /// # Errors
    ///
    /// Where a member is not what AWS says it is.
    pub(crate) fn of(definition: &JobDefinition) -> Result<Option<Box<Self>>, String> {
        let Some(image) = definition.image.clone().filter(|_| definition.has_image()) else {
            return Ok(None);
        };
        let mut read = Self::read(&definition.container_properties)
            .map_err(|error| format!("containerProperties: {error}"))?;
        read.image = image;
        read.is_fargate = is_fargate(&definition.more);
        Ok(Some(Box::new(read)))
    }

    /// The members of one container, `image` among them or beside them.
    pub(super) fn read(members: &Map<String, Value>) -> Result<Self, serde_json::Error> {
        serde_json::from_value(without_nulls(Value::Object(members.clone())))
    }
}

pub(super) fn is_fargate(definition: &Map<String, Value>) -> bool {
    let platforms = definition.get("platformCapabilities").and_then(Value::as_array);
    platforms.into_iter().flatten().any(|platform| platform == "FARGATE")
}

/// Null says nothing, wherever AWS's clients send it.
pub(super) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(_, value)| !value.is_null());
            members.map(|(name, value)| (name, without_nulls(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect::<Vec<_>>().into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition(image: &str, properties: Value) -> JobDefinition {
        JobDefinition {
            image: Some(image.to_owned()),
            container_properties: properties.as_object().unwrap().clone(),
            ..JobDefinition::default()
        }
    }

    #[test]
    fn what_a_runtime_is_told_is_read_and_the_rest_is_left() {
        let properties = json!({
            "user": "nobody", "jobRoleArn": "arn:aws:iam::000000000000:role/r", "privileged": null,
            "linuxParameters": {"tmpfs": [{"containerPath": "/t", "size": 4, "mountOptions": null}], "newer": 1},
            "volumes": [{"name": "v", "host": null}],
        });
        let image = Image::of(&definition("busybox", properties)).unwrap().unwrap();
        assert_eq!((image.image.as_str(), image.user.as_deref()), ("busybox", Some("nobody")));
        assert_eq!(image.linux_parameters.tmpfs[0].container_path, "/t");
        assert_eq!(image.volumes[0].host.source_path, None);
        assert!(!image.privileged && !image.is_fargate);
        assert_eq!(Image::of(&definition("", json!({}))).unwrap(), None);
    }

    #[test]
    fn a_member_that_is_something_else_is_told() {
        for properties in
            [json!({"volumes": 7}), json!({"ulimits": [{"name": "nofile"}]}), json!({"user": {}})]
        {
            let error = Image::of(&definition("busybox", properties)).unwrap_err();
            assert!(error.starts_with("containerProperties: "), "{error}");
        }
    }
}
