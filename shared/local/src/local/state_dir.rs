//! The folder that holds everything the embedded engine knows.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::directory::DirectoryObjectStore;
use crate::domain::JobId;
use crate::engine::{
    BooksError, Durability, KeptSetups, LogDirectory, ProcessRunner, SqliteBooks, kept_folders, kept_workdir,
};
use crate::ports::SystemClock;
use crate::sqlite::SqliteStore;

/// How often a lock is tried again that a dead process has left, and how long after: five seconds in all.
const DEAD_HOLDER_TRIES: u32 = 500;
const DEAD_HOLDER_PAUSE: Duration = Duration::from_millis(10);

/// A state folder.
#[derive(Debug, Clone)]
pub struct StateDir {
    root: PathBuf,
}

/// Why a state folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// Only one engine may run jobs from a folder.
    #[error(
        "the state folder {} is in use by process {pid}; wait for it, or give another folder with --state-dir",
        .root.display()
    )]
    InUse {
        /// The folder.
        root: PathBuf,
        /// The process that has it.
        pid: String,
    },
    /// What was simulated in it would count as run, or the other way round.
    #[error(
        "the state folder {} holds {}; give another folder with --state-dir",
        .root.display(),
        if *.is_simulated { "a simulation, whose jobs never ran" } else { "jobs that ran, and a simulation's would count among them" }
    )]
    OfOtherKind {
        /// The folder.
        root: PathBuf,
        /// Whether a simulation was there first.
        is_simulated: bool,
    },
    /// It can't be made, read or written.
    #[error("the state folder {} can't be used: {source}", .root.display())]
    Io {
        /// The folder.
        root: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Held while an engine runs jobs from the folder; the system frees it when the process ends, however
/// it ends.
#[derive(Debug)]
pub struct StateDirLock {
    _file: File,
}

impl StateDir {
    /// The folder at a path; nothing is made yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Jobs, submissions and runs.
    pub fn database(&self) -> PathBuf {
        self.root.join("state.db")
    }

    /// What the engine must still know after a restart. Only who holds the folder's lock may open it.
    pub(crate) fn books(&self) -> Result<SqliteBooks, BooksError> {
        let books = SqliteBooks::open(&self.own_books(), Durability::Machine)?;
        books.move_from(&self.database())?;
        Ok(books)
    }

    /// The same for a simulation: in the file of its store, which gathers.
    pub(crate) fn books_beside(&self, store: &SqliteStore) -> Result<SqliteBooks, BooksError> {
        let books = SqliteBooks::beside(store, &self.database())?;
        books.move_from(&self.own_books())?;
        Ok(books)
    }

    fn own_books(&self) -> PathBuf {
        self.root.join("engine.db")
    }

    /// What stands for the bucket: the archive of logs, and reports.
    pub fn bucket(&self) -> DirectoryObjectStore {
        DirectoryObjectStore::new(&self.root.join("bucket"))
    }

    /// The log streams of the jobs.
    pub fn logs(&self) -> LogDirectory {
        ProcessRunner::<SystemClock>::log_directory(&self.root)
    }

    /// How the jobs of each run are started.
    pub(crate) fn setups(&self) -> KeptSetups {
        KeptSetups::of(&self.root)
    }

    /// What can't be done in it.
    pub(crate) fn failed(&self, source: io::Error) -> StateDirError {
        StateDirError::Io { root: self.root.clone(), source }
    }

    /// The folders of attempts that have ended, where they are kept.
    pub fn kept(&self) -> PathBuf {
        kept_folders(&self.root)
    }

    /// Where an attempt ran, the first of a job being 1, whose folder was kept.
    pub fn kept_workdir(&self, job_id: &JobId, attempt: u32) -> PathBuf {
        kept_workdir(&self.root, job_id, attempt)
    }

    /// Whether a process runs jobs from the folder.
    pub fn is_in_use(&self) -> bool {
        let lock = self.root.join("lock");
        let file = OpenOptions::new().read(true).write(true).open(lock);
        file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// Keeps simulations and jobs that run apart: what SUCCEEDED in one is skipped in the other. Only who holds the
    /// folder's lock may say what it is for.
    pub(crate) fn keep_for(&self, simulates: bool) -> Result<(), StateDirError> {
        let mark = self.root.join("simulated");
        let is_simulated = mark.exists();
        let has_jobs = std::fs::metadata(self.database()).is_ok_and(|found| found.len() > 0);
        match (simulates, is_simulated) {
            (true, false) if !has_jobs => {
                let marked = std::fs::write(mark, "The jobs of this folder were simulated.\n");
                marked.map_err(|source| StateDirError::Io { root: self.root.clone(), source })
            }
            (true, true) | (false, false) => Ok(()),
            _ => Err(StateDirError::OfOtherKind { root: self.root.clone(), is_simulated }),
        }
    }

    /// Makes the folder and locks it for one engine.
    pub fn lock(&self) -> Result<StateDirLock, StateDirError> {
        let failed = |source| StateDirError::Io { root: self.root.clone(), source };
        std::fs::create_dir_all(&self.root).map_err(failed)?;
        let path = self.root.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let mut tries = 0;
        while let Err(error) = file.try_lock() {
            let mut pid = String::new();
            file.rewind().and_then(|()| file.read_to_string(&mut pid)).map_err(failed)?;
            match error {
                TryLockError::Error(source) => return Err(failed(source)),
                // A process that is killed while it starts another leaves its lock to that one, for as long as
                // the start takes.
                TryLockError::WouldBlock if tries < DEAD_HOLDER_TRIES && !is_alive(&pid) => {
                    tries += 1;
                    std::thread::sleep(DEAD_HOLDER_PAUSE);
                }
                TryLockError::WouldBlock => {
                    return Err(StateDirError::InUse { root: self.root.clone(), pid: pid.trim().to_owned() });
                }
            }
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(StateDirLock { _file: file })
    }
}

/// Whether a process runs, by its id as text.
fn is_alive(pid: &str) -> bool {
    let pid = pid.trim().parse().ok().and_then(Pid::from_raw);
    // Refused (EPERM) too: then it is another user's.
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_use_is_refused_with_the_process_that_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path().join("made"));
        let lock = state.lock().unwrap();
        let error = state.lock().unwrap_err().to_string();
        assert!(error.contains(&format!("in use by process {}", std::process::id())), "{error}");
        drop(lock);
        state.lock().unwrap();
    }

    #[test]
    fn a_lock_that_a_dead_process_left_to_its_child_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path());
        let lock = state.lock().unwrap();
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        std::fs::write(folder.path().join("lock"), format!("{}\n", ended.id())).unwrap();
        let child = std::thread::spawn(move || drop(lock));
        state.lock().unwrap();
        child.join().unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = StateDir::new(file.path().join("below")).lock().unwrap_err().to_string();
        assert!(error.contains("below can't be used"), "{error}");
    }
}
