//! Real clients run jobs on the endpoint: boto3, the AWS CLI, aio-aws, the AWS SDK for JavaScript.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use batchwright_tests::emulators::REGION;
use batchwright_tests::emulators::venv::Venv;
use batchwright_tests::npm::Packages;
use batchwright_tests::wire::{Endpoint, options};
use tokio::process::Command;

/// A client's environment is made in a thread where it may block; `None` where there is no `python3`.
async fn client(group: &'static str) -> anyhow::Result<Option<Venv>> {
    tokio::task::spawn_blocking(move || Venv::of_group(group)).await?
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

/// Runs a client that knows this endpoint alone, and returns what it prints.
async fn run(endpoint: &Endpoint, program: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    command.env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN");
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command
        .env("AWS_ENDPOINT_URL", &endpoint.url)
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_REGION", REGION);
    let output = command.output().await.with_context(|| format!("running {}", program.display()))?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{arguments:?}: {}\n{out}\n{err}", output.status);
    Ok(out.into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_finds_what_it_knows_of_aws_batch() -> anyhow::Result<()> {
    let Some(venv) = client("boto3").await? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let script = script("batch_boto3.py");
    run(&endpoint, &venv.program("python"), &[&script.to_string_lossy(), &endpoint.url]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aio_aws_runs_jobs_and_reads_their_logs() -> anyhow::Result<()> {
    let Some(venv) = client("aio-aws").await? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    run(&endpoint, &venv.program("python"), &[&script("batch_aio_aws.py").to_string_lossy()]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_aws_cli_runs_a_job_and_reads_its_log() -> anyhow::Result<()> {
    let Some(venv) = client("aws-cli").await? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let aws = async |command: &[&str]| {
        let all = [&["--endpoint-url", &endpoint.url, "--output", "text"], command].concat();
        run(&endpoint, &venv.program("aws"), &all).await
    };
    let command = r#"{"command": ["echo", "from the AWS CLI"]}"#;
    let submit = ["batch", "submit-job", "--job-name", "cli", "--job-queue", "q", "--job-definition", "d"];
    let more = ["--container-overrides", command, "--query", "jobId"];
    let id = aws(&[submit.as_slice(), &more].concat()).await?.trim().to_owned();
    let job = endpoint.ended(&id).await?;
    let status = aws(&["batch", "describe-jobs", "--jobs", &id, "--query", "jobs[0].status"]).await?;
    assert_eq!(status.trim(), "SUCCEEDED");
    let stream = job["container"]["logStreamName"].as_str().unwrap_or_default();
    let get = ["logs", "get-log-events", "--log-group-name", "/aws/batch/job", "--log-stream-name", stream];
    let messages = aws(&[get.as_slice(), &["--query", "events[].message"]].concat()).await?;
    assert_eq!(messages.trim(), "from the AWS CLI");
    let refused = aws(&["batch", "list-jobs"]).await.unwrap_err().to_string();
    assert!(refused.contains("An error occurred (ClientException) when calling the ListJobs"), "{refused}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_aws_sdk_for_javascript_runs_jobs_and_reads_their_logs() -> anyhow::Result<()> {
    let packages = tokio::task::spawn_blocking(|| Packages::of_group("aws-sdk-js")).await??;
    let Some(packages) = packages else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let script = script("batch_aws_sdk_js.js");
    let clients =
        ["@aws-sdk/client-batch", "@aws-sdk/client-cloudwatch-logs"].map(|name| packages.folder(name));
    let arguments = [&script, &clients[0], &clients[1]].map(|path| path.to_string_lossy());
    run(&endpoint, Path::new("node"), &arguments.each_ref().map(AsRef::as_ref)).await?;
    Ok(())
}
