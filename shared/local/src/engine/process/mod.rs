//! The real runner: every attempt is a process, or a container, that outlives the engine.
//!
//! The command runs under an attendant, a process of this program, in an empty folder and with an environment of
//! its own. The attendant writes into the attempt's folder who it is before the command runs, and how the command
//! ended after. So an engine that is killed and started again finds out what became of each attempt, and nothing
//! runs twice. An attempt is over when its attendant has ended, and the attendant ends when nothing of the command
//! is left.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `settings` | how attempts are run |
//! | `setups` | the same of each run, kept for whoever takes its jobs up |
//! | `environment` | what a job sees of the caller's environment |
//! | `folder` | the files of one attempt |
//! | `watcher` | the engine's task that watches one attempt |
//! | `spares` | folders of attempts that have ended, for others to come |
//! | `starter` | the engine's end of the process that starts attendants |
//! | `attendant` | the process around a command, and the one that starts it |
//! | `containers` | how an attempt is a container instead |
//! | `identity` | whether a process is still the one that was started |
//! | `executable`, `misplaced` | why a command can't be started, or did not find its files |

mod attendant;
mod containers;
mod environment;
mod executable;
mod folder;
mod identity;
mod misplaced;
mod settings;
mod setups;
mod spares;
mod starter;
mod watcher;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub use self::attendant::{AttendantProgram, attend_if_asked};
pub use self::containers::{ContainerRuntime, NoRuntime};
pub use self::environment::{Variable, job_environment, passed_environment};
use self::folder::Folder;
pub use self::settings::ProcessSettings;
use self::setups::Setups;
pub(crate) use self::setups::{KeptSetups, Setup};
use self::spares::Spares;
use self::starter::Starter;
use super::core::{AttemptId, Launch, Signal};
use super::logs::LogDirectory;
use super::runner::{Reports, Runner};
use crate::domain::JobId;
use crate::ports::Clock;

/// How often the lock of another engine is tried again, and how long after.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The runner can't work in its directory.
#[derive(Debug, thiserror::Error)]
pub enum ProcessRunnerError {
    /// Two engines would start and judge the same attempts.
    #[error("another engine works in {0:?}; stop it or use another state directory")]
    InUse(PathBuf),
    /// An attendant could not say who it is.
    #[error("state directory {0:?} is on a file system without hard links ({1}); use one on another")]
    NoHardLinks(PathBuf, io::Error),
    /// The directory can't be used.
    #[error("state directory {0:?}: {1}")]
    Io(PathBuf, io::Error),
}

/// What all attempts share.
struct Site<C> {
    state: PathBuf,
    attempts: PathBuf,
    kept: PathBuf,
    logs: LogDirectory,
    setups: Setups,
    keeps_workdirs: bool,
    starter: Starter,
    spares: Spares,
    clock: C,
    /// Attempts whose output is in no log yet. It is taken in when an engine starts on the folder again.
    unlogged: Mutex<HashSet<AttemptId>>,
    /// Held until the last watcher has let go of the attempt's files.
    _lock: File,
}

impl<C> Site<C> {
    /// Leaves an attempt's files where they are when it has ended.
    fn keep_output(&self, attempt: &AttemptId) {
        self.unlogged.lock().unwrap_or_else(PoisonError::into_inner).insert(attempt.clone());
    }

    fn has_kept_output(&self, attempt: &AttemptId) -> bool {
        self.unlogged.lock().unwrap_or_else(PoisonError::into_inner).remove(attempt)
    }

    /// Puts an ended attempt's folder away.
    fn clear(&self, attempt: &AttemptId) -> io::Result<()> {
        let folder = Folder::of(&self.attempts, attempt);
        if self.has_kept_output(attempt) {
            return Ok(());
        }
        if self.keeps_workdirs { folder.keep(&self.kept) } else { self.spares.put_away(&folder) }
    }
}

/// Runs attempts as processes, with their files under a state directory.
pub struct ProcessRunner<C> {
    site: Arc<Site<C>>,
    watched: HashMap<AttemptId, mpsc::UnboundedSender<Signal>>,
    watchers: JoinSet<()>,
}

