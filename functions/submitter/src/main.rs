//! Puts the submitter together.

use std::process::ExitCode;

use batchwright::aws::dynamodb::{DynamoDbJobStore, Tables};
use batchwright::aws::{BatchJobEngine, Connection, LambdaInvoker, S3ObjectStore, connect, s3_client};
use batchwright::function::{environment, main as start, serve};
use batchwright::pace::TokenBucket;
use batchwright::ports::SystemClock;
use submitter::{Config, Ports, handle};

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
        engine: BatchJobEngine::new(aws_sdk_batch::Client::new(&aws)),
        pace: TokenBucket::new(f64::from(config.submit_rate)),
        clock: SystemClock,
        objects: S3ObjectStore::new(s3_client(&aws), &config.bucket),
        invoker: LambdaInvoker::new(aws_sdk_lambda::Client::new(&aws)),
    };
    serve(async |event, invocation| handle(&ports, &config, event, &invocation).await).await
}
