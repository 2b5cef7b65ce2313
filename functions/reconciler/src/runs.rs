//! Runs that nobody goes on with.

use batchwright::domain::Run;
use batchwright::events::Continuation;
use batchwright::ports::{Clock, Cursor, FunctionInvoker, PortError, RunStore};
use tracing::{info, warn};

/// What was done about runs.
#[derive(Debug, Default)]
pub(crate) struct Continued {
    pub(crate) runs: u64,
    pub(crate) postponed: u64,
}

/// Has the submitter go on with every run that has not moved for a while.
pub(crate) async fn continue_runs<S: RunStore, I: FunctionInvoker>(
    store: &S,
    invoker: &I,
    clock: &impl Clock,
    submitter: &str,
    silence_ms: i64,
    done: &mut Continued,
) -> Result<(), PortError> {
    let since = clock.now().plus_millis(-silence_ms);
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = store.unfinished_runs(since, cursor.as_ref()).await?;
        for Run { run_id, source, .. } in &page.items {
            let run = Continuation { run_id: run_id.clone(), source: source.clone(), rerun: false };
            match invoker.invoke_later(submitter, &run.payload()).await {
                Ok(()) => {
                    info!(run.id = %run_id, "the submitter goes on with the run");
                    done.runs += 1;
                }
                Err(error) => {
                    warn!(run.id = %run_id, %error, "postponed to the next pass");
                    done.postponed += 1;
                }
            }
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}
