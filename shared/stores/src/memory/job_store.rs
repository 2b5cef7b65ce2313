//! Heads and submissions in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::lists::page_of;
use super::lock;
use super::records::{Item, Records, Sheet};
use crate::domain::claims;
use crate::domain::transition::{OrderKey, Transition, transition};
use crate::domain::{
    Children, ClaimOutcome, FollowUp, Job, JobHead, JobId, JobName, JobState, JobStatus, LogsRecord,
    NewClaim, NewSubmission, Nonce, RecordOutcome, Run, RunId, SheetId, StatusCounts, Submission, Timestamp,
};
use crate::ports::{
    Applied, ClaimStore, Cursor, JobQueries, JobRemoval, Page, PortError, StateStore, WorkLists,
};

/// A [`JobStore`](crate::ports::JobStore) and [`RunStore`](crate::ports::RunStore) in memory. Clones share what they hold.
#[derive(Debug, Clone, Default)]
pub struct InMemoryJobStore {
    pub(super) state: Arc<Mutex<Records>>,
}

impl ClaimStore for InMemoryJobStore {
    async fn open_sheet(
        &self,
        names: &[JobName],
        expires_at: Timestamp,
    ) -> Result<Option<SheetId>, PortError> {
        let mut state = lock(&self.state);
        state.sheets_opened += 1;
        let id = SheetId(state.sheets_opened.to_string());
        state.sheets.insert(id.clone(), Sheet { names: names.to_vec(), expires_at });
        Ok(Some(id))
    }

    async fn close_sheet(&self, sheet: &SheetId) -> Result<(), PortError> {
        lock(&self.state).sheets.remove(sheet);
        Ok(())
    }

    async fn claim(&self, claim: &NewClaim) -> Result<ClaimOutcome, PortError> {
        let mut state = lock(&self.state);
        let mut known = state.heads.get(&claim.spec.job_name).cloned();
        let outcome = claims::claim(&mut known, claim);
        if let (ClaimOutcome::Granted(_), Some(head)) = (&outcome, known) {
            state.heads.insert(claim.spec.job_name.clone(), head);
        }
        Ok(outcome)
    }

    async fn release(
        &self,
        job_name: &JobName,
        nonce: &Nonce,
        refusal: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        let mut state = lock(&self.state);
        let known = state.heads.get_mut(job_name);
        Ok(known.is_some_and(|known| claims::release(known, nonce, refusal, now)))
    }

    async fn record_submission(&self, new: &NewSubmission) -> Result<RecordOutcome, PortError> {
        Ok(lock(&self.state).record(new.state(), new.now, |head| claims::record(head.as_mut(), new)))
    }

    async fn take_in(&self, claim: &NewClaim, job_id: &JobId) -> Result<RecordOutcome, PortError> {
        let submitted = JobState::submitted(claim.spec.job_name.clone(), job_id.clone(), None);
        let rule = |head: &mut Option<JobHead>| claims::take_in(head, claim, job_id);
        Ok(lock(&self.state).record(submitted, claim.now, rule))
    }
}

impl StateStore for InMemoryJobStore {
    async fn apply_state(&self, arrived: &JobState, now: Timestamp) -> Result<Applied, PortError> {
        let mut state = lock(&self.state);
        let known = state.items.get(&arrived.job_id).map(|item| &item.submission.state);
        match transition(known, arrived) {
            Transition::Apply => {
                state.insert(arrived.clone(), now);
                Ok(Applied::Applied)
            }
            Transition::Ignore(_) => Ok(Applied::Stale),
        }
    }

    async fn apply_known(&self, arrived: &JobState, now: Timestamp) -> Result<Option<Applied>, PortError> {
        if !lock(&self.state).items.contains_key(&arrived.job_id) {
            return Ok(None);
        }
        self.apply_state(arrived, now).await.map(Some)
    }

