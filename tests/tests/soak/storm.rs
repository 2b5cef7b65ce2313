//! What lies between the functions and Batch: throttles, lost answers, errors, and a Batch that is away.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use batchwright::domain::{JobId, JobName, JobQueue, SubmitJobRequest, Timestamp};
use batchwright::events::JobDetail;
use batchwright::ports::{Cursor, JobEngine, JobSummary, Page, PortError, QueueSource, SubmissionPace};
use batchwright_tests::crash::network::{Network, Passage};
use batchwright_tests::dice::Dice;
use batchwright_tests::fault_proxy::Fault;
use tokio::runtime::Handle;

use crate::wire::Wire;

/// Of 1,000 calls of `SubmitJob`: throttled, without effect.
pub(crate) const THROTTLED: u64 = 50;
/// Of 1,000: taken, and the answer is lost.
pub(crate) const ANSWERS_LOST: u64 = 10;
/// Of 1,000: answered by a 500, with or without effect, which nobody can know.
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
    /// Where it is reached over HTTP.
    wire: Option<Arc<Wire>>,
    state: Arc<Mutex<State>>,
}

struct State {
    dice: Dice,
    is_away: bool,
    calls: Calls,
}

/// What calls met with.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Calls {
    pub(crate) submissions: u64,
    /// Made while Batch was away.
    pub(crate) in_outages: u64,
    /// Requests that were answered by 429, by 500 or 503, and that were not answered or by half: on the wire alone.
    pub(crate) on_the_wire: [u64; 3],
}

impl Storm {
    pub(crate) fn new(network: Network, seed: u64) -> Self {
        let state = State { dice: Dice::new(seed, 11), is_away: false, calls: Calls::default() };
        Self { network, wire: None, state: Arc::new(Mutex::new(state)) }
    }

    /// The same over HTTP, served by a runtime whose clock goes.
    pub(crate) async fn over_http(mut self, runtime: &Handle, folder: &Path) -> anyhow::Result<Self> {
        let (engine, state) = (self.network.engine().clone(), Arc::clone(&self.state));
        let fate = move |line: &str| locked(&state).fate(line.contains("/v1/submitjob"));
        self.wire = Some(Arc::new(Wire::start(runtime, engine, folder, fate).await?));
        Ok(self)
    }

    /// After a while Batch is away for so long.
    pub(crate) fn goes_away(&self, after: Duration, for_long: Duration) {
        let state = Arc::clone(&self.state);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            locked(&state).is_away = true;
            tokio::time::sleep(for_long).await;
            locked(&state).is_away = false;
        });
    }

    pub(crate) fn calls(&self) -> Calls {
        locked(&self.state).calls
    }

    /// The way there takes a while, and Batch may be away: then half of the callers can't know whether it heard them. Over
    /// HTTP it is the wire that fails.
    async fn reach(&self, operation: &'static str, failed_permille: u64) -> Result<(), PortError> {
        let (millis, fails, knows) = {
            let mut state = locked(&self.state);
            let millis = 5 + state.dice.below(45);
            if self.wire.is_some() {
                (millis, false, false)
            } else {
                state.calls.in_outages += u64::from(state.is_away);
                let fails = state.is_away || state.dice.permille(failed_permille);
                (millis, fails, state.dice.permille(500))
            }
        };
        tokio::time::sleep(Duration::from_millis(millis)).await;
        match (fails, knows) {
            (false, _) => Ok(()),
            (true, false) => Err(PortError::ambiguous(operation, "503 Service Unavailable")),
            (true, true) => Err(PortError::retryable(operation, "503 Service Unavailable")),
        }
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// What becomes of a request on the wire.
    fn fate(&mut self, is_submission: bool) -> Fault {
        self.calls.in_outages += u64::from(self.is_away);
        let either = self.dice.permille(500);
        let (throttled, lost, errors) = match (self.is_away, is_submission) {
            (true, _) => (0, 0, 1_000),
            (false, true) => (THROTTLED, ANSWERS_LOST, ERRORS),
            (false, false) => (READS_FAILED / 2, 0, READS_FAILED / 2),
        };
        let drawn = self.dice.below(1_000);
        let (kind, fault) = match (drawn, self.is_away, either) {
            (drawn, ..) if drawn < throttled => (0, Fault::ThrottleBeforeEffect),
            (drawn, _, true) if drawn < throttled + lost => (2, Fault::CloseAfterEffect),
            (drawn, ..) if drawn < throttled + lost => (2, Fault::CutAnswer),
            (drawn, ..) if drawn >= throttled + lost + errors => return Fault::None,
            (_, true, true) => (2, Fault::CloseBeforeEffect),
            (_, false, true) => (1, Fault::ErrorAfterEffect),
            (_, _, false) => (1, Fault::UnavailableBeforeEffect),
        };
        self.calls.on_the_wire[kind] += 1;
        fault
    }
}

/// By HTTP where it is reached by that.
macro_rules! sent {
    ($storm:ident, $operation:literal, $method:ident($($argument:ident),*)) => {{
        $storm.reach($operation, READS_FAILED).await?;
        match &$storm.wire {
            Some(wire) => wire.engine.$method($($argument),*).await,
            None => $storm.network.$method($($argument),*).await,
        }
    }};
}

impl QueueSource for Storm {
    async fn job_queue(&self, name: &str) -> Result<Option<JobQueue>, PortError> {
        sent!(self, "DescribeJobQueues", job_queue(name))
    }
}

impl JobEngine for Storm {
    async fn submit_job(&self, request: &SubmitJobRequest) -> Result<JobId, PortError> {
        locked(&self.state).calls.submissions += 1;
        self.reach("SubmitJob", 0).await?;
        let Some(wire) = &self.wire else { return self.network.submit_job(request).await };
        let answer = wire.engine.submit_job(request).await;
        // Whatever the answer says, it may have taken effect.
        self.network.witness(&request.spec().job_name).await?;
        answer
    }

    async fn describe_jobs(&self, job_ids: &[JobId]) -> Result<Vec<JobDetail>, PortError> {
        sent!(self, "DescribeJobs", describe_jobs(job_ids))
    }

    async fn list_jobs(
        &self,
        job_queue: &str,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        sent!(self, "ListJobs", list_jobs(job_queue, job_name, page))
    }

    async fn list_jobs_since(
        &self,
        job_queue: &str,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        sent!(self, "ListJobs", list_jobs_since(job_queue, since, page))
    }

    async fn cancel_job(&self, job_id: &JobId, reason: &str) -> Result<(), PortError> {
        sent!(self, "CancelJob", cancel_job(job_id, reason))
    }

    async fn terminate_job(&self, job_id: &JobId, reason: &str) -> Result<(), PortError> {
        sent!(self, "TerminateJob", terminate_job(job_id, reason))
    }
}

impl SubmissionPace for Storm {
    async fn admit(&self) {}
}
