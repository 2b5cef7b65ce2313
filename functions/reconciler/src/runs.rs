//! Runs that nobody goes on with, those that somebody has cancelled, and those whose jobs may all have ended.

use batchwright::domain::{Run, RunState};
use batchwright::events::Continuation;
use batchwright::ports::{
    AsyncInvoker, Clock, Cursor, EventBus, JobEngine, JobStore, OneByOne, PortError, RunStore,
};
use batchwright::use_cases::end_runs::{LookPolicy, SETTLE_MS, end_run};
use batchwright::use_cases::stop::stop_run;
use tracing::{info, warn};

/// What was done about runs.
#[derive(Debug, Default)]
pub(crate) struct Continued {
    pub(crate) runs: u64,
    pub(crate) ended: u64,
    pub(crate) jobs_stopped: u64,
    pub(crate) postponed: u64,
    pub(crate) unreadable: u64,
}

/// Has the submitter go on with every run that has not moved for a while, stops the jobs of those that were cancelled,
/// and looks for the ends of the others.
pub(crate) async fn continue_runs<S: JobStore + RunStore, E: JobEngine, I: AsyncInvoker>(
    store: &S,
    engine: &E,
    (invoker, bus): (&I, &impl EventBus),
    clock: &impl Clock,
    (submitter, silence_ms): (&str, i64),
    done: &mut Continued,
) -> Result<(), PortError> {
    let now = clock.now();
    let is_silent = |run: &Run| run.updated_at < now.plus_millis(-silence_ms);
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = store.unfinished_runs(now.plus_millis(1), cursor.as_ref()).await?;
        done.unreadable += page.unreadable.len() as u64;
        for run in &page.items {
            let gone_on = match run.state {
                RunState::Submitted | RunState::Rejected | RunState::Cancelled => {
                    let policy = LookPolicy { settle_ms: SETTLE_MS, to_the_end: true };
                    let ended = end_run(store, bus, clock, run.clone(), policy).await;
                    ended.map(|ended| done.ended += u64::from(ended))
                }
                RunState::Submitting | RunState::Cancelling if !is_silent(run) => Ok(()),
                RunState::Cancelling => stop(store, engine, clock, run, done).await,
                RunState::Submitting => go_on(invoker, submitter, run, done).await,
            };
            if let Err(error) = gone_on {
                warn!(run.id = %run.run_id, %error, "postponed to the next pass");
                done.postponed += 1;
            }
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}

async fn go_on<I: AsyncInvoker>(
    invoker: &I,
    submitter: &str,
    run: &Run,
    done: &mut Continued,
) -> Result<(), PortError> {
    let asked = Continuation { run_id: run.run_id.clone(), source: run.source.clone(), rerun: false };
    invoker.invoke_later(submitter, &asked.payload()).await?;
    info!(run.id = %run.run_id, "the submitter goes on with the run");
    done.runs += 1;
    Ok(())
}

async fn stop<S: JobStore + RunStore, E: JobEngine>(
    store: &S,
    engine: &E,
    clock: &impl Clock,
    run: &Run,
    done: &mut Continued,
) -> Result<(), PortError> {
    let stopper = OneByOne(engine);
    let stopped = stop_run(store, &stopper, clock, run, SETTLE_MS, |line| {
        if let (true, Some(why)) = (line.outcome.is_open(), &line.reason) {
            warn!(run.id = %run.run_id, job.name = %line.job_name, why, "not stopped");
        }
    });
    done.jobs_stopped += stopped.await?.requested;
    Ok(())
}
