//! What Ctrl-C does while a run is followed.

use std::future::pending;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use batchwright::domain::{JobHead, JobName, Run, Stop};
use batchwright::ports::{JobQueries, JobStopper, PortError, RunStore, SystemClock};
use batchwright::use_cases::stop::{cancel_run, stop_jobs, stop_run};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::OnInterrupt;
use crate::output::human;

/// How long a second Ctrl-C cancels.
const OFFER: Duration = Duration::from_secs(3);

/// Returns when the run is to be left alone: after Ctrl-C, or after another one where the first has cancelled the
/// run. `run` finds it, and `under_way` the jobs of its file that have not ended: those of other runs are terminated too.
pub(super) async fn detached<S: JobQueries + RunStore>(
    store: &S,
    stopper: &impl JobStopper,
    on_interrupt: OnInterrupt,
    run: impl AsyncFn() -> Option<Run>,
    under_way: impl Future<Output = Vec<JobHead>>,
) {
    // Listened to from here on: none is missed between two looks.
    let Ok(mut presses) = signal(SignalKind::interrupt()) else { return pending().await };
    presses.recv().await;
    let cancels = match on_interrupt {
        OnInterrupt::Cancel => true,
        OnInterrupt::Detach if !stderr().is_terminal() => false,
        OnInterrupt::Detach => {
            eprintln!("press Ctrl-C again within {} s to terminate the run's jobs", OFFER.as_secs());
            tokio::time::timeout(OFFER, presses.recv()).await.is_ok()
        }
    };
    if !cancels {
        return;
    }
    let Some(run) = run().await else { return };
    // Said before it is done: a process that runs the jobs itself may be through with them at once.
    eprintln!("cancelling the run {}: its jobs are terminated", run.run_id);
    let others = under_way.await.into_iter().filter(|head| head.run_id != run.run_id);
    let others: Vec<JobName> = others.map(|head| head.spec.job_name).collect();
    match cancel(store, stopper, &run, &others).await {
        Ok(jobs) => {
            let jobs = human::count(jobs, "job");
            eprintln!("cancelled: {jobs} asked to stop; Ctrl-C does not wait for them");
        }
        Err(error) => eprintln!("the run {} can't be cancelled: {error}", run.run_id),
    }
    presses.recv().await;
}

async fn cancel<S: JobQueries + RunStore>(
    store: &S,
    stopper: &impl JobStopper,
    run: &Run,
    others: &[JobName],
) -> Result<u64, PortError> {
    const REASON: &str = "interrupted with Ctrl-C";
    let cancelled = cancel_run(store, &SystemClock, &run.run_id, Stop::Terminate, REASON).await?;
    let Some(run) = cancelled else { return Ok(0) };
    // Whoever runs the jobs looks again later, and ends the cancellation.
    let of_run = stop_run(store, stopper, &SystemClock, &run, i64::MAX, |_| ()).await?;
    let of_others = stop_jobs(store, stopper, others, Stop::Terminate, REASON, |_| ()).await?;
    Ok(of_run.requested + of_others.requested)
}
