//! What a job definition must say to be registered.

use serde_json::{Map, Value, json};

use super::joined;
use crate::domain::{JobDefinition, JobName, JobSpec};
use crate::engine::Task;
use crate::engine::arn::definition_name;
use crate::job_file::check_registration;

/// Where the container of most definitions stands.
const CONTAINER: &str = "containerProperties";

/// What the engine reads of a definition, checked. The rest is kept and described.
///
/// Source: <https://docs.aws.amazon.com/batch/latest/APIReference/API_RegisterJobDefinition.html>
pub(super) fn readable(registered: &Map<String, Value>) -> Result<JobDefinition, String> {
    let kind = registered.get("type").and_then(Value::as_str).unwrap_or_default();
    let container = registered.get("containerProperties").and_then(Value::as_object);
    let has = |member: &str| {
        let given = registered.get(member).and_then(Value::as_object);
        given.is_some_and(|properties| !properties.is_empty())
    };
    match (kind, container) {
        ("container", Some(container)) => required(container, CONTAINER)?,
        ("container", None) if has("ecsProperties") || has("eksProperties") => {}
        ("container", None) => {
            return Err(format!("{CONTAINER}: is missing; it is required for container jobs"));
        }
        ("multinode", _) if has("nodeProperties") => {}
        ("multinode", _) => {
            return Err("nodeProperties: is missing; it is required for multinode jobs".to_owned());
        }
        (other, _) => return Err(format!("type: must be \"container\" or \"multinode\", not {other:?}")),
    }
    let definition = check_registration(registered.clone().into()).map_err(|problems| joined(&problems))?;
    several(registered, &definition)?;
    Ok(definition)
}

/// What Batch asks of nodes, and of tasks of several containers: what could never start is refused.
fn several(registered: &Map<String, Value>, definition: &JobDefinition) -> Result<(), String> {
    let ranges = registered.get("nodeProperties").and_then(|nodes| nodes.get("nodeRangeProperties"));
    for (index, range) in ranges.and_then(Value::as_array).into_iter().flatten().enumerate() {
        let place = format!("nodeProperties.nodeRangeProperties[{index}].");
        if range.get("eksProperties").is_some_and(Value::is_object) {
            // Kept and described: its jobs are refused.
            return Ok(());
        }
        if let Some(container) = range.get("container").and_then(Value::as_object) {
            let place = format!("{place}container");
            required(container, &place)?;
            well_formed(container, &place)?;
        }
        task(range.get("ecsProperties"), &place)?;
    }
    task(registered.get("ecsProperties"), "")?;
    let name = definition_name(&definition.job_definition_name);
    let name = JobName::parse(name).map_err(|error| error.to_string())?;
    let job = JobSpec::new(name, "q", "d");
    Task::of(&job, Some(definition), &definition.parameters).map(|_| ())
}

/// Checks each container of a task.
fn task(ecs: Option<&Value>, place: &str) -> Result<(), String> {
    let containers = ecs.and_then(|ecs| ecs["taskProperties"][0]["containers"].as_array());
    for (index, container) in containers.into_iter().flatten().enumerate() {
        let Some(container) = container.as_object() else { continue };
        let place = format!("{place}ecsProperties.taskProperties[0].containers[{index}]");
        has_image(container, &place)?;
        well_formed(container, &place)?;
    }
    Ok(())
}

/// Holds a container against the rules for the only one of a definition.
fn well_formed(container: &Map<String, Value>, place: &str) -> Result<(), String> {
    let alone = json!({"jobDefinitionName": "d", "type": "container", CONTAINER: container});
    let checked = check_registration(alone).map_err(|problems| joined(&problems));
    checked.map(|_| ()).map_err(|why| why.replace(CONTAINER, place))
}

fn has_image(container: &Map<String, Value>, place: &str) -> Result<(), String> {
    if container.get("image").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(format!("{place}.image: is missing; it is required"));
    }
    Ok(())
}

