//! Where runs are kept.

use std::future::Future;

use super::{Cursor, Page, PortError};
use crate::domain::{Run, RunId, Timestamp};

/// The records of runs.
pub trait RunStore: Send + Sync {
    /// Keeps a new run. Where the id is known already nothing is written, and what is known is returned.
    fn create_run(&self, run: &Run) -> impl Future<Output = Result<Option<Run>, PortError>> + Send;

    /// Moves a run on: written where [`Run::may_replace`] allows it. Returns whether it was written.
    fn save_run(&self, run: &Run) -> impl Future<Output = Result<bool, PortError>> + Send;

    /// The run of that id.
    fn run(&self, run_id: &RunId) -> impl Future<Output = Result<Option<Run>, PortError>> + Send;

    /// Every run, a page at a time, in no promised order.
    fn runs(&self, page: Option<&Cursor>) -> impl Future<Output = Result<Page<Run>, PortError>> + Send;

    /// Runs with work left (SUBMITTING or CANCELLING) that have not moved on since a moment.
    fn unfinished_runs(
        &self,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<Page<Run>, PortError>> + Send;
}
