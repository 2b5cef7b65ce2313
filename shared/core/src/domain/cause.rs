//! Why a submission ended as it did.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a submission FAILED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Cause {
    /// The instance went away, usually a Spot interruption. Says nothing of the program.
    HostLost,
    /// The container runtime of the host failed.
    HostError,
    /// An attempt ran longer than `timeout.attemptDurationSeconds`.
    Timeout,
    /// The container was killed for its memory.
    OutOfMemory,
    /// The image could not be pulled.
    Image,
    /// A job that this one depends on failed.
    Dependency,
    /// A child of this array failed.
    Child,
    /// Batch can't run the job as it is defined.
    Configuration,
    /// No capacity was found in time.
    Capacity,
    /// `CancelJob` was called.
    Cancelled,
    /// `TerminateJob` was called.
    Terminated,
    /// Batch no longer knows the submission.
    Lost,
    /// The program ended with an exit code other than 0.
    ExitCode,
    /// None of the above can be told.
    Unknown,
}

impl Cause {
    /// All of them.
    pub const ALL: [Cause; 14] = [
        Self::HostLost,
        Self::HostError,
        Self::Timeout,
        Self::OutOfMemory,
        Self::Image,
        Self::Dependency,
        Self::Child,
        Self::Configuration,
        Self::Capacity,
        Self::Cancelled,
        Self::Terminated,
        Self::Lost,
        Self::ExitCode,
        Self::Unknown,
    ];

    /// Why a job can't ask to be submitted again for this cause; `None` where it can.
    pub const fn not_retried_on(self) -> Option<&'static str> {
        match self {
            Self::HostLost => Some("a lost host is followed by another try in any case, up to maxTries"),
            Self::Dependency => Some("a job follows the jobs that it depends on in any case"),
            Self::Child => Some("an array is never run again because of its children"),
            Self::Cancelled | Self::Terminated => Some("a job that somebody stopped stays stopped"),
            _ => None,
        }
    }

    /// As in the state and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HostLost => "HOST_LOST",
            Self::HostError => "HOST_ERROR",
            Self::Timeout => "TIMEOUT",
            Self::OutOfMemory => "OUT_OF_MEMORY",
            Self::Image => "IMAGE",
            Self::Dependency => "DEPENDENCY",
            Self::Child => "CHILD",
            Self::Configuration => "CONFIGURATION",
            Self::Capacity => "CAPACITY",
            Self::Cancelled => "CANCELLED",
            Self::Terminated => "TERMINATED",
            Self::Lost => "LOST",
            Self::ExitCode => "EXIT_CODE",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// The text is no cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown cause {0:?}; the causes are {names}", names = Cause::ALL.map(Cause::as_str).join(", "))]
pub struct UnknownCause(String);

impl FromStr for Cause {
    type Err = UnknownCause;

    fn from_str(text: &str) -> Result<Self, UnknownCause> {
        let found = Self::ALL.into_iter().find(|cause| cause.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| UnknownCause(text.to_owned()))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
