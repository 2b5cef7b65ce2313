//! What may be forgotten because it is old.

use super::follow_up::{FollowUp, Standing, standing};
use super::job::{Job, JobState};
use super::run::Run;
use super::times::Timestamp;

/// Whether nothing has happened to a job since a moment, and nothing will unless somebody asks for it: it has ended
/// for good, no claim stands, and nothing is left to look into.
pub fn is_old_job(job: &Job, before: Timestamp) -> bool {
    let has_ended =
        job.head.claim.is_none() && matches!(standing(Some(job)), Standing::Succeeded | Standing::Ended);
    let is_settled = job
        .latest
        .as_ref()
        .is_none_or(|latest| !latest.state.has_loose_ends() || latest.follow_up == FollowUp::Settled);
    let stopped_at = job.state().and_then(|state: &JobState| state.times.stopped_at);
    let last_heard = job.latest.as_ref().map(|latest| latest.updated_at);
    let last = stopped_at.into_iter().chain(last_heard).fold(job.head.updated_at, Timestamp::max);
    has_ended && is_settled && last < before
}

/// Whether a run has ended before a moment, and everybody was told.
///
/// Where nobody looks for a run's end it has none: on one machine, and where an earlier version submitted its last job.
/// Then `goes_on` says whether one of its jobs has not ended.
pub fn is_old_run(run: &Run, before: Timestamp, goes_on: bool) -> bool {
    let is_without_end = run.state.is_over() && run.end.is_none() && run.ending.is_none();
    let has_ended = if is_without_end { !goes_on } else { !run.has_work_left() };
    has_ended && run.updated_at < before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Claim, JobHead, JobId, JobName, JobSpec, JobStatus, Nonce, RunEnd, RunOutcome, Submission,
    };
    use serde_json::json;

    const THEN: Timestamp = Timestamp::from_millis(1_000);
    const LATER: Timestamp = Timestamp::from_millis(2_000);

    fn job(status: JobStatus, reason: &str) -> Job {
        let (name, id) = (JobName::parse("job").unwrap(), JobId::parse("id").unwrap());
        let mut state = JobState::submitted(name.clone(), id.clone(), None);
        (state.status, state.status_reason, state.exit_code) = (status, Some(reason.to_owned()), Some(1));
        state.times.stopped_at = Some(THEN);
        let latest = Submission { state, logs: None, updated_at: THEN, follow_up: FollowUp::Open };
        Job { head: JobHead::submitted_as(JobSpec::new(name, "q", "d"), vec![id]), latest: Some(latest) }
    }

    #[test]
    fn a_run_is_old_once_it_has_ended_and_that_was_told() {
        let run = |state: &str| -> Run {
            let (at, counts) = (THEN.as_millis(), json!({}));
            serde_json::from_value(json!({
                "runId": "run-1", "source": "file", "state": state, "checkpoint": 3, "counts": counts,
                "startedAt": at, "updatedAt": at,
            }))
            .unwrap()
        };
        let submitted = run("SUBMITTED");
        let ended = |told| {
            let (outcome, ended_at) = (RunOutcome::Succeeded, THEN);
            Run {
                end: Some(RunEnd { ended_at, outcome, succeeded: 3, failed: 0, told }),
                ..submitted.clone()
            }
        };
        for (run, goes_on, expected) in [
            (submitted.clone(), false, true),
            (submitted.clone(), true, false),
            (ended(true), true, true),
            (ended(false), false, false),
            (run("SUBMITTING"), false, false),
        ] {
            assert_eq!(is_old_run(&run, LATER, goes_on), expected, "{run:?} {goes_on}");
            assert!(!is_old_run(&run, THEN, goes_on), "not before its end");
        }
    }

    #[test]
    fn what_has_ended_for_good_and_been_left_alone_is_old() {
        use JobStatus::{Failed, Running, Succeeded};
        let lost = job(Failed, "Host EC2 (instance i-1) terminated.");
        let mut decided = lost.clone();
        decided.latest.as_mut().unwrap().follow_up = FollowUp::Decided;
        let mut settled = lost.clone();
        settled.latest.as_mut().unwrap().follow_up = FollowUp::Settled;
        let mut claimed = job(Succeeded, "");
        claimed.head.claim = Some(Claim {
            nonce: Nonce::derive(&JobName::parse("job").unwrap(), "", 2),
            expires_at: THEN,
            job_queue: None,
            on_sheet: false,
        });
        let mut heard_of = job(Succeeded, "");
        heard_of.latest.as_mut().unwrap().updated_at = LATER;
        let mut asked_for = job(Succeeded, "");
        asked_for.head.updated_at = LATER;
        let mut refused = job(Succeeded, "");
        (refused.head.job_id, refused.latest, refused.head.updated_at) = (None, None, THEN);
        for (job, expected, why) in [
            (job(Succeeded, ""), true, "it SUCCEEDED"),
            (settled, true, "its tries are used up"),
            (refused, true, "it was never submitted"),
            (job(Running, ""), false, "it runs"),
            (lost, false, "it may be submitted again"),
            (decided, false, "a try may be looked into"),
            (claimed, false, "a claim stands"),
            (heard_of, false, "its log was looked at"),
            (asked_for, false, "somebody asked for it"),
        ] {
            assert_eq!(is_old_job(&job, LATER), expected, "{why}");
            assert!(!is_old_job(&job, THEN), "{why}: not before its end");
        }
    }
}
