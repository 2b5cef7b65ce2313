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
    Ok(JobDetail::new(
        JobName::parse(job.job_name.as_deref().unwrap_or_default())?,
        JobId::parse(job.job_id.as_deref().unwrap_or_default())?,
        super::status(job.status.as_ref())?,
    )
    .with(|detail| {
        detail.job_arn = job.job_arn;
        detail.job_queue = job.job_queue.unwrap_or_default();
        detail.share_identifier = job.share_identifier;
        detail.scheduling_priority = job.scheduling_priority;
        detail.attempts = all(job.attempts, attempt);
        detail.status_reason = job.status_reason;
        detail.created_at = job.created_at;
        detail.retry_strategy = job.retry_strategy.map(retry);
        detail.started_at = job.started_at;
        detail.stopped_at = job.stopped_at;
        detail.depends_on = all(job.depends_on, dependency);
        detail.job_definition = job.job_definition.unwrap_or_default();
        detail.parameters = job.parameters.into_iter().flatten().collect();
        detail.container = job.container.map(container);
        detail.node_details = job.node_details.map(|node| {
            NodeDetails::default().with(|it| {
                it.node_index = node.node_index;
                it.is_main_node = node.is_main_node;
            })
        });
        detail.node_properties = job.node_properties.map(|nodes| {
            NodePropertiesDetail::default().with(|it| {
                it.num_nodes = nodes.num_nodes;
                it.main_node = nodes.main_node;
            })
        });
        detail.array_properties = job.array_properties.map(array);
        detail.timeout = job.timeout.map(|timeout| {
            JobTimeout::default()
                .with(|it| it.attempt_duration_seconds = number(timeout.attempt_duration_seconds))
        });
        detail.tags = job.tags.into_iter().flatten().collect();
        detail.propagate_tags = job.propagate_tags;
        detail.platform_capabilities =
            all(job.platform_capabilities, |capability| capability.as_str().to_owned());
        detail.eks_properties = job.eks_properties.map(eks);
        detail.eks_attempts = all(job.eks_attempts, eks_attempt);
        detail.ecs_properties = job.ecs_properties.map(|ecs| {
            EcsPropertiesDetail::default().with(|it| it.task_properties = all(ecs.task_properties, task))
        });
        detail.is_cancelled = job.is_cancelled;
        detail.is_terminated = job.is_terminated;
    }))
}

fn all<T, U>(items: Option<Vec<T>>, each: impl Fn(T) -> U) -> Vec<U> {
    items.into_iter().flatten().map(each).collect()
}

fn number(number: Option<i32>) -> Option<u32> {
    number.and_then(|number| number.try_into().ok())
}

fn retry(strategy: types::RetryStrategy) -> RetryStrategy {
    let rules = strategy.evaluate_on_exit.into_iter().flatten();
    RetryStrategy::default().with(|it| {
        it.attempts = number(strategy.attempts);
        it.evaluate_on_exit = rules.filter_map(rule).collect();
    })
}

/// `None` where the action is none that is known here.
fn rule(rule: types::EvaluateOnExit) -> Option<EvaluateOnExit> {
    let action = RetryAction::try_from(rule.action?.as_str().to_owned()).ok()?;
    Some(EvaluateOnExit::new(action).with(|it| {
        it.on_status_reason = rule.on_status_reason;
        it.on_reason = rule.on_reason;
        it.on_exit_code = rule.on_exit_code;
    }))
}

fn dependency(dependency: types::JobDependency) -> Dependency {
    let kind = dependency.r#type.and_then(|kind| match kind {
        types::ArrayJobDependency::NToN => Some(DependencyType::NToN),
        types::ArrayJobDependency::Sequential => Some(DependencyType::Sequential),
        _ => None,
    });
    let job_id = dependency.job_id.as_deref().and_then(|id| JobId::parse(id).ok());
    Dependency::default().with(|it| {
        it.job_id = job_id;
        it.kind = kind;
    })
}

fn container(container: types::ContainerDetail) -> ContainerDetail {
    ContainerDetail::default().with(|it| {
        it.image = container.image;
        it.vcpus = container.vcpus;
        it.memory = container.memory;
        it.command = container.command.unwrap_or_default();
        it.environment = all(container.environment, |pair| {
            KeyValuePair::default().with(|it| {
                it.name = pair.name;
                it.value = pair.value;
            })
        });
        it.resource_requirements =
            container.resource_requirements.into_iter().flatten().filter_map(requirement).collect();
        it.exit_code = container.exit_code;
        it.reason = container.reason;
        it.log_stream_name = container.log_stream_name;
        it.log_configuration = container.log_configuration.map(log_configuration);
    })
}

