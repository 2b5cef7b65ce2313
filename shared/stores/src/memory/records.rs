//! What the store in memory holds, and the changes and lists of it that several ports share.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::lists::page_of;
use crate::domain::{
    FollowUp, Job, JobHead, JobId, JobName, JobState, JobStatus, RecordOutcome, Run, RunId, SheetId,
    Submission, Timestamp,
};
use crate::ports::{Cursor, Page};

#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) heads: BTreeMap<JobName, JobHead>,
    pub(super) sheets: BTreeMap<SheetId, Sheet>,
    /// Numbers them.
    pub(super) sheets_opened: u64,
    pub(super) items: BTreeMap<JobId, Item>,
    /// The items by their jobs.
    items_of_jobs: BTreeMap<JobName, BTreeSet<JobId>>,
    /// The items that wait for a decision on a job, by that job.
    pub(super) waiting: BTreeMap<JobName, BTreeSet<JobId>>,
    pub(super) runs: BTreeMap<RunId, Run>,
}

/// Memory lists claims at no cost; it keeps sheets all the same, so that what DynamoDB relies on is tried here, too.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) names: Vec<JobName>,
    pub(super) expires_at: Timestamp,
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) submission: Submission,
    /// `stoppedAt`, or where Batch reports none, when the end was written.
    pub(super) ended_at: Option<Timestamp>,
    /// When it was last heard of, or Batch was asked about it.
    pub(super) silent_since: Timestamp,
}

impl Item {
    /// Orders by time: the sign is turned, so that earlier moments than 1970 come first.
    pub(super) fn silence_key(&self) -> String {
        let order = self.silent_since.as_millis().cast_unsigned() ^ (1 << 63);
        format!("{order:020} {}", self.submission.state.job_id)
    }

    pub(super) fn is_unsettled(&self) -> bool {
        self.submission.follow_up != FollowUp::Settled && self.submission.state.has_loose_ends()
    }
}

impl Records {
    pub(super) fn job(&self, head: &JobHead) -> Job {
        let latest = head.job_id.as_ref().and_then(|job_id| self.items.get(job_id));
        Job { head: head.clone(), latest: latest.map(|item| item.submission.clone()) }
    }

    pub(super) fn status(&self, head: &JobHead) -> Option<JobStatus> {
        let job_id = head.job_id.as_ref()?;
        if head.has_recovered() {
            return Some(JobStatus::Succeeded);
        }
        let item = self.items.get(job_id);
        Some(item.map_or(JobStatus::Submitted, |item| item.submission.state.status))
    }

    pub(super) fn insert(&mut self, state: JobState, now: Timestamp) {
        let (job_name, job_id) = (state.job_name.clone(), state.job_id.clone());
        self.items_of_jobs.entry(job_name).or_default().insert(job_id.clone());
        let ended_at = state.status.is_terminal().then(|| state.times.stopped_at.unwrap_or(now));
        let logs = self.items.remove(&job_id).and_then(|item| item.submission.logs);
        let submission = Submission { state, logs, updated_at: now, follow_up: FollowUp::Open };
        self.items.insert(job_id, Item { submission, ended_at, silent_since: now });
    }

    /// Keeps what the rule makes of the head, and the submission where no event came first.
    pub(super) fn record(
        &mut self,
        submitted: JobState,
        now: Timestamp,
        rule: impl FnOnce(&mut Option<JobHead>) -> RecordOutcome,
    ) -> RecordOutcome {
        let mut head = self.heads.get(&submitted.job_name).cloned();
        let outcome = rule(&mut head);
        if let (RecordOutcome::Recorded, Some(head)) = (outcome, head) {
            self.heads.insert(submitted.job_name.clone(), head);
            if !self.items.contains_key(&submitted.job_id) {
                self.insert(submitted, now);
            }
        }
        outcome
    }

    pub(super) fn save_follow_up(&mut self, job_id: &JobId, follow_up: &FollowUp) {
        let Some(item) = self.items.get_mut(job_id).filter(|item| item.is_unsettled()) else { return };
        if follow_up.is_before(&item.submission.follow_up) {
            return;
        }
        let before = std::mem::replace(&mut item.submission.follow_up, follow_up.clone());
        self.no_longer_waiting(job_id, &before);
        if let Some(dependency) = follow_up.waits_for() {
            self.waiting.entry(dependency.clone()).or_default().insert(job_id.clone());
        }
    }

    fn no_longer_waiting(&mut self, job_id: &JobId, follow_up: &FollowUp) {
        let Some(dependency) = follow_up.waits_for() else { return };
        if let Some(waiting) = self.waiting.get_mut(dependency) {
            waiting.remove(job_id);
            if waiting.is_empty() {
                self.waiting.remove(dependency);
            }
        }
    }

    pub(super) fn remove(&mut self, job_id: &JobId) -> Option<Submission> {
        let item = self.items.remove(job_id)?;
        self.no_longer_waiting(job_id, &item.submission.follow_up);
        if let Some(ids) = self.items_of_jobs.get_mut(&item.submission.state.job_name) {
            ids.remove(job_id);
        }
        Some(item.submission)
    }

    /// The ids of its submissions.
    pub(super) fn remove_job(&mut self, job_name: &JobName) -> Vec<JobId> {
        self.heads.remove(job_name);
        let ids = self.items_of_jobs.remove(job_name).unwrap_or_default();
        for id in &ids {
            self.remove(id);
        }
        ids.into_iter().filter(|id| id.parent().is_none()).collect()
    }

    pub(super) fn ids_of(&self, job_name: &JobName) -> impl Iterator<Item = &JobId> {
        self.items_of_jobs.get(job_name).into_iter().flatten()
    }

    pub(super) fn jobs_where(&self, page: Option<&Cursor>, wanted: impl Fn(&JobHead) -> bool) -> Page<Job> {
        let heads = self.heads.iter().filter(|(_, head)| wanted(head));
        page_of(heads.map(|(name, head)| (name.as_str(), head)), page).map(|head| self.job(head))
    }

    pub(super) fn items_where(
        &self,
        page: Option<&Cursor>,
        wanted: impl Fn(&Item) -> bool,
    ) -> Page<Submission> {
        // The walk over all pages must not begin anew with each.
        let after = page.and_then(|page| JobId::parse(&page.0).ok());
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let items = self.items.range((start, Bound::Unbounded)).filter(|(_, item)| wanted(item));
        page_of(items.map(|(id, item)| (id.as_str(), item)), page).map(|item| item.submission.clone())
    }
}
