//! From the SDK's `JobDetail` to ours: all that ours names.

use std::collections::BTreeMap;

use aws_sdk_batch::types;

use crate::domain::spec::{
    Dependency, DependencyType, EvaluateOnExit, JobTimeout, KeyValuePair, ResourceRequirement, ResourceType,
    RetryAction, RetryStrategy,
};
use crate::domain::status::UnknownStatus;
use crate::domain::{JobId, JobName, ids::InvalidId};
use crate::events::{
    ArrayPropertiesDetail, AttemptContainerDetail, AttemptDetail, AttemptEcsTaskDetails,
    AttemptTaskContainerDetails, ContainerDetail, EcsPropertiesDetail, EcsTaskDetails,
    EksAttemptContainerDetail, EksAttemptDetail, EksContainerDetail, EksPodPropertiesDetail,
    EksPropertiesDetail, JobDetail, LogConfiguration, NodeDetails, NodePropertiesDetail,
    TaskContainerDetails,
};

/// A description that can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    Id(#[from] InvalidId),
    #[error(transparent)]
    Status(#[from] UnknownStatus),
}

/// Errs where name, id or status is not one of Batch's.
pub(super) fn job_detail(job: types::JobDetail) -> Result<JobDetail, Unreadable> {
    Ok(JobDetail {
        job_arn: job.job_arn,
        job_name: JobName::parse(job.job_name.as_deref().unwrap_or_default())?,
        job_id: JobId::parse(job.job_id.as_deref().unwrap_or_default())?,
        job_queue: job.job_queue.unwrap_or_default(),
        status: super::status(job.status.as_ref())?,
        share_identifier: job.share_identifier,
        scheduling_priority: job.scheduling_priority,
        attempts: all(job.attempts, attempt),
        status_reason: job.status_reason,
        created_at: job.created_at,
        retry_strategy: job.retry_strategy.map(retry),
        started_at: job.started_at,
        stopped_at: job.stopped_at,
        depends_on: all(job.depends_on, dependency),
        job_definition: job.job_definition.unwrap_or_default(),
        parameters: job.parameters.into_iter().flatten().collect(),
        container: job.container.map(container),
        node_details: job
            .node_details
            .map(|node| NodeDetails { node_index: node.node_index, is_main_node: node.is_main_node }),
        node_properties: job
            .node_properties
            .map(|nodes| NodePropertiesDetail { num_nodes: nodes.num_nodes, main_node: nodes.main_node }),
        array_properties: job.array_properties.map(array),
        timeout: job
            .timeout
            .map(|timeout| JobTimeout { attempt_duration_seconds: number(timeout.attempt_duration_seconds) }),
        tags: job.tags.into_iter().flatten().collect(),
        propagate_tags: job.propagate_tags,
        platform_capabilities: all(job.platform_capabilities, |capability| capability.as_str().to_owned()),
        eks_properties: job.eks_properties.map(eks),
        eks_attempts: all(job.eks_attempts, eks_attempt),
        ecs_properties: job
            .ecs_properties
            .map(|ecs| EcsPropertiesDetail { task_properties: all(ecs.task_properties, task) }),
        is_cancelled: job.is_cancelled,
        is_terminated: job.is_terminated,
    })
}

fn all<T, U>(items: Option<Vec<T>>, each: impl Fn(T) -> U) -> Vec<U> {
    items.into_iter().flatten().map(each).collect()
}

fn number(number: Option<i32>) -> Option<u32> {
    number.and_then(|number| number.try_into().ok())
}

fn retry(strategy: types::RetryStrategy) -> RetryStrategy {
    let rules = strategy.evaluate_on_exit.into_iter().flatten();
    RetryStrategy { attempts: number(strategy.attempts), evaluate_on_exit: rules.filter_map(rule).collect() }
}

/// `None` where the action is none that is known here.
fn rule(rule: types::EvaluateOnExit) -> Option<EvaluateOnExit> {
    let action = RetryAction::try_from(rule.action?.as_str().to_owned()).ok()?;
    Some(EvaluateOnExit {
        on_status_reason: rule.on_status_reason,
        on_reason: rule.on_reason,
        on_exit_code: rule.on_exit_code,
        action,
    })
}

fn dependency(dependency: types::JobDependency) -> Dependency {
    let kind = dependency.r#type.and_then(|kind| match kind {
        types::ArrayJobDependency::NToN => Some(DependencyType::NToN),
        types::ArrayJobDependency::Sequential => Some(DependencyType::Sequential),
        _ => None,
    });
    let job_id = dependency.job_id.as_deref().and_then(|id| JobId::parse(id).ok());
    Dependency { job_id, job_name: None, kind }
}

