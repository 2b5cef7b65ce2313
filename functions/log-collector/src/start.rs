//! Puts the log collector together.

use batchwright::aws::dynamodb::{DynamoDbJobStore, Tables};
use batchwright::aws::{CloudWatchLogSource, Connection, S3ObjectStore, connect, s3_client};
use batchwright::function::{environment, serve};
use batchwright::ports::SystemClock;

use crate::config::Config;
use crate::handler::{Ports, handle};

/// Answers events until Lambda ends the process. Errs where a variable of its environment is missing or wrong.
pub async fn start() -> Result<(), lambda_runtime::Error> {
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
