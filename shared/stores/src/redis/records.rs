//! What is kept, and on which lists each record stands.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::keys::{List, timed};
use crate::domain::{
    FollowUp, JobHead, JobId, JobName, JobState, JobStatus, LogsRecord, Run, Submission, Timestamp,
};

/// A record, kept as JSON under one key.
pub(super) trait Record: Serialize + DeserializeOwned {
    /// Its places: a list, and the member that stands for it.
    fn places(&self) -> Vec<(List, String)>;
}

impl Record for JobHead {
    fn places(&self) -> Vec<(List, String)> {
        let name = self.spec.job_name.as_str();
        let mut places =
            vec![(List::Jobs, name.to_owned()), (List::JobsOfRun(self.run_id.clone()), name.to_owned())];
        if let Some(claim) = &self.claim {
            places.push((List::Claims, timed(claim.expires_at, name)));
        }
        if self.job_id.is_none() {
            places.push((List::Unsubmitted, name.to_owned()));
        }
        places
    }
}

/// What is kept of a submission, child or node.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    #[serde(flatten)]
    pub(super) submission: Submission,
    /// `stoppedAt`, or where Batch reports none, when the end was written.
    pub(super) ended_at: Option<Timestamp>,
    /// When it was last heard of, or Batch was asked about it.
    pub(super) silent_since: Timestamp,
    /// Whether it is its job's latest submission.
    #[serde(default)]
    pub(super) latest: bool,
    /// Whether its children SUCCEEDED at last, though it FAILED.
    #[serde(default)]
    pub(super) recovered: bool,
}

impl Item {
    /// The item after a state was applied.
    pub(super) fn with_state(known: Option<&Self>, state: JobState, now: Timestamp) -> Self {
        let ended_at = state.status.is_terminal().then(|| state.times.stopped_at.unwrap_or(now));
        let logs = known.and_then(|known| known.submission.logs.clone());
        Self {
            submission: Submission { state, logs, updated_at: now, follow_up: FollowUp::Open },
            ended_at,
            silent_since: now,
            latest: known.is_some_and(|known| known.latest),
            recovered: known.is_some_and(|known| known.recovered),
        }
    }

    pub(super) fn job_id(&self) -> &JobId {
        &self.submission.state.job_id
    }

    pub(super) fn job_name(&self) -> &JobName {
        &self.submission.state.job_name
    }

    pub(super) fn is_unsettled(&self) -> bool {
        self.submission.follow_up != FollowUp::Settled && self.submission.state.has_loose_ends()
    }

    fn logs_wait_since(&self) -> Option<Timestamp> {
        let ended_at = self.ended_at?;
        self.submission.logs.as_ref().map_or(Some(ended_at), |logs| LogsRecord::waits_since(logs, ended_at))
    }
}

impl Record for Item {
    fn places(&self) -> Vec<(List, String)> {
        let id = self.job_id().as_str();
        let (name, status) = (self.job_name(), self.submission.state.status);
        let mut places = vec![
            (List::SubmissionsOf(name.clone()), id.to_owned()),
            (List::SubmissionsWithStatus(status), id.to_owned()),
        ];
        if self.latest {
            let status = if self.recovered { JobStatus::Succeeded } else { status };
            places.push((List::JobsWithStatus(status), name.as_str().to_owned()));
        }
        if self.is_unsettled() {
            places.push((List::Unsettled, id.to_owned()));
        }
        if let Some(dependency) = self.submission.follow_up.waits_for() {
            places.push((List::WaitingFor(dependency.clone()), id.to_owned()));
        }
        if self.ended_at.is_none() {
            places.push((List::Silent, timed(self.silent_since, id)));
        }
        if let Some(since) = self.logs_wait_since() {
            places.push((List::Logs, timed(since, id)));
        }
        places
    }
}

impl Record for Run {
    fn places(&self) -> Vec<(List, String)> {
        let id = self.run_id.as_str();
        let mut places = vec![(List::Runs, id.to_owned())];
        if self.has_work_left() {
            places.push((List::UnfinishedRuns, timed(self.updated_at, id)));
        }
        places
    }
}
