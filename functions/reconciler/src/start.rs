//! Puts the reconciler together.

use batchwright::aws::dynamodb::{DynamoDbJobStore, DynamoDbShares, Tables};
use batchwright::aws::{
    BatchJobEngine, CloudWatchLogSource, Connection, EventBridgeBus, LambdaInvoker, S3ObjectStore, connect,
    s3_client,
};
use batchwright::function::{environment, serve};
use batchwright::pace::{PacedEngine, SharedPace, TokenBucket};
use batchwright::ports::SystemClock;

use crate::config::Config;
use crate::handler::{Ports, handle};

/// Answers events until Lambda ends the process. Errs where a variable of its environment is missing or wrong.
pub async fn start() -> Result<(), lambda_runtime::Error> {
    let config = Config::read(&environment)?;
    let aws = connect(&Connection::of_function(&environment)).await;
    let tables = Tables { jobs: config.jobs_table.clone(), runs: config.runs_table.clone() };
    let dynamodb = aws_sdk_dynamodb::Client::new(&aws);
    let shares = DynamoDbShares::new(dynamodb.clone(), &config.jobs_table);
    let ports = Ports {
        store: DynamoDbJobStore::new(dynamodb, tables).beside_log_collector(),
        engine: PacedEngine::new(
            BatchJobEngine::new(aws_sdk_batch::Client::new(&aws)),
            TokenBucket::new(f64::from(config.batch_rate)),
        ),
        pace: SharedPace::new(f64::from(config.submit_rate), shares, SystemClock),
        clock: SystemClock,
        source: CloudWatchLogSource::new(aws_sdk_cloudwatchlogs::Client::new(&aws)),
        archive: S3ObjectStore::new(s3_client(&aws), &config.bucket),
        invoker: LambdaInvoker::new(aws_sdk_lambda::Client::new(&aws)),
        bus: EventBridgeBus::new(
            aws_sdk_eventbridge::Client::new(&aws),
            config.event_bus.clone(),
            &config.stack,
        ),
    };
    serve(async |event, invocation| handle(&ports, &config, event, &invocation).await).await
}
