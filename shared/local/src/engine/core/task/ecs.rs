//! The containers of an ECS task, and the order in which they start.
//!
//! Source: <https://docs.aws.amazon.com/batch/latest/APIReference/API_EcsTaskProperties.html>

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::TaskContainer;
use super::container::{Change, container};
use crate::domain::spec::EcsPropertiesOverride;
use crate::engine::core::StartsAfter;
use crate::engine::core::image::without_nulls;

/// Containers of one task, as in AWS Batch.
const CONTAINERS_MAX: usize = 10;

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

/// The containers of the one task that `ecsProperties` has.
pub(super) fn containers(
    ecs: &Map<String, Value>,
    changes: Option<&EcsPropertiesOverride>,
    parameters: &BTreeMap<String, String>,
    is_fargate: bool,
) -> Result<Vec<TaskContainer>, String> {
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
    let overrides = changes.into_iter().flat_map(|all| all.task_properties.iter().take(1));
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
        let made = container(&members, change.unwrap_or_default(), parameters, is_fargate).map_err(failed)?;
        containers.push(TaskContainer {
            name,
            essential: place.essential,
            depends_on: place.depends_on,
            in_ecs_task: true,
            ..made
        });
    }
    check_order(&containers).map_err(|why| format!("{WHERE}.containers: {why}"))?;
    Ok(containers)
}

/// Every dependency is on a container of the task, without circles, and at least one container is essential.
fn check_order(containers: &[TaskContainer]) -> Result<(), String> {
    if !containers.iter().any(|container| container.essential) {
        return Err("none is essential; at least one must be".to_owned());
    }
    // Containers that wait for none but those that can start can start themselves.
    let mut startable: Vec<&str> = Vec::new();
    loop {
        let known = startable.len();
        for container in
            containers.iter().filter(|one| !startable.contains(&one.name.as_str())).collect::<Vec<_>>()
        {
            let mut needed = container.depends_on.iter().map(|after| after.container_name.as_str());
            if needed.all(|name| startable.contains(&name)) {
                startable.push(&container.name);
            }
        }
        if startable.len() == containers.len() {
            return Ok(());
        }
        if startable.len() == known {
            let stuck = containers.iter().find(|one| !startable.contains(&one.name.as_str()));
            let name = stuck.map(|container| container.name.as_str()).unwrap_or_default();
            return Err(format!("{name} waits for itself or for what is not there"));
        }
    }
}
