//! From a spec to `SubmitJob`'s input.
//!
//! Every struct is taken apart without `..`: a field that is added to the spec does not compile until
//! it is sent.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_batch::Client;
use aws_sdk_batch::operation::submit_job::builders::SubmitJobFluentBuilder;
use aws_sdk_batch::types;

use crate::domain::spec::{
    ArrayProperties, ConsumableResourceProperties, ConsumableResourceRequirement, ContainerOverrides,
    Dependency, DependencyType, EcsPropertiesOverride, EksContainerEnvironmentVariable, EksContainerOverride,
    EksContainerResourceRequirements, EksMetadata, EksPodPropertiesOverride, EksPropertiesOverride,
    EvaluateOnExit, JobSpec, JobTimeout, KeyValuePair, NodeOverrides, NodePropertyOverride,
    ResourceRequirement, ResourceType, RetryAction, RetryStrategy, TaskContainerOverrides,
    TaskPropertiesOverride,
};

/// The call that submits a spec: all of it but what is said of resubmission, which is ours.
pub(super) fn input(client: &Client, spec: &JobSpec) -> SubmitJobFluentBuilder {
    let JobSpec {
        job_name,
        job_queue,
        job_definition,
        share_identifier,
        scheduling_priority_override,
        array_properties,
        depends_on,
        parameters,
        container_overrides,
        node_overrides,
        retry_strategy,
        propagate_tags,
        timeout,
        tags,
        eks_properties_override,
        ecs_properties_override,
        consumable_resource_properties_override,
        max_tries: _,
        fallback_queue: _,
        retry_on: _,
        resubmit_children: _,
        child_of: _,
    } = spec;
    client
        .submit_job()
        .job_name(job_name.as_str())
        .job_queue(job_queue)
        .job_definition(job_definition)
        .set_share_identifier(share_identifier.clone())
        .set_scheduling_priority_override(*scheduling_priority_override)
        .set_array_properties(array_properties.as_ref().map(array))
        .set_depends_on(list(depends_on, dependency))
        .set_parameters(map(parameters))
        .set_container_overrides(container_overrides.as_ref().map(container))
        .set_node_overrides(node_overrides.as_ref().map(nodes))
        .set_retry_strategy(retry_strategy.as_ref().map(retry))
        .set_propagate_tags(*propagate_tags)
        .set_timeout(timeout.as_ref().map(time_out))
        .set_tags(map(tags))
        .set_eks_properties_override(eks_properties_override.as_ref().map(eks))
        .set_ecs_properties_override(ecs_properties_override.as_ref().map(ecs))
        .set_consumable_resource_properties_override(
            consumable_resource_properties_override.as_ref().map(consumables),
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
    let ArrayProperties { size } = array;
    types::ArrayProperties::builder().size(number(*size)).build()
}

/// A dependency by name has become one by id, or vanished, when the request was made.
fn dependency(dependency: &Dependency) -> types::JobDependency {
    let Dependency { job_id, job_name: _, kind } = dependency;
    let kind = kind.map(|kind| match kind {
        DependencyType::NToN => types::ArrayJobDependency::NToN,
        DependencyType::Sequential => types::ArrayJobDependency::Sequential,
    });
    types::JobDependency::builder()
        .set_job_id(job_id.as_ref().map(ToString::to_string))
        .set_type(kind)
        .build()
}

fn retry(strategy: &RetryStrategy) -> types::RetryStrategy {
    let RetryStrategy { attempts, evaluate_on_exit } = strategy;
    types::RetryStrategy::builder()
        .set_attempts(attempts.map(number))
        .set_evaluate_on_exit(list(evaluate_on_exit, rule))
        .build()
}

fn rule(rule: &EvaluateOnExit) -> types::EvaluateOnExit {
    let EvaluateOnExit { on_status_reason, on_reason, on_exit_code, action } = rule;
    types::EvaluateOnExit::builder()
        .set_on_status_reason(on_status_reason.clone())
        .set_on_reason(on_reason.clone())
        .set_on_exit_code(on_exit_code.clone())
        .action(match action {
            RetryAction::Retry => types::RetryAction::Retry,
            RetryAction::Exit => types::RetryAction::Exit,
        })
        .build()
}

fn time_out(timeout: &JobTimeout) -> types::JobTimeout {
    let JobTimeout { attempt_duration_seconds } = timeout;
    types::JobTimeout::builder().set_attempt_duration_seconds(attempt_duration_seconds.map(number)).build()
}

fn container(overrides: &ContainerOverrides) -> types::ContainerOverrides {
    let ContainerOverrides { vcpus, memory, command, instance_type, environment, resource_requirements } =
        overrides;
    #[expect(deprecated, reason = "vcpus and memory stand in job files of old")]
    let numbers = types::ContainerOverrides::builder().set_vcpus(*vcpus).set_memory(*memory);
    numbers
        .set_command(command.clone())
        .set_instance_type(instance_type.clone())
        .set_environment(list(environment, variable))
        .set_resource_requirements(list(resource_requirements, requirement))
        .build()
}

fn variable(pair: &KeyValuePair) -> types::KeyValuePair {
    let KeyValuePair { name, value } = pair;
    types::KeyValuePair::builder().set_name(name.clone()).set_value(value.clone()).build()
}

fn requirement(requirement: &ResourceRequirement) -> types::ResourceRequirement {
    let ResourceRequirement { value, kind } = requirement;
    types::ResourceRequirement::builder()
        .value(value)
        .r#type(match kind {
            ResourceType::Gpu => types::ResourceType::Gpu,
            ResourceType::Vcpu => types::ResourceType::Vcpu,
            ResourceType::Memory => types::ResourceType::Memory,
        })
        .build()
}

