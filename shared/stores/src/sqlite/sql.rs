//! Every statement. Each finds its rows by an index; a page starts after the last key of the one before.

macro_rules! head_columns {
    () => {
        "j.run_id, j.spec, j.claims, j.claim_nonce, j.claim_expires_at, j.job_id, j.job_tries, \
         j.tries_before, j.refusal, j.submitted_at, j.updated_at, j.tries, j.claim_job_queue, \
         j.nonce_seed, j.earlier_tries, j.job_name"
    };
}

macro_rules! item_columns {
    () => {
        "s.state, s.logs, s.updated_at, s.unsettled, s.decided, s.waits_for, s.job_name"
    };
}

macro_rules! select_job {
    ($where:literal) => {
        concat!(
            "SELECT ",
            head_columns!(),
            ", ",
            item_columns!(),
            " FROM jobs j LEFT JOIN submissions s ON s.job_id = j.job_id ",
            $where
        )
    };
}

macro_rules! select_head {
    ($where:literal) => {
        concat!("SELECT ", head_columns!(), " FROM jobs j ", $where)
    };
}

macro_rules! select_item {
    ($where:literal) => {
        concat!("SELECT ", item_columns!(), " FROM submissions s ", $where)
    };
}

pub(super) const HEAD: &str = select_head!("WHERE j.job_name = ?1");

pub(super) const SAVE_HEAD: &str = "
    INSERT INTO jobs (job_name, run_id, spec, claims, claim_nonce, claim_expires_at, job_id, job_tries,
                      tries_before, refusal, submitted_at, updated_at, tries, claim_job_queue,
                      nonce_seed, earlier_tries)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
    ON CONFLICT (job_name) DO UPDATE SET
        run_id = excluded.run_id, spec = excluded.spec, claims = excluded.claims,
        claim_nonce = excluded.claim_nonce, claim_expires_at = excluded.claim_expires_at,
        job_id = excluded.job_id, job_tries = excluded.job_tries, tries_before = excluded.tries_before,
        refusal = excluded.refusal, submitted_at = excluded.submitted_at, updated_at = excluded.updated_at,
        tries = excluded.tries, claim_job_queue = excluded.claim_job_queue,
        nonce_seed = excluded.nonce_seed, earlier_tries = excluded.earlier_tries";

/// The condition is `domain::transition`: its key orders states as that does.
pub(super) const APPLY_STATE: &str = "
    INSERT INTO submissions (job_id, job_name, status, order_key, ended_at, unsettled, state, updated_at,
                             silent_since, logs_due_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?5)
    ON CONFLICT (job_id) DO UPDATE SET
        status = excluded.status, order_key = excluded.order_key, ended_at = excluded.ended_at,
        unsettled = excluded.unsettled, state = excluded.state, updated_at = excluded.updated_at,
        silent_since = excluded.silent_since,
        logs_due_at = CASE WHEN submissions.logs_complete = 0 THEN excluded.ended_at END
    WHERE excluded.order_key > submissions.order_key
       OR (excluded.order_key = submissions.order_key AND excluded.ended_at IS NULL
           AND json_extract(excluded.state, '$.statusReason') IS NOT NULL
           AND json_extract(excluded.state, '$.statusReason')
               IS NOT json_extract(submissions.state, '$.statusReason'))";

pub(super) const IS_KNOWN: &str = "SELECT 1 FROM submissions WHERE job_id = ?1";

pub(super) const SET_LATEST: &str = "UPDATE submissions SET latest = ?2 WHERE job_id = ?1 AND latest != ?2";

pub(super) const SET_RECOVERED: &str = "UPDATE submissions SET recovered = 1 WHERE job_id = ?1";

/// More was not decided before, and loose ends are left.
pub(super) const SAVE_FOLLOW_UP: &str = "
    UPDATE submissions SET waits_for = ?2, decided = ?3, unsettled = ?4
    WHERE job_id = ?1 AND unsettled = 1 AND decided <= ?3";

pub(super) const UNSETTLED_ENDS: &str =
    select_item!("WHERE s.unsettled = 1 AND s.job_id > ?1 ORDER BY s.job_id LIMIT ?2");

pub(super) const ENDS_WAITING_FOR: &str =
    select_item!("WHERE s.waits_for = ?1 AND s.job_id > ?2 ORDER BY s.job_id LIMIT ?3");

