//! Puts the fan-out together.

use std::process::ExitCode;

use batchwright::aws::{Connection, LambdaCaller, LambdaInvoker, S3ObjectStore, connect, s3_client};
use batchwright::function::{environment, main as start, serve};
use batchwright::ports::SystemClock;
use fan_out::{Config, Ports, handle};
use serde_json::value::RawValue;

/// A third less of the CPU time goes into the SDK's many small allocations than with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    start(run()).await
}

async fn run() -> Result<(), lambda_runtime::Error> {
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
