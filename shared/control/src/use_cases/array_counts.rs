//! What became of an array's children.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::{Cause, Job, JobState, JobStatus, StatusCounts};
use crate::ports::{JobQueries, PortError};

use super::queries::for_each_submission_of;

/// Failed children that are told one by one.
const FAILED_MAX: usize = 20;

/// The children of an array's latest submission.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArrayCounts {
    /// `arrayProperties.size`.
    pub size: u32,
    /// How many have each status. A child that was not heard of counts as UNSUBMITTED.
    pub counts: StatusCounts,
    /// The failed ones, by index: the first twenty.
    pub failed: Vec<FailedChild>,
}

/// A child that FAILED.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedChild {
    /// Its index.
    pub index: u32,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The exit code of its last attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What Batch says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
}

impl ArrayCounts {
    /// Counts the children's states, of whichever order.
    pub fn of(size: u32, children: impl IntoIterator<Item = JobState>) -> Self {
        let (mut counts, mut failed) = (StatusCounts::default(), BTreeMap::new());
        for child in children {
            counts[child.status] += 1;
            if let (JobStatus::Failed, Some(index)) = (child.status, child.job_id.array_index()) {
                let (cause, exit_code) = (child.cause(), child.exit_code);
                failed.insert(
                    index,
                    FailedChild { index, cause, exit_code, status_reason: child.status_reason },
                );
            }
        }
        counts.unsubmitted = u64::from(size).saturating_sub(counts.total());
        Self { size, counts, failed: failed.into_values().take(FAILED_MAX).collect() }
    }

    /// As in `2 of 12 children FAILED: 7 (exit code 1), 9 (OUT_OF_MEMORY)`; `None` where none did.
    pub fn failure(&self) -> Option<String> {
        const TOLD_MAX: usize = 5;
        let failed = self.counts[JobStatus::Failed];
        if failed == 0 {
            return None;
        }
        let told = self.failed.iter().take(TOLD_MAX).map(|child| match (child.cause, child.exit_code) {
            (Some(Cause::ExitCode) | None, Some(code)) => format!("{} (exit code {code})", child.index),
            (Some(cause), _) => format!("{} ({cause})", child.index),
            (None, None) => child.index.to_string(),
        });
        let told: Vec<String> = told.collect();
        let more = if failed > told.len() as u64 { ", …" } else { "" };
        Some(format!("{failed} of {} children FAILED: {}{more}", self.size, told.join(", ")))
    }
}

/// The children of a job's latest submission; `None` where it is no array, or was never submitted.
pub async fn array_counts<S: JobQueries>(store: &S, job: &Job) -> Result<Option<ArrayCounts>, PortError> {
    let size = job.head.spec.array_properties.as_ref().map(|array| array.size);
    let (Some(size), Some(array)) = (size, &job.head.job_id) else { return Ok(None) };
    let mut children = Vec::new();
    for_each_submission_of(store, job.name(), |submission| {
        if submission.state.job_id.parent().as_ref() == Some(array) {
            children.push(submission.state);
        }
    })
    .await?;
    Ok(Some(ArrayCounts::of(size, children)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{JobId, JobName};

    fn child(index: u32, status: JobStatus, exit_code: Option<i32>) -> JobState {
        let job_id = JobId::parse(&format!("4c7599ae-0a82-49aa-ba5a-4727fcce14a8:{index}")).unwrap();
        JobState { status, exit_code, ..JobState::submitted(JobName::parse("tiles").unwrap(), job_id, None) }
    }

    #[test]
    fn failed_children_are_told_by_number_with_their_reason() {
        use JobStatus::{Failed, Running, Succeeded};
        let children = [
            child(10, Failed, Some(137)),
            child(7, Failed, Some(1)),
            child(0, Succeeded, Some(0)),
            child(2, Running, None),
        ];
        let counts = ArrayCounts::of(12, children);
        assert_eq!(counts.counts.unsubmitted, 8);
        let expected = "2 of 12 children FAILED: 7 (exit code 1), 10 (OUT_OF_MEMORY)";
        assert_eq!(counts.failure().as_deref(), Some(expected));
        assert_eq!(ArrayCounts::of(2, [child(0, Succeeded, None)]).failure(), None);
        let many = ArrayCounts::of(1_000, (0..1_000).map(|index| child(index, Failed, Some(2))));
        assert!(many.failure().unwrap().ends_with("4 (exit code 2), …"), "{:?}", many.failure());
        assert_eq!(many.failed.len(), FAILED_MAX);
    }
}
