//! What a head keeps of each submission of its job.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::children::Children;
use super::ids::JobId;
use super::job::{JobHead, JobState};
use super::newer::Newer;
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
    /// What a newer version wrote.
    #[serde(flatten)]
    pub newer: Newer,
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

impl JobHead {
    /// Submissions that a head names when a person asks for its job again. The record of a job that is asked for
    /// every night must not grow until the store refuses it; DynamoDB's items hold 400 KB.
    pub const TRIES_KEPT: usize = 100;

    /// Submissions in all.
    pub fn tries_in_all(&self) -> u64 {
        u64::from(self.earlier_tries) + self.job_tries.len() as u64
    }

    /// Leaves the oldest submissions out, down to [`JobHead::TRIES_KEPT`]. Those since a person last asked are
    /// kept, because the budgets count them.
    pub(super) fn leave_early_tries_out(&mut self) {
        let surplus = self.job_tries.len().saturating_sub(Self::TRIES_KEPT);
        let count = u32::try_from(surplus).unwrap_or(u32::MAX).min(self.tries_before);
        let left_out: BTreeSet<JobId> = self.job_tries.drain(..count as usize).collect();
        self.tries.retain(|known| !left_out.contains(&known.job_id));
        self.tries_before -= count;
        self.earlier_tries = self.earlier_tries.saturating_add(count);
    }

    /// Keeps what is known of the children of the latest submission. The head changes only where `job_id` is
    /// still the latest, its lost children are run again, and their end was not known before. Returns whether
    /// it changed.
    pub fn keep_children(&mut self, job_id: &JobId, children: &Children, now: Timestamp) -> bool {
        let is_latest = self.job_id.as_ref() == Some(job_id);
        let known = self.tries.iter_mut().find(|known| is_latest && known.job_id == *job_id);
        let Some(known) = known.and_then(|known| known.children.as_mut()) else { return false };
        if known.outcome.is_some() {
            return false;
        }
        known.clone_from(children);
        self.updated_at = now;
        true
    }

    /// Takes a submission out; the last one left is the latest then. Returns whether it was there.
    /// `updated_at` stays, because nothing happened to the job.
    pub fn forget(&mut self, job_id: &JobId) -> bool {
        let Some(at) = self.job_tries.iter().position(|known| known == job_id) else { return false };
        self.job_tries.remove(at);
        self.tries.retain(|known| known.job_id != *job_id);
        if u32::try_from(at).is_ok_and(|at| at < self.tries_before) {
            self.tries_before -= 1;
        }
        self.job_id = self.job_tries.last().cloned();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_version_wrote_of_a_try_is_written_back() {
        let written = serde_json::json!({"jobId": "4c7599ae", "jobQueue": "q", "price": {"usd": 0.5}});
        let read: Try = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(read.job_queue, "q");
        assert_eq!(serde_json::to_value(&read).unwrap(), written);
    }
}
