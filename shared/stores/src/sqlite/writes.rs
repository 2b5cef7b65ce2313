//! What is written. Each function is one statement, or runs within one transaction.

use rusqlite::{Connection, params};

use super::error::SqliteFailure;
use super::{reads, rows, sql};
use crate::domain::claims;
use crate::domain::transition::OrderKey;
use crate::domain::{
    Children, ClaimOutcome, FollowUp, JobHead, JobId, JobName, JobState, LogsRecord, NewClaim, NewSubmission,
    NextLook, Nonce, RecordOutcome, Run, Submission, Timestamp,
};
use crate::ports::Applied;

pub(super) fn claim(connection: &Connection, claim: &NewClaim) -> Result<ClaimOutcome, SqliteFailure> {
    let mut known = reads::head(connection, &claim.spec.job_name)?;
    let outcome = claims::claim(&mut known, claim);
    if let (ClaimOutcome::Granted(_), Some(head)) = (&outcome, &known) {
        save_head(connection, head)?;
    }
    Ok(outcome)
}

pub(super) fn release(
    connection: &Connection,
    job_name: &JobName,
    nonce: &Nonce,
    refusal: Option<&str>,
    now: Timestamp,
) -> Result<bool, SqliteFailure> {
    let Some(mut known) = reads::head(connection, job_name)? else { return Ok(false) };
    let stood = claims::release(&mut known, nonce, refusal, now);
    if stood {
        save_head(connection, &known)?;
    }
    Ok(stood)
}

pub(super) fn record_submission(
    connection: &Connection,
    new: &NewSubmission,
) -> Result<RecordOutcome, SqliteFailure> {
    record(connection, &new.state(), new.now, |head| claims::record(head.as_mut(), new))
}

pub(super) fn take_in(
    connection: &Connection,
    claim: &NewClaim,
    job_id: &JobId,
) -> Result<RecordOutcome, SqliteFailure> {
    let submitted = JobState::submitted(claim.spec.job_name.clone(), job_id.clone(), None);
    record(connection, &submitted, claim.now, |head| claims::take_in(head, claim, job_id))
}

fn record(
    connection: &Connection,
    submitted: &JobState,
    now: Timestamp,
    rule: impl FnOnce(&mut Option<JobHead>) -> RecordOutcome,
) -> Result<RecordOutcome, SqliteFailure> {
    let mut known = reads::head(connection, &submitted.job_name)?;
    let before = known.as_ref().and_then(|head| head.job_id.clone());
    let outcome = rule(&mut known);
    if let (RecordOutcome::Recorded, Some(head)) = (outcome, &known) {
        save_head(connection, head)?;
        // An event that came first is newer than this, or the same.
        apply_state(connection, submitted, now)?;
        move_latest(connection, before.as_ref(), head.job_id.as_ref())?;
    }
    Ok(outcome)
}

pub(super) fn save_children(
    connection: &Connection,
    job_name: &JobName,
    job_id: &JobId,
    children: &Children,
    now: Timestamp,
) -> Result<bool, SqliteFailure> {
    let Some(mut known) = reads::head(connection, job_name)? else { return Ok(false) };
    let written = known.keep_children(job_id, children, now);
    if written {
        save_head(connection, &known)?;
    }
    if written && known.has_recovered() {
        connection.prepare_cached(sql::SET_RECOVERED)?.execute([job_id.as_str()])?;
    }
    Ok(written)
}

fn move_latest(
    connection: &Connection,
    from: Option<&JobId>,
    to: Option<&JobId>,
) -> Result<(), SqliteFailure> {
    let mut set_latest = connection.prepare_cached(sql::SET_LATEST)?;
    if let Some(from) = from {
        set_latest.execute(params![from.as_str(), 0])?;
    }
    if let Some(to) = to {
        set_latest.execute(params![to.as_str(), 1])?;
    }
    Ok(())
}

pub(super) fn apply_state(
    connection: &Connection,
    state: &JobState,
    now: Timestamp,
) -> Result<Applied, SqliteFailure> {
    let ended_at = state.status.is_terminal().then(|| state.times.stopped_at.unwrap_or(now).as_millis());
    let changed = connection.prepare_cached(sql::APPLY_STATE)?.execute(params![
        state.job_id.as_str(),
        state.job_name.as_str(),
        state.status.as_str(),
        OrderKey::of(state).as_i64(),
        ended_at,
        state.has_loose_ends(),
        rows::to_json("a job's state", state)?,
        now.as_millis(),
    ])?;
    Ok(if changed == 0 { Applied::Stale } else { Applied::Applied })
}

pub(super) fn apply_known(
    connection: &Connection,
    state: &JobState,
    now: Timestamp,
) -> Result<Option<Applied>, SqliteFailure> {
    let is_known = connection.prepare_cached(sql::IS_KNOWN)?.exists(params![state.job_id.as_str()])?;
    if is_known { apply_state(connection, state, now).map(Some) } else { Ok(None) }
}

pub(super) fn save_follow_up(
    connection: &Connection,
    job_id: &JobId,
    follow_up: &FollowUp,
) -> Result<(), SqliteFailure> {
    let waits_for = follow_up.waits_for().map(JobName::as_str);
    let is_unsettled = *follow_up != FollowUp::Settled;
    let parameters = params![job_id.as_str(), waits_for, follow_up.is_decided(), is_unsettled];
    connection.prepare_cached(sql::SAVE_FOLLOW_UP)?.execute(parameters)?;
    Ok(())
}

