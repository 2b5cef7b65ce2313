//! From a spec to `SubmitJob`'s input.
//!
//! That each field is sent is seen by a test that submits a spec in which none is absent.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_batch::Client;
use aws_sdk_batch::operation::submit_job::builders::SubmitJobFluentBuilder;
use aws_sdk_batch::types;

use crate::domain::spec::{
    ArrayProperties, ConsumableResourceProperties, ConsumableResourceRequirement, ContainerOverrides,
    Dependency, EcsPropertiesOverride, EksContainerEnvironmentVariable, EksContainerOverride,
    EksContainerResourceRequirements, EksMetadata, EksPodPropertiesOverride, EksPropertiesOverride,
    EvaluateOnExit, JobSpec, JobTimeout, KeyValuePair, NodeOverrides, NodePropertyOverride,
    ResourceRequirement, RetryAction, RetryStrategy, TaskContainerOverrides, TaskPropertiesOverride,
};

/// The call that submits a spec: all of it but what is said of resubmission, which is ours.
pub(super) fn input(client: &Client, spec: &JobSpec) -> SubmitJobFluentBuilder {
    client
        .submit_job()
        .job_name(spec.job_name.as_str())
        .job_queue(&spec.job_queue)
        .job_definition(&spec.job_definition)
        .set_share_identifier(spec.share_identifier.clone())
        .set_scheduling_priority_override(spec.scheduling_priority_override)
        .set_array_properties(spec.array_properties.as_ref().map(array))
        .set_depends_on(list(&spec.depends_on, dependency))
        .set_parameters(map(&spec.parameters))
        .set_container_overrides(spec.container_overrides.as_ref().map(container))
        .set_node_overrides(spec.node_overrides.as_ref().map(nodes))
        .set_retry_strategy(spec.retry_strategy.as_ref().map(retry))
        .set_propagate_tags(spec.propagate_tags)
        .set_timeout(spec.timeout.as_ref().map(time_out))
        .set_tags(map(&spec.tags))
        .set_eks_properties_override(spec.eks_properties_override.as_ref().map(eks))
        .set_ecs_properties_override(spec.ecs_properties_override.as_ref().map(ecs))
        .set_consumable_resource_properties_override(
            spec.consumable_resource_properties_override.as_ref().map(consumables),
        )
}

/// What is empty is not sent.
fn list<T, U>(items: &[T], each: impl Fn(&T) -> U) -> Option<Vec<U>> {
    (!items.is_empty()).then(|| items.iter().map(each).collect())
}

fn map(entries: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!entries.is_empty()).then(|| entries.clone().into_iter().collect())
}

/// The spec's numbers were checked against limits far below; one that was not is refused by Batch.
fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn array(array: &ArrayProperties) -> types::ArrayProperties {
    types::ArrayProperties::builder().size(number(array.size)).build()
}

/// A dependency by name has become one by id, or vanished, when the request was made.
fn dependency(dependency: &Dependency) -> types::JobDependency {
    types::JobDependency::builder()
        .set_job_id(dependency.job_id.as_ref().map(ToString::to_string))
        .set_type(dependency.kind.map(|kind| kind.as_str().into()))
        .build()
}

fn retry(strategy: &RetryStrategy) -> types::RetryStrategy {
    types::RetryStrategy::builder()
        .set_attempts(strategy.attempts.map(number))
        .set_evaluate_on_exit(list(&strategy.evaluate_on_exit, rule))
        .build()
}

fn rule(rule: &EvaluateOnExit) -> types::EvaluateOnExit {
    types::EvaluateOnExit::builder()
        .set_on_status_reason(rule.on_status_reason.clone())
        .set_on_reason(rule.on_reason.clone())
        .set_on_exit_code(rule.on_exit_code.clone())
        .action(match rule.action {
            RetryAction::Retry => types::RetryAction::Retry,
            RetryAction::Exit => types::RetryAction::Exit,
        })
        .build()
}

fn time_out(timeout: &JobTimeout) -> types::JobTimeout {
    types::JobTimeout::builder()
        .set_attempt_duration_seconds(timeout.attempt_duration_seconds.map(number))
        .build()
}

fn container(overrides: &ContainerOverrides) -> types::ContainerOverrides {
    #[expect(deprecated, reason = "vcpus and memory stand in job files of old")]
    let numbers =
        types::ContainerOverrides::builder().set_vcpus(overrides.vcpus).set_memory(overrides.memory);
    numbers
        .set_command(overrides.command.clone())
        .set_instance_type(overrides.instance_type.clone())
        .set_environment(list(&overrides.environment, variable))
        .set_resource_requirements(list(&overrides.resource_requirements, requirement))
        .build()
}

