//! The whole path over the wire: templates deployed by the real commands, the functions' real programs,
//! a job file uploaded to S3, jobs that really run, events through EventBridge and queues, state in
//! DynamoDB, logs and reports on S3.

mod commands;
mod deployed;
mod options;

use std::path::Path;

use anyhow::{Context as _, ensure};
use batchwright::aws::s3_client;
use batchwright::domain::{Cause, JobState, JobStatus};
use batchwright_tests::stack::{ACCOUNT, NAME, bucket};
use serde_json::{Value, json};

use crate::deployed::Deployed;

const JOBS: &str = r#"
defaults: {jobQueue: queue, jobDefinition: definition}
jobs:
  - {jobName: first, command: [sh, -c, "echo one; echo two"]}
  - {jobName: second, command: [echo, after], dependsOn: [{jobName: first}]}
  - {jobName: tiles, arrayProperties: {size: 3}, command: [sh, -c, "echo tile $AWS_BATCH_JOB_ARRAY_INDEX"]}
  - {jobName: broken, command: [sh, -c, "exit 3"]}
  - {jobName: hopeless, command: [echo, never], dependsOn: [{jobName: broken}]}
"#;

/// The program, against the deployed stack.
async fn the_program_sees_the_stack(deployed: &Deployed, folder: &Path) -> anyhow::Result<()> {
    let file = folder.join("by-hand.yaml");
    let by_hand =
        "{jobName: by-hand, jobQueue: queue, jobDefinition: definition, command: [echo, hand-made]}";
    std::fs::write(&file, by_hand)?;
    let file = file.to_string_lossy().into_owned();
    let planned = deployed.program(0, &["plan", &file]).await?;
    ensure!(planned["submit"] == 1, "{planned}");
    let ran = deployed.program(0, &["run", &file]).await?;
    ensure!(ran["counts"]["SUCCEEDED"] == 1 && ran["run"]["submitted"] == 1, "{ran}");
    let again = deployed.program(0, &["run", &file]).await?;
    ensure!(again["run"]["submitted"] == 0 && again["run"]["skipped"] == 1, "{again}");
    let jobs = deployed.program(0, &["jobs", "broken"]).await?;
    ensure!(jobs["jobs"][0]["cause"] == "EXIT_CODE", "{jobs}");
    let status = deployed.program(0, &["status"]).await?;
    ensure!(status["counts"]["SUCCEEDED"] == 4 && status["total"] == 6, "{status}");
    let logs = deployed.program(0, &["logs", "by-hand"]).await?;
    ensure!(logs["events"][0]["message"] == "hand-made", "{logs}");

    let wrong = folder.join("wrong.yaml");
    std::fs::write(&wrong, "{jobName: by-hand}")?;
    deployed.program(3, &["run", &wrong.to_string_lossy()]).await?;
    Ok(())
}

/// Upload, run, follow, archive, report; then the same file once more.
async fn a_job_file_runs_once(deployed: &Deployed) -> anyhow::Result<()> {
    let names = ["first", "second", "tiles", "broken", "hopeless"];
    deployed.upload("jobs/pipe line+1.yaml", JOBS).await?;
    deployed.wait_for_ends(&names).await?;
    for (name, status, cause) in [
        ("first", JobStatus::Succeeded, None),
        ("second", JobStatus::Succeeded, None),
        ("tiles", JobStatus::Succeeded, None),
        ("broken", JobStatus::Failed, Some(Cause::ExitCode)),
        ("hopeless", JobStatus::Failed, Some(Cause::Dependency)),
    ] {
        let job = deployed.job(name).await?.context(name)?;
        ensure!(job.status() == Some(status), "{name}: {:?}", job.latest);
        ensure!(job.state().and_then(JobState::cause) == cause, "{name}: {:?}", job.latest);
        ensure!(job.head.job_tries.len() == 1, "{name}: {:?}", job.head.job_tries);
    }
    let report = deployed.wait("the report", async || {
        let lines = deployed.reports().await?;
        Ok((lines.len() == names.len()).then_some(lines))
    });
    for line in report.await? {
        ensure!(line["outcome"] == "SUBMITTED", "{line}");
    }

    // What came before its job's end was recorded waits in the queue for an hour; the reconciler finds it `SilenceSeconds`
    // after the submission.
    let manifest = deployed.wait("the log archive", async || {
        let manifest = deployed.manifest("first").await?;
        if manifest.is_none() {
            deployed.invoke("reconciler", &json!({})).await?;
        }
        Ok(manifest)
    });
    let manifest = manifest.await?;
    ensure!(manifest["complete"] == true && manifest["events"] == 2, "{manifest}");

    deployed.upload("jobs/again.yaml", JOBS.replace("exit 3", "exit 3 # again").as_str()).await?;
    let lines = deployed.wait("the second report", async || {
        let lines = deployed.reports().await?;
        Ok((lines.len() == 2 * names.len()).then_some(lines))
    });
    let second: Vec<Value> = lines.await?;
    let skipped = second.iter().filter(|line| line["outcome"] == "SKIPPED").count();
    ensure!(skipped == 3, "what SUCCEEDED is not submitted again: {second:?}");
    for name in ["first", "second", "tiles"] {
        let tries = deployed.job(name).await?.context(name)?.head.job_tries;
        ensure!(tries.len() == 1, "{name}: {tries:?}");
    }
    Ok(())
}

