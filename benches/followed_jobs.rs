//! Jobs submitted and followed to their end by one client of the library, and what that takes: calls of AWS Batch, and
//! the process's own peak memory. The endpoint is a process of its own, where each job runs for a while and SUCCEEDS.
//!
//! `followed-jobs [JOBS] [STORE]`; by default 10,000, in a SQLite file

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use batchwright::domain::Timestamp;
use batchwright::ports::{Clock as _, SystemClock};
use batchwright::{Client, Config, JobSpec, JobStatus};
use batchwright_tests::emulators::sdk_config;
use serde_json::{Value, json};

/// How long a job runs: several looks of the client, which pauses 5 to 30 seconds between two.
const RUNS_MS: i64 = 60_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("endpoint") => serve().await,
        Some(jobs) => follow(jobs.parse()?, words.get(1)).await,
        None => follow(10_000, None).await,
    }
}

async fn follow(count: usize, store: Option<&String>) -> anyhow::Result<()> {
    let mut endpoint = Command::new(std::env::current_exe()?);
    let mut endpoint = endpoint.arg("endpoint").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut told = BufReader::new(endpoint.stdout.take().context("no standard output")?);
    let mut url = String::new();
    told.read_line(&mut url)?;
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite:{}", folder.path().join("jobs.db").display());
    let config = Config::default().sdk_config(sdk_config(url.trim_end()).await?);
    // The quota of an account is 50 a second: 200 s in which nothing is to be seen.
    let config = config.store(store.unwrap_or(&file)).submissions_per_second(100_000.0);
    let client = Client::connect(config).await?;
    let jobs = (0..count)
        .map(|number| JobSpec::named(format!("job-{number:06}"), "queue", "definition:1"))
        .collect::<Result<Vec<_>, _>>()?;
    let begun = Instant::now();
    let ended = client.run(jobs).await?;
    let took = begun.elapsed().as_secs();
    ensure!(ended.len() == count && ended.iter().all(|job| job.status() == Some(JobStatus::Succeeded)));
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse()?;
    println!("{count} jobs followed to their end in {took} s, peak {} MiB", peak / 1_024);
    // It ends with its standard input, and tells what it was asked.
    drop(endpoint.stdin.take());
    let mut asked = String::new();
    told.read_to_string(&mut asked)?;
    print!("{asked}");
    ensure!(endpoint.wait()?.success());
    Ok(())
}

/// What an endpoint has been asked.
#[derive(Default)]
struct Asked {
    /// When each job was submitted, by its number, and its name.
    jobs: Vec<(Timestamp, String)>,
    /// `DescribeJobs` by the number of ids.
    described: BTreeMap<usize, usize>,
}

type Shared = Arc<Mutex<Asked>>;

fn lock(asked: &Shared) -> MutexGuard<'_, Asked> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve() -> anyhow::Result<()> {
    let asked = Shared::default();
    let router = Router::new()
        .route("/v1/submitjob", post(submit_job))
        .route("/v1/describejobs", post(describe_jobs))
        .with_state(Arc::clone(&asked));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        served = axum::serve(listener, router) => served?,
        _ = ended => {}
    }
    let asked = lock(&asked);
    let calls: usize = asked.described.values().sum();
    println!("SubmitJob {}, DescribeJobs {calls}, by ids a call: {:?}", asked.jobs.len(), asked.described);
    Ok(())
}

async fn submit_job(State(asked): State<Shared>, Json(request): Json<Value>) -> Json<Value> {
    let mut asked = lock(&asked);
    let name = request["jobName"].as_str().unwrap_or_default().to_owned();
    let answer =
        json!({"jobId": format!("00000000-0000-4000-8000-{:012}", asked.jobs.len()), "jobName": name});
    asked.jobs.push((SystemClock.now(), name));
    Json(answer)
}

async fn describe_jobs(State(asked): State<Shared>, Json(request): Json<Value>) -> Json<Value> {
    let mut asked = lock(&asked);
    let ids = request["jobs"].as_array().cloned().unwrap_or_default();
    *asked.described.entry(ids.len()).or_default() += 1;
    let jobs = ids.iter().filter_map(|id| {
        let number: usize = id.as_str()?.rsplit('-').next()?.parse().ok()?;
        let (submitted, name) = asked.jobs.get(number)?;
        let at = submitted.as_millis();
        let mut job = json!({
            "jobId": id, "jobName": name, "jobQueue": "queue", "jobDefinition": "definition:1",
            "status": "RUNNING", "createdAt": at, "startedAt": at,
        });
        if SystemClock.now().as_millis() - at >= RUNS_MS {
            job["status"] = json!("SUCCEEDED");
            job["stoppedAt"] = json!(at + RUNS_MS);
        }
        Some(job)
    });
    Json(json!({ "jobs": jobs.collect::<Vec<_>>() }))
}
