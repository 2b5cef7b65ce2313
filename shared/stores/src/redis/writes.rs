//! What each call changes: records are read, a rule decides, and all is written on condition that nothing has changed.

use super::RedisStore;
use super::commit::Commit;
use super::reads::Found;
use super::records::Item;
use crate::domain::claims;
use crate::domain::transition::{OrderKey, Transition, transition};
use crate::domain::{
    Children, ClaimOutcome, FollowUp, JobHead, JobId, JobName, JobState, LogsRecord, NewClaim, Nonce,
    RecordOutcome, Run, Submission, Timestamp,
};
use crate::ports::{Applied, PortError};

const CLAIM: &str = "claim a job";
const RELEASE: &str = "release a claim";
const RECORD: &str = "record a submission";
const CHILDREN: &str = "keep what is known of an array's children";

impl RedisStore {
    pub(super) async fn write_claim(&self, claim: &NewClaim) -> Result<ClaimOutcome, PortError> {
        loop {
            let was = self.head(CLAIM, &claim.spec.job_name).await?;
            let mut head = was.record.clone();
            let outcome = claims::claim(&mut head, claim);
            if !matches!(outcome, ClaimOutcome::Granted(_)) {
                return Ok(outcome);
            }
            let mut commit = Commit::default();
            commit.change(CLAIM, &was, head.as_ref())?;
            if self.commit(CLAIM, &commit).await? {
                return Ok(outcome);
            }
        }
    }

    pub(super) async fn write_release(
        &self,
        job_name: &JobName,
        nonce: &Nonce,
        refusal: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        loop {
            let was = self.head(RELEASE, job_name).await?;
            let Some(mut head) = was.record.clone() else { return Ok(false) };
            if !claims::release(&mut head, nonce, refusal, now) {
                return Ok(false);
            }
            let mut commit = Commit::default();
            commit.change(RELEASE, &was, Some(&head))?;
            if self.commit(RELEASE, &commit).await? {
                return Ok(true);
            }
        }
    }

    /// Writes what the rule makes of the head, and the submission.
    pub(super) async fn write_submission(
        &self,
        submitted: JobState,
        now: Timestamp,
        rule: impl Fn(&mut Option<JobHead>) -> RecordOutcome + Send + Sync,
    ) -> Result<RecordOutcome, PortError> {
        loop {
            let was = self.head(RECORD, &submitted.job_name).await?;
            let mut head = was.record.clone();
            let outcome = rule(&mut head);
            if outcome != RecordOutcome::Recorded {
                return Ok(outcome);
            }
            let mut commit = Commit::default();
            commit.change(RECORD, &was, head.as_ref())?;
            if let Some(before) = was.record.as_ref().and_then(|head| head.job_id.as_ref()) {
                self.mark_latest(&mut commit, before, false).await?;
            }
            let item_was = self.item(RECORD, &submitted.job_id).await?;
            // An event that came first is newer than this, or the same.
            let item = item_was.record.clone();
            let item = item.unwrap_or_else(|| Item::with_state(None, submitted.clone(), now));
            commit.change(RECORD, &item_was, Some(&Item { latest: true, ..item }))?;
            if self.commit(RECORD, &commit).await? {
                return Ok(outcome);
            }
        }
    }

    /// Adds to a write whether a submission is its job's latest, where it is known.
    pub(super) async fn mark_latest(
        &self,
        commit: &mut Commit,
        job_id: &JobId,
        latest: bool,
    ) -> Result<(), PortError> {
        let was = self.item(RECORD, job_id).await?;
        let will_be = was.record.clone().map(|item| Item { latest, ..item });
        commit.change(RECORD, &was, will_be.as_ref())
    }

    pub(super) async fn write_children(
        &self,
        job_name: &JobName,
        job_id: &JobId,
        children: &Children,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        loop {
            let was = self.head(CHILDREN, job_name).await?;
            let Some(mut head) = was.record.clone() else { return Ok(false) };
            if !head.keep_children(job_id, children, now) {
                return Ok(false);
            }
            let mut commit = Commit::default();
            commit.change(CHILDREN, &was, Some(&head))?;
            if head.has_recovered() {
                let item_was = self.item(CHILDREN, job_id).await?;
                let item = item_was.record.clone().map(|item| Item { recovered: true, ..item });
                commit.change(CHILDREN, &item_was, item.as_ref())?;
            }
            if self.commit(CHILDREN, &commit).await? {
                return Ok(true);
            }
        }
    }

