//! How a run ends: when the last of its jobs has, for good.
//!
//! Nobody counts a run's jobs while they end, because one counter that every end writes would be contended and paid
//! for by each job. Instead the run's list of jobs is walked, a page at a time, as far as all of them have ended. Then
//! the run waits for one job that has not ([`Ending::waits_for`]), and only that job's end looks again.

use serde::{Deserialize, Serialize};

use super::follow_up::{Standing, standing};
use super::ids::JobName;
use super::job::{Job, JobState};
use super::run::{Run, RunState};
use super::status::JobStatus;
use super::times::Timestamp;

/// The end of a run. It is written once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunEnd {
    /// When the last of its jobs ended; where it has none, when its file had been dealt with.
    pub ended_at: Timestamp,
    /// How.
    pub outcome: RunOutcome,
    /// Jobs that it submitted and that SUCCEEDED.
    pub succeeded: u64,
    /// Jobs that it submitted and that FAILED for good.
    pub failed: u64,
    /// Whether the event bus has been told.
    pub told: bool,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunOutcome {
    /// Every job that it submitted SUCCEEDED, and no line was rejected.
    Succeeded,
    /// A job FAILED, or a line was rejected.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
    /// Its file was refused.
    Rejected,
}

impl RunOutcome {
    /// As it is kept, and as it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::Rejected => "REJECTED",
        }
    }
}

/// How far the search for a run's end has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ending {
    /// Numbers the looks, so that of two at once one is written.
    pub looks: u32,
    /// When the first look was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The jobs that were found to have ended.
    pub walk: Walk,
    /// The job whose end looks again; `None`: the reconciler does, and so does every end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<JobName>,
}

impl Ending {
    /// Whether nobody has looked yet.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A walk over the list of a run's jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Walk {
    /// When it began.
    pub began_at: Timestamp,
    /// Where it goes on, in the store's words; `None`: at the list's beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Jobs that the run submitted and that SUCCEEDED.
    pub succeeded: u64,
    /// Jobs that the run submitted and that FAILED for good.
    pub failed: u64,
    /// The latest end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_end: Option<Timestamp>,
}

impl Walk {
    /// Takes in a page of jobs that have all ended for good. Returns the last job that has not, where there is one:
    /// then the page is left as it was. The last, because those before it have probably ended when it has.
    pub fn take(&mut self, run: &Run, jobs: &[Job]) -> Option<JobName> {
        let under_way = |job: &&Job| matches!(standing(Some(job)), Standing::UnderWay | Standing::Undecided);
        if let Some(job) = jobs.iter().rev().find(under_way) {
            return Some(job.name().clone());
        }
        for job in jobs.iter().filter(|job| is_own(run, job)) {
            match job.status() {
                Some(JobStatus::Succeeded) => self.succeeded += 1,
                _ => self.failed += 1,
            }
            self.last_end =
                self.last_end.max(job.state().and_then(|state: &JobState| state.times.stopped_at));
        }
        None
    }

    /// Whether a walk that is through has seen every job of the run. An index of a store may lag behind, so a list that
    /// holds fewer jobs than were submitted is believed only `settle_ms` after the first look: a later run may
    /// have taken jobs over, or somebody removed them.
    pub fn is_whole(&self, run: &Run, settle_ms: i64) -> bool {
        let all_seen = self.succeeded + self.failed >= run.counts.submitted;
        all_seen || run.ending.since.is_some_and(|since| self.began_at.millis_since(since) >= settle_ms)
    }
}

/// Whether the run has submitted the job, and not only claimed it. A child's own job counts with its array.
fn is_own(run: &Run, job: &Job) -> bool {
    let head = &job.head;
    head.spec.child_of.is_none() && head.job_id.is_some() && head.submitted_at >= Some(run.started_at)
}

impl Run {
    /// Whether its file has been dealt with, so that it ends with the last of its jobs, and it has not ended.
    pub fn may_end(&self) -> bool {
        self.state.is_over() && self.end.is_none()
    }

    /// Whether the end of that job may be its end.
    pub fn waits_for(&self, job_name: &JobName) -> bool {
        self.may_end() && self.ending.waits_for.as_ref().is_none_or(|witness| witness == job_name)
    }

