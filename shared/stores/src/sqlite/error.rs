//! What SQLite says, as a port's error.

use rusqlite::ErrorCode;

use crate::domain::ids::InvalidId;
use crate::ports::{Cursor, PortError};

/// Why a call failed, before the file is named.
#[derive(Debug, thiserror::Error)]
pub(super) enum SqliteFailure {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error("holds no state yet; run a job file first, or name the folder that holds the state")]
    Missing,
    #[error(
        "can't be looked at: {0}; check the permissions of its folder, or look as the user who ran the jobs"
    )]
    OutOfReach(std::io::Error),
    #[error("holds another program's tables; name another file for the state")]
    Foreign,
    #[error(
        "has format version {found} and this program knows versions up to {known}; use the newer program that wrote it"
    )]
    Newer { found: usize, known: usize },
    #[error(
        "has format version {found}, older than this program's {known}; submit or reconcile once to bring it up to date"
    )]
    Older { found: usize, known: usize },
    #[error("holds {what} that can't be read: {why}; restore the file from a copy, or remove the job")]
    Record { what: &'static str, why: String },
    #[error("can't hold {what}: {why}")]
    Unwritable { what: &'static str, why: serde_json::Error },
    #[error("was asked for a page by {0:?}, which is no cursor of this list; start again without one")]
    Cursor(String),
}

impl SqliteFailure {
    pub(super) fn cursor(cursor: &Cursor) -> Self {
        Self::Cursor(cursor.0.clone())
    }

    /// Whether the file's disk does not let SQLite make the files that it needs beside it.
    pub(super) fn is_of_the_medium(&self) -> bool {
        let Self::Sqlite(error) = self else { return false };
        matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
    }

    /// Whether another process or handle is writing.
    pub(super) fn is_of_a_lock(&self) -> bool {
        let Self::Sqlite(error) = self else { return false };
        matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }

    /// Names the file and tells the kind.
    pub(super) fn into_port(self, operation: &'static str, file: &str) -> PortError {
        let told = self.to_port(operation, file);
        match self {
            Self::Sqlite(error) => told.with_origin(error),
            _ => told,
        }
    }

    /// The same of a failure that several callers share.
    pub(super) fn to_port(&self, operation: &'static str, file: &str) -> PortError {
        match self {
            Self::Sqlite(error) => told(error, operation, file),
            ours => PortError::permanent(operation, format!("{file} {ours}")),
        }
    }
}

fn told(error: &rusqlite::Error, operation: &'static str, file: &str) -> PortError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => PortError::retryable(
            operation,
            format!("{file} is locked by another process; try again when that has finished ({error})"),
        ),
        Some(ErrorCode::DiskFull) => PortError::retryable(
            operation,
            format!("{file} can't grow: free some space on its disk and try again ({error})"),
        ),
        // Aborted: another call of the same transaction met one of the others.
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::OperationAborted,
        ) => PortError::retryable(operation, format!("{file}: {error}")),
        Some(ErrorCode::NotADatabase) => PortError::permanent(
            operation,
            format!("{file} is no SQLite database; name another file for the state ({error})"),
        ),
        Some(ErrorCode::DatabaseCorrupt) => PortError::permanent(
            operation,
            format!(
                "{file} is damaged; restore it from a copy, or recover it with `sqlite3 FILE .recover` ({error})"
            ),
        ),
        Some(ErrorCode::CannotOpen) => PortError::permanent(
            operation,
            format!(
                "{file} can't be opened; check that its directory exists and may be written to ({error})"
            ),
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => PortError::permanent(
            operation,
            format!("{file} may not be written to; check its permissions and its directory's ({error})"),
        ),
        _ => PortError::permanent(operation, format!("{file}: {error}")),
    }
}

impl From<InvalidId> for SqliteFailure {
    fn from(error: InvalidId) -> Self {
        Self::Record { what: "an id", why: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::ErrorKind;

    #[test]
    fn a_lock_may_pass_and_damage_does_not() {
        let table = [
            (rusqlite::ffi::SQLITE_BUSY, ErrorKind::Retryable, "locked by another process"),
            (rusqlite::ffi::SQLITE_BUSY_SNAPSHOT, ErrorKind::Retryable, "locked by another process"),
            (rusqlite::ffi::SQLITE_LOCKED, ErrorKind::Retryable, "try again"),
            (rusqlite::ffi::SQLITE_FULL, ErrorKind::Retryable, "free some space"),
            (rusqlite::ffi::SQLITE_ABORT_ROLLBACK, ErrorKind::Retryable, "jobs.sqlite"),
            (rusqlite::ffi::SQLITE_IOERR_WRITE, ErrorKind::Retryable, "jobs.sqlite"),
            (rusqlite::ffi::SQLITE_NOTADB, ErrorKind::Permanent, "no SQLite database"),
            (rusqlite::ffi::SQLITE_CORRUPT, ErrorKind::Permanent, "restore it"),
            (rusqlite::ffi::SQLITE_CANTOPEN, ErrorKind::Permanent, "directory exists"),
            (rusqlite::ffi::SQLITE_READONLY, ErrorKind::Permanent, "permissions"),
            (rusqlite::ffi::SQLITE_CONSTRAINT, ErrorKind::Permanent, "jobs.sqlite"),
        ];
        for (code, kind, text) in table {
            let failure =
                SqliteFailure::from(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
            let error = failure.into_port("claim", "jobs.sqlite");
            assert_eq!(error.kind, kind, "{code}");
            assert!(error.message.contains(text) && error.message.contains("jobs.sqlite"), "{error}");
        }
    }
}