fn nodes(overrides: &NodeOverrides) -> types::NodeOverrides {
    let NodeOverrides { num_nodes, node_property_overrides } = overrides;
    types::NodeOverrides::builder()
        .set_num_nodes(*num_nodes)
        .set_node_property_overrides(list(node_property_overrides, node_range))
        .build()
}

fn node_range(range: &NodePropertyOverride) -> types::NodePropertyOverride {
    let NodePropertyOverride {
        target_nodes,
        container_overrides,
        ecs_properties_override,
        instance_types,
        eks_properties_override,
        consumable_resource_properties_override,
    } = range;
    types::NodePropertyOverride::builder()
        .target_nodes(target_nodes)
        .set_container_overrides(container_overrides.as_ref().map(container))
        .set_ecs_properties_override(ecs_properties_override.as_ref().map(ecs))
        .set_instance_types(list(instance_types, Clone::clone))
        .set_eks_properties_override(eks_properties_override.as_ref().map(eks))
        .set_consumable_resource_properties_override(
            consumable_resource_properties_override.as_ref().map(consumables),
        )
        .build()
}

fn ecs(properties: &EcsPropertiesOverride) -> types::EcsPropertiesOverride {
    let EcsPropertiesOverride { task_properties } = properties;
    types::EcsPropertiesOverride::builder().set_task_properties(list(task_properties, task)).build()
}

fn task(task: &TaskPropertiesOverride) -> types::TaskPropertiesOverride {
    let TaskPropertiesOverride { containers } = task;
    types::TaskPropertiesOverride::builder().set_containers(list(containers, task_container)).build()
}

fn task_container(container: &TaskContainerOverrides) -> types::TaskContainerOverrides {
    let TaskContainerOverrides { command, environment, name, resource_requirements } = container;
    types::TaskContainerOverrides::builder()
        .set_command(command.clone())
        .set_environment(list(environment, variable))
        .set_name(name.clone())
        .set_resource_requirements(list(resource_requirements, requirement))
        .build()
}

fn eks(properties: &EksPropertiesOverride) -> types::EksPropertiesOverride {
    let EksPropertiesOverride { pod_properties } = properties;
    types::EksPropertiesOverride::builder().set_pod_properties(pod_properties.as_ref().map(pod)).build()
}

fn pod(pod: &EksPodPropertiesOverride) -> types::EksPodPropertiesOverride {
    let EksPodPropertiesOverride { containers, init_containers, metadata } = pod;
    types::EksPodPropertiesOverride::builder()
        .set_containers(list(containers, pod_container))
        .set_init_containers(list(init_containers, pod_container))
        .set_metadata(metadata.as_ref().map(pod_metadata))
        .build()
}

fn pod_container(container: &EksContainerOverride) -> types::EksContainerOverride {
    let EksContainerOverride { name, image, command, args, env, resources } = container;
    types::EksContainerOverride::builder()
        .set_name(name.clone())
        .set_image(image.clone())
        .set_command(command.clone())
        .set_args(args.clone())
        .set_env(list(env, pod_variable))
        .set_resources(resources.as_ref().map(pod_resources))
        .build()
}

fn pod_variable(variable: &EksContainerEnvironmentVariable) -> types::EksContainerEnvironmentVariable {
    let EksContainerEnvironmentVariable { name, value } = variable;
    types::EksContainerEnvironmentVariable::builder().name(name).set_value(value.clone()).build()
}

fn pod_resources(resources: &EksContainerResourceRequirements) -> types::EksContainerResourceRequirements {
    let EksContainerResourceRequirements { limits, requests } = resources;
    types::EksContainerResourceRequirements::builder()
        .set_limits(map(limits))
        .set_requests(map(requests))
        .build()
}

fn pod_metadata(metadata: &EksMetadata) -> types::EksMetadata {
    let EksMetadata { labels, annotations, namespace } = metadata;
    types::EksMetadata::builder()
        .set_labels(map(labels))
        .set_annotations(map(annotations))
        .set_namespace(namespace.clone())
        .build()
}

fn consumables(properties: &ConsumableResourceProperties) -> types::ConsumableResourceProperties {
    let ConsumableResourceProperties { consumable_resource_list } = properties;
    types::ConsumableResourceProperties::builder()
        .set_consumable_resource_list(list(consumable_resource_list, consumable))
        .build()
}

fn consumable(requirement: &ConsumableResourceRequirement) -> types::ConsumableResourceRequirement {
    let ConsumableResourceRequirement { consumable_resource, quantity } = requirement;
    types::ConsumableResourceRequirement::builder()
        .set_consumable_resource(consumable_resource.clone())
        .set_quantity(*quantity)
        .build()
}
