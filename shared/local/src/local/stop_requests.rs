//! Jobs stopped by one process while another runs them.
//!
//! Only the process that holds the folder's lock may touch its jobs. Others leave requests in the state's file,
//! which it looks for again and again.

use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use crate::domain::{JobId, Stop};
use crate::ports::{JobEngine, JobStopper, OneByOne, PortError};
use crate::sqlite::{SqliteStore, StopAnswer, StopRequest};

/// Between two looks for requests, and for an answer.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long an answer is waited for. The other process may be in the middle of a long write.
const PATIENCE: Duration = Duration::from_secs(20);

/// Has the process that runs the folder's jobs stop them.
#[derive(Debug)]
pub struct RunningProcess<'a> {
    store: &'a SqliteStore,
}

impl<'a> RunningProcess<'a> {
    /// The process that works on this state.
    pub fn of(store: &'a SqliteStore) -> Self {
        Self { store }
    }

    async fn ask(&self, request: &StopRequest) -> Result<StopAnswer, PortError> {
        let id = self.store.request_stop(request)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = self.store.take_stop_answer(id)? {
                return Ok(answer);
            }
            if Instant::now() >= deadline {
                self.store.withdraw_stop(id)?;
                let why =
                    format!("the process that runs the jobs gave no answer in {} s", PATIENCE.as_secs());
                return Err(PortError::retryable("stop", why));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl JobStopper for RunningProcess<'_> {
    async fn stop_jobs(&self, job_ids: &[JobId], stop: Stop, reason: &str) -> Vec<Result<(), PortError>> {
        let request = StopRequest { job_ids: job_ids.to_vec(), stop, reason: reason.to_owned() };
        match self.ask(&request).await {
            Ok(answer) => answer
                .into_iter()
                .map(|refused| refused.map_or(Ok(()), |why| Err(PortError::permanent(stop.as_str(), why))))
                .collect(),
            Err(error) => job_ids.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}

/// Does what other processes ask for, for ever.
pub(crate) async fn answer_stop_requests<E: JobEngine>(store: &SqliteStore, engine: &E) {
    loop {
        if let Err(error) = answer_open(store, engine).await {
            warn!(%error, "requests of other processes could not be looked at");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn answer_open<E: JobEngine>(store: &SqliteStore, engine: &E) -> Result<(), PortError> {
    for (id, request) in store.open_stop_requests()? {
        let answers = OneByOne(engine).stop_jobs(&request.job_ids, request.stop, &request.reason).await;
        let refusals = answers.into_iter().map(|answer| answer.err().map(|error| error.message));
        store.answer_stop(id, &refusals.collect())?;
    }
    Ok(())
}
