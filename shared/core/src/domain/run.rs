//! The record of a run: the jobs of one job file.

use serde::{Deserialize, Serialize};

use super::ids::RunId;
use super::times::Timestamp;

/// One job file, on its way to Batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its id.
    pub run_id: RunId,
    /// Where the job file lies.
    pub source: String,
    /// What SUCCEEDED before is run again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rerun: bool,
    /// How far the run has come.
    pub state: RunState,
    /// Every job before it has been dealt with.
    pub checkpoint: Checkpoint,
    /// What became of the jobs before the checkpoint.
    pub counts: RunCounts,
    /// When the run started.
    pub started_at: Timestamp,
    /// When the record changed last.
    pub updated_at: Timestamp,
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
