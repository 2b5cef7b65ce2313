//! Why a job is where it is, with the evidence.

use serde::Serialize;

use super::array_counts::{ArrayCounts, array_counts};
use super::log_tail::LogTail;
use super::read_logs::read_logs;
use crate::domain::explain::{Facts, Situation, again, blocking, situation};
use crate::domain::queue::queue_name;
use crate::domain::retry::{Next, next};
use crate::domain::{Attempt, Job, JobId, JobName, JobQueue, JobState, JobStatus, Submission};
use crate::ports::{Clock, JobQueries, LogSource, ObjectStore, PortError, QueueSource, RunStore};

/// Tries that are looked at: the latest.
const TRIES_MAX: usize = 5;

/// Lines of the log that are shown: the last.
const LOG_LINES: usize = 15;

/// A job, explained.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The job.
    pub job_name: JobName,
    /// Its latest submission.
    pub job_id: Option<JobId>,
    /// Its status.
    pub status: Option<JobStatus>,
    /// Where it is: the cause of a failure, or why it waits.
    pub situation: Situation,
    /// What that means.
    pub meaning: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// Whether batchwright submits it again, and why.
    pub again: String,
    /// What that was told from, in the order in which it came about.
    pub evidence: Vec<Evidence>,
    /// The last lines of the log of the latest submission, or of the array's first failed child.
    pub log_tail: Vec<String>,
}

/// Something that was said of the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Of what: `try 2`, `attempt 1`, `queue`.
    pub of: String,
    /// What was said.
    pub says: String,
}

/// Where logs are read.
#[derive(Debug)]
pub struct Logs<'a, L, O> {
    /// Where jobs write.
    pub source: &'a L,
    /// Where their logs are archived.
    pub archive: &'a O,
}

/// Explains one job. `is_attended`: on one machine, whether a process runs the folder's jobs.
///
/// A log or a queue that can't be read is evidence too, not an error.
pub async fn explain<S, Q, L, O>(
    store: &S,
    queues: &Q,
    logs: &Logs<'_, L, O>,
    clock: &impl Clock,
    job: &Job,
    is_attended: bool,
) -> Result<Explanation, PortError>
where
    S: JobQueries + RunStore,
    Q: QueueSource,
    L: LogSource,
    O: ObjectStore,
{
    let mut evidence = Vec::new();
    tries(store, job, &mut evidence).await?;
    let children = array_counts(store, job).await?;
    if let Some(children) = &children {
        tell(&mut evidence, "children", children_told(children));
    }
    let dependency_failed_for_good = dependencies(store, job, &mut evidence).await?;
    let run = store.run(&job.head.run_id).await?;
    if let Some(cancellation) = run.as_ref().and_then(|run| run.cancellation.as_ref()) {
        let when = cancellation.requested_at.to_rfc3339_seconds();
        tell(
            &mut evidence,
            "run",
            format!("{} was cancelled at {when}: {}", job.head.run_id, cancellation.reason),
        );
    }
    let waits = job.status().is_some_and(|status| status < JobStatus::Starting);
    let queue = if waits { queue(queues, job, &mut evidence).await } else { None };
    let facts = Facts {
        job,
        dependency_failed_for_good,
        queue: queue.as_ref(),
        run_is_cancelled: run.is_some_and(|run| run.state.is_cancelled()),
        is_attended,
        now: clock.now(),
    };
    if let Some(first) = blocking(&facts) {
        tell(&mut evidence, "front of the queue", first.to_owned());
    }
    let situation = situation(&facts);
    Ok(Explanation {
        job_name: job.name().clone(),
        job_id: job.head.job_id.clone(),
        status: job.status(),
        situation,
        meaning: situation.meaning(),
        remedy: situation.remedy(),
        again: again(&facts),
        log_tail: log_tail(store, logs, job, children.as_ref(), &mut evidence).await?,
        evidence,
    })
}

fn tell(evidence: &mut Vec<Evidence>, of: impl Into<String>, says: String) {
    evidence.push(Evidence { of: of.into(), says });
}

async fn tries<S: JobQueries>(store: &S, job: &Job, evidence: &mut Vec<Evidence>) -> Result<(), PortError> {
    let before = job.head.job_tries.len().saturating_sub(TRIES_MAX);
    let first = u64::from(job.head.earlier_tries) + 1;
    for (number, job_id) in (first..).zip(&job.head.job_tries).skip(before) {
        let Some(Submission { state, .. }) = store.submission(job_id).await? else { continue };
        tell(evidence, format!("try {number}"), state_told(&state));
        for (number, attempt) in (1..).zip(&state.attempts) {
            tell(evidence, format!("  attempt {number}"), attempt_told(attempt));
        }
    }
    if let Some(refusal) = &job.head.refusal {
        tell(evidence, "refusal", refusal.clone());
    }
    if let Some(claim) = &job.head.claim {
        tell(evidence, "claim", format!("stands until {}", claim.expires_at.to_rfc3339_seconds()));
    }
    Ok(())
}

