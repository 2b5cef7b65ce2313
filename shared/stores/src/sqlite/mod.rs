//! The state of all jobs and runs in one SQLite file: what one machine uses instead of DynamoDB.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `schema` | tables, indexes, migrations |
//! | `sql` | every statement, each served by an index |
//! | `rows` | between rows and records |
//! | `group` | what is under way at once is one transaction |
//! | `gathering` | for simulations: many calls are one transaction |
//! | `reads`, `writes` | what each statement is for |
//! | `store` | [`SqliteStore`] as `JobStore` and `RunStore` |
//! | `stop_requests` | requests to the process that runs the jobs |
//! | `error` | what SQLite says, as a port's error |
//!
//! Any number of processes and handles may use one file at once. Readers never wait; a writer waits at
//! most [`BUSY_TIMEOUT`] for another. What was written survives a kill at any point; the last moments
//! before a power failure may be lost, as a whole (`synchronous = NORMAL`).

mod error;
pub(crate) mod gathering;
mod group;
mod reads;
mod rows;
mod schema;
mod sql;
mod stop_requests;
mod store;
mod writes;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use self::error::SqliteFailure;
use self::group::Session;
pub use self::stop_requests::{StopAnswer, StopRequest, StopRequestId};
use crate::ports::PortError;

/// How long a call waits for another process to finish writing. Then it fails, and may be repeated.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Pages of 4 KiB in the log before they are moved into the file: 16 MiB. Pages that change again and again are moved
/// once then.
const CHECKPOINT_PAGES: u32 = 4_096;

/// More than there are statements.
const CACHED_STATEMENTS: usize = 64;

const OPEN: &str = "open the state";

/// A [`JobStore`](crate::ports::JobStore) and [`RunStore`](crate::ports::RunStore) in one file.
/// Clones share one connection.
///
/// A call works at once, on the thread that awaits it: it touches a few rows by an index, in
/// microseconds, which is less than handing it to another thread would take. Calls that are under way at
/// once are committed together, before any of them is answered.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: String,
    session: Mutex<Session>,
}

impl SqliteStore {
    /// Opens a file for reading and writing; makes it where it is missing, brings it up to date where it
    /// is of an older version.
    ///
    /// # Errors
    ///
    /// Retryable where another process holds it too long. Permanent where it can't be opened, is no
    /// database, another program's, damaged, or of a newer version: each names the file and the remedy.
    pub fn open(path: &Path) -> Result<Self, PortError> {
        Self::open_to_write(path, 1)
    }

    fn open_to_write(path: &Path, gathers: u32) -> Result<Self, PortError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        Self::named(path.display().to_string(), gathers, || {
            let mut connection = connect(path, flags)?;
            schema::applied(&connection, schema::MIGRATIONS)?;
            use_write_ahead_log(&connection)?;
            schema::migrate(&mut connection, schema::MIGRATIONS)?;
            Ok(connection)
        })
    }

    /// Opens a file for looking only: every write is refused. The file may lie on a read-only medium.
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::open`]; and permanent where there is no state yet, or one of an older version.
    pub fn open_existing(path: &Path) -> Result<Self, PortError> {
        Self::named(path.display().to_string(), 1, || {
            check_is_there(path)?;
            let look = |name: &Path, flags| {
                let connection = connect(name, OpenFlags::SQLITE_OPEN_READ_ONLY | flags)?;
                schema::check(&connection, schema::MIGRATIONS)?;
                Ok::<_, SqliteFailure>(connection)
            };
            match look(path, OpenFlags::empty()) {
                Err(failure) if failure.is_of_the_medium() && !has_log(path) => {
                    look(&unchanging(path), OpenFlags::SQLITE_OPEN_URI)
                }
                looked => looked,
            }
        })
    }

    /// Opens a file that is there, for reading and writing; brings it up to date where it is of an older version.
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::open`]; and permanent where there is no state yet.
    pub fn open_to_change(path: &Path) -> Result<Self, PortError> {
        match check_is_there(path) {
            Ok(()) => Self::open(path),
            Err(failure) => Self::named(path.display().to_string(), 1, || Err(failure)),
        }
    }

    /// A state of its own in memory, gone with the last clone.
    ///
    /// # Errors
    ///
    /// Where memory is short.
    pub fn in_memory() -> Result<Self, PortError> {
        Self::named("the state in memory".to_owned(), 1, || {
            let mut connection = Connection::open_in_memory()?;
            connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
            schema::migrate(&mut connection, schema::MIGRATIONS)?;
            Ok(connection)
        })
    }

    fn named(
        file: String,
        gathers: u32,
        open: impl FnOnce() -> Result<Connection, SqliteFailure>,
    ) -> Result<Self, PortError> {
        match open() {
            Ok(connection) => {
                let session = Mutex::new(Session::new(connection, gathers));
                Ok(Self { inner: Arc::new(Inner { file, session }) })
            }
            Err(failure) => Err(failure.into_port(OPEN, &file)),
        }
    }
}

/// Errs where there is no state, and where nobody can tell.
fn check_is_there(path: &Path) -> Result<(), SqliteFailure> {
    match path.metadata() {
        Ok(found) if found.len() > 0 => Ok(()),
        Ok(_) => Err(SqliteFailure::Missing),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(SqliteFailure::Missing)
        }
        Err(error) => Err(SqliteFailure::OutOfReach(error)),
    }
}

/// Whether changes lie beside the file that are not in it yet.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Path::new(&log).metadata().is_ok_and(|log| log.len() > 0)
}

/// The name by which SQLite takes the file for one that nobody changes. It makes no files beside it then, as it
/// does even for a reader, and as it can't on a read-only medium.
///
/// Source: <https://www.sqlite.org/uri.html>.
fn unchanging(path: &Path) -> PathBuf {
    let mut name = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                name.push(char::from(*byte));
            }
            other => name.push_str(&format!("%{other:02X}")),
        }
    }
    (name + "?immutable=1").into()
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, SqliteFailure> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    // Pages as they were before a call are kept until it is known that it stands. Else they are written into a file.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Else SQLite plans a statement anew for each value that could make one of the partial indexes apply. None does,
    // and planning takes longer than the statement.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    Ok(connection)
}

/// Readers and a writer then don't wait for each other. It stays so in the file, once set.
///
/// Of several processes that switch a new file at once, SQLite refuses some without waiting, because
/// they would wait for each other. Those wait for the write lock instead, and look again. Where the file
/// system has no shared memory the mode stays what it was: slower, and as safe.
fn use_write_ahead_log(connection: &Connection) -> Result<(), SqliteFailure> {
    const ATTEMPTS: u32 = 10;
    let mut attempt = 1;
    loop {
        let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
        if mode.eq_ignore_ascii_case("wal") {
            return Ok(());
        }
        match connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())) {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && attempt < ATTEMPTS =>
            {
                attempt += 1;
                connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
            }
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok(()),
        }
    }
}
