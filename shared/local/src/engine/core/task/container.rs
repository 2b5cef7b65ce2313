//! One container of a task or node, as the definition and the job say.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::TaskContainer;
use crate::domain::command::{overlay, substitute};
use crate::domain::spec::{ContainerOverrides, KeyValuePair, ResourceRequirement, ResourceType};
use crate::engine::core::MilliVcpus;
use crate::engine::core::image::{Image, without_nulls};
use crate::engine::core::lifecycle::ONLY_CONTAINER;
use crate::events::{ContainerDetail, LogConfiguration};

/// The members of a container that jobs can change or that are described.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Members {
    image: String,
    command: Vec<String>,
    environment: Vec<KeyValuePair>,
    resource_requirements: Vec<ResourceRequirement>,
    vcpus: Option<i32>,
    memory: Option<i32>,
    log_configuration: Option<LogConfiguration>,
}

/// What a job changes of one container.
#[derive(Default, Clone, Copy)]
pub(super) struct Change<'a> {
    pub(super) command: Option<&'a Vec<String>>,
    pub(super) environment: &'a [KeyValuePair],
    pub(super) requirements: &'a [ResourceRequirement],
}

impl<'a> From<&'a ContainerOverrides> for Change<'a> {
    fn from(overrides: &'a ContainerOverrides) -> Self {
        Self {
            command: overrides.command.as_ref(),
            environment: &overrides.environment,
            requirements: &overrides.resource_requirements,
        }
    }
}

/// A container as its definition says, with what the job changes.
pub(super) fn container(
    members: &Map<String, Value>,
    change: Change<'_>,
    parameters: &BTreeMap<String, String>,
    is_fargate: bool,
) -> Result<TaskContainer, String> {
    let read: Members = serde_json::from_value(without_nulls(Value::Object(members.clone())))
        .map_err(|error| error.to_string())?;
    let mut image = Image::read(members).map_err(|error| error.to_string())?;
    image.is_fargate = is_fargate;
    let mut requirements = read.resource_requirements;
    for (kind, amount) in [(ResourceType::Vcpu, read.vcpus), (ResourceType::Memory, read.memory)] {
        requirements.extend(amount.map(|amount| ResourceRequirement::new(kind, amount.to_string())));
    }
    requirements.retain(|base| change.requirements.iter().all(|own| own.kind != base.kind));
    requirements.extend(change.requirements.iter().cloned());
    let vcpus = requirements.iter().find(|one| one.kind == ResourceType::Vcpu);
    let vcpus = vcpus.map_or(Some(MilliVcpus::ONE), |one| MilliVcpus::parse(&one.value));
    let command = change.command.cloned().unwrap_or(read.command);
    Ok(TaskContainer {
        name: ONLY_CONTAINER.to_owned(),
        essential: true,
        node: 0,
        in_ecs_task: false,
        depends_on: Vec::new(),
        container: ContainerDetail::default().with(|it| {
            it.image = Some(read.image).filter(|image| !image.is_empty());
            it.command = substitute(&command, parameters);
            it.environment = overlay(&read.environment, change.environment);
            it.resource_requirements = requirements;
            it.log_configuration = read.log_configuration;
        }),
        image: Some(Box::new(image)).filter(|image| !image.image.is_empty()),
        vcpus: vcpus.ok_or("VCPU is not a number above 0, as in \"1\" or \"0.25\"")?,
    })
}
