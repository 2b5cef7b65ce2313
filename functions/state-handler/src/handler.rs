//! Event in, answer out.

use std::collections::HashMap;

use batchwright::domain::transition::OrderKey;
use batchwright::domain::{JobId, JobState, JobStatus, Submission};
use batchwright::events::{BatchResponse, Event, JobEnded, JobStateChange, QueueBlocked, QueueMessage};
use batchwright::function::{Answer, FunctionError, Invocation, Metric, each_message};
use batchwright::ports::{Applied, Clock, EventBus, JobEngine, JobStore, RunStore, SubmissionPace};
use batchwright::use_cases::end_runs::jobs_ended;
use batchwright::use_cases::record_state::{Recorded, Recorder};
use serde::Serialize;
use serde_json::Value;
use tracing::{info, warn};

use crate::config::Config;

/// What an event led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase", tag = "outcome")]
pub enum EventOutcome {
    /// The job is not one of ours, or was removed, or the event is of another account or Region.
    NotOurs,
    /// The submission is one too many: it was terminated.
    Surplus,
    /// The state is recorded.
    Recorded,
    /// The state was known, or older than what is known, or than another of the same batch.
    Stale,
    /// The job has ended.
    Ended {
        /// How.
        status: JobStatus,
        /// Why, in the classifier's words, where it FAILED.
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
    },
    /// The job was submitted again.
    Resubmitted {
        /// Its new submission.
        job_id: JobId,
        /// Why, and which try it is, as in `HOST_LOST, try 2 of 4`.
        why: String,
    },
    /// What follows from the end is decided with a dependency, or with children that are run again.
    Waiting,
    /// The queue is blocked.
    QueueBlocked,
}

/// What the state handler answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Response {
    /// To a queue.
    Messages(BatchResponse),
    /// To everyone else.
    Event(EventOutcome),
}

/// Handles one invocation.
///
/// Errs where the event can't be read, and where a port failed: then deliver it again.
pub async fn handle<S, E, P, C, B>(
    recorder: &Recorder<'_, S, E, P, C, B>,
    config: &Config,
    event: Value,
    invocation: &Invocation,
) -> Result<Answer<Response>, FunctionError>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    B: EventBus,
{
    if let Some(messages) = QueueMessage::batch(&event)? {
        let within = invocation.time_left(recorder.clock, config.stop_margin);
        let newest = Newest::of(&messages, config);
        let batch = each_message(messages, within, |event| take(recorder, config, event, &newest)).await;
        let metrics = batch.done.iter().flat_map(Taken::metrics).chain(batch.metrics()).collect();
        return Ok(Answer { body: Response::Messages(batch.response), metrics });
    }
    let taken = take(recorder, config, event, &Newest::default()).await?;
    Ok(Answer { metrics: taken.metrics().collect(), body: Response::Event(taken.outcome) })
}

/// The newest state of each submission in a batch. An older one beside it says nothing that the newest does not, so it is
/// not written: where the newest is handed back, it comes again.
#[derive(Debug, Default)]
struct Newest(HashMap<JobId, OrderKey>);

impl Newest {
    fn of(messages: &[QueueMessage], config: &Config) -> Self {
        let mut newest = HashMap::new();
        // One message is its own newest, and what can't be read is told where it is handled.
        for body in
            messages.iter().filter(|_| messages.len() > 1).filter_map(|message| message.body.as_ref().ok())
        {
            let event = serde_json::from_str(body).ok().and_then(|event| Event::from_value(event).ok());
            let Some(Event::JobStateChange(change)) = event else { continue };
            if !config.is_from_here(&change.account, &change.region) {
                continue;
            }
            let state = change.detail.state();
            let order = OrderKey::of(&state);
            newest
                .entry(state.job_id)
                .and_modify(|known: &mut OrderKey| *known = order.max(*known))
                .or_insert(order);
        }
        Self(newest)
    }

    fn outdates(&self, state: &JobState) -> bool {
        self.0.get(&state.job_id).is_some_and(|newest| *newest > OrderKey::of(state))
    }
}

/// What an event led to, for its own job, for those that waited for it, and for their runs.
struct Taken {
    outcome: EventOutcome,
    woken: Vec<EventOutcome>,
    runs_ended: u64,
}

impl Taken {
    fn of(outcome: EventOutcome) -> Self {
        Self { outcome, woken: Vec::new(), runs_ended: 0 }
    }

    fn metrics(&self) -> impl Iterator<Item = Metric> {
        let runs_ended = (self.runs_ended > 0).then(|| Metric::count("RunsEnded", self.runs_ended));
        std::iter::once(&self.outcome).chain(&self.woken).map(metric).chain(runs_ended)
    }
}

