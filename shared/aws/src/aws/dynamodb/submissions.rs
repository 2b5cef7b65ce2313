//! States, ends and logs: each one conditional write on one item.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::DynamoDbJobStore;
use super::call::{Written, failed, unusable, written};
use super::change::Change;
use super::item::{self, Item};
use super::keys::{self, Work};
use super::table::{ENTRY, MEMBERSHIP, PLACE, STATUS_SHARD, WORK, WORK_AT};
use crate::domain::transition::{OrderKey, Transition, transition};
use crate::domain::{FollowUp, JobId, JobName, JobState, JobStatus, LogsRecord, Submission, Timestamp};
use crate::ports::{Applied, PortError};

const OPERATION: &str = "UpdateItem";

/// The attributes that a state sets, and none takes away.
const OF_A_STATE: [&str; 6] =
    [item::FORMAT, ENTRY, item::ORDER_KEY, item::STATE, item::ENDED_SO, item::UPDATED_AT];

/// A look at logs that is due so soon after the end leaves the entry in the index where it is, on the list of what is in
/// flight: a pass or two read the item in vain, which costs less than to move it.
const LOOKED_OVER_MS: i64 = 30 * 60_000;

/// Which submissions a state is written of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Also what nobody knows yet.
    Any,
    /// What is known, and confirmed by an event.
    Known,
}

