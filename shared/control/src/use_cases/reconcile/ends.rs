//! Ends with loose ends: what follows from them, and children and nodes that ended unheard.

use std::collections::BTreeSet;

use super::Pass;
use crate::domain::limits::DESCRIBE_JOBS_MAX;
use crate::domain::{JobId, JobState, Submission};
use crate::ports::{Clock, Cursor, JobEngine, JobStore, PortError, RunStore, SubmissionPace};
use crate::use_cases::record_state::Recorded;

impl<S, E, P, C> Pass<'_, S, E, P, C>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
{
    pub(super) async fn follow_unsettled_ends(&mut self) -> Result<(), PortError> {
        let mut cursor: Option<Cursor> = None;
        loop {
            let page = self.recorder.store.unsettled_ends(cursor.as_ref()).await?;
            self.done.unreadable += page.unreadable.len() as u64;
            for submission in &page.items {
                if let Err(error) = self.follow(submission).await {
                    self.postpone(&submission.state.job_name, &error);
                }
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn follow(&mut self, submission: &Submission) -> Result<(), PortError> {
        let state = &submission.state;
        if state.may_be_tried_again() && self.record(state).await? == Recorded::Waiting {
            return Ok(());
        }
        if state.parts() == 0 {
            return Ok(());
        }
        // While a claim stands, nobody knows yet what follows from the end.
        let job = self.recorder.store.job(&state.job_name).await?;
        if state.may_be_tried_again() && job.is_some_and(|job| job.head.claim.is_some()) {
            return Ok(());
        }
        let silent_for = self.recorder.clock.now().millis_since(submission.updated_at);
        if silent_for >= self.policy.silence_ms && self.all_parts_ended(state).await? {
            self.recorder.store.settle(&state.job_id).await?;
        }
        Ok(())
    }

    /// Asks Batch about children and nodes whose end is not known: their events may all have been lost, so
    /// that nothing else knows of them. Those that Batch does not know count as ended: they never were.
    async fn all_parts_ended(&mut self, parent: &JobState) -> Result<bool, PortError> {
        let ended = self.ended_parts(parent).await?;
        let missing: Vec<JobId> =
            (0..parent.parts()).map(|index| parent.part(index)).filter(|id| !ended.contains(id)).collect();
        let mut all_ended = true;
        for ids in missing.chunks(DESCRIBE_JOBS_MAX) {
            let details = self.recorder.engine.describe_jobs(ids).await?;
            self.done.described += details.len() as u64;
            for detail in details {
                let state = detail.state();
                all_ended &= state.status.is_terminal();
                self.record(&state).await?;
            }
        }
        Ok(all_ended)
    }

    async fn ended_parts(&self, parent: &JobState) -> Result<BTreeSet<JobId>, PortError> {
        let mut ended = BTreeSet::new();
        let mut cursor: Option<Cursor> = None;
        loop {
            let page = self.recorder.store.submissions(&parent.job_name, cursor.as_ref()).await?;
            let states = page.items.into_iter().map(|submission| submission.state);
            let known = states.filter(|state| state.status.is_terminal());
            let parts = known.filter(|state| state.job_id.parent().as_ref() == Some(&parent.job_id));
            ended.extend(parts.map(|state| state.job_id));
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(ended),
            }
        }
    }
}
