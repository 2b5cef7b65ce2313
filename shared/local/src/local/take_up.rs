//! What an earlier process, or a lost message, left behind is taken up.

use tracing::warn;

use super::pump::Pump;
use crate::domain::RunState;
use crate::ports::{
    CheckpointStore, Clock, JobEngine, JobStore, LogSource, NoBus, ObjectStore, OneByOne, PortError,
    RunStore, SubmissionPace,
};
use crate::use_cases::end_runs::end_runs;
use crate::use_cases::reconcile::{ReconcilePolicy, Reconciled, reconcile};
use crate::use_cases::record_state::Recorder;
use crate::use_cases::stop::stop_run;

/// At the start every claim is a dead process's, because this one holds the folder's lock, and every
/// submission may have moved on unseen. The engine's answers are consistent: nothing is waited for.
const AT_START: ReconcilePolicy = ReconcilePolicy {
    quarantine_ms: -86_400_000,
    silence_ms: -1_000,
    lost_after_ms: 0,
    asked_max: usize::MAX,
    listed_from: 20,
};

/// Goes on with runs that somebody has cancelled.
async fn stop_cancelled_runs<S: JobStore + RunStore, E: JobEngine>(
    store: &S,
    engine: &E,
    clock: &impl Clock,
) -> Result<(), PortError> {
    let mut cursor = None;
    loop {
        let since = clock.now().plus_millis(1);
        let page = store.unfinished_runs(since, cursor.as_ref()).await?;
        for run in page.items.iter().filter(|run| run.state == RunState::Cancelling) {
            stop_run(store, &OneByOne(engine), clock, run, 0, |_| ()).await?;
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// Goes on with cancelled runs, and ends the runs whose jobs have all ended.
pub(super) async fn finish_runs<S: JobStore + RunStore, E: JobEngine>(
    store: &S,
    engine: &E,
    clock: &impl Clock,
) -> Result<(), PortError> {
    stop_cancelled_runs(store, engine, clock).await?;
    let mut ended = 0;
    end_runs(store, &NoBus, clock, 0, &mut ended, |run_id, error| {
        warn!(run.id = %run_id, %error, "its end is not written yet");
    })
    .await
}

/// Takes up what was left behind: claims, submissions without news, ends not followed up, logs.
pub(super) async fn take_up<S, E, P, C, L, O>(
    pump: &Pump<'_, S, E, P, C, L, O>,
) -> Result<Reconciled, PortError>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    L: LogSource,
    O: ObjectStore + CheckpointStore,
{
    let done = reconcile(&pump.recorder, &AT_START).await?;
    let Recorder { store, engine, clock, .. } = pump.recorder;
    finish_runs(store, engine, clock).await?;
    if pump.logs.is_none() {
        return Ok(done);
    }
    let mut cursor = None;
    loop {
        let page = store.unfinished_logs(clock.now(), cursor.as_ref()).await?;
        for submission in &page.items {
            let job_id = &submission.state.job_id;
            if let Err(error) = pump.collect(job_id).await {
                warn!(job.name = %submission.state.job_name, job.id = %job_id, %error, "a log is not archived yet");
            }
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(done),
        }
    }
}
