//! Why a submission ended as it did.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::job::JobState;

/// Why a submission FAILED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Cause {
    /// The instance went away, usually a Spot interruption. Says nothing of the program.
    HostLost,
    /// The container runtime of the host failed.
    HostError,
    /// An attempt ran longer than `timeout.attemptDurationSeconds`.
    Timeout,
    /// The container was killed for its memory.
    OutOfMemory,
    /// The image could not be pulled.
    Image,
    /// A job that this one depends on failed.
    Dependency,
    /// A child of this array failed.
    Child,
    /// Batch can't run the job as it is defined.
    Configuration,
    /// No capacity was found in time.
    Capacity,
    /// `CancelJob` was called.
    Cancelled,
    /// `TerminateJob` was called.
    Terminated,
    /// Batch no longer knows the submission.
    Lost,
    /// The program ended with an exit code other than 0.
    ExitCode,
    /// None of the above can be told.
    Unknown,
}

impl Cause {
    /// All of them.
    pub const ALL: [Cause; 14] = [
        Self::HostLost,
        Self::HostError,
        Self::Timeout,
        Self::OutOfMemory,
        Self::Image,
        Self::Dependency,
        Self::Child,
        Self::Configuration,
        Self::Capacity,
        Self::Cancelled,
        Self::Terminated,
        Self::Lost,
        Self::ExitCode,
        Self::Unknown,
    ];

    /// Why a job can't ask to be submitted again for this cause; `None` where it can.
    pub const fn not_retried_on(self) -> Option<&'static str> {
        match self {
            Self::HostLost => Some("a lost host is followed by another try in any case, up to maxTries"),
            Self::Dependency => Some("a job follows the jobs that it depends on in any case"),
            Self::Child => Some("an array is never run again because of its children"),
            Self::Cancelled | Self::Terminated => Some("a job that somebody stopped stays stopped"),
            _ => None,
        }
    }

    /// As in the state and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HostLost => "HOST_LOST",
            Self::HostError => "HOST_ERROR",
            Self::Timeout => "TIMEOUT",
            Self::OutOfMemory => "OUT_OF_MEMORY",
            Self::Image => "IMAGE",
            Self::Dependency => "DEPENDENCY",
            Self::Child => "CHILD",
            Self::Configuration => "CONFIGURATION",
            Self::Capacity => "CAPACITY",
            Self::Cancelled => "CANCELLED",
            Self::Terminated => "TERMINATED",
            Self::Lost => "LOST",
            Self::ExitCode => "EXIT_CODE",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The `statusReason` that the reconciler writes for a submission that Batch no longer knows.
pub const LOST_STATUS_REASON: &str = "Batch no longer knows this job";

/// How a container's exit code tells of SIGKILL: 128 + 9.
const KILLED_EXIT_CODE: i32 = 137;

/// Where in a `statusReason` a text stands.
#[derive(Clone, Copy)]
enum At {
    Start,
    Anywhere,
}

/// `statusReason` texts, the first match wins. `Essential container in task exited` is absent: it
/// also stands on jobs that SUCCEEDED and says nothing.
const STATUS_REASONS: &[(At, &str, Cause)] = &[
    (At::Start, LOST_STATUS_REASON, Cause::Lost),
    (At::Start, "Your Spot Task was interrupted", Cause::HostLost),
    (At::Start, "Job attempt duration exceeded timeout", Cause::Timeout),
    (At::Start, "Dependent Job failed", Cause::Dependency),
    (At::Start, "Array Child Job failed", Cause::Child),
    (At::Start, "JobQueue deleted", Cause::Configuration),
    (At::Start, "Container Overrides length must be at most", Cause::Configuration),
    (At::Start, "MISCONFIGURATION:", Cause::Configuration),
    (At::Start, "CAPACITY:", Cause::Capacity),
    (At::Anywhere, "JobStateTimeLimit action due to reason: MISCONFIGURATION:", Cause::Configuration),
    (At::Anywhere, "JobStateTimeLimit action", Cause::Capacity),
];

/// Container `reason` texts.
const CONTAINER_REASONS: &[(At, &str, Cause)] = &[
    (At::Start, "CannotPullContainerError", Cause::Image),
    (At::Start, "CannotPullImageManifestError", Cause::Image),
    (At::Start, "CannotPullECRContainerError", Cause::Image),
    (At::Start, "OutOfMemoryError", Cause::OutOfMemory),
    (At::Start, "DockerTimeoutError", Cause::HostError),
    (At::Start, "CannotStartContainerError", Cause::Configuration),
    (At::Start, "CannotCreateContainerError", Cause::HostError),
    (At::Start, "CannotInspectContainerError", Cause::HostError),
    (At::Start, "ResourceInitializationError", Cause::Configuration),
];

