//! Jobs and runs that are forgotten because they are old.

use std::collections::BTreeSet;

use crate::domain::retention::{is_old_job, is_old_run};
use crate::domain::{RunId, Timestamp};
use crate::ports::{Cursor, JobQueries, JobRemoval, PortError, RunStore};

/// What was forgotten, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Jobs, with all that was known of them.
    pub jobs: u64,
    /// Runs.
    pub runs: u64,
    /// Jobs that somebody asked for in that moment: they stay.
    pub asked_for: u64,
}

/// Forgets jobs that ended before a moment, and then runs; with `only_count`, counts them. Jobs of a run that has not
/// ended stay, and so do archived logs and reports.
///
/// Idempotent, a page at a time: called again, it goes on. Whoever asks for a job meanwhile keeps it, because the job's
/// head is removed last, and only as it was read. Errs where the store fails.
pub async fn prune<S: JobQueries + JobRemoval + RunStore>(
    store: &S,
    before: Timestamp,
    only_count: bool,
) -> Result<Pruned, PortError> {
    let mut pruned = Pruned::default();
    let open = open_runs(store, before).await?;
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = store.jobs(None, cursor.as_ref()).await?;
        let old = |job: &&_| is_old_job(job, before);
        for job in page.items.iter().filter(old).filter(|job| !open.contains(&job.head.run_id)) {
            if only_count || store.prune_job(&job.head).await? {
                pruned.jobs += 1;
            } else {
                pruned.asked_for += 1;
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    loop {
        let page = store.runs(cursor.as_ref()).await?;
        for run in page.items.iter().filter(|run| is_old_run(run, before)) {
            pruned.runs += u64::from(only_count || store.prune_run(run).await?);
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(pruned);
        }
    }
}

/// Runs whose jobs stay because they count for the run's end.
async fn open_runs<S: RunStore>(store: &S, before: Timestamp) -> Result<BTreeSet<RunId>, PortError> {
    let mut open = BTreeSet::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = store.runs(cursor.as_ref()).await?;
        let runs = page.items.into_iter().filter(|run| !is_old_run(run, before) && run.end.is_none());
        open.extend(runs.map(|run| run.run_id));
        cursor = page.next;
        if cursor.is_none() {
            return Ok(open);
        }
    }
}
