//! Call in, answer out.

use batchwright::function::{Answer, FunctionError, Invocation, Metric};
use batchwright::ports::{Buckets, Clock};
use serde_json::value::RawValue;
use tokio::time::Instant;
use tracing::info;

use crate::answer::Response;
use crate::call::Call;
use crate::config::Config;
use crate::operations::run;

/// Handles one invocation.
///
/// Errs where the call can't be read, and where its results can't be written. Called again, everything is
/// done again; what was written under a condition is refused by it then.
pub async fn handle<B: Buckets, C: Clock>(
    buckets: &B,
    clock: &C,
    config: &Config,
    event: Box<RawValue>,
    invocation: &Invocation,
) -> Result<Answer<Response>, FunctionError> {
    let call = Call::parse(event.get()).map_err(FunctionError::Refused)?;
    drop(event);
    let end = Instant::now() + invocation.time_left(clock, config.stop_margin);
    let response = run(buckets, config, call, end).await?;
    info!(objects.succeeded = response.succeeded, objects.failed = response.failed, "done");
    Ok(Answer { metrics: metrics(&response), body: response })
}

fn metrics(response: &Response) -> Vec<Metric> {
    vec![
        Metric::count("ObjectsSucceeded", response.succeeded),
        Metric::count("ObjectsFailed", response.failed),
    ]
}
