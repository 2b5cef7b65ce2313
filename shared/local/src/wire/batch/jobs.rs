//! `DescribeJobs`: what the engine knows of a job, and everything else that its definition says.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Batch;
use crate::domain::JobId;
use crate::engine::arn::{ACCOUNT, COMPUTE_ENVIRONMENT, REGION};
use crate::engine::said_of_node;
use crate::events::JobDetail;
use crate::ports::JobEngine;
use crate::wire::fault::{Fault, members};
use crate::wire::resources::Resources;

#[derive(Deserialize)]
struct DescribeJobs {
    jobs: Vec<String>,
}

impl Batch {
    pub(super) async fn describe_jobs(&self, body: Value) -> Result<Value, Fault> {
        let request: DescribeJobs = members(body).map_err(Fault::client)?;
        // What can't be an id is not known: absent from the answer, like any other.
        let ids: Vec<JobId> = request.jobs.iter().filter_map(|text| JobId::parse(text).ok()).collect();
        let details = self.engine.describe_jobs(&ids).await?;
        let held = self.shelf.lock().await;
        let jobs: Result<Vec<Value>, Fault> = details.iter().map(|detail| described(detail, &held)).collect();
        Ok(json!({"jobs": jobs?}))
    }
}

/// Members of a job that come from its definition where the job does not say.
const OF_DEFINITION: [&str; 4] =
    ["schedulingPriority", "propagateTags", "platformCapabilities", "consumableResourceProperties"];

/// Lists that AWS always tells of a container.
const LISTS: [&str; 7] = [
    "volumes",
    "environment",
    "mountPoints",
    "ulimits",
    "networkInterfaces",
    "resourceRequirements",
    "secrets",
];

fn described(detail: &JobDetail, resources: &Resources) -> Result<Value, Fault> {
    let Value::Object(mut job) = serde_json::to_value(detail).map_err(Fault::server)? else {
        return Err(Fault::server("a job's description is no object"));
    };
    let registered = resources.revision(&detail.job_definition).map(|revision| &revision.registered);
    for member in OF_DEFINITION {
        let is_said = job.get(member).is_some_and(|value| !value.as_array().is_some_and(Vec::is_empty));
        if let Some(value) = registered.and_then(|registered| registered.get(member))
            && !is_said
        {
            job.insert(member.to_owned(), value.clone());
        }
    }
    for flag in ["isCancelled", "isTerminated"] {
        job.entry(flag).or_insert_with(|| false.into());
    }
    job.entry("retryStrategy").or_insert_with(|| json!({"attempts": 1, "evaluateOnExit": []}));
    if let Some(tags) = resources.job_tags.get(detail.job_id.as_str()) {
        job.insert("tags".to_owned(), tags.clone().into());
    }
    let of_definition = |member: &str| registered.and_then(|registered| registered.get(member));
    let of_node =
        node_index(&detail.job_id).and_then(|index| said_of_node(of_definition("nodeProperties")?, index));
    if let Some(Value::Object(container)) = job.get_mut("container") {
        let said = match of_node {
            Some(range) => range.get("container"),
            None => of_definition("containerProperties"),
        };
        complete(container, said.and_then(Value::as_object));
    }
    if let (Some(Value::Object(nodes)), Some(Value::Object(said))) =
        (job.get_mut("nodeProperties"), of_definition("nodeProperties"))
    {
        for (member, value) in said {
            nodes.entry(member.as_str()).or_insert_with(|| value.clone());
        }
    }
    let said = match of_node {
        Some(range) => range.get("ecsProperties"),
        None => of_definition("ecsProperties"),
    };
    if let (Some(ecs), Some(said)) = (job.get_mut("ecsProperties"), said) {
        complete_task(ecs, &said["taskProperties"][0]["containers"]);
    }
    Ok(job.into())
}

/// Which node of its parent a job is.
fn node_index(job_id: &JobId) -> Option<u32> {
    job_id.as_str().rsplit_once('#').and_then(|(_, index)| index.parse().ok())
}

/// Adds what the definition says of each container of a task.
fn complete_task(ecs: &mut Value, said: &Value) {
    let containers = ecs["taskProperties"][0]["containers"].as_array_mut();
    for (container, said) in containers.into_iter().flatten().zip(said.as_array().into_iter().flatten()) {
        if let (Value::Object(container), Value::Object(said)) = (container, said) {
            for (member, value) in said {
                container.entry(member.as_str()).or_insert_with(|| value.clone());
            }
        }
    }
}

