//! Which children of an array are to be run again.

use std::collections::BTreeSet;

use super::queries::for_each_submission_of;
use crate::domain::children::{asked_child_name, child_name};
use crate::domain::{Job, JobName, JobStatus};
use crate::ports::{JobQueries, PortError};

/// Names that are looked up in one call.
const NAMES_PER_CALL: usize = 100;

/// The indexes of the children of the latest submission of an array that FAILED, ascending, but those that SUCCEEDED
/// since as jobs of their own: because they had lost their hosts, or because a person asked. A child that was never
/// heard of is left out, because it may have SUCCEEDED.
pub async fn failed_children<S: JobQueries>(store: &S, array: &Job) -> Result<Vec<u32>, PortError> {
    let Some(parent) = &array.head.job_id else { return Ok(Vec::new()) };
    let mut failed = BTreeSet::new();
    for_each_submission_of(store, array.name(), |submission| {
        let state = submission.state;
        if state.status == JobStatus::Failed && state.job_id.parent().as_ref() == Some(parent) {
            failed.extend(state.job_id.array_index());
        }
    })
    .await?;
    let failed: Vec<u32> = failed.into_iter().collect();
    let mut left = Vec::new();
    for indexes in failed.chunks(NAMES_PER_CALL / 2) {
        let of = |index: &u32| [child_name(array.name(), *index), asked_child_name(array.name(), *index)];
        let names: Vec<JobName> = indexes.iter().flat_map(of).collect();
        let known = store.jobs_named(&names).await?;
        let since =
            known.chunks(2).map(|own| own.iter().flatten().any(|own| has_succeeded_since(own, array)));
        left.extend(indexes.iter().zip(since).filter(|(_, succeeded)| !succeeded).map(|(index, _)| *index));
    }
    Ok(left)
}

/// Whether a child's own job SUCCEEDED, and is of this submission of the array.
fn has_succeeded_since(own: &Job, array: &Job) -> bool {
    let is_of_this = match &own.head.spec.child_of {
        Some(of) => Some(&of.job_id) == array.head.job_id.as_ref(),
        None => own.head.submitted_at >= array.head.submitted_at,
    };
    is_of_this && own.status() == Some(JobStatus::Succeeded)
}