/// A list of calls of another function: from the call, and from S3 to S3.
async fn a_fan_out_invokes_its_list(deployed: &Deployed) -> anyhow::Result<()> {
    let target = format!("{NAME}-reconciler");
    let call = json!({"functionName": target, "payloads": [{}, {}, {"source": "aws.events"}]});
    let here = deployed.invoke("fan-out", &call).await?;
    ensure!(here["state"] == "COMPLETE" && here["summary"]["counts"]["succeeded"] == 3, "{here}");
    ensure!(here["results"][2]["payload"]["cutShort"] == false, "{here}");

    deployed.upload("fan-out/list.jsonl", "{}\n[1]\nnonsense\n").await?;
    let (list, results) =
        (format!("s3://{}/fan-out/list.jsonl", bucket()), format!("s3://{}/fan-out/results.jsonl", bucket()));
    let call = json!({"functionName": target, "payloadsUri": list, "resultsUri": results, "runId": "listed"});
    let there = deployed.invoke("fan-out", &call).await?;
    ensure!(there["state"] == "COMPLETE" && there["resultsUri"] == results, "{there}");
    let lines = String::from_utf8(deployed.object("fan-out/results.jsonl").await?)?;
    let lines: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let outcomes: Vec<&Value> = lines.iter().map(|line| &line["outcome"]).collect();
    ensure!(outcomes == ["SUCCEEDED", "FUNCTION_ERROR", "REJECTED"], "{lines:?}");
    ensure!(
        deployed.invoke("fan-out", &call).await?["summary"] == there["summary"],
        "a run id is one fan-out"
    );

    let call = json!({"functionName": format!("{NAME}-submitter"), "payloads": [{}]});
    let refused = deployed.invoke("fan-out", &call).await;
    let refused = refused.map_or_else(|error| error.to_string(), |answer| answer.to_string());
    ensure!(refused.contains("is not among the functions that may be invoked"), "{refused}");
    Ok(())
}

