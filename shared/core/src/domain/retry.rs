//! Whether a job whose submission has ended is submitted again, and where.
//!
//! Each cause has a budget, and the budgets are apart: what a lost host uses up is not missing for a
//! failure of the program, nor the reverse. All of them count from the moment at which a person last
//! asked for the job, and are told from the head alone.

use std::fmt;

use super::cause::Cause;
use super::ids::JobName;
use super::job::{Job, JobState};
use super::spec::RetryOn;
use super::status::JobStatus;

/// What follows from the end of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The job is submitted again.
    Resubmit(Again),
    /// The job failed because one it depends on did. Where that one is submitted again, so is this.
    AfterDependencies(Again),
    /// The decision waits for the one on a direct dependency.
    WaitFor(JobName),
    /// The array failed with its children, and those that lost their hosts are run again.
    Children,
    /// A claim stands that may become the next submission, or be given up.
    Undecided,
    /// The job has ended.
    Done,
}

/// Another try: why, and how many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// How the submission ended that it replaces.
    pub cause: Cause,
    /// The number of the try in its cause's budget: 2 after the first end.
    pub number: u32,
    /// The budget.
    pub of: u32,
}

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, try {} of {}", self.cause, self.number, self.of)
    }
}

/// Decides for the latest submission of a job. Children and nodes never decide for their job, and
/// neither does a submission that a later one has replaced.
///
/// A failure of the program itself is resubmitted only where the job asks for it with `retryOn`.
pub fn next(job: &Job, ended: &JobState) -> Next {
    let is_latest = job.head.job_id.as_ref() == Some(&ended.job_id);
    if !is_latest || ended.status != JobStatus::Failed {
        return Next::Done;
    }
    if job.head.claim.is_some() {
        return if ended.may_be_tried_again() { Next::Undecided } else { Next::Done };
    }
    let Some(cause) = ended.cause() else { return Next::Done };
    if job.is_recovering() {
        return Next::Children;
    }
    // The claim that was to replace the submission was refused for good: asked again, Batch would refuse
    // again.
    if job.head.refusal.is_some() {
        return Next::Done;
    }
    let asked = entry(job, cause).is_some();
    match (cause, another(job, ended, cause)) {
        (Cause::HostLost, Some(again)) => Next::Resubmit(again),
        (Cause::Dependency, Some(again)) if job.head.spec.dependency_names().next().is_some() => {
            Next::AfterDependencies(again)
        }
        (_, Some(again)) if asked => Next::Resubmit(again),
        _ => Next::Done,
    }
}

/// Why a submission for which [`next`] says [`Next::Done`] is not followed by another.
pub(crate) fn why_done(job: &Job, ended: &JobState) -> String {
    let Some(cause) = ended.cause() else { return "it SUCCEEDED".to_owned() };
    if let Some(refusal) = &job.head.refusal {
        return format!("its next try was refused: {refusal}");
    }
    if job.head.tries_used() >= TRIES_MAX {
        return format!("it was submitted {TRIES_MAX} times since a person asked for it");
    }
    let used_up = |of: u32, field: &str| format!("its {of} tries ({field}) are used up");
    match (cause, cause.not_retried_on(), entry(job, cause)) {
        (Cause::HostLost, ..) => used_up(job.head.spec.max_tries, "maxTries"),
        (Cause::Dependency, ..) => "the job that it depends on is not submitted again".to_owned(),
        (_, Some(why), _) => why.to_owned(),
        (_, None, Some(entry)) => used_up(entry.max_tries.unwrap_or(job.head.spec.max_tries), "retryOn"),
        (_, None, None) => format!("its retryOn does not name {cause}"),
    }
}

/// The queue into which batchwright itself submits a job again, where it is not the spec's own.
pub fn fallback(job: &Job) -> Option<&str> {
    let fallback = job.head.spec.fallback_queue.as_ref()?;
    let losses = causes(job, job.state()).filter(|cause| *cause == Some(Cause::HostLost)).count();
    let reached = u32::try_from(losses).unwrap_or(u32::MAX) >= fallback.after_losses;
    reached.then_some(fallback.job_queue.as_str())
}

/// Submissions since a person last asked, whatever the budgets of the causes allow together: all of them stand
/// in the job's record.
const TRIES_MAX: u32 = 500;

/// What the cause's budget leaves.
fn another(job: &Job, ended: &JobState, cause: Cause) -> Option<Again> {
    if job.head.tries_used() >= TRIES_MAX {
        return None;
    }
    let spec = &job.head.spec;
    let own = entry(job, cause);
    let counts = |end: &Option<Cause>| match own {
        Some(_) => *end == Some(cause),
        None => end.is_none_or(|end| entry(job, end).is_none()),
    };
    let used = causes(job, Some(ended)).filter(counts).count();
    let used = u32::try_from(used).unwrap_or(u32::MAX);
    let of = own.and_then(|entry| entry.max_tries).unwrap_or(spec.max_tries);
    (used < of).then(|| Again { cause, number: used + 1, of })
}

fn entry(job: &Job, cause: Cause) -> Option<&RetryOn> {
    let allowed = cause.not_retried_on().is_none();
    job.head.spec.retry_on.iter().find(|entry| allowed && entry.cause == cause)
}

