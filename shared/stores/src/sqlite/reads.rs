//! What is read: single records, and pages that start after the last key of the one before.

use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};

use super::error::SqliteFailure;
use super::{rows, sql};
use crate::domain::{
    Job, JobHead, JobId, JobName, JobStatus, Run, RunId, StatusCounts, Submission, Timestamp,
};
use crate::ports::{Cursor, Page, Unreadable};

/// Items on a page: a few hundred kilobytes at most times.
const PAGE_SIZE: usize = 500;

pub(super) fn head(connection: &Connection, job_name: &JobName) -> Result<Option<JobHead>, SqliteFailure> {
    one(connection, sql::HEAD, [job_name.as_str()], rows::head)
}

pub(super) fn job(connection: &Connection, job_name: &JobName) -> Result<Option<Job>, SqliteFailure> {
    one(connection, sql::JOB, [job_name.as_str()], rows::job)
}

pub(super) fn submission(
    connection: &Connection,
    job_id: &JobId,
) -> Result<Option<Submission>, SqliteFailure> {
    one(connection, sql::SUBMISSION, [job_id.as_str()], rows::submission)
}

pub(super) fn run(connection: &Connection, run_id: &RunId) -> Result<Option<Run>, SqliteFailure> {
    one(connection, sql::RUN, [run_id.as_str()], run_of)
}

fn run_of(row: &Row<'_>) -> Result<Run, SqliteFailure> {
    rows::from_json("a run", row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)
}

pub(super) fn jobs(
    connection: &Connection,
    run_id: Option<&RunId>,
    after: Option<&Cursor>,
) -> Result<Page<Job>, SqliteFailure> {
    let key = |job: &Job| job.name().as_str().to_owned();
    let (start, limit) = (text(after), limit());
    match run_id {
        Some(run_id) => {
            page(connection, sql::JOBS_OF_RUN, params![run_id.as_str(), start, limit], rows::job, key)
        }
        None => page(connection, sql::JOBS, params![start, limit], rows::job, key),
    }
}

pub(super) fn jobs_with_status(
    connection: &Connection,
    status: JobStatus,
    after: Option<&Cursor>,
) -> Result<Page<Job>, SqliteFailure> {
    let parameters = params![status.as_str(), text(after), limit()];
    page(connection, sql::JOBS_WITH_STATUS, parameters, rows::job, |job| job.name().as_str().to_owned())
}

pub(super) fn submissions(
    connection: &Connection,
    job_name: &JobName,
    after: Option<&Cursor>,
) -> Result<Page<Submission>, SqliteFailure> {
    let parameters = params![job_name.as_str(), text(after), limit()];
    page(connection, sql::SUBMISSIONS, parameters, rows::submission, id_of)
}

pub(super) fn submissions_with_status(
    connection: &Connection,
    status: JobStatus,
    after: Option<&Cursor>,
) -> Result<Page<Submission>, SqliteFailure> {
    let parameters = params![status.as_str(), text(after), limit()];
    page(connection, sql::SUBMISSIONS_WITH_STATUS, parameters, rows::submission, id_of)
}

pub(super) fn unsettled_ends(
    connection: &Connection,
    after: Option<&Cursor>,
) -> Result<Page<Submission>, SqliteFailure> {
    page(connection, sql::UNSETTLED_ENDS, params![text(after), limit()], rows::submission, id_of)
}

pub(super) fn ends_waiting_for(
    connection: &Connection,
    job_name: &JobName,
    after: Option<&Cursor>,
) -> Result<Page<Submission>, SqliteFailure> {
    let parameters = params![job_name.as_str(), text(after), limit()];
    page(connection, sql::ENDS_WAITING_FOR, parameters, rows::submission, id_of)
}

fn id_of(submission: &Submission) -> String {
    submission.state.job_id.as_str().to_owned()
}

pub(super) fn count_by_status(connection: &Connection) -> Result<StatusCounts, SqliteFailure> {
    let mut counts = StatusCounts::default();
    let mut statement = connection.prepare_cached(sql::COUNT_BY_STATUS)?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let status: String = row.get(0)?;
        let status: JobStatus = status
            .parse()
            .map_err(|why| SqliteFailure::Record { what: "a status", why: format!("{why}") })?;
        counts[status] = count(row, 1)?;
    }
    counts.unsubmitted = one(connection, sql::COUNT_UNSUBMITTED, [], |row| count(row, 0))?.unwrap_or(0);
    Ok(counts)
}

fn count(row: &Row<'_>, column: usize) -> Result<u64, SqliteFailure> {
    let count: i64 = row.get(column)?;
    Ok(u64::try_from(count).unwrap_or(0))
}

pub(super) fn expired_claims(
    connection: &Connection,
    before: Timestamp,
    after: Option<&Cursor>,
) -> Result<Page<JobHead>, SqliteFailure> {
    let (time, name) = time_and_text(after)?;
    let key = |head: &JobHead| {
        let expires_at = head.claim.as_ref().map_or(before, |claim| claim.expires_at);
        timed_key(expires_at, head.spec.job_name.as_str())
    };
    let parameters = params![before.as_millis(), time, name, limit()];
    page(connection, sql::EXPIRED_CLAIMS, parameters, rows::head, key)
}

