//! A job queue and its compute environments, as far as they say why a job waits.

use serde::Serialize;

use super::times::Timestamp;

/// The name of a queue that is given by its name or its ARN.
pub fn queue_name(queue: &str) -> &str {
    queue.rsplit('/').next().unwrap_or(queue)
}

/// A job queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are JobQueueDetail's own")]
pub struct JobQueue {
    pub job_queue_name: String,
    /// ENABLED or DISABLED.
    pub state: String,
    /// CREATING, UPDATING, DELETING, DELETED, VALID or INVALID.
    pub status: String,
    pub status_reason: Option<String>,
    /// In the order in which jobs are placed.
    pub compute_environments: Vec<ComputeEnvironment>,
    /// The RUNNABLE jobs at its front, by `GetJobQueueSnapshot`: at most a hundred.
    pub front: Vec<InFront>,
}

/// A compute environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are ComputeEnvironmentDetail's own")]
pub struct ComputeEnvironment {
    pub compute_environment_name: String,
    /// ENABLED or DISABLED.
    pub state: String,
    pub status: String,
    pub status_reason: Option<String>,
    pub max_vcpus: Option<i32>,
    pub desired_vcpus: Option<i32>,
}

/// A job at the front of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InFront {
    /// Its ARN; ends with its id.
    pub job_arn: String,
    /// Since when it has this place.
    pub since: Option<Timestamp>,
}
