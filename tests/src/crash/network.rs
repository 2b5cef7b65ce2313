//! What lies between a function and Batch: answers that are lost, and calls that take effect late. Beside
//! it stands the ledger, which looks into Batch's own books at every submission.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use batchwright::domain::{JobId, JobName, JobQueue, SubmitJobRequest};
use batchwright::engine::LocalEngine;
use batchwright::events::JobDetail;
use batchwright::ports::{JobEngine, PortError, QueueSource, SubmissionPace};

/// What becomes of one `SubmitJob`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// Batch was too busy: no effect.
    Throttled,
    /// The request was lost, which its sender can't know.
    RequestLost,
    /// It took effect, and its answer was lost.
    AnswerLost,
    /// It took effect at once; its answer comes so late.
    AnswerAfter(Duration),
    /// It takes effect so late, and is answered then.
    EffectAfter(Duration),
    /// Its sender gives it up at once; it takes effect so late.
    EffectAfterGivenUp(Duration),
}

/// Batch, as it is reached over a network. Clones reach the same one.
#[derive(Clone)]
pub struct Network {
    engine: LocalEngine,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By the number of the call of `SubmitJob`, from 1.
    passages: BTreeMap<usize, Passage>,
    calls: usize,
    /// The most submissions of one job that were in flight at once.
    most_in_flight: usize,
    submissions: BTreeMap<JobName, usize>,
}

impl Network {
    /// Reaches an engine; the calls of `SubmitJob` fare as they are told to.
    pub fn new(engine: LocalEngine, passages: &[(usize, Passage)]) -> Self {
        let state = State { passages: passages.iter().copied().collect(), ..State::default() };
        Self { engine, state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine itself.
    pub fn engine(&self) -> &LocalEngine {
        &self.engine
    }

    /// The most submissions of one job that were ever in flight at once.
    pub fn most_in_flight(&self) -> usize {
        self.state().most_in_flight
    }

    /// Every submission of a job by Batch's books, in no promised order.
    pub async fn books(&self, job: &JobName) -> Result<Vec<JobDetail>, PortError> {
        let mut details = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.engine.list_jobs("queue", job, cursor.as_ref()).await?;
            let ids: Vec<JobId> = page.items.into_iter().map(|summary| summary.job_id).collect();
            details.extend(self.engine.describe_jobs(&ids).await?);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(details),
            }
        }
    }

    /// Submits, and counts what is in flight of that job by Batch's books.
    async fn effect(&self, request: &SubmitJobRequest) -> Result<JobId, PortError> {
        let job_id = self.engine.submit_job(request).await?;
        self.witness(&request.spec().job_name).await?;
        Ok(job_id)
    }

    /// Counts what is in flight of a job that somebody has submitted now, by Batch's books.
    pub async fn witness(&self, name: &JobName) -> Result<(), PortError> {
        let first = {
            let mut state = self.state();
            let count = state.submissions.entry(name.clone()).or_default();
            *count += 1;
            *count == 1
        };
        let in_flight = if first {
            1
        } else {
            self.books(name).await?.iter().filter(|detail| !detail.status.is_terminal()).count()
        };
        let mut state = self.state();
        state.most_in_flight = state.most_in_flight.max(in_flight);
        Ok(())
    }

    fn passage(&self) -> Option<Passage> {
        let mut state = self.state();
        state.calls += 1;
        state.passages.get(&state.calls).copied()
    }
}

fn lost() -> PortError {
    PortError::ambiguous("SubmitJob", "the connection was reset")
}

impl JobEngine for Network {
    async fn submit_job(&self, request: &SubmitJobRequest) -> Result<JobId, PortError> {
        match self.passage() {
            None => self.effect(request).await,
            Some(Passage::Throttled) => Err(PortError::throttled("SubmitJob", None)),
            Some(Passage::RequestLost) => Err(lost()),
            Some(Passage::AnswerLost) => {
                self.effect(request).await?;
                Err(lost())
            }
            Some(Passage::AnswerAfter(wait)) => {
                let answer = self.effect(request).await;
                tokio::time::sleep(wait).await;
                answer
            }
            Some(Passage::EffectAfter(wait)) => {
                tokio::time::sleep(wait).await;
                self.effect(request).await
            }
            Some(Passage::EffectAfterGivenUp(wait)) => {
                let (network, request) = (self.clone(), request.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(wait).await;
                    // Nobody waits for the answer.
                    let _ = network.effect(&request).await;
                });
                Err(lost())
            }
        }
    }

    crate::hand_on! { engine: describe_jobs, list_jobs, list_jobs_since, cancel_job, terminate_job }
}

impl QueueSource for Network {
    async fn job_queue(&self, name: &str) -> Result<Option<JobQueue>, PortError> {
        self.engine.job_queue(name).await
    }
}

impl SubmissionPace for Network {
    async fn admit(&self) {}
}