pub(super) const SAVE_LOGS: &str = "
    UPDATE submissions SET logs = ?2, logs_complete = ?3, updated_at = ?4, silent_since = ?4,
        logs_due_at = CASE WHEN ?5 AND ended_at IS NOT NULL THEN coalesce(?6, ended_at) END
    WHERE job_id = ?1 AND (?3 OR logs_complete = 0)";

pub(super) const NO_NEWS: &str = "
    UPDATE submissions SET silent_since = ?3, updated_at = coalesce(?4, updated_at)
    WHERE job_id = ?1 AND order_key = ?2 AND ended_at IS NULL";

pub(super) const JOB: &str = select_job!("WHERE j.job_name = ?1");

pub(super) const SUBMISSION: &str = select_item!("WHERE s.job_id = ?1");

pub(super) const SUBMISSIONS: &str =
    select_item!("WHERE s.job_name = ?1 AND s.job_id > ?2 ORDER BY s.job_id LIMIT ?3");

pub(super) const SUBMISSIONS_WITH_STATUS: &str =
    select_item!("WHERE s.status = ?1 AND s.job_id > ?2 ORDER BY s.job_id LIMIT ?3");

pub(super) const JOBS: &str = select_job!("WHERE j.job_name > ?1 ORDER BY j.job_name LIMIT ?2");

pub(super) const JOBS_OF_RUN: &str =
    select_job!("WHERE j.run_id = ?1 AND j.job_name > ?2 ORDER BY j.job_name LIMIT ?3");

pub(super) const JOBS_WITH_STATUS: &str = concat!(
    "SELECT ",
    head_columns!(),
    ", ",
    item_columns!(),
    " FROM submissions s CROSS JOIN jobs j ON j.job_name = s.job_name
      WHERE s.job_status = ?1 AND s.job_name > ?2 ORDER BY s.job_name LIMIT ?3"
);

pub(super) const COUNT_BY_STATUS: &str =
    "SELECT job_status, count(*) FROM submissions WHERE job_status IS NOT NULL GROUP BY job_status";

pub(super) const COUNT_UNSUBMITTED: &str = "SELECT count(*) FROM jobs WHERE job_id IS NULL";

pub(super) const EXPIRED_CLAIMS: &str = select_head!(
    "WHERE j.claim_expires_at < ?1 AND (j.claim_expires_at, j.job_name) > (?2, ?3)
     ORDER BY j.claim_expires_at, j.job_name LIMIT ?4"
);

/// `silent_since` comes last: it is the cursor's, and part of no record.
pub(super) const SILENT_SUBMISSIONS: &str = concat!(
    "SELECT ",
    item_columns!(),
    ", s.silent_since FROM submissions s
      WHERE s.ended_at IS NULL AND s.silent_since < ?1 AND (s.silent_since, s.job_id) > (?2, ?3)
      ORDER BY s.silent_since, s.job_id LIMIT ?4"
);

/// `ended_at` comes last: it is the cursor's, and part of no record.
pub(super) const UNFINISHED_LOGS: &str = concat!(
    "SELECT ",
    item_columns!(),
    ", s.logs_due_at FROM submissions s
      WHERE s.logs_due_at < ?1 AND (s.logs_due_at, s.job_id) > (?2, ?3)
      ORDER BY s.logs_due_at, s.job_id LIMIT ?4"
);

pub(super) const REMOVE_SUBMISSION: &str = "DELETE FROM submissions WHERE job_id = ?1";

/// Children are `<id>:<index>` and nodes `<id>#<node>`; ';' follows ':' and '$' follows '#'.
pub(super) const REMOVE_CHILDREN: &str =
    "DELETE FROM submissions WHERE job_id > ?1 || ':' AND job_id < ?1 || ';'";

pub(super) const REMOVE_NODES: &str =
    "DELETE FROM submissions WHERE job_id > ?1 || '#' AND job_id < ?1 || '$'";

pub(super) const REMOVE_HEAD: &str = "DELETE FROM jobs WHERE job_name = ?1";

pub(super) const IDS_OF_JOB: &str = "SELECT job_id FROM submissions WHERE job_name = ?1";

pub(super) const REMOVE_SUBMISSIONS_OF_JOB: &str = "DELETE FROM submissions WHERE job_name = ?1";

pub(super) const CREATE_RUN: &str = "
    INSERT INTO runs (run_id, state, checkpoint, updated_at, run, ended) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (run_id) DO NOTHING";

pub(super) const SAVE_RUN: &str = "
    UPDATE runs SET state = ?2, checkpoint = ?3, updated_at = ?4, run = ?5, ended = ?6 WHERE run_id = ?1";

pub(super) const REMOVE_RUN: &str = "DELETE FROM runs WHERE run_id = ?1";

