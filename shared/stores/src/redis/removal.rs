//! Forgetting. What is found by others goes last, so that a removal that was interrupted can be repeated.

use super::RedisStore;
use super::commit::Commit;
use super::keys::{List, parts_of};
use super::records::Item;
use crate::domain::{JobHead, JobId, JobName, Run, Submission};
use crate::ports::PortError;

/// Items of one script: Redis does nothing else while it runs.
const BATCH: usize = 100;

const SUBMISSION: &str = "remove a submission";
const JOB: &str = "remove a job";

impl RedisStore {
    /// The children first: without their parent nobody would find them.
    pub(super) async fn forget_submission(&self, job_id: &JobId) -> Result<Option<Submission>, PortError> {
        loop {
            let was = self.item(SUBMISSION, job_id).await?;
            let Some(item) = &was.record else { return Ok(None) };
            let job_name = item.job_name().clone();
            for (from, to) in parts_of(job_id) {
                self.forget_items(SUBMISSION, &job_name, &from, &to).await?;
            }
            let mut commit = Commit::default();
            commit.change(SUBMISSION, &was, None)?;
            let head_was = self.head(SUBMISSION, &job_name).await?;
            if let Some(mut head) = head_was.record.clone()
                && head.forget(job_id)
            {
                commit.change(SUBMISSION, &head_was, Some(&head))?;
                if let Some(latest) = &head.job_id
                    && latest != job_id
                {
                    self.mark_latest(&mut commit, latest, true).await?;
                }
            }
            if self.commit(SUBMISSION, &commit).await? {
                return Ok(was.record.map(|item| item.submission));
            }
        }
    }

    /// The head last: while it stands, the job is known.
    pub(super) async fn forget_job(&self, job_name: &JobName) -> Result<Vec<JobId>, PortError> {
        let removed = self.forget_items(JOB, job_name, "-", "+").await?;
        loop {
            let was = self.head(JOB, job_name).await?;
            let mut commit = Commit::default();
            commit.change(JOB, &was, None)?;
            if self.commit(JOB, &commit).await? {
                return Ok(removed.into_iter().filter(|id| id.parent().is_none()).collect());
            }
        }
    }

    /// The head last, and only as it was read: whoever claims the job meanwhile keeps it.
    pub(super) async fn forget_job_as_read(&self, head: &JobHead) -> Result<bool, PortError> {
        let job_name = &head.spec.job_name;
        if self.head(JOB, job_name).await?.record.as_ref() != Some(head) {
            return Ok(false);
        }
        self.forget_items(JOB, job_name, "-", "+").await?;
        let was = self.head(JOB, job_name).await?;
        if was.record.as_ref() != Some(head) {
            return Ok(false);
        }
        let mut commit = Commit::default();
        commit.change(JOB, &was, None)?;
        self.commit(JOB, &commit).await
    }

    pub(super) async fn forget_run(&self, run: &Run) -> Result<bool, PortError> {
        const OPERATION: &str = "remove a run";
        let was = self.found_run(OPERATION, &run.run_id).await?;
        if was.record.as_ref() != Some(run) {
            return Ok(false);
        }
        let mut commit = Commit::default();
        commit.change(OPERATION, &was, None)?;
        self.commit(OPERATION, &commit).await
    }

    /// Removes the items of a job within a range of ids, and returns their ids.
    async fn forget_items(
        &self,
        operation: &'static str,
        job_name: &JobName,
        from: &str,
        to: &str,
    ) -> Result<Vec<JobId>, PortError> {
        let list = List::SubmissionsOf(job_name.clone());
        let mut removed = Vec::new();
        loop {
            let ids = self.members(operation, &list, from, to).await?;
            if ids.is_empty() {
                return Ok(removed);
            }
            for batch in ids.chunks(BATCH) {
                let keys: Vec<String> = batch.iter().map(|id| self.keys.submission(id)).collect();
                let found = self.all::<Item>(operation, &keys).await?;
                let mut commit = Commit::default();
                for was in &found {
                    commit.change(operation, was, None)?;
                }
                // What was changed meanwhile is still on the list, and comes again.
                if self.commit(operation, &commit).await? {
                    removed.extend(found.into_iter().filter_map(|was| Some(was.record?.job_id().clone())));
                }
            }
        }
    }
}