/// How each submission since a person last asked ended; `latest` says it of the one that no claim has
/// replaced yet. `None` for one of which it is not known: an older version did not write it down.
fn causes(job: &Job, latest: Option<&JobState>) -> impl Iterator<Item = Option<Cause>> {
    job.head.tries_since_asked().iter().map(move |job_id| match latest {
        Some(state) if state.job_id == *job_id => state.cause(),
        _ => job.head.end_of(job_id).and_then(|end| end.cause),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::spec::{Dependency, FallbackQueue};
    use crate::domain::{
        Children, Claim, FollowUp, JobHead, JobId, JobName, JobSpec, Nonce, Submission, Timestamp, Try,
        TryEnd,
    };

    fn id(text: &str) -> JobId {
        JobId::parse(text).unwrap()
    }

    fn job(tries: &[&str], max_tries: u32) -> Job {
        let name = JobName::parse("job").unwrap();
        let head = JobHead::submitted_as(
            JobSpec { max_tries, ..JobSpec::new(name, "q", "d") },
            tries.iter().map(|text| id(text)).collect(),
        );
        Job { head, latest: None }
    }

    fn ended(job_id: &str, status: JobStatus, reason: &str) -> JobState {
        let mut state = JobState::submitted(JobName::parse("job").unwrap(), id(job_id), None);
        state.status = status;
        state.status_reason = Some(reason.to_owned());
        state.exit_code = Some(1);
        state
    }

    /// A job whose submissions ended by these causes, the last of them now.
    fn with_ends(causes: &[Cause], retry_on: &[(Cause, Option<u32>)], max_tries: u32) -> (Job, JobState) {
        let names: Vec<String> = (0..causes.len()).map(|number| format!("try-{number}")).collect();
        let mut job = job(&names.iter().map(String::as_str).collect::<Vec<_>>(), max_tries);
        job.head.spec.retry_on =
            retry_on.iter().map(|&(cause, max_tries)| RetryOn { cause, max_tries }).collect();
        let (latest, earlier) = causes.split_last().unwrap();
        job.head.tries = names
            .iter()
            .zip(earlier)
            .map(|(name, &cause)| Try {
                job_id: id(name),
                job_queue: "q".to_owned(),
                submitted_at: None,
                end: Some(TryEnd { status: JobStatus::Failed, cause: Some(cause) }),
                children: None,
                newer: crate::domain::Newer::default(),
            })
            .collect();
        let state = by_cause(names.last().unwrap(), *latest);
        let updated_at = Timestamp::default();
        job.latest =
            Some(Submission { state: state.clone(), logs: None, updated_at, follow_up: FollowUp::Open });
        (job, state)
    }

    fn by_cause(job_id: &str, cause: Cause) -> JobState {
        let reason = match cause {
            Cause::HostLost => HOST_LOST,
            Cause::Timeout => "Job attempt duration exceeded timeout",
            Cause::Dependency => "Dependent Job failed",
            Cause::Child => "Array Child Job failed",
            Cause::ExitCode => "Essential container in task exited",
            other => panic!("{other} has no text here"),
        };
        let state = ended(job_id, JobStatus::Failed, reason);
        assert_eq!(state.cause(), Some(cause));
        state
    }

    const HOST_LOST: &str = "Host EC2 (instance i-1) terminated.";

    fn loss(number: u32, of: u32) -> Next {
        Next::Resubmit(Again { cause: Cause::HostLost, number, of })
    }

    #[test]
    fn a_lost_host_is_tried_again_until_the_tries_are_used_up() {
        let lost = ended("b", JobStatus::Failed, HOST_LOST);
        assert_eq!(next(&job(&["a", "b"], 3), &lost), loss(3, 3));
        assert_eq!(next(&job(&["a", "b"], 2), &lost), Next::Done);
        let mut asked_again = job(&["a", "b"], 2);
        asked_again.head.tries_before = 1;
        assert_eq!(next(&asked_again, &lost), loss(2, 2), "the budget starts anew when a person asks");
    }

    #[test]
    fn each_cause_has_a_budget_of_its_own() {
        use Cause::{ExitCode, HostLost, Timeout};
        let both = &[(Timeout, None), (ExitCode, Some(2))][..];
        for (ends, retry_on, expected) in [
            (&[ExitCode][..], &[][..], None),
            (&[ExitCode], both, Some((2, 2))),
            (&[ExitCode, ExitCode], both, None),
            (&[ExitCode, Timeout, Timeout], both, Some((3, 3))),
            (&[ExitCode, Timeout, Timeout, Timeout], both, None),
            (&[Timeout, Timeout, ExitCode], both, Some((2, 2))),
            (&[HostLost, HostLost, ExitCode], both, Some((2, 2))),
            (&[ExitCode, Timeout, Timeout, HostLost, HostLost], both, Some((3, 3))),
            (&[ExitCode, HostLost, HostLost, HostLost], both, None),
            (&[HostLost, HostLost, Timeout], &[(Timeout, Some(1))], None),
            (&[Cause::Child], &[(Cause::Child, None)], None),
            (&[Cause::Dependency], &[(Cause::Dependency, None)], None),
        ] {
            let (job, state) = with_ends(ends, retry_on, 3);
            let cause = *ends.last().unwrap();
            let expected =
                expected.map_or(Next::Done, |(number, of)| Next::Resubmit(Again { cause, number, of }));
            assert_eq!(next(&job, &state), expected, "{ends:?} {retry_on:?}");
        }
    }

    #[test]
    fn all_budgets_together_have_an_end() {
        let ends: Vec<Cause> = [Cause::Timeout, Cause::ExitCode].repeat(250);
        let retry_on = [(Cause::Timeout, Some(900)), (Cause::ExitCode, Some(900))];
        let (mut job, state) = with_ends(&ends, &retry_on, 4);
        assert_eq!(next(&job, &state), Next::Done);
        assert!(why_done(&job, &state).contains("500 times"), "{}", why_done(&job, &state));
        job.head.tries_before = 1;
        assert!(matches!(next(&job, &state), Next::Resubmit(_)));
    }

    #[test]
    fn an_end_before_a_person_asked_again_uses_up_nothing() {
        let (mut job, state) =
            with_ends(&[Cause::ExitCode, Cause::ExitCode], &[(Cause::ExitCode, Some(2))], 4);
        assert_eq!(next(&job, &state), Next::Done);
        job.head.tries_before = 1;
        assert_eq!(next(&job, &state), Next::Resubmit(Again { cause: Cause::ExitCode, number: 2, of: 2 }));
    }

    #[test]
    fn the_fallback_queue_is_taken_from_the_loss_on_that_the_job_names() {
        use Cause::{ExitCode, HostLost};
        for (ends, after_losses, taken) in [
            (&[HostLost][..], 1, true),
            (&[HostLost], 2, false),
            (&[HostLost, HostLost], 2, true),
            (&[ExitCode, ExitCode, HostLost], 2, false),
            (&[HostLost, HostLost, ExitCode], 2, true),
        ] {
            let (mut job, _) = with_ends(ends, &[], 9);
            assert_eq!(fallback(&job), None);
            job.head.spec.fallback_queue = Some(FallbackQueue { job_queue: "od".to_owned(), after_losses });
            assert_eq!(fallback(&job).is_some(), taken, "{ends:?} {after_losses}");
            job.head.tries_before = u32::try_from(ends.len()).unwrap();
            assert_eq!(fallback(&job), None, "a person asked since");
        }
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
    fn an_array_that_failed_with_its_children_waits_for_them_until_it_is_decided() {
        let (mut job, state) = with_ends(&[Cause::Child], &[], 4);
        assert_eq!(next(&job, &state), Next::Done);
        let kept = |children: Children| Try {
            job_id: state.job_id.clone(),
            job_queue: "q".to_owned(),
            submitted_at: None,
            end: None,
            children: Some(children),
            newer: crate::domain::Newer::default(),
        };
        job.head.tries = vec![kept(Children::default())];
        assert_eq!(next(&job, &state), Next::Children);
        for (all_succeeded, status) in [(true, JobStatus::Succeeded), (false, JobStatus::Failed)] {
            job.head.tries = vec![kept(Children::default().ended(all_succeeded))];
            assert_eq!((next(&job, &state), job.status()), (Next::Done, Some(status)));
        }
    }

    #[test]
    fn a_claim_that_stands_decides_instead() {
        let mut job = job(&["b"], 4);
        let nonce = Nonce::derive(job.name(), "", 2);
        job.head.claim =
            Some(Claim { nonce, expires_at: Timestamp::default(), job_queue: None, on_sheet: false });
        assert_eq!(next(&job, &ended("b", JobStatus::Failed, HOST_LOST)), Next::Undecided);
        assert_eq!(next(&job, &ended("b", JobStatus::Failed, "Dependent Job failed")), Next::Undecided);
        assert_eq!(next(&job, &ended("a", JobStatus::Failed, HOST_LOST)), Next::Done);
    }

    #[test]
    fn a_job_whose_next_try_was_refused_has_ended_and_says_why() {
        let lost = ended("b", JobStatus::Failed, HOST_LOST);
        let mut refused = job(&["b"], 4);
        assert_eq!(next(&refused, &lost), loss(2, 4));
        refused.head.refusal = Some("the queue is disabled".to_owned());
        assert_eq!(next(&refused, &lost), Next::Done);
        assert_eq!(why_done(&refused, &lost), "its next try was refused: the queue is disabled");
    }

    #[test]
    fn a_dependant_follows_its_dependencies() {
        let failed = ended("b", JobStatus::Failed, "Dependent Job failed");
        let mut dependant = job(&["b"], 4);
        assert_eq!(next(&dependant, &failed), Next::Done, "a dependency by id can't be submitted again");
        let name = JobName::parse("first").unwrap();
        dependant.head.spec.depends_on = vec![Dependency { job_name: Some(name), ..Dependency::default() }];
        let again = Again { cause: Cause::Dependency, number: 2, of: 4 };
        assert_eq!(next(&dependant, &failed), Next::AfterDependencies(again));
    }
}
