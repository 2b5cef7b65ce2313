//! What lies between the functions and Batch: throttles, lost answers, errors, and a Batch that is away.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use batchwright::domain::{JobId, JobName, JobQueue, SubmitJobRequest, Timestamp};
use batchwright::events::JobDetail;
use batchwright::ports::{
    Clock, Cursor, JobEngine, JobSummary, Page, PortError, QueueSource, SubmissionPace,
};
use batchwright_tests::crash::clock::DeploymentClock;
use batchwright_tests::crash::network::{Network, Passage};
use batchwright_tests::dice::Dice;

/// Of 1,000 calls of `SubmitJob`: throttled, without effect.
pub(crate) const THROTTLED: u64 = 50;
/// Of 1,000: taken, and the answer is lost.
pub(crate) const ANSWERS_LOST: u64 = 10;
/// Of 1,000: answered by a 500, without effect, which nobody can know.
pub(crate) const ERRORS: u64 = 10;
/// Of 1,000 other calls: throttled or failed.
const READS_FAILED: u64 = 20;

/// What becomes of the calls of `SubmitJob`, by their numbers.
pub(crate) fn passages(seed: u64, calls: usize) -> Vec<(usize, Passage)> {
    let mut dice = Dice::new(seed, 10);
    let mut passages = Vec::new();
    for call in 1..=calls {
        let passage = match dice.below(1_000) {
            drawn if drawn < THROTTLED => Passage::Throttled,
            drawn if drawn < THROTTLED + ANSWERS_LOST => Passage::AnswerLost,
            drawn if drawn < THROTTLED + ANSWERS_LOST + ERRORS => Passage::RequestLost,
            _ => continue,
        };
        passages.push((call, passage));
    }
    passages
}

/// Batch in a storm. Clones reach the same one.
#[derive(Clone)]
pub(crate) struct Storm {
    pub(crate) network: Network,
    clock: DeploymentClock,
    state: Arc<Mutex<State>>,
}

struct State {
    dice: Dice,
    away: Vec<(Timestamp, Timestamp)>,
    calls: Calls,
}

/// What calls met with.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Calls {
    pub(crate) submissions: u64,
    /// Made while Batch was away.
    pub(crate) in_outages: u64,
}

impl Storm {
    pub(crate) fn new(network: Network, clock: DeploymentClock, seed: u64) -> Self {
        let state = State { dice: Dice::new(seed, 11), away: Vec::new(), calls: Calls::default() };
        Self { network, clock, state: Arc::new(Mutex::new(state)) }
    }

    /// From that moment on Batch is away for so many milliseconds.
    pub(crate) fn goes_away(&self, at: Timestamp, for_ms: i64) {
        self.with(|state| state.away.push((at, at.plus_millis(for_ms))));
    }

    pub(crate) fn calls(&self) -> Calls {
        self.with(|state| state.calls)
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The way there takes a while, and Batch may be away: then half of the callers can't know whether it heard them.
    async fn reach(&self, operation: &'static str, failed_permille: u64) -> Result<(), PortError> {
        let now = self.clock.now();
        let (millis, fails, knows) = self.with(|state| {
            let is_away = state.away.iter().any(|(from, until)| *from <= now && now < *until);
            state.calls.in_outages += u64::from(is_away);
            let fails = is_away || state.dice.permille(failed_permille);
            (5 + state.dice.below(45), fails, state.dice.permille(500))
        });
        tokio::time::sleep(Duration::from_millis(millis)).await;
        match (fails, knows) {
            (false, _) => Ok(()),
            (true, false) => Err(PortError::ambiguous(operation, "503 Service Unavailable")),
            (true, true) => Err(PortError::retryable(operation, "503 Service Unavailable")),
        }
    }
}

impl QueueSource for Storm {
    async fn job_queue(&self, name: &str) -> Result<Option<JobQueue>, PortError> {
        self.reach("DescribeJobQueues", READS_FAILED).await?;
        self.network.job_queue(name).await
    }
}

impl JobEngine for Storm {
    async fn submit_job(&self, request: &SubmitJobRequest) -> Result<JobId, PortError> {
        self.with(|state| state.calls.submissions += 1);
        self.reach("SubmitJob", 0).await?;
        self.network.submit_job(request).await
    }

    async fn describe_jobs(&self, job_ids: &[JobId]) -> Result<Vec<JobDetail>, PortError> {
        self.reach("DescribeJobs", READS_FAILED).await?;
        self.network.describe_jobs(job_ids).await
    }

    async fn list_jobs(
        &self,
        job_queue: &str,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        self.reach("ListJobs", READS_FAILED).await?;
        self.network.list_jobs(job_queue, job_name, page).await
    }

    async fn list_jobs_since(
        &self,
        job_queue: &str,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        self.reach("ListJobs", READS_FAILED).await?;
        self.network.list_jobs_since(job_queue, since, page).await
    }

    async fn cancel_job(&self, job_id: &JobId, reason: &str) -> Result<(), PortError> {
        self.reach("CancelJob", READS_FAILED).await?;
        self.network.cancel_job(job_id, reason).await
    }

    async fn terminate_job(&self, job_id: &JobId, reason: &str) -> Result<(), PortError> {
        self.reach("TerminateJob", READS_FAILED).await?;
        self.network.terminate_job(job_id, reason).await
    }
}

impl SubmissionPace for Storm {
    async fn admit(&self) {}
}