fn variable(pair: &KeyValuePair) -> types::KeyValuePair {
    types::KeyValuePair::builder().set_name(pair.name.clone()).set_value(pair.value.clone()).build()
}

fn requirement(requirement: &ResourceRequirement) -> types::ResourceRequirement {
    types::ResourceRequirement::builder()
        .value(&requirement.value)
        .r#type(requirement.kind.as_str().into())
        .build()
}

fn nodes(overrides: &NodeOverrides) -> types::NodeOverrides {
    types::NodeOverrides::builder()
        .set_num_nodes(overrides.num_nodes)
        .set_node_property_overrides(list(&overrides.node_property_overrides, node_range))
        .build()
}

fn node_range(range: &NodePropertyOverride) -> types::NodePropertyOverride {
    types::NodePropertyOverride::builder()
        .target_nodes(&range.target_nodes)
        .set_container_overrides(range.container_overrides.as_ref().map(container))
        .set_ecs_properties_override(range.ecs_properties_override.as_ref().map(ecs))
        .set_instance_types(list(&range.instance_types, Clone::clone))
        .set_eks_properties_override(range.eks_properties_override.as_ref().map(eks))
        .set_consumable_resource_properties_override(
            range.consumable_resource_properties_override.as_ref().map(consumables),
        )
        .build()
}

fn ecs(properties: &EcsPropertiesOverride) -> types::EcsPropertiesOverride {
    types::EcsPropertiesOverride::builder()
        .set_task_properties(list(&properties.task_properties, task))
        .build()
}

fn task(task: &TaskPropertiesOverride) -> types::TaskPropertiesOverride {
    types::TaskPropertiesOverride::builder().set_containers(list(&task.containers, task_container)).build()
}

fn task_container(container: &TaskContainerOverrides) -> types::TaskContainerOverrides {
    types::TaskContainerOverrides::builder()
        .set_command(container.command.clone())
        .set_environment(list(&container.environment, variable))
        .set_name(container.name.clone())
        .set_resource_requirements(list(&container.resource_requirements, requirement))
        .build()
}

fn eks(properties: &EksPropertiesOverride) -> types::EksPropertiesOverride {
    types::EksPropertiesOverride::builder()
        .set_pod_properties(properties.pod_properties.as_ref().map(pod))
        .build()
}

fn pod(pod: &EksPodPropertiesOverride) -> types::EksPodPropertiesOverride {
    types::EksPodPropertiesOverride::builder()
        .set_containers(list(&pod.containers, pod_container))
        .set_init_containers(list(&pod.init_containers, pod_container))
        .set_metadata(pod.metadata.as_ref().map(pod_metadata))
        .build()
}

fn pod_container(container: &EksContainerOverride) -> types::EksContainerOverride {
    types::EksContainerOverride::builder()
        .set_name(container.name.clone())
        .set_image(container.image.clone())
        .set_command(container.command.clone())
        .set_args(container.args.clone())
        .set_env(list(&container.env, pod_variable))
        .set_resources(container.resources.as_ref().map(pod_resources))
        .build()
}

fn pod_variable(variable: &EksContainerEnvironmentVariable) -> types::EksContainerEnvironmentVariable {
    types::EksContainerEnvironmentVariable::builder()
        .name(&variable.name)
        .set_value(variable.value.clone())
        .build()
}

fn pod_resources(resources: &EksContainerResourceRequirements) -> types::EksContainerResourceRequirements {
    types::EksContainerResourceRequirements::builder()
        .set_limits(map(&resources.limits))
        .set_requests(map(&resources.requests))
        .build()
}

fn pod_metadata(metadata: &EksMetadata) -> types::EksMetadata {
    types::EksMetadata::builder()
        .set_labels(map(&metadata.labels))
        .set_annotations(map(&metadata.annotations))
        .set_namespace(metadata.namespace.clone())
        .build()
}

fn consumables(properties: &ConsumableResourceProperties) -> types::ConsumableResourceProperties {
    types::ConsumableResourceProperties::builder()
        .set_consumable_resource_list(list(&properties.consumable_resource_list, consumable))
        .build()
}

fn consumable(requirement: &ConsumableResourceRequirement) -> types::ConsumableResourceRequirement {
    types::ConsumableResourceRequirement::builder()
        .set_consumable_resource(requirement.consumable_resource.clone())
        .set_quantity(requirement.quantity)
        .build()
}
