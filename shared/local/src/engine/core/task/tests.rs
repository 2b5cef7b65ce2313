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
    assert!(resized.containers.iter().map(|node| resized.decides(node)).eq([true, false, false, false]));
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
fn a_node_may_be_a_task() {
    let side = json!({"name": "side", "image": "i", "essential": false,
        "dependsOn": [{"containerName": "main", "condition": "START"}]});
    let properties = json!({"numNodes": 3, "mainNode": 1, "nodeRangeProperties": [
        {"targetNodes": "0", "container": plain("n")},
        {"targetNodes": "1:", "ecsProperties": {"taskProperties": [{"containers": [plain("main"), side]}]}}]});
    let mut task = task(json!({"nodeProperties": properties}), |spec| {
        let containers = json!([{"name": "side", "command": ["own"]}]);
        let overrides = json!({"nodePropertyOverrides": [
            {"targetNodes": "2:", "ecsPropertiesOverride": {"taskProperties": [{"containers": containers}]}}]});
        spec.node_overrides = Some(serde_json::from_value(overrides).unwrap());
    })
    .unwrap();
    let places: Vec<_> = task.containers.iter().map(|one| (one.node, one.name.as_str())).collect();
    assert_eq!(places, [(0, "default"), (1, "main"), (1, "side"), (2, "main"), (2, "side")]);
    assert!(task.containers.iter().map(|one| task.decides(one)).eq([false, true, false, false, false]));
    assert_eq!(
        (task.num_nodes(), task.containers[4].container.command.as_slice()),
        (3, ["own".to_owned()].as_slice())
    );
    let job_id = JobId::parse("a").unwrap();
    task.begin("d", &job_id, 1);
    let streams: std::collections::BTreeSet<_> =
        task.containers.iter().map(|one| one.container.log_stream_name.clone().unwrap()).collect();
    assert_eq!(streams.len(), 5, "{streams:?}");
    let ends =
        [0, 5, 143, 7, 0].map(|code| ContainerEnd { exit_code: Some(code), ..ContainerEnd::default() });
    assert_eq!(
        task.conclude(ends.to_vec()).exit_code,
        Some(5),
        "the main node's essential container decides"
    );
    let nodes = task.described_nodes();
    let codes = |node: usize| -> Vec<Option<i32>> {
        nodes[node].ended_task.iter().flat_map(|task| &task.containers).map(|one| one.exit_code).collect()
    };
    assert_eq!((codes(1), codes(2)), (vec![Some(5), Some(143)], vec![Some(7), Some(0)]));
    assert_eq!(nodes[0].container.as_ref().unwrap().exit_code, Some(0));
    assert!(
        nodes[0].ecs_properties.is_none() && nodes[0].ended_task.is_empty() && nodes[1].container.is_none()
    );
    assert!(task.ecs_properties().is_none() && task.ended_containers().is_empty());
}

#[test]
fn a_node_that_could_never_start_is_refused() {
    for (range, expected) in [
        (json!({"targetNodes": "0:"}), "node 0: it has neither container nor ecsProperties"),
        (
            json!({"targetNodes": "0:", "eksProperties": {}}),
            "node 0: it has neither container nor ecsProperties",
        ),
        (
            json!({"targetNodes": "0:", "ecsProperties": {"taskProperties": []}}),
            "node 0: ecsProperties.taskProperties: needs",
        ),
        (
            json!({"targetNodes": "0:", "ecsProperties": {"taskProperties": [{"containers": []}]}}),
            "has 0 entries",
        ),
    ] {
        let properties = json!({"numNodes": 2, "mainNode": 0, "nodeRangeProperties": [range]});
        let error = task(json!({"nodeProperties": properties}), |_| ()).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_essential_container_that_failed_by_itself_decides() {
    let task =
        task(ecs(json!([plain("a"), plain("b"), {"name": "c", "image": "i", "essential": false}])), |_| ());
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
