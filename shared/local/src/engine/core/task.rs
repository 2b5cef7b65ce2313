//! Jobs of several containers: those of an ECS task, and the nodes of a multi-node job.
//!
//! Sources: <https://docs.aws.amazon.com/batch/latest/APIReference/API_EcsTaskProperties.html>,
//! <https://docs.aws.amazon.com/batch/latest/APIReference/API_NodeProperties.html>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::capacity::Need;
use super::effect::{ContainerEnd, StartsAfter};
use super::image::{Image, is_fargate, without_nulls};
use super::lifecycle::{ONLY_CONTAINER, log_stream};
use super::vcpus::MilliVcpus;
use crate::domain::command::{overlay, substitute};
use crate::domain::spec::{ContainerOverrides, KeyValuePair, ResourceRequirement, ResourceType};
use crate::domain::{JobDefinition, JobId, JobSpec};
use crate::events::{
    AttemptEcsTaskDetails, AttemptTaskContainerDetails, ContainerDetail, EcsPropertiesDetail, EcsTaskDetails,
    LogConfiguration, NodePropertiesDetail, TaskContainerDetails,
};

/// Nodes of one job, as in AWS Batch.
const NODES_MAX: u32 = 1_000;

/// Containers of one task, as in AWS Batch.
const CONTAINERS_MAX: usize = 10;

/// What runs in one attempt of a job that has several containers or nodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// In the definition's order, or by the index of the node.
    pub containers: Vec<TaskContainer>,
    /// Of a multi-node job: the index of the main node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub main_node: Option<u32>,
}

/// A container of a task, or a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskContainer {
    /// Within the task.
    pub name: String,
    /// The others end when it ends.
    pub essential: bool,
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

