//! The tables, and how a file of an older version is brought up to date.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::error::SqliteFailure;

/// Marks a file as ours, in its header: "bwst".
const APPLICATION_ID: i64 = 0x6277_7374;

/// One script a version, applied in order. A released script is never edited: a change is one more.
pub(super) const MIGRATIONS: &[&str] =
    &[VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5, VERSION_6, VERSION_7, VERSION_8];

const VERSION_1: &str = "
CREATE TABLE jobs (
    job_name         TEXT PRIMARY KEY,
    run_id           TEXT NOT NULL,
    spec             TEXT NOT NULL,              -- JSON
    claims           INTEGER NOT NULL,
    claim_nonce      TEXT,
    claim_expires_at INTEGER,                    -- ms since 1970, as every time here
    job_id           TEXT,
    job_tries        TEXT NOT NULL,              -- JSON, the oldest first
    tries_before     INTEGER NOT NULL,
    refusal          TEXT,
    submitted_at     INTEGER,
    updated_at       INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_of_runs ON jobs (run_id, job_name);
CREATE INDEX jobs_claimed ON jobs (claim_expires_at, job_name) WHERE claim_expires_at IS NOT NULL;
CREATE INDEX jobs_unsubmitted ON jobs (job_name) WHERE job_id IS NULL;

CREATE TABLE submissions (
    job_id           TEXT PRIMARY KEY,
    job_name         TEXT NOT NULL,
    status           TEXT NOT NULL,
    order_key        INTEGER NOT NULL,
    latest           INTEGER NOT NULL DEFAULT 0, -- 1: it is its job's job_id
    ended_at         INTEGER,
    unsettled        INTEGER NOT NULL,           -- 1: what follows from its end has not been done
    state            TEXT NOT NULL,              -- JSON
    logs             TEXT,                       -- JSON
    logs_complete    INTEGER NOT NULL DEFAULT 0,
    updated_at       INTEGER NOT NULL
) STRICT;
CREATE INDEX submissions_of_jobs ON submissions (job_name, job_id);
CREATE INDEX submissions_by_status ON submissions (status, job_id);
CREATE INDEX submissions_latest ON submissions (status, job_name) WHERE latest = 1;
CREATE INDEX submissions_silent ON submissions (updated_at, job_id) WHERE ended_at IS NULL;
CREATE INDEX submissions_unsettled ON submissions (job_id) WHERE unsettled = 1;
CREATE INDEX submissions_without_logs ON submissions (ended_at, job_id)
    WHERE ended_at IS NOT NULL AND logs_complete = 0;

CREATE TABLE runs (
    run_id           TEXT PRIMARY KEY,
    state            TEXT NOT NULL,
    checkpoint       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    run              TEXT NOT NULL               -- JSON
) STRICT;
CREATE INDEX runs_unfinished ON runs (updated_at, run_id) WHERE state = 'SUBMITTING';
";

/// What is kept of each try: where it was submitted and how it ended. An array counts as SUCCEEDED though
/// its submission FAILED where all of its children have SUCCEEDED at last.
const VERSION_2: &str = "
ALTER TABLE jobs ADD COLUMN tries TEXT NOT NULL DEFAULT '[]'; -- JSON
ALTER TABLE jobs ADD COLUMN claim_job_queue TEXT;
ALTER TABLE jobs ADD COLUMN nonce_seed TEXT NOT NULL DEFAULT '';

ALTER TABLE submissions ADD COLUMN recovered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE submissions ADD COLUMN job_status TEXT GENERATED ALWAYS AS
    (CASE WHEN latest = 0 THEN NULL WHEN recovered = 1 THEN 'SUCCEEDED' ELSE status END) VIRTUAL;
DROP INDEX submissions_latest;
CREATE INDEX submissions_latest ON submissions (job_status, job_name) WHERE job_status IS NOT NULL;

-- updated_at, or when Batch was asked and had no news
ALTER TABLE submissions ADD COLUMN silent_since INTEGER NOT NULL DEFAULT 0;
UPDATE submissions SET silent_since = updated_at;
DROP INDEX submissions_silent;
CREATE INDEX submissions_silent ON submissions (silent_since, job_id) WHERE ended_at IS NULL;
";

/// A run that is being cancelled has work left too. What stops jobs asks the process that runs them.
const VERSION_3: &str = "
DROP INDEX runs_unfinished;
CREATE INDEX runs_unfinished ON runs (updated_at, run_id) WHERE state IN ('SUBMITTING', 'CANCELLING');

CREATE TABLE stop_requests (
    request_id       INTEGER PRIMARY KEY,
    request          TEXT NOT NULL,              -- JSON
    answer           TEXT                        -- JSON, once it was carried out
) STRICT;
CREATE INDEX stop_requests_open ON stop_requests (request_id) WHERE answer IS NULL;
";

/// When logs are looked at: first when the job has ended, and later on too.
const VERSION_4: &str = "
ALTER TABLE submissions ADD COLUMN logs_due_at INTEGER;
UPDATE submissions SET logs_due_at = ended_at WHERE logs_complete = 0;
DROP INDEX submissions_without_logs;
CREATE INDEX submissions_without_logs ON submissions (logs_due_at, job_id) WHERE logs_due_at IS NOT NULL;
";

/// What has been decided about what follows from an end, where those who wait for it find it.
const VERSION_5: &str = "
ALTER TABLE submissions ADD COLUMN decided INTEGER NOT NULL DEFAULT 0;
ALTER TABLE submissions ADD COLUMN waits_for TEXT; -- a job's name
CREATE INDEX submissions_waiting ON submissions (waits_for, job_id) WHERE waits_for IS NOT NULL;
";

/// Submissions that a head no longer names.
const VERSION_6: &str = "
ALTER TABLE jobs ADD COLUMN earlier_tries INTEGER NOT NULL DEFAULT 0;
";

/// The embedded engine's books have a file of their own. An earlier program would not find them, and must not try.
const VERSION_7: &str = "";

/// A run has work left until it has ended: with the last of its jobs. Those of earlier versions are looked at once.
const VERSION_8: &str = "
ALTER TABLE runs ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;
DROP INDEX runs_unfinished;
CREATE INDEX runs_unfinished ON runs (updated_at, run_id) WHERE ended = 0;
";

/// Brings the file up to the last of `migrations`, all or nothing, whoever else is doing the same.
pub(super) fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), SqliteFailure> {
    if applied(connection, migrations)? == migrations.len() {
        return Ok(());
    }
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    let done = within(version(&transaction)?, migrations)?;
    for script in &migrations[done..] {
        transaction.execute_batch(script)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", i64::try_from(migrations.len()).unwrap_or(i64::MAX))?;
    transaction.commit()?;
    Ok(())
}

/// Accepts a file of exactly this version, without changing it.
pub(super) fn check(connection: &Connection, migrations: &[&str]) -> Result<(), SqliteFailure> {
    match applied(connection, migrations)? {
        0 => Err(SqliteFailure::Missing),
        found if found < migrations.len() => Err(SqliteFailure::Older { found, known: migrations.len() }),
        _ => Ok(()),
    }
}

/// How many of `migrations` the file has seen: 0 for a new one. Refuses another program's file, and one
/// of a newer version, without changing it.
pub(super) fn applied(connection: &Connection, migrations: &[&str]) -> Result<usize, SqliteFailure> {
    // One snapshot: the file may be new now, and made by another process a moment later.
    let snapshot = connection.unchecked_transaction()?;
    within(version(&snapshot)?, migrations)
}

fn within(version: Version, migrations: &[&str]) -> Result<usize, SqliteFailure> {
    match version {
        Version::Known(found) if found > migrations.len() => {
            Err(SqliteFailure::Newer { found, known: migrations.len() })
        }
        Version::Known(found) => Ok(found),
        Version::Foreign => Err(SqliteFailure::Foreign),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// So many migrations were applied; 0 to a new file.
    Known(usize),
    /// Another program's database.
    Foreign,
}

/// Several reads: the caller holds a transaction.
fn version(connection: &Connection) -> Result<Version, SqliteFailure> {
    let read = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let application_id = read("PRAGMA application_id")?;
    if application_id == APPLICATION_ID {
        let version = usize::try_from(read("PRAGMA user_version")?).ok().filter(|&version| version > 0);
        return Ok(version.map_or(Version::Foreign, Version::Known));
    }
    let is_empty = read("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)")? == 1;
    Ok(if application_id == 0 && is_empty { Version::Known(0) } else { Version::Foreign })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{FollowUp, JobId, JobName};
    use crate::sqlite::reads;

    const FIRST: &str = "CREATE TABLE t (a INTEGER) STRICT; INSERT INTO t VALUES (7);";
    const SECOND: &str = "ALTER TABLE t ADD COLUMN b INTEGER; UPDATE t SET b = a + 1;";
    const BROKEN: &str = "CREATE TABLE u (a INTEGER) STRICT; UPDATE t SET no_such_column = 1;";

    #[test]
    fn a_file_of_an_older_version_is_brought_up_to_date_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &[FIRST]).unwrap();
        assert!(matches!(
            check(&connection, &[FIRST, SECOND]),
            Err(SqliteFailure::Older { found: 1, known: 2 })
        ));
        for _ in 0..2 {
            migrate(&mut connection, &[FIRST, SECOND]).unwrap();
        }
        let b: i64 = connection.query_row("SELECT b FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(b, 8);
        check(&connection, &[FIRST, SECOND]).unwrap();
    }

    #[test]
    fn an_interrupted_migration_leaves_the_older_version_whole() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &[FIRST]).unwrap();
        migrate(&mut connection, &[FIRST, SECOND, BROKEN]).unwrap_err();
        assert_eq!(version(&connection).unwrap(), Version::Known(1));
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'u' OR sql LIKE '%b INTEGER%'";
        assert_eq!(connection.query_row(tables, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
        migrate(&mut connection, &[FIRST, SECOND]).unwrap();
    }

    #[test]
    fn a_newer_version_and_another_programs_tables_are_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &[FIRST, SECOND]).unwrap();
        let newer = |failure| matches!(failure, Err(SqliteFailure::Newer { found: 2, known: 1 }));
        assert!(newer(migrate(&mut connection, &[FIRST])));
        assert!(newer(check(&connection, &[FIRST])));

        let mut foreign = Connection::open_in_memory().unwrap();
        foreign.execute_batch(FIRST).unwrap();
        assert!(matches!(migrate(&mut foreign, MIGRATIONS), Err(SqliteFailure::Foreign)));
        assert!(matches!(check(&foreign, MIGRATIONS), Err(SqliteFailure::Foreign)));
    }

    #[test]
    fn an_empty_file_holds_no_state_yet() {
        let connection = Connection::open_in_memory().unwrap();
        assert!(matches!(check(&connection, MIGRATIONS), Err(SqliteFailure::Missing)));
    }

    #[test]
    fn ends_of_a_file_of_the_second_version_are_open_or_settled() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &MIGRATIONS[..2]).unwrap();
        for (job_id, unsettled) in [("a-1", 1), ("a-2", 0)] {
            let state = format!(
                r#"{{"jobName":"a","jobId":"{job_id}","status":"FAILED","statusReason":"Dependent Job failed"}}"#
            );
            let sql = "INSERT INTO submissions (job_id, job_name, status, order_key, ended_at, unsettled, state, \
                       updated_at) VALUES (?1, 'a', 'FAILED', 7, 9, ?2, ?3, 9)";
            connection.execute(sql, rusqlite::params![job_id, unsettled, state]).unwrap();
        }
        migrate(&mut connection, MIGRATIONS).unwrap();
        let follow_up = |job_id| {
            reads::submission(&connection, &JobId::parse(job_id).unwrap()).unwrap().unwrap().follow_up
        };
        assert_eq!((follow_up("a-1"), follow_up("a-2")), (FollowUp::Open, FollowUp::Settled));
        let page = reads::unsettled_ends(&connection, None).unwrap();
        assert_eq!(page.items.len(), 1);
    }

    #[test]
    fn the_jobs_of_a_file_of_the_first_version_are_kept() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &MIGRATIONS[..1]).unwrap();
        let script = r#"
            INSERT INTO jobs (job_name, run_id, spec, claims, claim_nonce, claim_expires_at, job_id, job_tries,
                              tries_before, updated_at)
            VALUES ('a', 'run-1', '{"jobName":"a","jobQueue":"q","jobDefinition":"d"}', 2, '2-a81fedad3740938a', 9,
                    'a-1', '["a-1"]', 0, 1)"#;
        connection.execute_batch(script).unwrap();
        migrate(&mut connection, MIGRATIONS).unwrap();
        let head = reads::head(&connection, &JobName::parse("a").unwrap()).unwrap().unwrap();
        assert_eq!((head.tries_used(), head.tries.len(), head.claimed_queue()), (1, 0, "q"));
    }
}
