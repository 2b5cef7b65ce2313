//! What aio-aws has kept is taken in: files of TinyDB that aio-aws itself wrote, and databases of Redis.

use std::path::Path;

use anyhow::{Context as _, ensure};
use batchwright::domain::{Cause, Job, JobId, JobState};
use batchwright::{Client, Config, JobName, JobSpec, JobStatus, aio_aws};
use batchwright_tests::emulators::venv::Venv;
use batchwright_tests::emulators::{REGION, redis::Redis, sdk_config};
use batchwright_tests::stack::built;
use batchwright_tests::wire::{Endpoint, options};
use serde_json::{Value, json};
use tokio::process::Command;

const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// Has aio-aws run jobs on the endpoint. Returns its records.
async fn kept(venv: &Venv, endpoint: &Endpoint, database: &Path) -> anyhow::Result<Vec<Value>> {
    let mut command = Command::new(venv.program("python"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/keep_aio_aws.py")).arg(database);
    command.env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN").kill_on_drop(true);
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.env("AWS_ENDPOINT_URL", &endpoint.url).env("AWS_DEFAULT_REGION", REGION);
    let output = command.output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Its log goes to standard output too.
    let out = String::from_utf8(output.stdout)?;
    Ok(serde_json::from_str(out.lines().last().context("it printed nothing")?)?)
}

fn spec(name: &str) -> anyhow::Result<JobSpec> {
    Ok(JobSpec::named(name, "q", "d")?.command(["true"]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_goes_on_with_the_file_that_aio_aws_wrote() -> anyhow::Result<()> {
    let venv = tokio::task::spawn_blocking(|| Venv::of_group("aio-aws")).await??;
    let Some(venv) = venv else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let database = folder.path().join("aio");
    let records = kept(&venv, &endpoint, &database).await?;
    let config = Config::default().sdk_config(sdk_config(&endpoint.url).await?).pause(PAUSE..=4 * PAUSE);
    let store = format!("sqlite:{}", folder.path().join("jobs.db").display());
    let client = Client::connect(config.store(store)).await?;
    let file = folder.path().join("aio-jobs.json");
    for _ in 0..2 {
        let told = client.import(aio_aws::tinydb(&file)?).await?;
        ensure!(told.len() == 3 && told.iter().all(|job| job.refused.is_none()), "{told:?}");
    }
    let names: Vec<JobName> =
        ["well", "failing", "going"].map(str::parse).into_iter().collect::<Result<_, _>>()?;
    for (name, record) in names.iter().zip(&records) {
        let job = client.job(name).await?.context("it was not taken in")?;
        assert_eq!(job.head.job_id.as_ref().map(JobId::as_str), record["job_id"].as_str());
        assert_eq!(job.head.job_tries.len(), 1, "twice is once");
        let latest = job.latest.context("its submission was taken in")?;
        let has_failed = latest.state.status == JobStatus::Failed;
        assert_eq!(latest.follow_up.is_decided(), has_failed, "nothing follows a failure of before");
    }
    let failing = client.job(&names[1]).await?.context("it was there")?;
    assert_eq!(failing.state().and_then(JobState::cause), Some(Cause::ExitCode));
    let again = client.submit([spec("well")?, spec("failing")?, spec("going")?]).await?;
    let submitted: Vec<bool> = again.iter().map(|job| job.job_id.is_some()).collect();
    assert_eq!(submitted, [false, true, false], "it SUCCEEDED, it FAILED, it is in flight: {again:?}");
    client.terminate([names[2].clone()], "enough").await?;
    let ended = client.wait(names).await?;
    let statuses: Vec<_> = ended.iter().map(Job::status).collect();
    assert_eq!(statuses, [JobStatus::Succeeded, JobStatus::Succeeded, JobStatus::Failed].map(Some));
    endpoint.stop().await?;
    Ok(())
}

fn record(name: &str, job_id: &str, status: Option<&str>, tries: u32) -> Value {
    json!({
        "job_id": job_id, "job_name": name, "job_queue": "q", "job_definition": "d", "command": ["true"],
        "container_overrides": {"command": ["true"]}, "depends_on": [], "status": status,
        "job_tries": [job_id], "num_tries": tries, "max_tries": 4, "job_submission": null, "job_description": null,
    })
}

#[tokio::test(start_paused = true)]
async fn the_latest_of_several_records_stands_and_those_without_end_are_refused() -> anyhow::Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    let table = json!({"aws-batch-jobs": {
        "1": record("a", "a-2", None, 2),
        "2": record("a", "a-1", Some("FAILED"), 1),
        "3": record("b", "b-2", Some("SUCCEEDED"), 2),
        "4": record("b", "b-1", Some("RUNNING"), 1),
    }});
    std::fs::write(file.path(), table.to_string())?;
    let client = Client::simulated(1, Config::default()).await?;
    for _ in 0..2 {
        let told = client.import(aio_aws::tinydb(file.path())?).await?;
        let told: Vec<_> = told.iter().map(|told| (told.job_id.as_str(), told.refused.is_none())).collect();
        assert_eq!(told, [("a-1", true), ("a-2", true), ("b-1", false), ("b-2", true)]);
    }
    let job = client.job(&"a".parse()?).await?.context("it was not taken in")?;
    assert_eq!(job.head.job_tries.iter().map(JobId::as_str).collect::<Vec<_>>(), ["a-1", "a-2"]);
    assert_eq!((job.status(), job.head.spec.max_tries), (Some(JobStatus::Submitted), 4));
    let overrides = job.head.spec.container_overrides.context("it has a command")?;
    assert_eq!(overrides.command.context("it has a command")?, ["true"]);
    Ok(())
}

/// aio-aws keeps a record under its job's id, and beside it the ids under the job's name.
#[tokio::test]
async fn a_database_of_redis_is_read_and_left_as_it_is() -> anyhow::Result<()> {
    let Some(server) = tokio::task::spawn_blocking(|| Redis::start(&[])).await?? else { return Ok(()) };
    let url = format!("redis://{}/2", server.server().address());
    let mut connection = redis::Client::open(url.as_str())?.get_multiplexed_async_connection().await?;
    let ids: Vec<String> = (0..2_500).map(|n| format!("4c7599ae-0a82-49aa-ba5a-{n:012}")).collect();
    for (number, id) in ids.iter().enumerate() {
        let name = format!("job-{number}");
        let kept = record(&name, id, Some("SUCCEEDED"), 1).to_string();
        let () = redis::cmd("SET").arg(id).arg(kept).query_async(&mut connection).await?;
        let () =
            redis::cmd("SET").arg(&name).arg(json!([id]).to_string()).query_async(&mut connection).await?;
    }
    let mut found: Vec<String> =
        aio_aws::redis(&url).await?.into_iter().map(|job| job.job_id.to_string()).collect();
    found.sort();
    assert_eq!(found, ids);
    let keys: u64 = redis::cmd("DBSIZE").query_async(&mut connection).await?;
    assert_eq!(keys, 5_000, "something was written");
    let () = redis::cmd("SET").arg(&ids[7]).arg("{}").query_async(&mut connection).await?;
    let error = aio_aws::redis(&url).await.err().context("it was read")?.to_string();
    ensure!(error.contains(&ids[7]), "{error}");
    Ok(())
}

#[tokio::test]
async fn the_program_takes_in_what_aio_aws_kept_in_redis() -> anyhow::Result<()> {
    let Some(server) = tokio::task::spawn_blocking(|| Redis::start(&[])).await?? else { return Ok(()) };
    let url = format!("redis://{}/3", server.server().address());
    let mut connection = redis::Client::open(url.as_str())?.get_multiplexed_async_connection().await?;
    let [ended, going] = [1, 2].map(|n| format!("4c7599ae-0a82-49aa-ba5a-{n:012}"));
    for (name, id, status) in [("ended", &ended, "SUCCEEDED"), ("going", &going, "RUNNING")] {
        let kept = record(name, id, Some(status), 1).to_string();
        redis::cmd("SET").arg(id).arg(kept).exec_async(&mut connection).await?;
    }
    let folder = tempfile::tempdir()?;
    let program = async |args: &[&str]| -> anyhow::Result<(Option<i32>, String)> {
        let mut command = Command::new(built("batchwright")?);
        command.args(args).current_dir(folder.path()).env("XDG_STATE_HOME", folder.path().join("state"));
        let output = command.kill_on_drop(true).output().await?;
        Ok((output.status.code(), String::from_utf8(output.stdout)?))
    };
    let told = format!(
        "going {going}: it has no end, and no engine of this folder runs it\n1 submission taken in, 1 refused\n"
    );
    if program(&["store", "import", &url, "--local"]).await?.0 == Some(2) {
        eprintln!("skipped: this program is built without `redis`; `cargo test --workspace` builds it with");
        return Ok(());
    }
    // Twice is once.
    assert_eq!(program(&["store", "import", &url, "--local"]).await?, (Some(1), told));
    let (code, exported) = program(&["store", "export", "--local"]).await?;
    let lines: Vec<Value> = exported.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!((code, lines.len()), (Some(0), 1));
    assert_eq!(lines[0]["head"]["jobId"], json!(ended));
    assert_eq!(lines[0]["submissions"][0]["state"]["status"], "SUCCEEDED");
    drop(server);
    let (code, _) = program(&["store", "import", &url, "--local"]).await?;
    assert_eq!(code, Some(3), "the server is gone");
    Ok(())
}