/// What Batch asks of every container: an image, and how much it needs.
fn required(container: &Map<String, Value>, place: &str) -> Result<(), String> {
    has_image(container, place)?;
    let requirements = container.get("resourceRequirements").and_then(Value::as_array);
    let requires = |kind: &str| requirements.into_iter().flatten().any(|entry| entry["type"] == kind);
    for (kind, short) in [("VCPU", "vcpus"), ("MEMORY", "memory")] {
        if !requires(kind) && !container.contains_key(short) {
            return Err(format!("{place}.resourceRequirements: {kind} is missing; it is required"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: Value) -> Result<JobDefinition, String> {
        readable(body.as_object().unwrap())
    }

    #[test]
    fn what_the_engine_does_not_read_is_no_mistake() {
        let definition = read(json!({
            "jobDefinitionName": "hello", "type": "container", "platformCapabilities": ["EC2"], "newer": 1,
            "containerProperties": {
                "image": "busybox", "command": ["echo", "hi"], "vcpus": 2, "memory": 64, "newer": {},
                "jobRoleArn": "arn:aws:iam::000000000000:role/r", "volumes": []
            }
        }))
        .unwrap();
        assert_eq!(definition.command, ["echo", "hi"]);
        assert_eq!(definition.resource_requirements[0].value, "2");
        assert!(
            read(
                json!({"jobDefinitionName": "e", "type": "container", "eksProperties": {"podProperties": {}}})
            )
            .is_ok()
        );
    }

    #[test]
    fn what_aws_refuses_is_refused() {
        let with = |kind: &str, container: Value| json!({"jobDefinitionName": "hello", "type": kind, "containerProperties": container});
        for (body, expected) in [
            (with("multinode", json!({})), "nodeProperties: is missing"),
            (with("array", json!({})), "type: must be"),
            (json!({"jobDefinitionName": "hello", "type": "container"}), "containerProperties: is missing"),
            (with("container", json!({"command": ["true"]})), "image: is missing"),
            (with("container", json!({"image": "b", "memory": 4})), "VCPU is missing"),
            (with("container", json!({"image": "b", "vcpus": 1})), "MEMORY is missing"),
            (with("container", json!({"image": "b", "vcpus": 1, "memory": 3})), "from 4 to"),
            (
                with("container", json!({"image": "b", "vcpus": 1, "memory": 9, "command": "x"})),
                "must be a list",
            ),
            (with("container", json!({"image": "b", "vcpus": 1, "memory": 9, "command": [""]})), "is empty"),
            (
                with("container", json!({"image": "b", "vcpus": 1, "memory": 9, "resourceRequirements": 7})),
                "must be a list",
            ),
        ] {
            let error = read(body.clone()).unwrap_err();
            assert!(error.contains(expected), "{body}: {error}");
        }
    }

    #[test]
    fn nodes_and_tasks_that_could_never_start_are_refused() {
        let nodes = |count: u32, main: u32, range: Value| {
            json!({"jobDefinitionName": "n", "type": "multinode",
            "nodeProperties": {"numNodes": count, "mainNode": main, "nodeRangeProperties": [range]}})
        };
        let of_container =
            |target: &str, container: Value| json!({"targetNodes": target, "container": container});
        let good = json!({"image": "b", "vcpus": 1, "memory": 9});
        let tasks = |container: Value| json!({"taskProperties": [{"containers": [container]}]});
        let of_task = |container: Value| json!({"targetNodes": "0:", "ecsProperties": tasks(container)});
        let alone = |container: Value| json!({"jobDefinitionName": "t", "type": "container", "ecsProperties": tasks(container)});
        let range = "nodeProperties.nodeRangeProperties[0]";
        let container = "ecsProperties.taskProperties[0].containers[0]";
        for (body, expected) in [
            (
                json!({"jobDefinitionName": "n", "type": "multinode", "nodeProperties": {}}),
                "nodeProperties: is missing".to_owned(),
            ),
            (nodes(2, 2, of_container("0:", good.clone())), "2 nodes with the main node 2".to_owned()),
            (
                nodes(2, 0, of_container("0", good.clone())),
                "no nodeRangeProperties are for node 1".to_owned(),
            ),
            (nodes(2, 0, json!({"targetNodes": "0:"})), "has neither container nor ecsProperties".to_owned()),
            (
                nodes(1, 0, of_container("0", json!({"vcpus": 1, "memory": 9}))),
                format!("{range}.container.image: is missing"),
            ),
            (
                nodes(1, 0, of_container("0", json!({"image": "b", "memory": 9}))),
                format!("{range}.container.resourceRequirements: VCPU is missing"),
            ),
            (
                nodes(1, 0, of_container("0", json!({"image": "b", "vcpus": 1, "memory": 3}))),
                format!("{range}.container.memory: must be"),
            ),
            (nodes(1, 0, of_task(json!({"name": "a"}))), format!("{range}.{container}.image: is missing")),
            (alone(json!({"name": "a"})), format!("{container}.image: is missing")),
            (
                alone(json!({"name": "a", "image": "b", "command": [""]})),
                format!("{container}.command[0]: is empty"),
            ),
            (alone(json!({"name": "a", "image": "b", "essential": false})), "none is essential".to_owned()),
        ] {
            let error = read(body.clone()).unwrap_err();
            assert!(error.contains(&expected), "{body}: {error}");
        }
        for body in [
            nodes(3, 2, of_container("0:", good)),
            nodes(2, 0, of_task(json!({"name": "a", "image": "b"}))),
            nodes(2, 0, json!({"targetNodes": "0:", "eksProperties": {"podProperties": {}}})),
            alone(json!({"name": "a", "image": "b"})),
        ] {
            read(body.clone()).unwrap_or_else(|error| panic!("{body}: {error}"));
        }
    }
}
