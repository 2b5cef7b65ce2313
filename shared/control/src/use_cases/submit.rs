//! One job, submitted once: claim, `SubmitJob`, record.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tracing::{info, warn};

pub use super::claim_sheets::ClaimSheet;
use super::dependencies::{Resolved, resolve};
use crate::domain::backoff::backoff;
use crate::domain::plan::{Plan, Skip, plan, plan_child, plan_retry};
use crate::domain::{
    ClaimOutcome, Job, JobId, JobName, JobSpec, NewClaim, NewSubmission, Nonce, RecordOutcome, RunId,
    SubmitJobRequest, Timestamp, TryEnd, retry,
};
use crate::ports::{
    ClaimStore, Clock, ErrorKind, JobEngine, JobQueries, PortError, RunStore, SubmissionPace,
};

/// How a claim is used.
#[derive(Debug, Clone, Copy)]
pub struct SubmitPolicy {
    /// How long a claim gives the right to submit, in milliseconds.
    pub claim_ms: i64,
    /// No `SubmitJob` is started in the last part of a claim, in milliseconds: longer than the call
    /// may take, so that it has ended when the claim has.
    pub claim_margin_ms: i64,
    /// Calls of `SubmitJob` that did not take effect, before the claim is given up.
    pub attempts: u32,
}

impl Default for SubmitPolicy {
    fn default() -> Self {
        Self { claim_ms: 300_000, claim_margin_ms: 90_000, attempts: 8 }
    }
}

/// Who wants a job submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked<'a> {
    /// A person, with a job file. `rerun`: also where it SUCCEEDED.
    ByPerson {
        /// Run again what SUCCEEDED.
        rerun: bool,
    },
    /// batchwright itself, because a submission ended in a way that deserves another.
    ByRetry {
        /// The submission that ended.
        ended: &'a JobId,
    },
    /// batchwright itself, because a child of an array lost its host: once for each of the array's
    /// submissions.
    ByArray,
}

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// It was submitted.
    Submitted(JobId),
    /// It was left alone.
    Skipped(Skip),
    /// It can't be submitted as it is.
    Rejected(String),
    /// Not now: a job it depends on is being submitted by another, or Batch is too busy.
    Deferred(String),
    /// Batch may have taken it or not. The claim stands until the reconciler has found out.
    Unknown(String),
    /// It was submitted too late: its claim had been taken for dead, and another submission may stand.
    /// This one was terminated.
    Surplus(JobId),
}

/// Submits a job unless it SUCCEEDED, is in flight, or is claimed by another.
///
/// Idempotent: any number of callers, at once or one after another, make one submission. Errs where
/// the store can't be reached; a claim that stands then is settled by the reconciler. Errs, too, where Batch refuses the
/// caller and not the job ([`PortError::is_of_caller`]); then no claim stands.
pub async fn submit<S: ClaimStore + JobQueries + RunStore, E: JobEngine>(
    store: &S,
    engine: &E,
    pace: &impl SubmissionPace,
    clock: &impl Clock,
    policy: &SubmitPolicy,
    order: &Order<'_>,
) -> Result<SubmitOutcome, PortError> {
    const RACES: u32 = 5;
    for _ in 0..RACES {
        let known = store.job(&order.spec.job_name).await?;
        let planned = match order.asked {
            Asked::ByPerson { rerun } => plan(order.spec, known.as_ref(), rerun, Some(order.run_id)),
            Asked::ByRetry { ended } => plan_retry(known.as_ref(), ended),
            Asked::ByArray => plan_child(order.spec, known.as_ref()),
        };
        let replaces = match planned {
            Plan::Skip(skip) => return Ok(SubmitOutcome::Skipped(skip)),
            Plan::Submit { replaces } => replaces,
        };
        let dependencies = match resolve(store, order.spec).await? {
            Resolved::Ready(ids) => ids,
            Resolved::Blocked(why) => return Ok(SubmitOutcome::Rejected(why)),
            Resolved::NotYet(why) => return Ok(SubmitOutcome::Deferred(why)),
        };
        pace.admit().await;
        let now = clock.now();
        let expires_at = now.plus_millis(policy.claim_ms);
        let on_sheet = match order.sheet {
            Some(sheet) => sheet.takes(store, now, policy.claim_ms).await,
            None => false,
        };
        let job_queue = order.queue(known.as_ref());
        let claim = NewClaim {
            spec: order.spec.clone(),
            run_id: order.run_id.clone(),
            replaces,
            replaced_end: known.as_ref().and_then(Job::state).and_then(TryEnd::of),
            job_queue: job_queue.clone(),
            takes_over: None,
            resets_budget: !order.is_retry(),
            on_sheet,
            now,
            expires_at,
        };
        match store.claim(&claim).await? {
            ClaimOutcome::Held => return Ok(SubmitOutcome::Skipped(Skip::Claimed)),
            ClaimOutcome::Replaced => continue,
            ClaimOutcome::Granted(nonce) => {
                if cancelled(store, clock, order.run_id, &order.spec.job_name, &nonce).await? {
                    return Ok(SubmitOutcome::Skipped(Skip::RunCancelled));
                }
                let mut spec = order.spec.clone();
                spec.job_queue = job_queue.unwrap_or(spec.job_queue);
                let what = (&spec, order.earlier());
                let answer = call(engine, pace, clock, policy, what, &dependencies, (&nonce, now)).await;
                return record_answer(store, engine, clock, &order.spec.job_name, &nonce, answer).await;
            }
        }
    }
    Ok(SubmitOutcome::Deferred(format!("its latest submission changed {RACES} times while it was looked at")))
}

