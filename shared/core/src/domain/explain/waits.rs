//! Why a RUNNABLE submission waits in its queue.

use super::situation::Situation;
use crate::domain::ids::JobId;
use crate::domain::job::JobState;
use crate::domain::queue::{ComputeEnvironment, InFront, JobQueue, queue_name};
use crate::domain::times::Timestamp;

/// Jobs that `GetJobQueueSnapshot` tells of. Source: its API reference.
const FRONT_MAX: usize = 100;

/// Compute environments that a reason names. Source: Batch's quota of environments a queue.
const ENVIRONMENTS_TOLD: usize = 3;

/// How long a job stands at the front before it counts as one that can't be placed: Batch itself tells of a
/// blocked queue after ten minutes.
const BLOCKED_AFTER_MS: i64 = 600_000;

/// Why a RUNNABLE submission waits in its queue. What Batch's own `statusReason` says comes first: it is about this very
/// job.
pub fn waits(queue: &JobQueue, state: &JobState, now: Timestamp) -> Situation {
    if queue.state == "DISABLED" {
        return Situation::QueueDisabled;
    }
    let works = |state: &str, status: &str| state == "ENABLED" && status == "VALID";
    let usable: Vec<_> = queue
        .compute_environments
        .iter()
        .filter(|environment| works(&environment.state, &environment.status))
        .collect();
    if usable.is_empty() && !queue.compute_environments.is_empty() {
        return Situation::EnvironmentBroken;
    }
    let reason = state.status_reason.as_deref().unwrap_or_default();
    if does_not_fit(state) {
        return Situation::DoesNotFit;
    }
    if reason.starts_with("MISCONFIGURATION:") {
        return Situation::EnvironmentBroken;
    }
    if in_the_way(queue, &state.job_id, now).is_some() {
        return Situation::QueueBlocked;
    }
    let is_full =
        |desired: Option<i32>, max: Option<i32>| matches!((desired, max), (Some(d), Some(m)) if d >= m);
    let full = usable.iter().all(|environment| is_full(environment.desired_vcpus, environment.max_vcpus));
    if full && !usable.is_empty() { Situation::AtMaximum } else { Situation::WaitsForCapacity }
}

/// Whether Batch says that nothing in the queue can hold the submission. Source: the user guide, "Jobs stuck in RUNNABLE".
pub(super) fn does_not_fit(state: &JobState) -> bool {
    const REASON: &str = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT";
    state.status_reason.as_deref().is_some_and(|reason| reason.starts_with(REASON))
}

pub(super) fn in_the_way<'a>(queue: &'a JobQueue, job_id: &JobId, now: Timestamp) -> Option<&'a InFront> {
    let first = queue.front.first()?;
    let is_long = first.since.is_some_and(|since| now.millis_since(since) >= BLOCKED_AFTER_MS);
    (!is_of(first, job_id) && is_long).then_some(first)
}

fn is_of(entry: &InFront, job_id: &JobId) -> bool {
    entry.job_arn.ends_with(job_id.as_str())
}

/// Why a submission is RUNNABLE for long, in words that are kept with it as its reason: the situation and what it was
/// told from, as in `QUEUE_DISABLED: the queue spot is DISABLED; number 3 at its front`. `None` where Batch itself has
/// told why, because that is about this very job.
pub fn wait_reason(queue: &JobQueue, state: &JobState, now: Timestamp) -> Option<(Situation, String)> {
    if state.status_reason.as_deref().is_some_and(|reason| !is_wait_reason(reason)) {
        return None;
    }
    let situation = waits(queue, state, now);
    let mut said = seen(queue, situation, &state.job_id, now);
    match queue.front.iter().position(|entry| is_of(entry, &state.job_id)) {
        Some(place) => said += &format!("; number {} at its front", place + 1),
        None if queue.front.len() >= FRONT_MAX => said += &format!("; behind the {FRONT_MAX} at its front"),
        None => {}
    }
    Some((situation, format!("{situation}: {said}")))
}

/// Whether a reason was told by [`wait_reason`], and not by Batch.
fn is_wait_reason(reason: &str) -> bool {
    let word = reason.split(": ").next().unwrap_or_default();
    Situation::IN_A_QUEUE.iter().any(|situation| situation.as_str() == word)
}

/// What a situation is told from.
fn seen(queue: &JobQueue, situation: Situation, job_id: &JobId, now: Timestamp) -> String {
    let name = &queue.job_queue_name;
    let because =
        |reason: &Option<String>| reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
    let environments = |told: &dyn Fn(&ComputeEnvironment) -> String| {
        queue.compute_environments.iter().take(ENVIRONMENTS_TOLD).map(told).collect::<Vec<_>>().join(", ")
    };
    match situation {
        Situation::QueueDisabled => {
            format!("the queue {name} is {}{}", queue.state, because(&queue.status_reason))
        }
        Situation::EnvironmentBroken => environments(&|environment| {
            let ComputeEnvironment { compute_environment_name, state, status, status_reason, .. } =
                environment;
            format!("{compute_environment_name} is {state} and {status}{}", because(status_reason))
        }),
        Situation::QueueBlocked => in_the_way(queue, job_id, now).map_or(String::new(), |first| {
            let since =
                first.since.map_or(String::new(), |since| format!(" since {}", since.to_rfc3339_seconds()));
            format!("{} is at the front of {name}{since}", queue_name(&first.job_arn))
        }),
        Situation::AtMaximum => environments(&|environment| {
            let vcpus = |vcpus: Option<i32>| vcpus.map_or("?".to_owned(), |vcpus| vcpus.to_string());
            let (desired, max) = (vcpus(environment.desired_vcpus), vcpus(environment.max_vcpus));
            format!("{} uses {desired} of {max} vCPUs", environment.compute_environment_name)
        }),
        _ => format!("the queue {name} and its compute environments are in order"),
    }
}
