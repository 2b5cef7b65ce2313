//! The record of a run: the jobs of one job file.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::{JobName, RunId};
use super::newer::Newer;
use super::run_end::{Ending, RunEnd};
use super::s3_uri::S3Uri;
use super::stop::Stop;
use super::times::Timestamp;

/// One job file, on its way to Batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its id.
    pub run_id: RunId,
    /// Where the job file lies.
    pub source: String,
    /// Which content of it this run reads, from its first invocation to its last.
    #[serde(default, skip_serializing_if = "SourceVersion::is_unknown")]
    pub source_version: SourceVersion,
    /// What SUCCEEDED before is run again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rerun: bool,
    /// How far the run has come.
    pub state: RunState,
    /// Every job before it has been dealt with.
    pub checkpoint: Checkpoint,
    /// What became of the jobs before the checkpoint.
    pub counts: RunCounts,
    /// Lines whose job AWS Batch may have taken or not: the run is done when none is left. At most
    /// [`OpenLine::MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpenLine>,
    /// When the run started.
    pub started_at: Timestamp,
    /// When the record changed last.
    pub updated_at: Timestamp,
    /// Who asked for it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// Why it was cancelled; present in CANCELLING and CANCELLED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellation: Option<Cancellation>,
    /// How far the search for its end has come.
    #[serde(default, skip_serializing_if = "Ending::is_none")]
    pub ending: Ending,
    /// Its end; absent while its jobs are under way, and in runs that an older version ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<RunEnd>,
    /// What a newer version wrote beside it.
    #[serde(flatten)]
    pub newer: Newer,
}

/// A line of a run's file of which nobody knows yet whether its job was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenLine {
    /// The line.
    pub line: u64,
    /// Its job.
    pub job_name: JobName,
}

impl OpenLine {
    /// Lines that a run keeps open before it reads on: its record stays under 100 KB.
    pub const MAX: usize = 500;
}

/// Which content of an object: a file that is replaced while it is read must not become half of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceVersion {
    /// Its version, where the bucket keeps versions: that version is read, whatever lies under the key by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Its ETag, without quotes: tells whether the content is another one where there are no versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e_tag: Option<String>,
}

impl SourceVersion {
    /// From what a service says: S3 quotes ETags in answers and not in events.
    pub fn new(version_id: Option<String>, e_tag: Option<String>) -> Self {
        Self { version_id, e_tag: e_tag.map(|e_tag| e_tag.trim_matches('"').to_owned()) }
    }

    /// Whether nothing is known of it.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an object with this version may hold what `found` tells of.
    pub fn is_that_of(&self, found: &Self) -> bool {
        self.version_id.is_some() || self.e_tag.is_none() || self.e_tag == found.e_tag
    }
}

/// A person's request to stop a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancellation {
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Why; Batch keeps it as the jobs' `statusReason`.
    pub reason: String,
    /// Whether running jobs are stopped too.
    pub stop: Stop,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunState {
    /// Jobs are being submitted.
    Submitting,
    /// Every job of the file has been submitted, skipped or rejected.
    Submitted,
    /// The file was refused as a whole: nothing of it was submitted.
    Rejected,
    /// Somebody cancelled it: it submits nothing more, and its jobs are being stopped.
    Cancelling,
    /// It was cancelled, and none of its jobs is under way any more.
    Cancelled,
}

impl RunState {
    /// All of them.
    pub const ALL: [RunState; 5] =
        [Self::Submitting, Self::Submitted, Self::Rejected, Self::Cancelling, Self::Cancelled];

    /// As it is kept, and as it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submitting => "SUBMITTING",
            Self::Submitted => "SUBMITTED",
            Self::Rejected => "REJECTED",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The states in which a run may be saved with this one. A run that was cancelled never submits again, so
    /// a submitter that has not heard of it can't write SUBMITTING or SUBMITTED over it.
    pub const fn follows(self) -> &'static [RunState] {
        match self {
            Self::Submitting => &[Self::Submitting],
            Self::Submitted => &[Self::Submitting, Self::Submitted],
            Self::Rejected => &[Self::Submitting, Self::Rejected],
            Self::Cancelling => &[Self::Submitting, Self::Submitted, Self::Cancelling],
            Self::Cancelled => &[Self::Cancelling, Self::Cancelled],
        }
    }

    /// Whether it submits nothing more because somebody cancelled it.
    pub const fn is_cancelled(self) -> bool {
        matches!(self, Self::Cancelling | Self::Cancelled)
    }

    /// Whether its file has been dealt with: from then on it is saved only by looks at its end.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Submitted | Self::Rejected | Self::Cancelled)
    }
}

impl Run {
    /// Whether it may be saved over what is known: it never goes back, and keeps to [`RunState::follows`]. Once its
    /// file has been dealt with, each write is one more look at its end, so that of two at once one is written.
    pub fn may_replace(&self, known: &Run) -> bool {
        let is_look = self.state.is_over() && self.state == known.state;
        self.checkpoint >= known.checkpoint
            && self.state.follows().contains(&known.state)
            && self.ending.looks >= known.ending.looks + u32::from(is_look)
    }

    /// Whether its file will be read once more: what only that can tell is left to it. Nobody reads a file of a machine
    /// again, nor the jobs of a program that has died.
    pub fn is_read_again(&self) -> bool {
        self.state == RunState::Submitting && S3Uri::parse(&self.source).is_ok()
    }

    /// Whether the reconciler has to look at it: until it has ended, and that was told.
    pub fn has_work_left(&self) -> bool {
        self.end.is_none_or(|end| !end.told)
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A place in a job file: the number of jobs (lines of JSON Lines) dealt with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Checkpoint(pub u64);

/// What became of the jobs of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct RunCounts {
    /// Submitted by this run.
    pub submitted: u64,
    /// Left alone, with a reason: SUCCEEDED already, in flight, claimed by another.
    pub skipped: u64,
    /// SUCCEEDED already, with another spec; among `skipped`.
    pub changed: u64,
    /// Not valid, or refused by Batch.
    pub rejected: u64,
    /// Batch may have taken them or not: left to the reconciler.
    pub unknown: u64,
}

impl RunCounts {
    /// All jobs dealt with.
    pub fn total(&self) -> u64 {
        self.submitted + self.skipped + self.rejected + self.unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_run_never_submits_again() {
        for later in [RunState::Submitting, RunState::Submitted, RunState::Rejected] {
            assert!(!later.follows().iter().any(|known| known.is_cancelled()), "{later}");
        }
        assert!(
            !RunState::Cancelling.follows().contains(&RunState::Rejected),
            "nothing of it is there to stop"
        );
    }

    #[test]
    fn states_are_spelt_as_they_are_kept() {
        for state in RunState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
