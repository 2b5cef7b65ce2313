//! What a head keeps of each submission of its job.

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::children::Children;
use super::ids::JobId;
use super::job::JobState;
use super::status::JobStatus;
use super::times::Timestamp;

/// One submission of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Try {
    /// What Batch called it.
    pub job_id: JobId,
    /// Where it was submitted.
    pub job_queue: String,
    /// When it was written down, by our own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted_at: Option<Timestamp>,
    /// How it ended: written by the claim that replaces it, `None` before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<TryEnd>,
    /// Of an array whose lost children are run again: what is known of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children: Option<Children>,
}

/// How a submission ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TryEnd {
    /// SUCCEEDED or FAILED.
    pub status: JobStatus,
    /// Why it FAILED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

impl TryEnd {
    /// The end that a state tells of; `None` where it has not ended.
    pub fn of(state: &JobState) -> Option<TryEnd> {
        state.status.is_terminal().then(|| TryEnd { status: state.status, cause: state.cause() })
    }
}
