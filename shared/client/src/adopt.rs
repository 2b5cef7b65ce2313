//! Jobs that another program submitted, taken in.

use crate::client::Client;
use crate::domain::{Job, JobId, JobSpec};
use crate::error::ClientError;
use crate::events::JobDetail;
use crate::ports::{Clock, JobEngine, JobQueries, PortError, SystemClock};
use crate::take_in::{Foreign, take_in};

impl Client {
    /// Takes in a job that another program submitted, as the latest submission of its name: from then on it is
    /// followed, found, stopped and not submitted a second time. Idempotent; where the program is killed meanwhile, the job is
    /// taken in or not, and nothing is left that keeps another submission out.
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
        let foreign = Foreign::told(spec_of(&detail), detail.state(), SystemClock.now());
        take_in(self.store(), &foreign).await?.map_err(refused)?;
        self.store().job(&name).await?.ok_or(ClientError::UnknownJob(name))
    }
}

/// What can be told of the spec from a description. It has one try, because a description does not hold all that
/// another submission would need.
fn spec_of(detail: &JobDetail) -> JobSpec {
    JobSpec::new(detail.job_name.clone(), &detail.job_queue, &detail.job_definition).with(|spec| {
        spec.parameters = detail.parameters.clone();
        spec.tags = detail.tags.clone();
        spec.timeout = detail.timeout.clone();
        spec.retry_strategy = detail.retry_strategy.clone();
        spec.share_identifier = detail.share_identifier.clone();
        spec.max_tries = 1;
    })
}
