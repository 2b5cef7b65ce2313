use anyhow::Context as _;
use batchwright::domain::{JobHead, JobId, JobStatus, NewClaim};
use batchwright::ports::JobStore;

use crate::contract::fixtures::{advance, at, granted, id, known, name, set, submit, walk, wish};

async fn head<S: JobStore>(store: &S, job: &str) -> anyhow::Result<JobHead> {
    Ok(store.job(&name(job)).await?.context("the job is not known")?.head)
}

pub(super) async fn without_its_latest_submission_the_one_before_is_the_jobs_latest<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    submit(store, "a", "a-1").await?;
    advance(store, "a", "a-1", JobStatus::Failed).await?;
    submit(store, "a", "a-2").await?;
    advance(store, "a", "a-2", JobStatus::Running).await?;
    let latest = known(store, "a-2").await?;
    assert_eq!(store.remove_submission(&id("a-2")).await?, Some(latest));
    assert_eq!(store.remove_submission(&id("a-2")).await?, None, "it is gone");

    let job = store.job(&name("a")).await?.context("the job is not known")?;
    assert_eq!((job.head.job_tries.clone(), job.head.job_id.clone()), (vec![id("a-1")], Some(id("a-1"))));
    assert_eq!(job.status(), Some(JobStatus::Failed));
    let counts = store.count_by_status().await?;
    assert_eq!((counts[JobStatus::Failed], counts.total()), (1, 1));
    let failed = walk(async |page| store.jobs_with_status(JobStatus::Failed, page.as_ref()).await).await?;
    assert_eq!(failed, [job]);
    granted(store, &wish("a", Some("a-1"))).await?;
    Ok(())
}

pub(super) async fn a_submission_takes_its_children_and_nodes_along<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    submit(store, "a", "a-1").await?;
    submit(store, "b", "a-10").await?;
    for (job, job_id) in [("a", "a-1:0"), ("a", "a-1:77"), ("a", "a-1#0"), ("b", "a-10:0"), ("b", "a-10#1")] {
        advance(store, job, job_id, JobStatus::Running).await?;
    }
    assert!(store.remove_submission(&id("a-1")).await?.is_some());
    let status = JobStatus::Running;
    let left = walk(async |page| store.submissions_with_status(status, page.as_ref()).await).await?;
    assert_eq!(crate::contract::fixtures::ids(&left)?, set(["a-10:0", "a-10#1"]));
    assert_eq!(head(store, "b").await?.job_id, Some(id("a-10")));
    Ok(())
}

pub(super) async fn a_job_without_its_only_submission_is_unsubmitted<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    submit(store, "a", "a-1").await?;
    assert!(store.remove_submission(&id("a-1")).await?.is_some());
    let job = store.job(&name("a")).await?.context("the job is not known")?;
    assert_eq!((job.head.job_id.as_ref(), job.head.job_tries.len(), job.latest.as_ref()), (None, 0, None));
    let counts = store.count_by_status().await?;
    assert_eq!((counts.unsubmitted, counts.total()), (1, 1));
    submit(store, "a", "a-2").await?;
    assert_eq!(head(store, "a").await?.claims, 2, "nonces are never used again");
    Ok(())
}

pub(super) async fn an_earlier_try_takes_its_share_of_the_budget_along<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    submit(store, "a", "a-1").await?;
    submit(store, "a", "a-2").await?;
    let asked = NewClaim { resets_budget: true, ..wish("a", Some("a-2")) };
    let nonce = granted(store, &asked).await?;
    store.record_submission(&crate::contract::fixtures::taken("a", &nonce, "a-3")).await?;
    assert_eq!(head(store, "a").await?.tries_used(), 1);
    assert!(store.remove_submission(&id("a-1")).await?.is_some());
    let left = head(store, "a").await?;
    assert_eq!((left.tries_used(), left.job_id), (1, Some(id("a-3"))));
    assert_eq!(left.job_tries, [id("a-2"), id("a-3")]);
    Ok(())
}

pub(super) async fn a_child_goes_alone<S: JobStore>(store: &S) -> anyhow::Result<()> {
    submit(store, "a", "a-1").await?;
    advance(store, "a", "a-1:0", JobStatus::Running).await?;
    advance(store, "a", "a-1:1", JobStatus::Running).await?;
    let before = store.job(&name("a")).await?;
    assert!(store.remove_submission(&id("a-1:0")).await?.is_some());
    assert_eq!(store.submission(&id("a-1:0")).await?, None);
    assert!(store.submission(&id("a-1:1")).await?.is_some());
    assert_eq!(store.job(&name("a")).await?, before);
    Ok(())
}

pub(super) async fn a_job_goes_with_all_that_is_known_of_it<S: JobStore>(store: &S) -> anyhow::Result<()> {
    submit(store, "a", "a-1").await?;
    submit(store, "a", "a-2").await?;
    submit(store, "a-other", "b-1").await?;
    advance(store, "a", "a-1:0", JobStatus::Running).await?;
    advance(store, "a", "a-2#0", JobStatus::Failed).await?;
    let mut removed = store.remove_job(&name("a")).await?;
    removed.sort();
    assert_eq!(removed, [id("a-1"), id("a-2")], "children are no submissions");
    assert_eq!(store.job(&name("a")).await?, None);
    for job_id in ["a-1", "a-2", "a-1:0", "a-2#0"] {
        assert_eq!(store.submission(&id(job_id)).await?, None, "{job_id}");
    }
    assert_eq!(store.count_by_status().await?.total(), 1);
    assert_eq!(store.remove_job(&name("a")).await?, Vec::<JobId>::new());
    assert!(store.job(&name("a-other")).await?.is_some());
    submit(store, "a", "a-3").await?;
    Ok(())
}

pub(super) async fn a_job_is_pruned_only_as_it_was_read<S: JobStore>(store: &S) -> anyhow::Result<()> {
    submit(store, "a", "a-1").await?;
    advance(store, "a", "a-1", JobStatus::Succeeded).await?;
    advance(store, "a", "a-1:0", JobStatus::Succeeded).await?;
    let read = head(store, "a").await?;
    let nonce = granted(store, &wish("a", Some("a-1"))).await?;
    assert!(!store.prune_job(&read).await?, "somebody has claimed it");
    let claimed = head(store, "a").await?;
    assert_eq!(claimed.claim.as_ref().map(|claim| &claim.nonce), Some(&nonce), "the claim stands");

    store.release(&name("a"), &nonce, None, at(3_000)).await?;
    let read = head(store, "a").await?;
    assert!(store.prune_job(&read).await?);
    assert!(!store.prune_job(&read).await?, "it is gone");
    assert_eq!(store.job(&name("a")).await?, None);
    for job_id in ["a-1", "a-1:0"] {
        assert_eq!(store.submission(&id(job_id)).await?, None, "{job_id}");
    }
    assert_eq!(store.count_by_status().await?.total(), 0);
    submit(store, "a", "a-2").await?;
    Ok(())
}
