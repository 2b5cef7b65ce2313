//! How the cause of a FAILED state is told from the texts that Batch, ECS and Kubernetes write.
//!
//! Each row has a fixture with its public source in `tests/fixtures/causes.json`, and `docs/causes.md` says what
//! follows from each cause.

use super::cause::Cause;
use super::job::JobState;
use super::reasons;

/// How a container's exit code tells of SIGKILL: 128 + 9.
const KILLED_EXIT_CODE: i32 = 137;

/// What ECS's `stopCode` may put before a reason.
const STOP_CODES: [&str; 4] =
    ["TaskFailedToStart: ", "SpotInterruption: ", "TerminationNotice: ", "EssentialContainerExited: "];

/// Words of a passing fault: the same call succeeds a little later, or on another host.
const PASSING: &[&str] = &[
    "throttl",
    "rate exceeded",
    "requestlimitexceeded",
    "too many requests",
    "i/o time",
    "timed out",
    "timeout",
    "deadline exceeded",
    "connection reset",
    "connection refused",
    "send request failed",
    "service unavailable",
    "internal error",
];

/// One row: a text that begins so and, where `having` is not empty, holds one of these words.
struct Row {
    begins: &'static str,
    having: &'static [&'static str],
    cause: Cause,
}

const fn row(begins: &'static str, cause: Cause) -> Row {
    Row { begins, having: &[], cause }
}

