//! What is done with a job that somebody wants stopped.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::children::child_name;
use super::ids::{JobId, JobName};
use super::job::Job;
use super::status::JobStatus;

/// How jobs are stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stop {
    /// `CancelJob`: jobs that have reached STARTING run on to their end.
    Cancel,
    /// `TerminateJob`: jobs are stopped in any status.
    Terminate,
}

impl Stop {
    /// As on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Terminate => "terminate",
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is done with one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopping {
    /// Batch is asked to stop this submission.
    Ask(JobId),
    /// Nothing: it has ended.
    Ended(JobStatus),
    /// Nothing: `cancel` leaves alone what has reached STARTING.
    RunsOn(JobStatus),
    /// Nothing yet: a claim stands, and the submission under it has no job id so far.
    BeingSubmitted,
    /// Nothing: it was never submitted.
    NeverSubmitted,
    /// The array itself has ended; these jobs run its lost children again.
    Children(Vec<JobName>),
}

/// Decides for one job.
pub fn stopping(job: &Job, stop: Stop) -> Stopping {
    if job.head.claim.is_some() {
        return Stopping::BeingSubmitted;
    }
    if job.is_recovering() {
        let lost = job.head.children().and_then(|children| children.lost.clone()).unwrap_or_default();
        return Stopping::Children(lost.into_iter().map(|index| child_name(job.name(), index)).collect());
    }
    match (job.status(), &job.head.job_id) {
        (Some(status), _) if status.is_terminal() => Stopping::Ended(status),
        (Some(status @ (JobStatus::Starting | JobStatus::Running)), _) if stop == Stop::Cancel => {
            Stopping::RunsOn(status)
        }
        (Some(_), Some(job_id)) => Stopping::Ask(job_id.clone()),
        (None, _) | (_, None) => Stopping::NeverSubmitted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Children, Claim, FollowUp, JobHead, JobSpec, JobState, Nonce, Submission, Timestamp, Try,
    };

    fn id() -> JobId {
        JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8").unwrap()
    }

    fn job(status: Option<JobStatus>) -> Job {
        let name = JobName::parse("job").unwrap();
        let latest = status.map(|status| {
            let state = JobState { status, ..JobState::submitted(name.clone(), id(), None) };
            Submission { state, logs: None, updated_at: Timestamp::default(), follow_up: FollowUp::Open }
        });
        let head = JobHead::submitted_as(
            JobSpec::new(name, "queue", "definition"),
            status.map(|_| id()).into_iter().collect(),
        );
        Job { head, latest }
    }

    #[test]
    fn terminate_reaches_every_job_under_way_and_cancel_those_that_have_not_started() {
        use JobStatus::{Failed, Pending, Runnable, Running, Starting, Submitted, Succeeded};
        for status in [Submitted, Pending, Runnable] {
            for stop in [Stop::Cancel, Stop::Terminate] {
                assert_eq!(stopping(&job(Some(status)), stop), Stopping::Ask(id()), "{stop} {status}");
            }
        }
        for status in [Starting, Running] {
            assert_eq!(stopping(&job(Some(status)), Stop::Cancel), Stopping::RunsOn(status));
            assert_eq!(stopping(&job(Some(status)), Stop::Terminate), Stopping::Ask(id()));
        }
        for status in [Succeeded, Failed] {
            assert_eq!(stopping(&job(Some(status)), Stop::Terminate), Stopping::Ended(status));
        }
        assert_eq!(stopping(&job(None), Stop::Terminate), Stopping::NeverSubmitted);
    }

    #[test]
    fn a_claim_hides_the_submission_that_is_being_made() {
        for status in [None, Some(JobStatus::Failed)] {
            let mut claimed = job(status);
            let nonce = Nonce::derive(claimed.name(), "", 2);
            claimed.head.claim =
                Some(Claim { nonce, expires_at: Timestamp::default(), job_queue: None, on_sheet: false });
            assert_eq!(stopping(&claimed, Stop::Terminate), Stopping::BeingSubmitted);
        }
    }

    #[test]
    fn of_an_array_that_recovers_the_childrens_own_jobs_are_stopped() {
        let mut array = job(Some(JobStatus::Failed));
        array.latest.as_mut().unwrap().state.status_reason = Some("Array Child Job failed".to_owned());
        array.head.tries = vec![Try {
            job_id: id(),
            job_queue: "queue".to_owned(),
            submitted_at: None,
            end: None,
            children: Some(Children { lost: Some(vec![1, 7]), ..Children::default() }),
            newer: crate::domain::Newer::default(),
        }];
        let names = ["job--bw-child-1", "job--bw-child-7"].map(|name| JobName::parse(name).unwrap());
        assert_eq!(stopping(&array, Stop::Terminate), Stopping::Children(names.to_vec()));
    }
}
