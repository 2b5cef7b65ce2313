//! Who watches a run.

use crate::domain::{JobName, JobState};
use crate::use_cases::record_state::Recorded;
use crate::use_cases::run_file::ReportLine;

/// Is told what happens, as it happens.
pub trait Observer: Send + Sync {
    /// A job of the file was submitted, skipped or rejected.
    fn reported(&self, line: &ReportLine);

    /// A submission, child or node reached a state, and what followed from it.
    fn changed(&self, state: &JobState, recorded: &Recorded);

    /// So many children of an array have ended, of so many.
    fn progressed(&self, array: &JobName, ended: u32, size: u32) {
        let _ = (array, ended, size);
    }
}

/// Does not look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn reported(&self, _: &ReportLine) {}

    fn changed(&self, _: &JobState, _: &Recorded) {}
}