fn state_told(state: &JobState) -> String {
    let mut parts = vec![format!("{} in {}", state.status, queue_name(&state.job_queue))];
    parts.extend(state.cause().map(|cause| cause.to_string()));
    parts.extend(state.status_reason.clone());
    parts.extend(state.reason.clone());
    parts.extend(state.exit_code.map(|code| format!("exit code {code}")));
    parts.push(state.job_id.to_string());
    parts.join("; ")
}

fn attempt_told(attempt: &Attempt) -> String {
    let mut parts: Vec<String> = attempt.status_reason.iter().chain(&attempt.reason).cloned().collect();
    parts.extend(attempt.exit_code.map(|code| format!("exit code {code}")));
    let ran = attempt.started_at.zip(attempt.stopped_at).map(|(start, stop)| stop.millis_since(start));
    parts.extend(ran.map(|millis| format!("ran {} s", millis / 1_000)));
    if parts.is_empty() { "nothing was said".to_owned() } else { parts.join("; ") }
}

fn children_told(children: &ArrayCounts) -> String {
    let counts = children.counts.iter().filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts.map(|(status, count)| format!("{count} {status}")).collect();
    match children.failure() {
        Some(failure) => format!("{}; {failure}", counts.join(", ")),
        None => counts.join(", "),
    }
}

/// Tells of the jobs that it depends on. Returns whether one of them FAILED and is not submitted again.
async fn dependencies<S: JobQueries>(
    store: &S,
    job: &Job,
    evidence: &mut Vec<Evidence>,
) -> Result<bool, PortError> {
    let names: Vec<JobName> = job.head.spec.dependency_names().cloned().collect();
    let known = store.jobs_named(&names).await?;
    let mut failed_for_good = false;
    for (name, known) in names.into_iter().zip(known) {
        let status = known.as_ref().and_then(Job::status);
        let cause = known.as_ref().and_then(Job::state).and_then(JobState::cause);
        let told = match (status, cause) {
            (Some(status), Some(cause)) => format!("{status} ({cause})"),
            (Some(status), None) => status.to_string(),
            (None, _) => "never submitted".to_owned(),
        };
        tell(evidence, "depends on", format!("{name}: {told}"));
        let is_done =
            known.as_ref().is_some_and(|job| job.state().is_some_and(|state| next(job, state) == Next::Done));
        failed_for_good |= status == Some(JobStatus::Failed) && is_done;
    }
    for job_id in job.head.spec.depends_on.iter().filter_map(|dependency| dependency.job_id.as_ref()) {
        tell(evidence, "depends on", job_id.to_string());
    }
    Ok(failed_for_good)
}

async fn queue<Q: QueueSource>(queues: &Q, job: &Job, evidence: &mut Vec<Evidence>) -> Option<JobQueue> {
    let told = job.state().map(|state| state.job_queue.as_str()).filter(|queue| !queue.is_empty());
    let name = told.unwrap_or(job.head.claimed_queue());
    match queues.job_queue(name).await {
        Ok(Some(queue)) => {
            tell_of_queue(&queue, evidence);
            Some(queue)
        }
        Ok(None) => None,
        Err(error) => {
            tell(evidence, "queue", format!("{name} can't be looked at: {error}"));
            None
        }
    }
}

fn tell_of_queue(queue: &JobQueue, evidence: &mut Vec<Evidence>) {
    let reason = queue.status_reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    tell(
        evidence,
        "queue",
        format!("{} is {} and {}{reason}", queue.job_queue_name, queue.state, queue.status),
    );
    for environment in &queue.compute_environments {
        let reason = environment.status_reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let number = |vcpus: Option<i32>| vcpus.map_or_else(|| "?".to_owned(), |vcpus| vcpus.to_string());
        let vcpus =
            format!("{} of {} vCPUs", number(environment.desired_vcpus), number(environment.max_vcpus));
        let name = &environment.compute_environment_name;
        let told = format!("{name} is {} and {}{reason}; {vcpus}", environment.state, environment.status);
        tell(evidence, "environment", told);
    }
}

async fn log_tail<S: JobQueries, L: LogSource, O: ObjectStore>(
    store: &S,
    logs: &Logs<'_, L, O>,
    job: &Job,
    children: Option<&ArrayCounts>,
    evidence: &mut Vec<Evidence>,
) -> Result<Vec<String>, PortError> {
    let failed_child = children.and_then(|children| children.failed.first());
    let of = match (&job.latest, failed_child) {
        (Some(array), Some(child)) => store.submission(&array.state.job_id.array_child(child.index)).await?,
        (latest, _) => latest.clone(),
    };
    let Some(of) = of.filter(|of| of.state.status >= JobStatus::Running) else { return Ok(Vec::new()) };
    let mut tail = LogTail::of(LOG_LINES);
    let read = read_logs(logs.source, logs.archive, &of, |_, event| tail.push(&event.message));
    if let Err(error) = read.await {
        tell(evidence, "log", format!("can't be read: {error}"));
    }
    Ok(tail.into_lines())
}
