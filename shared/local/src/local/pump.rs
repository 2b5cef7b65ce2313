//! From the engine's events to the state: what the state handler and the log collector do on AWS.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use super::observer::Observer;
use crate::domain::{JobId, JobState};
use crate::ports::{
    CheckpointStore, Clock, JobEngine, JobStore, LogSource, ObjectStore, PortError, RunStore, SubmissionPace,
};
use crate::use_cases::collect_logs::{CollectPolicy, Look, collect_logs};
use crate::use_cases::record_state::{Recorded, Recorder};

/// Waits before a state that could not be recorded is delivered again.
const REDELIVERY: Duration = Duration::from_millis(250);

/// Deliveries of one state, before it is left to the next start's reconciler.
const DELIVERIES: u32 = 40;

/// Agents of this machine deliver before the job's end is told.
const COLLECT: CollectPolicy = CollectPolicy { settle_ms: 0 };

/// Records states and archives logs; keeps what failed for another delivery.
pub(super) struct Pump<'a, S, E, P, C, L, O> {
    pub(super) recorder: Recorder<'a, S, E, P, C>,
    /// Where logs are read, and where they are archived; `None`: nothing writes logs.
    pub(super) logs: Option<(&'a L, &'a O)>,
    pub(super) observer: &'a dyn Observer,
    pub(super) redeliveries: VecDeque<Redelivery>,
}

pub(super) struct Redelivery {
    due: Instant,
    state: JobState,
    deliveries: u32,
}

impl<S, E, P, C, L, O> Pump<'_, S, E, P, C, L, O>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    L: LogSource,
    O: ObjectStore + CheckpointStore,
{
    /// Records one state. What can't be recorded now is delivered again later.
    pub(super) async fn deliver(&mut self, state: JobState) {
        self.handle(state, 1).await;
    }

    /// Waits until a redelivery is due, for ever where there is none.
    pub(super) fn due(&self) -> impl Future<Output = ()> + use<S, E, P, C, L, O> {
        let due = self.redeliveries.front().map(|next| next.due);
        async move {
            match due {
                None => std::future::pending().await,
                Some(due) => tokio::time::sleep_until(due).await,
            }
        }
    }

    /// Makes the redelivery that is due first.
    pub(super) async fn redeliver(&mut self) {
        if let Some(Redelivery { state, deliveries, .. }) = self.redeliveries.pop_front() {
            self.handle(state, deliveries + 1).await;
        }
    }

    async fn handle(&mut self, state: JobState, deliveries: u32) {
        let error = match self.record(&state).await {
            Ok(()) => return,
            Err(error) => error,
        };
        if error.may_pass() && deliveries < DELIVERIES {
            let due = Instant::now() + REDELIVERY;
            self.redeliveries.push_back(Redelivery { due, state, deliveries });
        } else {
            warn!(job.name = %state.job_name, job.id = %state.job_id, %error, "left to the reconciler");
        }
    }

    async fn record(&mut self, state: &JobState) -> Result<(), PortError> {
        let observer = self.observer;
        let mut telling = |state: &JobState, recorded: &Recorded| observer.changed(state, recorded);
        let recorded = self.recorder.record_state_telling(state, &mut telling).await?;
        observer.changed(state, &recorded);
        if state.status.is_terminal() { self.collect(&state.job_id).await } else { Ok(()) }
    }

    /// Archives the logs of one submission or child that has ended.
    pub(super) async fn collect(&self, job_id: &JobId) -> Result<(), PortError> {
        let Some((source, archive)) = self.logs else { return Ok(()) };
        let Recorder { store, clock, .. } = self.recorder;
        collect_logs(store, source, archive, clock, &COLLECT, job_id, Look::WhenDue).await.map(|_| ())
    }
}
