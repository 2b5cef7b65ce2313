//! A run that somebody cancels at any moment, while functions die: it submits nothing more, and ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail, ensure};
use batchwright::domain::{JobName, RunState, Stop, Timestamp};
use batchwright::memory::InMemoryJobStore;
use batchwright::ports::{Clock, JobQueries, PortError, RunStore, WorkLists};
use batchwright::use_cases::stop::cancel_run;
use futures_util::FutureExt as _;

use super::clock::DeploymentClock;
use super::deployment::{Deployment, Recovery};
use super::fuse::{Fuse, Moment, Point};
use super::scenario::Scenario;
use super::sweep::{Figures, MOMENTS};

/// Submissions of each job when its run was cancelled, and whether a claim stood. `None`: there was no run yet.
type Before = Arc<Mutex<Option<BTreeMap<JobName, (usize, bool)>>>>;

/// More lives than any run takes to come to rest.
const LIVES_MAX: usize = 5;

/// Cancels at every call, and lets functions die at every `stride`-th call from there on.
///
/// # Errors
///
/// Where a cancelled run submits something, or does not end.
pub async fn cancellations(scenario: &Scenario, stop: Stop, stride: usize) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    for call in 1.. {
        if !live(scenario, stop, call, None, &mut figures).await?.0 {
            return Ok(figures);
        }
        for moment in MOMENTS {
            for death in (call..).step_by(stride) {
                let point = Point { call: death, moment };
                if !live(scenario, stop, call, Some(point), &mut figures).await?.1 {
                    break;
                }
                figures.pairs += 1;
            }
        }
    }
    Ok(figures)
}

/// One life. Returns whether the cancellation came, and whether the death did.
async fn live(
    scenario: &Scenario,
    stop: Stop,
    call: usize,
    death: Option<Point>,
    figures: &mut Figures,
) -> anyhow::Result<(bool, bool)> {
    let store = InMemoryJobStore::default();
    let fuse = Fuse::new(death);
    let (opened, before) = (store.clone(), Before::default());
    let open = move || Ok(opened.clone());
    let deployment = Deployment::new(scenario, open, fuse.clone(), Recovery::Redelivered, false).await?;
    let (seen, cancelled, clock) = (Arc::clone(&before), store.clone(), deployment.clock.clone());
    fuse.interject(call, move || {
        // A store in memory answers at once.
        let done = cancel(&cancelled, &clock, stop).now_or_never();
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = done.and_then(Result::ok).flatten();
    });
    let told = || format!("{}, {stop} at call {call}, death {death:?} at {:?}", scenario.name, fuse.deaths());
    let lived = async {
        for _ in 0..LIVES_MAX {
            deployment.live().await?;
            if !is_cancelling(&store).await? {
                return judge(&deployment, &store, scenario, &before).await;
            }
        }
        bail!("the run is still being cancelled")
    };
    lived.await.with_context(told)?;
    figures.runs += 1;
    figures.points += 1;
    figures.seen.extend(fuse.seen());
    figures.sites.extend(fuse.deaths().into_iter().map(|(site, moment)| (site, moment == Moment::Before)));
    Ok((!fuse.awaits_interjection(), !fuse.is_armed()))
}

async fn cancel(
    store: &InMemoryJobStore,
    clock: &DeploymentClock,
    stop: Stop,
) -> Result<Option<BTreeMap<JobName, (usize, bool)>>, PortError> {
    let runs = store.runs(None).await?.items;
    if runs.is_empty() {
        return Ok(None);
    }
    for run in runs {
        cancel_run(store, clock, &run.run_id, stop, "no longer wanted").await?;
    }
    let mut before = BTreeMap::new();
    for job in store.jobs(None, None).await?.items {
        before.insert(job.name().clone(), (job.head.job_tries.len(), job.head.claim.is_some()));
    }
    Ok(Some(before))
}

async fn is_cancelling(store: &InMemoryJobStore) -> Result<bool, PortError> {
    Ok(store.runs(None).await?.items.iter().any(|run| run.state == RunState::Cancelling))
}

/// What was under way has ended, and nothing was submitted but under a claim that stood already.
async fn judge(
    deployment: &Deployment<InMemoryJobStore>,
    store: &InMemoryJobStore,
    scenario: &Scenario,
    before: &Before,
) -> anyhow::Result<()> {
    let before = before.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(before) = before else { return Ok(()) };
    for expected in &scenario.jobs {
        let name = JobName::parse(expected.name)?;
        let books = deployment.network.books(&name).await?;
        ensure!(books.iter().all(|detail| detail.status.is_terminal()), "{name} is still under way");
        let (submissions, claimed) = before.get(&name).copied().unwrap_or_default();
        let most = submissions + usize::from(claimed);
        ensure!(books.len() <= most, "{name}: {} submissions, at most {most} were begun", books.len());
        let Some(job) = store.job(&name).await? else { continue };
        ensure!(job.head.claim.is_none(), "{name}: a claim stands");
        ensure!(job.head.job_tries.len() == books.len(), "{name}: not every submission is known");
    }
    for run in store.runs(None).await?.items {
        let late = run.started_at > Timestamp::default() && run.cancellation.is_none();
        ensure!(run.state == RunState::Cancelled || late, "{}: {}", run.run_id, run.state);
    }
    let unsettled = store.unsettled_ends(None).await?.items.len();
    ensure!(unsettled == 0, "{unsettled} ends are not settled at {}", deployment.clock.now().as_millis());
    Ok(())
}
