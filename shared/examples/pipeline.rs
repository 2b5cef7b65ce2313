//! A complete program to learn from: jobs that depend on each other, followed while they run, stopped by Ctrl-C, read
//! afterwards, with a report as JSON. Killed and started again, it goes on.
//!
//! With a queue and a definition it works on AWS Batch; without, a simulated engine plays the jobs in no time:
//! `cargo run -p batchwright --example pipeline --features aws,local -- [my-queue my-definition]`

use std::collections::BTreeMap;
use std::error::Error;

use batchwright::domain::JobState;
use batchwright::{Client, Config, JobName, JobSpec, JobStatus};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;

/// Tiles of the map, each a job of its own.
const TILES: u32 = 8;

#[derive(Debug, Serialize)]
struct Report {
    jobs: usize,
    succeeded: usize,
    failed: BTreeMap<String, String>,
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (client, queue, definition) = match (arguments.next(), arguments.next()) {
        (Some(queue), Some(definition)) => {
            tokio::time::resume();
            let config = Config::default().store("sqlite:pipeline.db").calls_at_once(16);
            (Client::connect(config).await?, queue, definition)
        }
        _ => (Client::simulated(7, Config::default()).await?, "queue".to_owned(), "definition".to_owned()),
    };
    let jobs = jobs(&queue, &definition)?;
    let names: Vec<JobName> = jobs.iter().map(|job| job.job_name.clone()).collect();

    for taken in client.submit(jobs).await? {
        let name = taken.job_name.as_ref().map_or("?", JobName::as_str);
        println!("{name}: {:?} {}", taken.outcome, taken.reason.unwrap_or_default());
    }
    follow(&client, &names).await?;
    let report = report(&client, &names).await?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    if report.succeeded == report.jobs { Ok(()) } else { Err("not every job has SUCCEEDED".into()) }
}

/// Fetch, then every tile, then the map of all tiles. A job is submitted after those that it depends on, and AWS Batch
/// holds it back until they have SUCCEEDED.
fn jobs(queue: &str, definition: &str) -> Result<Vec<JobSpec>, Box<dyn Error>> {
    let fetch = JobSpec::named("fetch", queue, definition)?.command(["fetch", "heights"]);
    let mut map = JobSpec::named("map", queue, definition)?.command(["map"]);
    let mut jobs = vec![fetch.clone()];
    for tile in 0..TILES {
        let render = JobSpec::named(format!("render-{tile}"), queue, definition)?;
        let render = render.command(["render", &tile.to_string()]).after(&fetch);
        map = map.after(&render);
        jobs.push(render);
    }
    jobs.push(map);
    Ok(jobs)
}

/// Prints each change of a status until all jobs have ended. Ctrl-C terminates those that have not.
async fn follow(client: &Client, names: &[JobName]) -> Result<(), Box<dyn Error>> {
    let changes = client.monitor(names.to_vec());
    let mut changes = std::pin::pin!(changes);
    loop {
        tokio::select! {
            change = changes.next() => match change.transpose()? {
                Some(job) => println!("{}: {}", job.name(), job.status().map_or("-", JobStatus::as_str)),
                None => return Ok(()),
            },
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                client.terminate(names.to_vec(), "interrupted").await?;
            }
        }
    }
}

/// What became of the jobs, and the end of the log of each that failed.
async fn report(client: &Client, names: &[JobName]) -> Result<Report, Box<dyn Error>> {
    let mut report = Report { jobs: names.len(), succeeded: 0, failed: BTreeMap::new() };
    for job in client.recover(names).await?.into_iter().flatten() {
        match job.status() {
            Some(JobStatus::Succeeded) => report.succeeded += 1,
            _ => {
                let cause = job.state().and_then(JobState::cause);
                let lines: Vec<_> = client.log(job.name()).try_collect().await.unwrap_or_default();
                let last = lines.last().map_or("no log", |event| event.message.as_str());
                report.failed.insert(job.name().to_string(), format!("{cause:?}: {last}"));
            }
        }
    }
    Ok(report)
}
