//! Puts the S3 serializer together.

use std::process::ExitCode;

use batchwright::aws::{Connection, S3Buckets, connect, s3_client};
use batchwright::function::{environment, main as start, serve};
use batchwright::ports::SystemClock;
use s3_serializer::{Config, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    start(run()).await
}

async fn run() -> Result<(), lambda_runtime::Error> {
    let config = Config::read(&environment)?;
    let aws = connect(&Connection::of_function(&environment)).await;
    let buckets = S3Buckets::new(s3_client(&aws));
    serve(async |event, invocation| handle(&buckets, &SystemClock, &config, event, &invocation).await).await
}
