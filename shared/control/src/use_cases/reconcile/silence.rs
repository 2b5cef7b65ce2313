//! Submissions of which nothing was heard for a while: Batch is asked.

use std::collections::HashSet;

use tracing::warn;

use super::{Found, Pass};
use crate::domain::limits::DESCRIBE_JOBS_MAX;
use crate::domain::reasons;
use crate::domain::transition::{Transition, transition};
use crate::domain::{JobId, JobState, JobStatus, Submission, Timestamp};
use crate::ports::{Clock, Cursor, EventBus, JobEngine, JobStore, PortError, RunStore, SubmissionPace};

impl<S, E, P, C, B> Pass<'_, S, E, P, C, B>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    B: EventBus,
{
    /// Each answer is written down before the next question, so that a pass that ends early, for whatever
    /// reason, has asked about some that the next one need not ask about.
    pub(super) async fn ask_about_silent_submissions(&mut self) -> Result<(), PortError> {
        let since = self.recorder.clock.now().plus_millis(-self.policy.silence_ms);
        let mut left = self.policy.asked_max;
        let mut cursor: Option<Cursor> = None;
        // Where the list holds what was heard of just now, it also holds what this pass has heard, again, further down.
        let comes_again = self.policy.silence_ms < 0;
        let mut asked: HashSet<JobId> = HashSet::new();
        loop {
            let mut page = self.recorder.store.silent_submissions(since, cursor.as_ref()).await?;
            self.done.unreadable += page.unreadable.len() as u64;
            self.set_ends_aside(&mut page.items);
            if comes_again {
                page.items.retain(|silent| asked.insert(silent.state.job_id.clone()));
            }
            for silent in page.items.chunks(DESCRIBE_JOBS_MAX) {
                let silent = silent.get(..left).unwrap_or(silent);
                if silent.is_empty() {
                    return Ok(());
                }
                left -= silent.len();
                self.ask_in_parts(silent, since).await;
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// An end stays on the list until its log was looked at; Batch has no more to say of it.
    fn set_ends_aside(&mut self, page: &mut Vec<Submission>) {
        let now = self.recorder.clock.now();
        for ended in page.extract_if(.., |found| found.state.status.is_terminal()) {
            let is_due = ended.logs_wait_since().is_some_and(|since| since <= now);
            if is_due && self.found.logs.len() < Found::LOGS_MAX {
                self.found.logs.push(ended);
            }
        }
    }

    /// Asks about all at once, and where Batch, or this program, can't take the answer for good, about halves:
    /// one job that can't be described must not hide the others.
    async fn ask_in_parts(&mut self, silent: &[Submission], since: Timestamp) {
        let mut parts = vec![silent];
        while let Some(part) = parts.pop() {
            let Err(error) = self.ask_about(part, since).await else { continue };
            if part.len() > 1 {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
                continue;
            }
            warn!(%error, "a submission could not be described");
            self.done.postponed += 1;
            // Asked again at once, it would be refused again, and keep others waiting.
            self.keep_silence(part, None, since).await;
        }
    }

    /// Errs where the answer is refused for good.
    async fn ask_about(&mut self, silent: &[Submission], since: Timestamp) -> Result<(), PortError> {
        let ids: Vec<JobId> = silent.iter().map(|submission| submission.state.job_id.clone()).collect();
        let details = match self.recorder.engine.describe_jobs(&ids).await {
            Ok(details) => details,
            Err(error) if error.may_pass() || error.is_of_caller() => {
                warn!(%error, "submissions could not be described");
                self.done.postponed += ids.len() as u64;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.done.described += details.len() as u64;
        let (mut unchanged, mut unknown) = (Vec::new(), Vec::new());
        for submission in silent {
            let found = details.iter().find(|detail| detail.job_id == submission.state.job_id);
            let state = match found.map(crate::events::JobDetail::state) {
                Some(state) if transition(Some(&submission.state), &state) == Transition::Apply => state,
                Some(_) => {
                    if submission.state.status == JobStatus::Runnable {
                        self.found.waiting.push(submission.clone());
                    }
                    unchanged.push(submission.clone());
                    continue;
                }
                None if self.is_lost(submission) => {
                    self.done.lost += 1;
                    lost(&submission.state)
                }
                None => {
                    unknown.push(submission.clone());
                    continue;
                }
            };
            if let Err(error) = self.record(&state).await {
                self.postpone(&state.job_name, &error);
            }
        }
        self.keep_silence(&unchanged, Some(self.recorder.clock.now()), since).await;
        self.keep_silence(&unknown, None, since).await;
        Ok(())
    }

    /// Writes down that they were asked about. Not before `since`: they have left this pass's list.
    async fn keep_silence(&mut self, asked: &[Submission], heard_at: Option<Timestamp>, since: Timestamp) {
        let asked_at = self.recorder.clock.now().max(since);
        if asked.is_empty() {
            return;
        }
        if let Err(error) = self.recorder.store.no_news(asked, heard_at, asked_at).await {
            warn!(%error, "that Batch had no news could not be written");
            self.done.postponed += asked.len() as u64;
        }
    }

    /// Measured from when it was last heard of, not from when Batch was last asked.
    fn is_lost(&self, submission: &Submission) -> bool {
        self.recorder.clock.now().millis_since(submission.updated_at) >= self.policy.lost_after_ms
    }
}

/// The last known state, ended because nobody can say more.
fn lost(known: &JobState) -> JobState {
    let was = known.status;
    let status_reason = Some(format!("{}; it was {was} when it was last heard of", reasons::LOST));
    JobState { status: JobStatus::Failed, status_reason, ..known.clone() }
}
