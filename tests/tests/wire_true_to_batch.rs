//! What runs on the endpoint runs the same on AWS Batch: the same is refused, taken, told and left alone.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use batchwright::wire::{Access, ServeOptions};
use batchwright_tests::wire::{Endpoint, options};
use serde_json::{Value, json};

fn job(more: Value) -> Value {
    let mut body = json!({
        "jobName": "a", "jobQueue": "q", "jobDefinition": "d", "containerOverrides": {"command": ["true"]}
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn submitted(endpoint: &Endpoint, more: Value) -> anyhow::Result<String> {
    let answer = endpoint.ok("submitjob", job(more)).await?;
    Ok(answer["jobId"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn members_that_are_null_unknown_or_ours_are_left_alone() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    for more in [
        json!({"timeout": null, "containerOverrides": {"command": ["true"], "environment": null}}),
        json!({"memberOfANewerSdk": 1, "containerOverrides": {"command": ["true"], "newer": {}}}),
        json!({"arrayProperties": {}, "parameters": {}, "tags": {}, "dependsOn": [], "nodeOverrides": null}),
        json!({"maxTries": 0, "retryOn": "TIMEOUT", "fallbackQueue": {}, "resubmitChildren": true, "foo": 1}),
        json!({"command": ["false"]}),
    ] {
        let id = submitted(&endpoint, more.clone()).await?;
        assert_eq!(endpoint.ended(&id).await?["status"], "SUCCEEDED", "{more}");
    }
    let definition = json!({
        "jobDefinitionName": "n", "type": "container", "newer": 1, "parameters": null,
        "containerProperties": {
            "image": "b", "vcpus": 1, "memory": 9, "command": ["true"], "resourceRequirements": null, "newer": []
        }
    });
    assert_eq!(endpoint.ok("registerjobdefinition", definition).await?["revision"], 1);
    let described =
        endpoint.ok("describejobdefinitions", json!({"jobDefinitions": null, "status": null})).await?;
    assert_eq!(described["jobDefinitions"][0]["newer"], 1, "what is not read is kept");
    Ok(())
}

#[tokio::test]
async fn what_aws_refuses_is_refused() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    const QUEUE: &str = "arn:aws:batch:us-east-1:123456789012:job-queue/q";
    const DEFINITION: &str = "arn:aws:batch:us-east-1:123456789012:job-definition/d:1";
    let require = |kind: &str, value: &str| json!({"containerOverrides": {"command": ["true"], "resourceRequirements": [{"type": kind, "value": value}]}});
    for more in [
        json!({"jobQueue": DEFINITION}),
        json!({"jobDefinition": QUEUE}),
        json!({"jobQueue": "my queue!"}),
        json!({"jobDefinition": "my def"}),
        json!({"jobDefinition": "d:latest"}),
        json!({"containerOverrides": {"command": ["echo", ""]}}),
        require("VCPU", "0.3"),
        require("VCPU", "1.0"),
        require("MEMORY", "3"),
        require("GPU", "0.5"),
        json!({"dependsOn": [{"jobName": "a"}]}),
    ] {
        endpoint.refused("submitjob", job(more)).await?;
    }
    let container = json!({"image": "b", "vcpus": 1, "memory": 9, "command": ["true"]});
    for missing in ["image", "vcpus", "memory"] {
        let mut container = container.clone();
        container.as_object_mut().unwrap().remove(missing);
        let body = json!({"jobDefinitionName": "n", "type": "container", "containerProperties": container});
        endpoint.refused("registerjobdefinition", body).await?;
    }
    for (operation, body) in [
        ("createjobqueue", json!({"jobQueueName": "a b!", "priority": 1})),
        ("createjobqueue", json!({"jobQueueName": "x"})),
        (
            "createjobqueue",
            json!({"jobQueueName": "x", "priority": 1, "computeEnvironmentOrder": [
                {"order": 1, "computeEnvironment": "arn:aws:batch:x:y:compute-environment/none"}
            ]}),
        ),
        ("describejobqueues", json!({"maxResults": 101})),
        ("createcomputeenvironment", json!({"computeEnvironmentName": "c", "type": "MANAGED"})),
        ("createschedulingpolicy", json!({"name": "a b"})),
        ("getjobqueuesnapshot", json!({})),
        ("canceljob", json!({"jobId": "x"})),
    ] {
        endpoint.refused(operation, body).await?;
    }
    Ok(())
}

#[tokio::test]
async fn jobs_that_are_gone_are_stopped_without_an_error() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let gone = json!({"jobId": "00000000-0000-4000-8000-000000000000", "reason": "x"});
    for operation in ["terminatejob", "canceljob"] {
        assert_eq!(endpoint.ok(operation, gone.clone()).await?, json!({}));
    }
    Ok(())
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let long = json!({"jobs": ["x".repeat(2_000_000)]});
    let answers = [
        endpoint.batch("describejobs", json!({"jobs": []})).await?,
        endpoint.batch("listjobs", json!({})).await?,
        endpoint.batch("makecoffee", json!({})).await?,
        endpoint.batch("describejobs", long).await?,
        endpoint.logs("DescribeLogGroups", json!({})).await?,
        endpoint.logs("PutLogEvents", json!({})).await?,
        endpoint.request("GET", "/elsewhere", &[], "").await?,
        endpoint.request("POST", "/v1/describejobs", &[("Origin", "https://example.com")], "{}").await?,
    ];
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 400, 404, 413, 200, 404, 404, 403]);
    assert!(answers.iter().filter(|answer| answer.status >= 400).all(|answer| answer.kind.is_some()));
    let mut ids: Vec<&str> = answers.iter().map(|answer| answer.request_id.as_deref().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), answers.len());
    Ok(())
}

