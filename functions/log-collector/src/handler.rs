//! Event in, answer out.

use batchwright::domain::{JobId, LogsRecord};
use batchwright::events::{BatchResponse, Event, EventError, QueueMessage};
use batchwright::function::{Answer, FunctionError, Invocation, Metric, each_message};
use batchwright::ports::{CheckpointStore, Clock, JobQueries, LogSource, ObjectStore, StateStore};
use batchwright::use_cases::collect_logs::{Bundle, Collector, Look, PartLimits};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::info;

use crate::config::Config;

/// The ports that the log collector uses.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Ports<S, L, O, C> {
    pub store: S,
    pub source: L,
    pub archive: O,
    pub clock: C,
}

/// What became of a submission's logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", tag = "outcome")]
pub enum LogsOutcome {
    /// They are in the archive.
    Archived(LogsRecord),
    /// They are there already.
    Known,
    /// The job has not ended.
    NotEnded,
    /// The job is not known.
    NotOurs,
}

/// What the log collector answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Response {
    /// To a queue.
    Messages(BatchResponse),
    /// To everyone else.
    Logs(LogsOutcome),
}

#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Call {
    job_id: JobId,
    /// Reads the whole log again, also where the archive is complete.
    #[serde(default)]
    again: bool,
}

/// Handles one invocation.
///
/// Errs where the event can't be read, where a port failed, and where an event's logs may still grow:
/// then deliver it again. A direct call is answered with what there is.
pub async fn handle<S: JobQueries + StateStore, L: LogSource, O: ObjectStore + CheckpointStore, C: Clock>(
    ports: &Ports<S, L, O, C>,
    config: &Config,
    event: Value,
    invocation: &Invocation,
) -> Result<Answer<Response>, FunctionError> {
    if let Some(messages) = QueueMessage::batch(&event)? {
        let within = invocation.time_left(&ports.clock, config.stop_margin);
        let bundle = (config.bundle_logs_from > 0).then(|| Bundle::new(config.bundle_logs_from));
        let batch = each_message(messages, within, async |event| {
            let _member = match &bundle {
                Some(bundle) => Some(bundle.join().await),
                None => None,
            };
            let outcome = take(ports, config, bundle.as_ref(), event).await?;
            whole(&outcome)?;
            Ok(outcome)
        })
        .await;
        let metrics = batch.done.iter().flat_map(metrics).chain(batch.metrics()).collect();
        return Ok(Answer { body: Response::Messages(batch.response), metrics });
    }
    let called = event.get("jobId").is_some();
    let outcome = take(ports, config, None, event).await?;
    if !called {
        whole(&outcome)?;
    }
    Ok(Answer { metrics: metrics(&outcome), body: Response::Logs(outcome) })
}

async fn take<S: JobQueries + StateStore, L: LogSource, O: ObjectStore + CheckpointStore, C: Clock>(
    ports: &Ports<S, L, O, C>,
    config: &Config,
    bundle: Option<&Bundle>,
    event: Value,
) -> Result<LogsOutcome, FunctionError> {
    let Some((job_id, look)) = wanted(event)? else { return Ok(LogsOutcome::NotOurs) };
    let Ports { store, source, archive, clock } = ports;
    let (policy, limits) = (&config.policy, PartLimits::default());
    let collector = Collector { store, source, archive, clock, policy, limits, bundle };
    if let Some(record) = collector.collect(&job_id, look).await? {
        return Ok(LogsOutcome::Archived(record));
    }
    let outcome = match store.submission(&job_id).await? {
        None => LogsOutcome::NotOurs,
        Some(submission) if submission.state.status.is_terminal() => LogsOutcome::Known,
        Some(_) => LogsOutcome::NotEnded,
    };
    info!(job.id = %job_id, ?outcome, "no logs to archive");
    Ok(outcome)
}

/// The submission whose logs are wanted; `None` where it is another program's.
fn wanted(event: Value) -> Result<Option<(JobId, Look)>, FunctionError> {
    if event.get("jobId").is_some() {
        let call: Call = serde_json::from_value(event).map_err(|error| EventError::Malformed {
            kind: "call of the log collector",
            reason: error.to_string(),
        })?;
        return Ok(Some((call.job_id, if call.again { Look::Forced } else { Look::WhenDue })));
    }
    match Event::from_value(event)? {
        Event::JobStateChange(change) => Ok(Some((change.detail.job_id, Look::WhenDue))),
        Event::StrangersJob => Ok(None),
        Event::QueueBlocked(_) | Event::S3Objects(_) | Event::S3Test { .. } => Err(FunctionError::Refused(
            "the log collector takes state changes of AWS Batch and calls with a jobId".into(),
        )),
    }
}

/// Whether a message is done. An end that the store does not know of yet will be known soon. A log that had settled
/// is looked at again by the reconciler, whatever is missing: a queue delivers a few times, minutes apart.
fn whole(outcome: &LogsOutcome) -> Result<(), FunctionError> {
    match outcome {
        LogsOutcome::Archived(LogsRecord { complete: false, next_look: None, incomplete_reason, .. }) => {
            let why = incomplete_reason.clone().unwrap_or_default();
            Err(FunctionError::NotYet(format!("the logs are not whole yet: {why}")))
        }
        LogsOutcome::NotEnded => Err(FunctionError::NotYet("the job's end is not recorded yet".into())),
        LogsOutcome::Archived(_) | LogsOutcome::Known | LogsOutcome::NotOurs => Ok(()),
    }
}

fn metrics(outcome: &LogsOutcome) -> Vec<Metric> {
    match outcome {
        LogsOutcome::Archived(record) => {
            vec![Metric::count("LogsArchived", 1), Metric::count("LogEventsArchived", record.events)]
        }
        LogsOutcome::Known | LogsOutcome::NotEnded | LogsOutcome::NotOurs => Vec::new(),
    }
}
