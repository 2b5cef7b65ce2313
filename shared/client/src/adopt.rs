//! Jobs that another program submitted, taken in.

use crate::client::Client;
use crate::domain::{
    ClaimOutcome, Job, JobId, JobSpec, NewClaim, NewSubmission, RecordOutcome, RunId, Timestamp, TryEnd,
};
use crate::error::ClientError;
use crate::events::JobDetail;
use crate::ports::{ClaimStore, Clock, JobEngine, JobQueries, PortError, StateStore, SystemClock};

/// How long the claim stands under which a job is taken in, in milliseconds. It is a claim in name only: nothing is
/// submitted under it.
const CLAIM_MS: i64 = 60_000;

impl Client {
    /// Takes in a job that another program submitted, as the latest submission of its name: from then on it is
    /// followed, found, stopped and not submitted a second time. Idempotent.
    ///
    /// Errs where AWS Batch does not know the id, where it is an array's child or a node, and where a submission of
    /// that name is under way.
    pub async fn adopt(&self, job_id: &JobId) -> Result<Job, ClientError> {
        let refused =
            |why: String| ClientError::from(PortError::permanent("adopt", format!("{job_id}: {why}")));
        if job_id.parent().is_some() {
            return Err(refused("it is part of another job; adopt that one".to_owned()));
        }
        let described = self.shared().engine.describe_jobs(std::slice::from_ref(job_id)).await?;
        let Some(detail) = described.into_iter().find(|detail| detail.job_id == *job_id) else {
            return Err(refused(
                "AWS Batch does not know it; ended jobs are forgotten after some days".to_owned(),
            ));
        };
        let name = detail.job_name.clone();
        let now = SystemClock.now();
        if self.store().submission(job_id).await?.is_none() {
            let known = self.store().job(&name).await?;
            if known.as_ref().and_then(Job::status).is_some_and(|status| !status.is_terminal()) {
                return Err(refused(format!("another submission of {name} is under way; wait for it")));
            }
            let claim = claim(&detail, known.as_ref(), now);
            let ClaimOutcome::Granted(nonce) = self.store().claim(&claim).await? else {
                return Err(refused(format!("{name} is being submitted; try again when it has a job id")));
            };
            let submission = NewSubmission { job_name: name.clone(), nonce, job_id: job_id.clone(), now };
            match self.store().record_submission(&submission).await? {
                RecordOutcome::Recorded | RecordOutcome::Known => {}
                RecordOutcome::Surplus | RecordOutcome::Unknown => {
                    return Err(refused(format!("{name} was submitted meanwhile")));
                }
            }
        }
        self.store().apply_state(&detail.state(), now).await?;
        self.store().job(&name).await?.ok_or(ClientError::UnknownJob(name))
    }
}

fn claim(detail: &JobDetail, known: Option<&Job>, now: Timestamp) -> NewClaim {
    NewClaim {
        spec: spec_of(detail),
        run_id: RunId::derive("adopted", detail.job_id.as_str(), ""),
        replaces: known.and_then(|job| job.head.job_id.clone()),
        replaced_end: known.and_then(Job::state).and_then(TryEnd::of),
        job_queue: None,
        takes_over: None,
        resets_budget: true,
        now,
        expires_at: now.plus_millis(CLAIM_MS),
    }
}

/// What can be told of the spec from a description. It has one try, because a description does not hold all that
/// another submission would need.
fn spec_of(detail: &JobDetail) -> JobSpec {
    JobSpec {
        parameters: detail.parameters.clone(),
        tags: detail.tags.clone(),
        timeout: detail.timeout.clone(),
        retry_strategy: detail.retry_strategy.clone(),
        share_identifier: detail.share_identifier.clone(),
        max_tries: 1,
        ..JobSpec::new(detail.job_name.clone(), &detail.job_queue, &detail.job_definition)
    }
}