/// A file that is wrong reaches its report; an event that is nonsense, the dead-letter queue.
async fn poison_is_set_aside(deployed: &Deployed) -> anyhow::Result<()> {
    let before = deployed.reports().await?.len();
    deployed.upload("jobs/poison.yaml", "jobs: [{jobName: a b, jobQueu: q}]").await?;
    let rejected = deployed.wait("the report of the poison file", async || {
        let lines = deployed.reports().await?;
        Ok((lines.len() > before)
            .then(|| lines.into_iter().filter(|line| line["outcome"] == "REJECTED").collect()))
    });
    let rejected: Vec<Value> = rejected.await?;
    let reasons = rejected.iter().map(|line| line["reason"].to_string()).collect::<Vec<_>>().join("\n");
    ensure!(reasons.contains("jobQueue"), "{reasons}");

    let queue =
        |name: &str| format!("{}/{ACCOUNT}/{NAME}-{name}", deployed.ministack.server().endpoint_url());
    let states = queue("states");
    // A message is tried five times, twelve minutes apart: here, a second.
    deployed
        .sqs(&["set-queue-attributes", "--queue-url", &states, "--attributes", "VisibilityTimeout=1"])
        .await?;
    let poison =
        r#"{"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": {"jobId": 7}}"#;
    deployed.sqs(&["send-message", "--queue-url", &states, "--message-body", poison]).await?;
    let dead_letter = deployed.wait("the dead letter", async || {
        let seen = deployed.program(0, &["dlq", "show", "states"]).await?;
        Ok(seen["messages"][0]["body"].as_str().map(ToOwned::to_owned))
    });
    ensure!(dead_letter.await? == poison);
    // It stays there, however often it is looked at, until it is delivered again; and then it comes back.
    for _ in 0..2 {
        let seen = deployed.program(0, &["dlq", "show", "states"]).await?;
        ensure!(seen["messages"].as_array().is_some_and(|messages| messages.len() == 1), "{seen}");
    }
    ensure!(deployed.dead_letters(1).await? == [0, 1, 0, 0, 0]);
    // Hidden from the state handler, so that it does not come back while it is counted.
    let slow = "VisibilityTimeout=600";
    deployed.sqs(&["set-queue-attributes", "--queue-url", &states, "--attributes", slow]).await?;
    let told = deployed.program(0, &["dlq", "redrive", "states", "--yes"]).await?;
    ensure!(
        told == json!({"delivered": 1, "undelivered": [], "to": {"queue": format!("{NAME}-states")}}),
        "{told}"
    );
    ensure!(deployed.dead_letters(0).await? == [0, 0, 0, 0, 0]);

    // What came from no queue is a call of the function: here one that its destination wrote down.
    let results = format!("s3://{}/fan-out/redriven.jsonl", bucket());
    let call = json!({"functionName": format!("{NAME}-reconciler"), "payloads": [{}], "resultsUri": results});
    let record =
        json!({"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": call}).to_string();
    let dead = queue("fan-out-dead-letters");
    deployed.sqs(&["send-message", "--queue-url", &dead, "--message-body", &record]).await?;
    let seen = deployed.program(0, &["dlq", "show", "fan-out"]).await?;
    ensure!(seen["messages"][0]["why"] == "RetriesExhausted", "{seen}");
    deployed.program(0, &["dlq", "redrive", "fan-out", "--yes"]).await?;
    let redriven = deployed.wait("the results of the call that was delivered again", async || {
        Ok(deployed.object("fan-out/redriven.jsonl").await.ok())
    });
    ensure!(String::from_utf8(redriven.await?)?.contains("SUCCEEDED"));
    ensure!(deployed.dead_letters(0).await? == [0, 0, 0, 0, 0]);

    // Nobody hears the answer of an asynchronous call: one that fails is kept, and is there again when it fails again.
    deployed.invoke_async("s3-serializer", &json!({"operation": "dumb"})).await?;
    for delivered in [0, 1] {
        let kept = deployed.wait("the call that failed", async || {
            let seen = deployed.program(0, &["dlq", "show", "s3-serializer"]).await?;
            Ok(seen["messages"].as_array().filter(|messages| messages.len() == 1).cloned())
        });
        let kept = kept.await?;
        let why = kept[0]["why"].as_str().context("no reason")?;
        ensure!(why.starts_with("RetriesExhausted: there is no operation \"dumb\""), "{why}");
        if delivered == 0 {
            let told = deployed.program(0, &["dlq", "redrive", "s3-serializer", "--yes"]).await?;
            let function = format!("{NAME}-s3-serializer");
            ensure!(
                told == json!({"delivered": 1, "undelivered": [], "to": {"function": function}}),
                "{told}"
            );
        }
    }
    // What can never be delivered is removed.
    let kept = deployed.program(0, &["dlq", "show", "s3-serializer"]).await?;
    let id = kept["messages"][0]["messageId"].as_str().context("its id")?;
    let told = deployed.program(1, &["dlq", "remove", "s3-serializer", id, "nothing", "--yes"]).await?;
    ensure!(told == json!({"removed": [id], "notFound": ["nothing"]}), "{told}");
    ensure!(deployed.dead_letters(0).await? == [0, 0, 0, 0, 0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_file_that_is_uploaded_to_a_deployed_stack_runs_once() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(deployed) = Deployed::new(folder.path(), false).await? else { return Ok(()) };
    a_job_file_runs_once(&deployed).await?;
    the_program_sees_the_stack(&deployed, folder.path()).await?;
    commands::look_stop_and_repeat(&deployed, folder.path()).await?;
    a_fan_out_invokes_its_list(&deployed).await?;
    poison_is_set_aside(&deployed).await?;
    deployed.endpoint.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_every_option_a_job_file_runs_and_the_runs_end_starts_an_execution() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let all = async |cli: deployed::Cli<'_>| options::all(&cli).await;
    let Some(deployed) = Deployed::with(folder.path(), false, all).await? else { return Ok(()) };
    options::reached_the_resources(&deployed).await?;
    options::an_end_of_a_run_starts_an_execution(&deployed).await?;
    deployed.endpoint.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_runs_with_no_more_than_the_policies_of_the_functions_allow() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(deployed) = Deployed::new(folder.path(), true).await? else { return Ok(()) };
    // The bucket's own policy refuses what is not encrypted on its way, and the emulator speaks plain HTTP.
    let s3 = s3_client(&deployed.aws);
    let refused = s3.get_bucket_policy().bucket(bucket()).send().await?;
    ensure!(refused.policy().is_some_and(|policy| policy.contains("aws:SecureTransport")), "{refused:?}");
    s3.delete_bucket_policy().bucket(bucket()).send().await?;
    a_job_file_runs_once(&deployed).await?;
    a_fan_out_invokes_its_list(&deployed).await?;
    deployed.endpoint.stop().await?;
    Ok(())
}
