//! What a person does with the program, against the deployed stack: look, stop, repeat, tidy up.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use batchwright::domain::{JobStatus, RunState};
use batchwright_tests::plain_http::asked;
use batchwright_tests::stack::{NAME, bucket};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::deployed::Deployed;

/// A job that runs until it is stopped, one behind it, and one that fails until it is run again.
const JOBS: &str = r#"
defaults: {jobQueue: queue, jobDefinition: definition}
jobs:
  - {jobName: stays, command: [sleep, "600"]}
  - {jobName: behind, dependsOn: [{jobName: stays}], command: [echo, never]}
"#;

/// Runs every command that a person has for a stack, beside `run`, `plan`, `logs` and `dlq`.
pub(crate) async fn look_stop_and_repeat(deployed: &Deployed, folder: &Path) -> anyhow::Result<()> {
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let file = path("stays.yaml");
    std::fs::write(&file, JOBS)?;
    let submitted = deployed.program(0, &["submit", &file]).await?;
    let run_id = submitted["runId"].as_str().context("a run")?.to_owned();
    let runs = async || {
        let state = deployed.job("stays").await?.and_then(|job| job.status());
        Ok((state == Some(JobStatus::Running)).then_some(()))
    };
    deployed.wait("stays to run", runs).await?;
    look(deployed, &run_id, &path("report.html")).await?;
    console(deployed, &run_id).await?;
    stop(deployed, &run_id).await?;
    repeat(deployed).await?;
    tidy_up(deployed, &path("export.jsonl")).await
}

async fn look(deployed: &Deployed, run_id: &str, report: &str) -> anyhow::Result<()> {
    let runs = deployed.program(0, &["runs"]).await?;
    let mut ids = runs["runs"].as_array().into_iter().flatten().filter_map(|run| run["runId"].as_str());
    ensure!(ids.next_back() == Some(run_id), "the newest comes last: {runs}");
    let status = deployed.program(0, &["status", run_id]).await?;
    ensure!(status["counts"]["RUNNING"] == 1 && status["counts"]["PENDING"] == 1, "{status}");
    let jobs = deployed.program(0, &["jobs", run_id]).await?;
    ensure!(jobs["jobs"].as_array().is_some_and(|jobs| jobs.len() == 2), "{jobs}");
    let all = deployed.program(0, &["jobs"]).await?;
    ensure!(all["jobs"].as_array().is_some_and(|jobs| jobs.len() == 8), "{all}");
    let waits = deployed.program(0, &["explain", "behind"]).await?;
    ensure!(
        waits["situation"] == "WAITS_FOR_JOBS" && waits["evidence"].to_string().contains("stays"),
        "{waits}"
    );
    let failed = deployed.program(0, &["explain", "broken"]).await?;
    ensure!(failed["situation"] == "EXIT_CODE", "{failed}");
    let many = deployed.program(0, &["explain", run_id]).await?;
    ensure!(many["situations"].as_array().is_some_and(|situations| situations.len() == 2), "{many}");
    let written = deployed.words(0, &["report", "--out", report]).await?;
    ensure!(written.ends_with("report.html: 8 jobs\n"), "{written}");
    // The endpoint takes jobs for any queue and definition, and has neither.
    let doctor = deployed.program(1, &["doctor"]).await?;
    let checks = doctor["checks"].as_array().context("checks")?;
    let unwell: Vec<&Value> = checks.iter().filter(|check| check["isWell"] == false).collect();
    let expected = ["AWS Batch", "job definitions"];
    let versions = checks.iter().filter(|check| check["found"].to_string().contains(", version 0."));
    ensure!(versions.count() == 6, "{doctor}");
    ensure!(checks.len() == 22 && unwell.iter().map(|check| &check["what"]).eq(expected), "{doctor}");
    switched_off(deployed).await
}

