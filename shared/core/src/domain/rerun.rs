//! Which jobs are run again when a person asks.

use super::cause::Cause;
use super::job::{Job, JobState};
use super::s3_uri::Pattern;
use super::status::JobStatus;

/// What a person asks for. Without any of the conditions every job counts that is not under way.
#[derive(Debug, Clone, Default)]
pub struct Rerun {
    /// Jobs that FAILED.
    pub failed: bool,
    /// Jobs whose latest submission FAILED for one of these causes. Where there are any, `failed` adds no others.
    pub causes: Vec<Cause>,
    /// Jobs that were never submitted.
    pub missing: bool,
    /// Of these, only jobs whose names match.
    pub name: Option<Pattern>,
}

impl Rerun {
    /// Whether a job of that name is to be run again, given what is known of it.
    pub fn wants(&self, name: &str, known: Option<&Job>) -> bool {
        if self.name.as_ref().is_some_and(|pattern| !pattern.matches(name)) {
            return false;
        }
        if known.is_some_and(is_under_way) {
            return false;
        }
        let status = known.and_then(Job::status);
        let cause = known
            .and_then(Job::state)
            .and_then(JobState::cause)
            .filter(|_| status == Some(JobStatus::Failed));
        let is_any = !self.failed && self.causes.is_empty() && !self.missing;
        is_any
            || (self.failed && self.causes.is_empty() && status == Some(JobStatus::Failed))
            || (self.missing && status.is_none())
            || cause.is_some_and(|cause| self.causes.contains(&cause))
    }
}

fn is_under_way(job: &Job) -> bool {
    job.head.claim.is_some()
        || job.is_recovering()
        || job.status().is_some_and(|status| !status.is_terminal())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Claim, FollowUp, JobHead, JobId, JobName, JobSpec, Nonce, Submission, Timestamp};

    fn job(status: Option<JobStatus>, exit_code: Option<i32>) -> Job {
        let name = JobName::parse("tile-7").unwrap();
        let id = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8").unwrap();
        let latest = status.map(|status| {
            let state = JobState { status, exit_code, ..JobState::submitted(name.clone(), id.clone(), None) };
            Submission { state, logs: None, updated_at: Timestamp::default(), follow_up: FollowUp::Open }
        });
        let head = JobHead::submitted_as(
            JobSpec::new(name, "queue", "definition"),
            status.map(|_| id).into_iter().collect(),
        );
        Job { head, latest }
    }

    #[test]
    fn only_what_is_asked_for_is_run_again() {
        let succeeded = job(Some(JobStatus::Succeeded), Some(0));
        let failed = job(Some(JobStatus::Failed), Some(1));
        let killed = job(Some(JobStatus::Failed), Some(137));
        let running = job(Some(JobStatus::Running), None);
        let refused = job(None, None);
        let mut claimed = failed.clone();
        let nonce = Nonce::derive(claimed.name(), "", 2);
        claimed.head.claim =
            Some(Claim { nonce, expires_at: Timestamp::default(), job_queue: None, on_sheet: false });
        let jobs = [
            Some(&succeeded),
            Some(&failed),
            Some(&killed),
            Some(&refused),
            None,
            Some(&running),
            Some(&claimed),
        ];
        let wanted = |rerun: &Rerun| jobs.map(|job| u8::from(rerun.wants("tile-7", job)));
        let all = Rerun::default();
        assert_eq!(wanted(&all), [1, 1, 1, 1, 1, 0, 0]);
        assert_eq!(wanted(&Rerun { failed: true, ..all.clone() }), [0, 1, 1, 0, 0, 0, 0]);
        assert_eq!(wanted(&Rerun { causes: vec![Cause::OutOfMemory], ..all.clone() }), [0, 0, 1, 0, 0, 0, 0]);
        let narrowed = Rerun { failed: true, causes: vec![Cause::OutOfMemory], ..all.clone() };
        assert_eq!(wanted(&narrowed), [0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(wanted(&Rerun { missing: true, ..narrowed }), [0, 0, 1, 1, 1, 0, 0]);
        assert_eq!(wanted(&Rerun { missing: true, ..all.clone() }), [0, 0, 0, 1, 1, 0, 0]);
        let both = Rerun { missing: true, failed: true, ..all.clone() };
        assert_eq!(wanted(&both), [0, 1, 1, 1, 1, 0, 0]);
        let named = |pattern: &str| Rerun { name: Some(Pattern::parse(pattern).unwrap()), ..both.clone() };
        assert_eq!(wanted(&named("tile-*")), wanted(&both));
        assert_eq!(wanted(&named("other-*")), [0; 7]);
    }
}
