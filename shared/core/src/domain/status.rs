//! The seven statuses of an AWS Batch job.

use std::fmt;
use std::ops::{Index, IndexMut};
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

/// A job's status, in the order in which a submission passes through them.
///
/// Exhaustive on purpose: each rule decides each status, so one that AWS adds must break the build where it is not decided.
///
/// Source: <https://docs.aws.amazon.com/batch/latest/userguide/job_states.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are AWS's own")]
pub enum JobStatus {
    Submitted,
    Pending,
    Runnable,
    Starting,
    Running,
    Succeeded,
    Failed,
}

impl JobStatus {
    /// All seven, in order.
    pub const ALL: [JobStatus; 7] = [
        Self::Submitted,
        Self::Pending,
        Self::Runnable,
        Self::Starting,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
    ];

    /// AWS's own spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::Pending => "PENDING",
            Self::Runnable => "RUNNABLE",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
        }
    }

    /// SUCCEEDED or FAILED: the submission has ended.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }

    /// 1 for SUBMITTED to 7 for FAILED.
    pub const fn rank(self) -> u8 {
        self as u8 + 1
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is none of the seven statuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown job status {0:?}; the statuses are SUBMITTED, PENDING, RUNNABLE, STARTING, RUNNING, SUCCEEDED and FAILED"
)]
pub struct UnknownStatus(String);

impl FromStr for JobStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        let found = Self::ALL.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

/// How many jobs have each status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatusCounts {
    by_status: [u64; 7],
    /// Jobs with no submission: claimed, released, or refused by Batch.
    pub unsubmitted: u64,
}

impl StatusCounts {
    /// All jobs.
    pub fn total(&self) -> u64 {
        self.by_status.iter().sum::<u64>() + self.unsubmitted
    }

    /// Each status with its count, also where it is 0.
    pub fn iter(&self) -> impl Iterator<Item = (JobStatus, u64)> + '_ {
        JobStatus::ALL.into_iter().map(|status| (status, self[status]))
    }
}

impl Index<JobStatus> for StatusCounts {
    type Output = u64;

    fn index(&self, status: JobStatus) -> &u64 {
        &self.by_status[status as usize]
    }
}

impl IndexMut<JobStatus> for StatusCounts {
    fn index_mut(&mut self, status: JobStatus) -> &mut u64 {
        &mut self.by_status[status as usize]
    }
}

impl Serialize for StatusCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(8))?;
        for (status, count) in self.iter() {
            map.serialize_entry(status.as_str(), &count)?;
        }
        map.serialize_entry("UNSUBMITTED", &self.unsubmitted)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_ordered_and_read_back() {
        assert!(JobStatus::ALL.is_sorted());
        for status in JobStatus::ALL {
            assert_eq!(status.as_str().parse::<JobStatus>().unwrap(), status);
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
            assert_eq!(status.is_terminal(), status.rank() >= 6);
        }
        assert!("DONE".parse::<JobStatus>().unwrap_err().to_string().contains("\"DONE\""));
    }

    #[test]
    fn counts_hold_all_seven_statuses() {
        let mut counts = StatusCounts::default();
        counts[JobStatus::Failed] += 2;
        counts.unsubmitted += 1;
        assert_eq!(counts.total(), 3);
        let json = serde_json::to_value(counts).unwrap();
        assert_eq!(json["FAILED"], 2);
        assert_eq!(json["SUBMITTED"], 0);
        assert_eq!(json.as_object().unwrap().len(), 8);
    }
}
