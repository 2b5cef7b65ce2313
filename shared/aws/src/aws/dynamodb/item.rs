//! Between items and records.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;

use super::keys::{self, Work};
use super::state_text::{self, cut};
use super::table::{ENTRY, JOB_ID, JOB_NAME, MEMBERSHIP, PLACE, RUN_ID, STATUS_SHARD, WORK, WORK_AT};
use crate::domain::Timestamp;
use crate::domain::transition::OrderKey;
use crate::domain::{
    FORMAT_VERSION, FollowUp, JobHead, JobId, JobName, JobState, JobStatus, LogsRecord, Run, SheetId,
    Submission,
};

/// An item, or its key.
pub(super) type Item = HashMap<String, AttributeValue>;

/// Numbers the writes of a head: a write is made only on the head that was read.
pub(super) const REVISION: &str = "revision";
/// Marks one write of a head, so that whoever repeats it knows it again.
pub(super) const WRITER: &str = "writer";
pub(super) const HEAD: &str = "head";
pub(super) const STATE: &str = "state";
/// Of an end: the last attempt ended as the state says, and its text does not say it again. A terminal status never
/// changes, so nobody has to take this away.
pub(super) const ENDED_SO: &str = "endedSo";
pub(super) const ORDER_KEY: &str = "orderKey";
pub(super) const UPDATED_AT: &str = "updatedAt";
pub(super) const LOGS: &str = "logs";
pub(super) const LOGS_COMPLETE: &str = "logsComplete";
/// Of an end about which it is decided what follows from it, though it is unsettled still.
pub(super) const DECIDED: &str = "decided";
/// Of an end: the job for which the decision waits.
pub(super) const WAITS_FOR: &str = "waitsFor";
/// Of a submission: it was put before its head named it, and no event has come since. The head tells whether it is one.
pub(super) const UNCONFIRMED: &str = "unconfirmed";
/// Of a waiter: the job that waits.
pub(super) const WAITING_JOB: &str = "waitingJob";
/// Of a sheet: the jobs.
const NAMES: &str = "names";
pub(super) const RUN: &str = "run";
pub(super) const RUN_STATE: &str = "runState";
pub(super) const CHECKPOINT: &str = "checkpoint";
/// Of a run: how often its end has been looked for.
pub(super) const LOOKS: &str = "looks";
/// Of the version that wrote the item: for people, and for a version that has to tell older items apart.
pub(super) const FORMAT: &str = "formatVersion";

/// An item that is not as it was written.
#[derive(Debug, thiserror::Error)]
#[error("{what} in the item of {key} can't be read: {why}; was it written by another version or by hand?")]
pub(super) struct BadItem {
    what: &'static str,
    key: String,
    why: String,
}

