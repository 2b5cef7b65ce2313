//! Who watches a run.

use crate::domain::JobState;
use crate::use_cases::record_state::Recorded;
use crate::use_cases::run_file::ReportLine;

/// Is told what happens, as it happens.
pub trait Observer: Send + Sync {
    /// A job of the file was submitted, skipped or rejected.
    fn reported(&self, line: &ReportLine);

    /// A submission, child or node reached a state, and what followed from it.
    fn changed(&self, state: &JobState, recorded: &Recorded);
}

/// Does not look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn reported(&self, _: &ReportLine) {}

    fn changed(&self, _: &JobState, _: &Recorded) {}
}