const fn having(begins: &'static str, having: &'static [&'static str], cause: Cause) -> Row {
    Row { begins, having, cause }
}

/// Rows of `statusReason`; the first that matches wins. [`reasons::CONTAINER_EXITED`] and
/// [`reasons::NOT_STARTED`] are absent, because they say nothing.
const STATUS_REASONS: &[Row] = &[
    row(reasons::LOST, Cause::Lost),
    having("Host EC2", &["terminated", "stopped"], Cause::HostLost),
    row("Your Spot Task was interrupted", Cause::HostLost),
    row("ECS is performing maintenance on the underlying infrastructure", Cause::HostLost),
    row(reasons::TIMED_OUT, Cause::Timeout),
    row(reasons::DEPENDENCY_FAILED, Cause::Dependency),
    row(reasons::CHILD_FAILED, Cause::Child),
    row(reasons::QUEUE_DELETED, Cause::Configuration),
    row("Container Overrides length must be at most", Cause::Configuration),
    row("MISCONFIGURATION:", Cause::Configuration),
    row("ACTION_REQUIRED", Cause::Configuration),
    row("CAPACITY:", Cause::Capacity),
    row("Capacity is unavailable at this time", Cause::Capacity),
    having("ECS was unable to assume the role", PASSING, Cause::HostError),
    row("ECS was unable to assume the role", Cause::Configuration),
    row("Timeout waiting for network interface provisioning", Cause::HostError),
    row("Timeout waiting for EphemeralStorage provisioning", Cause::HostError),
    having("Unexpected EC2 error", &["insufficientfreeaddresses"], Cause::Capacity),
    having("Unexpected EC2 error", PASSING, Cause::HostError),
    row("Unexpected EC2 error", Cause::Configuration),
];

/// Rows of a container's `reason`: error types of the ECS agent, and reasons of Kubernetes.
///
/// Sources: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>,
/// <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/>.
const CONTAINER_REASONS: &[Row] = &[
    row("OutOfMemory", Cause::OutOfMemory),
    row("CannotPull", Cause::Image),
    row("DockerTimeoutError", Cause::HostError),
    row("DockerStateError", Cause::HostError),
    row("ContainerRuntimeTimeoutError", Cause::HostError),
    row("ContainerRuntimeError", Cause::HostError),
    row("CannotInspectContainerError", Cause::HostError),
    row("CannotStopContainerError", Cause::HostError),
    row("CgroupError", Cause::HostError),
    row("InternalError", Cause::HostError),
    // The container's definition is at fault, unless what it needed (its log stream, a volume) did not
    // answer in time. A program may be named `timeout`, so that row comes first.
    having("CannotStartContainerError", &["executable file not found", "no such file"], Cause::Configuration),
    having("CannotStartContainerError", PASSING, Cause::HostError),
    row("CannotStartContainerError", Cause::Configuration),
    having("CannotCreateContainerError", &["invalid", "duplicate"], Cause::Configuration),
    row("CannotCreateContainerError", Cause::HostError),
    having("CannotCreateVolumeError", PASSING, Cause::HostError),
    row("CannotCreateVolumeError", Cause::Configuration),
    // Secrets, log groups and file systems that can't be reached: time-outs there mean a subnet without a
    // route far more often than a passing fault.
    having(
        "ResourceInitializationError",
        &["throttl", "rate exceeded", "connection reset"],
        Cause::HostError,
    ),
    row("ResourceInitializationError", Cause::Configuration),
    row("ResourceNotFoundException", Cause::Configuration),
    row("OOMKilled", Cause::OutOfMemory),
    row("ImagePullBackOff", Cause::Image),
    row("ErrImage", Cause::Image),
    row("ImageInspectError", Cause::Image),
    row("InvalidImageName", Cause::Image),
    row("RegistryUnavailable", Cause::Image),
    row("CreateContainerConfigError", Cause::Configuration),
    row("CreateContainerError", Cause::Configuration),
    row("RunContainerError", Cause::Configuration),
    row("ContainerCannotRun", Cause::Configuration),
    row("StartError", Cause::Configuration),
    row("DeadlineExceeded", Cause::Timeout),
    row("Evicted", Cause::HostError),
    row("NodeShutdown", Cause::HostLost),
    row("NodeLost", Cause::HostLost),
    row("Terminated: Pod was terminated in response to imminent node shutdown", Cause::HostLost),
];

/// Tells the cause of a FAILED state.
///
/// The flags come before the texts, because the reason of a stopped job is whatever its user wrote. One text
/// comes before the flags: an action of the queue cancels a job too, and nobody asked for that.
pub(super) fn classify(state: &JobState) -> Cause {
    let status_reason = without_stop_code(state.status_reason.as_deref().unwrap_or_default());
    let reason = without_stop_code(state.reason.as_deref().unwrap_or_default());
    if let Some((_, why)) = status_reason.split_once(reasons::TIME_LIMIT_ACTION) {
        return find(STATUS_REASONS, why.trim_start()).unwrap_or(Cause::Capacity);
    }
    if state.is_cancelled {
        return Cause::Cancelled;
    }
    if state.is_terminated {
        return Cause::Terminated;
    }
    find(STATUS_REASONS, status_reason)
        .or_else(|| find(CONTAINER_REASONS, reason))
        .or_else(|| find(CONTAINER_REASONS, status_reason))
        .or_else(|| find(STATUS_REASONS, reason))
        .or_else(|| by_exit_code(state.exit_code))
        .unwrap_or(Cause::Unknown)
}

fn without_stop_code(text: &str) -> &str {
    STOP_CODES.iter().find_map(|code| text.strip_prefix(code)).unwrap_or(text)
}

/// Case counts for nothing: consoles and older agents write the same texts in other cases.
fn find(rows: &[Row], text: &str) -> Option<Cause> {
    let text = text.to_ascii_lowercase();
    let hit = rows.iter().find(|row| {
        text.starts_with(&row.begins.to_ascii_lowercase())
            && (row.having.is_empty() || row.having.iter().any(|word| text.contains(word)))
    });
    hit.map(|row| row.cause)
}

fn by_exit_code(exit_code: Option<i32>) -> Option<Cause> {
    match exit_code? {
        0 => None,
        KILLED_EXIT_CODE => Some(Cause::OutOfMemory),
        _ => Some(Cause::ExitCode),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{JobId, JobName, JobStatus};

    fn failed(status_reason: &str, exit_code: Option<i32>) -> JobState {
        let id = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8").unwrap();
        let mut state = JobState::submitted(JobName::parse("job").unwrap(), id, None);
        state.status = JobStatus::Failed;
        state.status_reason = (!status_reason.is_empty()).then(|| status_reason.to_owned());
        state.exit_code = exit_code;
        state
    }

    #[test]
    fn what_the_engine_and_the_reconciler_write_is_understood() {
        for (text, cause) in [
            (reasons::host_lost("i-0a1b"), Cause::HostLost),
            (reasons::TIMED_OUT.into(), Cause::Timeout),
            (reasons::DEPENDENCY_FAILED.into(), Cause::Dependency),
            (reasons::CHILD_FAILED.into(), Cause::Child),
            (reasons::QUEUE_DELETED.into(), Cause::Configuration),
            (reasons::OVERRIDES_TOO_LONG.into(), Cause::Configuration),
            (reasons::TOO_LARGE.into(), Cause::Configuration),
            (format!("{}; it was RUNNING when it was last heard of", reasons::LOST), Cause::Lost),
            (reasons::CONTAINER_EXITED.into(), Cause::Unknown),
            (reasons::NOT_STARTED.into(), Cause::Unknown),
            (String::new(), Cause::Unknown),
        ] {
            assert_eq!(failed(&text, None).cause(), Some(cause), "{text:?}");
        }
    }

    #[test]
    fn the_flags_come_before_a_reason_that_a_person_wrote() {
        let mut state = failed("Host EC2 is too dear, terminated", Some(143));
        state.is_terminated = true;
        assert_eq!(state.cause(), Some(Cause::Terminated));
        state.is_cancelled = true;
        assert_eq!(state.cause(), Some(Cause::Cancelled));
    }

    #[test]
    fn a_job_that_succeeded_has_no_cause() {
        let state = JobState { status: JobStatus::Succeeded, ..failed(reasons::CONTAINER_EXITED, Some(0)) };
        assert_eq!(state.cause(), None);
    }

    #[test]
    fn no_row_is_hidden_behind_an_earlier_one() {
        for rows in [STATUS_REASONS, CONTAINER_REASONS] {
            for (index, row) in rows.iter().enumerate() {
                let text = format!("{} {}", row.begins, row.having.first().unwrap_or(&""));
                let first =
                    rows.iter().position(|earlier| find(std::slice::from_ref(earlier), &text).is_some());
                assert_eq!(first, Some(index), "{text}");
            }
        }
    }
}