#[tokio::test]
async fn a_described_job_shows_everything_that_its_definition_says() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let definition = json!({
        "jobDefinitionName": "full", "type": "container", "platformCapabilities": ["FARGATE"],
        "schedulingPriority": 3, "propagateTags": true,
        "containerProperties": {
            "image": "b", "command": ["true"], "vcpus": 1, "memory": 128,
            "jobRoleArn": "arn:aws:iam::000000000000:role/r",
            "volumes": [{"name": "v", "host": {"sourcePath": "/tmp"}}],
            "mountPoints": [{"containerPath": "/data", "sourceVolume": "v"}],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/my/group"}}
        }
    });
    endpoint.ok("registerjobdefinition", definition).await?;
    let answer =
        endpoint.ok("submitjob", json!({"jobName": "f", "jobQueue": "q", "jobDefinition": "full"})).await?;
    let job = endpoint.ended(answer["jobId"].as_str().unwrap()).await?;
    let container = &job["container"];
    assert_eq!((&container["vcpus"], &container["memory"]), (&json!(1), &json!(128)));
    assert_eq!(container["jobRoleArn"], "arn:aws:iam::000000000000:role/r");
    assert_eq!(container["mountPoints"][0]["containerPath"], "/data");
    assert_eq!(container["volumes"][0]["host"]["sourcePath"], "/tmp");
    assert_eq!(container["logConfiguration"]["options"]["awslogs-group"], "/my/group");
    assert_eq!((&container["ulimits"], &container["secrets"]), (&json!([]), &json!([])));
    assert_eq!(job["platformCapabilities"], json!(["FARGATE"]));
    assert_eq!((&job["schedulingPriority"], &job["propagateTags"]), (&json!(3), &json!(true)));
    assert_eq!((&job["isCancelled"], &job["isTerminated"]), (&json!(false), &json!(false)));
    Ok(())
}

#[tokio::test]
async fn an_array_counts_every_status_from_the_start() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let id = submitted(&endpoint, json!({"arrayProperties": {"size": 2}})).await?;
    let summary = &endpoint.described(&id).await?["arrayProperties"]["statusSummary"];
    for status in ["SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED"] {
        assert!(summary[status].is_i64(), "{status}: {summary}");
    }
    endpoint.ended(&id).await?;
    Ok(())
}

