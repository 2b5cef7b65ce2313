//! Between rows and records.

use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::SqliteFailure;
use crate::domain::{
    Claim, FollowUp, Job, JobHead, JobId, JobName, JobState, Newer, Nonce, RunId, Submission, Timestamp,
};

/// Columns of `sql::head_columns!`.
const HEAD_COLUMNS: usize = 16;

/// Columns of `sql::item_columns!`.
pub(super) const ITEM_COLUMNS: usize = 7;

pub(super) fn to_json(what: &'static str, record: &impl Serialize) -> Result<String, SqliteFailure> {
    serde_json::to_string(record).map_err(|why| SqliteFailure::Unwritable { what, why })
}

pub(super) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, SqliteFailure> {
    serde_json::from_str(text).map_err(|why| SqliteFailure::Record { what, why: why.to_string() })
}

/// A head, from the first columns.
pub(super) fn head(row: &Row<'_>) -> Result<JobHead, SqliteFailure> {
    let nonce: Option<String> = row.get(3)?;
    let expires_at: Option<i64> = row.get(4)?;
    let claim = match (nonce, expires_at) {
        (Some(nonce), Some(expires_at)) => {
            let expires_at = Timestamp::from_millis(expires_at);
            Some(Claim { nonce: Nonce::parse(&nonce)?, expires_at, job_queue: row.get(12)?, on_sheet: false })
        }
        _ => None,
    };
    let job_id: Option<String> = row.get(5)?;
    Ok(JobHead {
        run_id: RunId::parse(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?,
        spec: from_json("a job's spec", row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?,
        claims: row.get(2)?,
        nonce_seed: row.get(13)?,
        claim,
        job_id: job_id.as_deref().map(JobId::parse).transpose()?,
        job_tries: from_json("a job's tries", row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?)?,
        tries: from_json("a job's tries", row.get_ref(11)?.as_str().map_err(rusqlite::Error::from)?)?,
        earlier_tries: row.get(14)?,
        tries_before: row.get(7)?,
        refusal: row.get(8)?,
        submitted_at: row.get::<_, Option<i64>>(9)?.map(Timestamp::from_millis),
        updated_at: Timestamp::from_millis(row.get(10)?),
        // A file that a newer version has brought up to date is not opened.
        newer: Newer::default(),
    })
}

/// A submission, from the first columns.
pub(super) fn submission(row: &Row<'_>) -> Result<Submission, SqliteFailure> {
    submission_at(row, 0)
}

fn submission_at(row: &Row<'_>, first: usize) -> Result<Submission, SqliteFailure> {
    let logs: Option<String> = row.get(first + 1)?;
    let state: JobState =
        from_json("a job's state", row.get_ref(first)?.as_str().map_err(rusqlite::Error::from)?)?;
    let waits_for: Option<String> = row.get(first + 5)?;
    let waits_for = waits_for.as_deref().map(JobName::parse).transpose()?;
    let follow_up = FollowUp::of(&state, row.get(first + 3)?, row.get(first + 4)?, waits_for);
    Ok(Submission {
        logs: logs.map(|logs| from_json("a record of logs", &logs)).transpose()?,
        updated_at: Timestamp::from_millis(row.get(first + 2)?),
        follow_up,
        state,
    })
}

/// A head, and its latest submission where the join found one.
pub(super) fn job(row: &Row<'_>) -> Result<Job, SqliteFailure> {
    let found: Option<String> = row.get(HEAD_COLUMNS)?;
    let latest = found.map(|_| submission_at(row, HEAD_COLUMNS)).transpose()?;
    Ok(Job { head: head(row)?, latest })
}