/// `None` where the resource is none that is known here.
fn requirement(requirement: types::ResourceRequirement) -> Option<ResourceRequirement> {
    let kind = match requirement.r#type? {
        types::ResourceType::Gpu => ResourceType::Gpu,
        types::ResourceType::Vcpu => ResourceType::Vcpu,
        types::ResourceType::Memory => ResourceType::Memory,
        _ => return None,
    };
    Some(ResourceRequirement::new(kind, requirement.value.unwrap_or_default()))
}

fn log_configuration(configuration: types::LogConfiguration) -> LogConfiguration {
    LogConfiguration::default().with(|it| {
        it.log_driver = configuration.log_driver.map(|driver| driver.as_str().to_owned()).unwrap_or_default();
        it.options = configuration.options.into_iter().flatten().collect();
    })
}

fn attempt(attempt: types::AttemptDetail) -> AttemptDetail {
    AttemptDetail::default().with(|it| {
        it.container = attempt.container.map(|container| {
            AttemptContainerDetail::default().with(|it| {
                it.exit_code = container.exit_code;
                it.reason = container.reason;
                it.log_stream_name = container.log_stream_name;
            })
        });
        it.started_at = attempt.started_at;
        it.stopped_at = attempt.stopped_at;
        it.status_reason = attempt.status_reason;
        it.task_properties = all(attempt.task_properties, |task| {
            AttemptEcsTaskDetails::default().with(|it| {
                it.containers = all(task.containers, |container| {
                    AttemptTaskContainerDetails::default().with(|it| {
                        it.name = container.name;
                        it.exit_code = container.exit_code;
                        it.reason = container.reason;
                        it.log_stream_name = container.log_stream_name;
                    })
                });
            })
        });
    })
}

fn array(array: types::ArrayPropertiesDetail) -> ArrayPropertiesDetail {
    let summary = array.status_summary.into_iter().flatten();
    ArrayPropertiesDetail::default().with(|it| {
        it.status_summary =
            summary.map(|(status, count)| (status, i64::from(count))).collect::<BTreeMap<_, _>>();
        it.size = number(array.size);
        it.index = number(array.index);
    })
}

fn task(task: types::EcsTaskDetails) -> EcsTaskDetails {
    EcsTaskDetails::default().with(|it| {
        it.containers = all(task.containers, |container| {
            TaskContainerDetails::default().with(|it| {
                it.name = container.name;
                it.essential = container.essential;
                it.exit_code = container.exit_code;
                it.reason = container.reason;
                it.log_stream_name = container.log_stream_name;
                it.log_configuration = container.log_configuration.map(log_configuration);
            })
        });
    })
}

fn eks(eks: types::EksPropertiesDetail) -> EksPropertiesDetail {
    let pod = eks.pod_properties.map(|pod| {
        EksPodPropertiesDetail::default().with(|it| {
            it.containers = all(pod.containers, eks_container);
            it.init_containers = all(pod.init_containers, eks_container);
            it.pod_name = pod.pod_name;
            it.node_name = pod.node_name;
        })
    });
    EksPropertiesDetail::default().with(|it| it.pod_properties = pod.unwrap_or_default())
}

fn eks_container(container: types::EksContainerDetail) -> EksContainerDetail {
    EksContainerDetail::default().with(|it| {
        it.name = container.name;
        it.image = container.image;
        it.exit_code = container.exit_code;
        it.reason = container.reason;
    })
}

fn eks_attempt(attempt: types::EksAttemptDetail) -> EksAttemptDetail {
    EksAttemptDetail::default().with(|it| {
        it.containers = all(attempt.containers, eks_attempt_container);
        it.init_containers = all(attempt.init_containers, eks_attempt_container);
        it.pod_name = attempt.pod_name;
        it.started_at = attempt.started_at;
        it.stopped_at = attempt.stopped_at;
        it.status_reason = attempt.status_reason;
    })
}

fn eks_attempt_container(container: types::EksAttemptContainerDetail) -> EksAttemptContainerDetail {
    EksAttemptContainerDetail::default().with(|it| {
        it.name = container.name;
        it.exit_code = container.exit_code;
        it.reason = container.reason;
    })
}