pub(super) fn save_logs(
    connection: &Connection,
    job_id: &JobId,
    logs: &LogsRecord,
    now: Timestamp,
) -> Result<bool, SqliteFailure> {
    let text = rows::to_json("a record of logs", logs)?;
    let (waits, since) = match logs.next_look {
        Some(NextLook::At(moment)) => (true, Some(moment.as_millis())),
        Some(NextLook::Never) => (false, None),
        None => (!logs.complete, None),
    };
    let parameters = params![job_id.as_str(), text, logs.complete, now.as_millis(), waits, since];
    Ok(connection.prepare_cached(sql::SAVE_LOGS)?.execute(parameters)? > 0)
}

pub(super) fn no_news(
    connection: &Connection,
    submissions: &[Submission],
    heard_at: Option<Timestamp>,
    asked_at: Timestamp,
) -> Result<(), SqliteFailure> {
    let mut no_news = connection.prepare_cached(sql::NO_NEWS)?;
    for Submission { state, .. } in submissions {
        let heard_at = heard_at.map(Timestamp::as_millis);
        let order_key = OrderKey::of(state).as_i64();
        no_news.execute(params![state.job_id.as_str(), order_key, asked_at.as_millis(), heard_at])?;
    }
    Ok(())
}

pub(super) fn remove_submission(
    connection: &Connection,
    job_id: &JobId,
) -> Result<Option<Submission>, SqliteFailure> {
    let Some(removed) = reads::submission(connection, job_id)? else { return Ok(None) };
    for sql in [sql::REMOVE_SUBMISSION, sql::REMOVE_CHILDREN, sql::REMOVE_NODES] {
        connection.prepare_cached(sql)?.execute([job_id.as_str()])?;
    }
    if let Some(mut known) = reads::head(connection, &removed.state.job_name)?
        && known.forget(job_id)
    {
        save_head(connection, &known)?;
        move_latest(connection, None, known.job_id.as_ref())?;
    }
    Ok(Some(removed))
}

pub(super) fn remove_job(connection: &Connection, job_name: &JobName) -> Result<Vec<JobId>, SqliteFailure> {
    let mut removed = Vec::new();
    let mut ids = connection.prepare_cached(sql::IDS_OF_JOB)?;
    let mut found = ids.query([job_name.as_str()])?;
    while let Some(row) = found.next()? {
        removed.push(JobId::parse(&row.get::<_, String>(0)?)?);
    }
    for sql in [sql::REMOVE_HEAD, sql::REMOVE_SUBMISSIONS_OF_JOB] {
        connection.prepare_cached(sql)?.execute([job_name.as_str()])?;
    }
    removed.retain(|id| id.parent().is_none());
    Ok(removed)
}

pub(super) fn prune_job(connection: &Connection, head: &JobHead) -> Result<bool, SqliteFailure> {
    let job_name = &head.spec.job_name;
    let is_as_read = reads::head(connection, job_name)?.as_ref() == Some(head);
    if is_as_read {
        remove_job(connection, job_name)?;
    }
    Ok(is_as_read)
}

pub(super) fn prune_run(connection: &Connection, run: &Run) -> Result<bool, SqliteFailure> {
    let is_as_read = reads::run(connection, &run.run_id)?.as_ref() == Some(run);
    if is_as_read {
        connection.prepare_cached(sql::REMOVE_RUN)?.execute([run.run_id.as_str()])?;
    }
    Ok(is_as_read)
}

fn save_head(connection: &Connection, head: &JobHead) -> Result<(), SqliteFailure> {
    connection.prepare_cached(sql::SAVE_HEAD)?.execute(params![
        head.spec.job_name.as_str(),
        head.run_id.as_str(),
        rows::to_json("a job's spec", &head.spec)?,
        head.claims,
        head.claim.as_ref().map(|claim| claim.nonce.as_str()),
        head.claim.as_ref().map(|claim| claim.expires_at.as_millis()),
        head.job_id.as_ref().map(JobId::as_str),
        rows::to_json("a job's tries", &head.job_tries)?,
        head.tries_before,
        head.refusal,
        head.submitted_at.map(Timestamp::as_millis),
        head.updated_at.as_millis(),
        rows::to_json("a job's tries", &head.tries)?,
        head.claim.as_ref().and_then(|claim| claim.job_queue.as_deref()),
        head.nonce_seed,
        head.earlier_tries,
    ])?;
    Ok(())
}

/// Returns whether the run is new.
pub(super) fn create_run(connection: &Connection, run: &Run) -> Result<bool, SqliteFailure> {
    write_run(connection, sql::CREATE_RUN, run)
}

/// Returns whether it was written.
pub(super) fn save_run(connection: &Connection, run: &Run) -> Result<bool, SqliteFailure> {
    let known = reads::run(connection, &run.run_id)?;
    let moves_on = known.is_some_and(|known| run.may_replace(&known));
    Ok(moves_on && write_run(connection, sql::SAVE_RUN, run)?)
}

fn write_run(connection: &Connection, sql: &str, run: &Run) -> Result<bool, SqliteFailure> {
    let changed = connection.prepare_cached(sql)?.execute(params![
        run.run_id.as_str(),
        run.state.as_str(),
        i64::try_from(run.checkpoint.0).unwrap_or(i64::MAX),
        run.updated_at.as_millis(),
        rows::to_json("a run", run)?,
        !run.has_work_left(),
    ])?;
    Ok(changed > 0)
}
