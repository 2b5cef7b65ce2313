//! A store for a simulation, whose world lies in the store's file as a whole.

use std::path::Path;

use rusqlite::Connection;

use super::SqliteStore;
use crate::ports::PortError;

/// Changes in one transaction.
const GATHERED: u32 = 4_096;

/// What a simulation does with its store. Not the library's: it hands out SQLite's own connection.
pub trait Gathering: Sized {
    /// As [`SqliteStore::open`], but calls are answered before they are committed, some thousands of them at once, and with
    /// the last clone. A kill takes the last ones back as a whole, so whatever is simulated must lie in the same file, by
    /// [`Gathering::beside`]. Other processes can read meanwhile, and can't write.
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::open`].
    fn open_gathering(path: &Path) -> Result<Self, PortError>;

    /// Calls with the connection, for tables that somebody else keeps in the same file. What the call changes belongs to
    /// the transaction that is open, if there is one. Where a call errs that has changed nothing, nothing comes of it.
    ///
    /// # Errors
    ///
    /// Where the call errs, and as the ports that this is. A store that gathers errs from then on if the call had changed
    /// something, because all that was gathered is taken back.
    fn beside<T>(
        &self,
        operation: &'static str,
        call: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, PortError>;

    /// Commits what was gathered. Of a store that does not gather, nothing is open.
    ///
    /// # Errors
    ///
    /// Where it can't be written. It is lost then, and so the store errs from now on.
    fn commit(&self) -> Result<(), PortError>;
}

impl Gathering for SqliteStore {
    fn open_gathering(path: &Path) -> Result<Self, PortError> {
        Self::open_to_write(path, GATHERED)
    }

    fn beside<T>(
        &self,
        operation: &'static str,
        call: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, PortError> {
        self.change_at_once(operation, |connection| Ok(call(connection)?))
    }

    fn commit(&self) -> Result<(), PortError> {
        self.commit_now()
    }
}
