//! Why a job is where it is: the situation, what it means, and what to do. One situation for each cause of a
//! failure, and one for each reason to wait.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `situation` | the situations, with their words |
//! | `waits` | why a submission waits in its queue |

mod situation;
mod waits;

use super::cause::Cause;
use super::job::{Job, JobState};
use super::queue::JobQueue;
use super::retry::{self, Next, next};
use super::status::JobStatus;
use super::times::Timestamp;

pub use situation::Situation;
pub use waits::{wait_reason, waits};

/// What is known of a job and of what it waits for.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The job.
    pub job: &'a Job,
    /// Whether a job that it depends on by name FAILED and is not submitted again.
    pub dependency_failed_for_good: bool,
    /// Its queue, where it was looked at.
    pub queue: Option<&'a JobQueue>,
    /// Whether its run was cancelled.
    pub run_is_cancelled: bool,
    /// On one machine: whether a process is there that runs the folder's jobs.
    pub is_attended: bool,
    /// This moment.
    pub now: Timestamp,
}

/// Tells where a job is.
pub fn situation(facts: &Facts<'_>) -> Situation {
    let job = facts.job;
    if job.is_recovering() {
        return Situation::Recovering;
    }
    if job.head.claim.is_some() {
        return Situation::BeingSubmitted;
    }
    let Some(status) = job.status() else {
        return if job.head.refusal.is_some() { Situation::Refused } else { Situation::NeverSubmitted };
    };
    match status {
        JobStatus::Succeeded => Situation::Succeeded,
        // The next try was refused: what the failure advises would not help.
        JobStatus::Failed if job.head.refusal.is_some() && !facts.run_is_cancelled => Situation::Refused,
        JobStatus::Failed => {
            Situation::Failed(job.state().and_then(JobState::cause).unwrap_or(Cause::Unknown))
        }
        JobStatus::Runnable if job.state().is_some_and(waits::does_not_fit) => Situation::DoesNotFit,
        _ if !facts.is_attended => Situation::Unattended,
        JobStatus::Submitted => Situation::JustSubmitted,
        JobStatus::Pending => Situation::WaitsForJobs,
        JobStatus::Runnable => runnable(facts),
        JobStatus::Starting => Situation::Starting,
        JobStatus::Running => Situation::Running,
    }
}

fn runnable(facts: &Facts<'_>) -> Situation {
    match (facts.queue, facts.job.state()) {
        (Some(queue), Some(state)) => waits(queue, state, facts.now),
        _ => Situation::WaitsForCapacity,
    }
}

/// Another job, at the queue's front for long.
pub fn blocking<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    let first = waits::in_the_way(facts.queue?, facts.job.head.job_id.as_ref()?, facts.now)?;
    Some(first.job_arn.as_str())
}

