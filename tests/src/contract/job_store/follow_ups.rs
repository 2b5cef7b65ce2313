//! How far the decision on what follows from an end has come.

use std::collections::BTreeSet;

use batchwright::domain::{FollowUp, JobState, JobStatus};
use batchwright::ports::JobStore;

use super::MANY;
use crate::contract::fixtures::{NOW, advance, id, ids, known, name, set, state, submit, walk};

fn waits_for(dependency: &str) -> FollowUp {
    FollowUp::WaitsFor(name(dependency))
}

/// A job that failed with a dependency.
async fn failed<S: JobStore>(store: &S, job: &str, job_id: &str) -> anyhow::Result<()> {
    submit(store, job, job_id).await?;
    let status_reason = Some("Dependent Job failed".to_owned());
    store.apply_state(&JobState { status_reason, ..state(job, job_id, JobStatus::Failed) }, NOW).await?;
    Ok(())
}

async fn save<S: JobStore>(store: &S, job: &str, job_id: &str, follow_up: &FollowUp) -> anyhow::Result<()> {
    Ok(store.save_follow_up(&name(job), &id(job_id), follow_up).await?)
}

async fn waiting<S: JobStore>(store: &S, dependency: &str) -> anyhow::Result<BTreeSet<String>> {
    let dependency = name(dependency);
    ids(&walk(async |page| store.ends_waiting_for(&dependency, page.as_ref()).await).await?)
}

async fn unsettled<S: JobStore>(store: &S) -> anyhow::Result<BTreeSet<String>> {
    ids(&walk(async |page| store.unsettled_ends(page.as_ref()).await).await?)
}

pub(super) async fn an_end_waits_for_one_job_until_more_is_decided<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    failed(store, "c", "c-1").await?;
    assert_eq!(known(store, "c-1").await?.follow_up, FollowUp::Open);
    for dependency in ["a", "a", "b"] {
        save(store, "c", "c-1", &waits_for(dependency)).await?;
        assert_eq!(known(store, "c-1").await?.follow_up, waits_for(dependency));
        assert_eq!(unsettled(store).await?, set(["c-1"]), "it is in view still");
    }
    let job = store.job(&name("c")).await?.and_then(|job| job.latest);
    assert_eq!(job.map(|latest| latest.follow_up), Some(waits_for("b")));
    assert_eq!((waiting(store, "a").await?, waiting(store, "b").await?), (set([]), set(["c-1"])));
    save(store, "c", "c-1", &FollowUp::Open).await?;
    assert_eq!(waiting(store, "b").await?, set([]), "it waits no longer");
    save(store, "c", "c-1", &waits_for("b")).await?;
    for (follow_up, in_view) in [(FollowUp::Decided, set(["c-1"])), (FollowUp::Settled, set([]))] {
        for later in [follow_up.clone(), FollowUp::Open, waits_for("a"), follow_up.clone()] {
            save(store, "c", "c-1", &later).await?;
            assert_eq!(known(store, "c-1").await?.follow_up, follow_up, "{later:?}");
        }
        assert_eq!((waiting(store, "a").await?, waiting(store, "b").await?), (set([]), set([])));
        assert_eq!(unsettled(store).await?, in_view);
    }
    save(store, "c", "c-1", &FollowUp::Decided).await?;
    assert_eq!(known(store, "c-1").await?.follow_up, FollowUp::Settled);
    Ok(())
}

pub(super) async fn only_ends_with_loose_ends_have_a_follow_up<S: JobStore>(store: &S) -> anyhow::Result<()> {
    submit(store, "running", "running-1").await?;
    advance(store, "running", "running-1", JobStatus::Running).await?;
    submit(store, "done", "done-1").await?;
    advance(store, "done", "done-1", JobStatus::Succeeded).await?;
    for (job, job_id) in [("running", "running-1"), ("done", "done-1"), ("absent", "absent-1")] {
        for follow_up in [waits_for("a"), FollowUp::Decided, FollowUp::Settled] {
            let before = store.submission(&id(job_id)).await?;
            save(store, job, job_id, &follow_up).await?;
            assert_eq!(store.submission(&id(job_id)).await?, before, "{follow_up:?}");
        }
    }
    assert_eq!(waiting(store, "a").await?, set([]));
    advance(store, "running", "running-1", JobStatus::Failed).await?;
    assert_eq!(unsettled(store).await?, set(["running-1"]), "settled before the end is not settled");
    Ok(())
}

pub(super) async fn those_that_wait_are_on_the_list_of_the_job_that_they_wait_for_and_on_no_other<
    S: JobStore,
>(
    store: &S,
) -> anyhow::Result<()> {
    submit(store, "a", "a-1").await?;
    for job in ["b", "c", "d"] {
        failed(store, job, &format!("{job}-1")).await?;
        save(store, job, &format!("{job}-1"), &waits_for("a")).await?;
    }
    failed(store, "a-longer-name", "e-1").await?;
    save(store, "a-longer-name", "e-1", &waits_for("b")).await?;
    assert_eq!(waiting(store, "a").await?, set(["b-1", "c-1", "d-1"]));
    assert_eq!(waiting(store, "b").await?, set(["e-1"]));
    let of_job = walk(async |page| store.submissions(&name("a"), page.as_ref()).await).await?;
    assert_eq!(ids(&of_job)?, set(["a-1"]), "those that wait for a job are none of its submissions");
    store.remove_submission(&id("b-1")).await?;
    assert_eq!(store.remove_job(&name("c")).await?, [id("c-1")]);
    assert_eq!(waiting(store, "a").await?, set(["d-1"]));
    assert_eq!(store.remove_job(&name("a")).await?, [id("a-1")]);
    let left = known(store, "d-1").await?.follow_up;
    assert_eq!(left, waits_for("a"), "the reconciler finds that it waits for nobody");
    assert_eq!(unsettled(store).await?, set(["d-1", "e-1"]));
    save(store, "d", "d-1", &FollowUp::Settled).await?;
    assert_eq!(waiting(store, "a").await?, set([]));
    Ok(())
}

pub(super) async fn waiting_ends_of_many_pages_come_each_once<S: JobStore>(store: &S) -> anyhow::Result<()> {
    let mut expected = BTreeSet::new();
    for number in 0..MANY {
        let (job, job_id) = (format!("job-{number}"), format!("id-{number}"));
        let status_reason = Some("Dependent Job failed".to_owned());
        let ended = JobState { status_reason, ..state(&job, &job_id, JobStatus::Failed) };
        store.apply_state(&ended, NOW).await?;
        if number % 2 == 0 {
            save(store, &job, &job_id, &waits_for("a")).await?;
            expected.insert(job_id);
        }
    }
    assert_eq!(waiting(store, "a").await?, expected);
    assert_eq!(unsettled(store).await?.len(), MANY);
    Ok(())
}
