//! Puts the fan-out together.

use batchwright::aws::{Connection, LambdaCaller, LambdaInvoker, S3ObjectStore, connect, s3_client};
use batchwright::function::{environment, serve};
use batchwright::ports::SystemClock;
use serde_json::value::RawValue;

use crate::config::Config;
use crate::handler::{Ports, handle};

/// Answers events until Lambda ends the process. Errs where a variable of its environment is missing or wrong.
pub async fn start() -> Result<(), lambda_runtime::Error> {
    let config = Config::read(&environment)?;
    let aws = connect(&Connection::of_function(&environment)).await;
    let ports = Ports {
        caller: LambdaCaller::new(&aws),
        objects: S3ObjectStore::new(s3_client(&aws), &config.bucket),
        clock: SystemClock,
        invoker: LambdaInvoker::new(aws_sdk_lambda::Client::new(&aws)),
    };
    serve(async |event: Box<RawValue>, invocation| handle(&ports, &config, &event, &invocation).await).await
}
