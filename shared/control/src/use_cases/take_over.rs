//! A job whose submitter died before it submitted: submitted under a new claim, which takes the old one's
//! place in one step, so that at no moment nobody has the job in hand.

use super::dependencies::{Resolved, resolve};
use super::submit::{SubmitOutcome, SubmitPolicy, call, cancelled, record_answer};
use crate::domain::plan::Skip;
use crate::domain::{ClaimOutcome, JobHead, JobId, NewClaim, Nonce};
use crate::ports::{
    ClaimStore, Clock, ErrorKind, JobEngine, JobQueries, PortError, RunStore, SubmissionPace,
};

/// Submits the job of an expired claim under which nothing was submitted.
///
/// That it is to be submitted was decided when it was claimed: it is not looked at again. Where it can't
/// be submitted now (`Deferred`), a claim stands and expires, by which the next pass finds it.
pub(super) async fn take_over<S: ClaimStore + JobQueries + RunStore, E: JobEngine>(
    store: &S,
    engine: &E,
    pace: &impl SubmissionPace,
    clock: &impl Clock,
    policy: &SubmitPolicy,
    head: &JobHead,
    expired: &Nonce,
) -> Result<SubmitOutcome, PortError> {
    let name = &head.spec.job_name;
    let earlier = earlier(head);
    if head.spec.seal.is_some() && earlier.is_none() && is_read_again(store, head).await? {
        store.release(name, expired, None, clock.now()).await?;
        return Ok(SubmitOutcome::Skipped(Skip::LeftToItsRun));
    }
    let dependencies = match resolve(store, &head.spec).await? {
        Resolved::Ready(ids) => ids,
        Resolved::Blocked(why) => {
            store.release(name, expired, Some(&why), clock.now()).await?;
            return Ok(SubmitOutcome::Rejected(why));
        }
        Resolved::NotYet(why) => return Ok(SubmitOutcome::Deferred(why)),
    };
    pace.admit().await;
    let now = clock.now();
    let claim = NewClaim {
        spec: head.spec.clone(),
        run_id: head.run_id.clone(),
        replaces: head.job_id.clone(),
        // The head keeps it since the claim that expired.
        replaced_end: None,
        job_queue: head.claim.as_ref().and_then(|claim| claim.job_queue.clone()),
        takes_over: Some(expired.clone()),
        resets_budget: false,
        on_sheet: false,
        now,
        expires_at: now.plus_millis(policy.claim_ms),
    };
    let ClaimOutcome::Granted(nonce) = store.claim(&claim).await? else {
        return Ok(SubmitOutcome::Skipped(Skip::Claimed));
    };
    if cancelled(store, clock, &head.run_id, name, &nonce).await? {
        return Ok(SubmitOutcome::Skipped(Skip::RunCancelled));
    }
    let spec = head.spec.clone().with(|spec| spec.job_queue = head.claimed_queue().to_owned());
    match call(engine, pace, clock, policy, (&spec, earlier), &dependencies, (&nonce, now)).await {
        Err(error)
            if error.is_of_caller()
                || matches!(error.kind, ErrorKind::Throttled { .. } | ErrorKind::Retryable) =>
        {
            Ok(SubmitOutcome::Deferred(error.to_string()))
        }
        answer => record_answer(store, engine, clock, name, &nonce, answer).await,
    }
}

/// The submission that the claim was to repeat. Before the first since a person asked there is none: an older one may have
/// had another environment.
fn earlier(head: &JobHead) -> Option<&JobId> {
    let repeated = head.job_id.as_ref().filter(|_| head.tries_used() > 0);
    repeated.or(head.spec.child_of.as_ref().map(|child| &child.job_id))
}

/// Whether the job's run reads the job's line again, and submits it: it keeps the line open.
async fn is_read_again<S: RunStore>(store: &S, head: &JobHead) -> Result<bool, PortError> {
    Ok(store.run(&head.run_id).await?.is_some_and(|run| run.is_read_again()))
}
