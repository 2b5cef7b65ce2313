//! The real runner: every attempt is a child process that outlives the engine.
//!
//! An attempt runs under a shim, `/bin/sh` in a process group of its own, which writes into the
//! attempt's folder who it is before the command runs, and the exit code after. So an engine that is
//! killed and started again finds out what became of each attempt, and nothing runs twice.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `shim` | the shell script, and how it is spawned |
//! | `folder` | the files of one attempt |
//! | `identity` | whether a process is still the one that was started |
//! | `executable` | why a command can't be started |
//! | `attendant` | the task that watches one attempt |

mod attendant;
mod executable;
mod folder;
mod identity;
mod shim;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::folder::Folder;
use super::core::{AttemptId, Launch, Signal};
use super::logs::LogDirectory;
use super::runner::{Reports, Runner};
use crate::ports::Clock;

/// The runner can't work in its directory.
#[derive(Debug, thiserror::Error)]
pub enum ProcessRunnerError {
    /// Two engines would start and judge the same attempts.
    #[error("another engine works in {0:?}; stop it or use another state directory")]
    InUse(PathBuf),
    /// The shim could not say who it is.
    #[error("state directory {0:?} is on a file system without hard links ({1}); use one on another")]
    NoHardLinks(PathBuf, io::Error),
    /// The directory can't be used.
    #[error("state directory {0:?}: {1}")]
    Io(PathBuf, io::Error),
}

/// What all attempts share.
struct Site<C> {
    attempts: PathBuf,
    logs: LogDirectory,
    working_directory: PathBuf,
    /// `PATH`, where a job does not set it.
    search_path: OsString,
    clock: C,
    /// Held until the last attendant has let go of the attempt's files.
    _lock: File,
}

/// Runs attempts as processes, with their files under a state directory.
///
/// Processes that leave their process group on purpose are not ended with their job.
pub struct ProcessRunner<C> {
    site: Arc<Site<C>>,
    attended: HashMap<AttemptId, mpsc::UnboundedSender<Signal>>,
    attendants: JoinSet<()>,
}

impl<C: Clock + 'static> ProcessRunner<C> {
    /// Works in a state directory, which it makes where there is none; commands run in
    /// `working_directory`.
    ///
    /// # Errors
    ///
    /// Where another engine works there, or the directory can't be written.
    pub fn open(state: &Path, working_directory: &Path, clock: C) -> Result<Self, ProcessRunnerError> {
        let failed = |error| ProcessRunnerError::Io(state.to_owned(), error);
        let state = std::path::absolute(state).map_err(failed)?;
        let attempts = state.join("attempts");
        fs::create_dir_all(&attempts).map_err(failed)?;
        let lock = File::create(state.join("engine.lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ProcessRunnerError::InUse(state)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let probe = state.join("engine.lock.link");
        // It is there only where an engine was killed right here.
        let _ = fs::remove_file(&probe);
        fs::hard_link(state.join("engine.lock"), &probe)
            .map_err(|error| ProcessRunnerError::NoHardLinks(state.clone(), error))?;
        fs::remove_file(&probe).map_err(failed)?;
        let site = Site {
            attempts,
            logs: Self::log_directory(&state),
            working_directory: std::path::absolute(working_directory).map_err(failed)?,
            // What children inherit, they are looked for by.
            search_path: std::env::var_os("PATH").unwrap_or_default(),
            clock,
            _lock: lock,
        };
        Ok(Self { site: Arc::new(site), attended: HashMap::new(), attendants: JoinSet::new() })
    }

    /// Where the logs of jobs are that ran under a state directory.
    pub fn log_directory(state: &Path) -> LogDirectory {
        LogDirectory::new(state.join("logs"))
    }

    fn attend(&mut self, launch: Launch, is_new: bool, reports: &Reports) {
        while self.attendants.try_join_next().is_some() {}
        let (sender, signals) = mpsc::unbounded_channel();
        self.attended.insert(launch.attempt.clone(), sender);
        let attendant = attendant::Attendant::new(Arc::clone(&self.site), launch, signals, reports.clone());
        self.attendants.spawn(attendant.attend(is_new));
    }
}

impl<C: Clock + 'static> Runner for ProcessRunner<C> {
    fn start(&mut self, launch: Launch, reports: &Reports) {
        self.attend(launch, true, reports);
    }

    fn resume(&mut self, launches: Vec<Launch>, reports: &Reports) {
        let known = launches.iter().map(|launch| Folder::name(&launch.attempt)).collect();
        if let Err(error) = folder::sweep(&self.site.attempts, &known) {
            tracing::warn!(%error, "files of attempts that have ended could not be removed");
        }
        launches.into_iter().for_each(|launch| self.attend(launch, false, reports));
    }

    fn logs(&self) -> Option<LogDirectory> {
        Some(self.site.logs.clone())
    }

    fn signal(&mut self, attempt: &AttemptId, signal: Signal) {
        if let Some(attendant) = self.attended.get(attempt) {
            // An attendant that is gone has reported the end.
            let _ = attendant.send(signal);
        }
    }

    fn settled(&mut self, attempt: &AttemptId) {
        self.attended.remove(attempt);
        let site = Arc::clone(&self.site);
        let folder = Folder::of(&site.attempts, attempt);
        self.attendants.spawn_blocking(move || {
            if let Err(error) = folder.remove() {
                tracing::warn!(%error, "files of an attempt that has ended could not be removed");
            }
            drop(site);
        });
    }
}