pub(super) const RUN: &str = "SELECT run FROM runs WHERE run_id = ?1";

pub(super) const RUNS: &str = "SELECT run FROM runs WHERE run_id > ?1 ORDER BY run_id LIMIT ?2";

pub(super) const UNFINISHED_RUNS: &str = "
    SELECT run FROM runs
    WHERE ended = 0 AND updated_at < ?1 AND (updated_at, run_id) > (?2, ?3)
    ORDER BY updated_at, run_id LIMIT ?4";

pub(super) const REQUEST_STOP: &str = "INSERT INTO stop_requests (request) VALUES (?1)";

pub(super) const OPEN_STOP_REQUESTS: &str =
    "SELECT request_id, request FROM stop_requests WHERE answer IS NULL ORDER BY request_id LIMIT 100";

pub(super) const ANSWER_STOP: &str = "UPDATE stop_requests SET answer = ?2 WHERE request_id = ?1";

pub(super) const STOP_ANSWER: &str = "SELECT answer FROM stop_requests WHERE request_id = ?1";

pub(super) const WITHDRAW_STOP: &str = "DELETE FROM stop_requests WHERE request_id = ?1";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::schema::{MIGRATIONS, migrate};
    use rusqlite::Connection;

    const BY_KEY_OR_INDEX: &[&str] = &[
        HEAD,
        SAVE_HEAD,
        APPLY_STATE,
        IS_KNOWN,
        SET_LATEST,
        SET_RECOVERED,
        SAVE_FOLLOW_UP,
        UNSETTLED_ENDS,
        ENDS_WAITING_FOR,
        SAVE_LOGS,
        NO_NEWS,
        JOB,
        SUBMISSION,
        SUBMISSIONS,
        SUBMISSIONS_WITH_STATUS,
        JOBS,
        JOBS_OF_RUN,
        JOBS_WITH_STATUS,
        EXPIRED_CLAIMS,
        SILENT_SUBMISSIONS,
        UNFINISHED_LOGS,
        REMOVE_SUBMISSION,
        REMOVE_CHILDREN,
        REMOVE_NODES,
        REMOVE_HEAD,
        IDS_OF_JOB,
        REMOVE_SUBMISSIONS_OF_JOB,
        CREATE_RUN,
        SAVE_RUN,
        REMOVE_RUN,
        RUN,
        RUNS,
        UNFINISHED_RUNS,
        REQUEST_STOP,
        ANSWER_STOP,
        STOP_ANSWER,
        WITHDRAW_STOP,
    ];

    /// The steps of a statement's plan.
    fn plan(sql: &str) -> Vec<String> {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, MIGRATIONS).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let parameters = vec![1_i64; statement.parameter_count()];
        let steps =
            statement.query_map(rusqlite::params_from_iter(parameters), |row| row.get::<_, String>(3));
        steps.unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn every_statement_finds_its_rows_by_an_index_and_in_order() {
        for sql in BY_KEY_OR_INDEX {
            for step in plan(sql) {
                assert!(!step.starts_with("SCAN") && !step.contains("TEMP B-TREE"), "{step}\n{sql}");
            }
        }
    }

    #[test]
    fn counts_read_an_index_alone() {
        for (sql, index) in [(COUNT_BY_STATUS, "submissions_latest"), (COUNT_UNSUBMITTED, "jobs_unsubmitted")]
        {
            let steps = plan(sql);
            assert!(steps.iter().all(|step| step.contains(index) && step.contains("INDEX")), "{steps:?}");
        }
    }

    #[test]
    fn the_lists_use_the_indexes_made_for_them() {
        for (sql, index) in [
            (JOBS_OF_RUN, "jobs_of_runs"),
            (JOBS_WITH_STATUS, "submissions_latest"),
            (SUBMISSIONS, "submissions_of_jobs"),
            (SUBMISSIONS_WITH_STATUS, "submissions_by_status"),
            (EXPIRED_CLAIMS, "jobs_claimed"),
            (SILENT_SUBMISSIONS, "submissions_silent"),
            (UNSETTLED_ENDS, "submissions_unsettled"),
            (ENDS_WAITING_FOR, "submissions_waiting"),
            (UNFINISHED_LOGS, "submissions_without_logs"),
            (UNFINISHED_RUNS, "runs_unfinished"),
            (OPEN_STOP_REQUESTS, "stop_requests_open"),
        ] {
            assert!(plan(sql)[0].contains(index), "{:?}", plan(sql));
        }
    }
}
