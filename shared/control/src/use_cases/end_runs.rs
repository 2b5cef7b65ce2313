//! Runs that end, and whom it is told to.
//!
//! The end of a run is written once, by one conditional write. It stays on the list of unfinished runs until the event
//! bus has been told, so whoever dies in between, the reconciler tells it: at least once, with the same id.

use std::collections::BTreeMap;

use tracing::info;

use crate::domain::follow_up::{Standing, standing};
use crate::domain::{Ending, JobName, Run, RunEnd, RunId, Walk};
use crate::events::{Announcement, JobEnded, RunEnded};
use crate::ports::{Clock, Cursor, EventBus, JobQueries, PortError, RunStore};

/// Milliseconds after which an index of the store is believed to list all jobs of a run.
pub const SETTLE_MS: i64 = 60_000;

/// Pages that are walked before the way is saved: whoever is stopped on a long list loses no more than that.
const PAGES_PER_SAVE: usize = 50;

/// Events of one call. Source: the API reference of `PutEvents`.
const EVENTS_PER_CALL: usize = 10;

/// How a run's end is looked for.
#[derive(Debug, Clone, Copy)]
pub struct LookPolicy {
    /// See [`SETTLE_MS`]; 0 where the store's lists never lag.
    pub settle_ms: i64,
    /// Walks a long list to its end. Otherwise at most 50 pages of it, because an event must not wait for it.
    pub to_the_end: bool,
}

/// Looks for the ends of runs that waited for jobs that have ended, and tells them. Returns how many runs ended.
///
/// Idempotent, apart from telling twice. Errs where a port fails: then call it again with the same ends.
pub async fn jobs_ended<S: JobQueries + RunStore>(
    store: &S,
    bus: &impl EventBus,
    clock: &impl Clock,
    ends: &[JobEnded],
) -> Result<u64, PortError> {
    let mut events = Vec::new();
    let mut of_runs: BTreeMap<&RunId, Vec<&JobName>> = BTreeMap::new();
    for end in ends {
        of_runs.entry(&end.run_id).or_default().push(&end.job_name);
    }
    let policy = LookPolicy { settle_ms: SETTLE_MS, to_the_end: false };
    let mut untold = Vec::new();
    for (run_id, jobs) in of_runs {
        let run = store.run(run_id).await?;
        let is_due = |run: &Run| jobs.iter().any(|job| run.waits_for(job)) || news_of(run).is_some();
        if let Some(run) = run.filter(is_due) {
            let run = look_for_end(store, clock, run, policy).await?;
            events.extend(news_of(&run));
            untold.extend(run.end.is_some().then_some(run));
        }
    }
    for events in events.chunks(EVENTS_PER_CALL) {
        bus.put(events).await?;
    }
    let mut ended = 0;
    for run in untold {
        ended += u64::from(note_told(store, clock, run).await?);
    }
    Ok(ended)
}

