//! Arrays whose lost children are run again.

use anyhow::Context as _;
use batchwright::domain::{Cause, Children, Job, JobState, JobStatus, NewClaim};
use batchwright::ports::JobStore;

use crate::contract::fixtures::{
    advance, at, each_once, granted, id, ids, name, set, state, submit, taken, walk, wish,
};

/// A claim on an array whose lost children are run again.
fn array(job: &str, replaces: Option<&str>) -> NewClaim {
    let mut claim = wish(job, replaces);
    claim.spec.resubmit_children = true;
    claim
}

async fn job<S: JobStore>(store: &S, name_: &str) -> anyhow::Result<Job> {
    store.job(&name(name_)).await?.context("the job is not known")
}

/// An array's submission that FAILED with its children.
async fn failed<S: JobStore>(store: &S, job: &str, job_id: &str) -> anyhow::Result<()> {
    let latest = store.job(&name(job)).await?.and_then(|known| known.head.job_id);
    let nonce = granted(store, &array(job, latest.as_ref().map(batchwright::domain::JobId::as_str))).await?;
    store.record_submission(&taken(job, &nonce, job_id)).await?;
    let mut ended = state(job, job_id, JobStatus::Failed);
    ended.status_reason = Some("Array Child Job failed".to_owned());
    store.apply_state(&ended, at(1_000)).await?;
    Ok(())
}

async fn names_with<S: JobStore>(store: &S, status: JobStatus) -> anyhow::Result<Vec<String>> {
    let jobs = walk(async |page| store.jobs_with_status(status, page.as_ref()).await).await?;
    Ok(each_once(&jobs, |job| job.name().to_string())?.into_iter().collect())
}

fn looked_at() -> Children {
    Children { lost: Some(vec![0, 7]), ..Children::default() }
}

pub(super) async fn what_is_known_of_lost_children_is_kept_until_their_end<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    let array = name("a");
    let ended = looked_at().ended(true);
    assert!(!store.save_children(&array, &id("a-1"), &ended, at(2_000)).await?, "nobody knows the job");
    failed(store, "a", "a-1").await?;
    assert_eq!(job(store, "a").await?.head.children(), Some(&Children::default()));
    assert!(job(store, "a").await?.is_recovering());
    assert!(!store.save_children(&array, &id("a-0"), &ended, at(2_000)).await?, "another submission");
    for moment in [at(2_000), at(2_100)] {
        assert!(store.save_children(&array, &id("a-1"), &looked_at(), moment).await?);
        let known = job(store, "a").await?;
        assert_eq!((known.head.children(), known.head.updated_at), (Some(&looked_at()), moment));
        assert_eq!((known.status(), known.is_recovering()), (Some(JobStatus::Failed), true));
    }
    let failed = looked_at().ended(false);
    assert!(store.save_children(&array, &id("a-1"), &failed, at(2_200)).await?);
    for late in [&ended, &failed, &looked_at()] {
        assert!(!store.save_children(&array, &id("a-1"), late, at(2_300)).await?, "an outcome never changes");
    }
    let known = job(store, "a").await?;
    assert_eq!((known.head.children(), known.head.updated_at), (Some(&failed), at(2_200)));
    assert_eq!((known.status(), known.is_recovering()), (Some(JobStatus::Failed), false));

    submit(store, "plain", "plain-1").await?;
    assert!(!store.save_children(&name("plain"), &id("plain-1"), &ended, at(2_000)).await?, "not asked for");
    assert_eq!(job(store, "plain").await?.head.children(), None);
    Ok(())
}

pub(super) async fn an_array_whose_children_succeeded_at_last_counts_as_succeeded<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    failed(store, "a", "a-1").await?;
    failed(store, "b", "b-1").await?;
    submit(store, "c", "c-1").await?;
    advance(store, "c", "c-1", JobStatus::Succeeded).await?;
    assert_eq!(names_with(store, JobStatus::Failed).await?, ["a", "b"]);
    assert!(store.save_children(&name("a"), &id("a-1"), &looked_at(), at(2_000)).await?);
    assert!(store.save_children(&name("a"), &id("a-1"), &looked_at().ended(true), at(2_100)).await?);

    let known = job(store, "a").await?;
    assert_eq!(
        (known.status(), known.state().and_then(JobState::cause)),
        (Some(JobStatus::Succeeded), Some(Cause::Child))
    );
    assert_eq!(store.jobs_named(&[name("a")]).await?, [Some(known)]);
    assert_eq!(names_with(store, JobStatus::Failed).await?, ["b"]);
    assert_eq!(names_with(store, JobStatus::Succeeded).await?, ["a", "c"]);
    let counts = store.count_by_status().await?;
    assert_eq!((counts[JobStatus::Succeeded], counts[JobStatus::Failed], counts.total()), (2, 1, 3));
    let jobs = walk(async |page| store.jobs(None, page.as_ref()).await).await?;
    assert_eq!(each_once(&jobs, |job| job.name().to_string())?, set(["a", "b", "c"]));
    let with = async |status| {
        let found = walk(async |page| store.submissions_with_status(status, page.as_ref()).await).await?;
        ids(&found)
    };
    assert_eq!(with(JobStatus::Failed).await?, set(["a-1", "b-1"]), "its submission stays as it was");
    assert_eq!(with(JobStatus::Succeeded).await?, set(["c-1"]));
    Ok(())
}

pub(super) async fn a_later_submission_of_a_recovered_array_counts_by_itself<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    failed(store, "a", "a-1").await?;
    assert!(store.save_children(&name("a"), &id("a-1"), &looked_at().ended(true), at(2_000)).await?);
    let nonce = granted(store, &array("a", Some("a-1"))).await?;
    assert_eq!(names_with(store, JobStatus::Succeeded).await?, ["a"], "a claim changes nothing yet");
    assert!(store.release(&name("a"), &nonce, Some("no such queue"), at(2_100)).await?);
    assert_eq!(job(store, "a").await?.status(), Some(JobStatus::Succeeded), "nor does one that was refused");

    failed(store, "a", "a-2").await?;
    assert_eq!(job(store, "a").await?.head.children(), Some(&Children::default()));
    assert_eq!(names_with(store, JobStatus::Failed).await?, ["a"]);
    assert_eq!(names_with(store, JobStatus::Succeeded).await?, [""; 0]);
    let late = store.save_children(&name("a"), &id("a-1"), &looked_at(), at(2_200)).await?;
    assert!(!late, "it is not the latest");
    store.remove_submission(&id("a-2")).await?;
    assert_eq!(job(store, "a").await?.status(), Some(JobStatus::Succeeded));
    assert_eq!(names_with(store, JobStatus::Succeeded).await?, ["a"]);
    let counts = store.count_by_status().await?;
    assert_eq!((counts[JobStatus::Succeeded], counts.total()), (1, 1));
    store.remove_job(&name("a")).await?;
    assert_eq!(store.count_by_status().await?.total(), 0);
    Ok(())
}
