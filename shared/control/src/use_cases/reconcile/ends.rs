//! Ends with loose ends: what follows from them, and children and nodes that ended unheard.

use std::collections::BTreeSet;

use tracing::warn;

use super::Pass;
use crate::domain::follow_up::{Standing, standing};
use crate::domain::limits::DESCRIBE_JOBS_MAX;
use crate::domain::{FollowUp, JobId, JobName, JobState, Submission};
use crate::ports::{Clock, Cursor, EventBus, JobEngine, JobStore, PortError, RunStore, SubmissionPace};
use crate::use_cases::follow::LOOKS_OF_A_PASS;
use crate::use_cases::record_state::Recorded;

impl<S, E, P, C, B> Pass<'_, S, E, P, C, B>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    B: EventBus,
{
    pub(super) async fn follow_unsettled_ends(&mut self) -> Result<(), PortError> {
        let mut cursor: Option<Cursor> = None;
        loop {
            let page = self.recorder.store.unsettled_ends(cursor.as_ref()).await?;
            let undecided = self.undecided(&page.items).await;
            self.done.unreadable += page.unreadable.len() as u64;
            for submission in &page.items {
                if submission.follow_up.waits_for().is_some_and(|name| undecided.contains(name)) {
                    continue;
                }
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

    /// The jobs about which nothing is decided still, of those that are waited for. A pass over ends of which
    /// most wait costs little more than the list itself.
    async fn undecided(&self, ends: &[Submission]) -> BTreeSet<JobName> {
        let names: BTreeSet<JobName> =
            ends.iter().filter_map(|end| end.follow_up.waits_for().cloned()).collect();
        let names: Vec<JobName> = names.into_iter().collect();
        if names.is_empty() {
            return BTreeSet::new();
        }
        match self.recorder.store.jobs_named(&names).await {
            Ok(jobs) => {
                let standings = jobs.iter().map(|job| standing(job.as_ref()));
                let undecided = names.into_iter().zip(standings);
                undecided.filter(|(_, found)| *found == Standing::Undecided).map(|(name, _)| name).collect()
            }
            Err(error) => {
                warn!(%error, "what ends wait for can't be read at once; each is looked at by itself");
                BTreeSet::new()
            }
        }
    }

    async fn follow(&mut self, submission: &Submission) -> Result<(), PortError> {
        let state = &submission.state;
        if state.may_be_tried_again() {
            let (done, ends) = (&mut *self.done, &mut self.found.ends);
            let mut telling = |_: &JobState, recorded: &Recorded| done.count(recorded, ends);
            let followed = self.recorder.follow(state, None, LOOKS_OF_A_PASS, &mut telling).await?;
            if let Some(recorded) = &followed {
                self.done.count(recorded, &mut self.found.ends);
            }
            // Nobody knows yet what follows: a claim stands, or a dependency or children decide.
            if matches!(followed, Some(Recorded::Waiting | Recorded::Noted(_))) {
                return Ok(());
            }
        }
        if state.parts() == 0 {
            return Ok(());
        }
        let silent_for = self.recorder.clock.now().millis_since(submission.updated_at);
        if silent_for >= self.policy.silence_ms && self.all_parts_ended(state).await? {
            self.recorder.store.save_follow_up(&state.job_name, &state.job_id, &FollowUp::Settled).await?;
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
