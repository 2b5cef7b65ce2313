//! What follows from a failure for the jobs that depend on the failed one.
//!
//! A job that failed with its dependencies looks at its direct dependencies alone: what was decided about
//! each of them is written on it. To ask those what they wait for in turn would walk the user's graph for
//! every end, and a graph may be as deep as its file is long.

use serde::{Deserialize, Serialize};

use super::ids::JobName;
use super::job::{Job, JobState};
use super::retry::{Again, Next, next};
use super::status::JobStatus;

/// How far the decision on what follows from a submission's end has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FollowUp {
    /// Nothing is decided, or there is nothing to decide.
    #[default]
    Open,
    /// The decision waits for the one on this job, which is a direct dependency.
    WaitsFor(JobName),
    /// It is decided, and children or nodes may not have been heard of yet.
    Decided,
    /// It is decided, and nothing is left to look into.
    Settled,
}

impl FollowUp {
    /// The follow-up of a submission that a store keeps by three marks.
    pub fn of(state: &JobState, is_unsettled: bool, is_decided: bool, waits_for: Option<JobName>) -> Self {
        match waits_for {
            _ if state.has_loose_ends() && !is_unsettled => Self::Settled,
            _ if is_decided => Self::Decided,
            Some(dependency) => Self::WaitsFor(dependency),
            None => Self::Open,
        }
    }

    /// Whether the decision has been made.
    pub const fn is_decided(&self) -> bool {
        matches!(self, Self::Decided | Self::Settled)
    }

    /// The dependency that it waits for.
    pub const fn waits_for(&self) -> Option<&JobName> {
        match self {
            Self::WaitsFor(dependency) => Some(dependency),
            Self::Open | Self::Decided | Self::Settled => None,
        }
    }

    /// Leaves any reason to wait behind: the later of the two stands.
    pub const fn is_before(&self, other: &Self) -> bool {
        self.rank() < other.rank()
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Open | Self::WaitsFor(_) => 0,
            Self::Decided => 1,
            Self::Settled => 2,
        }
    }
}

/// How a dependency stands, for the jobs that failed with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It SUCCEEDED.
    Succeeded,
    /// As far as is known, a submission is in flight.
    UnderWay,
    /// It FAILED or is claimed, and may be submitted again.
    Undecided,
    /// It will not be submitted again unless a person asks.
    Ended,
}

/// How a job stands, by what is written about it alone.
pub fn standing(job: Option<&Job>) -> Standing {
    let Some(job) = job else { return Standing::Ended };
    if job.head.claim.is_some() || job.is_recovering() {
        return Standing::Undecided;
    }
    match (job.status(), &job.latest) {
        (None, _) => Standing::Ended,
        (Some(JobStatus::Succeeded), _) => Standing::Succeeded,
        (Some(JobStatus::Failed), Some(latest)) if decide(job, &latest.state) == Next::Done => {
            Standing::Ended
        }
        (Some(JobStatus::Failed), _) => Standing::Undecided,
        (Some(_), _) => Standing::UnderWay,
    }
}

/// What follows from an end, as far as the job itself tells. What was decided before stands.
pub fn decide(job: &Job, ended: &JobState) -> Next {
    match next(job, ended) {
        Next::Resubmit(_) | Next::AfterDependencies(_)
            if job.latest.as_ref().is_some_and(|latest| latest.follow_up.is_decided()) =>
        {
            Next::Done
        }
        next => next,
    }
}

