//! What is known of submissions.

use std::future::Future;

use super::PortError;
use crate::domain::{Children, JobId, JobName, JobState, LogsRecord, Timestamp};

/// Whether a state was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It was newer than what was known, and is known now.
    Applied,
    /// It was not newer: nothing changed.
    Stale,
}

/// The states of submissions, children and nodes, and where their logs are.
pub trait StateStore: Send + Sync {
    /// Writes a state where it is newer than the one known, by [`OrderKey`], or none is known.
    ///
    /// [`OrderKey`]: crate::domain::transition::OrderKey
    fn apply_state(
        &self,
        state: &JobState,
        now: Timestamp,
    ) -> impl Future<Output = Result<Applied, PortError>> + Send;

    /// The same, only where the submission, child or node is known to be the job's: its state was written before. `None`
    /// where it is not, or where this store does not tell: then [`JobQueries::submission_of`] tells, and
    /// [`StateStore::apply_state`] writes. It saves a read for each event.
    ///
    /// [`JobQueries::submission_of`]: super::JobQueries::submission_of
    fn apply_known(
        &self,
        state: &JobState,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Applied>, PortError>> + Send {
        let _ = (state, now);
        std::future::ready(Ok(None))
    }

    /// Keeps what is known of the children of an array, of which those that lost their hosts are run
    /// again: where `job_id` is the job's latest submission, was submitted so, and no outcome was written
    /// before. Where the outcome is SUCCEEDED, the job counts as SUCCEEDED from then on; its submission
    /// stays as it is. Returns whether it was written.
    fn save_children(
        &self,
        job_name: &JobName,
        job_id: &JobId,
        children: &Children,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, PortError>> + Send;

    /// Keeps where a submission's logs are. `false` where the submission is not known, or its logs are known to
    /// be complete and these are not: then nothing is written.
    fn save_logs(
        &self,
        job_id: &JobId,
        logs: &LogsRecord,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, PortError>> + Send;
}
