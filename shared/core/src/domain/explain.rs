//! Why a job is where it is: the situation, what it means, and what to do. One situation for each cause of a
//! failure, and one for each reason to wait.

use std::fmt;

use serde::{Serialize, Serializer};

use super::cause::Cause;
use super::ids::JobId;
use super::job::{Job, JobState};
use super::queue::{ComputeEnvironment, InFront, JobQueue, queue_name};
use super::retry::{self, Next, next};
use super::status::JobStatus;
use super::times::Timestamp;

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

/// Where a job is, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Situation {
    /// It was never submitted.
    NeverSubmitted,
    /// Its submission was refused.
    Refused,
    /// A claim stands.
    BeingSubmitted,
    /// No process runs the jobs of the folder.
    Unattended,
    /// Jobs that it depends on have not ended.
    WaitsForJobs,
    /// Batch has not looked at it yet.
    JustSubmitted,
    /// Its queue takes jobs, and starts none.
    QueueDisabled,
    /// No compute environment of its queue can start anything.
    EnvironmentBroken,
    /// Another job at the queue's front holds it up.
    QueueBlocked,
    /// Its compute environments are at their `maxvCpus`.
    AtMaximum,
    /// It is the next, and there are no instances for it yet.
    WaitsForCapacity,
    /// Its container is being started.
    Starting,
    /// It runs.
    Running,
    /// Lost children of the array are run again.
    Recovering,
    /// It SUCCEEDED.
    Succeeded,
    /// It FAILED.
    Failed(Cause),
}

impl Situation {
    /// All that are no failure.
    pub const OTHERS: [Situation; 15] = [
        Self::NeverSubmitted,
        Self::Refused,
        Self::BeingSubmitted,
        Self::Unattended,
        Self::WaitsForJobs,
        Self::JustSubmitted,
        Self::QueueDisabled,
        Self::EnvironmentBroken,
        Self::QueueBlocked,
        Self::AtMaximum,
        Self::WaitsForCapacity,
        Self::Starting,
        Self::Running,
        Self::Recovering,
        Self::Succeeded,
    ];

    /// Those of a RUNNABLE job.
    pub const IN_A_QUEUE: [Situation; 5] = [
        Self::QueueDisabled,
        Self::EnvironmentBroken,
        Self::QueueBlocked,
        Self::AtMaximum,
        Self::WaitsForCapacity,
    ];

    /// Whether a job waits until somebody does something, and not only for capacity.
    pub const fn holds_back(self) -> bool {
        matches!(self, Self::QueueDisabled | Self::EnvironmentBroken | Self::QueueBlocked)
    }