/// Looks for the end of every run whose jobs have all been dealt with, and tells those ends that nobody has told.
/// `ended` counts them, also where this is dropped before its end.
///
/// Idempotent. Errs where the list itself can't be read; what fails for one run is told to `failed`.
pub async fn end_runs<S: JobQueries + RunStore>(
    store: &S,
    bus: &impl EventBus,
    clock: &impl Clock,
    settle_ms: i64,
    ended: &mut u64,
    mut failed: impl FnMut(&RunId, &PortError) + Send,
) -> Result<(), PortError> {
    let policy = LookPolicy { settle_ms, to_the_end: true };
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = store.unfinished_runs(clock.now().plus_millis(1), cursor.as_ref()).await?;
        for run in page.items.into_iter().filter(|run| run.state.is_over()) {
            let run_id = run.run_id.clone();
            match end_run(store, bus, clock, run, policy).await {
                Ok(has_ended) => *ended += u64::from(has_ended),
                Err(error) => failed(&run_id, &error),
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// Looks for a run's end, and tells it. Returns whether it was told now.
///
/// Errs where a port fails: the reconciler goes on.
pub async fn end_run<S: JobQueries + RunStore>(
    store: &S,
    bus: &impl EventBus,
    clock: &impl Clock,
    run: Run,
    policy: LookPolicy,
) -> Result<bool, PortError> {
    let run = look_for_end(store, clock, run, policy).await?;
    let Some(event) = news_of(&run) else { return Ok(false) };
    bus.put(&[event]).await?;
    note_told(store, clock, run).await
}

/// The end of a run that nobody has told.
fn news_of(run: &Run) -> Option<Announcement> {
    let ended = RunEnded::of(run).filter(|_| run.has_work_left());
    ended.map(|ended| Announcement::Run(Box::new(ended)))
}

/// Writes down that a run's end was told. Returns whether that had not been written before.
async fn note_told<S: RunStore>(store: &S, clock: &impl Clock, run: Run) -> Result<bool, PortError> {
    let Some(end) = run.end.filter(|end| !end.told) else { return Ok(false) };
    let looks = run.ending.looks.saturating_add(1);
    let ending = Ending { looks, ..run.ending };
    let told = Run { end: Some(RunEnd { told: true, ..end }), ending, updated_at: clock.now(), ..run };
    let told_now = store.save_run(&told).await?;
    if told_now {
        info!(run.id = %told.run_id, run.state = %told.state, outcome = end.outcome.as_str(), "the run has ended");
    }
    Ok(told_now)
}

/// Where a walk stopped.
enum Stop {
    /// At a page of which this job has not ended.
    UnderWay(JobName),
    /// It has seen enough for once.
    More,
    /// The run has ended.
    Ended,
    /// The list was short of jobs: it is walked again when it must have settled.
    Short,
}

/// Walks on where the last look stopped, and writes down how far it came. Returns the run as it is then.
async fn look_for_end<S: JobQueries + RunStore>(
    store: &S,
    clock: &impl Clock,
    mut run: Run,
    policy: LookPolicy,
) -> Result<Run, PortError> {
    while run.may_end() {
        let now = clock.now();
        let mut next = run.clone();
        next.ending.since = next.ending.since.or(Some(now));
        if next.ending.walk.next.is_none() {
            next.ending.walk.began_at = now;
        }
        let stop = walk(store, &mut next, policy.settle_ms).await?;
        next.ending.waits_for = match &stop {
            Stop::UnderWay(job_name) => Some(job_name.clone()),
            _ => None,
        };
        match &stop {
            Stop::Ended => {
                let whole = std::mem::take(&mut next.ending.walk);
                next = next.ended(&whole);
            }
            Stop::Short => next.ending.walk = Walk::default(),
            Stop::UnderWay(_) if is_known(&run.ending, &next.ending) => return Ok(run),
            Stop::UnderWay(_) | Stop::More => {}
        }
        next.ending.looks = next.ending.looks.saturating_add(1);
        next.updated_at = now;
        if !store.save_run(&next).await? {
            // Another look was faster, or somebody cancelled the run.
            return Ok(store.run(&run.run_id).await?.unwrap_or(run));
        }
        run = next;
        match stop {
            // It may have ended before it was written down that the run waits for it: then nobody else looks.
            Stop::UnderWay(job_name) => {
                let job = store.job(&job_name).await?;
                if matches!(standing(job.as_ref()), Standing::UnderWay | Standing::Undecided) {
                    return Ok(run);
                }
            }
            Stop::More if policy.to_the_end => {}
            Stop::More | Stop::Short | Stop::Ended => return Ok(run),
        }
    }
    Ok(run)
}

/// Whether a look found nothing that is not written down.
fn is_known(known: &Ending, found: &Ending) -> bool {
    known.since.is_some() && known.waits_for == found.waits_for && known.walk.next == found.walk.next
}

async fn walk<S: JobQueries>(store: &S, run: &mut Run, settle_ms: i64) -> Result<Stop, PortError> {
    for _ in 0..PAGES_PER_SAVE {
        let cursor = run.ending.walk.next.clone().map(Cursor);
        let page = store.jobs(Some(&run.run_id), cursor.as_ref()).await?;
        let mut walk = run.ending.walk.clone();
        if let Some(job_name) = walk.take(run, &page.items) {
            return Ok(Stop::UnderWay(job_name));
        }
        walk.next = page.next.map(|next| next.0);
        run.ending.walk = walk;
        if run.ending.walk.next.is_none() {
            let is_whole = run.ending.walk.is_whole(run, settle_ms);
            return Ok(if is_whole { Stop::Ended } else { Stop::Short });
        }
    }
    Ok(Stop::More)
}
