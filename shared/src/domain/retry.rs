//! Whether a job whose submission has ended is submitted again.

use super::cause::Cause;
use super::job::{Job, JobState};
use super::status::JobStatus;

/// What follows from the end of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The job is submitted again: its host was lost and tries are left.
    Resubmit,
    /// The job failed because one it depends on did. Where that one is submitted again, so is this.
    AfterDependencies,
    /// A claim stands that may become the next submission, or be given up.
    Undecided,
    /// The job has ended.
    Done,
}

/// Decides for the latest submission of a job. Children and nodes never decide for their job, and
/// neither does a submission that a later one has replaced.
///
/// A failure of the program itself is never resubmitted: `retryStrategy` is the place for that.
pub fn next(job: &Job, ended: &JobState) -> Next {
    let is_latest = job.head.job_id.as_ref() == Some(&ended.job_id);
    if !is_latest || ended.status != JobStatus::Failed {
        return Next::Done;
    }
    if job.head.tries_used() >= job.head.spec.max_tries {
        return Next::Done;
    }
    match ended.cause() {
        Some(Cause::HostLost | Cause::Dependency) if job.head.claim.is_some() => Next::Undecided,
        Some(Cause::HostLost) => Next::Resubmit,
        Some(Cause::Dependency) if job.head.spec.dependency_names().next().is_some() => {
            Next::AfterDependencies
        }
        _ => Next::Done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::spec::Dependency;
    use crate::domain::{Claim, JobHead, JobId, JobName, JobSpec, Nonce, RunId, Timestamp};

    fn id(text: &str) -> JobId {
        JobId::parse(text).unwrap()
    }

    fn job(tries: &[&str], max_tries: u32) -> Job {
        let name = JobName::parse("job").unwrap();
        let head = JobHead {
            spec: JobSpec { max_tries, ..JobSpec::new(name, "q", "d") },
            run_id: RunId::derive("file", "1", "0"),
            claims: 1,
            claim: None,
            job_id: tries.last().map(|text| id(text)),
            job_tries: tries.iter().map(|text| id(text)).collect(),
            tries_before: 0,
            refusal: None,
            submitted_at: None,
            updated_at: Timestamp::default(),
        };
        Job { head, latest: None }
    }

    fn ended(job_id: &str, status: JobStatus, reason: &str) -> JobState {
        let mut state = JobState::submitted(JobName::parse("job").unwrap(), id(job_id), None);
        state.status = status;
        state.status_reason = Some(reason.to_owned());
        state.exit_code = Some(1);
        state
    }

    const HOST_LOST: &str = "Host EC2 (instance i-1) terminated.";

    #[test]
    fn a_lost_host_is_tried_again_until_the_tries_are_used_up() {
        let lost = ended("b", JobStatus::Failed, HOST_LOST);
        assert_eq!(next(&job(&["a", "b"], 3), &lost), Next::Resubmit);
        assert_eq!(next(&job(&["a", "b"], 2), &lost), Next::Done);
        let mut asked_again = job(&["a", "b"], 2);
        asked_again.head.tries_before = 1;
        assert_eq!(next(&asked_again, &lost), Next::Resubmit, "the budget starts anew when a person asks");
    }

    #[test]
    fn nothing_follows_from_success_failure_or_a_replaced_submission() {
        let job = job(&["a", "b"], 4);
        assert_eq!(next(&job, &ended("b", JobStatus::Succeeded, "")), Next::Done);
        assert_eq!(
            next(&job, &ended("b", JobStatus::Failed, "Essential container in task exited")),
            Next::Done
        );
        assert_eq!(next(&job, &ended("a", JobStatus::Failed, HOST_LOST)), Next::Done);
        assert_eq!(
            next(&job, &ended("b:3", JobStatus::Failed, HOST_LOST)),
            Next::Done,
            "a child decides nothing"
        );
    }

    #[test]
    fn a_claim_that_stands_decides_instead() {
        let mut job = job(&["b"], 4);
        let nonce = Nonce::derive(job.name(), 2);
        job.head.claim = Some(Claim { nonce, expires_at: Timestamp::default() });
        assert_eq!(next(&job, &ended("b", JobStatus::Failed, HOST_LOST)), Next::Undecided);
        assert_eq!(next(&job, &ended("b", JobStatus::Failed, "Dependent Job failed")), Next::Undecided);
        assert_eq!(next(&job, &ended("b", JobStatus::Failed, "Essential container exited")), Next::Done);
        assert_eq!(next(&job, &ended("a", JobStatus::Failed, HOST_LOST)), Next::Done);
    }

    #[test]
    fn a_dependant_follows_its_dependencies() {
        let failed = ended("b", JobStatus::Failed, "Dependent Job failed");
        let mut dependant = job(&["b"], 4);
        assert_eq!(next(&dependant, &failed), Next::Done, "a dependency by id can't be submitted again");
        let name = JobName::parse("first").unwrap();
        dependant.head.spec.depends_on = vec![Dependency { job_name: Some(name), ..Dependency::default() }];
        assert_eq!(next(&dependant, &failed), Next::AfterDependencies);
    }
}
