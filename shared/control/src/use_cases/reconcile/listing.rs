//! What Batch lists of jobs whose claims have expired.
//!
//! An outage of Batch may leave a hundred thousand claims, and at five calls a second a listing by name for each of
//! them takes hours. So the jobs of a queue with many claims are listed once, by the time of their creation.

use std::collections::{BTreeMap, BTreeSet};

use tracing::info;

use super::Pass;
use crate::domain::{JobHead, JobName, Timestamp};
use crate::ports::{
    Clock, Cursor, EventBus, JobEngine, JobStore, JobSummary, PortError, RunStore, SubmissionPace,
};

/// How far Batch's clock and ours may be apart, in milliseconds.
const CLOCK_SKEW_MS: i64 = 3_600_000;

/// An expired claim, without the rest of its job's head: a pass holds many.
#[derive(Debug)]
pub(super) struct Expired {
    pub(super) job_name: JobName,
    job_queue: String,
    oldest: Timestamp,
}

impl Expired {
    pub(super) fn of(head: &JobHead) -> Self {
        let job_queue = head.claimed_queue().to_owned();
        Self { job_name: head.spec.job_name.clone(), job_queue, oldest: oldest_submission(head) }
    }
}

/// The moment, by Batch's clock, before which no job can have been submitted under the head's claim: a head that is
/// claimed changed last when it was.
pub(super) fn oldest_submission(head: &JobHead) -> Timestamp {
    head.updated_at.plus_millis(-CLOCK_SKEW_MS)
}

/// What was listed of whole queues.
#[derive(Debug, Default)]
pub(super) struct Listing {
    jobs: BTreeMap<JobName, Vec<JobSummary>>,
    /// Jobs whose queues could not be listed, and why.
    failed: BTreeMap<JobName, PortError>,
}

impl<S, E, P, C, B> Pass<'_, S, E, P, C, B>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    B: EventBus,
{
    /// Lists the queues into which many of the claims go.
    pub(super) async fn list_queues(&self, expired: &[Expired]) -> Listing {
        let mut by_queue: BTreeMap<&str, Vec<&Expired>> = BTreeMap::new();
        for claim in expired {
            by_queue.entry(&claim.job_queue).or_default().push(claim);
        }
        let mut listing = Listing::default();
        for (job_queue, claims) in by_queue {
            if claims.len() < self.policy.listed_from {
                continue;
            }
            match self.list_queue(job_queue, &claims).await {
                Ok(Some(jobs)) => listing.jobs.extend(jobs),
                Ok(None) => info!(queue = job_queue, "it has more jobs than claims: each is listed by name"),
                Err(error) => {
                    let names = claims.iter().map(|claim| claim.job_name.clone());
                    listing.failed.extend(names.map(|name| (name, error.clone())));
                }
            }
        }
        listing
    }

    /// The jobs of a queue that have the names of claims. `None` where a listing of the queue takes more calls
    /// than one for each claim.
    async fn list_queue(
        &self,
        job_queue: &str,
        claims: &[&Expired],
    ) -> Result<Option<BTreeMap<JobName, Vec<JobSummary>>>, PortError> {
        let mut jobs: BTreeMap<JobName, Vec<JobSummary>> =
            claims.iter().map(|claim| (claim.job_name.clone(), Vec::new())).collect();
        let Some(since) = claims.iter().map(|claim| claim.oldest).min() else { return Ok(Some(jobs)) };
        let mut cursor: Option<Cursor> = None;
        for _ in 0..claims.len() {
            let page = self.recorder.engine.list_jobs_since(job_queue, since, cursor.as_ref()).await?;
            for summary in page.items {
                if let Some(found) = jobs.get_mut(&summary.job_name) {
                    found.push(summary);
                }
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(Some(jobs)),
            }
        }
        Ok(None)
    }

    /// What Batch has under the job's name, where the claim's submission goes, and the head does not name.
    pub(super) async fn listed(
        &self,
        head: &JobHead,
        listing: &mut Listing,
    ) -> Result<Vec<JobSummary>, PortError> {
        let job_name = &head.spec.job_name;
        if let Some(error) = listing.failed.remove(job_name) {
            return Err(error);
        }
        let mut found = match listing.jobs.remove(job_name) {
            Some(found) => found,
            None => self.listed_by_name(head).await?,
        };
        let named: BTreeSet<_> = head.job_tries.iter().collect();
        found.retain(|summary| !named.contains(&summary.job_id));
        Ok(found)
    }

    async fn listed_by_name(&self, head: &JobHead) -> Result<Vec<JobSummary>, PortError> {
        let engine = self.recorder.engine;
        let mut found = Vec::new();
        let mut cursor: Option<Cursor> = None;
        loop {
            let page = engine.list_jobs(head.claimed_queue(), &head.spec.job_name, cursor.as_ref()).await?;
            found.extend(page.items);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(found),
            }
        }
    }
}
