//! Submissions that another program made, put into the store as the latest of their names.

use crate::any::Store;
use crate::domain::{
    ClaimOutcome, Job, JobSpec, JobState, NewClaim, NewSubmission, Nonce, RecordOutcome, RunId, Timestamp,
    TryEnd,
};
use crate::ports::PortError;

/// How long the claim stands under which a submission is taken in: for ever. Nothing may be submitted under it, and
/// the reconciler submits under claims that expire. Where the program is killed in between, taking the submission in
/// again goes on with the claim.
const CLAIM_MS: i64 = 100 * 365 * 86_400_000;

/// A submission that another program made.
pub(crate) struct Foreign {
    /// What is known of the job's spec.
    pub(crate) spec: JobSpec,
    /// The newest that is known of the submission.
    pub(crate) state: JobState,
}

/// Takes a submission in, and records its state. Idempotent. Answers with the reason where the store knows better.
pub(crate) async fn take_in<S: Store>(
    store: &S,
    foreign: &Foreign,
    now: Timestamp,
) -> Result<Result<(), String>, PortError> {
    let Foreign { spec, state } = foreign;
    let (name, job_id) = (&state.job_name, &state.job_id);
    if store.submission(job_id).await?.is_none() {
        let known = store.job(name).await?;
        if known.as_ref().and_then(Job::status).is_some_and(|status| !status.is_terminal()) {
            return Ok(Err(format!("another submission of {name} is under way; wait for it")));
        }
        let claim = claim(spec, state, known.as_ref(), now);
        let nonce = match begun(&claim, known.as_ref()) {
            Some(nonce) => nonce,
            None => match store.claim(&claim).await? {
                ClaimOutcome::Granted(nonce) => nonce,
                ClaimOutcome::Held | ClaimOutcome::Replaced => {
                    return Ok(Err(format!("{name} is being submitted; try again when it has a job id")));
                }
            },
        };
        let submission = NewSubmission { job_name: name.clone(), nonce, job_id: job_id.clone(), now };
        match store.record_submission(&submission).await? {
            RecordOutcome::Recorded | RecordOutcome::Known => {}
            RecordOutcome::Surplus | RecordOutcome::Unknown => {
                return Ok(Err(format!("{name} was submitted meanwhile")));
            }
        }
    }
    store.apply_state(state, now).await?;
    Ok(Ok(()))
}

fn claim(spec: &JobSpec, state: &JobState, known: Option<&Job>, now: Timestamp) -> NewClaim {
    NewClaim {
        spec: spec.clone(),
        run_id: RunId::derive("adopted", state.job_id.as_str(), ""),
        replaces: known.and_then(|job| job.head.job_id.clone()),
        replaced_end: known.and_then(Job::state).and_then(TryEnd::of),
        job_queue: None,
        takes_over: None,
        resets_budget: true,
        now,
        expires_at: now.plus_millis(CLAIM_MS),
    }
}

/// The nonce of the claim under which this very submission was to be taken in, by a process that was killed then.
fn begun(claim: &NewClaim, known: Option<&Job>) -> Option<Nonce> {
    let head = &known?.head;
    (head.run_id == claim.run_id).then(|| head.claim.as_ref().map(|claim| claim.nonce.clone()))?
}

#[cfg(test)]
mod tests {
    use batchwright_stores::memory::InMemoryJobStore;

    use super::*;
    use crate::domain::{JobId, JobStatus};
    use crate::ports::{ClaimStore as _, JobQueries as _};

    fn foreign(job_id: &str, status: &str) -> Foreign {
        let told = serde_json::json!({"jobName": "job", "jobId": job_id, "status": status});
        let detail: crate::events::JobDetail = serde_json::from_value(told).unwrap();
        Foreign { spec: JobSpec::new(detail.job_name.clone(), "q", "d"), state: detail.state() }
    }

    #[tokio::test]
    async fn a_process_that_was_killed_under_its_claim_is_gone_on_with_and_nothing_else_is() {
        let store = InMemoryJobStore::default();
        let (first, other) = (foreign("first", "RUNNING"), foreign("other", "RUNNING"));
        let now = Timestamp::from_millis(1_000);
        let claim = claim(&first.spec, &first.state, None, now);
        assert!(matches!(store.claim(&claim).await.unwrap(), ClaimOutcome::Granted(_)));
        // Nobody submits under it, however long it stands.
        let later = now.plus_millis(10 * 365 * 86_400_000);
        let expired = crate::ports::WorkLists::expired_claims(&store, later, None).await.unwrap();
        assert!(expired.items.is_empty());
        let refused = take_in(&store, &other, now).await.unwrap().unwrap_err();
        assert!(refused.contains("is being submitted"), "{refused}");
        take_in(&store, &first, now).await.unwrap().unwrap();
        take_in(&store, &first, now).await.unwrap().unwrap();
        let job = store.job(&first.state.job_name).await.unwrap().unwrap();
        assert_eq!(job.head.job_id, Some(JobId::parse("first").unwrap()));
        assert_eq!((job.head.job_tries.len(), job.status()), (1, Some(JobStatus::Running)));
        let refused = take_in(&store, &other, now).await.unwrap().unwrap_err();
        assert!(refused.contains("is under way"), "{refused}");
    }
}
