//! What events, submitters and collectors left behind, found and finished.

mod claims;
mod ends;
mod listing;
mod silence;

use serde::Serialize;
use tracing::{info, warn};

use super::record_state::{Origin, Recorded, Recorder};
use crate::domain::{JobState, Submission};
use crate::events::JobEnded;
use crate::ports::{Clock, EventBus, JobEngine, JobStore, PortError, RunStore, SubmissionPace};

/// When the reconciler believes what.
#[derive(Debug, Clone, Copy)]
pub struct ReconcilePolicy {
    /// Milliseconds from a claim's expiry until an empty answer of `ListJobs` is believed.
    pub quarantine_ms: i64,
    /// Milliseconds without news after which Batch is asked about a submission, and after a parent's end
    /// about the children and nodes whose end is not known.
    pub silence_ms: i64,
    /// Milliseconds without news after which a submission that Batch does not know is LOST.
    pub lost_after_ms: i64,
    /// Submissions that one pass asks about at most. The next pass goes on with those that wait longest.
    pub asked_max: usize,
    /// Expired claims into one queue from which on all of its jobs since the oldest claim are listed once, and
    /// not each job by its name.
    pub listed_from: usize,
}

impl Default for ReconcilePolicy {
    fn default() -> Self {
        Self {
            quarantine_ms: 300_000,
            silence_ms: 900_000,
            lost_after_ms: 86_400_000,
            asked_max: 10_000,
            listed_from: 20,
        }
    }
}

/// What one pass found and did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Reconciled {
    /// Claims whose submission was found in Batch.
    pub claims_adopted: u64,
    /// Claims under which nothing was submitted: the job was submitted under another, or refused.
    pub claims_released: u64,
    /// Submissions that were one too many.
    pub surplus_terminated: u64,
    /// Submissions, children and nodes that Batch described.
    pub described: u64,
    /// Submissions that Batch no longer knows.
    pub lost: u64,
    /// Jobs submitted again.
    pub resubmitted: u64,
    /// Things that a failing port left for the next pass.
    pub postponed: u64,
    /// Items that can't be read, in the lists that the pass went through.
    pub unreadable: u64,
}

impl Reconciled {
    fn add(&mut self, other: Self) {
        self.claims_adopted += other.claims_adopted;
        self.claims_released += other.claims_released;
        self.surplus_terminated += other.surplus_terminated;
        self.described += other.described;
        self.lost += other.lost;
        self.resubmitted += other.resubmitted;
        self.postponed += other.postponed;
        self.unreadable += other.unreadable;
    }

    fn count(&mut self, recorded: &Recorded, ends: &mut Vec<JobEnded>) {
        match recorded {
            Recorded::Resubmitted(_) => self.resubmitted += 1,
            Recorded::Surplus => self.surplus_terminated += 1,
            Recorded::Ended(end) => ends.push((**end).clone()),
            Recorded::NotOurs | Recorded::Noted(_) | Recorded::Waiting => {}
        }
    }
}

/// What a pass has found for others to go on with.
#[derive(Debug, Default)]
pub struct Found {
    /// Jobs that have ended. The bus was told of each; their runs are left to look at.
    pub ends: Vec<JobEnded>,
    /// Submissions that are RUNNABLE since long, by Batch's own answer: their queues are left to ask.
    pub waiting: Vec<Submission>,
    /// Ends whose logs wait to be looked at, of those that the pass met on its way: at most [`Found::LOGS_MAX`], the next
    /// pass meets the others.
    pub logs: Vec<Submission>,
}

impl Found {
    /// What is held of them takes some 20 MB.
    pub const LOGS_MAX: usize = 10_000;
}

/// One pass: expired claims, ends that nobody followed up, silent submissions.
///
/// Idempotent. What fails for one job is postponed and does not keep the others waiting; errs only
/// where the store itself can't be read.
pub async fn reconcile<S, E, P, C, B>(
    recorder: &Recorder<'_, S, E, P, C, B>,
    policy: &ReconcilePolicy,
) -> Result<Reconciled, PortError>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    B: EventBus,
{
    let mut done = Reconciled::default();
    reconcile_counting(recorder, policy, &mut done, &mut Found::default()).await?;
    Ok(done)
}

/// The same, for callers that may drop it before its end: `done` says how far it came, `found` what is left to be done.
pub async fn reconcile_counting<S, E, P, C, B>(
    recorder: &Recorder<'_, S, E, P, C, B>,
    policy: &ReconcilePolicy,
    done: &mut Reconciled,
    found: &mut Found,
) -> Result<(), PortError>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    B: EventBus,
{
    let mut pass = Pass { recorder, policy, done, found };
    pass.look_into_claims().await?;
    pass.follow_unsettled_ends().await?;
    pass.ask_about_silent_submissions().await?;
    if *pass.done != Reconciled::default() {
        info!(reconciled = ?pass.done, "reconciled");
    }
    Ok(())
}

struct Pass<'a, S, E, P, C, B> {
    recorder: &'a Recorder<'a, S, E, P, C, B>,
    policy: &'a ReconcilePolicy,
    done: &'a mut Reconciled,
    found: &'a mut Found,
}

impl<S, E, P, C, B> Pass<'_, S, E, P, C, B>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    B: EventBus,
{
    async fn record(&mut self, state: &JobState) -> Result<Recorded, PortError> {
        let (done, ends) = (&mut *self.done, &mut self.found.ends);
        let mut telling = |_: &JobState, recorded: &Recorded| done.count(recorded, ends);
        let recorded = self.recorder.record(state, Origin::Asked, &mut telling).await?;
        self.done.count(&recorded, &mut self.found.ends);
        Ok(recorded)
    }

    fn postpone(&mut self, name: &impl std::fmt::Display, error: &PortError) {
        warn!(job.name = %name, %error, "postponed to the next pass");
        self.done.postponed += 1;
    }
}
