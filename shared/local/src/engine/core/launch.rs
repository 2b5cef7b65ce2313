//! How an attempt is to be run, and what Batch tells it.

use super::capacity::Need;
use super::lifecycle::ONLY_CONTAINER;
use super::{AttemptId, Image, JobRecord, Launch, LaunchedContainer, Task, arn};
use crate::events::ContainerDetail;

/// How the current attempt is to be run, of a child of an array of a size; `None` where none is current.
pub(super) fn launch(record: &JobRecord, array_size: Option<u32>) -> Option<Launch> {
    let number = record.attempt.as_ref()?.number;
    let of_batch = of_every_container(record, number, array_size);
    let containers: Vec<LaunchedContainer> = match &record.task {
        None => {
            let container = record.detail.container.as_ref()?;
            vec![launched(ONLY_CONTAINER, container, record.image.clone(), record.whole_need(), of_batch)?]
        }
        Some(task) => {
            let several = task.containers.iter().map(|one| {
                let mut variables = of_batch.clone();
                variables.extend(of_node(record, task, one.node));
                let need = Need::of(one.vcpus, Some(&one.container));
                let made = launched(&one.name, &one.container, one.image.clone(), need, variables)?;
                Some(LaunchedContainer {
                    essential: one.essential,
                    node: one.node,
                    decides: task.decides(one),
                    depends_on: one.depends_on.clone(),
                    ..made
                })
            });
            several.collect::<Option<_>>()?
        }
    };
    Some(Launch {
        attempt: AttemptId { job_id: record.job_id().clone(), number },
        job_name: record.detail.job_name.clone(),
        array_index: record.array_index(),
        containers,
        is_task: record.task.is_some(),
        setup: record.setup.clone(),
        timeout_seconds: record.timeout_seconds(),
    })
}

fn launched(
    name: &str,
    container: &ContainerDetail,
    image: Option<Box<Image>>,
    need: Need,
    of_batch: Vec<(String, String)>,
) -> Option<LaunchedContainer> {
    let given = container.environment.iter();
    let mut environment: Vec<_> =
        given.filter_map(|pair| Some((pair.name.clone()?, pair.value.clone().unwrap_or_default()))).collect();
    environment.extend(of_batch);
    Some(LaunchedContainer {
        name: name.to_owned(),
        essential: true,
        node: 0,
        decides: true,
        depends_on: Vec::new(),
        command: container.command.clone(),
        environment,
        log_stream: container.log_stream_name.clone()?,
        image,
        vcpus: need.vcpus,
        memory_mib: need.memory_mib,
        gpus: need.gpus,
    })
}

/// What Batch tells every container of a job.
///
/// Source: <https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html>
fn of_every_container(record: &JobRecord, number: u32, array_size: Option<u32>) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    let mut tell = |name: &str, value: String| variables.push((name.to_owned(), value));
    tell("AWS_BATCH_JOB_ID", record.job_id().to_string());
    tell("AWS_BATCH_JOB_ATTEMPT", number.to_string());
    tell("AWS_BATCH_JQ_NAME", arn::resource_name(&record.detail.job_queue).to_owned());
    tell("AWS_BATCH_CE_NAME", arn::COMPUTE_ENVIRONMENT.to_owned());
    if let Some(index) = record.array_index() {
        tell("AWS_BATCH_JOB_ARRAY_INDEX", index.to_string());
    }
    if let Some(size) = array_size {
        tell("AWS_BATCH_JOB_ARRAY_SIZE", size.to_string());
    }
    variables
}

/// What Batch tells a node besides. All nodes have this machine's loopback address.
fn of_node(record: &JobRecord, task: &Task, index: u32) -> Vec<(String, String)> {
    let Some(main_node) = task.main_node else { return Vec::new() };
    let mut variables = Vec::new();
    let mut tell = |name: &str, value: String| variables.push((name.to_owned(), value));
    tell("AWS_BATCH_JOB_ID", record.job_id().node(index).to_string());
    tell("AWS_BATCH_JOB_NODE_INDEX", index.to_string());
    tell("AWS_BATCH_JOB_NUM_NODES", task.num_nodes().to_string());
    tell("AWS_BATCH_JOB_MAIN_NODE_INDEX", main_node.to_string());
    if index != main_node {
        // Batch tells it to the others alone.
        tell("AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS", "127.0.0.1".to_owned());
    }
    variables
}
