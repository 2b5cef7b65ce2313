//! Claim, release, record. The head is read, the rule decides, and what it decides is written on the head
//! that was read: the condition is the number of the head's last write.
//!
//! Each write bears a mark of its own. Where its answer was lost and the SDK repeats it, the condition fails, and
//! the mark in the item that DynamoDB returns then tells whether the write is its own or another's.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};

use super::call::{Written, transacted, unique_mark, unusable, written};
use super::item::{self, Item};
use super::table::PLACE;
use super::{DynamoDbJobStore, keys};
use crate::domain::{
    Children, ClaimOutcome, JobHead, JobId, JobName, JobState, NewClaim, Nonce, RecordOutcome, Timestamp,
    claims,
};
use crate::ports::PortError;

impl DynamoDbJobStore {
    pub(super) async fn try_claim(&self, claim: &NewClaim) -> Result<Option<ClaimOutcome>, PortError> {
        let (mut head, revision) = parts(self.head(&claim.spec.job_name).await?);
        let outcome = claims::claim(&mut head, claim);
        let (ClaimOutcome::Granted(_), Some(head)) = (&outcome, &head) else { return Ok(Some(outcome)) };
        Ok(self.write_head(head, revision).await?.then_some(outcome))
    }

    pub(super) async fn try_release(
        &self,
        job_name: &JobName,
        nonce: &Nonce,
        refusal: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<bool>, PortError> {
        let Some((mut head, revision)) = self.head(job_name).await? else { return Ok(Some(false)) };
        if !claims::release(&mut head, nonce, refusal, now) {
            return Ok(Some(false));
        }
        Ok(self.write_head(&head, Some(revision)).await?.then_some(true))
    }

    /// Writes what the rule makes of the head, and the submission.
    pub(super) async fn try_record(
        &self,
        submitted: &JobState,
        now: Timestamp,
        rule: impl FnOnce(&mut Option<JobHead>) -> RecordOutcome,
    ) -> Result<Option<RecordOutcome>, PortError> {
        const OPERATION: &str = "TransactWriteItems";
        let job_name = &submitted.job_name;
        let (mut head, revision) = parts(self.head(job_name).await?);
        let before = head.as_ref().and_then(|head| head.job_id.clone());
        let outcome = rule(&mut head);
        let (RecordOutcome::Recorded, Some(head)) = (outcome, &head) else { return Ok(Some(outcome)) };
        let mut writes = vec![self.head_write(head, revision)?, self.latest_write(submitted, now).await?];
        if let Some(before) = before
            && self.item(&self.tables.jobs, item::submission_key(job_name, &before)).await?.is_some()
        {
            writes.push(self.place_write(job_name, &before, keys::other_place(&before))?);
        }
        let answer = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        Ok((transacted(OPERATION, answer)? == Written::Done).then_some(outcome))
    }

    /// A job that has recovered is listed by its head, no longer by its latest submission.
    pub(super) async fn try_save_children(
        &self,
        job_name: &JobName,
        job_id: &JobId,
        children: &Children,
        now: Timestamp,
    ) -> Result<Option<bool>, PortError> {
        let Some((mut head, revision)) = self.head(job_name).await? else { return Ok(Some(false)) };
        if !head.keep_children(job_id, children, now) {
            return Ok(Some(false));
        }
        if !head.has_recovered() {
            return Ok(self.write_head(&head, Some(revision)).await?.then_some(true));
        }
        let mut writes = vec![self.head_write(&head, Some(revision))?];
        if self.item(&self.tables.jobs, item::submission_key(job_name, job_id)).await?.is_some() {
            writes.push(self.place_write(job_name, job_id, keys::other_place(job_id))?);
        }
        let answer = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        Ok((transacted("TransactWriteItems", answer)? == Written::Done).then_some(true))
    }

    /// Makes the submission its job's latest, and its item where no event has made it before.
    async fn latest_write(
        &self,
        submitted: &JobState,
        now: Timestamp,
    ) -> Result<TransactWriteItem, PortError> {
        const OPERATION: &str = "TransactWriteItems";
        let JobState { job_name, job_id, .. } = submitted;
        let place = keys::latest_place(job_name);
        let key = item::submission_key(job_name, job_id);
        if self.item(&self.tables.jobs, key.clone()).await?.is_some() {
            return self.place_write(job_name, job_id, place);
        }
        let mut item = item::of_state(submitted, now).map_err(unusable(OPERATION))?;
        item.extend(key);
        item.insert(PLACE.to_owned(), item::text(place));
        let put = Put::builder().table_name(&self.tables.jobs).set_item(Some(item));
        let put = put.condition_expression("attribute_not_exists(#key)");
        let put = put.expression_attribute_names("#key", item::ORDER_KEY).build();
        Ok(TransactWriteItem::builder().put(put.map_err(unusable(OPERATION))?).build())
    }

    /// Moves a submission that is known.
    pub(super) fn place_write(
        &self,
        job_name: &JobName,
        job_id: &JobId,
        place: String,
    ) -> Result<TransactWriteItem, PortError> {
        let key = item::submission_key(job_name, job_id);
        let update = Update::builder().table_name(&self.tables.jobs).set_key(Some(key));
        let update =
            update.update_expression("SET #place = :place").expression_attribute_names("#place", PLACE);
        let update = update.expression_attribute_values(":place", item::text(place));
        let update = update.condition_expression("attribute_exists(#key)");
        let update = update.expression_attribute_names("#key", item::ORDER_KEY).build();
        Ok(TransactWriteItem::builder().update(update.map_err(unusable("TransactWriteItems"))?).build())
    }

    /// The head as one write of a transaction.
    pub(super) fn head_write(
        &self,
        head: &JobHead,
        revision: Option<u64>,
    ) -> Result<TransactWriteItem, PortError> {
        let write = HeadWrite::new(head, revision)?;
        let put = Put::builder().table_name(&self.tables.jobs).set_item(Some(write.item));
        let put = put.condition_expression(write.condition).set_expression_attribute_values(write.values);
        let put = put.expression_attribute_names("#revision", item::REVISION).build();
        Ok(TransactWriteItem::builder().put(put.map_err(unusable("TransactWriteItems"))?).build())
    }

    /// Returns whether it was written: whether the head was still the one that was read.
    async fn write_head(&self, head: &JobHead, revision: Option<u64>) -> Result<bool, PortError> {
        const OPERATION: &str = "PutItem";
        let mut write = HeadWrite::new(head, revision)?;
        let writer = unique_mark();
        write.item.insert(item::WRITER.to_owned(), item::text(&writer));
        let put = self.client.put_item().table_name(&self.tables.jobs).set_item(Some(write.item));
        let put = put.condition_expression(write.condition).set_expression_attribute_values(write.values);
        let put = put.expression_attribute_names("#revision", item::REVISION);
        let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let answer = put.send().await;
        if let Err(error) = &answer
            && let Some(PutItemError::ConditionalCheckFailedException(failed)) = error.as_service_error()
            && failed.item().and_then(|item| item::text_in(item, item::WRITER)) == Some(writer.as_str())
        {
            return Ok(true);
        }
        Ok(written(OPERATION, answer)? == Written::Done)
    }
}

/// A head, on the condition that it is still the one that was read.
struct HeadWrite {
    item: Item,
    condition: &'static str,
    values: Option<Item>,
}

impl HeadWrite {
    fn new(head: &JobHead, revision: Option<u64>) -> Result<Self, PortError> {
        let next = revision.map_or(1, |revision| revision.saturating_add(1));
        let item = item::of_head(head, next).map_err(unusable("PutItem"))?;
        Ok(match revision {
            None => Self { item, condition: "attribute_not_exists(#revision)", values: None },
            Some(read) => {
                let values = Item::from([(":revision".to_owned(), item::number(read))]);
                Self { item, condition: "#revision = :revision", values: Some(values) }
            }
        })
    }
}

fn parts(known: Option<(JobHead, u64)>) -> (Option<JobHead>, Option<u64>) {
    known.map_or((None, None), |(head, revision)| (Some(head), Some(revision)))
}
