//! What is to be done with a job of a file, given what is known of it.

use std::fmt;

use super::ids::{JobId, RunId};
use super::job::Job;
use super::spec::JobSpec;
use super::status::JobStatus;

/// What `plan` shows and `submit` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Submit it. `replaces` is the submission that was latest when this was decided: the claim holds
    /// only while it still is.
    Submit {
        /// The latest submission, which has ended.
        replaces: Option<JobId>,
    },
    /// Leave it alone.
    Skip(Skip),
}

/// Why a job is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skip {
    /// It SUCCEEDED.
    Succeeded,
    /// It SUCCEEDED, with a spec other than the file's.
    Changed,
    /// A submission of it is under way.
    InFlight(JobStatus),
    /// It is an array of which children that lost their hosts are run again.
    Recovering,
    /// Somebody is submitting it, or died doing so.
    Claimed,
    /// The run that asks has submitted it, and it has ended: the run was interrupted since, or its file
    /// names the job twice.
    SubmittedBefore,
    /// It is to run an array's child again, and its name is another job's.
    Taken,
    /// Somebody has cancelled the run that asks: it submits nothing more.
    RunCancelled,
    /// Its environment is sealed, and nothing of it was submitted: its run reads its job file again.
    LeftToItsRun,
    /// It was to be tried again because a submission ended, and what follows from that end has been done already.
    Overtaken,
}

impl Skip {
    /// A word for reports and counts.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Changed => "CHANGED",
            Self::InFlight(_) | Self::Recovering => "IN_FLIGHT",
            Self::Claimed => "CLAIMED",
            Self::SubmittedBefore => "SUBMITTED_BEFORE",
            Self::Taken => "TAKEN",
            Self::RunCancelled => "RUN_CANCELLED",
            Self::LeftToItsRun => "LEFT_TO_ITS_RUN",
            Self::Overtaken => "OVERTAKEN",
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded => f.write_str("it SUCCEEDED"),
            Self::Changed => f.write_str(
                "it SUCCEEDED with another spec; give it a new jobName, or ask for it again with --rerun",
            ),
            Self::InFlight(status) => write!(f, "it is in flight ({status})"),
            Self::Recovering => f.write_str("it is in flight: its lost children are run again"),
            Self::Taken => f.write_str("its name is that of another job; give that one another name"),
            Self::Claimed => f.write_str("another submitter holds its claim"),
            Self::SubmittedBefore => f.write_str("this run has submitted it already, and it has ended"),
            Self::RunCancelled => f.write_str("its run was cancelled"),
            Self::LeftToItsRun => {
                f.write_str("its run reads its job file again, because its environment is sealed")
            }
            Self::Overtaken => f.write_str("what follows from its end has been done already"),
        }
    }
}

/// Decides for one job. `rerun` is a person's wish to run again what has SUCCEEDED. `run` is the run that
/// asks: one that was interrupted and goes on asks twice for what it submitted after its checkpoint.
pub fn plan(spec: &JobSpec, known: Option<&Job>, rerun: bool, run: Option<&RunId>) -> Plan {
    let Some(job) = known else { return Plan::Submit { replaces: None } };
    if job.head.claim.is_some() {
        return Plan::Skip(Skip::Claimed);
    }
    if job.is_recovering() {
        return Plan::Skip(Skip::Recovering);
    }
    match job.status() {
        Some(JobStatus::Succeeded) if !rerun => {
            Plan::Skip(if job.head.spec.digest() == spec.digest() { Skip::Succeeded } else { Skip::Changed })
        }
        Some(status) if !status.is_terminal() => Plan::Skip(Skip::InFlight(status)),
        Some(_) if run == Some(&job.head.run_id) && job.head.tries_used() > 0 => {
            Plan::Skip(Skip::SubmittedBefore)
        }
        _ => Plan::Submit { replaces: job.head.job_id.clone() },
    }
}

/// Decides for a job that is tried again because its submission `ended` FAILED. The decision to try again is
/// about that submission alone: it says nothing of the next one, which may have FAILED since for a cause that
/// is not tried again.
pub fn plan_retry(known: Option<&Job>, ended: &JobId) -> Plan {
    let Some(job) = known else { return Plan::Skip(Skip::Overtaken) };
    if job.head.claim.is_some() {
        return Plan::Skip(Skip::Claimed);
    }
    let is_latest = job.head.job_id.as_ref() == Some(ended);
    if !is_latest || job.head.refusal.is_some() || job.is_recovering() {
        return Plan::Skip(Skip::Overtaken);
    }
    match job.status() {
        Some(JobStatus::Failed) => Plan::Submit { replaces: job.head.job_id.clone() },
        Some(JobStatus::Succeeded) => Plan::Skip(Skip::Succeeded),
        Some(status) => Plan::Skip(Skip::InFlight(status)),
        None => Plan::Skip(Skip::Overtaken),
    }
}