impl DynamoDbJobStore {
    /// Writes a state that is newer. `None`, where only what is `Known` is to be written, and no event has confirmed
    /// the submission yet, or nothing is known of it.
    pub(super) async fn try_apply(
        &self,
        state: &JobState,
        now: Timestamp,
        which: Which,
    ) -> Result<Option<Option<Applied>>, PortError> {
        let key = item::submission_key(&state.job_name, &state.job_id);
        let update = self.client.update_item().table_name(&self.tables.jobs).set_key(Some(key.clone()));
        let update = self.state_change(state, now)?.apply(update).return_values(ReturnValue::AllOld);
        let update = update.condition_expression(match which {
            Which::Any => "attribute_not_exists(#orderKey) OR #orderKey < :orderKey",
            // It compares with an attribute, so it fails where there is no item.
            Which::Known => "#orderKey < :orderKey AND attribute_not_exists(#unconfirmed)",
        });
        // What stands against it comes with the refusal, and is not read again.
        let update =
            update.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let answer = update.send().await;
        let before = match &answer {
            Ok(answer) => answer.attributes().cloned(),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => refused.item().cloned(),
                _ => None,
            },
        };
        match written(OPERATION, answer)? {
            Written::Contended => return Ok(None),
            Written::Refused => {
                // Nothing stood against it, so nothing is known of it; or this DynamoDB does not say what did.
                let Some(found) = before else {
                    return match which {
                        Which::Known => Ok(Some(None)),
                        Which::Any => self.try_against_what_is_there(state, key, now).await,
                    };
                };
                if which == Which::Known && item::is_unconfirmed(&found) {
                    return Ok(Some(None));
                }
                return Ok(self.try_keep_reason(state, key, now, &found).await?.map(Some));
            }
            Written::Done => {}
        }
        if state.status.is_terminal() && before.as_ref().is_some_and(item::logs_are_complete) {
            self.leave_work(key).await?;
        }
        Ok(Some(Some(Applied::Applied)))
    }

    /// Sets all that a state says, whatever was known before.
    fn state_change(&self, state: &JobState, now: Timestamp) -> Result<Change, PortError> {
        let mut item = item::of_state(state, now).map_err(unusable(OPERATION))?;
        let mut change = Change::default();
        // Only the index by status needs it, and a child that holds its id once more costs another unit.
        if state.status == JobStatus::Failed {
            change = change.set_if_absent(PLACE, item::text(keys::other_place(&state.job_id)));
        }
        for attribute in OF_A_STATE {
            if let Some(value) = item.remove(attribute) {
                change = change.set(attribute, value);
            }
        }
        for attribute in [WORK, WORK_AT] {
            if let Some(value) = item.remove(attribute) {
                // In flight the entry stays where it is, because each move is paid for twice.
                change = if state.status.is_terminal() && !self.ends_stay {
                    change.set(attribute, value)
                } else {
                    change.set_if_absent(attribute, value)
                };
            }
        }
        for attribute in [STATUS_SHARD, MEMBERSHIP] {
            change = match item.remove(attribute) {
                Some(value) => change.set(attribute, value),
                None => change.remove(attribute),
            };
        }
        Ok(change.remove(item::UNCONFIRMED))
    }

    /// Reads what may have stood against a state. Older than the state, or gone, it did not: it was written, or removed,
    /// after the refusal, and the write is tried again.
    async fn try_against_what_is_there(
        &self,
        state: &JobState,
        key: Item,
        now: Timestamp,
    ) -> Result<Option<Option<Applied>>, PortError> {
        let Some(found) = self.item(&self.tables.jobs, key.clone()).await? else { return Ok(None) };
        let known = item::to_submission(&found).map_err(unusable(OPERATION))?;
        if OrderKey::of(&known.state) < OrderKey::of(state) {
            return Ok(None);
        }
        Ok(self.try_keep_reason(state, key, now, &found).await?.map(Some))
    }

    /// Keeps a newer reason of a submission in flight, though its status is the same.
    async fn try_keep_reason(
        &self,
        state: &JobState,
        key: Item,
        now: Timestamp,
        found: &Item,
    ) -> Result<Option<Applied>, PortError> {
        if state.status.is_terminal() || state.status_reason.is_none() {
            return Ok(Some(Applied::Stale));
        }
        let known = item::to_submission(found).map_err(unusable(OPERATION))?;
        if transition(Some(&known.state), state) != Transition::Apply {
            return Ok(Some(Applied::Stale));
        }
        let change = self.state_change(state, now)?;
        let (Some(order_key), Some(before)) = (found.get(item::ORDER_KEY), found.get(item::STATE)) else {
            return Ok(None);
        };
        let update = self.client.update_item().table_name(&self.tables.jobs).set_key(Some(key));
        let update = change.apply(update).condition_expression("#orderKey = :known AND #state = :before");
        let update = update.expression_attribute_values(":known", order_key.clone());
        let update = update.expression_attribute_values(":before", before.clone());
        Ok((written(OPERATION, update.send().await)? == Written::Done).then_some(Applied::Applied))
    }

    /// The logs were complete before the end was known: there is nothing left to look for. A list leaves
    /// the item out in any case, so that this may be lost.
    async fn leave_work(&self, key: Item) -> Result<(), PortError> {
        let change = Change::default().remove(WORK).remove(WORK_AT);
        let change = change.value(item::LOGS_COMPLETE, item::flag(true));
        let update = self.client.update_item().table_name(&self.tables.jobs).set_key(Some(key));
        let update = change.apply(update).condition_expression("#logsComplete = :logsComplete");
        written(OPERATION, update.send().await).map(|_| ())
    }

    /// An index by what is waited for would lag behind, and a decision that is written just then would find
    /// nobody. So an item of its own, a waiter, stands in the partition of the job that is waited for: put
    /// before the submission says that it waits, and removed after it no longer does.
    pub(super) async fn try_save_follow_up(
        &self,
        job_name: &JobName,
        job_id: &JobId,
        follow_up: &FollowUp,
    ) -> Result<Option<()>, PortError> {
        let wanted = follow_up.waits_for().map(JobName::as_str);
        if let Some(waits_for) = wanted {
            self.put_waiter(waits_for, job_name, job_id).await?;
        }
        let key = item::submission_key(job_name, job_id);
        let update = self.client.update_item().table_name(&self.tables.jobs).set_key(Some(key));
        let (change, condition) = follow_up_change(follow_up);
        let update = change.apply(update).condition_expression(condition).return_values(ReturnValue::AllOld);
        let answer = update.send().await;
        let before = answer.as_ref().ok().and_then(|answer| answer.attributes().cloned());
        let left = match written(OPERATION, answer)? {
            Written::Contended => return Ok(None),
            Written::Refused => wanted.map(str::to_owned),
            Written::Done => before
                .and_then(|before| item::text_in(&before, item::WAITS_FOR).map(str::to_owned))
                .filter(|before| wanted != Some(before.as_str())),
        };
        if let Some(left) = left {
            self.remove_waiter(&left, job_id).await?;
        }
        Ok(Some(()))
    }

    async fn put_waiter(&self, waits_for: &str, job_name: &JobName, job_id: &JobId) -> Result<(), PortError> {
        let mut waiter = item::waiter_key(waits_for, job_id);
        waiter.insert(item::WAITING_JOB.to_owned(), item::text(job_name.as_str()));
        let put = self.client.put_item().table_name(&self.tables.jobs).set_item(Some(waiter));
        put.send().await.map(drop).map_err(|error| failed("PutItem", error))
    }

    async fn remove_waiter(&self, waits_for: &str, job_id: &JobId) -> Result<(), PortError> {
        let delete = self.client.delete_item().table_name(&self.tables.jobs);
        let delete = delete.set_key(Some(item::waiter_key(waits_for, job_id)));
        delete.send().await.map(drop).map_err(|error| failed("DeleteItem", error))
    }

    pub(super) async fn try_no_news(
        &self,
        known: &JobState,
        heard_at: Option<Timestamp>,
        asked_at: Timestamp,
    ) -> Result<Option<()>, PortError> {
        let mut change = Change::default().set(WORK_AT, item::millis(asked_at));
        if let Some(heard_at) = heard_at {
            change = change.set(item::UPDATED_AT, item::millis(heard_at));
        }
        let change = change.value(item::ORDER_KEY, item::number(OrderKey::of(known).as_i64()));
        let key = item::submission_key(&known.job_name, &known.job_id);
        let update = self.client.update_item().table_name(&self.tables.jobs).set_key(Some(key));
        let update = change.apply(update).condition_expression("#orderKey = :orderKey");
        Ok((written(OPERATION, update.send().await)? != Written::Contended).then_some(()))
    }

    pub(super) async fn try_save_logs(
        &self,
        key: &Item,
        logs: &LogsRecord,
        now: Timestamp,
        read_before: Option<Item>,
    ) -> Result<Option<bool>, PortError> {
        let (found, is_fresh) = match read_before {
            Some(found) => (found, false),
            None => match self.item(&self.tables.jobs, key.clone()).await? {
                Some(found) => (found, true),
                None => return Ok(Some(false)),
            },
        };
        let known = item::to_submission(&found).map_err(unusable(OPERATION))?;
        if is_fresh && !logs.complete && item::logs_are_complete(&found) {
            return Ok(Some(false));
        }
        let change = logs_change(&known, logs, now)?;
        let order_key = found.get(item::ORDER_KEY).cloned().unwrap_or_else(|| item::number(0));
        let update = self.client.update_item().table_name(&self.tables.jobs).set_key(Some(key.clone()));
        let update = change.value(item::ORDER_KEY, order_key).apply(update);
        // Of records, an incomplete one never replaces a complete one: the last to write would win.
        let condition = if logs.complete {
            "#orderKey = :orderKey"
        } else {
            "#orderKey = :orderKey AND (attribute_not_exists(#logsComplete) OR #logsComplete = :logsComplete)"
        };
        let update = update.condition_expression(condition);
        Ok((written(OPERATION, update.send().await)? == Written::Done).then_some(true))
    }
}

