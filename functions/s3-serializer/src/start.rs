//! Puts the S3 serializer together.

use batchwright::aws::{Connection, S3Buckets, connect, s3_client};
use batchwright::function::{environment, serve};
use batchwright::ports::SystemClock;

use crate::config::Config;
use crate::handler::handle;

/// Answers events until Lambda ends the process. Errs where a variable of its environment is missing or wrong.
pub async fn start() -> Result<(), lambda_runtime::Error> {
    let config = Config::read(&environment)?;
    let aws = connect(&Connection::of_function(&environment)).await;
    let buckets = S3Buckets::new(s3_client(&aws));
    serve(async |event, invocation| handle(&buckets, &SystemClock, &config, event, &invocation).await).await
}
