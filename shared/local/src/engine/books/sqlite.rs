//! Books in a SQLite file of their own. They are written in every turn of the engine, and a second connection that
//! writes the job store's file makes SQLite drop the pages that the store has read. The books of a simulation lie in the
//! job store's file, by the store's own connection, so that one transaction holds both.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use super::{Books, BooksError};
use crate::Gathering as _;
use crate::domain::{JobId, JobName};
use crate::engine::core::JobRecord;
use crate::ports::PortError;
use crate::sqlite::SqliteStore;

/// The version of the tables below. Kept in a table, because they lay in the job store's file once, whose
/// `user_version` is the store's.
const SCHEMA_VERSION: i64 = 1;

/// Goes on where it was cut short.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS engine_jobs (
        job_id TEXT PRIMARY KEY,
        job_name TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        is_child INTEGER NOT NULL,
        has_ended INTEGER NOT NULL,
        record TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS engine_jobs_sequence ON engine_jobs (sequence);
    CREATE INDEX IF NOT EXISTS engine_jobs_named ON engine_jobs (job_name, sequence) WHERE is_child = 0;
    CREATE INDEX IF NOT EXISTS engine_jobs_unfinished ON engine_jobs (has_ended) WHERE has_ended = 0;
";

/// How long a call waits for another program's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Records in one transaction, when books are moved.
const MOVED_AT_ONCE: usize = 1_000;

/// What a saved record outlives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The machine's sudden end: each save waits for the disk.
    Machine,
    /// The program's sudden end: for simulations.
    Program,
}