/// The doctor names what keeps the functions from being woken, though each of them is Active.
async fn switched_off(deployed: &Deployed) -> anyhow::Result<()> {
    let collector = format!("{NAME}-log-collector");
    let mappings =
        deployed.cli(&["lambda", "list-event-source-mappings", "--function-name", &collector]).await?;
    let uuid = mappings["EventSourceMappings"][0]["UUID"].as_str().context("a mapping")?.to_owned();
    let rule = format!("{NAME}-reconcile");
    let serializer = format!("{NAME}-s3-serializer");
    let reserve = ["lambda", "put-function-concurrency", "--reserved-concurrent-executions", "0"];
    deployed.cli(&[&reserve[..], &["--function-name", &serializer]].concat()).await?;
    deployed.cli(&["lambda", "update-event-source-mapping", "--no-enabled", "--uuid", &uuid]).await?;
    deployed.cli(&["events", "disable-rule", "--name", &rule]).await?;
    let configure = ["s3api", "put-bucket-notification-configuration", "--bucket", &bucket()];
    let told = |to: &'static str| [&configure[..], &["--notification-configuration", to]].concat();
    deployed.cli(&told("{}")).await?;
    let doctor = deployed.program(1, &["doctor"]).await?;
    let found = |what: &str| {
        let checks = doctor["checks"].as_array().into_iter().flatten();
        let found = checks.filter(|check| check["isWell"] == false && check["what"] == what);
        found.map(|check| check["found"].as_str().unwrap_or_default().to_owned()).collect::<String>()
    };
    ensure!(found("reserved concurrency") == format!("{serializer}: 0"), "{doctor}");
    ensure!(found("event sources").starts_with(&format!("{collector}: Disabl")), "{doctor}");
    ensure!(found("rules") == format!("{rule}: DISABLED"), "{doctor}");
    ensure!(found("uploads") == format!("{} does not tell EventBridge", bucket()), "{doctor}");
    deployed.cli(&["lambda", "delete-function-concurrency", "--function-name", &serializer]).await?;
    deployed.cli(&["lambda", "update-event-source-mapping", "--enabled", "--uuid", &uuid]).await?;
    deployed.cli(&["events", "enable-rule", "--name", &rule]).await?;
    deployed.cli(&told(r#"{"EventBridgeConfiguration": {}}"#)).await?;
    Ok(())
}

async fn console(deployed: &Deployed, run_id: &str) -> anyhow::Result<()> {
    let mut console = deployed.command(&["console", run_id])?;
    let mut console = console.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let stdout = console.stdout.take().context("its output")?;
    let address = BufReader::new(stdout).lines().next_line().await?.context("its address")?;
    let data = tokio::task::spawn_blocking(move || {
        let (_, token) = address.split_once("#token=").context("a token")?;
        let bearer = format!("Authorization: Bearer {token}\r\n");
        asked(&address, "GET /data?epoch=&after=0", "localhost", &bearer)
    });
    let data = data.await??;
    ensure!(data.starts_with("HTTP/1.1 200") && data.contains("[\"stays\",4,"), "{data}");
    console.kill().await?;
    Ok(())
}

async fn stop(deployed: &Deployed, run_id: &str) -> anyhow::Result<()> {
    let cancelled = deployed.program(0, &["cancel", "behind", "--yes"]).await?;
    ensure!(cancelled["jobs"][0]["outcome"] == "REQUESTED", "{cancelled}");
    deployed.wait_for_ends(&["behind"]).await?;
    let terminated = deployed.program(0, &["terminate", run_id, "--yes", "--reason", "enough"]).await?;
    ensure!(terminated["counts"]["requested"] == 1 && terminated["runs"][0] == run_id, "{terminated}");
    deployed.wait_for_ends(&["stays"]).await?;
    let watched = deployed.words(1, &["watch", run_id]).await?;
    ensure!(watched == "2 jobs: 2 FAILED\n", "{watched}");
    let why = deployed.program(0, &["explain", "stays"]).await?;
    ensure!(why["evidence"].to_string().contains("enough"), "{why}");
    // The reconciler ends the cancellation where it finds the run silent for ten minutes.
    deployed.words(0, &["reconcile"]).await?;
    let status = deployed.program(0, &["status", run_id]).await?;
    ensure!(status["run"]["state"] == RunState::Cancelling.as_str(), "{status}");
    Ok(())
}

async fn repeat(deployed: &Deployed) -> anyhow::Result<()> {
    let before = deployed.job("broken").await?.context("broken")?.head.job_tries.len();
    let again = deployed.program(1, &["rerun", "broken", "--failed"]).await?;
    ensure!(again["counts"]["FAILED"] == 1 && again["run"]["submitted"] == 1, "{again}");
    let tries = deployed.job("broken").await?.context("broken")?.head.job_tries.len();
    ensure!(tries == before + 1, "{tries} tries after {before}");
    Ok(())
}

async fn tidy_up(deployed: &Deployed, export: &str) -> anyhow::Result<()> {
    deployed.words(0, &["store", "export", "by-hand", "--out", export]).await?;
    deployed.words(0, &["store", "remove", "by-hand", "--yes"]).await?;
    ensure!(deployed.job("by-hand").await?.is_none(), "it is still known");
    deployed.words(0, &["store", "import", export]).await?;
    let back = deployed.job("by-hand").await?.context("it is not back")?;
    ensure!(back.status() == Some(JobStatus::Succeeded), "{back:?}");
    // A database of aio-aws: its jobs are the stack's by then, those under way among them.
    let job = |name: &str, status: &str| {
        json!({"job_id": format!("{name}-1"), "job_name": name, "job_queue": "q", "job_definition": "d",
            "status": status, "job_tries": [format!("{name}-1")], "num_tries": 1, "max_tries": 4})
    };
    let kept =
        json!({"aws-batch-jobs": {"1": job("aio-well", "SUCCEEDED"), "2": job("aio-goes", "RUNNING")}});
    std::fs::write(export, kept.to_string())?;
    let told = deployed.words(0, &["store", "import", export]).await?;
    ensure!(told == "2 submissions taken in, 0 refused\n", "{told}");
    for (name, status) in [("aio-well", JobStatus::Succeeded), ("aio-goes", JobStatus::Running)] {
        ensure!(deployed.job(name).await?.and_then(|job| job.status()) == Some(status), "{name}");
    }
    deployed.words(0, &["store", "remove", "aio-well", "--yes"]).await?;
    deployed.words(0, &["forget", "aio-goes"]).await?;
    deployed.words(0, &["forget", "behind"]).await?;
    ensure!(deployed.job("behind").await?.is_none(), "it is still known");
    let told = deployed.words(0, &["prune", "--older-than", "0s", "--yes"]).await?;
    ensure!(told.contains(" forgotten that ended before "), "{told}");
    ensure!(deployed.job("by-hand").await?.is_none(), "{told}, and it is still known");
    Ok(())
}
