//! What a run says of each job.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::plan::Skip;
use crate::domain::{Checkpoint, JobId, JobName, RunCounts, RunId, Timestamp};
use crate::job_file::Problem;
use crate::use_cases::submit::SubmitOutcome;

/// One line of a run's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportLine {
    /// The line of the job in its file.
    pub line: u64,
    /// The job; absent where the line could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_name: Option<JobName>,
    /// What became of it.
    pub outcome: ReportOutcome,
    /// The submission that was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// Why it was not submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of a job of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReportOutcome {
    /// This run submitted it.
    Submitted,
    /// It SUCCEEDED before, is in flight, or is claimed by another.
    Skipped,
    /// It SUCCEEDED before, with another spec.
    Changed,
    /// It is not valid, or Batch refused it.
    Rejected,
    /// Batch may have taken it: the reconciler finds out.
    Unknown,
    /// This run submitted it too late, when another submission of it stood or had been decided on: this
    /// one was terminated. Counted as skipped.
    Surplus,
}

impl ReportLine {
    /// What is said of a job's outcome; `None` where it is still open.
    pub(super) fn of(line: u64, job_name: JobName, outcome: SubmitOutcome) -> Result<ReportLine, String> {
        let (outcome, job_id, reason) = match outcome {
            SubmitOutcome::Submitted(job_id) => (ReportOutcome::Submitted, Some(job_id), None),
            SubmitOutcome::Skipped(Skip::Changed) => {
                (ReportOutcome::Changed, None, Some(Skip::Changed.to_string()))
            }
            SubmitOutcome::Skipped(skip) => (ReportOutcome::Skipped, None, Some(skip.to_string())),
            SubmitOutcome::Rejected(why) => (ReportOutcome::Rejected, None, Some(why)),
            SubmitOutcome::Unknown(why) => (ReportOutcome::Unknown, None, Some(why)),
            SubmitOutcome::Surplus(job_id) => {
                let why = "it came too late: its claim had expired; this submission was terminated";
                (ReportOutcome::Surplus, Some(job_id), Some(why.to_owned()))
            }
            SubmitOutcome::Deferred(why) => return Err(why),
        };
        Ok(ReportLine { line, job_name: Some(job_name), outcome, job_id, reason })
    }

    /// What is said of a line that holds no valid job.
    pub(super) fn invalid(line: u64, problems: &[Problem]) -> ReportLine {
        let reasons: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let reason = Some(reasons.join("; "));
        ReportLine { line, job_name: None, outcome: ReportOutcome::Rejected, job_id: None, reason }
    }

    pub(super) fn count(&self, counts: &mut RunCounts) {
        match self.outcome {
            ReportOutcome::Submitted => counts.submitted += 1,
            ReportOutcome::Skipped | ReportOutcome::Surplus => counts.skipped += 1,
            ReportOutcome::Changed => {
                counts.skipped += 1;
                counts.changed += 1;
            }
            ReportOutcome::Rejected => counts.rejected += 1,
            ReportOutcome::Unknown => counts.unknown += 1,
        }
    }
}

/// The part of a run's report that puts lines right which were UNKNOWN: its key comes after those of
/// [`report_key`].
pub(crate) fn settled_key(run_id: &RunId, now: Timestamp) -> String {
    format!("reports/{run_id}/settled-{:013}.jsonl", now.as_millis())
}

/// A report's lines, read part by part in the order of their keys: where a later part speaks of a line again, that
/// counts.
pub fn merged(lines: impl IntoIterator<Item = ReportLine>) -> Vec<ReportLine> {
    let mut merged: Vec<ReportLine> = Vec::new();
    let mut places: BTreeMap<(u64, JobName), usize> = BTreeMap::new();
    for line in lines {
        let place = line.job_name.clone().map(|job_name| (line.line, job_name));
        match place.as_ref().and_then(|place| places.get(place)).and_then(|&at| merged.get_mut(at)) {
            Some(earlier) => *earlier = line,
            None => {
                places.extend(place.map(|place| (place, merged.len())));
                merged.push(line);
            }
        }
    }
    merged
}

/// The part of a run's report that begins at a checkpoint: JSON Lines of [`ReportLine`], in the order
/// of the file. Each job stands in one part.
pub fn report_key(run_id: &RunId, from: Checkpoint) -> String {
    format!("reports/{run_id}/{:012}.jsonl", from.0)
}