    /// Changes one item by a rule, which returns what it is to be, or `None` where it stays. Returns whether it was
    /// written.
    async fn change_item(
        &self,
        operation: &'static str,
        job_id: &JobId,
        rule: impl Fn(Option<&Item>) -> Option<Item>,
    ) -> Result<bool, PortError> {
        loop {
            let was = self.item(operation, job_id).await?;
            let Some(item) = rule(was.record.as_ref()) else { return Ok(false) };
            if self.replace(operation, &was, &item).await? {
                return Ok(true);
            }
        }
    }

    async fn replace(
        &self,
        operation: &'static str,
        was: &Found<Item>,
        item: &Item,
    ) -> Result<bool, PortError> {
        let mut commit = Commit::default();
        commit.change(operation, was, Some(item))?;
        self.commit(operation, &commit).await
    }

    pub(super) async fn write_state(&self, state: &JobState, now: Timestamp) -> Result<Applied, PortError> {
        let rule = |known: Option<&Item>| match transition(known.map(|item| &item.submission.state), state) {
            Transition::Apply => Some(Item::with_state(known, state.clone(), now)),
            Transition::Ignore(_) => None,
        };
        let written = self.change_item("apply a state", &state.job_id, rule).await?;
        Ok(if written { Applied::Applied } else { Applied::Stale })
    }

    pub(super) async fn write_logs(
        &self,
        job_id: &JobId,
        logs: &LogsRecord,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        let rule = |known: Option<&Item>| {
            let known = known?;
            if !logs.complete && known.submission.logs.as_ref().is_some_and(|known| known.complete) {
                return None;
            }
            let mut item = known.clone();
            item.submission.logs = Some(logs.clone());
            item.submission.updated_at = now;
            item.silent_since = now;
            Some(item)
        };
        self.change_item("save logs", job_id, rule).await
    }

    pub(super) async fn write_follow_up(
        &self,
        job_id: &JobId,
        follow_up: &FollowUp,
    ) -> Result<(), PortError> {
        let rule = |known: Option<&Item>| {
            let known = known.filter(|item| item.is_unsettled())?;
            if follow_up.is_before(&known.submission.follow_up) {
                return None;
            }
            let mut item = known.clone();
            item.submission.follow_up = follow_up.clone();
            Some(item)
        };
        self.change_item("keep what follows from an end", job_id, rule).await?;
        Ok(())
    }

    pub(super) async fn write_silence(
        &self,
        asked: &Submission,
        heard_at: Option<Timestamp>,
        asked_at: Timestamp,
    ) -> Result<(), PortError> {
        let rule = |known: Option<&Item>| {
            let known = known?;
            let changed = OrderKey::of(&known.submission.state) != OrderKey::of(&asked.state);
            if known.ended_at.is_some() || changed {
                return None;
            }
            let mut item = Item { silent_since: asked_at, ..known.clone() };
            item.submission.updated_at = heard_at.unwrap_or(item.submission.updated_at);
            Some(item)
        };
        self.change_item("note silence", &asked.state.job_id, rule).await?;
        Ok(())
    }

    pub(super) async fn write_new_run(&self, run: &Run) -> Result<Option<Run>, PortError> {
        const OPERATION: &str = "create a run";
        loop {
            let was = self.found_run(OPERATION, &run.run_id).await?;
            if was.record.is_some() {
                return Ok(was.record);
            }
            let mut commit = Commit::default();
            commit.change(OPERATION, &was, Some(run))?;
            if self.commit(OPERATION, &commit).await? {
                return Ok(None);
            }
        }
    }

    pub(super) async fn write_run(&self, run: &Run) -> Result<bool, PortError> {
        const OPERATION: &str = "save a run";
        loop {
            let was = self.found_run(OPERATION, &run.run_id).await?;
            if !was.record.as_ref().is_some_and(|known| run.may_replace(known)) {
                return Ok(false);
            }
            let mut commit = Commit::default();
            commit.change(OPERATION, &was, Some(run))?;
            if self.commit(OPERATION, &commit).await? {
                return Ok(true);
            }
        }
    }
}
