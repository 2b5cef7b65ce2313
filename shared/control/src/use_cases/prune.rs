//! Jobs and runs that are forgotten because they are old.

use std::collections::BTreeSet;

use crate::domain::follow_up::{Standing, standing};
use crate::domain::retention::{is_old_job, is_old_run};
use crate::domain::{Job, RunId, Timestamp};
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
    let Runs { old, open } = sorted(store, before).await?;
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
        for run in page.items.iter().filter(|run| old.contains(&run.run_id)) {
            pruned.runs += u64::from(only_count || store.prune_run(run).await?);
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(pruned);
        }
    }
}

/// Runs before anything is forgotten.
#[derive(Default)]
struct Runs {
    /// Those that are forgotten.
    old: BTreeSet<RunId>,
    /// Those whose jobs stay because they count for the run's end.
    open: BTreeSet<RunId>,
}

async fn sorted<S: JobQueries + RunStore>(store: &S, before: Timestamp) -> Result<Runs, PortError> {
    let mut sorted = Runs::default();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = store.runs(cursor.as_ref()).await?;
        for run in page.items {
            // The jobs are read only of an old run that has no end to tell of itself.
            let is_asked = run.end.is_none() && run.updated_at < before;
            let goes_on = is_asked && goes_on(store, &run.run_id).await?;
            if is_old_run(&run, before, goes_on) {
                sorted.old.insert(run.run_id);
            } else if run.end.is_none() {
                sorted.open.insert(run.run_id);
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(sorted);
        }
    }
}

/// Whether a job of a run has not ended.
async fn goes_on<S: JobQueries>(store: &S, run_id: &RunId) -> Result<bool, PortError> {
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = store.jobs(Some(run_id), cursor.as_ref()).await?;
        let is_open = |job: &Job| matches!(standing(Some(job)), Standing::UnderWay | Standing::Undecided);
        if page.items.iter().any(is_open) {
            return Ok(true);
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(false);
        }
    }
}
