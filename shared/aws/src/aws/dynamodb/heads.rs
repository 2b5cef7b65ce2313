//! Claim, release, record. The head is read, the rule decides, and what it decides is written on the head
//! that was read: the condition is the number of the head's last write.
//!
//! Each write bears a mark of its own. Where its answer was lost and the SDK repeats it, the condition fails, and
//! the mark in the item that DynamoDB returns then tells whether the write is its own or another's.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::call::{Written, transacted, unique_mark, unusable, written};
use super::change::Change;
use super::item::{self, Item};
use super::table::PLACE;
use super::{DynamoDbJobStore, keys};
use crate::domain::{
    Children, ClaimOutcome, JobHead, JobId, JobName, JobState, NewClaim, Nonce, RecordOutcome, Timestamp,
    claims,
};
use crate::ports::PortError;

impl DynamoDbJobStore {
    /// The claim of a job that nobody knows, without a look at it: of most jobs it is the first, and the submitter has
    /// just looked. `None` where there is a head.
    pub(super) async fn claim_unseen(&self, claim: &NewClaim) -> Result<Option<ClaimOutcome>, PortError> {
        if claim.replaces.is_some() || claim.takes_over.is_some() {
            return Ok(None);
        }
        self.claim_over(claim, None).await
    }

    pub(super) async fn try_claim(&self, claim: &NewClaim) -> Result<Option<ClaimOutcome>, PortError> {
        let known = self.head(&claim.spec.job_name).await?;
        self.claim_over(claim, known).await
    }

    async fn claim_over(
        &self,
        claim: &NewClaim,
        known: Option<(JobHead, u64)>,
    ) -> Result<Option<ClaimOutcome>, PortError> {
        let (mut head, revision) = parts(known);
        let outcome = claims::claim(&mut head, claim);
        let (ClaimOutcome::Granted(_), Some(head)) = (&outcome, head) else { return Ok(Some(outcome)) };
        if !self.write_head(&head, revision).await? {
            return Ok(None);
        }
        self.claimed.keep(claim.spec.job_name.clone(), (head, next(revision)));
        Ok(Some(outcome))
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

    /// Writes the submission, then what the rule makes of the head. Between the two the submission is unconfirmed: whoever
    /// reads it asks the head, which does not name it. So a recorder that dies there has recorded nothing.
    pub(super) async fn try_record(
        &self,
        submitted: &JobState,
        now: Timestamp,
        rule: impl Fn(&mut Option<JobHead>) -> RecordOutcome,
    ) -> Result<Option<RecordOutcome>, PortError> {
        let job_name = &submitted.job_name;
        let mut decided = None;
        if let Some((head, revision)) = self.claimed.take(job_name) {
            let (mut claimed, before) = (Some(head.clone()), head.job_id);
            // Another answer is only believed of the head as it is.
            if rule(&mut claimed) == RecordOutcome::Recorded {
                decided = claimed.map(|head| (head, Some(revision), before));
            }
        }
        let (head, revision, before) = match decided {
            Some(decided) => decided,
            None => {
                let (mut head, revision) = parts(self.head(job_name).await?);
                let before = head.as_ref().and_then(|head| head.job_id.clone());
                let outcome = rule(&mut head);
                let (RecordOutcome::Recorded, Some(head)) = (outcome, head) else { return Ok(Some(outcome)) };
                (head, revision, before)
            }
        };
        if self.put_latest(submitted, now).await? == Written::Contended {
            return Ok(None);
        }
        if !self.write_head(&head, revision).await? {
            return Ok(None);
        }
        if let Some(before) = before {
            // Lists leave it out if this is lost, because it is not the one that its head names.
            let place = Change::default().set(PLACE, item::text(keys::other_place(&before)));
            self.change_known(job_name, &before, place.remove(item::UNCONFIRMED)).await?;
        }
        Ok(Some(RecordOutcome::Recorded))
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

    /// Puts the submission as its job's latest, or makes that of one that an event has made before.
    async fn put_latest(&self, submitted: &JobState, now: Timestamp) -> Result<Written, PortError> {
        const OPERATION: &str = "PutItem";
        let JobState { job_name, job_id, .. } = submitted;
        let place = keys::latest_place(job_name);
        let mut item = item::of_state(submitted, now).map_err(unusable(OPERATION))?;
        item.extend(item::submission_key(job_name, job_id));
        item.insert(PLACE.to_owned(), item::text(&place));
        item.insert(item::UNCONFIRMED.to_owned(), item::flag(true));
        let put = self.client.put_item().table_name(&self.tables.jobs).set_item(Some(item));
        let put = put.condition_expression("attribute_not_exists(#key)");
        let put = put.expression_attribute_names("#key", item::ORDER_KEY);
        let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let answer = put.send().await;
        let is_placed =
            refused_put(&answer).is_some_and(|known| item::text_in(known, PLACE) == Some(place.as_str()));
        match written(OPERATION, answer)? {
            Written::Refused if !is_placed => {
                self.change_known(job_name, job_id, Change::default().set(PLACE, item::text(place))).await
            }
            Written::Refused => Ok(Written::Done),
            written => Ok(written),
        }
    }

    /// Changes a submission, where it is known.
    async fn change_known(
        &self,
        job_name: &JobName,
        job_id: &JobId,
        change: Change,
    ) -> Result<Written, PortError> {
        let key = item::submission_key(job_name, job_id);
        let update = self.client.update_item().table_name(&self.tables.jobs).set_key(Some(key));
        let update = change.name(item::ORDER_KEY).apply(update);
        let update = update.condition_expression("attribute_exists(#orderKey)");
        written("UpdateItem", update.send().await)
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
        let stands = refused_put(&answer).and_then(|item| item::text_in(item, item::WRITER));
        if stands == Some(writer.as_str()) {
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
        let item = item::of_head(head, next(revision)).map_err(unusable("PutItem"))?;
        Ok(match revision {
            None => Self { item, condition: "attribute_not_exists(#revision)", values: None },
            Some(read) => {
                let values = Item::from([(":revision".to_owned(), item::number(read))]);
                Self { item, condition: "#revision = :revision", values: Some(values) }
            }
        })
    }
}

/// The number of the write after one.
fn next(revision: Option<u64>) -> u64 {
    revision.map_or(1, |revision| revision.saturating_add(1))
}

/// The item that stood against a put.
fn refused_put<T>(answer: &Result<T, SdkError<PutItemError, HttpResponse>>) -> Option<&Item> {
    match answer.as_ref().err()?.as_service_error()? {
        PutItemError::ConditionalCheckFailedException(refused) => refused.item(),
        _ => None,
    }
}

fn parts(known: Option<(JobHead, u64)>) -> (Option<JobHead>, Option<u64>) {
    known.map_or((None, None), |(head, revision)| (Some(head), Some(revision)))
}
