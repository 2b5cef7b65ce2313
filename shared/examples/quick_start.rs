//! Two jobs, one after the other, submitted to AWS Batch once and waited for.
//!
//! `cargo run -p batchwright --example quick_start --features aws,sqlite -- my-queue my-definition`

use batchwright::{Client, Config, JobSpec};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(queue), Some(definition)) = (arguments.next(), arguments.next()) else {
        return Err("give a job queue and a job definition".into());
    };
    // With a file as its store, the program may be killed and started again: it submits nothing twice.
    let client = Client::connect(Config::default().store("sqlite:quick-start.db")).await?;
    let first = JobSpec::named("first", &queue, &definition)?.command(["echo", "hello"]);
    let second = JobSpec::named("second", &queue, &definition)?.command(["echo", "world"]).after(&first);
    for job in client.run([first, second]).await? {
        let status = job.status().map_or("not submitted", |status| status.as_str());
        println!("{}: {status} {}", job.name(), job.reason.as_deref().unwrap_or_default());
    }
    Ok(())
}
