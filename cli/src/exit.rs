//! What the program's exit code says.

use std::process::ExitCode;

use batchwright::local::LocalError;
use signal_hook::low_level::emulate_default_handler;

use crate::output::streams;

/// How a command ended, where nothing went wrong with the command itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Well,
    /// Some jobs, invocations or objects failed.
    JobsFailed,
    /// Nobody can say yet what became of some jobs, or they wait for what does not come.
    Unknown,
    /// Ctrl-C.
    Interrupted,
    /// A signal, as it would have ended a program that does not listen for it.
    Signal(i32),
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line is wrong in a way that clap can't see.
    #[error("{0}")]
    Usage(String),
    /// Refused before anything was submitted.
    #[error("{0}")]
    Rejected(String),
    /// The state or the engine failed.
    #[error("{0:#}")]
    Broken(#[from] anyhow::Error),
}

impl From<LocalError> for Failure {
    fn from(error: LocalError) -> Self {
        match error {
            LocalError::Open { .. } | LocalError::File(_) | LocalError::StateDir(_) => {
                Self::Rejected(error.to_string())
            }
            LocalError::Port(_) | LocalError::Books(_) | LocalError::Runner(_) => Self::Broken(error.into()),
        }
    }
}

/// Prints a failure to stderr, and gives the process's exit code.
pub(crate) fn code_of(ended: Result<Exit, Failure>) -> ExitCode {
    if let Err(Failure::Broken(error)) = &ended
        && streams::is_closed_stdout(error)
    {
        return ExitCode::from(streams::CLOSED_PIPE);
    }
    let code = match &ended {
        Ok(Exit::Well) => 0,
        Ok(Exit::JobsFailed) => 1,
        Err(Failure::Usage(_)) => 2,
        Err(Failure::Rejected(_)) => 3,
        Err(Failure::Broken(_)) => 4,
        Ok(Exit::Unknown) => 5,
        Ok(Exit::Interrupted) => 130,
        Ok(Exit::Signal(signal)) => {
            // Does not return where the system lets the signal end the process.
            let _lived = emulate_default_handler(*signal);
            u8::try_from(128 + signal).unwrap_or(1)
        }
    };
    if let Err(failure) = ended {
        eprintln!("batchwright: {failure}");
    }
    ExitCode::from(code)
}