impl BadItem {
    /// Which item, as in `tile-7/4c75…`.
    pub(super) fn key(&self) -> &str {
        &self.key
    }
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn millis(moment: Timestamp) -> AttributeValue {
    number(moment.as_millis())
}

pub(super) fn head_key(job_name: &JobName) -> Item {
    item_key(job_name.as_str(), keys::HEAD)
}

pub(super) fn submission_key(job_name: &JobName, job_id: &JobId) -> Item {
    item_key(job_name.as_str(), job_id.as_str())
}

pub(super) fn item_key(job_name: &str, job_id: &str) -> Item {
    HashMap::from([(JOB_NAME.to_owned(), text(job_name)), (JOB_ID.to_owned(), text(job_id))])
}

/// The key of the item by which those that wait for a job are found.
pub(super) fn waiter_key(waits_for: &str, job_id: &JobId) -> Item {
    item_key(waits_for, &keys::waiter(job_id))
}

/// The key of the submission that waits.
pub(super) fn waiting_key(waiter: &Item) -> Option<Item> {
    let job_id = text_in(waiter, JOB_ID)?.strip_prefix(keys::WAITER)?;
    Some(item_key(text_in(waiter, WAITING_JOB)?, job_id))
}

pub(super) fn sheet_key(sheet: &SheetId) -> Item {
    item_key(&keys::sheet(&sheet.0), keys::SHEET)
}

pub(super) fn run_key(run: &str) -> Item {
    HashMap::from([(RUN_ID.to_owned(), text(run))])
}

/// The key of an index's entry, or of an item.
pub(super) fn key_of(item: &Item) -> Item {
    [JOB_NAME, JOB_ID, RUN_ID]
        .iter()
        .filter_map(|&name| Some((name.to_owned(), item.get(name)?.clone())))
        .collect()
}

/// The whole item of a head: its index entries follow from it.
pub(super) fn of_head(head: &JobHead, revision: u64) -> Result<Item, serde_json::Error> {
    let job_name = &head.spec.job_name;
    let mut kept = head.clone();
    kept.refusal = kept.refusal.map(|refusal| cut(&refusal));
    let mut item = head_key(job_name);
    put(&mut item, MEMBERSHIP, text(keys::run_membership(&head.run_id, job_name)));
    put(&mut item, FORMAT, number(FORMAT_VERSION));
    put(&mut item, REVISION, number(revision));
    put(&mut item, HEAD, text(serde_json::to_string(&kept)?));
    if let Some(claim) = head.claim.as_ref().filter(|claim| !claim.on_sheet) {
        put(&mut item, WORK, text(Work::Claim.of(job_name.as_str())));
        put(&mut item, WORK_AT, millis(claim.expires_at));
    }
    // While its claim stands, it is on the list of claims, or on a sheet.
    if head.job_id.is_none() && head.claim.is_none() {
        put(&mut item, STATUS_SHARD, text(keys::unsubmitted(job_name)));
        put(&mut item, PLACE, text(keys::latest_place(job_name)));
    }
    Ok(item)
}

/// A head and the number of its last write.
pub(super) fn to_head(item: &Item) -> Result<(JobHead, u64), BadItem> {
    let revision = number_in(item, REVISION)?;
    Ok((json_in(item, HEAD)?, u64::try_from(revision).unwrap_or_default()))
}

pub(super) fn of_sheet(
    sheet: &SheetId,
    names: &[JobName],
    expires_at: Timestamp,
) -> Result<Item, serde_json::Error> {
    let mut item = sheet_key(sheet);
    put(&mut item, FORMAT, number(FORMAT_VERSION));
    put(&mut item, NAMES, text(serde_json::to_string(names)?));
    put(&mut item, WORK, text(keys::in_shard(Work::Sheet.as_str(), 0)));
    put(&mut item, WORK_AT, millis(expires_at));
    Ok(item)
}

/// The jobs that a sheet names.
pub(super) fn to_names(sheet: &Item) -> Result<Vec<JobName>, BadItem> {
    json_in(sheet, NAMES)
}

/// What an event sets: every attribute of a submission's item but [`PLACE`] and the logs.
pub(super) fn of_state(state: &JobState, now: Timestamp) -> Result<Item, serde_json::Error> {
    let job_id = &state.job_id;
    let (work, work_at) = if state.status.is_terminal() {
        (Work::Logs, state.times.stopped_at.unwrap_or(now))
    } else {
        (Work::InFlight, now)
    };
    let mut item = Item::new();
    put(&mut item, FORMAT, number(FORMAT_VERSION));
    put(&mut item, ENTRY, text(job_id.as_str()));
    // What is in flight is listed as such, and filtered by its status: an index that moves with every event is paid for
    // twice at each. Most jobs SUCCEED: who lists those reads most of the table in any case.
    if state.status == JobStatus::Failed {
        put(&mut item, STATUS_SHARD, text(keys::status_shard(state.status, job_id)));
    }
    put(&mut item, ORDER_KEY, number(OrderKey::of(state).as_i64()));
    let (kept, ended_so) = state_text::write(state)?;
    put(&mut item, STATE, text(kept));
    if ended_so {
        put(&mut item, ENDED_SO, flag(true));
    }
    put(&mut item, UPDATED_AT, millis(now));
    put(&mut item, WORK, text(work.of(job_id.as_str())));
    put(&mut item, WORK_AT, millis(work_at));
    if state.has_loose_ends() {
        put(&mut item, MEMBERSHIP, text(keys::unsettled(job_id)));
    }
    Ok(item)
}

pub(super) fn to_submission(item: &Item) -> Result<Submission, BadItem> {
    let mut logs = item.get(LOGS).map(|_| json_in::<LogsRecord>(item, LOGS)).transpose()?;
    let updated_at = Timestamp::from_millis(number_in(item, UPDATED_AT)?);
    let mut state: JobState = json_in(item, STATE)?;
    if item.contains_key(ENDED_SO) {
        state_text::restore(&mut state);
    }
    if let Some(logs) = logs.as_mut().filter(|logs| logs.manifest_key.is_empty()) {
        logs.manifest_key = LogsRecord::own_manifest_key(&state.job_name, &state.job_id);
    }
    let waits_for = text_in(item, WAITS_FOR).map(JobName::parse).transpose();
    let waits_for =
        waits_for.map_err(|why| BadItem { what: WAITS_FOR, key: shown_key(item), why: why.to_string() })?;
    let follow_up =
        FollowUp::of(&state, item.contains_key(MEMBERSHIP), item.contains_key(DECIDED), waits_for);
    Ok(Submission { state, logs, updated_at, follow_up })
}

/// A key that follows from the item's own is left out: an item of up to 1 KB is half as dear as one that is larger.
pub(super) fn of_logs(state: &JobState, logs: &LogsRecord) -> Result<String, serde_json::Error> {
    let mut kept = logs.clone();
    kept.incomplete_reason = logs.incomplete_reason.as_deref().map(cut);
    if kept.manifest_key == LogsRecord::own_manifest_key(&state.job_name, &state.job_id) {
        kept.manifest_key.clear();
    }
    serde_json::to_string(&kept)
}

pub(super) fn of_run(run: &Run) -> Result<Item, serde_json::Error> {
    let id = run.run_id.as_str();
    let mut item = run_key(id);
    put(&mut item, FORMAT, number(FORMAT_VERSION));
    put(&mut item, RUN_STATE, text(run.state.as_str()));
    put(&mut item, CHECKPOINT, number(run.checkpoint.0));
    put(&mut item, RUN, text(serde_json::to_string(run)?));
    put(&mut item, LOOKS, number(run.ending.looks));
    if run.has_work_left() {
        put(&mut item, WORK, text(Work::Run.of(id)));
        put(&mut item, WORK_AT, millis(run.updated_at));
    }
    Ok(item)
}

pub(super) fn to_run(item: &Item) -> Result<Run, BadItem> {
    json_in(item, RUN)
}

fn put(item: &mut Item, name: &str, value: AttributeValue) {
    item.insert(name.to_owned(), value);
}

/// As in `tile-7/4c75…`, for messages.
fn shown_key(item: &Item) -> String {
    let part = |name| item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
    [JOB_NAME, JOB_ID, RUN_ID].into_iter().filter_map(part).collect::<Vec<_>>().join("/")
}

fn json_in<T: DeserializeOwned>(item: &Item, what: &'static str) -> Result<T, BadItem> {
    let bad = |why: String| BadItem { what, key: shown_key(item), why };
    let found = item.get(what).ok_or_else(|| bad("it is missing".to_owned()))?;
    let text = found.as_s().map_err(|_| bad("it is no text".to_owned()))?;
    serde_json::from_str(text).map_err(|why| bad(why.to_string()))
}

fn number_in(item: &Item, what: &'static str) -> Result<i64, BadItem> {
    let found = item.get(what).and_then(|value| value.as_n().ok());
    found.and_then(|text| text.parse().ok()).ok_or_else(|| BadItem {
        what,
        key: shown_key(item),
        why: "it is no whole number".to_owned(),
    })
}

/// The text of an attribute, where it is one.
pub(super) fn text_in<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// The moment in an attribute, where it is one.
pub(super) fn moment_in(item: &Item, name: &'static str) -> Option<Timestamp> {
    number_in(item, name).ok().map(Timestamp::from_millis)
}

/// Whether the item is a submission whose logs are complete.
pub(super) fn logs_are_complete(item: &Item) -> bool {
    item.get(LOGS_COMPLETE).and_then(|value| value.as_bool().ok()).copied().unwrap_or(false)
}

/// Whether the item is a submission that has ended.
pub(super) fn has_ended(item: &Item) -> bool {
    number_in(item, ORDER_KEY).is_ok_and(OrderKey::is_of_an_end)
}

/// Whether the head has to be asked if the item is a submission.
pub(super) fn is_unconfirmed(item: &Item) -> bool {
    item.contains_key(UNCONFIRMED)
}

pub(super) fn flag(flag: bool) -> AttributeValue {
    AttributeValue::Bool(flag)
}