/// Decides for the job that runs an array's child again: it is submitted once for each submission of
/// the array, and tried again like any job.
pub fn plan_child(spec: &JobSpec, known: Option<&Job>) -> Plan {
    let Some(job) = known else { return Plan::Submit { replaces: None } };
    let array = |spec: &JobSpec| spec.child_of.as_ref().map(|child| (child.job_name.clone(), child.index));
    if array(&job.head.spec) != array(spec) {
        return Plan::Skip(Skip::Taken);
    }
    if job.head.claim.is_some() {
        return Plan::Skip(Skip::Claimed);
    }
    let same_submission = job.head.spec.child_of == spec.child_of;
    match job.status() {
        Some(JobStatus::Succeeded) if same_submission => Plan::Skip(Skip::Succeeded),
        Some(status) if same_submission || !status.is_terminal() => Plan::Skip(Skip::InFlight(status)),
        _ => Plan::Submit { replaces: job.head.job_id.clone() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        ChildOf, Children, Claim, FollowUp, JobHead, JobName, JobState, Nonce, RunId, Submission, Timestamp,
        Try,
    };

    fn spec(definition: &str) -> JobSpec {
        JobSpec::new(JobName::parse("job").unwrap(), "queue", definition)
    }

    fn id() -> JobId {
        JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8").unwrap()
    }

    fn known(status: Option<JobStatus>) -> Job {
        let name = JobName::parse("job").unwrap();
        let latest = status.map(|status| {
            let state = JobState { status, ..JobState::submitted(name.clone(), id(), None) };
            Submission { state, logs: None, updated_at: Timestamp::default(), follow_up: FollowUp::Open }
        });
        let head = JobHead::submitted_as(spec("definition"), status.map(|_| id()).into_iter().collect());
        Job { head, latest }
    }

    #[test]
    fn a_retry_is_for_the_end_that_asked_for_it() {
        let (failed, other) = (known(Some(JobStatus::Failed)), "9d7a9e4c-0000-4000-8000-000000000001");
        let replaces = Some(id());
        assert_eq!(plan_retry(Some(&failed), &id()), Plan::Submit { replaces });
        let overtaken = Plan::Skip(Skip::Overtaken);
        assert_eq!(plan_retry(Some(&failed), &JobId::parse(other).unwrap()), overtaken, "it has a later one");
        assert_eq!(plan_retry(None, &id()), overtaken, "it was removed");
        let mut refused = failed;
        refused.head.refusal = Some("no such queue".to_owned());
        assert_eq!(plan_retry(Some(&refused), &id()), overtaken, "the next try was refused");
        let running = known(Some(JobStatus::Running));
        assert_eq!(plan_retry(Some(&running), &id()), Plan::Skip(Skip::InFlight(JobStatus::Running)));
    }

    #[test]
    fn a_job_is_submitted_when_it_is_new_was_refused_or_failed() {
        assert_eq!(plan(&spec("definition"), None, false, None), Plan::Submit { replaces: None });
        assert_eq!(
            plan(&spec("definition"), Some(&known(None)), false, None),
            Plan::Submit { replaces: None }
        );
        let failed = known(Some(JobStatus::Failed));
        assert_eq!(plan(&spec("another"), Some(&failed), false, None), Plan::Submit { replaces: Some(id()) });
    }

    #[test]
    fn a_job_in_flight_is_left_alone_whatever_a_person_asks() {
        for status in JobStatus::ALL.into_iter().filter(|status| !status.is_terminal()) {
            let job = known(Some(status));
            assert_eq!(plan(&spec("definition"), Some(&job), true, None), Plan::Skip(Skip::InFlight(status)));
        }
        let mut claimed = known(Some(JobStatus::Failed));
        let nonce = Nonce::derive(claimed.name(), "", 2);
        claimed.head.claim =
            Some(Claim { nonce, expires_at: Timestamp::default(), job_queue: None, on_sheet: false });
        assert_eq!(
            plan(&spec("definition"), Some(&claimed), true, None),
            Plan::Skip(Skip::Claimed),
            "also an expired one"
        );
    }

    #[test]
    fn a_run_that_goes_on_does_not_submit_again_what_has_ended_meanwhile() {
        for status in [JobStatus::Succeeded, JobStatus::Failed] {
            let mut job = known(Some(status));
            let run = job.head.run_id.clone();
            let planned = |job: &Job| plan(&spec("definition"), Some(job), true, Some(&run));
            assert_eq!(planned(&job), Plan::Skip(Skip::SubmittedBefore), "{status}");
            job.head.tries_before = 1;
            assert_eq!(planned(&job), Plan::Submit { replaces: Some(id()) }, "claimed, never submitted");
            job.head.run_id = RunId::derive("file", "2", "0");
            job.head.tries_before = 0;
            assert_eq!(planned(&job), Plan::Submit { replaces: Some(id()) }, "another run");
        }
    }

    #[test]
    fn an_array_whose_lost_children_are_run_again_is_in_flight_and_has_succeeded_when_they_have() {
        let mut job = known(Some(JobStatus::Failed));
        job.latest.as_mut().unwrap().state.status_reason = Some("Array Child Job failed".to_owned());
        let spec = spec("definition");
        assert_eq!(plan(&spec, Some(&job), false, None), Plan::Submit { replaces: Some(id()) });
        let children = Children { lost: Some(vec![1]), ..Children::default() };
        let told = |children: Children| Try {
            job_id: id(),
            job_queue: "queue".to_owned(),
            submitted_at: None,
            end: None,
            children: Some(children),
            newer: crate::domain::Newer::default(),
        };
        job.head.tries = vec![told(children.clone())];
        assert_eq!(
            plan(&spec, Some(&job), true, None),
            Plan::Skip(Skip::Recovering),
            "whatever a person asks"
        );
        job.head.tries = vec![told(children.ended(true))];
        assert_eq!(plan(&spec, Some(&job), false, None), Plan::Skip(Skip::Succeeded));
        assert_eq!(plan(&spec, Some(&job), true, None), Plan::Submit { replaces: Some(id()) });
        job.head.tries = vec![told(children.ended(false))];
        assert_eq!(plan(&spec, Some(&job), false, None), Plan::Submit { replaces: Some(id()) });
    }

    #[test]
    fn a_childs_job_is_submitted_once_for_each_submission_of_its_array() {
        let of = |job_name: &str, job_id: &str| ChildOf {
            job_name: JobName::parse(job_name).unwrap(),
            job_id: JobId::parse(job_id).unwrap(),
            index: 1,
        };
        let wanted = JobSpec { child_of: Some(of("array", "second")), ..spec("definition") };
        let submit = |replaces| Plan::Submit { replaces };
        assert_eq!(plan_child(&wanted, None), submit(None));
        let failed = Some(JobStatus::Failed);
        for (known_of, status, expected) in [
            (None, failed, Plan::Skip(Skip::Taken)),
            (Some(of("another", "second")), None, Plan::Skip(Skip::Taken)),
            (Some(of("array", "first")), failed, submit(Some(id()))),
            (Some(of("array", "first")), Some(JobStatus::Succeeded), submit(Some(id()))),
            (
                Some(of("array", "first")),
                Some(JobStatus::Running),
                Plan::Skip(Skip::InFlight(JobStatus::Running)),
            ),
            (Some(of("array", "second")), failed, Plan::Skip(Skip::InFlight(JobStatus::Failed))),
            (Some(of("array", "second")), Some(JobStatus::Succeeded), Plan::Skip(Skip::Succeeded)),
            (Some(of("array", "second")), None, submit(None)),
        ] {
            let mut job = known(status);
            job.head.spec.child_of = known_of.clone();
            assert_eq!(plan_child(&wanted, Some(&job)), expected, "{known_of:?} {status:?}");
        }
    }

    #[test]
    fn what_succeeded_runs_again_only_when_a_person_asks() {
        let job = known(Some(JobStatus::Succeeded));
        assert_eq!(plan(&spec("definition"), Some(&job), false, None), Plan::Skip(Skip::Succeeded));
        assert_eq!(plan(&spec("another"), Some(&job), false, None), Plan::Skip(Skip::Changed));
        assert_eq!(plan(&spec("definition"), Some(&job), true, None), Plan::Submit { replaces: Some(id()) });
    }
}
