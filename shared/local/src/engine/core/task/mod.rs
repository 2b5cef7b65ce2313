//! Jobs of several containers: those of an ECS task, and the nodes of a multi-node job.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `container` | one container, as the definition and the job say |
//! | `ecs` | the containers of an ECS task, and the order in which they start |
//! | `nodes` | which node runs what |
//! | `described` | a task and its nodes in described jobs |

mod container;
mod described;
mod ecs;
mod nodes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(crate) use described::DescribedNode;
pub(crate) use nodes::said_of_node;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::capacity::Need;
use super::effect::{ContainerEnd, StartsAfter};
use super::image::{Image, is_fargate};
use super::lifecycle::{ONLY_CONTAINER, log_stream};
use super::vcpus::MilliVcpus;
use crate::domain::{JobDefinition, JobId, JobSpec};
use crate::events::ContainerDetail;

/// What runs in one attempt of a job that has several containers or nodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Node by node, and in the order of each one's definition.
    pub containers: Vec<TaskContainer>,
    /// Of a multi-node job: the index of the main node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub main_node: Option<u32>,
}

/// A container of a task, or of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskContainer {
    /// Within the task.
    pub name: String,
    /// The others of its node end when it ends.
    pub essential: bool,
    /// The index of its node; 0 where the job has none.
    pub node: u32,
    /// It is one of an ECS task, and described as such: not the only container of a node.
    pub in_ecs_task: bool,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<StartsAfter>,
    /// What is described of it.
    pub container: ContainerDetail,
    /// How its image is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Box<Image>>,
    /// What it needs.
    pub vcpus: MilliVcpus,
}

/// Whether a container runtime can run a job: each container of its definition has an image.
pub fn has_images(spec: &JobSpec, definition: &JobDefinition) -> bool {
    match Task::of(spec, Some(definition), &definition.parameters) {
        Ok(Some(task)) => task.containers.iter().all(|one| one.image.is_some()),
        // What is refused runs in no way.
        Ok(None) | Err(_) => definition.has_image(),
    }
}

impl Task {
    /// The task of a job; `None` where the job has one container and no nodes.
    ///
    /// # Errors
    ///
    /// Where the definition, or what the job changes of it, is not as AWS has it.
    pub(crate) fn of(
        spec: &JobSpec,
        definition: Option<&JobDefinition>,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Option<Box<Self>>, String> {
        let Some(definition) = definition else { return Ok(None) };
        let object = |member: &str| definition.more.get(member).and_then(Value::as_object);
        let task = match (object("nodeProperties"), object("ecsProperties")) {
            (Some(nodes), _) => nodes::task(spec, nodes, parameters, is_fargate(&definition.more))?,
            (None, Some(ecs)) => {
                let changes = spec.ecs_properties_override.as_ref();
                let containers = ecs::containers(ecs, changes, parameters, is_fargate(&definition.more))?;
                Self { containers, main_node: None }
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(Box::new(task)))
    }

    /// Whether it is a multi-node job.
    pub(crate) fn has_nodes(&self) -> bool {
        self.main_node.is_some()
    }

    /// How many nodes it has; 0 where it is no multi-node job.
    pub(crate) fn num_nodes(&self) -> u32 {
        self.main_node.and_then(|_| self.containers.last()).map_or(0, |last| last.node + 1)
    }

    /// Whether the whole attempt ends when this container ends by itself.
    pub(crate) fn decides(&self, container: &TaskContainer) -> bool {
        container.essential && self.main_node.is_none_or(|main_node| container.node == main_node)
    }

    /// What must be free for all of it.
    pub(crate) fn need(&self) -> Need {
        let mut all = Need::default();
        for one in &self.containers {
            all.add(Need::of(one.vcpus, Some(&one.container)));
        }
        all
    }

    /// An attempt begins: its containers have log streams, and have not ended.
    pub(crate) fn begin(&mut self, job_definition: &str, job_id: &JobId, attempt: u32) {
        let has_nodes = self.has_nodes();
        for one in &mut self.containers {
            let job_id = if has_nodes { job_id.node(one.node) } else { job_id.clone() };
            let name = if one.in_ecs_task { &one.name } else { ONLY_CONTAINER };
            let stream = log_stream(job_definition, name, &job_id, attempt);
            one.container.log_stream_name = Some(stream);
            one.container.exit_code = None;
            one.container.reason = None;
        }
    }

    /// Writes down how each container ended, and returns the end that is the whole task's.
    pub(crate) fn conclude(&mut self, ends: Vec<ContainerEnd>) -> ContainerEnd {
        let decisive = self.decisive(&ends);
        for (one, end) in self.containers.iter_mut().zip(ends) {
            one.container.exit_code = end.exit_code;
            one.container.reason = end.reason;
        }
        decisive
    }

    /// All of its containers ended alike.
    pub(crate) fn all_ended(&self, exit_code: i32) -> Vec<ContainerEnd> {
        let end = ContainerEnd { exit_code: Some(exit_code), ..ContainerEnd::default() };
        vec![end; self.containers.len()]
    }

    /// The end that is the whole task's: of the containers that decide and ended by themselves, the first that failed.
    fn decisive(&self, ends: &[ContainerEnd]) -> ContainerEnd {
        let by_itself =
            || self.containers.iter().zip(ends).filter(|(one, end)| self.decides(one) && !end.was_stopped);
        let failed = by_itself().find(|(_, end)| end.exit_code != Some(0));
        failed.or_else(|| by_itself().next()).map(|(_, end)| end.clone()).unwrap_or_default()
    }
}