/// The change, and the condition under which less was decided before.
fn follow_up_change(follow_up: &FollowUp) -> (Change, &'static str) {
    const UNDECIDED: &str = "attribute_exists(#membership) AND attribute_not_exists(#decided)";
    const UNSETTLED: &str = "attribute_exists(#membership)";
    let change = match follow_up.waits_for() {
        Some(dependency) => Change::default().set(item::WAITS_FOR, item::text(dependency.as_str())),
        None => Change::default().remove(item::WAITS_FOR),
    };
    match follow_up {
        FollowUp::Open | FollowUp::WaitsFor(_) => (change.name(MEMBERSHIP).name(item::DECIDED), UNDECIDED),
        FollowUp::Decided => (change.set(item::DECIDED, item::flag(true)).name(MEMBERSHIP), UNSETTLED),
        FollowUp::Settled => (change.remove(MEMBERSHIP), UNSETTLED),
    }
}

/// Keeps the logs. In flight, they are a sign of life; after the end they say whether work is left.
fn logs_change(known: &Submission, logs: &LogsRecord, now: Timestamp) -> Result<Change, PortError> {
    let change = Change::default()
        .set(item::LOGS, item::text(item::of_logs(&known.state, logs).map_err(unusable(OPERATION))?))
        .set(item::LOGS_COMPLETE, item::flag(logs.complete))
        .set(item::UPDATED_AT, item::millis(now));
    let state = &known.state;
    if !state.status.is_terminal() {
        return Ok(change);
    }
    let ended_at = state.times.stopped_at.unwrap_or(known.updated_at);
    let work = Work::Logs.of(state.job_id.as_str());
    let Some(since) = logs.waits_since(ended_at) else { return Ok(change.remove(WORK).remove(WORK_AT)) };
    let is_far = logs.next_look.is_some() && since.millis_since(ended_at) > LOOKED_OVER_MS;
    let (work, since) = (item::text(work), item::millis(since));
    Ok(if is_far {
        change.set(WORK, work).set(WORK_AT, since)
    } else {
        change.set_if_absent(WORK, work).set_if_absent(WORK_AT, since)
    })
}