impl From<rusqlite::Error> for BooksError {
    fn from(error: rusqlite::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<serde_json::Error> for BooksError {
    fn from(error: serde_json::Error) -> Self {
        Self::new(format!("a job's record: {error}"))
    }
}

/// Keeps every job in a file.
#[derive(Debug)]
pub struct SqliteBooks {
    place: Place,
    durability: Durability,
}

#[derive(Debug)]
enum Place {
    Own { connection: Mutex<Connection>, path: PathBuf, file: FileId },
    Beside(SqliteStore),
}

/// Which file a path names.
type FileId = (u64, u64);

fn file_id(path: &Path) -> std::io::Result<FileId> {
    path.metadata().map(|found| (found.dev(), found.ino()))
}

impl SqliteBooks {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    ///
    /// Where it can't be opened, or was written by a later version.
    pub fn open(path: &Path, durability: Durability) -> Result<Self, BooksError> {
        let in_file = |error: rusqlite::Error| BooksError::new(format!("{}: {error}", path.display()));
        let mut connection = Connection::open(path).map_err(in_file)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(in_file)?;
        // Whoever opens it holds the folder's lock: no other process need be kept out at each call.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(in_file)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(in_file)?;
        let synchronous = match durability {
            Durability::Machine => "FULL",
            Durability::Program => "NORMAL",
        };
        connection.pragma_update(None, "synchronous", synchronous).map_err(in_file)?;
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(in_file)?;
        let known = prepare(&transaction).map_err(in_file)?;
        transaction.commit().map_err(in_file)?;
        check_version(known, path)?;
        let file = file_id(path).map_err(|error| BooksError::new(format!("{}: {error}", path.display())))?;
        let place = Place::Own { connection: Mutex::new(connection), path: path.to_owned(), file };
        Ok(Self { place, durability })
    }

    /// Keeps the books in a job store's file.
    ///
    /// # Errors
    ///
    /// Where they can't be made there, or were written by a later version.
    pub fn beside(store: &SqliteStore, path: &Path) -> Result<Self, BooksError> {
        let known = store.beside("open the books", prepare).map_err(not_kept)?;
        check_version(known, path)?;
        store.commit().map_err(not_kept)?;
        Ok(Self { place: Place::Beside(store.clone()), durability: Durability::Program })
    }

    /// Takes the books over from another file: that of the job store, where they lay in earlier versions and lie in
    /// simulations, or their own after a simulation. They are copied before they are dropped there, so a kill at any point
    /// loses nothing; the next start goes on.
    ///
    /// # Errors
    ///
    /// Where one of the files can't be read or written, or a later version wrote the tables.
    pub fn move_from(&self, earlier: &Path) -> Result<(), BooksError> {
        if !earlier.exists() {
            return Ok(());
        }
        let in_file = |error: rusqlite::Error| BooksError::new(format!("{}: {error}", earlier.display()));
        let mut theirs = Connection::open(earlier).map_err(in_file)?;
        theirs.busy_timeout(BUSY_TIMEOUT).map_err(in_file)?;
        if !theirs.table_exists(None, "engine_schema").map_err(in_file)? {
            return Ok(());
        }
        let transaction =
            theirs.transaction_with_behavior(TransactionBehavior::Immediate).map_err(in_file)?;
        check_version(version(&transaction).map_err(in_file)?, earlier)?;
        let mut select = transaction.prepare("SELECT record FROM engine_jobs").map_err(in_file)?;
        let mut rows = select.query([]).map_err(in_file)?;
        let mut records = Vec::new();
        loop {
            let row = rows.next().map_err(in_file)?;
            let is_last = row.is_none();
            if let Some(row) = row {
                records.push(parse(&text(row).map_err(in_file)?)?);
            }
            if is_last || records.len() == MOVED_AT_ONCE {
                self.save(&records)?;
                records.clear();
            }
            if is_last {
                break;
            }
        }
        drop(rows);
        drop(select);
        self.commit()?;
        transaction.execute_batch("DROP TABLE engine_jobs; DROP TABLE engine_schema").map_err(in_file)?;
        transaction.commit().map_err(in_file)
    }

    /// Changes all that the call writes, or nothing.
    fn change<T>(&self, call: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, BooksError> {
        let Place::Own { connection, .. } = &self.place else { return self.look(call) };
        let mut connection = lock(connection);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let answer = call(&transaction)?;
        transaction.commit()?;
        Ok(answer)
    }

    fn look<T>(&self, call: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, BooksError> {
        match &self.place {
            Place::Own { connection, .. } => Ok(call(&lock(connection))?),
            Place::Beside(store) => store.beside("keep the books", call).map_err(not_kept),
        }
    }

    /// Commits what a simulation's store has gathered.
    fn commit(&self) -> Result<(), BooksError> {
        match &self.place {
            Place::Own { .. } => Ok(()),
            Place::Beside(store) => store.commit().map_err(not_kept),
        }
    }
}

fn not_kept(error: PortError) -> BooksError {
    BooksError::new(error.to_string())
}

/// A transaction that a panic cut short was rolled back when it was dropped.
fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the tables where there are none. Returns the version of those that were there.
fn prepare(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection.execute_batch("CREATE TABLE IF NOT EXISTS engine_schema (version INTEGER NOT NULL)")?;
    let known = version(connection)?;
    if known.is_none() {
        connection.execute_batch(SCHEMA)?;
        connection.execute("INSERT INTO engine_schema (version) VALUES (?1)", [SCHEMA_VERSION])?;
    }
    Ok(known)
}

fn version(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection.query_row("SELECT version FROM engine_schema", [], |row| row.get(0)).optional()
}

fn check_version(version: Option<i64>, file: &Path) -> Result<(), BooksError> {
    match version {
        Some(other) if other != SCHEMA_VERSION => Err(BooksError::new(format!(
            "{}: the tables have version {other} and this program knows {SCHEMA_VERSION}; use the program that wrote them",
            file.display()
        ))),
        Some(_) | None => Ok(()),
    }
}

impl Books for SqliteBooks {
    fn wait_for_a_disk(&self) -> bool {
        self.durability == Durability::Machine
    }

    fn save(&self, records: &[JobRecord]) -> Result<(), BooksError> {
        // SQLite goes on writing into a file that was removed, where nobody will ever read it.
        if let Place::Own { path, file, .. } = &self.place
            && file_id(path).ok() != Some(*file)
        {
            let path = path.display();
            return Err(BooksError::new(format!(
                "{path} was removed or replaced while the engine was running; put it back, or start anew"
            )));
        }
        let texts = records.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        self.change(|connection| {
            let mut upsert = connection.prepare_cached(
                "INSERT INTO engine_jobs (job_id, job_name, sequence, is_child, has_ended, record)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT (job_id) DO UPDATE SET
                         has_ended = excluded.has_ended, record = excluded.record",
            )?;
            for (record, text) in records.iter().zip(texts) {
                let job_id = record.job_id();
                let row = params![
                    job_id.as_str(),
                    record.detail.job_name.as_str(),
                    record.sequence.cast_signed(),
                    job_id.parent().is_some(),
                    record.status().is_terminal(),
                    text
                ];
                upsert.execute(row)?;
            }
            Ok(())
        })
    }

    fn load(&self, job_ids: &[JobId]) -> Result<Vec<JobRecord>, BooksError> {
        let texts = self.look(|connection| {
            let mut select = connection.prepare_cached("SELECT record FROM engine_jobs WHERE job_id = ?1")?;
            let found = job_ids.iter().map(|job_id| select.query_row([job_id.as_str()], text).optional());
            found.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        texts.iter().flatten().map(|text| parse(text)).collect()
    }

    fn named(&self, job_name: &JobName, after: u64, limit: usize) -> Result<Vec<JobRecord>, BooksError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let statement = "SELECT record FROM engine_jobs
             WHERE job_name = ?1 AND is_child = 0 AND sequence > ?2 ORDER BY sequence LIMIT ?3";
        self.records(statement, params![job_name.as_str(), after.cast_signed(), limit])
    }

    fn newest(&self, unfinished: bool, before: u64, limit: usize) -> Result<Vec<JobRecord>, BooksError> {
        let before = i64::try_from(before).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let statement = if unfinished {
            "SELECT record FROM engine_jobs WHERE has_ended = 0 AND is_child = 0 AND sequence < ?1
             ORDER BY sequence DESC LIMIT ?2"
        } else {
            "SELECT record FROM engine_jobs WHERE is_child = 0 AND sequence < ?1
             ORDER BY sequence DESC LIMIT ?2"
        };
        self.records(statement, params![before, limit])
    }

    fn unfinished(&self) -> Result<Vec<JobRecord>, BooksError> {
        self.records("SELECT record FROM engine_jobs WHERE has_ended = 0", [])
    }

    fn last_sequence(&self) -> Result<u64, BooksError> {
        let last: Option<i64> = self.look(|connection| {
            connection.query_row("SELECT max(sequence) FROM engine_jobs", [], |row| row.get(0))
        })?;
        Ok(last.unwrap_or(0).cast_unsigned())
    }
}

impl SqliteBooks {
    fn records(&self, statement: &str, params: impl rusqlite::Params) -> Result<Vec<JobRecord>, BooksError> {
        let texts = self.look(|connection| {
            let mut select = connection.prepare_cached(statement)?;
            select.query_map(params, text)?.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        texts.iter().map(|text| parse(text)).collect()
    }
}

fn text(row: &Row<'_>) -> rusqlite::Result<String> {
    row.get(0)
}

fn parse(text: &str) -> Result<JobRecord, BooksError> {
    Ok(serde_json::from_str(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::books::contract;

    #[test]
    fn a_file_passes_the_contract_and_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        contract::books_keep_what_they_are_given(&SqliteBooks::open(&path, Durability::Machine).unwrap());
        let again = SqliteBooks::open(&path, Durability::Program).unwrap();
        assert_eq!((again.last_sequence().unwrap(), again.unfinished().unwrap().len()), (3, 2));
    }

    #[test]
    fn books_in_the_job_stores_file_are_moved_and_nothing_else_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let (earlier, path) = (folder.path().join("state.db"), folder.path().join("engine.db"));
        contract::books_keep_what_they_are_given(&SqliteBooks::open(&earlier, Durability::Machine).unwrap());
        Connection::open(&earlier).unwrap().execute("CREATE TABLE jobs (job_name TEXT)", []).unwrap();
        let books = SqliteBooks::open(&path, Durability::Machine).unwrap();
        // A kill came between the copy and the end of the old tables.
        let copied = SqliteBooks::open(&earlier, Durability::Machine).unwrap().unfinished().unwrap();
        books.save(&copied).unwrap();
        for _ in 0..2 {
            books.move_from(&earlier).unwrap();
            assert_eq!((books.last_sequence().unwrap(), books.unfinished().unwrap().len()), (3, 2));
        }
        let left = Connection::open(&earlier).unwrap();
        let tables: String =
            left.query_row("SELECT group_concat(name) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, "jobs");
        books.move_from(&folder.path().join("absent.db")).unwrap();
        assert!(!folder.path().join("absent.db").exists());
    }

    #[test]
    fn tables_of_a_later_version_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        SqliteBooks::open(&path, Durability::Program).unwrap();
        Connection::open(&path).unwrap().execute("UPDATE engine_schema SET version = 9", []).unwrap();
        let error = SqliteBooks::open(&path, Durability::Program).unwrap_err().to_string();
        assert!(error.contains("have version 9"), "{error}");
    }
}
