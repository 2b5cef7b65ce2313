//! Why a submission ended as it did.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a submission FAILED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
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
    /// A word that a newer version wrote: kept, and shown as it is.
    Newer(&'static str),
}

/// Words of newer versions that are kept, each once: a record's own would make every cause an allocation.
static NEWER: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// Bounds what damaged records can make this process keep.
const NEWER_MAX: usize = 100;
const NEWER_MAX_BYTES: usize = 64;

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Cause {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let known = Self::ALL.into_iter().find(|cause| cause.as_str() == word);
        known
            .or_else(|| Self::newer(&word))
            .ok_or_else(|| serde::de::Error::custom(format!("{word:?} is no cause")))
    }
}

impl Cause {
    /// A word of a newer version; `None` where it can't be one.
    fn newer(word: &str) -> Option<Self> {
        let is_word = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if word.is_empty() || word.len() > NEWER_MAX_BYTES || !word.bytes().all(is_word) {
            return None;
        }
        let mut kept = NEWER.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(word) = kept.get(word) {
            return Some(Self::Newer(word));
        }
        if kept.len() >= NEWER_MAX {
            return None;
        }
        let word: &'static str = Box::leak(word.to_owned().into_boxed_str());
        kept.insert(word);
        Some(Self::Newer(word))
    }

    /// All that this version knows.
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
            Self::Newer(word) => word,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_newer_version_is_kept_as_it_is() {
        for cause in Cause::ALL {
            let word = serde_json::to_value(cause).unwrap();
            assert_eq!(
                (serde_json::from_value::<Cause>(word.clone()).unwrap(), word),
                (cause, cause.as_str().into())
            );
        }
        let newer: Cause = serde_json::from_str("\"QUOTA_EXCEEDED\"").unwrap();
        assert_eq!((newer, newer.to_string().as_str()), (Cause::Newer("QUOTA_EXCEEDED"), "QUOTA_EXCEEDED"));
        assert_eq!(serde_json::to_string(&newer).unwrap(), "\"QUOTA_EXCEEDED\"");
        for damaged in ["\"\"", "\"host lost\"", "7", "null"] {
            assert!(serde_json::from_str::<Cause>(damaged).is_err(), "{damaged}");
        }
    }
}
