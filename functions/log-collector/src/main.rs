//! Puts the log collector together.

use std::process::ExitCode;

use batchwright::aws::dynamodb::{DynamoDbJobStore, Tables};
use batchwright::aws::{CloudWatchLogSource, Connection, S3ObjectStore, connect, s3_client};
use batchwright::function::{environment, main as start, serve};
use batchwright::ports::SystemClock;
use log_collector::{Config, Ports, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    start(run()).await
}

async fn run() -> Result<(), lambda_runtime::Error> {
    let config = Config::read(&environment)?;
    let aws = connect(&Connection::of_function(&environment)).await;
    let tables = Tables { jobs: config.jobs_table.clone(), runs: config.runs_table.clone() };
    let ports = Ports {
        store: DynamoDbJobStore::new(aws_sdk_dynamodb::Client::new(&aws), tables),
        source: CloudWatchLogSource::new(aws_sdk_cloudwatchlogs::Client::new(&aws)),
        archive: S3ObjectStore::new(s3_client(&aws), &config.bucket),
        clock: SystemClock,
    };
    serve(async |event, invocation| handle(&ports, &config, event, &invocation).await).await
}