fn container(container: types::ContainerDetail) -> ContainerDetail {
    ContainerDetail {
        image: container.image,
        vcpus: container.vcpus,
        memory: container.memory,
        command: container.command.unwrap_or_default(),
        environment: all(container.environment, |pair| KeyValuePair { name: pair.name, value: pair.value }),
        resource_requirements: container
            .resource_requirements
            .into_iter()
            .flatten()
            .filter_map(requirement)
            .collect(),
        exit_code: container.exit_code,
        reason: container.reason,
        log_stream_name: container.log_stream_name,
        log_configuration: container.log_configuration.map(log_configuration),
    }
}

/// `None` where the resource is none that is known here.
fn requirement(requirement: types::ResourceRequirement) -> Option<ResourceRequirement> {
    let kind = match requirement.r#type? {
        types::ResourceType::Gpu => ResourceType::Gpu,
        types::ResourceType::Vcpu => ResourceType::Vcpu,
        types::ResourceType::Memory => ResourceType::Memory,
        _ => return None,
    };
    Some(ResourceRequirement { value: requirement.value.unwrap_or_default(), kind })
}

fn log_configuration(configuration: types::LogConfiguration) -> LogConfiguration {
    LogConfiguration {
        log_driver: configuration.log_driver.map(|driver| driver.as_str().to_owned()).unwrap_or_default(),
        options: configuration.options.into_iter().flatten().collect(),
    }
}

fn attempt(attempt: types::AttemptDetail) -> AttemptDetail {
    AttemptDetail {
        container: attempt.container.map(|container| AttemptContainerDetail {
            exit_code: container.exit_code,
            reason: container.reason,
            log_stream_name: container.log_stream_name,
        }),
        started_at: attempt.started_at,
        stopped_at: attempt.stopped_at,
        status_reason: attempt.status_reason,
        task_properties: all(attempt.task_properties, |task| AttemptEcsTaskDetails {
            containers: all(task.containers, |container| AttemptTaskContainerDetails {
                name: container.name,
                exit_code: container.exit_code,
                reason: container.reason,
                log_stream_name: container.log_stream_name,
            }),
        }),
    }
}

fn array(array: types::ArrayPropertiesDetail) -> ArrayPropertiesDetail {
    let summary = array.status_summary.into_iter().flatten();
    ArrayPropertiesDetail {
        status_summary: summary.map(|(status, count)| (status, i64::from(count))).collect::<BTreeMap<_, _>>(),
        size: number(array.size),
        index: number(array.index),
    }
}

fn task(task: types::EcsTaskDetails) -> EcsTaskDetails {
    EcsTaskDetails {
        containers: all(task.containers, |container| TaskContainerDetails {
            name: container.name,
            essential: container.essential,
            exit_code: container.exit_code,
            reason: container.reason,
            log_stream_name: container.log_stream_name,
            log_configuration: container.log_configuration.map(log_configuration),
        }),
    }
}

fn eks(eks: types::EksPropertiesDetail) -> EksPropertiesDetail {
    let pod = eks.pod_properties.map(|pod| EksPodPropertiesDetail {
        containers: all(pod.containers, eks_container),
        init_containers: all(pod.init_containers, eks_container),
        pod_name: pod.pod_name,
        node_name: pod.node_name,
    });
    EksPropertiesDetail { pod_properties: pod.unwrap_or_default() }
}

fn eks_container(container: types::EksContainerDetail) -> EksContainerDetail {
    EksContainerDetail {
        name: container.name,
        image: container.image,
        exit_code: container.exit_code,
        reason: container.reason,
    }
}

fn eks_attempt(attempt: types::EksAttemptDetail) -> EksAttemptDetail {
    EksAttemptDetail {
        containers: all(attempt.containers, eks_attempt_container),
        init_containers: all(attempt.init_containers, eks_attempt_container),
        pod_name: attempt.pod_name,
        started_at: attempt.started_at,
        stopped_at: attempt.stopped_at,
        status_reason: attempt.status_reason,
    }
}

fn eks_attempt_container(container: types::EksAttemptContainerDetail) -> EksAttemptContainerDetail {
    EksAttemptContainerDetail {
        name: container.name,
        exit_code: container.exit_code,
        reason: container.reason,
    }
}