    async fn save_children(
        &self,
        job_name: &JobName,
        job_id: &JobId,
        children: &Children,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        let mut state = lock(&self.state);
        let known = state.heads.get_mut(job_name);
        Ok(known.is_some_and(|known| known.keep_children(job_id, children, now)))
    }

    async fn save_logs(&self, job_id: &JobId, logs: &LogsRecord, now: Timestamp) -> Result<bool, PortError> {
        let mut state = lock(&self.state);
        let Some(item) = state.items.get_mut(job_id) else { return Ok(false) };
        if !logs.complete && item.submission.logs.as_ref().is_some_and(|known| known.complete) {
            return Ok(false);
        }
        item.submission.logs = Some(logs.clone());
        item.submission.updated_at = now;
        item.silent_since = now;
        Ok(true)
    }
}

impl WorkLists for InMemoryJobStore {
    async fn unsettled_ends(&self, page: Option<&Cursor>) -> Result<Page<Submission>, PortError> {
        Ok(lock(&self.state).items_where(page, Item::is_unsettled))
    }

    async fn ends_waiting_for(
        &self,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        let state = lock(&self.state);
        let ids = state.waiting.get(job_name).into_iter().flatten();
        let items = ids.filter_map(|id| Some((id.as_str(), state.items.get(id)?)));
        Ok(page_of(items, page).map(|item| item.submission.clone()))
    }

    async fn save_follow_up(
        &self,
        _: &JobName,
        job_id: &JobId,
        follow_up: &FollowUp,
    ) -> Result<(), PortError> {
        lock(&self.state).save_follow_up(job_id, follow_up);
        Ok(())
    }

    async fn expired_claims(
        &self,
        before: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<JobHead>, PortError> {
        let state = lock(&self.state);
        let named: BTreeSet<&JobName> = state.sheets.values().flat_map(|sheet| &sheet.names).collect();
        let expired = |(name, head): &(&JobName, &JobHead)| {
            let stands = head.claim.as_ref().filter(|claim| claim.expires_at < before);
            stands.is_some_and(|claim| !claim.on_sheet || named.contains(name))
        };
        let heads = state.heads.iter().filter(expired);
        Ok(page_of(heads.map(|(name, head)| (name.as_str(), head)), page).map(JobHead::clone))
    }

    async fn close_left_sheets(&self, before: Timestamp) -> Result<(), PortError> {
        let mut state = lock(&self.state);
        let Records { sheets, heads, .. } = &mut *state;
        let stands = |name: &JobName| heads.get(name).is_some_and(|head| head.claim.is_some());
        sheets.retain(|_, sheet| sheet.expires_at >= before || sheet.names.iter().any(stands));
        Ok(())
    }

    async fn silent_submissions(
        &self,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        let state = lock(&self.state);
        let is_silent = |item: &&Item| item.ended_at.is_none() && item.silent_since < since;
        let by_time: BTreeMap<String, &Item> =
            state.items.values().filter(is_silent).map(|item| (item.silence_key(), item)).collect();
        let entries = by_time.iter().map(|(key, item)| (key.as_str(), *item));
        Ok(page_of(entries, page).map(|item| item.submission.clone()))
    }

    async fn no_news(
        &self,
        submissions: &[Submission],
        heard_at: Option<Timestamp>,
        asked_at: Timestamp,
    ) -> Result<(), PortError> {
        let mut state = lock(&self.state);
        for asked in submissions {
            let Some(item) = state.items.get_mut(&asked.state.job_id) else { continue };
            let known = &mut item.submission;
            if item.ended_at.is_some() || OrderKey::of(&known.state) != OrderKey::of(&asked.state) {
                continue;
            }
            item.silent_since = asked_at;
            known.updated_at = heard_at.unwrap_or(known.updated_at);
        }
        Ok(())
    }

    async fn unfinished_logs(
        &self,
        before: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        let waits_since = |item: &Item| match &item.submission.logs {
            Some(logs) => item.ended_at.and_then(|ended_at| logs.waits_since(ended_at)),
            None => item.ended_at,
        };
        Ok(lock(&self.state).items_where(page, |item| waits_since(item).is_some_and(|since| since < before)))
    }
}

impl JobQueries for InMemoryJobStore {
    async fn job(&self, job_name: &JobName) -> Result<Option<Job>, PortError> {
        let state = lock(&self.state);
        Ok(state.heads.get(job_name).map(|head| state.job(head)))
    }