    /// The run with the end that a whole walk has found.
    #[must_use]
    pub fn ended(self, walk: &Walk) -> Run {
        let outcome = match self.state {
            RunState::Cancelled => RunOutcome::Cancelled,
            RunState::Rejected => RunOutcome::Rejected,
            _ if walk.failed > 0 || self.counts.rejected > 0 => RunOutcome::Failed,
            _ => RunOutcome::Succeeded,
        };
        let ended_at = walk.last_end.or(self.ending.since).unwrap_or(self.updated_at);
        let end = RunEnd { ended_at, outcome, succeeded: walk.succeeded, failed: walk.failed, told: false };
        Run { end: Some(end), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Checkpoint, FollowUp, JobHead, JobId, JobSpec, Newer, RunCounts, RunId, SourceVersion, Submission,
    };

    const STARTED: Timestamp = Timestamp::from_millis(1_000);

    fn run(submitted: u64) -> Run {
        Run {
            run_id: RunId::derive("file", "1", "0"),
            source: "file".to_owned(),
            source_version: SourceVersion::default(),
            rerun: false,
            state: RunState::Submitted,
            checkpoint: Checkpoint(submitted),
            counts: RunCounts { submitted, ..RunCounts::default() },
            open: Vec::new(),
            started_at: STARTED,
            updated_at: STARTED,
            requested_by: None,
            cancellation: None,
            ending: Ending::default(),
            end: None,
            newer: Newer::default(),
        }
    }

    fn job(name: &str, status: JobStatus, reason: &str, stopped_at: i64) -> Job {
        let (job_name, id) = (JobName::parse(name).unwrap(), JobId::parse(name).unwrap());
        let mut state = JobState::submitted(job_name.clone(), id.clone(), None);
        (state.status, state.status_reason, state.exit_code) = (status, Some(reason.to_owned()), Some(1));
        state.times.stopped_at = Some(Timestamp::from_millis(stopped_at));
        let head = JobHead {
            submitted_at: Some(STARTED.plus_millis(5)),
            ..JobHead::submitted_as(JobSpec::new(job_name, "q", "d"), vec![id])
        };
        let latest = Submission { state, logs: None, updated_at: STARTED, follow_up: FollowUp::Open };
        Job { head, latest: Some(latest) }
    }

    #[test]
    fn a_page_counts_when_all_of_its_jobs_have_ended_for_good() {
        use JobStatus::{Failed, Running, Succeeded};
        let run = run(3);
        let well = |name| job(name, Succeeded, "", 2_000);
        let failed = |name| job(name, Failed, "Essential container in task exited", 4_000);
        let lost = |name| job(name, Failed, "Host EC2 (instance i-1) terminated.", 3_000);
        let mut walk = Walk::default();
        let page = [well("a"), job("b", Running, "", 0), lost("c"), failed("d")];
        assert_eq!(
            walk.take(&run, &page).unwrap().as_str(),
            "c",
            "it may be submitted again; the last counts"
        );
        assert_eq!(walk, Walk::default());
        let mut earlier = well("earlier");
        earlier.head.submitted_at = Some(STARTED.plus_millis(-1));
        assert_eq!(walk.take(&run, &[well("a"), failed("d"), earlier]), None);
        assert_eq!((walk.succeeded, walk.failed), (1, 1), "what SUCCEEDED before the run is not its own");
        assert_eq!(walk.last_end, Some(Timestamp::from_millis(4_000)));
        let end = run.ended(&walk).end.unwrap();
        assert_eq!((end.outcome, end.ended_at), (RunOutcome::Failed, Timestamp::from_millis(4_000)));
    }

    #[test]
    fn a_list_that_is_short_is_believed_after_a_while() {
        let mut run = run(2);
        run.ending.since = Some(STARTED);
        let mut walk = Walk { began_at: STARTED, succeeded: 1, ..Walk::default() };
        assert!(!walk.is_whole(&run, 60_000));
        walk.began_at = STARTED.plus_millis(60_000);
        assert!(walk.is_whole(&run, 60_000));
        walk = Walk { began_at: STARTED, succeeded: 2, ..walk };
        assert!(walk.is_whole(&run, 60_000), "every job was seen");
    }

    #[test]
    fn a_run_ends_as_its_jobs_and_lines_did() {
        let well = Walk { succeeded: 2, ..Walk::default() };
        let with = |state, rejected| {
            let run = run(2);
            Run { state, counts: RunCounts { rejected, ..run.counts }, ..run }
        };
        let outcome = |run: Run| run.ended(&well).end.unwrap().outcome;
        assert_eq!(outcome(with(RunState::Submitted, 0)), RunOutcome::Succeeded);
        assert_eq!(outcome(with(RunState::Submitted, 1)), RunOutcome::Failed);
        assert_eq!(outcome(with(RunState::Rejected, 1)), RunOutcome::Rejected);
        assert_eq!(outcome(with(RunState::Cancelled, 0)), RunOutcome::Cancelled);
        assert!(!with(RunState::Submitting, 0).may_end() && !with(RunState::Cancelling, 0).may_end());
        assert!(!with(RunState::Submitted, 0).ended(&well).may_end(), "once");
    }
}