pub(super) fn silent_submissions(
    connection: &Connection,
    since: Timestamp,
    after: Option<&Cursor>,
) -> Result<Page<Submission>, SqliteFailure> {
    timed_page(connection, sql::SILENT_SUBMISSIONS, since, after)
}

pub(super) fn unfinished_logs(
    connection: &Connection,
    before: Timestamp,
    after: Option<&Cursor>,
) -> Result<Page<Submission>, SqliteFailure> {
    timed_page(connection, sql::UNFINISHED_LOGS, before, after)
}

/// Submissions in the order of a time that follows the record's own columns.
fn timed_page(
    connection: &Connection,
    sql: &str,
    before: Timestamp,
    after: Option<&Cursor>,
) -> Result<Page<Submission>, SqliteFailure> {
    let (time, id) = time_and_text(after)?;
    let parameters = params![before.as_millis(), time, id, limit()];
    let with_time =
        |row: &Row<'_>| Ok((rows::submission(row)?, Timestamp::from_millis(row.get(rows::ITEM_COLUMNS)?)));
    let key = |(found, time): &(Submission, Timestamp)| timed_key(*time, found.state.job_id.as_str());
    let found = page(connection, sql, parameters, with_time, key)?;
    Ok(found.map(|(submission, _)| submission))
}

pub(super) fn runs(connection: &Connection, after: Option<&Cursor>) -> Result<Page<Run>, SqliteFailure> {
    let key = |run: &Run| run.run_id.as_str().to_owned();
    page(connection, sql::RUNS, params![text(after), limit()], run_of, key)
}

pub(super) fn unfinished_runs(
    connection: &Connection,
    since: Timestamp,
    after: Option<&Cursor>,
) -> Result<Page<Run>, SqliteFailure> {
    let (time, id) = time_and_text(after)?;
    let key = |run: &Run| timed_key(run.updated_at, run.run_id.as_str());
    page(connection, sql::UNFINISHED_RUNS, params![since.as_millis(), time, id, limit()], run_of, key)
}

fn one<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, SqliteFailure>,
) -> Result<Option<T>, SqliteFailure> {
    let mut statement = connection.prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        read(row).map_err(|failure| match failure {
            SqliteFailure::Record { what, why } => {
                SqliteFailure::Record { what, why: format!("{}: {why}", shown_key(row)) }
            }
            other => other,
        })
    };
    let found = statement.query_row(parameters, |row| Ok(read(row))).optional()?;
    found.transpose()
}

/// At most [`PAGE_SIZE`] items; a full page has a next one, which may be empty.
fn page<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, SqliteFailure>,
    key: impl Fn(&T) -> String,
) -> Result<Page<T>, SqliteFailure> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query(parameters)?;
    let (mut items, mut unreadable) = (Vec::new(), Vec::new());
    while let Some(row) = found.next()? {
        match read(row) {
            Ok(item) => items.push(item),
            Err(SqliteFailure::Record { what, why }) => {
                let key = shown_key(row);
                tracing::warn!(item.key = key, what, why, "an item can't be read; it is left out");
                unreadable.push(Unreadable { key, why: format!("{what} can't be read: {why}") });
            }
            Err(error) => return Err(error),
        }
    }
    let is_full = items.len() + unreadable.len() == PAGE_SIZE;
    let next = items.last().filter(|_| is_full).map(|last| Cursor(key(last)));
    if let (true, None, Some(bad)) = (is_full, &next, unreadable.first()) {
        return Err(SqliteFailure::Record { what: "a whole page", why: bad.why.clone() });
    }
    Ok(Page { items, next, unreadable })
}

/// What tells the row apart: its job's name, and of a run the start of its JSON, as far as that can be read.
fn shown_key(row: &Row<'_>) -> String {
    let column = row.as_ref().column_index("job_name").unwrap_or_default();
    let text = row.get_ref(column).ok().and_then(|found| found.as_str().ok()).unwrap_or_default();
    text.chars().take(120).collect()
}

fn limit() -> i64 {
    i64::try_from(PAGE_SIZE).unwrap_or(i64::MAX)
}

/// Every name and id is greater than the empty text.
fn text(after: Option<&Cursor>) -> &str {
    after.map_or("", |cursor| cursor.0.as_str())
}

fn timed_key(time: Timestamp, text: &str) -> String {
    format!("{} {text}", time.as_millis())
}

fn time_and_text(after: Option<&Cursor>) -> Result<(i64, &str), SqliteFailure> {
    let Some(cursor) = after else { return Ok((i64::MIN, "")) };
    let parts = cursor.0.split_once(' ').and_then(|(time, text)| Some((time.parse().ok()?, text)));
    parts.ok_or_else(|| SqliteFailure::cursor(cursor))
}
