//! Which node of a multi-node job runs what.
//!
//! Source: <https://docs.aws.amazon.com/batch/latest/APIReference/API_NodeProperties.html>

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::container::{Change, container};
use super::{Task, TaskContainer, ecs};
use crate::domain::JobSpec;
use crate::engine::core::image::without_nulls;

/// Nodes of one job, as in AWS Batch.
const NODES_MAX: u32 = 1_000;

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
    ecs_properties: Option<Map<String, Value>>,
}

/// The containers of all nodes of a multi-node job.
pub(super) fn task(
    spec: &JobSpec,
    nodes: &Map<String, Value>,
    parameters: &BTreeMap<String, String>,
    is_fargate: bool,
) -> Result<Task, String> {
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
    let mut containers = Vec::new();
    for index in 0..count {
        let failed = |why: String| format!("nodeProperties: node {index}: {why}");
        let range =
            narrowest(&nodes.node_range_properties, |range| range.target_nodes.as_str(), index, count);
        let range =
            range.ok_or_else(|| format!("nodeProperties: no nodeRangeProperties are for node {index}"))?;
        let own =
            narrowest(&overrides.node_property_overrides, |one| one.target_nodes.as_str(), index, count);
        let of_node = match (&range.ecs_properties, &range.container) {
            (Some(task), _) => {
                let changes = own.and_then(|own| own.ecs_properties_override.as_ref());
                ecs::containers(task, changes, parameters, is_fargate).map_err(failed)?
            }
            (None, Some(members)) => {
                let change = own.and_then(|own| own.container_overrides.as_ref());
                let change = change.map(Change::from).unwrap_or_default();
                vec![container(members, change, parameters, is_fargate).map_err(failed)?]
            }
            (None, None) => {
                let why =
                    "it has neither container nor ecsProperties; others don't run on the embedded engine";
                return Err(failed(why.to_owned()));
            }
        };
        containers.extend(of_node.into_iter().map(|one| TaskContainer { node: index, ..one }));
    }
    Ok(Task { containers, main_node: Some(nodes.main_node) })
}

/// What a definition's `nodeProperties` say of one node: the range that is for it.
pub(crate) fn said_of_node(nodes: &Value, index: u32) -> Option<&Value> {
    let count = nodes["numNodes"].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or_default();
    // `nodeOverrides` may ask for more nodes than the definition does.
    let count = count.max(index.saturating_add(1));
    let ranges = nodes["nodeRangeProperties"].as_array()?;
    narrowest(ranges, |range| range["targetNodes"].as_str().unwrap_or_default(), index, count)
}

/// Of several ranges that hold a node, the one with the fewest nodes: a range within another has the say.
fn narrowest<T>(ranges: &[T], target: impl Fn(&T) -> &str, node: u32, count: u32) -> Option<&T> {
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
