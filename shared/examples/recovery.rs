//! A program that may be killed at any moment and is started again with the same command: each job is submitted once.
//!
//! `cargo run -p batchwright --example recovery --features aws,sqlite -- my-queue my-definition`

use batchwright::domain::JobState;
use batchwright::{Client, Config, JobSpec, JobStatus};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(queue), Some(definition)) = (arguments.next(), arguments.next()) else {
        return Err("give a job queue and a job definition".into());
    };
    // The file is what survives. Of several machines each may run this, with `redis://…` or `dynamodb://…`.
    let client = Client::connect(Config::default().store("sqlite:recovery.db")).await?;
    let jobs = (0..100).map(|tile| {
        let job = JobSpec::named(format!("tile-{tile}"), &queue, &definition)?;
        Ok::<_, Box<dyn std::error::Error>>(job.command(["render", &tile.to_string()]))
    });
    let jobs: Vec<JobSpec> = jobs.collect::<Result<_, _>>()?;

    let left = client.to_run(jobs.clone()).await?;
    println!("{} of {} jobs have not SUCCEEDED yet", left.len(), jobs.len());

    // In flight: waited for. SUCCEEDED: skipped. FAILED: submitted again.
    let ended = client.run(jobs).await?;
    for job in ended.iter().filter(|job| job.status() != Some(JobStatus::Succeeded)) {
        let cause = job.state().and_then(JobState::cause);
        println!("{} has not succeeded: {cause:?} {}", job.name(), job.reason.as_deref().unwrap_or_default());
    }
    Ok(())
}