/// A job to submit, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// What to submit.
    pub spec: &'a JobSpec,
    /// The run it belongs to.
    pub run_id: &'a RunId,
    /// Who wants it.
    pub asked: Asked<'a>,
    /// Names it with others that are about to be claimed.
    pub sheet: Option<&'a ClaimSheet>,
}

impl Order<'_> {
    const fn is_retry(&self) -> bool {
        matches!(self.asked, Asked::ByRetry { .. })
    }

    /// The submission that this one repeats. A person asks for what the job file says now.
    fn earlier(&self) -> Option<&JobId> {
        match self.asked {
            Asked::ByPerson { .. } => None,
            Asked::ByRetry { ended } => Some(ended),
            Asked::ByArray => self.spec.child_of.as_ref().map(|child| &child.job_id),
        }
    }

    /// Where the submission goes, where that is not the spec's own queue: a person always gets that.
    fn queue(&self, known: Option<&Job>) -> Option<String> {
        known.filter(|_| self.is_retry()).and_then(retry::fallback).map(str::to_owned)
    }
}

/// Whether somebody has cancelled the run; then the claim that was just made for it is given up.
///
/// It is looked at after the claim, not before: whoever cancels a run looks at the claims of its jobs after
/// its state is written, so that either the claim is seen there or the state is seen here.
pub(super) async fn cancelled<S: ClaimStore + RunStore>(
    store: &S,
    clock: &impl Clock,
    run_id: &RunId,
    job_name: &JobName,
    nonce: &Nonce,
) -> Result<bool, PortError> {
    let is_cancelled = store.run(run_id).await?.is_some_and(|run| run.state.is_cancelled());
    if is_cancelled {
        let why = Skip::RunCancelled.to_string();
        store.release(job_name, nonce, Some(&why), clock.now()).await?;
    }
    Ok(is_cancelled)
}

/// The job as Batch is told it: of a sealed one that comes from a store, with what Batch knows of an earlier submission.
///
/// Errs for good where Batch no longer knows that, or there was none: then only the job's file can tell.
async fn opened<'a, E: JobEngine>(
    engine: &E,
    spec: &'a JobSpec,
    earlier: Option<&JobId>,
) -> Result<Cow<'a, JobSpec>, PortError> {
    if spec.seal.is_none() {
        return Ok(Cow::Borrowed(spec));
    }
    let refused = |why: &str| {
        let why = format!("its environment is sealed, and {why}; run its job file again");
        PortError::permanent("SubmitJob", why)
    };
    let Some(earlier) = earlier else {
        return Err(refused("nothing of it was submitted from which it could be taken"));
    };
    let described = engine.describe_jobs(std::slice::from_ref(earlier)).await?;
    let earlier =
        described.first().ok_or_else(|| refused("AWS Batch no longer knows its earlier submission"))?;
    let environment = earlier.container.as_ref().map(|container| container.environment.as_slice());
    Ok(Cow::Owned(spec.opened(&earlier.parameters, environment.unwrap_or_default())))
}