/// The members of a task's container that say how it goes with the others.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlaceInTask {
    name: Option<String>,
    #[serde(default = "yes")]
    essential: bool,
    #[serde(default)]
    depends_on: Vec<StartsAfter>,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeProperties {
    num_nodes: u32,
    main_node: u32,
    node_range_properties: Vec<NodeRange>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeRange {
    target_nodes: String,
    container: Option<Map<String, Value>>,
}

/// What a job changes of one container.
#[derive(Default, Clone, Copy)]
struct Change<'a> {
    command: Option<&'a Vec<String>>,
    environment: &'a [KeyValuePair],
    requirements: &'a [ResourceRequirement],
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
            (Some(nodes), _) => Self::of_nodes(spec, definition, nodes, parameters)?,
            (None, Some(ecs)) => Self::of_ecs(spec, definition, ecs, parameters)?,
            (None, None) => return Ok(None),
        };
        Ok(Some(Box::new(task)))
    }

    fn of_ecs(
        spec: &JobSpec,
        definition: &JobDefinition,
        ecs: &Map<String, Value>,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        const WHERE: &str = "ecsProperties.taskProperties[0]";
        let task = ecs.get("taskProperties").and_then(|tasks| tasks.get(0)).and_then(Value::as_object);
        let task = task.ok_or("ecsProperties.taskProperties: needs one entry")?;
        let listed = task.get("containers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if listed.is_empty() || listed.len() > CONTAINERS_MAX {
            return Err(format!(
                "{WHERE}.containers: has {} entries, allowed are 1 to {CONTAINERS_MAX}",
                listed.len()
            ));
        }
        let overrides =
            spec.ecs_properties_override.iter().flat_map(|all| all.task_properties.iter().take(1));
        let overrides: Vec<_> = overrides.flat_map(|task| &task.containers).collect();
        let mut containers: Vec<TaskContainer> = Vec::new();
        for (index, members) in listed.iter().enumerate() {
            let failed = |why: String| format!("{WHERE}.containers[{index}]: {why}");
            let members = without_nulls(members.clone());
            let place: PlaceInTask =
                serde_json::from_value(members.clone()).map_err(|error| failed(error.to_string()))?;
            let name = place.name.unwrap_or_else(|| format!("container-{index}"));
            if containers.iter().any(|known| known.name == name) {
                return Err(failed(format!("the name {name:?} is given already")));
            }
            let change = overrides.iter().find(|one| one.name.as_ref() == Some(&name)).map(|one| Change {
                command: one.command.as_ref(),
                environment: &one.environment,
                requirements: &one.resource_requirements,
            });
            let mut members = members.as_object().cloned().unwrap_or_default();
            // The task's volumes are there for each of its containers.
            members.extend(task.get("volumes").map(|volumes| ("volumes".to_owned(), volumes.clone())));
            let is_fargate = is_fargate(&definition.more);
            let made =
                container(&members, change.unwrap_or_default(), parameters, is_fargate).map_err(failed)?;
            containers.push(TaskContainer {
                name,
                essential: place.essential,
                depends_on: place.depends_on,
                ..made
            });
        }
        let task = Self { containers, main_node: None };
        task.check_order().map_err(|why| format!("{WHERE}.containers: {why}"))?;
        Ok(task)
    }

    /// Every dependency is on a container of the task, without circles, and at least one container is essential.
    fn check_order(&self) -> Result<(), String> {
        if !self.containers.iter().any(|container| container.essential) {
            return Err("none is essential; at least one must be".to_owned());
        }
        // Containers that wait for none but those that can start can start themselves.
        let mut startable: Vec<&str> = Vec::new();
        loop {
            let known = startable.len();
            for container in self
                .containers
                .iter()
                .filter(|one| !startable.contains(&one.name.as_str()))
                .collect::<Vec<_>>()
            {
                let mut needed = container.depends_on.iter().map(|after| after.container_name.as_str());
                if needed.all(|name| startable.contains(&name)) {
                    startable.push(&container.name);
                }
            }
            if startable.len() == self.containers.len() {
                return Ok(());
            }
            if startable.len() == known {
                let stuck = self.containers.iter().find(|one| !startable.contains(&one.name.as_str()));
                let name = stuck.map(|container| container.name.as_str()).unwrap_or_default();
                return Err(format!("{name} waits for itself or for what is not there"));
            }
        }
    }

    fn of_nodes(
        spec: &JobSpec,
        definition: &JobDefinition,
        nodes: &Map<String, Value>,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let nodes: NodeProperties = serde_json::from_value(without_nulls(Value::Object(nodes.clone())))
            .map_err(|error| format!("nodeProperties: {error}"))?;
        let overrides = spec.node_overrides.clone().unwrap_or_default();
        let wanted = overrides.num_nodes.and_then(|number| u32::try_from(number).ok());
        let count = wanted.unwrap_or(nodes.num_nodes);
        if count == 0 || count > NODES_MAX || nodes.main_node >= count {
            return Err(format!(
                "nodeProperties: {count} nodes with the main node {}; 1 to {NODES_MAX} are allowed, the main node among them",
                nodes.main_node
            ));
        }
        let is_fargate = is_fargate(&definition.more);
        let containers = (0..count).map(|index| {
            let range = narrowest(&nodes.node_range_properties, |range| &range.target_nodes, index, count);
            let range = range
                .ok_or_else(|| format!("nodeProperties: no nodeRangeProperties are for node {index}"))?;
            let members = range.container.as_ref().ok_or_else(|| {
                format!(
                    "nodeProperties: node {index} has no container; others don't run on the embedded engine"
                )
            })?;
            let own = narrowest(&overrides.node_property_overrides, |one| &one.target_nodes, index, count);
            let own = own.and_then(|own| own.container_overrides.as_ref());
            let change = own.map(Change::from).unwrap_or_default();
            let made = container(members, change, parameters, is_fargate)
                .map_err(|why| format!("nodeProperties: node {index}: {why}"))?;
            Ok(TaskContainer { name: index.to_string(), essential: index == nodes.main_node, ..made })
        });
        Ok(Self { containers: containers.collect::<Result<_, String>>()?, main_node: Some(nodes.main_node) })
    }

    /// Whether it is a multi-node job.
    pub(crate) fn has_nodes(&self) -> bool {
        self.main_node.is_some()
    }

    /// The node in a described job.
    pub(crate) fn node_properties(&self) -> Option<NodePropertiesDetail> {
        let number = |number: u32| i32::try_from(number).ok();
        Some(NodePropertiesDetail {
            main_node: number(self.main_node?),
            num_nodes: i32::try_from(self.containers.len()).ok(),
        })
    }

    /// The containers in a described job, and how each ended that has.
    pub(crate) fn ecs_properties(&self) -> Option<EcsPropertiesDetail> {
        if self.has_nodes() {
            return None;
        }
        let containers = self.containers.iter().map(|one| TaskContainerDetails {
            name: Some(one.name.clone()),
            essential: Some(one.essential),
            exit_code: one.container.exit_code,
            reason: one.container.reason.clone(),
            log_stream_name: one.container.log_stream_name.clone(),
            log_configuration: one.container.log_configuration.clone(),
        });
        Some(EcsPropertiesDetail {
            task_properties: vec![EcsTaskDetails { containers: containers.collect() }],
        })
    }

    /// The same of an attempt that has ended.
    pub(crate) fn ended_containers(&self) -> Vec<AttemptEcsTaskDetails> {
        if self.has_nodes() {
            return Vec::new();
        }
        let containers = self.containers.iter().map(|one| AttemptTaskContainerDetails {
            name: Some(one.name.clone()),
            exit_code: one.container.exit_code,
            reason: one.container.reason.clone(),
            log_stream_name: one.container.log_stream_name.clone(),
        });
        vec![AttemptEcsTaskDetails { containers: containers.collect() }]
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
        for (one, index) in self.containers.iter_mut().zip(0_u32..) {
            let stream = if has_nodes {
                log_stream(job_definition, ONLY_CONTAINER, &job_id.node(index), attempt)
            } else {
                log_stream(job_definition, &one.name, job_id, attempt)
            };
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

    /// The end that is the whole task's: of an essential container that ended by itself, the first that failed.
    fn decisive(&self, ends: &[ContainerEnd]) -> ContainerEnd {
        let by_itself =
            || self.containers.iter().zip(ends).filter(|(one, end)| one.essential && !end.was_stopped);
        let failed = by_itself().find(|(_, end)| end.exit_code != Some(0));
        failed.or_else(|| by_itself().next()).map(|(_, end)| end.clone()).unwrap_or_default()
    }
}

/// Of several ranges that hold a node, the one with the fewest nodes: a range within another has the say.
fn narrowest<T>(ranges: &[T], target: impl Fn(&T) -> &String, node: u32, count: u32) -> Option<&T> {
    let held = ranges.iter().filter_map(|one| {
        let (first, last) = range(target(one), count)?;
        (first..=last).contains(&node).then_some((last - first, one))
    });
    held.min_by_key(|(width, _)| *width).map(|(_, one)| one)
}

/// `n`, `n:m`, `:m` or `n:`.
fn range(text: &str, count: u32) -> Option<(u32, u32)> {
    let (first, last) = match text.split_once(':') {
        Some((first, last)) => (
            if first.is_empty() { 0 } else { first.parse().ok()? },
            if last.is_empty() { count.checked_sub(1)? } else { last.parse().ok()? },
        ),
        None => (text.parse().ok()?, text.parse().ok()?),
    };
    (first <= last).then_some((first, last))
}

fn container(
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
        requirements.extend(amount.map(|amount| ResourceRequirement { kind, value: amount.to_string() }));
    }
    requirements.retain(|base| change.requirements.iter().all(|own| own.kind != base.kind));
    requirements.extend(change.requirements.iter().cloned());
    let vcpus = requirements.iter().find(|one| one.kind == ResourceType::Vcpu);
    let vcpus = vcpus.map_or(Some(MilliVcpus::ONE), |one| MilliVcpus::parse(&one.value));
    let command = change.command.cloned().unwrap_or(read.command);
    Ok(TaskContainer {
        name: String::new(),
        essential: true,
        depends_on: Vec::new(),
        container: ContainerDetail {
            image: Some(read.image).filter(|image| !image.is_empty()),
            command: substitute(&command, parameters),
            environment: overlay(&read.environment, change.environment),
            resource_requirements: requirements,
            log_configuration: read.log_configuration,
            ..ContainerDetail::default()
        },
        image: Some(Box::new(image)).filter(|image| !image.image.is_empty()),
        vcpus: vcpus.ok_or("VCPU is not a number above 0, as in \"1\" or \"0.25\"")?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::JobName;

    fn task(more: Value, change: impl FnOnce(&mut JobSpec)) -> Result<Task, String> {
        let more = more.as_object().unwrap().clone();
        let definition = JobDefinition { job_definition_name: "d".into(), more, ..JobDefinition::default() };
        let mut spec = JobSpec::new(JobName::parse("a").unwrap(), "q", "d");
        change(&mut spec);
        let parameters = BTreeMap::from([("word".to_owned(), "hi".to_owned())]);
        Ok(*Task::of(&spec, Some(&definition), &parameters)?.unwrap())
    }

    fn ecs(containers: Value) -> Value {
        json!({"ecsProperties": {"taskProperties": [{"containers": containers, "volumes": [{"name": "v"}]}]}})
    }

    fn plain(name: &str) -> Value {
        json!({"name": name, "image": "busybox", "command": ["echo", "Ref::word"]})
    }

    #[test]
    fn a_task_is_what_its_definition_and_the_job_say() {
        let mut waits = plain("b");
        waits.as_object_mut().unwrap().extend(
            json!({"essential": false, "dependsOn": [{"containerName": "a", "condition": "SUCCESS"}],
                "resourceRequirements": [{"type": "VCPU", "value": "0.5"}, {"type": "MEMORY", "value": "64"}]})
            .as_object()
            .unwrap()
            .clone(),
        );
        let task = task(ecs(json!([plain("a"), waits])), |spec| {
            let overrides = json!({"taskProperties": [{"containers": [
                {"name": "b", "command": ["other"], "environment": [{"name": "A", "value": "1"}],
                    "resourceRequirements": [{"type": "MEMORY", "value": "128"}]}]}]});
            spec.ecs_properties_override = Some(serde_json::from_value(overrides).unwrap());
        })
        .unwrap();
        let [a, b] = task.containers.as_slice() else { panic!("{task:?}") };
        assert_eq!(
            (a.container.command.as_slice(), a.essential),
            (["echo".to_owned(), "hi".into()].as_slice(), true)
        );
        assert_eq!((b.container.command.as_slice(), b.essential), (["other".to_owned()].as_slice(), false));
        assert_eq!(a.image.as_ref().unwrap().volumes[0].name, "v");
        let need = task.need();
        assert_eq!((need.vcpus, need.memory_mib), (MilliVcpus(1_500), 128));
    }

    #[test]
    fn a_task_that_could_never_start_is_refused() {
        let after = |name: &str, other: &str| {
            let mut container = plain(name);
            container["dependsOn"] = json!([{"containerName": other, "condition": "START"}]);
            container
        };
        for (containers, expected) in [
            (json!([]), "has 0 entries"),
            (json!([plain("a"), plain("a")]), "the name \"a\" is given already"),
            (json!([after("a", "b"), after("b", "a")]), "a waits for itself"),
            (json!([after("a", "x")]), "a waits for itself or for what is not there"),
            (json!([{"name": "a", "image": "i", "essential": false}]), "none is essential"),
            (json!([{"name": "a", "command": "x"}]), "containers[0]: invalid type"),
        ] {
            let error = task(ecs(containers.clone()), |_| ()).unwrap_err();
            assert!(error.contains(expected), "{containers}: {error}");
        }
    }

    fn nodes(count: u32, ranges: &[&str]) -> Value {
        let ranges: Vec<Value> = ranges
            .iter()
            .map(|target| json!({"targetNodes": target, "container": {"image": "i", "command": [target]}}))
            .collect();
        json!({"nodeProperties": {"numNodes": count, "mainNode": 0, "nodeRangeProperties": ranges}})
    }

    #[test]
    fn each_node_has_the_container_of_the_narrowest_range_that_holds_it() {
        let commands = |task: &Task| -> Vec<String> {
            task.containers.iter().map(|node| node.container.command[0].clone()).collect()
        };
        let task_of = |more: Value| task(more, |_| ()).unwrap();
        assert_eq!(commands(&task_of(nodes(3, &["0:", "1:1"]))), ["0:", "1:1", "0:"]);
        assert_eq!(commands(&task_of(nodes(3, &[":1", "2"]))), [":1", ":1", "2"]);
        let resized = task(nodes(2, &["0", "1:"]), |spec| {
            let overrides = json!({"numNodes": 4, "nodePropertyOverrides": [
                {"targetNodes": "3:", "containerOverrides": {"command": ["last"]}}]});
            spec.node_overrides = Some(serde_json::from_value(overrides).unwrap());
        })
        .unwrap();
        assert_eq!(commands(&resized), ["0", "1:", "1:", "last"]);
        assert_eq!(resized.node_properties().unwrap().num_nodes, Some(4));
        assert!(resized.containers.iter().map(|node| node.essential).eq([true, false, false, false]));
        for (more, expected) in [
            (nodes(3, &["0:1"]), "no nodeRangeProperties are for node 2"),
            (nodes(0, &["0:"]), "0 nodes"),
            (nodes(1, &["1:0"]), "no nodeRangeProperties are for node 0"),
        ] {
            let error = task(more, |_| ()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn the_essential_container_that_failed_by_itself_decides() {
        let task = task(
            ecs(json!([plain("a"), plain("b"), {"name": "c", "image": "i", "essential": false}])),
            |_| (),
        );
        let task = task.unwrap();
        let end =
            |code: i32, was_stopped: bool| ContainerEnd { exit_code: Some(code), was_stopped, reason: None };
        for (ends, expected) in [
            ([end(0, false), end(143, true), end(1, false)], Some(0)),
            ([end(0, false), end(3, false), end(0, false)], Some(3)),
            ([ContainerEnd::default(), end(0, false), end(0, false)], None),
        ] {
            assert_eq!(task.decisive(&ends).exit_code, expected);
        }
    }
}
