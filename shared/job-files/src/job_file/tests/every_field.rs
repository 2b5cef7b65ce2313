//! No field is lost between a job file and a spec. The top level is the compiler's to keep ([`JobField`]); here every
//! field of the schema, at every depth, is given once and must come back out of the spec.
//!
//! [`JobField`]: crate::domain::spec::JobField

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::job_file::check_job;
use crate::job_file::job_schema::JOB;
use crate::job_file::schema::{Kind, Object};

/// Jobs that give every field between them: Batch takes one platform's overrides a job.
fn jobs() -> Vec<Value> {
    let resources = json!([{"type": "GPU", "value": "1"}]);
    let variables = json!([{"name": "N", "value": "v"}]);
    let containers = json!({
        "vcpus": 1, "memory": 4, "command": ["a"], "instanceType": "m5.large", "environment": variables,
        "resourceRequirements": resources
    });
    let ecs = json!({"taskProperties": [{"containers": [
        {"command": ["a"], "environment": variables, "name": "c", "resourceRequirements": resources}
    ]}]});
    let pod = json!([{
        "name": "c", "image": "i", "command": ["a"], "args": ["b"], "env": variables,
        "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}
    }]);
    let init = json!([{
        "name": "i", "image": "i", "command": ["a"], "args": ["b"], "env": variables,
        "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}
    }]);
    let eks = json!({"podProperties": {
        "containers": pod, "initContainers": init,
        "metadata": {"labels": {"l": "v"}, "annotations": {"a": "v"}, "namespace": "n"}
    }});
    let consumables = json!({"consumableResourceList": [{"consumableResource": "licence", "quantity": 1}]});
    let required = json!({"jobName": "a", "jobQueue": "q", "jobDefinition": "d", "maxTries": 3});
    let with = |members: Value| {
        let (Value::Object(mut job), Value::Object(members)) = (required.clone(), members) else {
            panic!("no objects")
        };
        job.extend(members);
        Value::Object(job)
    };
    let range = |member: &str, value: &Value| json!({"targetNodes": "0:", member: value});
    let of_nodes = |member: &str, value: &Value| {
        with(json!({"nodeOverrides": {"numNodes": 2, "nodePropertyOverrides": [range(member, value)]}}))
    };
    vec![
        with(json!({
            "shareIdentifier": "s", "schedulingPriorityOverride": 1, "arrayProperties": {"size": 2},
            "dependsOn": [{"jobId": "x", "type": "N_TO_N"}, {"jobName": "b"}], "parameters": {"p": "v"},
            "containerOverrides": containers,
            "retryStrategy": {"attempts": 2, "evaluateOnExit": [
                {"onStatusReason": "a*", "onReason": "b*", "onExitCode": "1*", "action": "RETRY"}
            ]},
            "propagateTags": true, "timeout": {"attemptDurationSeconds": 60}, "tags": {"t": "v"},
            "consumableResourcePropertiesOverride": consumables,
            "fallbackQueue": {"jobQueue": "r", "afterLosses": 2}, "retryOn": [{"cause": "TIMEOUT", "maxTries": 2}],
            "resubmitChildren": true, "sealed": true
        })),
        with(json!({"ecsPropertiesOverride": ecs})),
        with(json!({"eksPropertiesOverride": eks})),
        of_nodes("containerOverrides", &containers),
        of_nodes("ecsPropertiesOverride", &ecs),
        of_nodes("eksPropertiesOverride", &eks),
        of_nodes("instanceTypes", &json!(["m5.large"])),
        of_nodes("consumableResourcePropertiesOverride", &consumables),
    ]
}

/// The path of each field below an object.
fn of_schema(object: &Object, above: &str, paths: &mut BTreeSet<String>) {
    for field in object.fields {
        let path = format!("{above}.{}", field.name);
        let mut kind = &field.kind;
        while let Kind::List(item, ..) = kind {
            kind = item;
        }
        if let Kind::Object(object) | Kind::TextOrObject(_, object) = kind {
            of_schema(object, &path, paths);
        }
        paths.insert(path);
    }
}

/// The path of each field that a job gives.
fn of_job(value: &Value, above: &str, paths: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let path = format!("{above}.{key}");
                of_job(value, &path, paths);
                paths.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| of_job(item, above, paths)),
        _ => {}
    }
}

#[test]
fn every_field_at_every_depth_comes_back_out_of_the_spec() {
    let mut given = BTreeSet::new();
    for job in jobs() {
        let spec = check_job(job.clone()).unwrap_or_else(|problems| panic!("{problems:?}: {job}"));
        assert_eq!(serde_json::to_value(spec).unwrap(), job);
        of_job(&job, "", &mut given);
    }
    // It is written out into the overrides.
    given.insert(".command".to_owned());
    let mut known = BTreeSet::new();
    of_schema(&JOB, "", &mut known);
    let untried: Vec<&String> = known.difference(&given).collect();
    assert!(untried.is_empty(), "no job of this test gives {untried:?}");
}
