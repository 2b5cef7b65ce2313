use std::collections::BTreeSet;

use anyhow::ensure;
use batchwright::domain::{Job, JobState, JobStatus, NewClaim};
use batchwright::ports::{Applied, JobStore, Page};

use super::MANY;
use crate::contract::fixtures::{
    NOW, advance, at, each_once, granted, ids, in_flight, name, run_id, set, state, submit, taken, walk,
    wish, without_logs,
};

fn names(jobs: &[Job]) -> anyhow::Result<BTreeSet<String>> {
    each_once(jobs, |job| job.name().to_string())
}

async fn with_status<S: JobStore>(store: &S, status: JobStatus) -> anyhow::Result<BTreeSet<String>> {
    let jobs = walk(async |page| store.jobs_with_status(status, page.as_ref()).await).await?;
    ensure!(jobs.iter().all(|job| job.status() == Some(status)), "a job has another status than {status}");
    names(&jobs)
}

pub(super) async fn jobs_named_answers_in_the_order_of_the_names<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    submit(store, "b", "b-1").await?;
    submit(store, "a", "a-1").await?;
    granted(store, &wish("claimed", None)).await?;
    let asked = ["a", "missing", "claimed", "b", "a"].map(name);
    let found = store.jobs_named(&asked).await?;
    assert_eq!(found.len(), asked.len());
    for (found, asked) in found.iter().zip(&asked) {
        assert_eq!(found, &store.job(asked).await?, "{asked}");
    }
    assert_eq!(found.iter().filter(|job| job.is_none()).count(), 1);
    assert_eq!(store.jobs_named(&[]).await?, []);
    let many: Vec<_> = (0..250).map(|number| name(&format!("x-{number}"))).chain([name("b")]).collect();
    let found = store.jobs_named(&many).await?;
    assert_eq!((found.len(), found.iter().flatten().count()), (251, 1));
    assert!(found[250].is_some());
    Ok(())
}

pub(super) async fn an_empty_store_has_empty_lists<S: JobStore>(store: &S) -> anyhow::Result<()> {
    assert_eq!(store.jobs(None, None).await?, Page::last(vec![]));
    assert_eq!(store.count_by_status().await?.total(), 0);
    assert!(walk(async |page| store.submissions(&name("a"), page.as_ref()).await).await?.is_empty());
    assert!(walk(async |page| store.expired_claims(at(i64::MAX), page.as_ref()).await).await?.is_empty());
    assert!(walk(async |page| store.silent_submissions(at(i64::MAX), page.as_ref()).await).await?.is_empty());
    assert!(walk(async |page| store.unfinished_logs(at(i64::MAX), page.as_ref()).await).await?.is_empty());
    assert!(walk(async |page| store.unsettled_ends(page.as_ref()).await).await?.is_empty());
    Ok(())
}

pub(super) async fn a_job_counts_once_by_its_latest_submission<S: JobStore>(store: &S) -> anyhow::Result<()> {
    submit(store, "twice", "twice-1").await?;
    advance(store, "twice", "twice-1", JobStatus::Failed).await?;
    submit(store, "twice", "twice-2").await?;
    advance(store, "twice", "twice-2", JobStatus::Running).await?;
    submit(store, "array", "array-1").await?;
    advance(store, "array", "array-1:0", JobStatus::Succeeded).await?;
    advance(store, "array", "array-1#0", JobStatus::Failed).await?;
    granted(store, &wish("claimed", None)).await?;
    advance(store, "stranger", "stranger-1", JobStatus::Running).await?;

    let counts = store.count_by_status().await?;
    assert_eq!((counts[JobStatus::Running], counts[JobStatus::Submitted], counts.unsubmitted), (1, 1, 1));
    assert_eq!(counts.total(), 3);
    assert_eq!(with_status(store, JobStatus::Running).await?, set(["twice"]));
    assert_eq!(with_status(store, JobStatus::Submitted).await?, set(["array"]));
    assert_eq!(with_status(store, JobStatus::Failed).await?, set([]));
    assert_eq!(with_status(store, JobStatus::Succeeded).await?, set([]));

    let failed = JobStatus::Failed;
    let items = walk(async |page| store.submissions_with_status(failed, page.as_ref()).await).await?;
    assert_eq!(ids(&items)?, set(["twice-1", "array-1#0"]), "submissions, children and nodes all count here");
    advance(store, "twice", "twice-2", JobStatus::Succeeded).await?;
    granted(store, &wish("twice", Some("twice-2"))).await?;
    assert_eq!(with_status(store, JobStatus::Running).await?, set([]));
    assert_eq!(with_status(store, JobStatus::Succeeded).await?, set(["twice"]), "a claim changes no status");
    Ok(())
}

