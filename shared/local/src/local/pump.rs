//! From the engine's events to the state: what the state handler and the log collector do on AWS.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;
use tracing::warn;

use super::observer::Observer;
use crate::domain::{JobId, JobName, JobState, JobStatus};
use crate::ports::{
    CheckpointStore, Clock, JobEngine, JobStore, LogSource, ObjectStore, PortError, RunStore, SubmissionPace,
};
use crate::use_cases::collect_logs::{CollectPolicy, Look, collect_logs};
use crate::use_cases::record_state::{Recorded, Recorder};

/// Waits before a state that could not be recorded is delivered again.
const REDELIVERY: Duration = Duration::from_millis(250);

/// Deliveries of one state, before it is left to the next start's reconciler.
const DELIVERIES: u32 = 40;

/// Jobs whose states are recorded at once: what they write is one transaction.
const AT_ONCE: usize = 64;

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
    /// It is recorded, and its logs are not archived yet.
    recorded: bool,
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
    /// Records states: those of one job in their order, those of several jobs at once. What can't be recorded now is
    /// delivered again later.
    pub(super) async fn deliver(&mut self, states: impl IntoIterator<Item = JobState>) {
        let mut of_jobs: BTreeMap<JobName, Vec<JobState>> = BTreeMap::new();
        for state in states {
            of_jobs.entry(state.job_name.clone()).or_default().push(state);
        }
        let failed = stream::iter(of_jobs.into_values())
            .map(|states| self.deliver_in_order(states))
            .buffer_unordered(AT_ONCE)
            .concat()
            .await;
        self.redeliveries.extend(failed);
    }

    async fn deliver_in_order(&self, states: Vec<JobState>) -> Vec<Redelivery> {
        let mut failed = Vec::new();
        for state in states {
            failed.extend(self.handle(state, false, 1).await);
        }
        failed
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
        if let Some(Redelivery { state, recorded, deliveries, .. }) = self.redeliveries.pop_front() {
            let failed = self.handle(state, recorded, deliveries + 1).await;
            self.redeliveries.extend(failed);
        }
    }

    /// Takes a state in; returns it where that is to be tried again.
    async fn handle(&self, state: JobState, mut recorded: bool, deliveries: u32) -> Option<Redelivery> {
        let error = self.take_in(&state, &mut recorded).await.err()?;
        if error.may_pass() && deliveries < DELIVERIES {
            let due = Instant::now() + REDELIVERY;
            return Some(Redelivery { due, state, recorded, deliveries });
        }
        warn!(job.name = %state.job_name, job.id = %state.job_id, %error, "left to the reconciler");
        None
    }

    async fn take_in(&self, state: &JobState, is_recorded: &mut bool) -> Result<(), PortError> {
        if !*is_recorded {
            let observer = self.observer;
            let mut telling = |state: &JobState, recorded: &Recorded| observer.changed(state, recorded);
            let recorded = self.recorder.record_state_telling(state, &mut telling).await?;
            observer.changed(state, &recorded);
            *is_recorded = true;
            self.tell_progress(state).await?;
        }
        if state.status.is_terminal() { self.collect(&state.job_id).await } else { Ok(()) }
    }

    /// Tells how far an array has come when a child has ended. Batch sends no event of the parent then.
    async fn tell_progress(&self, child: &JobState) -> Result<(), PortError> {
        let Some(parent) = child.job_id.parent().filter(|_| child.status.is_terminal()) else {
            return Ok(());
        };
        let described = self.recorder.engine.describe_jobs(&[parent]).await?;
        let array = described.first().and_then(|parent| parent.array_properties.as_ref());
        let Some((array, size)) = array.and_then(|array| Some((array, array.size?))) else { return Ok(()) };
        let count = |status: JobStatus| array.status_summary.get(status.as_str()).copied().unwrap_or(0);
        let ended = count(JobStatus::Succeeded) + count(JobStatus::Failed);
        self.observer.progressed(&child.job_name, u32::try_from(ended).unwrap_or(0), size);
        Ok(())
    }

    /// Archives the logs of one submission or child that has ended.
    pub(super) async fn collect(&self, job_id: &JobId) -> Result<(), PortError> {
        let Some((source, archive)) = self.logs else { return Ok(()) };
        let Recorder { store, clock, .. } = self.recorder;
        collect_logs(store, source, archive, clock, &COLLECT, job_id, Look::WhenDue).await.map(|_| ())
    }
}