/// Whether batchwright submits the job again, and why or why not.
pub fn again(facts: &Facts<'_>) -> String {
    let job = facts.job;
    let Some(state) = job.state().filter(|state| state.status.is_terminal()) else {
        let told = match (job.state(), &job.head.claim, &job.head.refusal) {
            (Some(_), ..) => "it has not ended",
            (None, Some(_), _) => "it is being submitted",
            (None, None, Some(_)) => "it is not submitted again by itself: its submission was refused",
            (None, None, None) => "nothing of it was submitted",
        };
        return told.to_owned();
    };
    if facts.run_is_cancelled {
        return "it is not submitted again: its run was cancelled".to_owned();
    }
    match next(job, state) {
        Next::Resubmit(again) => format!("it is submitted again: {again}"),
        Next::AfterDependencies(_) if job.latest.as_ref().is_some_and(|end| end.follow_up.is_decided()) => {
            "it is not submitted again: a job that it depends on is not, or its next try was refused"
                .to_owned()
        }
        Next::WaitFor(name) => format!("that is decided when it is decided for {name}"),
        Next::AfterDependencies(again) => {
            format!("it is submitted again if the job it depends on is: {again}")
        }
        Next::Children => "children that lost their hosts are run again".to_owned(),
        Next::Undecided => "another try is being submitted".to_owned(),
        Next::Done => format!("it is not submitted again: {}", retry::why_done(job, state)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::queue::{ComputeEnvironment, InFront};
    use crate::domain::{FollowUp, JobHead, JobId, JobName, JobSpec, Submission};

    const NOW: Timestamp = Timestamp::from_millis(10_000_000);
    const ID: &str = "4c7599ae-0a82-49aa-ba5a-4727fcce14a8";

    fn job(status: Option<JobStatus>, change: impl FnOnce(&mut JobState)) -> Job {
        let name = JobName::parse("job").unwrap();
        let id = JobId::parse(ID).unwrap();
        let mut state = JobState::submitted(name.clone(), id.clone(), None);
        state.status = status.unwrap_or(JobStatus::Submitted);
        change(&mut state);
        let head = JobHead::submitted_as(
            JobSpec::new(name, "queue", "definition"),
            status.map(|_| id).into_iter().collect(),
        );
        let latest = status.map(|_| Submission {
            state,
            logs: None,
            updated_at: Timestamp::default(),
            follow_up: FollowUp::Open,
        });
        Job { head, latest }
    }

    fn queue() -> JobQueue {
        let environment = ComputeEnvironment {
            compute_environment_name: "spot".to_owned(),
            state: "ENABLED".to_owned(),
            status: "VALID".to_owned(),
            status_reason: None,
            max_vcpus: Some(256),
            desired_vcpus: Some(8),
        };
        JobQueue {
            job_queue_name: "queue".to_owned(),
            state: "ENABLED".to_owned(),
            status: "VALID".to_owned(),
            status_reason: None,
            compute_environments: vec![environment],
            front: Vec::new(),
        }
    }

    fn of(job: &Job, queue: Option<&JobQueue>) -> Situation {
        situation(&facts(job, queue))
    }

    fn facts<'a>(job: &'a Job, queue: Option<&'a JobQueue>) -> Facts<'a> {
        Facts {
            job,
            dependency_failed_for_good: false,
            queue,
            run_is_cancelled: false,
            is_attended: true,
            now: NOW,
        }
    }

    #[test]
    fn each_reason_to_wait_is_told_from_the_others() {
        let runnable = job(Some(JobStatus::Runnable), |_| ());
        let changed = |change: fn(&mut JobQueue)| {
            let mut queue = queue();
            change(&mut queue);
            of(&runnable, Some(&queue))
        };
        assert_eq!(changed(|_| ()), Situation::WaitsForCapacity);
        assert_eq!(changed(|queue| queue.state = "DISABLED".to_owned()), Situation::QueueDisabled);
        let broken = |queue: &mut JobQueue| queue.compute_environments[0].status = "INVALID".to_owned();
        assert_eq!(changed(broken), Situation::EnvironmentBroken);
        let full = |queue: &mut JobQueue| queue.compute_environments[0].desired_vcpus = Some(256);
        assert_eq!(changed(full), Situation::AtMaximum);
        let blocked = |queue: &mut JobQueue| {
            let since = Some(NOW.plus_millis(-600_000));
            queue.front = vec![InFront { job_arn: "arn:aws:batch:us-east-1:1:job/other".to_owned(), since }];
        };
        assert_eq!(changed(blocked), Situation::QueueBlocked);
        let own = |queue: &mut JobQueue| {
            queue.front = vec![InFront {
                job_arn: format!("arn:aws:batch:us-east-1:1:job/{ID}"),
                since: Some(Timestamp::default()),
            }];
        };
        assert_eq!(changed(own), Situation::WaitsForCapacity, "it is the first itself");
        let misfit = job(Some(JobStatus::Runnable), |state| {
            state.status_reason = Some("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - too large".to_owned());
        });
        assert_eq!(of(&misfit, Some(&queue())), Situation::DoesNotFit);
        let nobody = Facts { is_attended: false, ..facts(&misfit, None) };
        assert_eq!(situation(&nobody), Situation::DoesNotFit, "whoever comes can't start it either");
        let no_role = job(Some(JobStatus::Runnable), |state| {
            state.status_reason = Some("MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS - no such role".to_owned());
        });
        assert_eq!(of(&no_role, Some(&queue())), Situation::EnvironmentBroken);
        let unattended = Facts { is_attended: false, ..facts(&runnable, None) };
        assert_eq!(situation(&unattended), Situation::Unattended);
    }

    #[test]
    fn a_reason_to_wait_is_kept_in_words_and_never_over_batchs_own() {
        let told = |reason: Option<&str>, change: &dyn Fn(&mut JobQueue)| {
            let runnable =
                job(Some(JobStatus::Runnable), |state| state.status_reason = reason.map(str::to_owned));
            let mut queue = queue();
            change(&mut queue);
            wait_reason(&queue, runnable.state().unwrap(), NOW).map(|(_, reason)| reason)
        };
        let in_front = |number: usize, since: i64| InFront {
            job_arn: format!("arn:aws:batch:us-east-1:1:job/{}", if number == 2 { ID } else { "other" }),
            since: Some(Timestamp::from_millis(since)),
        };
        let none: &dyn Fn(&mut JobQueue) = &|_| ();
        let disabled: &dyn Fn(&mut JobQueue) = &|queue| queue.state = "DISABLED".to_owned();
        let broken: &dyn Fn(&mut JobQueue) = &|queue| {
            queue.compute_environments[0].status = "INVALID".to_owned();
            queue.compute_environments[0].status_reason = Some("no such role".to_owned());
        };
        let full: &dyn Fn(&mut JobQueue) = &|queue| queue.compute_environments[0].desired_vcpus = Some(256);
        let third: &dyn Fn(&mut JobQueue) =
            &|queue| queue.front = (0..3).map(|number| in_front(number, 9_990_000)).collect();
        let blocked: &dyn Fn(&mut JobQueue) =
            &|queue| queue.front = (0..3).map(|number| in_front(number, 0)).collect();
        let behind: &dyn Fn(&mut JobQueue) =
            &|queue| queue.front = (3..103).map(|number| in_front(number, 9_990_000)).collect();
        let in_order = "WAITS_FOR_CAPACITY: the queue queue and its compute environments are in order";
        for (change, expected) in [
            (none, in_order.to_owned()),
            (disabled, "QUEUE_DISABLED: the queue queue is DISABLED".to_owned()),
            (broken, "ENVIRONMENT_BROKEN: spot is ENABLED and INVALID (no such role)".to_owned()),
            (full, "AT_MAXIMUM: spot uses 256 of 256 vCPUs".to_owned()),
            (third, format!("{in_order}; number 3 at its front")),
            (
                blocked,
                "QUEUE_BLOCKED: other is at the front of queue since 1970-01-01T00:00:00Z; number 3 at its front"
                    .to_owned(),
            ),
            (behind, format!("{in_order}; behind the 100 at its front")),
        ] {
            assert_eq!(told(None, change).as_deref(), Some(expected.as_str()));
            assert_eq!(told(Some("AT_MAXIMUM: spot uses 1 of 1 vCPUs"), change), Some(expected), "ours is renewed");
            assert_eq!(told(Some("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - none"), change), None);
        }
    }

    #[test]
    fn each_status_has_its_situation() {
        for (status, expected) in [
            (None, Situation::NeverSubmitted),
            (Some(JobStatus::Submitted), Situation::JustSubmitted),
            (Some(JobStatus::Pending), Situation::WaitsForJobs),
            (Some(JobStatus::Starting), Situation::Starting),
            (Some(JobStatus::Running), Situation::Running),
            (Some(JobStatus::Succeeded), Situation::Succeeded),
        ] {
            assert_eq!(of(&job(status, |_| ()), None), expected);
        }
        let mut refused = job(None, |_| ());
        refused.head.refusal = Some("no such queue".to_owned());
        assert_eq!(of(&refused, None), Situation::Refused);
        let failed = job(Some(JobStatus::Failed), |state| state.exit_code = Some(3));
        assert_eq!(of(&failed, None), Situation::Failed(Cause::ExitCode));
        let mut not_again = failed;
        not_again.head.refusal = Some("the queue is DISABLED".to_owned());
        assert_eq!(of(&not_again, None), Situation::Refused);
    }

    #[test]
    fn every_situation_has_a_meaning_and_a_remedy_of_its_own() {
        let all = Situation::OTHERS.into_iter().chain(Cause::ALL.map(Situation::Failed));
        let mut meanings = std::collections::BTreeSet::new();
        for situation in all {
            assert!(situation.meaning().ends_with('.') && situation.remedy().ends_with('.'), "{situation}");
            assert!(meanings.insert(situation.meaning()), "{situation}");
        }
    }

    #[test]
    fn whether_it_is_tried_again_comes_with_its_reason() {
        let mut unsubmitted = job(None, |_| ());
        assert_eq!(again(&facts(&unsubmitted, None)), "nothing of it was submitted");
        unsubmitted.head.refusal = Some("no such queue".to_owned());
        let refused = "it is not submitted again by itself: its submission was refused";
        assert_eq!(again(&facts(&unsubmitted, None)), refused);
        let running = job(Some(JobStatus::Running), |_| ());
        assert_eq!(again(&facts(&running, None)), "it has not ended");
        let lost = job(Some(JobStatus::Failed), |state| {
            state.status_reason = Some("Host EC2 (instance i-1) terminated.".to_owned());
        });
        assert_eq!(again(&facts(&lost, None)), "it is submitted again: HOST_LOST, try 2 of 4");
        let cancelled = Facts { run_is_cancelled: true, ..facts(&lost, None) };
        assert_eq!(again(&cancelled), "it is not submitted again: its run was cancelled");
        let mut used_up = lost.clone();
        used_up.head.spec.max_tries = 1;
        assert_eq!(
            again(&facts(&used_up, None)),
            "it is not submitted again: its 1 tries (maxTries) are used up"
        );
        let failed = job(Some(JobStatus::Failed), |state| state.exit_code = Some(3));
        assert_eq!(
            again(&facts(&failed, None)),
            "it is not submitted again: its retryOn does not name EXIT_CODE"
        );
        let stopped = job(Some(JobStatus::Failed), |state| state.is_terminated = true);
        assert_eq!(
            again(&facts(&stopped, None)),
            "it is not submitted again: a job that somebody stopped stays stopped"
        );
    }
}