pub(super) async fn a_job_belongs_to_the_run_that_claimed_it_last<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    submit(store, "a", "a-1").await?;
    submit(store, "b", "b-1").await?;
    granted(store, &NewClaim { run_id: run_id("run-2"), ..wish("b", Some("b-1")) }).await?;
    granted(store, &NewClaim { run_id: run_id("run-10"), ..wish("c", None) }).await?;
    for (run, expected) in
        [("run-1", set(["a"])), ("run-2", set(["b"])), ("run-10", set(["c"])), ("run", set([]))]
    {
        let run = run_id(run);
        let jobs = walk(async |page| store.jobs(Some(&run), page.as_ref()).await).await?;
        assert_eq!(names(&jobs)?, expected, "{run}");
    }
    let all = walk(async |page| store.jobs(None, page.as_ref()).await).await?;
    assert_eq!(names(&all)?, set(["a", "b", "c"]));
    let b = all.into_iter().find(|job| *job.name() == name("b"));
    assert_eq!(b, store.job(&name("b")).await?, "a list holds what a look-up finds");
    Ok(())
}

pub(super) async fn lists_of_jobs_of_many_pages_hold_each_once<S: JobStore>(store: &S) -> anyhow::Result<()> {
    let mut expected = BTreeSet::new();
    for number in 0..MANY {
        let (job, job_id) = (format!("job-{number}"), format!("id-{number}"));
        let nonce = granted(store, &wish(&job, None)).await?;
        store.record_submission(&taken(&job, &nonce, &job_id)).await?;
        let lost = JobState {
            status_reason: Some("Host EC2 (instance i-1) terminated.".to_owned()),
            ..state(&job, &job_id, JobStatus::Failed)
        };
        match number % 4 {
            0 | 2 => store.apply_state(&lost, NOW).await?,
            1 => store.apply_state(&state(&job, &job_id, JobStatus::Succeeded), NOW).await?,
            _ => Applied::Stale,
        };
        expected.insert(job);
    }
    let those = |rests: &[usize]| -> BTreeSet<String> {
        (0..MANY)
            .filter(|number| rests.contains(&(number % 4)))
            .map(|number| format!("job-{number}"))
            .collect()
    };
    let run = run_id("run-1");
    let all = walk(async |page| store.jobs(None, page.as_ref()).await).await?;
    let of_run = walk(async |page| store.jobs(Some(&run), page.as_ref()).await).await?;
    assert_eq!((names(&all)?, names(&of_run)?), (expected.clone(), expected));
    let [failed, succeeded, submitted] = [&[0, 2][..], &[1], &[3]].map(those);
    assert_eq!(with_status(store, JobStatus::Failed).await?, failed);
    assert_eq!(with_status(store, JobStatus::Succeeded).await?, succeeded);
    assert_eq!(with_status(store, JobStatus::Submitted).await?, submitted);
    let counts = store.count_by_status().await?;
    let counted =
        [JobStatus::Failed, JobStatus::Succeeded, JobStatus::Submitted].map(|status| counts[status]);
    assert_eq!((counted, counts.total()), ([550, 275, 275], 1_100));
    let unsettled = walk(async |page| store.unsettled_ends(page.as_ref()).await).await?;
    assert_eq!(each_once(&unsettled, |found| found.state.job_name.to_string())?, failed);
    Ok(())
}

pub(super) async fn lists_of_children_of_many_pages_hold_each_once<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    submit(store, "a", "a-1").await?;
    let (mut running, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for index in 0..MANY {
        let (in_flight, done) = (format!("a-1:{index}"), format!("a-2:{index}"));
        advance(store, "a", &in_flight, JobStatus::Running).await?;
        advance(store, "a", &done, JobStatus::Succeeded).await?;
        running.insert(in_flight);
        ended.insert(done);
    }
    let status = JobStatus::Running;
    let with_status = walk(async |page| store.submissions_with_status(status, page.as_ref()).await).await?;
    assert_eq!(ids(&with_status)?, running);
    let unfinished = without_logs(store, at(5_000)).await?;
    assert_eq!(ids(&unfinished)?, ended);
    running.insert("a-1".to_owned());
    assert_eq!(ids(&in_flight(store, at(5_000)).await?)?, running);
    let all = walk(async |page| store.submissions(&name("a"), page.as_ref()).await).await?;
    assert_eq!(ids(&all)?, running.union(&ended).cloned().collect());
    Ok(())
}
