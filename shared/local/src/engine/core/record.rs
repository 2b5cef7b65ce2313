//! What the engine remembers of a job.

use serde::{Deserialize, Serialize};

use super::capacity::Need;
use super::image::Image;
use super::task::Task;
use super::vcpus::MilliVcpus;
use crate::domain::{JobId, JobStatus, Timestamp};
use crate::events::JobDetail;

/// One run of a job's command.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptId {
    /// The job or array child.
    pub job_id: JobId,
    /// 1 for the first.
    pub number: u32,
}

/// A job, array parent or array child, as the engine's books hold it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobRecord {
    /// The number of the submission, from 1. Children have their parent's.
    pub sequence: u64,
    /// What `DescribeJobs` answers.
    pub detail: JobDetail,
    /// The vCPUs that must be free for it to start.
    pub need: MilliVcpus,
    /// The jobs that must still succeed first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting_on: Vec<JobId>,
    /// The attempt that is STARTING or RUNNING.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<CurrentAttempt>,
    /// The image of its definition, and how that is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Box<Image>>,
    /// Of a job with several containers or nodes: what they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Box<Task>>,
    /// Of an array parent: why it FAILS, where not for its children alone. Of other jobs: why it FAILS instead of being
    /// started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// By which name the runner keeps how its attempts are started. `None`: as this engine's runner starts all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
}

/// The attempt that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CurrentAttempt {
    /// 1 for the first.
    pub number: u32,
    /// When it went to RUNNING.
    pub started_at: Option<Timestamp>,
    /// That it is being stopped.
    pub stop: Option<Stop>,
    /// How far the machine's clock has jumped ahead since it started: no part of its running time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clock_jumps_ms: i64,
}

fn is_zero(millis: &i64) -> bool {
    *millis == 0
}

/// An attempt has been sent SIGTERM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stop {
    /// Why.
    pub cause: StopCause,
    /// When SIGKILL follows; `None` once it has been sent.
    pub kill_at: Option<Timestamp>,
}

/// Why an attempt is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StopCause {
    /// It ran longer than `timeout.attemptDurationSeconds`.
    Timeout,
    /// `TerminateJob` was called, with this reason.
    Terminated(String),
}

impl JobRecord {
    /// The job's id.
    pub fn job_id(&self) -> &JobId {
        &self.detail.job_id
    }

    /// The job's status.
    pub fn status(&self) -> JobStatus {
        self.detail.status
    }

    /// Children, of an array parent.
    pub fn array_size(&self) -> Option<u32> {
        self.detail.array_properties.as_ref().and_then(|array| array.size)
    }

    /// The index of an array child.
    pub fn array_index(&self) -> Option<u32> {
        self.detail.array_properties.as_ref().and_then(|array| array.index)
    }

    /// Nodes, of a multi-node job.
    pub fn nodes(&self) -> u32 {
        self.task.as_ref().map_or(0, |task| task.num_nodes())
    }

    /// Whether it is a node: it goes where its multi-node job goes.
    pub fn is_node(&self) -> bool {
        self.detail.node_details.is_some()
    }

    /// What must be free for it to start.
    pub(crate) fn whole_need(&self) -> Need {
        if let Some(task) = &self.task {
            return task.need();
        }
        Need::of(self.need, self.detail.container.as_ref())
    }

    /// How long an attempt may run.
    pub(crate) fn timeout_seconds(&self) -> Option<u32> {
        self.detail.timeout.as_ref()?.attempt_duration_seconds
    }

    /// When the next signal is due.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let attempt = self.attempt.as_ref()?;
        match &attempt.stop {
            Some(stop) => stop.kill_at,
            None => {
                let allowed_ms = i64::from(self.timeout_seconds()?) * 1_000 + attempt.clock_jumps_ms;
                Some(attempt.started_at?.plus_millis(allowed_ms))
            }
        }
    }
}