    /// A word: the cause of a failure.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeverSubmitted => "NEVER_SUBMITTED",
            Self::Refused => "REFUSED",
            Self::BeingSubmitted => "BEING_SUBMITTED",
            Self::Unattended => "UNATTENDED",
            Self::WaitsForJobs => "WAITS_FOR_JOBS",
            Self::JustSubmitted => "JUST_SUBMITTED",
            Self::QueueDisabled => "QUEUE_DISABLED",
            Self::EnvironmentBroken => "ENVIRONMENT_BROKEN",
            Self::QueueBlocked => "QUEUE_BLOCKED",
            Self::AtMaximum => "AT_MAXIMUM",
            Self::WaitsForCapacity => "WAITS_FOR_CAPACITY",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Recovering => "RECOVERING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed(cause) => cause.as_str(),
        }
    }

    /// What it means, in one sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NeverSubmitted => "The job was never submitted.",
            Self::Refused => "The job was not submitted, or not again, because its submission was refused.",
            Self::BeingSubmitted => "A submitter is submitting the job, or died while it did.",
            Self::Unattended => "No process runs the jobs of this folder, so that nothing waiting starts.",
            Self::WaitsForJobs => "The job waits until the jobs that it depends on have ended.",
            Self::JustSubmitted => "Batch has taken the job on and has not looked at it yet.",
            Self::QueueDisabled => "The job queue is DISABLED: it takes jobs on and starts none.",
            Self::EnvironmentBroken => "No compute environment of the queue is both ENABLED and VALID.",
            Self::QueueBlocked => {
                "The job at the front of the queue can't be placed, and holds up those behind it."
            }
            Self::AtMaximum => {
                "The compute environments of the queue already use all the vCPUs that they may."
            }
            Self::WaitsForCapacity => "The job can start as soon as there is an instance for it.",
            Self::Starting => "An instance was found; the image is pulled and the container started.",
            Self::Running => "The job runs.",
            Self::Recovering => {
                "Children of the array lost their hosts and are run again, each as a job of its own."
            }
            Self::Succeeded => "The job did what it was to do.",
            Self::Failed(cause) => match cause {
                Cause::HostLost => {
                    "The host went away, usually by a Spot interruption: it says nothing of the program."
                }
                Cause::HostError => {
                    "The container runtime or the network of the host failed, not the program."
                }
                Cause::Timeout => "An attempt ran longer than timeout.attemptDurationSeconds allows.",
                Cause::OutOfMemory => {
                    "The container was killed because it used more memory than it was given."
                }
                Cause::Image => "The container's image could not be pulled.",
                Cause::Dependency => {
                    "A job that this one depends on failed, so that this one was never started."
                }
                Cause::Child => "At least one child of the array failed.",
                Cause::Configuration => {
                    "Batch can't run the job as it, its definition or its queue is set up."
                }
                Cause::Capacity => "No capacity was found within the queue's time limit.",
                Cause::Cancelled => "Somebody cancelled the job before it started.",
                Cause::Terminated => "Somebody terminated the job.",
                Cause::Lost => "Batch no longer knows the submission, and nobody saw how it ended.",
                Cause::ExitCode => "The program itself ended with an exit code other than 0.",
                Cause::Unknown => "Nothing that Batch said tells why the job failed.",
                Cause::Newer(_) => {
                    "A newer version of batchwright told why; this one does not know the word."
                }
            },
        }
    }

    /// What a person can do about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::NeverSubmitted => "Run its job file, or `batchwright rerun FILE --missing`.",
            Self::Refused => "Mend what the refusal names in the job file, and run it again.",
            Self::BeingSubmitted => {
                "Nothing: the reconciler looks into a claim ten minutes after it was made, and submits the job if \
                 nobody did."
            }
            Self::Unattended => "Run the job file again: what succeeded is not run twice.",
            Self::WaitsForJobs => "Nothing, or explain the job that it waits for.",
            Self::JustSubmitted => "Nothing; where it stays so for minutes, look at the status of AWS Batch.",
            Self::QueueDisabled => {
                "Enable the queue: aws batch update-job-queue --job-queue NAME --state ENABLED."
            }
            Self::EnvironmentBroken => {
                "Mend what the environment's statusReason names (often a role or a launch template), or enable it."
            }
            Self::QueueBlocked => {
                "Explain the job at the front; terminate it, or give the queue an environment that can hold it. A \
                 jobStateTimeLimitActions of the queue does so by itself."
            }
            Self::AtMaximum => "Wait, raise the environments' maxvCpus, or add an environment to the queue.",
            Self::WaitsForCapacity => {
                "Wait; where it takes long, allow more instance types, more zones, or On-Demand beside Spot, and look \
                 at the account's EC2 quotas."
            }
            Self::Starting => {
                "Nothing; where it takes minutes, look at the size of the image and at the registry."
            }
            Self::Running => "Nothing; `batchwright logs JOB` shows what it writes.",
            Self::Recovering => "Nothing; `batchwright jobs 'JOB--bw-child-*'` shows them.",
            Self::Succeeded => "Nothing; `batchwright rerun JOB` runs it again.",
            Self::Failed(cause) => match cause {
                Cause::HostLost => {
                    "Raise maxTries, name a fallbackQueue without Spot, or make the job shorter so that fewer hosts are \
                     lost under it."
                }
                Cause::HostError => "Run it again; with \"retryOn\": [\"HOST_ERROR\"] batchwright does so.",
                Cause::Timeout => "Raise the time limit, or find out in the log what it waited for.",
                Cause::OutOfMemory => {
                    "Raise MEMORY in resourceRequirements; with as much memory it ends the same way."
                }
                Cause::Image => {
                    "Check the image's name and tag, the execution role, the way to the registry and its rate limit."
                }
                Cause::Dependency => {
                    "Explain the job that it depends on; once that one succeeds, run both again."
                }
                Cause::Child => {
                    "Look at the children that failed; `batchwright rerun JOB` runs the array again."
                }
                Cause::Configuration => {
                    "Mend what the reason names: requirements, roles, the definition, the queue."
                }
                Cause::Capacity => "Allow more instance types or zones, or raise the queue's time limit.",
                Cause::Cancelled | Cause::Terminated => {
                    "`batchwright rerun JOB` runs it again, if that was a mistake."
                }
                Cause::Lost => "Run it again; where it matters, look for what it wrote before.",
                Cause::ExitCode => "Read the end of its log; run it again once its cause is mended.",
                Cause::Newer(_) => "Explain it with the version that wrote it.",
                Cause::Unknown => {
                    "Read the evidence and the log; look at the events of the queue and the environment."
                }
            },
        }
    }
}

impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Situation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
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
        JobStatus::Failed => {
            Situation::Failed(job.state().and_then(JobState::cause).unwrap_or(Cause::Unknown))
        }
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

/// Why a RUNNABLE submission waits in its queue. What Batch's own `statusReason` says comes first: it is about this very
/// job.
pub fn waits(queue: &JobQueue, state: &JobState, now: Timestamp) -> Situation {
    if queue.state == "DISABLED" {
        return Situation::QueueDisabled;
    }
    let works = |state: &str, status: &str| state == "ENABLED" && status == "VALID";
    let usable: Vec<_> = queue
        .compute_environments
        .iter()
        .filter(|environment| works(&environment.state, &environment.status))
        .collect();
    if usable.is_empty() && !queue.compute_environments.is_empty() {
        return Situation::EnvironmentBroken;
    }
    let reason = state.status_reason.as_deref().unwrap_or_default();
    if reason.starts_with("MISCONFIGURATION:") {
        return Situation::EnvironmentBroken;
    }
    if in_the_way(queue, &state.job_id, now).is_some() {
        return Situation::QueueBlocked;
    }
    let is_full =
        |desired: Option<i32>, max: Option<i32>| matches!((desired, max), (Some(d), Some(m)) if d >= m);
    let full = usable.iter().all(|environment| is_full(environment.desired_vcpus, environment.max_vcpus));
    if full && !usable.is_empty() { Situation::AtMaximum } else { Situation::WaitsForCapacity }
}