/// Tells the cause of a FAILED state. The flags come before the texts: the reason of a cancelled job
/// is whatever its user wrote.
pub fn classify(state: &JobState) -> Cause {
    if state.is_cancelled {
        return Cause::Cancelled;
    }
    if state.is_terminated {
        return Cause::Terminated;
    }
    let status_reason = state.status_reason.as_deref().unwrap_or_default();
    let reason = state.reason.as_deref().unwrap_or_default();
    if is_host_terminated(status_reason) {
        return Cause::HostLost;
    }
    find(STATUS_REASONS, status_reason)
        .or_else(|| find(CONTAINER_REASONS, reason))
        .or_else(|| find(CONTAINER_REASONS, status_reason))
        .or_else(|| by_exit_code(state.exit_code))
        .unwrap_or(Cause::Unknown)
}

/// `Host EC2 (instance i-…) terminated.`
fn is_host_terminated(status_reason: &str) -> bool {
    status_reason.strip_prefix("Host EC2").is_some_and(|rest| rest.contains("terminated"))
}

fn find(table: &[(At, &str, Cause)], text: &str) -> Option<Cause> {
    let hit = table.iter().find(|(at, pattern, _)| match at {
        At::Start => text.starts_with(pattern),
        At::Anywhere => text.contains(pattern),
    });
    hit.map(|&(_, _, cause)| cause)
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

    fn failed(status_reason: &str, reason: &str, exit_code: Option<i32>) -> JobState {
        let id = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8").unwrap();
        let mut state = JobState::submitted(JobName::parse("job").unwrap(), id, None);
        state.status = JobStatus::Failed;
        state.status_reason = (!status_reason.is_empty()).then(|| status_reason.to_owned());
        state.reason = (!reason.is_empty()).then(|| reason.to_owned());
        state.exit_code = exit_code;
        state
    }

    #[test]
    fn causes_are_told_from_what_batch_writes() {
        const EXITED: &str = "Essential container in task exited";
        let table = [
            ("Host EC2 (instance i-0a1b2c3d4e5f67890) terminated.", "", None, Cause::HostLost),
            ("Your Spot Task was interrupted.", "", None, Cause::HostLost),
            (EXITED, "", Some(1), Cause::ExitCode),
            (EXITED, "OutOfMemoryError: Container killed due to memory usage", Some(137), Cause::OutOfMemory),
            (EXITED, "", Some(137), Cause::OutOfMemory),
            ("Task failed to start", "CannotPullContainerError: manifest unknown", None, Cause::Image),
            (
                "Task failed to start",
                "DockerTimeoutError: Could not transition to started",
                None,
                Cause::HostError,
            ),
            ("Task failed to start", "", None, Cause::Unknown),
            ("Job attempt duration exceeded timeout", "", Some(137), Cause::Timeout),
            ("Dependent Job failed", "", None, Cause::Dependency),
            ("Array Child Job failed", "", None, Cause::Child),
            ("JobQueue deleted", "", None, Cause::Configuration),
            ("Container Overrides length must be at most 8192", "", None, Cause::Configuration),
            (
                "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - no host is that large",
                "",
                None,
                Cause::Configuration,
            ),
            ("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", "", None, Cause::Capacity),
            ("Canceled by JobStateTimeLimit action due to reason: CAPACITY", "", None, Cause::Capacity),
            (
                "Canceled by JobStateTimeLimit action due to reason: MISCONFIGURATION:X",
                "",
                None,
                Cause::Configuration,
            ),
            (LOST_STATUS_REASON, "", None, Cause::Lost),
            ("", "", None, Cause::Unknown),
        ];
        for (status_reason, reason, exit_code, cause) in table {
            assert_eq!(
                failed(status_reason, reason, exit_code).cause(),
                Some(cause),
                "{status_reason:?} {reason:?}"
            );
        }
    }

    #[test]
    fn the_flags_come_before_a_reason_that_a_person_wrote() {
        let mut state = failed("Host EC2 is too dear, terminated", "", Some(143));
        state.is_terminated = true;
        assert_eq!(state.cause(), Some(Cause::Terminated));
        state.is_cancelled = true;
        assert_eq!(state.cause(), Some(Cause::Cancelled));
    }

    #[test]
    fn a_job_that_succeeded_has_no_cause() {
        let state = JobState {
            status: JobStatus::Succeeded,
            ..failed("Essential container in task exited", "", Some(0))
        };
        assert_eq!(state.cause(), None);
    }
}
