//! Event in, answer out.

use batchwright::domain::RunCounts;
use batchwright::events::{BatchResponse, QueueMessage};
use batchwright::function::{Answer, FunctionError, Invocation, Metric, each_message};
use batchwright::ports::{AsyncInvoker, Clock, JobEngine, JobStore, ObjectStore, RunStore, SubmissionPace};
use serde::Serialize;
use serde_json::Value;

use crate::config::Config;
use crate::request::requests;
use crate::run::{RunSummary, run};

/// The ports that the submitter uses.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Ports<S, E, P, C, O, I> {
    pub store: S,
    pub engine: E,
    pub pace: P,
    pub clock: C,
    /// The one bucket: job files, the jobs of direct calls, reports.
    pub objects: O,
    pub invoker: I,
}

/// What the submitter answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Response {
    /// To a queue.
    Messages(BatchResponse),
    /// To everyone else.
    Runs {
        /// The runs that were asked for.
        runs: Vec<RunSummary>,
    },
}

/// Handles one invocation.
///
/// Errs where the event can't be read, and where a port failed: delivered again, the run goes on.
pub async fn handle<S, E, P, C, O, I>(
    ports: &Ports<S, E, P, C, O, I>,
    config: &Config,
    event: Value,
    invocation: &Invocation,
) -> Result<Answer<Response>, FunctionError>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    O: ObjectStore,
    I: AsyncInvoker,
{
    if let Some(messages) = QueueMessage::batch(&event)? {
        // The runs themselves stop before the margin; this is for what does not.
        let within = invocation.time_left(&ports.clock, config.stop_margin / 2);
        let batch = each_message(messages, within, |event| run_each(ports, config, event, invocation)).await;
        let of_messages = batch.metrics();
        let runs: Vec<RunSummary> = batch.done.into_iter().flatten().collect();
        let metrics = metrics(&runs).into_iter().chain(of_messages).collect();
        return Ok(Answer { body: Response::Messages(batch.response), metrics });
    }
    let runs = run_each(ports, config, event, invocation).await?;
    Ok(Answer { metrics: metrics(&runs), body: Response::Runs { runs } })
}

async fn run_each<S, E, P, C, O, I>(
    ports: &Ports<S, E, P, C, O, I>,
    config: &Config,
    event: Value,
    invocation: &Invocation,
) -> Result<Vec<RunSummary>, FunctionError>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    O: ObjectStore,
    I: AsyncInvoker,
{
    let mut summaries = Vec::new();
    for request in requests(event, &config.bucket, &invocation.request_id)? {
        summaries.push(run(ports, config, invocation, request).await?);
    }
    Ok(summaries)
}

fn metrics(runs: &[RunSummary]) -> Vec<Metric> {
    runs.iter()
        .flat_map(|run| {
            let RunCounts { submitted, skipped, rejected, unknown, .. } = run.new_counts;
            [
                Metric::count("JobsSubmitted", submitted),
                Metric::count("JobsSkipped", skipped),
                Metric::count("JobsRejected", rejected),
                Metric::count("SubmissionsUnknown", unknown),
                Metric::count("SurplusTerminated", run.surplus),
                Metric::count("FilesRejected", u64::from(!run.problems.is_empty())),
            ]
        })
        .collect()
}
