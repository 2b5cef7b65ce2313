//! The texts of `statusReason` that AWS Batch and batchwright write, each once: the embedded engine writes what
//! the classifier reads.
//!
//! Sources: <https://docs.aws.amazon.com/batch/latest/userguide/troubleshooting.html> and
//! <https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html>.

/// The container ended. Says nothing of how: it stands on jobs that SUCCEEDED too.
pub const CONTAINER_EXITED: &str = "Essential container in task exited";

/// No container ran. Its own `reason` says why.
pub const NOT_STARTED: &str = "Task failed to start";

/// An attempt ran longer than `timeout.attemptDurationSeconds`.
pub const TIMED_OUT: &str = "Job attempt duration exceeded timeout";

/// A job that this one depends on FAILED.
pub const DEPENDENCY_FAILED: &str = "Dependent Job failed";

/// A child of this array FAILED.
pub const CHILD_FAILED: &str = "Array Child Job failed";

/// The job's queue was deleted.
pub const QUEUE_DELETED: &str = "JobQueue deleted";

/// ECS takes no longer overrides: the job FAILS when it is dispatched.
pub const OVERRIDES_TOO_LONG: &str = "Container Overrides length must be at most 8192";

/// No compute environment of the queue can hold the job: it stays RUNNABLE.
pub const TOO_LARGE: &str = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than that can be met by the CE(s) attached to the job queue.";

/// What a queue's `jobStateTimeLimitActions` writes before the reason for which it acted.
pub(crate) const TIME_LIMIT_ACTION: &str = "by JobStateTimeLimit action due to reason:";

/// The reconciler's text for a submission that Batch no longer describes. Ours.
pub const LOST: &str = "Batch no longer knows this job";

/// The text for a host that went away.
pub fn host_lost(instance: &str) -> String {
    format!("Host EC2 (instance {instance}) terminated.")
}