impl<C: Clock + 'static> ProcessRunner<C> {
    /// Works in a state directory, which it makes where there is none.
    ///
    /// # Errors
    ///
    /// Where another engine works there, or the directory can't be written.
    pub fn open(state: &Path, settings: ProcessSettings, clock: C) -> Result<Self, ProcessRunnerError> {
        let failed = |error| ProcessRunnerError::Io(state.to_owned(), error);
        let state = std::path::absolute(state).map_err(failed)?;
        let setups = Setups::new(Setup::of(&settings).map_err(failed)?, KeptSetups::of(&state));
        let attempts = state.join("attempts");
        fs::create_dir_all(&attempts).map_err(failed)?;
        let lock = File::create(state.join("engine.lock")).map_err(failed)?;
        let mut tries = 0;
        while let Err(error) = lock.try_lock() {
            match error {
                TryLockError::Error(error) => return Err(failed(error)),
                // An engine that was killed while it started an attendant leaves its lock to that, for a moment.
                TryLockError::WouldBlock if tries < LOCK_TRIES => {
                    tries += 1;
                    std::thread::sleep(LOCK_PAUSE);
                }
                TryLockError::WouldBlock => return Err(ProcessRunnerError::InUse(state)),
            }
        }
        let probe = state.join("engine.lock.link");
        // It is there only where an engine was killed right here.
        let _ = fs::remove_file(&probe);
        fs::hard_link(state.join("engine.lock"), &probe)
            .map_err(|error| ProcessRunnerError::NoHardLinks(state.clone(), error))?;
        fs::remove_file(&probe).map_err(failed)?;
        let site = Site {
            state: state.clone(),
            starter: Starter::new(settings.attendant, attempts.clone()),
            spares: Spares::new(state.join("spares")).map_err(failed)?,
            attempts,
            kept: kept_folders(&state),
            logs: Self::log_directory(&state),
            setups,
            keeps_workdirs: settings.keep_workdirs,
            clock,
            unlogged: Mutex::default(),
            _lock: lock,
        };
        Ok(Self { site: Arc::new(site), watched: HashMap::new(), watchers: JoinSet::new() })
    }

    /// Where the logs of jobs are that ran under a state directory.
    pub fn log_directory(state: &Path) -> LogDirectory {
        LogDirectory::new(state.join("logs"))
    }

    fn watch(&mut self, launch: Launch, is_new: bool, reports: &Reports) {
        while self.watchers.try_join_next().is_some() {}
        let (sender, signals) = mpsc::unbounded_channel();
        self.watched.insert(launch.attempt.clone(), sender);
        let watcher = watcher::Watcher::new(Arc::clone(&self.site), launch, signals, reports.clone());
        self.watchers.spawn(watcher.watch_to_end(is_new));
    }
}

/// Where the folders of attempts are kept that have ended, by [`ProcessSettings::keep_workdirs`].
pub(crate) fn kept_folders(state: &Path) -> PathBuf {
    state.join("kept")
}

/// Where an attempt ran whose folder was kept.
pub(crate) fn kept_workdir(state: &Path, job_id: &JobId, attempt: u32) -> PathBuf {
    Folder::of(&kept_folders(state), &AttemptId { job_id: job_id.clone(), number: attempt }).work()
}

impl<C: Clock + 'static> Runner for ProcessRunner<C> {
    fn start(&mut self, launch: Launch, reports: &Reports) {
        self.watch(launch, true, reports);
    }

    fn runs_images(&self) -> bool {
        self.site.setups.own().containers().is_some()
    }

    fn resume(&mut self, launches: Vec<Launch>, reports: &Reports) {
        for runtime in self.site.setups.runtimes() {
            remove_containers(&runtime, &self.site.state, &launches);
        }
        let known: HashSet<String> = launches.iter().map(|launch| Folder::name(&launch.attempt)).collect();
        folder::sweep(&self.site.attempts, &known, &self.site.logs, &self.site.clock);
        launches.into_iter().for_each(|launch| self.watch(launch, false, reports));
    }

    fn logs(&self) -> Option<LogDirectory> {
        Some(self.site.logs.clone())
    }

    fn signal(&mut self, attempt: &AttemptId, signal: Signal) {
        if let Some(watcher) = self.watched.get(attempt) {
            // A watcher that is gone has reported the end.
            let _ = watcher.send(signal);
        }
    }

    fn settled(&mut self, attempt: &AttemptId) {
        self.watched.remove(attempt);
        let (site, attempt) = (Arc::clone(&self.site), attempt.clone());
        self.watchers.spawn_blocking(move || {
            if let Err(error) = site.clear(&attempt) {
                tracing::warn!(%error, "files of an attempt that has ended could not be put away");
            }
        });
    }
}

/// Removes the containers of attempts that have ended.
fn remove_containers(runtime: &ContainerRuntime, state: &Path, launches: &[Launch]) {
    let begin = |launch: &Launch| format!("{}-", watcher::container_of(state, &launch.attempt));
    let in_use: Vec<String> = launches.iter().map(begin).collect();
    let containers = runtime.containers_of(state).unwrap_or_else(|error| {
        tracing::warn!(%error, "containers of attempts that have ended are not looked for");
        Vec::new()
    });
    for name in containers.iter().filter(|name| !in_use.iter().any(|begin| name.starts_with(begin))) {
        if !runtime.remove(name) {
            tracing::warn!(name, "a container of an attempt that has ended can't be removed");
        }
    }
}
