//! What the endpoint answers, byte by byte as clients see it.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use batchwright::domain::JobDefinition;
use batchwright::wire::{EventTarget, ServeOptions};
use batchwright_tests::wire::{Endpoint, options};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_job_is_submitted_described_and_its_log_read() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let id = endpoint.submit("hello", &["sh", "-c", "seq 1 5"]).await?;
    let job = endpoint.ended(&id).await?;
    assert_eq!((&job["status"], &job["container"]["exitCode"]), (&json!("SUCCEEDED"), &json!(0)));
    for list in ["attempts", "dependsOn"] {
        assert!(job[list].is_array(), "{list}: {job}");
    }
    for number in ["createdAt", "startedAt", "stoppedAt"] {
        assert!(job[number].is_i64(), "{number}: {job}");
    }
    let stream = job["container"]["logStreamName"].clone();
    let get = |more: Value| {
        let mut body = json!({"logGroupName": "/aws/batch/job", "logStreamName": stream});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let mut messages = Vec::new();
    let mut more = json!({"startFromHead": true, "limit": 2});
    loop {
        let page = endpoint.logs("GetLogEvents", get(more.clone())).await?.body;
        let events = page["events"].as_array().unwrap();
        messages.extend(events.iter().map(|event| event["message"].as_str().unwrap().to_owned()));
        if more["nextToken"] == page["nextForwardToken"] {
            break;
        }
        more = json!({"nextToken": page["nextForwardToken"], "limit": 2});
    }
    assert_eq!(messages, ["1", "2", "3", "4", "5"]);
    let tail = endpoint.logs("GetLogEvents", get(json!({"limit": 2}))).await?.body;
    assert_eq!((&tail["events"][0]["message"], &tail["events"][1]["message"]), (&json!("4"), &json!("5")));
    let back =
        endpoint.logs("GetLogEvents", get(json!({"nextToken": tail["nextBackwardToken"]}))).await?.body;
    assert_eq!(back["events"].as_array().unwrap().len(), 3);
    let none = endpoint.logs("GetLogEvents", get(json!({"endTime": 1, "startFromHead": true}))).await?.body;
    assert_eq!(none["events"], json!([]));
    assert_eq!(endpoint.stop().await?, 0);
    Ok(())
}

