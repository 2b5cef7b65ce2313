//! What holds at every moment, and what holds in the end.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use batchwright::domain::transition::OrderKey;
use batchwright::domain::{Cause, Job, JobId, JobName, JobSpec, JobState, JobStatus, Submission};
use batchwright::events::JobDetail;
use batchwright::ports::{JobEngine, JobStore};

use crate::nodes::with_nodes;

/// Everything that the store holds of a history's jobs.
#[derive(Default)]
pub(crate) struct Snapshot {
    tries: BTreeMap<JobName, Vec<JobId>>,
    items: BTreeMap<JobId, Submission>,
}

impl Snapshot {
    pub(crate) async fn of<S: JobStore>(store: &S, jobs: &[JobSpec]) -> anyhow::Result<Self> {
        let mut snapshot = Self::default();
        for JobSpec { job_name, .. } in jobs {
            if let Some(job) = store.job(job_name).await? {
                snapshot.tries.insert(job_name.clone(), job.head.job_tries);
            }
            let mut cursor = None;
            loop {
                let page = store.submissions(job_name, cursor.as_ref()).await?;
                let items = page.items.into_iter().map(|item| (item.state.job_id.clone(), item));
                snapshot.items.extend(items);
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        Ok(snapshot)
    }

    /// A head only grows; a state only moves on; an end stands for ever.
    pub(crate) fn follows(&self, before: &Self) -> anyhow::Result<()> {
        for (name, tries) in &before.tries {
            let now = self.tries.get(name).with_context(|| format!("{name} is gone"))?;
            ensure!(now.starts_with(tries), "{name}: {tries:?} became {now:?}");
        }
        for (id, item) in &before.items {
            let now = &self.items.get(id).with_context(|| format!("{id} is gone"))?.state;
            let known = &item.state;
            let is_later = OrderKey::of(now) > OrderKey::of(known);
            let is_open = !known.status.is_terminal();
            ensure!(now == known || (is_open && is_later), "{id} moved back: {known:?} became {now:?}");
        }
        Ok(())
    }

    /// What a batch may not touch: other submissions than its own, of jobs that no other depends on, unless the
    /// lost children of an array are run again. Of a job that failed with one of the batch, what follows from
    /// its end may have been decided.
    pub(crate) fn changed_only(
        &self,
        before: &Self,
        ids: &BTreeSet<JobId>,
        jobs: &[JobSpec],
    ) -> anyhow::Result<()> {
        let runs_again = jobs.iter().filter(|job| job.resubmit_children).map(|job| &job.job_name);
        let may_change: BTreeSet<&JobName> =
            jobs.iter().flat_map(JobSpec::dependency_names).chain(runs_again).collect();
        let depends = |job: &&JobSpec| job.dependency_names().next().is_some();
        let dependants: BTreeSet<&JobName> = jobs.iter().filter(depends).map(|job| &job.job_name).collect();
        for (id, item) in &before.items {
            if ids.contains(id) || may_change.contains(&item.state.job_name) {
                continue;
            }
            let mut now = self.items.get(id).cloned();
            if let Some(now) = now.as_mut().filter(|_| dependants.contains(&item.state.job_name)) {
                now.follow_up.clone_from(&item.follow_up);
            }
            ensure!(
                now.as_ref() == Some(item),
                "{id} was touched by events of {ids:?}: {item:?} became {now:?}"
            );
        }
        Ok(())
    }
}

/// What the checks at the end counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Agreed {
    pub(crate) submissions: u64,
    pub(crate) duplicates: u64,
}

/// The store says what the engine's own books say: every submission, child and node, every word of it.
pub(crate) async fn agree<S: JobStore, E: JobEngine>(
    store: &S,
    engine: &E,
    jobs: &[JobSpec],
) -> anyhow::Result<Agreed> {
    let mut agreed = Agreed::default();
    let snapshot = Snapshot::of(store, jobs).await?;
    for spec in jobs {
        let name = &spec.job_name;
        let job = store.job(name).await?.with_context(|| format!("{name} is lost"))?;
        let books = books(engine, spec).await?;
        let roots: Vec<&JobState> = books.values().filter(|state| state.job_id.parent().is_none()).collect();
        agreed.submissions += roots.len() as u64;
        ensure!(job.head.claim.is_none(), "{name}: a claim stands");
        let known: BTreeSet<&JobId> = job.head.job_tries.iter().collect();
        let made: BTreeSet<&JobId> = roots.iter().map(|state| &state.job_id).collect();
        agreed.duplicates += made.difference(&known).count() as u64;
        ensure!(known == made, "{name}: known {known:?}, made {made:?}");
        ensure!(!made.is_empty(), "{name} was never submitted: {:?}", job.head.refusal);
        let used = job.head.tries_used();
        ensure!(used <= spec.max_tries, "{name}: {used} of {} tries", spec.max_tries);
        ensure!(never_together(&roots), "{name}: two submissions were in flight at once");
        let items = snapshot.items.iter().filter(|(_, item)| item.state.job_name == *name);
        let items: BTreeMap<&JobId, &JobState> = items.map(|(id, item)| (id, &item.state)).collect();
        for (id, state) in &books {
            let known = items.get(id).with_context(|| format!("{id} of {name} is lost: {state:?}"))?;
            ensure!(*known == state, "{id}: known {known:?}, real {state:?}");
        }
        ensure!(items.len() == books.len(), "{name}: {} items, {} jobs", items.len(), books.len());
        goes_on_with_its_dependencies(store, &job).await?;
    }
    let unsettled = store.unsettled_ends(None).await?.items;
    ensure!(unsettled.is_empty(), "ends that nobody has settled: {unsettled:?}");
    Ok(agreed)
}

/// Nobody is forgotten: of one that failed with its dependencies, all of which have SUCCEEDED since, the tries
/// are used up, or the next one was refused.
async fn goes_on_with_its_dependencies<S: JobStore>(store: &S, job: &Job) -> anyhow::Result<()> {
    if job.state().and_then(JobState::cause) != Some(Cause::Dependency) || job.head.refusal.is_some() {
        return Ok(());
    }
    let names: Vec<JobName> = job.head.spec.dependency_names().cloned().collect();
    let dependencies = store.jobs_named(&names).await?;
    let all = dependencies.iter().flatten().all(|job| job.status() == Some(JobStatus::Succeeded));
    let used = job.head.tries_used();
    ensure!(
        !all || used == job.head.spec.max_tries,
        "{} was forgotten after {used} tries: {job:?}, which depends on {dependencies:?}",
        job.name()
    );
    Ok(())
}

/// Each was made after the one before had ended.
fn never_together(roots: &[&JobState]) -> bool {
    let mut times: Vec<_> =
        roots.iter().map(|state| (state.times.created_at, state.times.stopped_at)).collect();
    times.sort_unstable();
    times.windows(2).all(|pair| pair[0].1.is_none_or(|stopped_at| Some(stopped_at) <= pair[1].0))
}

async fn books<E: JobEngine>(engine: &E, spec: &JobSpec) -> anyhow::Result<BTreeMap<JobId, JobState>> {
    let mut ids = Vec::new();
    let mut cursor = None;
    loop {
        let page = engine.list_jobs("queue", &spec.job_name, cursor.as_ref()).await?;
        ids.extend(page.items.into_iter().map(|summary| summary.job_id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if let Some(array) = &spec.array_properties {
        let children = ids.iter().flat_map(|id| (0..array.size).map(|index| id.array_child(index)));
        ids = ids.iter().cloned().chain(children).collect();
    }
    let mut details: Vec<JobDetail> = Vec::new();
    for ids in ids.chunks(100) {
        details.extend(engine.describe_jobs(ids).await?);
    }
    let states = details.into_iter().map(|detail| with_nodes(detail).state());
    Ok(states.map(|state| (state.job_id.clone(), state)).collect())
}
