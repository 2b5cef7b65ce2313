//! Forgetting. What is found by others goes last, so that a removal that was interrupted can be repeated.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{Delete, DeleteRequest, TransactWriteItem, WriteRequest};

use super::DynamoDbJobStore;
use super::call::{Written, failed, pause_before, transacted, unusable, written};
use super::item::{self, Item};
use super::keys;
use super::table::JOB_ID;
use crate::domain::{JobHead, JobId, JobName, Run, Submission};
use crate::ports::PortError;

/// Writes of one `BatchWriteItem`. Source: its API reference.
const BATCH_WRITE_MAX: usize = 25;

/// Items of one query.
const PAGE_SIZE: i32 = 500;

const BATCH: &str = "BatchWriteItem";
const DELETE: &str = "DeleteItem";
const TRANSACT: &str = "TransactWriteItems";

impl DynamoDbJobStore {
    /// The children first: without their parent nobody would find them.
    pub(super) async fn forget_submission(&self, key: &Item) -> Result<Option<Submission>, PortError> {
        let Some(found) = self.item(&self.tables.jobs, key.clone()).await? else { return Ok(None) };
        let submission = item::to_submission(&found).map_err(unusable("GetItem"))?;
        let job_id = &submission.state.job_id;
        let is_child = |key: &str| JobId::parse(key).is_ok_and(|id| id.parent().as_ref() == Some(job_id));
        self.remove_items(&submission.state.job_name, is_child).await?;
        Ok(Some(submission))
    }

    /// Takes the submission itself, and what the head says of it, in one step.
    pub(super) async fn try_forget(&self, submission: &Submission) -> Result<Option<()>, PortError> {
        let (job_name, job_id) = (&submission.state.job_name, &submission.state.job_id);
        let delete = Delete::builder().table_name(&self.tables.jobs);
        let delete = delete.set_key(Some(item::submission_key(job_name, job_id))).build();
        let delete = delete.map_err(unusable(TRANSACT))?;
        let mut writes = vec![TransactWriteItem::builder().delete(delete).build()];
        if let Some((mut head, revision)) = self.head(job_name).await?
            && head.forget(job_id)
        {
            writes.push(self.head_write(&head, Some(revision))?);
            if let Some(latest) = &head.job_id
                && self.item(&self.tables.jobs, item::submission_key(job_name, latest)).await?.is_some()
            {
                let recovered = head.has_recovered();
                let place = if recovered { keys::other_place(latest) } else { keys::latest_place(job_name) };
                writes.push(self.place_write(job_name, latest, place)?);
            }
        }
        let answer = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        Ok((transacted(TRANSACT, answer)? == Written::Done).then_some(()))
    }

    /// The head last: while it stands, the job is known.
    pub(super) async fn forget_job(&self, job_name: &JobName) -> Result<Vec<JobId>, PortError> {
        let removed = self.remove_items(job_name, |key| key != keys::HEAD).await?;
        let removed = removed.iter().filter(|key| keys::is_job_id(key)).map(|key| JobId::parse(key));
        let mut removed: Vec<JobId> = removed.collect::<Result<_, _>>().map_err(unusable("Query"))?;
        removed.retain(|id| id.parent().is_none());
        let delete = self.client.delete_item().table_name(&self.tables.jobs);
        let delete = delete.set_key(Some(item::head_key(job_name)));
        delete.send().await.map_err(|error| failed(DELETE, error))?;
        Ok(removed)
    }

    /// The head last, on condition that it is the one that was read: whoever claims the job meanwhile keeps it.
    pub(super) async fn forget_job_as_read(&self, head: &JobHead) -> Result<bool, PortError> {
        let job_name = &head.spec.job_name;
        let Some((known, revision)) = self.head(job_name).await? else { return Ok(false) };
        if known != *head {
            return Ok(false);
        }
        self.remove_items(job_name, |key| key != keys::HEAD).await?;
        let delete = self.client.delete_item().table_name(&self.tables.jobs);
        let delete = delete.set_key(Some(item::head_key(job_name)));
        let delete = delete.condition_expression("#revision = :revision");
        let delete = delete.expression_attribute_names("#revision", item::REVISION);
        let delete = delete.expression_attribute_values(":revision", item::number(revision));
        Ok(written(DELETE, delete.send().await)? == Written::Done)
    }

    /// A run that is over is written by looks alone, and each has a number.
    pub(super) async fn forget_run(&self, run: &Run) -> Result<bool, PortError> {
        let delete = self.client.delete_item().table_name(&self.tables.runs);
        let delete = delete.set_key(Some(item::run_key(run.run_id.as_str())));
        let delete = delete
            .condition_expression("#runState = :state AND (attribute_not_exists(#looks) OR #looks = :looks)");
        let delete = delete.expression_attribute_names("#runState", item::RUN_STATE);
        let delete = delete.expression_attribute_names("#looks", item::LOOKS);
        let delete = delete.expression_attribute_values(":state", item::text(run.state.as_str()));
        let delete = delete.expression_attribute_values(":looks", item::number(run.ending.looks));
        Ok(written(DELETE, delete.send().await)? == Written::Done)
    }

    /// Removes the items of a job whose sort keys are wanted.
    async fn remove_items(
        &self,
        job_name: &JobName,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>, PortError> {
        let (mut removed, mut after) = (Vec::new(), None);
        loop {
            let page = self.partition(job_name, after, PAGE_SIZE).await?;
            let keys = page.items.iter().filter_map(|item| item::text_in(item, JOB_ID));
            let keys: Vec<String> = keys.filter(|key| wanted(key)).map(str::to_owned).collect();
            for batch in keys.chunks(BATCH_WRITE_MAX) {
                self.delete_batch(batch.iter().map(|key| item::item_key(job_name.as_str(), key))).await?;
            }
            removed.extend(keys);
            after = page.next;
            if after.is_none() {
                return Ok(removed);
            }
        }
    }

    /// One batch, with what DynamoDB leaves over.
    async fn delete_batch(&self, keys: impl Iterator<Item = Item>) -> Result<(), PortError> {
        let request = |key| {
            let delete = DeleteRequest::builder().set_key(Some(key)).build()?;
            Ok(WriteRequest::builder().delete_request(delete).build())
        };
        let requests: Result<Vec<WriteRequest>, aws_sdk_dynamodb::error::BuildError> =
            keys.map(request).collect();
        let requests = requests.map_err(unusable(BATCH))?;
        let mut left = Some(HashMap::from([(self.tables.jobs.clone(), requests)]));
        for round in 0.. {
            let answer = self.client.batch_write_item().set_request_items(left.take()).send().await;
            let answer = answer.map_err(|error| failed(BATCH, error))?;
            left = answer.unprocessed_items.filter(|tables| !tables.is_empty());
            if left.is_none() {
                break;
            }
            pause_before(BATCH, round).await?;
        }
        Ok(())
    }
}