#[tokio::test]
async fn refusals_have_awss_types() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint =
        Endpoint::start(ServeOptions { queues: vec!["q".into()], ..options(folder.path()) }).await?;
    let job = |more: Value| {
        let mut body = json!({
            "jobName": "a", "jobQueue": "q", "jobDefinition": "d", "containerOverrides": {"command": ["true"]}
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let ids: Vec<String> = (0..101).map(|number| format!("id-{number}")).collect();
    for (operation, body, message) in [
        ("submitjob", job(json!({"jobName": "a b"})), "jobName: "),
        ("submitjob", job(json!({"jobQueue": "other"})), "job queue other does not exist"),
        ("submitjob", job(json!({"arrayProperties": {"size": 10_001}})), "10000"),
        ("submitjob", job(json!({"dependsOn": [{"jobId": "x"}]})), "job x is not known"),
        ("submitjob", json!({}), "jobName: is missing"),
        ("describejobs", json!({"jobs": ids}), "at most 100"),
        ("describejobs", json!({}), "jobs"),
        ("listjobs", json!({}), "give one of jobQueue"),
        ("canceljob", json!({"jobId": "x"}), "reason"),
        ("createjobqueue", json!({"jobQueueName": "q", "priority": 1}), "already exists"),
        ("deletejobqueue", json!({"jobQueue": "q"}), "is ENABLED"),
        ("deregisterjobdefinition", json!({"jobDefinition": "d:1"}), "does not exist"),
    ] {
        let answer = endpoint.batch(operation, body).await?;
        assert_eq!((answer.status, answer.kind.as_deref()), (400, Some("ClientException")), "{operation}");
        let said = answer.body["message"].as_str().unwrap_or_default();
        assert!(said.contains(message), "{operation}: {said}");
    }
    let unknown = endpoint.batch("makecoffee", json!({})).await?;
    assert_eq!((unknown.status, unknown.kind.as_deref()), (404, Some("UnknownOperationException")));
    for (operation, body, kind) in [
        (
            "GetLogEvents",
            json!({"logGroupName": "/other", "logStreamName": "x"}),
            "ResourceNotFoundException",
        ),
        (
            "GetLogEvents",
            json!({"logGroupName": "/aws/batch/job", "logStreamName": "x"}),
            "ResourceNotFoundException",
        ),
        (
            "FilterLogEvents",
            json!({"logGroupName": "/aws/batch/job", "filterPattern": "{"}),
            "InvalidParameterException",
        ),
    ] {
        let answer = endpoint.logs(operation, body).await?;
        assert_eq!((answer.status, answer.kind.as_deref()), (400, Some(kind)), "{operation}");
    }
    assert_eq!(endpoint.logs("PutLogEvents", json!({})).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn a_jobs_own_clients_are_led_to_the_endpoint_with_credentials_that_aws_refuses() -> anyhow::Result<()>
{
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let id =
        endpoint.submit("coordinator", &["sh", "-c", "env | grep ^AWS_ | grep -v ^AWS_BATCH | sort"]).await?;
    let job = endpoint.ended(&id).await?;
    let stream =
        json!({"logGroupName": "/aws/batch/job", "logStreamName": job["container"]["logStreamName"]});
    let log = endpoint.logs("GetLogEvents", stream).await?.body;
    let lines: Vec<&str> =
        log["events"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap()).collect();
    let url = &endpoint.url;
    assert_eq!(
        lines,
        [
            "AWS_ACCESS_KEY_ID=batchwright-local",
            "AWS_DEFAULT_REGION=us-east-1",
            &format!("AWS_ENDPOINT_URL_BATCH={url}"),
            &format!("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS={url}"),
            // Clients such as Metaflow tell by it that they run on AWS Batch.
            "AWS_EXECUTION_ENV=AWS_ECS_EC2",
            "AWS_REGION=us-east-1",
            "AWS_SECRET_ACCESS_KEY=not-a-secret",
        ]
    );
    Ok(())
}

#[tokio::test]
async fn a_web_page_can_not_run_commands() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let body = json!({"jobs": []}).to_string();
    for (headers, status) in [
        (vec![("Origin", "https://example.com")], 403),
        (vec![("Host", "example.com")], 403),
        (vec![("Host", "localhost:1234")], 200),
        (vec![], 200),
    ] {
        let answer = endpoint.request("POST", "/v1/describejobs", &headers, &body).await?;
        assert_eq!(answer.status, status, "{headers:?}");
    }
    Ok(())
}

#[tokio::test]
async fn lists_come_in_pages_without_gap_or_double() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let mut submitted = BTreeSet::new();
    for number in 0..25 {
        submitted.insert(endpoint.submit(&format!("Tile-{number}"), &["true"]).await?);
    }
    let array = json!({
        "jobName": "array", "jobQueue": "q", "jobDefinition": "d", "arrayProperties": {"size": 12},
        "containerOverrides": {"command": ["sh", "-c", "test $AWS_BATCH_JOB_ARRAY_INDEX -lt 9"]},
    });
    let array = endpoint.ok("submitjob", array).await?["jobId"].as_str().unwrap().to_owned();
    for id in &submitted {
        endpoint.ended(id).await?;
    }
    let parent = endpoint.ended(&array).await?;
    assert_eq!(parent["arrayProperties"]["statusSummary"]["FAILED"], 3);
    let listed = async |mut request: Value| -> anyhow::Result<Vec<String>> {
        let mut ids = Vec::new();
        loop {
            let page = endpoint.ok("listjobs", request.clone()).await?;
            let jobs = page["jobSummaryList"].as_array().unwrap();
            ids.extend(jobs.iter().map(|job| job["jobId"].as_str().unwrap().to_owned()));
            if page["nextToken"].is_null() {
                return Ok(ids);
            }
            request["nextToken"] = page["nextToken"].clone();
        }
    };
    for size in [1, 7, 25, 100] {
        let succeeded = json!({"jobQueue": "q", "jobStatus": "SUCCEEDED", "maxResults": size});
        let ids = listed(succeeded).await?;
        assert_eq!((ids.len(), ids.iter().cloned().collect::<BTreeSet<_>>()), (25, submitted.clone()));
        let filters = json!([{"name": "JOB_NAME", "values": ["tile-1*"]}]);
        assert_eq!(listed(json!({"jobQueue": "q", "filters": filters, "maxResults": size})).await?.len(), 11);
        let children = json!({"arrayJobId": array, "jobStatus": "SUCCEEDED", "maxResults": size});
        let expected: Vec<String> = (0..9).map(|index| format!("{array}:{index}")).collect();
        assert_eq!(listed(children).await?, expected);
    }
    assert_eq!(listed(json!({"jobQueue": "q"})).await?, [""; 0]);
    assert_eq!(listed(json!({"jobQueue": "other", "jobStatus": "SUCCEEDED"})).await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn the_nodes_of_a_job_are_listed_by_their_status() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    // The main node ends when the others have begun, and fails; they end with it.
    let script = "touch began-$AWS_BATCH_JOB_NODE_INDEX
        if test $AWS_BATCH_JOB_NODE_INDEX = $AWS_BATCH_JOB_MAIN_NODE_INDEX; then
            until test -e ROOT/began-0 -a -e ROOT/began-2; do sleep 0.02; done; exit 7
        fi
        sleep 60";
    let script = script.replace("ROOT", &folder.path().display().to_string());
    let script = script.replace("touch ", &format!("touch {}/", folder.path().display()));
    let container = json!({"image": "i", "vcpus": 1, "memory": 64, "command": ["sh", "-c", script]});
    let ranges = json!([{"targetNodes": "0:", "container": container}]);
    let definition = json!({
        "jobDefinitionName": "nodes", "type": "multinode",
        "nodeProperties": {"numNodes": 3, "mainNode": 1, "nodeRangeProperties": ranges},
    });
    endpoint.ok("registerjobdefinition", definition).await?;
    let job = json!({"jobName": "many", "jobQueue": "q", "jobDefinition": "nodes"});
    let job_id = endpoint.ok("submitjob", job).await?["jobId"].as_str().unwrap().to_owned();
    assert_eq!(endpoint.ended(&job_id).await?["status"], "FAILED");
    let mut listed = BTreeSet::new();
    for status in ["SUCCEEDED", "FAILED"] {
        let mut request = json!({"multiNodeJobId": job_id, "jobStatus": status, "maxResults": 1});
        loop {
            let page = endpoint.ok("listjobs", request.clone()).await?;
            for node in page["jobSummaryList"].as_array().unwrap() {
                assert_eq!((&node["jobName"], &node["status"]), (&json!("many"), &json!(status)), "{node}");
                let id = node["jobId"].as_str().unwrap();
                let index = node["nodeProperties"]["nodeIndex"].as_u64().unwrap();
                assert_eq!(node["nodeProperties"]["isMainNode"], index == 1, "{node}");
                assert_eq!(id, format!("{job_id}#{index}"));
                assert!(listed.insert(index), "{node}");
            }
            request["nextToken"] = page["nextToken"].clone();
            if request["nextToken"].is_null() {
                break;
            }
        }
    }
    assert_eq!(listed, BTreeSet::from([0, 1, 2]));
    let parents = endpoint.ok("listjobs", json!({"jobQueue": "q", "jobStatus": "FAILED"})).await?;
    assert_eq!(parents["jobSummaryList"][0]["nodeProperties"], json!({"numNodes": 3}), "{parents}");
    let running = json!({"multiNodeJobId": job_id, "jobStatus": "RUNNING"});
    assert_eq!(endpoint.ok("listjobs", running).await?["jobSummaryList"], json!([]));
    Ok(())
}

#[tokio::test]
async fn what_was_registered_and_what_runs_outlive_the_endpoint() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let given = JobDefinition {
        job_definition_name: "given".into(),
        command: vec!["echo".into(), "Ref::word".into()],
        ..JobDefinition::default()
    };
    let options = || ServeOptions { definitions: vec![given.clone()], ..options(folder.path()) };
    let endpoint = Endpoint::start(options()).await?;
    let wait = json!({"image": "busybox", "vcpus": 1, "memory": 64, "command": ["sh", "-c", "until test -e go; do sleep 0.05; done"]});
    let body = json!({"jobDefinitionName": "wait", "type": "container", "containerProperties": wait});
    for revision in [1, 2] {
        assert_eq!(endpoint.ok("registerjobdefinition", body.clone()).await?["revision"], revision);
    }
    endpoint
        .ok("createjobqueue", json!({"jobQueueName": "q", "priority": 1, "computeEnvironmentOrder": []}))
        .await?;
    let submit = |definition: &str| json!({"jobName": "a", "jobQueue": "q", "jobDefinition": definition});
    let job = endpoint.ok("submitjob", submit("wait")).await?["jobId"].as_str().unwrap().to_owned();
    let running = endpoint.described_as(&job, |job| job["status"] == "RUNNING").await?;
    assert!(running["jobDefinition"].as_str().unwrap().ends_with("job-definition/wait:2"), "{running}");
    endpoint.ok("updatejobqueue", json!({"jobQueue": "q", "state": "DISABLED"})).await?;
    assert_eq!(endpoint.stop().await?, 1);

    let endpoint = Endpoint::start(options()).await?;
    let disabled = endpoint.batch("submitjob", submit("wait")).await?;
    assert_eq!(disabled.kind.as_deref(), Some("ClientException"));
    endpoint.ok("deregisterjobdefinition", json!({"jobDefinition": "wait:2"})).await?;
    let active = endpoint.ok("describejobdefinitions", json!({"status": "ACTIVE", "maxResults": 1})).await?;
    assert_eq!(active["jobDefinitions"][0]["jobDefinitionName"], "given");
    let next = json!({"status": "ACTIVE", "nextToken": active["nextToken"]});
    let active = endpoint.ok("describejobdefinitions", next).await?;
    assert_eq!(active["jobDefinitions"][0]["revision"], 1);
    assert_eq!(active["nextToken"], Value::Null);
    std::fs::write(folder.path().join("go"), "")?;
    assert_eq!(endpoint.ended(&job).await?["status"], "SUCCEEDED");
    endpoint.ok("deletejobqueue", json!({"jobQueue": "q"})).await?;
    assert_eq!(endpoint.stop().await?, 0);
    Ok(())
}

#[tokio::test]
async fn every_change_of_state_is_posted_although_the_target_is_away_at_first() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let target = EventTarget::post(&format!("http://{}/events", listener.local_addr()?))?;
    let statuses = Arc::new(Mutex::new(Vec::new()));
    tokio::spawn(receive(listener, Arc::clone(&statuses)));
    let endpoint =
        Endpoint::start(ServeOptions { events_to: Some(target), ..options(folder.path()) }).await?;
    let id = endpoint.submit("told", &["true"]).await?;
    endpoint.ended(&id).await?;
    endpoint.stop().await?;
    let statuses = statuses.lock().unwrap().clone();
    assert_eq!(statuses, ["RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]);
    Ok(())
}

/// Takes in one event a connection; sends the first two away.
async fn receive(listener: TcpListener, statuses: Arc<Mutex<Vec<String>>>) {
    for number in 0.. {
        let Ok((mut stream, _)) = listener.accept().await else { return };
        let mut bytes = Vec::new();
        let body = loop {
            let mut chunk = [0; 4096];
            let Ok(count @ 1..) = stream.read(&mut chunk).await else { return };
            bytes.extend_from_slice(&chunk[..count]);
            let text = String::from_utf8_lossy(&bytes);
            let Some((_, body)) = text.split_once("\r\n\r\n") else { continue };
            if let Ok(body) = serde_json::from_str::<Value>(body) {
                break body;
            }
        };
        let away = number < 2;
        if !away {
            assert_eq!(body["detail-type"], "Batch Job State Change");
            statuses.lock().unwrap().push(body["detail"]["status"].as_str().unwrap().to_owned());
        }
        let status = if away { "503 Service Unavailable" } else { "200 OK" };
        let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        _ = stream.write_all(answer.as_bytes()).await;
    }
}
