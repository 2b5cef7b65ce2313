//! How long the overrides of a job are when Batch hands the job to ECS.
//!
//! `SubmitJob` takes a job whose overrides are too long, and the job FAILS when it is dispatched. ECS counts the
//! characters of the whole override structure of `RunTask` as JSON; `Ref::` is filled in by then, and Batch's own
//! variables are among the job's. Source:
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskOverride.html>.

use serde::Serialize;

use super::command::{PLACEHOLDER, substitute};
use super::definition::JobDefinition;
use super::queue::queue_name;
use super::spec::{
    ContainerOverrides, EcsPropertiesOverride, JobSpec, KeyValuePair, ResourceRequirement, ResourceType,
};

/// The name that Batch gives to the one container of a job.
const CONTAINER: &str = "default";

/// As long as every id of a job, with the index of the last child.
const ANY_ID: &str = "00000000-0000-0000-0000-000000000000:9999";

/// How many characters the name of a compute environment is taken to have: it is not known before the dispatch.
const ENVIRONMENT_CHARS: usize = 32;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskOverride {
    container_overrides: Vec<ContainerOverride>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContainerOverride {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    environment: Vec<KeyValuePair>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resource_requirements: Vec<ResourceRequirement>,
}

impl TaskOverride {
    fn chars(&self) -> usize {
        serde_json::to_string(self).map_or(0, |text| text.chars().count())
    }
}

/// The characters of a job's overrides, or of those of a range of its nodes. The definition is that of the job, where
/// it is known: its command counts if it has parameters to be filled in.
pub fn container_override_chars(
    spec: &JobSpec,
    overrides: &ContainerOverrides,
    definition: Option<&JobDefinition>,
) -> usize {
    let mut parameters = definition.map(|definition| definition.parameters.clone()).unwrap_or_default();
    parameters.extend(spec.parameters.clone());
    let has_placeholder = |command: &&Vec<String>| command.iter().any(|word| word.contains(PLACEHOLDER));
    let of_definition = definition.map(|definition| &definition.command).filter(has_placeholder);
    let command = overrides.command.as_ref().or(of_definition);
    let number = |kind: ResourceType, given: Option<i32>| {
        let required = overrides.resource_requirements.iter().find(|entry| entry.kind == kind);
        given.map(i64::from).or_else(|| required.and_then(|entry| entry.value.parse().ok()))
    };
    let gpus = overrides.resource_requirements.iter().filter(|entry| entry.kind == ResourceType::Gpu);
    let container = ContainerOverride {
        name: CONTAINER.to_owned(),
        command: command.map(|command| substitute(command, &parameters)),
        environment: with_batchs_own(spec, &overrides.environment),
        cpu: number(ResourceType::Vcpu, overrides.vcpus).map(|vcpus| vcpus * 1_024),
        memory: number(ResourceType::Memory, overrides.memory),
        resource_requirements: gpus.cloned().collect(),
    };
    TaskOverride { container_overrides: vec![container] }.chars()
}

/// The characters of the overrides of a task of several containers.
pub fn task_override_chars(spec: &JobSpec, overrides: &EcsPropertiesOverride) -> usize {
    let containers = overrides.task_properties.iter().flat_map(|task| &task.containers);
    let container_overrides = containers.map(|container| ContainerOverride {
        name: container.name.clone().unwrap_or_default(),
        command: container.command.as_ref().map(|command| substitute(command, &spec.parameters)),
        environment: with_batchs_own(spec, &container.environment),
        cpu: None,
        memory: None,
        resource_requirements: container.resource_requirements.clone(),
    });
    TaskOverride { container_overrides: container_overrides.collect() }.chars()
}

/// A job's variables, and those that Batch adds.
///
/// Source: <https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html>.
fn with_batchs_own(spec: &JobSpec, given: &[KeyValuePair]) -> Vec<KeyValuePair> {
    let mut all = given.to_vec();
    let mut add = |name: &str, value: String| {
        all.push(KeyValuePair { name: Some(name.to_owned()), value: Some(value) });
    };
    let queue = queue_name(&spec.job_queue);
    add(
        "AWS_BATCH_JOB_ID",
        ANY_ID[..if spec.array_properties.is_some() { ANY_ID.len() } else { 36 }].to_owned(),
    );
    add("AWS_BATCH_JOB_ATTEMPT", "1".to_owned());
    add("AWS_BATCH_JQ_NAME", queue.to_owned());
    add("AWS_BATCH_CE_NAME", "x".repeat(ENVIRONMENT_CHARS));
    if let Some(array) = &spec.array_properties {
        add("AWS_BATCH_JOB_ARRAY_SIZE", array.size.to_string());
        add("AWS_BATCH_JOB_ARRAY_INDEX", array.size.saturating_sub(1).to_string());
    }
    if spec.node_overrides.is_some() {
        add("AWS_BATCH_JOB_MAIN_NODE_INDEX", "0".to_owned());
        add("AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS", "100.100.100.100".to_owned());
        add("AWS_BATCH_JOB_NODE_INDEX", "10".to_owned());
        add("AWS_BATCH_JOB_NUM_NODES", "10".to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::JobName;

    fn spec() -> JobSpec {
        JobSpec::new(JobName::parse("a").unwrap(), "q", "d")
    }

    fn chars(spec: &JobSpec, definition: Option<&JobDefinition>) -> usize {
        container_override_chars(spec, &spec.container_overrides.clone().unwrap_or_default(), definition)
    }

    #[test]
    fn the_envelope_and_batchs_own_variables_count() {
        let bare = chars(&spec(), None);
        assert!((250..400).contains(&bare), "{bare}");
        let command = Some(vec!["x".repeat(1_000)]);
        let overrides = ContainerOverrides { command, ..ContainerOverrides::default() };
        let long = JobSpec { container_overrides: Some(overrides), ..spec() };
        assert_eq!(chars(&long, None), bare + 1_000 + "\"command\":[\"\"],".len());
    }

    #[test]
    fn parameters_count_where_they_are_filled_in() {
        let definition = JobDefinition {
            job_definition_name: "d".into(),
            command: vec!["printf".into(), "Ref::granules".into()],
            ..JobDefinition::default()
        };
        let mut job = spec();
        job.parameters.insert("granules".into(), "g".repeat(9_000));
        assert!(chars(&job, None) < 400, "nobody knows of a command to fill in");
        assert!(chars(&job, Some(&definition)) > 9_000);
        let plain = JobDefinition { command: vec!["true".into()], ..definition };
        assert!(chars(&job, Some(&plain)) < 400, "the definition's command is no override");
    }
}
