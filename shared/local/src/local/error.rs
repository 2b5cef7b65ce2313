//! Why a run did not come to its end.

use std::io;
use std::path::PathBuf;

use super::state_dir::StateDirError;
use crate::engine::{BooksError, ProcessRunnerError};
use crate::job_file::JobFileError;
use crate::ports::PortError;
use crate::use_cases::run_file::RunFileError;

/// Why a run did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The job file can't be opened.
    #[error("{}: {source}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The job file is wrong: nothing was submitted.
    #[error(transparent)]
    File(#[from] JobFileError),
    /// The state folder can't be used.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The state or the engine failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The engine's books can't be used.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// Processes can't be run from the folder.
    #[error(transparent)]
    Runner(#[from] ProcessRunnerError),
}

impl From<RunFileError> for LocalError {
    fn from(error: RunFileError) -> Self {
        match error {
            RunFileError::File(error) => error.into(),
            RunFileError::Port(error) => error.into(),
            // Only by a state folder that was opened twice, past its lock.
            overtaken @ RunFileError::Overtaken => PortError::permanent("run", overtaken.to_string()).into(),
        }
    }
}