    async fn jobs_named(&self, job_names: &[JobName]) -> Result<Vec<Option<Job>>, PortError> {
        let state = lock(&self.state);
        let heads = job_names.iter().map(|name| state.heads.get(name));
        Ok(heads.map(|head| head.map(|head| state.job(head))).collect())
    }

    async fn submission(&self, job_id: &JobId) -> Result<Option<Submission>, PortError> {
        let state = lock(&self.state);
        Ok(state.items.get(job_id).map(|item| item.submission.clone()))
    }

    async fn submission_of(
        &self,
        job_name: &JobName,
        job_id: &JobId,
    ) -> Result<Option<Submission>, PortError> {
        Ok(self.submission(job_id).await?.filter(|found| found.state.job_name == *job_name))
    }

    async fn submissions(
        &self,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        let state = lock(&self.state);
        let items = state.ids_of(job_name).filter_map(|id| Some((id.as_str(), state.items.get(id)?)));
        Ok(page_of(items, page).map(|item| item.submission.clone()))
    }

    async fn submissions_with_status(
        &self,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        Ok(lock(&self.state).items_where(page, |item| item.submission.state.status == status))
    }

    async fn jobs(&self, run_id: Option<&RunId>, page: Option<&Cursor>) -> Result<Page<Job>, PortError> {
        Ok(lock(&self.state).jobs_where(page, |head| run_id.is_none_or(|run_id| head.run_id == *run_id)))
    }

    async fn jobs_with_status(
        &self,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> Result<Page<Job>, PortError> {
        let state = lock(&self.state);
        Ok(state.jobs_where(page, |head| state.status(head) == Some(status)))
    }

    async fn count_by_status(&self) -> Result<StatusCounts, PortError> {
        let state = lock(&self.state);
        let mut counts = StatusCounts::default();
        for head in state.heads.values() {
            match state.status(head) {
                Some(status) => counts[status] += 1,
                None => counts.unsubmitted += 1,
            }
        }
        Ok(counts)
    }
}

impl JobRemoval for InMemoryJobStore {
    async fn remove_submission(&self, job_id: &JobId) -> Result<Option<Submission>, PortError> {
        let mut state = lock(&self.state);
        let Some(removed) = state.remove(job_id) else { return Ok(None) };
        let job_name = &removed.state.job_name;
        if let Some(known) = state.heads.get_mut(job_name) {
            known.forget(job_id);
        }
        let children: Vec<JobId> =
            state.ids_of(job_name).filter(|id| id.parent().as_ref() == Some(job_id)).cloned().collect();
        for child in children {
            state.remove(&child);
        }
        Ok(Some(removed))
    }

    async fn remove_job(&self, job_name: &JobName) -> Result<Vec<JobId>, PortError> {
        Ok(lock(&self.state).remove_job(job_name))
    }

    async fn prune_job(&self, head: &JobHead) -> Result<bool, PortError> {
        let mut state = lock(&self.state);
        let job_name = &head.spec.job_name;
        let is_as_read = state.heads.get(job_name) == Some(head);
        if is_as_read {
            state.remove_job(job_name);
        }
        Ok(is_as_read)
    }

    async fn prune_run(&self, run: &Run) -> Result<bool, PortError> {
        let mut state = lock(&self.state);
        let is_as_read = state.runs.get(&run.run_id) == Some(run);
        if is_as_read {
            state.runs.remove(&run.run_id);
        }
        Ok(is_as_read)
    }
}
