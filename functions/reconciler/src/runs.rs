//! Runs that nobody goes on with.

use batchwright::domain::{Run, RunId};
use batchwright::ports::{Clock, Cursor, FunctionInvoker, PortError, RunStore};
use serde_json::{Value, json};
use tracing::{info, warn};

/// What was done about runs.
#[derive(Debug, Default)]
pub(crate) struct Continued {
    pub(crate) runs: u64,
    pub(crate) postponed: u64,
    pub(crate) unreadable: u64,
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
        done.unreadable += page.unreadable.len() as u64;
        for Run { run_id, source, .. } in &page.items {
            let payload = continuation(run_id, source).to_string();
            match invoker.invoke_later(submitter, payload.as_bytes()).await {
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

/// The submitter's call for that: functions know each other by their wire forms alone.
fn continuation(run_id: &RunId, source: &str) -> Value {
    json!({"continue": {"runId": run_id, "source": source}})
}
