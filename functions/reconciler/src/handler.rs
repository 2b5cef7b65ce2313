//! Event in, answer out.

use std::future::Future;

use batchwright::function::{Answer, FunctionError, Invocation, Metric};
use batchwright::ports::{
    AsyncInvoker, CheckpointStore, Clock, EventBus, JobEngine, JobStore, LogSource, ObjectStore, PortError,
    QueueSource, RunStore, SubmissionPace,
};
use batchwright::use_cases::end_runs::jobs_ended;
use batchwright::use_cases::reconcile::{Found, Reconciled, reconcile_counting};
use batchwright::use_cases::record_state::Recorder;
use batchwright::use_cases::submit::SubmitPolicy;
use batchwright::use_cases::waits::{Waits, note_waits};
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::config::Config;
use crate::logs::{Archived, archive_logs};
use crate::runs::{Continued, continue_runs};

/// The `source` of the events of schedules: of EventBridge's rules and of its Scheduler.
pub(crate) const SCHEDULES: [&str; 2] = ["aws.events", "aws.scheduler"];

/// The ports that the reconciler uses.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Ports<S, E, P, C, L, O, I, B> {
    pub store: S,
    pub engine: E,
    pub pace: P,
    pub clock: C,
    pub source: L,
    pub archive: O,
    pub invoker: I,
    pub bus: B,
}

/// What one pass found and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// Runs that the submitter was told to go on with.
    pub runs_continued: u64,
    /// Runs whose end was found and told.
    pub runs_ended: u64,
    /// Jobs of cancelled runs that Batch was asked to stop.
    pub jobs_stopped: u64,
    /// Claims, ends, submissions.
    pub reconciled: Reconciled,
    /// Jobs that are RUNNABLE for long and wait until somebody does something: for a queue that is disabled, broken or
    /// blocked. Counted when AWS Batch is asked about them, every `SilenceSeconds`.
    pub jobs_held_back: u64,
    /// Submissions whose logs are archived whole now.
    pub logs_archived: u64,
    /// Submissions whose logs may still grow.
    pub logs_incomplete: u64,
    /// Runs and logs that a failing port left for the next pass.
    pub postponed: u64,
    /// Items of runs and logs that can't be read.
    pub unreadable: u64,
    /// The time was over first; the next pass goes on.
    pub cut_short: bool,
}

/// Handles one invocation.
///
/// Errs where the event is another's, and where the state can't be read.
pub async fn handle<S, E, P, C, L, O, I, B>(
    ports: &Ports<S, E, P, C, L, O, I, B>,
    config: &Config,
    event: Value,
    invocation: &Invocation,
) -> Result<Answer<Response>, FunctionError>
where
    S: JobStore + RunStore,
    E: JobEngine + QueueSource,
    P: SubmissionPace,
    C: Clock,
    L: LogSource,
    O: ObjectStore + CheckpointStore,
    I: AsyncInvoker,
    B: EventBus,
{
    check(&event)?;
    let Ports { store, engine, pace, clock, source, archive, invoker, bus } = ports;
    let end = Instant::now() + invocation.time_left(clock, config.stop_margin);
    let recorder = Recorder { store, engine, pace, clock, bus, policy: SubmitPolicy::default() };
    let mut runs = Continued::default();
    let mut reconciled = Reconciled::default();
    let mut logs = Archived::default();
    let which = (config.submitter.as_str(), config.run_silence_ms);
    let continuing = continue_runs(store, engine, (invoker, bus), clock, which, &mut runs);
    let all_continued = until(end, continuing).await?.is_some();
    let mut found = Found::default();
    let reconciling = reconcile_counting(&recorder, &config.policy, &mut reconciled, &mut found);
    let all_reconciled = until(end, reconciling).await?.is_some();
    // What the pass has found to have ended may end runs. A bus that is away must not stop the pass.
    let telling = async { Ok(jobs_ended(store, bus, clock, &found.ends).await) };
    let told = until(end, telling).await?;
    let all_told = told.is_some();
    match told {
        Some(Err(error)) => {
            warn!(%error, "the runs of some jobs that have ended were not looked at");
            runs.postponed += 1;
        }
        Some(Ok(ended)) => runs.ended += ended,
        None => {}
    }
    let mut waits = Waits::default();
    let asking = async {
        note_waits(store, engine, clock, &found.waiting, &mut waits).await;
        Ok(())
    };
    let all_asked = until(end, asking).await?.is_some();
    let archiving = archive_logs((store, source, archive), clock, &config.collect, &found.logs, &mut logs);
    let all_archived = until(end, archiving).await?.is_some();
    let response = Response {
        runs_continued: runs.runs,
        runs_ended: runs.ended,
        jobs_stopped: runs.jobs_stopped,
        reconciled,
        logs_archived: logs.complete,
        logs_incomplete: logs.incomplete,
        jobs_held_back: waits.held_back,
        postponed: runs.postponed + waits.postponed + logs.postponed,
        unreadable: runs.unreadable + logs.unreadable,
        cut_short: !(all_continued && all_reconciled && all_told && all_asked && all_archived),
    };
    if response.cut_short {
        warn!(?response, "the time was over before the pass was; the next one goes on");
    }
    Ok(Answer { metrics: metrics(&response), body: response })
}