/// Calls `SubmitJob` until it takes effect, is refused, or nobody knows. Only a call that did not take
/// effect is repeated, and none is started near the end of the claim, which was made at `claimed_at`: nor
/// the first, because the claim itself may have been long in coming. `earlier`: the submission that is repeated.
pub(super) async fn call<E: JobEngine>(
    engine: &E,
    pace: &impl SubmissionPace,
    clock: &impl Clock,
    policy: &SubmitPolicy,
    (spec, earlier): (&JobSpec, Option<&JobId>),
    dependencies: &BTreeMap<JobName, Option<JobId>>,
    (nonce, claimed_at): (&Nonce, Timestamp),
) -> Result<JobId, PortError> {
    let spec = opened(engine, spec, earlier).await?;
    let request = SubmitJobRequest::new(&spec, nonce, |name| dependencies.get(name).cloned().flatten());
    let last_start = claimed_at.plus_millis(policy.claim_ms - policy.claim_margin_ms);
    if clock.now() > last_start {
        return Err(PortError::retryable("SubmitJob", "it was not called: too little is left of the claim"));
    }
    let mut attempt = 0;
    loop {
        let error = match engine.submit_job(&request).await {
            Ok(job_id) => return Ok(job_id),
            Err(error) => error,
        };
        if matches!(error.kind, ErrorKind::Throttled { .. }) {
            pace.throttled();
        }
        let wait = match error.kind {
            ErrorKind::Permanent | ErrorKind::Ambiguous => return Err(error),
            ErrorKind::Throttled { retry_after: Some(hint) } => hint.max(backoff(attempt, nonce.as_str())),
            ErrorKind::Throttled { retry_after: None } | ErrorKind::Retryable => {
                backoff(attempt, nonce.as_str())
            }
        };
        attempt += 1;
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        if attempt >= policy.attempts || clock.now().plus_millis(wait_ms) > last_start {
            return Err(error);
        }
        tokio::time::sleep(wait).await;
    }
}

/// Writes down what `SubmitJob` answered.
pub(super) async fn record_answer<S: ClaimStore, E: JobEngine>(
    store: &S,
    engine: &E,
    clock: &impl Clock,
    job_name: &JobName,
    nonce: &Nonce,
    answer: Result<JobId, PortError>,
) -> Result<SubmitOutcome, PortError> {
    let error = match answer {
        Ok(job_id) => return record(store, engine, clock, job_name, nonce, job_id).await,
        Err(error) => error,
    };
    match error.kind {
        ErrorKind::Ambiguous => {
            warn!(job.name = %job_name, nonce = %nonce, %error, "nobody knows whether the job was submitted");
            Ok(SubmitOutcome::Unknown(format!("{error}; the reconciler finds out")))
        }
        ErrorKind::Permanent if !error.is_of_caller() => {
            let refusal = error.to_string();
            store.release(job_name, nonce, Some(&refusal), clock.now()).await?;
            Ok(SubmitOutcome::Rejected(refusal))
        }
        // Nothing is known against the job: whoever asks again later, or when the caller may submit, submits it.
        ErrorKind::Permanent | ErrorKind::Throttled { .. } | ErrorKind::Retryable => {
            store.release(job_name, nonce, None, clock.now()).await?;
            if error.is_of_caller() { Err(error) } else { Ok(SubmitOutcome::Deferred(error.to_string())) }
        }
    }
}

async fn record<S: ClaimStore, E: JobEngine>(
    store: &S,
    engine: &E,
    clock: &impl Clock,
    job_name: &JobName,
    nonce: &Nonce,
    job_id: JobId,
) -> Result<SubmitOutcome, PortError> {
    let submission = NewSubmission {
        job_name: job_name.clone(),
        nonce: nonce.clone(),
        job_id: job_id.clone(),
        now: clock.now(),
    };
    match store.record_submission(&submission).await? {
        RecordOutcome::Recorded | RecordOutcome::Known => {
            info!(job.name = %job_name, job.id = %job_id, "submitted");
            Ok(SubmitOutcome::Submitted(job_id))
        }
        RecordOutcome::Surplus | RecordOutcome::Unknown => {
            end_surplus(engine, job_name, &job_id).await?;
            Ok(SubmitOutcome::Surplus(job_id))
        }
    }
}

/// Ends a submission that is not the job's: its claim was taken for dead before it was recorded.
pub(super) async fn end_surplus<E: JobEngine>(
    engine: &E,
    job_name: &JobName,
    job_id: &JobId,
) -> Result<(), PortError> {
    warn!(job.name = %job_name, job.id = %job_id, metric.surplus_submissions = 1, "terminating a surplus submission");
    engine.terminate_job(job_id, "surplus submission: another one of this job stands").await
}