async fn take<S, E, P, C, B>(
    recorder: &Recorder<'_, S, E, P, C, B>,
    config: &Config,
    event: Value,
    newest: &Newest,
) -> Result<Taken, FunctionError>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    B: EventBus,
{
    match Event::from_value(event)? {
        Event::JobStateChange(change) if !config.is_from_here(&change.account, &change.region) => {
            let (account, region) = (&change.account, &change.region);
            warn!(job.id = %change.detail.job_id, "an event of account {account:?} in {region:?} is left alone");
            Ok(Taken::of(EventOutcome::NotOurs))
        }
        Event::QueueBlocked(blocked) if !config.is_from_here(&blocked.account, &blocked.region) => {
            let (account, region) = (&blocked.account, &blocked.region);
            warn!(
                queue.arn = blocked.queue_arn,
                "an event of account {account:?} in {region:?} is left alone"
            );
            Ok(Taken::of(EventOutcome::NotOurs))
        }
        Event::JobStateChange(change) if newest.outdates(&change.detail.state()) => {
            Ok(Taken::of(EventOutcome::Stale))
        }
        Event::JobStateChange(change) => record(recorder, &change).await,
        Event::StrangersJob => Ok(Taken::of(EventOutcome::NotOurs)),
        Event::QueueBlocked(blocked) => Ok(Taken::of(keep_reason(recorder, &blocked).await?)),
        Event::S3Objects(_) | Event::S3Test { .. } => Err(FunctionError::Refused(
            "the state handler takes events of AWS Batch; those of S3 belong to the submitter".into(),
        )),
    }
}

async fn record<S, E, P, C, B>(
    recorder: &Recorder<'_, S, E, P, C, B>,
    change: &JobStateChange,
) -> Result<Taken, FunctionError>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    B: EventBus,
{
    let state = change.detail.state();
    let (mut woken, mut ends) = (Vec::new(), Vec::new());
    let mut telling = |state: &JobState, recorded: &Recorded| {
        ends.extend(end_in(recorded));
        woken.push(tell(state, recorded.clone()));
    };
    let recorded = recorder.record_state_telling(&state, &mut telling).await?;
    ends.extend(end_in(&recorded));
    // Where this fails the message comes again, and its own job's end with it.
    let runs_ended = jobs_ended(recorder.store, recorder.bus, recorder.clock, &ends).await?;
    Ok(Taken { outcome: tell(&state, recorded), woken, runs_ended })
}

fn end_in(recorded: &Recorded) -> Option<JobEnded> {
    match recorded {
        Recorded::Ended(end) => Some((**end).clone()),
        _ => None,
    }
}

fn tell(state: &JobState, recorded: Recorded) -> EventOutcome {
    let outcome = match recorded {
        Recorded::NotOurs => EventOutcome::NotOurs,
        Recorded::Surplus => EventOutcome::Surplus,
        Recorded::Noted(Applied::Applied) => EventOutcome::Recorded,
        Recorded::Noted(Applied::Stale) => EventOutcome::Stale,
        Recorded::Ended(end) => EventOutcome::Ended { status: end.status, cause: end.cause },
        Recorded::Resubmitted(resubmission) => {
            let why = resubmission.to_string();
            EventOutcome::Resubmitted { job_id: resubmission.job_id, why }
        }
        Recorded::Waiting => EventOutcome::Waiting,
    };
    info!(job.name = %state.job_name, job.id = %state.job_id, job.status = %state.status, ?outcome, "state change");
    outcome
}

/// Keeps why the job at the head of a queue can't be placed with the job: Batch sends no state change for it.
async fn keep_reason<S, E, P, C, B>(
    recorder: &Recorder<'_, S, E, P, C, B>,
    blocked: &QueueBlocked,
) -> Result<EventOutcome, FunctionError>
where
    S: JobStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    B: EventBus,
{
    warn!(
        queue.arn = blocked.queue_arn,
        job.arn = blocked.job_arn,
        reason = blocked.status_reason,
        "the job at the head of the queue can't be placed"
    );
    let known = match &blocked.job_id {
        Some(job_id) => recorder.store.submission(job_id).await?,
        None => None,
    };
    if let Some(Submission { state, .. }) = known.filter(|known| known.state.status == JobStatus::Runnable) {
        let status_reason = Some(blocked.status_reason.clone()).filter(|reason| !reason.is_empty());
        let state = JobState { status_reason, ..state };
        recorder.store.apply_state(&state, recorder.clock.now()).await?;
    }
    Ok(EventOutcome::QueueBlocked)
}

fn metric(outcome: &EventOutcome) -> Metric {
    match outcome {
        EventOutcome::NotOurs => Metric::count("EventsNotOurs", 1),
        EventOutcome::Surplus => Metric::count("SurplusTerminated", 1),
        EventOutcome::Recorded => Metric::count("StatesRecorded", 1),
        EventOutcome::Stale => Metric::count("StatesStale", 1),
        EventOutcome::Ended { status: JobStatus::Succeeded, .. } => Metric::count("JobsSucceeded", 1),
        EventOutcome::Ended { .. } => Metric::count("JobsFailed", 1),
        EventOutcome::Resubmitted { .. } => Metric::count("JobsResubmitted", 1),
        EventOutcome::Waiting => Metric::count("EndsWaiting", 1),
        EventOutcome::QueueBlocked => Metric::count("QueuesBlocked", 1),
    }
}