/// Whether the event is a schedule's or a call of its own: nothing in it is needed.
fn check(event: &Value) -> Result<(), FunctionError> {
    let refused = |what: String| {
        let why = format!("the reconciler takes a schedule's event or an empty object, not {what}");
        Err(FunctionError::Refused(why))
    };
    let Some(members) = event.as_object() else {
        return refused(event.to_string().chars().take(100).collect());
    };
    match members.get("source").map(|source| source.as_str().unwrap_or_default()) {
        None if members.contains_key("Records") => refused("a batch of records".to_owned()),
        None => Ok(()),
        Some(source) if SCHEDULES.contains(&source) => Ok(()),
        Some(source) => refused(format!("an event of {source:?}")),
    }
}

/// What the future returns, unless the end comes first. Work may be stopped at any await. It is boxed,
/// because the compiler gives up on the layout of what nests too deep.
async fn until<T>(
    end: Instant,
    work: impl Future<Output = Result<T, PortError>>,
) -> Result<Option<T>, PortError> {
    timeout_at(end, Box::pin(work)).await.ok().transpose()
}

fn metrics(response: &Response) -> Vec<Metric> {
    let reconciled = response.reconciled;
    vec![
        Metric::count("RunsContinued", response.runs_continued),
        Metric::count("RunsEnded", response.runs_ended),
        Metric::count("JobsStopped", response.jobs_stopped),
        Metric::count("ClaimsAdopted", reconciled.claims_adopted),
        Metric::count("ClaimsReleased", reconciled.claims_released),
        Metric::count("SurplusTerminated", reconciled.surplus_terminated),
        Metric::count("SubmissionsLost", reconciled.lost),
        Metric::count("JobsResubmitted", reconciled.resubmitted),
        Metric::count("JobsHeldBack", response.jobs_held_back),
        Metric::count("LogsArchived", response.logs_archived),
        Metric::count("Postponed", reconciled.postponed + response.postponed),
        Metric::count("UnreadableItems", reconciled.unreadable + response.unreadable),
        Metric::count("PassesCutShort", u64::from(response.cut_short)),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_of_others_are_refused_by_name() {
        for event in
            [json!({}), json!({"source": "aws.events", "detail-type": "Scheduled Event"}), json!({"a": 1})]
        {
            assert!(check(&event).is_ok(), "{event}");
        }
        for (event, what) in [
            (json!([1]), "not [1]"),
            (json!({"source": "aws.batch"}), "not an event of \"aws.batch\""),
            (json!({"Records": []}), "not a batch of records"),
        ] {
            let error = check(&event).unwrap_err().to_string();
            assert!(error.ends_with(what), "{error}");
        }
    }
}