/// What follows for a job that failed with its dependencies, given how each of them stands: it goes on
/// where all of them do.
pub fn after_dependencies<'a>(
    again: Again,
    dependencies: impl IntoIterator<Item = (&'a JobName, Standing)>,
) -> Next {
    let mut undecided = None;
    for (name, standing) in dependencies {
        match standing {
            Standing::Ended => return Next::Done,
            Standing::Undecided => undecided = undecided.or(Some(name)),
            Standing::Succeeded | Standing::UnderWay => {}
        }
    }
    undecided.map_or(Next::Resubmit(again), |name| Next::WaitFor(name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cause::Cause;
    use crate::domain::{Claim, JobHead, JobId, JobSpec, Nonce, Submission, Timestamp};

    const AGAIN: Again = Again { cause: Cause::Dependency, number: 2, of: 4 };

    fn name(text: &str) -> JobName {
        JobName::parse(text).unwrap()
    }

    fn job(status: Option<JobStatus>, reason: &str) -> Job {
        let id = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8").unwrap();
        let latest = status.map(|status| {
            let mut state = JobState::submitted(name("job"), id.clone(), None);
            (state.status, state.status_reason, state.exit_code) = (status, Some(reason.to_owned()), Some(1));
            Submission { state, logs: None, updated_at: Timestamp::default(), follow_up: FollowUp::Open }
        });
        let head = JobHead::submitted_as(
            JobSpec::new(name("job"), "q", "d"),
            latest.as_ref().map(|_| id.clone()).into_iter().collect(),
        );
        Job { head, latest }
    }

    #[test]
    fn a_dependant_goes_on_where_all_of_its_dependencies_do() {
        use Standing::{Ended, Succeeded, Undecided, UnderWay};
        let names = ["a", "b", "c"].map(name);
        let wait = |at: usize| Next::WaitFor(names[at].clone());
        for (standings, expected) in [
            (&[][..], Next::Resubmit(AGAIN)),
            (&[Succeeded, UnderWay], Next::Resubmit(AGAIN)),
            (&[UnderWay, Undecided, Undecided], wait(1)),
            (&[Undecided, UnderWay], wait(0)),
            (&[Undecided, Ended], Next::Done),
            (&[Ended, Succeeded], Next::Done),
        ] {
            let found = after_dependencies(AGAIN, names.iter().zip(standings.iter().copied()));
            assert_eq!(found, expected, "{standings:?}");
        }
    }

    #[test]
    fn how_a_job_stands_is_told_from_what_is_written_about_it() {
        const LOST: &str = "Host EC2 (instance i-1) terminated.";
        const EXITED: &str = "Essential container in task exited";
        use JobStatus::{Failed, Running, Submitted, Succeeded};
        assert_eq!(standing(None), Standing::Ended, "it was removed");
        for (status, reason, expected) in [
            (None, "", Standing::Ended),
            (Some(Submitted), "", Standing::UnderWay),
            (Some(Running), "", Standing::UnderWay),
            (Some(Succeeded), "", Standing::Succeeded),
            (Some(Failed), EXITED, Standing::Ended),
            (Some(Failed), LOST, Standing::Undecided),
        ] {
            assert_eq!(standing(Some(&job(status, reason))), expected, "{status:?} {reason}");
        }
        let mut lost = job(Some(Failed), LOST);
        for follow_up in [FollowUp::Decided, FollowUp::Settled] {
            lost.latest.as_mut().unwrap().follow_up = follow_up;
            assert_eq!(standing(Some(&lost)), Standing::Ended, "its tries may have been refused");
        }
        lost.head.claim = Some(Claim {
            nonce: Nonce::derive(&name("job"), "", 2),
            expires_at: Timestamp::default(),
            job_queue: None,
            on_sheet: false,
        });
        assert_eq!(standing(Some(&lost)), Standing::Undecided, "a claim decides instead");
    }

    #[test]
    fn the_follow_up_is_told_by_its_marks() {
        let ended = |reason| job(Some(JobStatus::Failed), reason).latest.unwrap().state;
        let lost = ended("Host EC2 (instance i-1) terminated.");
        let on = || Some(name("a"));
        assert_eq!(FollowUp::of(&lost, true, false, None), FollowUp::Open);
        assert_eq!(FollowUp::of(&lost, true, false, on()), FollowUp::WaitsFor(name("a")));
        assert_eq!(FollowUp::of(&lost, true, true, on()), FollowUp::Decided);
        assert_eq!(FollowUp::of(&lost, false, false, on()), FollowUp::Settled);
        let running = job(Some(JobStatus::Running), "").latest.unwrap().state;
        assert_eq!(FollowUp::of(&running, false, false, None), FollowUp::Open, "it has not ended");
        assert!(FollowUp::Open.is_before(&FollowUp::Decided));
        assert!(!FollowUp::Settled.is_before(&FollowUp::Decided));
    }
}
