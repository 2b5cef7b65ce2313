//! What the core asks of its driver.

use super::record::{AttemptId, JobRecord};
use crate::domain::JobName;
use crate::events::JobDetail;

/// A command that is to be run, or was before the engine began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Which attempt of which job.
    pub attempt: AttemptId,
    /// The job's name.
    pub job_name: JobName,
    /// The index of an array child.
    pub array_index: Option<u32>,
    /// The program and its arguments; never empty.
    pub command: Vec<String>,
    /// The job's own variables and Batch's; the last of equal names wins.
    pub environment: Vec<(String, String)>,
    /// Where its output goes.
    pub log_stream: String,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The command ended: with its exit code, or 128 + the signal that ended it.
    Exit(i32),
    /// The command failed, and it names a file that lies elsewhere on this machine.
    FileMisplaced {
        /// As of [`AttemptEnd::Exit`].
        exit_code: i32,
        /// Which file, and what helps.
        reason: String,
    },
    /// Nobody knows how it ended, only that it runs no longer.
    HostLost,
    /// The command could not be started, and why.
    StartFailure(String),
}

/// A signal to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: asks the command to end.
    Terminate,
    /// SIGKILL: ends the command and everything that it started.
    Kill,
}

/// What is to be done, in this order: a list is begun when the one before it is done.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Each changed job once, as one transaction.
    pub(crate) saves: Vec<JobRecord>,
    /// Each change of status, in order.
    pub(crate) events: Vec<JobDetail>,
    /// Attempts whose end is in the books: nothing of them is needed any more.
    pub(crate) settled: Vec<AttemptId>,
    /// Attempts to start.
    pub(crate) starts: Vec<Launch>,
    /// Attempts to signal.
    pub(crate) signals: Vec<(AttemptId, Signal)>,
}
