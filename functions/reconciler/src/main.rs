//! Puts the reconciler together.

use std::process::ExitCode;

use batchwright::aws::dynamodb::{DynamoDbJobStore, Tables};
use batchwright::aws::{
    BatchJobEngine, CloudWatchLogSource, Connection, LambdaInvoker, S3ObjectStore, connect, s3_client,
};
use batchwright::function::{environment, main as start, serve};
use batchwright::pace::{PacedEngine, TokenBucket};
use batchwright::ports::SystemClock;
use reconciler::{Config, Ports, handle};

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
        engine: PacedEngine::new(
            BatchJobEngine::new(aws_sdk_batch::Client::new(&aws)),
            TokenBucket::new(f64::from(config.batch_rate)),
        ),
        pace: TokenBucket::new(f64::from(config.submit_rate)),
        clock: SystemClock,
        source: CloudWatchLogSource::new(aws_sdk_cloudwatchlogs::Client::new(&aws)),
        archive: S3ObjectStore::new(s3_client(&aws), &config.bucket),
        invoker: LambdaInvoker::new(aws_sdk_lambda::Client::new(&aws)),
    };
    serve(async |event, invocation| handle(&ports, &config, event, &invocation).await).await
}