#[tokio::test]
async fn a_job_that_the_machine_can_not_hold_stays_runnable_with_the_reason() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let mut stuck = Vec::new();
    for (kind, value) in [("VCPU", "64"), ("GPU", "800"), ("MEMORY", "2000000000")] {
        let requirements = json!([{"type": kind, "value": value}]);
        let overrides = json!({"command": ["true"], "resourceRequirements": requirements});
        let id = submitted(&endpoint, json!({"containerOverrides": overrides})).await?;
        let job = endpoint.described(&id).await?;
        assert_eq!(job["status"], "RUNNABLE");
        let reason = job["statusReason"].as_str().unwrap();
        assert!(reason.starts_with("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - "), "{reason}");
        stuck.push(id);
    }
    let small = submitted(&endpoint, json!({})).await?;
    assert_eq!(endpoint.ended(&small).await?["status"], "SUCCEEDED", "others pass");
    let snapshot = endpoint.ok("getjobqueuesnapshot", json!({"jobQueue": "q"})).await?;
    let front: Vec<&str> = snapshot["frontOfQueue"]["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["jobArn"].as_str().unwrap())
        .collect();
    assert_eq!(front.len(), 3);
    assert!(front.iter().zip(&stuck).all(|(arn, id)| arn.ends_with(id.as_str())), "oldest first: {front:?}");
    endpoint.ok("canceljob", json!({"jobId": stuck[0], "reason": "too large"})).await?;
    assert_eq!(endpoint.described(&stuck[0]).await?["status"], "FAILED");
    Ok(())
}

#[tokio::test]
async fn overrides_that_are_too_long_fail_at_the_dispatch() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let command = json!(["printf", "%s", "Ref::granules"]);
    let container = json!({"image": "b", "vcpus": 1, "memory": 9, "command": command});
    let definition =
        json!({"jobDefinitionName": "dist", "type": "container", "containerProperties": container});
    endpoint.ok("registerjobdefinition", definition).await?;
    let with = |length: usize| json!({"jobName": "hy", "jobQueue": "q", "jobDefinition": "dist", "parameters": {"granules": "g".repeat(length)}});
    for (length, status) in [(7_000, "SUCCEEDED"), (8_192, "FAILED")] {
        let id = endpoint.ok("submitjob", with(length)).await?["jobId"].as_str().unwrap().to_owned();
        let job = endpoint.ended(&id).await?;
        assert_eq!(job["status"], status, "{length}");
        let is_told = job["statusReason"] == "Container Overrides length must be at most 8192";
        assert_eq!(is_told, status == "FAILED", "{}", job["statusReason"]);
    }
    Ok(())
}

#[tokio::test]
async fn events_of_many_streams_are_mixed_by_time() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let script = "for i in 1 2 3 4 5; do echo $AWS_BATCH_JOB_ARRAY_INDEX $i; sleep 0.05; done";
    let more =
        json!({"arrayProperties": {"size": 3}, "containerOverrides": {"command": ["sh", "-c", script]}});
    let id = submitted(&endpoint, more).await?;
    endpoint.ended(&id).await?;
    let (mut events, mut token) = (Vec::new(), Value::Null);
    loop {
        let request = json!({"logGroupName": "/aws/batch/job", "limit": 4, "nextToken": token});
        let page = endpoint.logs("FilterLogEvents", request).await?.body;
        events.extend(page["events"].as_array().unwrap().clone());
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(events.len(), 15);
    assert!(events.is_sorted_by_key(|event| event["timestamp"].as_i64()), "{events:?}");
    Ok(())
}

#[tokio::test]
async fn another_interface_asks_for_a_token_or_a_name() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let with = |access: Access| ServeOptions { access, ..options(folder.path()) };
    let named = Access { hosts: vec!["batch.internal".into()], token: None };
    let endpoint = Endpoint::start(with(named)).await?;
    let asked =
        endpoint.request("POST", "/v1/describejobs", &[("Host", "batch.internal:80")], "{\"jobs\": []}");
    assert_eq!(asked.await?.status, 200);
    endpoint.stop().await?;
    let endpoint = Endpoint::start(with(Access { hosts: Vec::new(), token: Some("secret".into()) })).await?;
    for (key, status) in [("secret", 200), ("other", 403)] {
        let signature =
            format!("AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/batch/aws4_request, Signature=x");
        let headers = [("Host", "any.name"), ("Authorization", signature.as_str())];
        let answer = endpoint.request("POST", "/v1/describejobs", &headers, "{\"jobs\": []}").await?;
        assert_eq!(answer.status, status, "{key}");
    }
    endpoint.stop().await?;
    let open = ServeOptions { host: std::net::Ipv4Addr::UNSPECIFIED.into(), ..options(folder.path()) };
    let refused = Endpoint::start(open).await.unwrap_err().to_string();
    assert!(refused.contains("--allow-host"), "{refused}");
    Ok(())
}
