//! What an earlier invocation of the run has done since its last checkpoint.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::feed::WINDOW;
use super::progress::SAVE_EVERY;
use crate::domain::plan::Skip;
use crate::domain::{JobId, JobName, Run, RunId, Timestamp};
use crate::ports::{JobStore, PortError};
use crate::use_cases::submit::SubmitOutcome;

/// What an invocation that was killed has left between the checkpoint and its end.
pub(super) struct Before {
    run_id: RunId,
    checkpoint: u64,
    saved_at: Timestamp,
    /// Submissions that have a line of this invocation, so that a job that the file names twice is submitted once in
    /// the report too.
    told: Mutex<BTreeSet<JobId>>,
}

impl Before {
    pub(super) fn new(run: &Run) -> Self {
        let (run_id, saved_at) = (run.run_id.clone(), run.updated_at);
        Self { run_id, checkpoint: run.checkpoint.0, saved_at, told: Mutex::default() }
    }

    /// What is said of a job that was left alone because this very run has submitted it: since the checkpoint was
    /// saved, by an invocation that did not come to the next, so that no report says it.
    pub(super) async fn own<S: JobStore>(
        &self,
        store: &S,
        index: u64,
        job_name: &JobName,
        outcome: SubmitOutcome,
    ) -> Result<SubmitOutcome, PortError> {
        // No invocation comes further before it saves.
        if index >= self.checkpoint + WINDOW + SAVE_EVERY {
            return Ok(outcome);
        }
        match &outcome {
            SubmitOutcome::Submitted(job_id) => {
                self.tell(job_id);
                return Ok(outcome);
            }
            SubmitOutcome::Skipped(
                Skip::InFlight(_)
                | Skip::Recovering
                | Skip::SubmittedBefore
                | Skip::Succeeded
                | Skip::Claimed,
            ) => {}
            _ => return Ok(outcome),
        }
        let Some(head) = store.job(job_name).await?.map(|job| job.head) else { return Ok(outcome) };
        if matches!(outcome, SubmitOutcome::Skipped(Skip::Claimed)) {
            // Nobody else could submit it for want of its environment, once it is known that nothing was.
            let is_left = head.claim.is_some() && head.run_id == self.run_id && head.spec.seal.is_some();
            let why = "an earlier invocation of this run holds its claim; the reconciler finds out";
            return Ok(if is_left { SubmitOutcome::Unknown(why.to_owned()) } else { outcome });
        }
        let is_own = head.run_id == self.run_id && head.submitted_at >= Some(self.saved_at);
        match head.job_id.filter(|job_id| is_own && self.tell(job_id)) {
            Some(job_id) => Ok(SubmitOutcome::Submitted(job_id)),
            None => Ok(outcome),
        }
    }

    /// Returns whether it is said for the first time.
    fn tell(&self, job_id: &JobId) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(job_id.clone())
    }
}