/// Jobs that `GetJobQueueSnapshot` tells of. Source: its API reference.
const FRONT_MAX: usize = 100;

/// Compute environments that a reason names. Source: Batch's quota of environments a queue.
const ENVIRONMENTS_TOLD: usize = 3;

/// How long a job stands at the front before it counts as one that can't be placed: Batch itself tells of a
/// blocked queue after ten minutes.
const BLOCKED_AFTER_MS: i64 = 600_000;

/// Another job, at the queue's front for long.
pub fn blocking<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    let first = in_the_way(facts.queue?, facts.job.head.job_id.as_ref()?, facts.now)?;
    Some(first.job_arn.as_str())
}

fn in_the_way<'a>(queue: &'a JobQueue, job_id: &JobId, now: Timestamp) -> Option<&'a InFront> {
    let first = queue.front.first()?;
    let is_long = first.since.is_some_and(|since| now.millis_since(since) >= BLOCKED_AFTER_MS);
    (!is_of(first, job_id) && is_long).then_some(first)
}

fn is_of(entry: &InFront, job_id: &JobId) -> bool {
    entry.job_arn.ends_with(job_id.as_str())
}

/// Why a submission is RUNNABLE for long, in words that are kept with it as its reason: the situation and what it was
/// told from, as in `QUEUE_DISABLED: the queue spot is DISABLED; number 3 at its front`. `None` where Batch itself has
/// told why, because that is about this very job.
pub fn wait_reason(queue: &JobQueue, state: &JobState, now: Timestamp) -> Option<(Situation, String)> {
    if state.status_reason.as_deref().is_some_and(|reason| !is_wait_reason(reason)) {
        return None;
    }
    let situation = waits(queue, state, now);
    let mut said = seen(queue, situation, &state.job_id, now);
    match queue.front.iter().position(|entry| is_of(entry, &state.job_id)) {
        Some(place) => said += &format!("; number {} at its front", place + 1),
        None if queue.front.len() >= FRONT_MAX => said += &format!("; behind the {FRONT_MAX} at its front"),
        None => {}
    }
    Some((situation, format!("{situation}: {said}")))
}

/// Whether a reason was told by [`wait_reason`], and not by Batch.
fn is_wait_reason(reason: &str) -> bool {
    let word = reason.split(": ").next().unwrap_or_default();
    Situation::IN_A_QUEUE.iter().any(|situation| situation.as_str() == word)
}

/// What a situation is told from.
fn seen(queue: &JobQueue, situation: Situation, job_id: &JobId, now: Timestamp) -> String {
    let name = &queue.job_queue_name;
    let because =
        |reason: &Option<String>| reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
    let environments = |told: &dyn Fn(&ComputeEnvironment) -> String| {
        queue.compute_environments.iter().take(ENVIRONMENTS_TOLD).map(told).collect::<Vec<_>>().join(", ")
    };
    match situation {
        Situation::QueueDisabled => {
            format!("the queue {name} is {}{}", queue.state, because(&queue.status_reason))
        }
        Situation::EnvironmentBroken => environments(&|environment| {
            let ComputeEnvironment { compute_environment_name, state, status, status_reason, .. } =
                environment;
            format!("{compute_environment_name} is {state} and {status}{}", because(status_reason))
        }),
        Situation::QueueBlocked => in_the_way(queue, job_id, now).map_or(String::new(), |first| {
            let since =
                first.since.map_or(String::new(), |since| format!(" since {}", since.to_rfc3339_seconds()));
            format!("{} is at the front of {name}{since}", queue_name(&first.job_arn))
        }),
        Situation::AtMaximum => environments(&|environment| {
            let vcpus = |vcpus: Option<i32>| vcpus.map_or("?".to_owned(), |vcpus| vcpus.to_string());
            let (desired, max) = (vcpus(environment.desired_vcpus), vcpus(environment.max_vcpus));
            format!("{} uses {desired} of {max} vCPUs", environment.compute_environment_name)
        }),
        _ => format!("the queue {name} and its compute environments are in order"),
    }
}

/// Whether batchwright submits the job again, and why or why not.
pub fn again(facts: &Facts<'_>) -> String {
    let job = facts.job;
    let Some(state) = job.state().filter(|state| state.status.is_terminal()) else {
        return "it has not ended".to_owned();
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
    use crate::domain::{FollowUp, JobHead, JobName, JobSpec, Submission};

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
        assert_eq!(of(&misfit, Some(&queue())), Situation::EnvironmentBroken);
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
