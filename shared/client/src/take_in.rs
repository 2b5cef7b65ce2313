//! Submissions that another program made, put into the store as the latest of their names.

use crate::any::Store;
use crate::domain::{Job, JobSpec, JobState, NewClaim, RecordOutcome, RunId, Timestamp, TryEnd};
use crate::ports::PortError;

/// A submission that another program made.
pub(crate) struct Foreign {
    /// What is known of the job's spec.
    pub(crate) spec: JobSpec,
    /// The newest that is known of the submission.
    pub(crate) state: JobState,
    /// The run that it belongs to.
    pub(crate) run_id: RunId,
    /// When it was made.
    pub(crate) submitted_at: Timestamp,
    /// When its state was heard of.
    pub(crate) heard_at: Timestamp,
    /// Whether the tries before it count no more: a person asked for it.
    pub(crate) resets_budget: bool,
}

impl Foreign {
    /// One of which a program tells `now`: no run of the store has made it.
    pub(crate) fn told(spec: JobSpec, state: JobState, now: Timestamp) -> Self {
        let run_id = RunId::derive("adopted", state.job_id.as_str(), "");
        let submitted_at = state.times.created_at.unwrap_or(now);
        Self { spec, state, run_id, submitted_at, heard_at: now, resets_budget: true }
    }
}

/// Takes a submission in, and records its state. Idempotent. Answers with the reason where the store knows better.
pub(crate) async fn take_in<S: Store>(store: &S, foreign: &Foreign) -> Result<Result<(), String>, PortError> {
    let state = &foreign.state;
    let (name, job_id) = (&state.job_name, &state.job_id);
    if store.submission(job_id).await?.is_none() {
        let known = store.job(name).await?;
        if known.as_ref().and_then(Job::status).is_some_and(|status| !status.is_terminal()) {
            return Ok(Err(format!("another submission of {name} is under way; wait for it")));
        }
        if known.as_ref().is_some_and(|job| job.head.claim.is_some()) {
            return Ok(Err(format!("{name} is being submitted; try again when it has a job id")));
        }
        let claim = claim(foreign, known.as_ref());
        match store.take_in(&claim, job_id).await? {
            RecordOutcome::Recorded | RecordOutcome::Known => {}
            RecordOutcome::Surplus | RecordOutcome::Unknown => {
                return Ok(Err(format!("{name} was submitted meanwhile; try again")));
            }
        }
    }
    store.apply_state(state, foreign.heard_at).await?;
    Ok(Ok(()))
}

fn claim(foreign: &Foreign, known: Option<&Job>) -> NewClaim {
    NewClaim {
        spec: foreign.spec.clone(),
        run_id: foreign.run_id.clone(),
        replaces: known.and_then(|job| job.head.job_id.clone()),
        replaced_end: known.and_then(Job::state).and_then(TryEnd::of),
        job_queue: None,
        takes_over: None,
        resets_budget: foreign.resets_budget,
        on_sheet: false,
        now: foreign.submitted_at,
        expires_at: foreign.submitted_at,
    }
}

#[cfg(test)]
mod tests {
    use batchwright_stores::memory::InMemoryJobStore;

    use super::*;
    use crate::domain::{ClaimOutcome, JobId, JobStatus};
    use crate::ports::{ClaimStore as _, JobQueries as _};

    fn foreign(job_id: &str, status: &str) -> Foreign {
        let told = serde_json::json!({"jobName": "job", "jobId": job_id, "status": status});
        let detail: crate::events::JobDetail = serde_json::from_value(told).unwrap();
        let spec = JobSpec::new(detail.job_name.clone(), "q", "d");
        Foreign::told(spec, detail.state(), Timestamp::from_millis(1_000))
    }

    #[tokio::test]
    async fn one_in_flight_or_being_submitted_is_not_replaced() {
        let store = InMemoryJobStore::default();
        let (first, other) = (foreign("first", "RUNNING"), foreign("other", "RUNNING"));
        let now = Timestamp::from_millis(1_000);
        let claim = claim(&first, None);
        let ClaimOutcome::Granted(nonce) = store.claim(&claim).await.unwrap() else { panic!("not granted") };
        let refused = take_in(&store, &other).await.unwrap().unwrap_err();
        assert!(refused.contains("is being submitted"), "{refused}");
        assert!(store.release(&first.state.job_name, &nonce, None, now).await.unwrap());

        take_in(&store, &first).await.unwrap().unwrap();
        take_in(&store, &first).await.unwrap().unwrap();
        let job = store.job(&first.state.job_name).await.unwrap().unwrap();
        assert_eq!(job.head.job_id, Some(JobId::parse("first").unwrap()));
        assert_eq!((job.head.job_tries.len(), job.status()), (1, Some(JobStatus::Running)));
        let refused = take_in(&store, &other).await.unwrap().unwrap_err();
        assert!(refused.contains("is under way"), "{refused}");
    }

    #[tokio::test]
    async fn a_process_that_dies_leaves_no_claim() {
        let store = InMemoryJobStore::default();
        let first = foreign("first", "RUNNING");
        let now = Timestamp::from_millis(1_000);
        let wanted = claim(&first, None);
        store.take_in(&wanted, &first.state.job_id).await.unwrap();
        let far = now.plus_millis(1_000 * 365 * 86_400_000);
        let claims = crate::ports::WorkLists::expired_claims(&store, far, None).await.unwrap();
        assert!(claims.items.is_empty(), "no claim is left behind");
        // The next call goes on, and the job is followed meanwhile.
        let job = store.job(&first.state.job_name).await.unwrap().unwrap();
        assert_eq!(job.status(), Some(JobStatus::Submitted));
        take_in(&store, &first).await.unwrap().unwrap();
        let job = store.job(&first.state.job_name).await.unwrap().unwrap();
        assert_eq!(job.status(), Some(JobStatus::Running));
    }
}