/// Adds what the definition says of the container, and what AWS always tells.
fn complete(container: &mut Map<String, Value>, properties: Option<&Map<String, Value>>) {
    for (member, value) in properties.into_iter().flatten() {
        container.entry(member.as_str()).or_insert_with(|| value.clone());
    }
    for list in LISTS {
        container.entry(list).or_insert_with(|| json!([]));
    }
    let stream = container.get("logStreamName").and_then(Value::as_str);
    if let Some(task) = stream.and_then(|stream| stream.rsplit('/').next()).map(str::to_owned) {
        let arn = |kind: &str, id: &str| {
            format!("arn:aws:ecs:{REGION}:{ACCOUNT}:{kind}/{COMPUTE_ENVIRONMENT}_Batch/{id}")
        };
        container.insert("taskArn".to_owned(), arn("task", &task).into());
        container
            .insert("containerInstanceArn".to_owned(), arn("container-instance", COMPUTE_ENVIRONMENT).into());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::JobDefinition;
    use crate::wire::resources::Revision;

    #[test]
    fn a_description_has_all_that_the_definition_says() {
        let registered = json!({
            "platformCapabilities": ["FARGATE"], "schedulingPriority": 3, "propagateTags": true,
            "containerProperties": {
                "image": "b", "command": ["true"], "vcpus": 1, "memory": 128, "jobRoleArn": "r",
                "volumes": [{"name": "v"}], "logConfiguration": {"logDriver": "awslogs"}
            }
        });
        let definition = JobDefinition { job_definition_name: "full:1".into(), ..Default::default() };
        let revision = Revision {
            revision: 1,
            active: true,
            definition,
            registered: registered.as_object().unwrap().clone(),
        };
        let resources = Resources {
            definitions: BTreeMap::from([("full".to_owned(), vec![revision])]),
            job_tags: BTreeMap::from([("x".to_owned(), Map::from_iter([("k".to_owned(), json!("v"))]))]),
            ..Default::default()
        };
        let detail: JobDetail = serde_json::from_value(json!({
            "jobName": "f", "jobId": "x", "status": "RUNNING",
            "jobDefinition": "arn:aws:batch:local:000000000000:job-definition/full:1",
            "container": {"command": ["other"], "logStreamName": "full/default/7"}
        }))
        .unwrap();
        let job = described(&detail, &resources).unwrap();
        assert_eq!(job["platformCapabilities"], json!(["FARGATE"]));
        assert_eq!((&job["schedulingPriority"], &job["propagateTags"]), (&json!(3), &json!(true)));
        let container = &job["container"];
        assert_eq!((&container["command"], &container["memory"]), (&json!(["other"]), &json!(128)));
        assert_eq!((&container["jobRoleArn"], &container["volumes"][0]["name"]), (&json!("r"), &json!("v")));
        assert_eq!((&container["ulimits"], &container["secrets"]), (&json!([]), &json!([])));
        assert_eq!(container["taskArn"], "arn:aws:ecs:local:000000000000:task/local_Batch/7");
        assert_eq!((&job["isCancelled"], &job["tags"]), (&json!(false), &json!({"k": "v"})));
    }

    #[test]
    fn containers_of_a_task_have_all_that_the_definition_says_of_them() {
        let registered = json!({"ecsProperties": {"taskProperties": [{"containers": [
            {"name": "a", "image": "i", "command": ["x"]}, {"name": "b", "image": "j", "essential": false}]}]}});
        let definition = JobDefinition { job_definition_name: "t:1".into(), ..Default::default() };
        let registered = registered.as_object().unwrap().clone();
        let revision = Revision { revision: 1, active: true, definition, registered };
        let definitions = BTreeMap::from([("t".to_owned(), vec![revision])]);
        let detail: JobDetail = serde_json::from_value(json!({
            "jobName": "f", "jobId": "x", "status": "RUNNING",
            "jobDefinition": "arn:aws:batch:local:000000000000:job-definition/t:1",
            "ecsProperties": {"taskProperties": [{"containers": [{"name": "a", "exitCode": 3}, {"name": "b"}]}]}
        }))
        .unwrap();
        let job = described(&detail, &Resources { definitions, ..Default::default() }).unwrap();
        let containers = &job["ecsProperties"]["taskProperties"][0]["containers"];
        assert_eq!(containers[0], json!({"name": "a", "exitCode": 3, "image": "i", "command": ["x"]}));
        assert_eq!(containers[1], json!({"name": "b", "image": "j", "essential": false}));
    }

    #[test]
    fn a_node_has_all_that_its_range_says() {
        let task = json!({"taskProperties": [{"containers": [{"name": "a", "image": "i"}]}]});
        let registered = json!({"nodeProperties": {"numNodes": 3, "mainNode": 0, "nodeRangeProperties": [
            {"targetNodes": "0:", "container": {"image": "all", "volumes": [{"name": "v"}]}},
            {"targetNodes": "1", "container": {"image": "one", "memory": 64}},
            {"targetNodes": "2:3", "ecsProperties": task},
        ]}});
        let definition = JobDefinition { job_definition_name: "n:1".into(), ..Default::default() };
        let registered = registered.as_object().unwrap().clone();
        let revision = Revision { revision: 1, active: true, definition, registered };
        let resources = Resources {
            definitions: BTreeMap::from([("n".to_owned(), vec![revision])]),
            ..Default::default()
        };
        let node = |index: u32, runs: Value| {
            let mut detail = json!({"jobName": "f", "jobId": format!("x#{index}"), "status": "RUNNING",
                "jobDefinition": "arn:aws:batch:local:000000000000:job-definition/n:1"});
            detail.as_object_mut().unwrap().extend(runs.as_object().unwrap().clone());
            described(&serde_json::from_value(detail).unwrap(), &resources).unwrap()
        };
        let first = node(0, json!({"container": {"exitCode": 0}}));
        assert_eq!(
            (&first["container"]["image"], &first["container"]["volumes"][0]["name"]),
            (&json!("all"), &json!("v"))
        );
        let second = node(1, json!({"container": {}}));
        assert_eq!(
            (&second["container"]["image"], &second["container"]["memory"]),
            (&json!("one"), &json!(64))
        );
        let third = node(2, json!({"ecsProperties": {"taskProperties": [{"containers": [{"name": "a"}]}]}}));
        assert_eq!(third["ecsProperties"]["taskProperties"][0]["containers"][0]["image"], "i");
    }

    #[test]
    fn the_job_itself_comes_before_its_definition() {
        let detail: JobDetail = serde_json::from_value(json!({
            "jobName": "f", "jobId": "x", "status": "RUNNING", "schedulingPriority": 9, "isTerminated": true,
            "retryStrategy": {"attempts": 2}
        }))
        .unwrap();
        let job = described(&detail, &Resources::default()).unwrap();
        assert_eq!((&job["schedulingPriority"], &job["isTerminated"]), (&json!(9), &json!(true)));
        assert_eq!(job["retryStrategy"]["attempts"], 2);
    }
}
