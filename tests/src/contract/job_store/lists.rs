use std::collections::BTreeSet;

use anyhow::ensure;
use batchwright::domain::{Job, JobHead, JobState, JobStatus, LogsRecord, NextLook, Submission};
use batchwright::ports::{JobStore, NewClaim, Page};

use crate::contract::fixtures::{
    EXPIRY, NOW, advance, at, each_once, granted, id, ids, known, name, run_id, set, state, submit, taken,
    walk, wish,
};

/// More than any adapter puts on one page.
const MANY: usize = 1_100;

fn names(jobs: &[Job]) -> anyhow::Result<BTreeSet<String>> {
    each_once(jobs, |job| job.name().to_string())
}

fn names_of_heads(heads: &[JobHead]) -> anyhow::Result<BTreeSet<String>> {
    each_once(heads, |head| head.spec.job_name.to_string())
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

pub(super) async fn only_what_has_not_ended_and_not_changed_is_silent<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    submit(store, "a", "a-1").await?;
    for (job_id, status, millis) in [
        ("old", JobStatus::Running, 500),
        ("old:3", JobStatus::Runnable, 600),
        ("old#1", JobStatus::Starting, 600),
        ("ended", JobStatus::Succeeded, 500),
        ("new", JobStatus::Running, 5_000),
    ] {
        store.apply_state(&state("other", job_id, status), at(millis)).await?;
    }
    let silent = async |since: i64| {
        ids(&walk(async |page| store.silent_submissions(at(since), page.as_ref()).await).await?)
    };
    assert_eq!(silent(400).await?, set([]));
    assert_eq!(silent(900).await?, set(["old", "old:3", "old#1"]));
    assert_eq!(silent(2_000).await?, set(["old", "old:3", "old#1", "a-1"]));
    store.apply_state(&state("other", "old", JobStatus::Failed), at(700)).await?;
    store.apply_state(&state("other", "old:3", JobStatus::Running), at(3_000)).await?;
    store.apply_state(&state("other", "old#1", JobStatus::Pending), at(3_000)).await?;
    assert_eq!(silent(2_000).await?, set(["old#1", "a-1"]), "a stale state is no sign of life");
    Ok(())
}

pub(super) async fn what_batch_had_no_news_of_is_silent_again_later<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    for job_id in ["heard", "unheard:3", "moved", "ended"] {
        store.apply_state(&state("a", job_id, JobStatus::Starting), at(500)).await?;
    }
    let silent = async |since: i64| {
        ids(&walk(async |page| store.silent_submissions(at(since), page.as_ref()).await).await?)
    };
    let (heard, unheard) = (known(store, "heard").await?, known(store, "unheard:3").await?);
    let read_before = [known(store, "moved").await?, known(store, "ended").await?];
    let absent = Submission { state: state("a", "absent", JobStatus::Running), ..heard.clone() };
    store.no_news(std::slice::from_ref(&heard), Some(at(1_500)), at(2_000)).await?;
    store.no_news(&[unheard.clone(), absent], None, at(2_000)).await?;
    store.no_news(&[], None, at(9_000)).await?;
    assert_eq!(silent(2_000).await?, set(["moved", "ended"]));
    assert_eq!(silent(2_001).await?, set(["heard", "unheard:3", "moved", "ended"]));
    assert_eq!(known(store, "heard").await?, Submission { updated_at: at(1_500), ..heard });
    assert_eq!(known(store, "unheard:3").await?, unheard, "asking is no sign of life");
    assert_eq!(store.submission(&id("absent")).await?, None);

    store.apply_state(&state("a", "moved", JobStatus::Running), at(600)).await?;
    let mut ended = state("a", "ended", JobStatus::Failed);
    ended.times.stopped_at = Some(at(550));
    store.apply_state(&ended, at(600)).await?;
    let now = [known(store, "moved").await?, known(store, "ended").await?];
    for stale in [&read_before, &now] {
        store.no_news(&stale[usize::from(stale == &now)..], Some(at(7_000)), at(8_000)).await?;
        assert_eq!([known(store, "moved").await?, known(store, "ended").await?], now, "{stale:?}");
    }
    assert_eq!(silent(700).await?, set(["moved"]));
    let unfinished = walk(async |page| store.unfinished_logs(at(560), page.as_ref()).await).await?;
    assert_eq!(ids(&unfinished)?, set(["ended"]), "its end is where it was");
    store.apply_state(&state("a", "heard", JobStatus::Running), at(2_500)).await?;
    assert_eq!(silent(2_400).await?, set(["moved", "unheard:3"]), "a state is a sign of life");
    Ok(())
}

pub(super) async fn lists_that_are_cut_short_leave_nobody_waiting_for_ever<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    const SUBMISSIONS: usize = 24;
    const ASKED: usize = 4;
    for number in 0..SUBMISSIONS {
        store.apply_state(&state("a", &format!("a-{number}"), JobStatus::Running), at(500)).await?;
    }
    let mut asked = BTreeSet::new();
    for pass in 1..=200 {
        // By then all are silent again.
        let since = at(pass * 1_000);
        let mut page = store.silent_submissions(since, None).await?;
        page.items.truncate(ASKED);
        store.no_news(&page.items, None, since).await?;
        asked.extend(ids(&page.items)?);
        if asked.len() == SUBMISSIONS {
            return Ok(());
        }
    }
    anyhow::bail!("only {asked:?} were ever asked about")
}

pub(super) async fn logs_are_unfinished_from_the_end_until_they_are_complete<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    let ended = |job_id: &str, status: JobStatus, stopped_at: Option<i64>| {
        let mut ended = state("a", job_id, status);
        ended.times.stopped_at = stopped_at.map(at);
        ended
    };
    for (state, now) in [
        (ended("early", JobStatus::Succeeded, Some(500)), 500),
        (ended("early:1", JobStatus::Failed, Some(500)), 500),
        (ended("late", JobStatus::Failed, Some(5_000)), 5_000),
        (ended("never-ran", JobStatus::Failed, None), 500),
        (ended("running", JobStatus::Running, None), 500),
    ] {
        store.apply_state(&state, at(now)).await?;
    }
    let unfinished = async |before: i64| {
        ids(&walk(async |page| store.unfinished_logs(at(before), page.as_ref()).await).await?)
    };
    assert_eq!(unfinished(400).await?, set([]));
    assert_eq!(unfinished(1_000).await?, set(["early", "early:1", "never-ran"]));
    assert_eq!(unfinished(6_000).await?, set(["early", "early:1", "never-ran", "late"]));
    let record = |complete| LogsRecord {
        manifest_key: "manifest".to_owned(),
        complete,
        incomplete_reason: (!complete).then(|| "the stream has not settled".to_owned()),
        events: 1,
        next_look: None,
    };
    store.save_logs(&id("early"), &record(true), at(600)).await?;
    store.save_logs(&id("early:1"), &record(false), at(600)).await?;
    assert_eq!(unfinished(1_000).await?, set(["early:1", "never-ran"]));
    store.save_logs(&id("running"), &record(true), at(600)).await?;
    store.apply_state(&ended("running", JobStatus::Succeeded, Some(700)), at(700)).await?;
    assert_eq!(unfinished(1_000).await?, set(["early:1", "never-ran"]), "complete logs stay complete");
    let looked_at = |next_look| LogsRecord { next_look: Some(next_look), ..record(true) };
    assert!(store.save_logs(&id("early"), &looked_at(NextLook::At(at(3_000))), at(700)).await?);
    assert_eq!(unfinished(3_000).await?, set(["early:1", "never-ran"]));
    assert_eq!(unfinished(3_001).await?, set(["early", "early:1", "never-ran"]), "a later look is due");
    assert!(!store.save_logs(&id("early"), &record(false), at(700)).await?, "a late loser");
    assert!(
        store
            .submission(&id("early"))
            .await?
            .is_some_and(|known| known.logs.is_some_and(|logs| logs.complete))
    );
    store.save_logs(&id("early"), &looked_at(NextLook::Never), at(700)).await?;
    let refused = LogsRecord { next_look: Some(NextLook::Never), ..record(false) };
    store.save_logs(&id("early:1"), &refused, at(700)).await?;
    assert_eq!(unfinished(3_001).await?, set(["never-ran"]), "nobody looks at them again");
    Ok(())
}

pub(super) async fn only_claims_that_stand_and_have_expired_are_listed<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    let released = granted(store, &wish("released", None)).await?;
    store.release(&name("released"), &released, None, NOW).await?;
    submit(store, "recorded", "recorded-1").await?;
    granted(store, &NewClaim { expires_at: at(9_000), ..wish("live", None) }).await?;
    granted(store, &wish("expired", None)).await?;
    submit(store, "again", "again-1").await?;
    granted(store, &wish("again", Some("again-1"))).await?;
    let expired = async |before: i64| {
        let heads = walk(async |page| store.expired_claims(at(before), page.as_ref()).await).await?;
        for head in &heads {
            let known = store.job(&head.spec.job_name).await?;
            ensure!(known.map(|job| job.head).as_ref() == Some(head), "{head:?} is not what is known");
        }
        names_of_heads(&heads)
    };
    assert_eq!(expired(EXPIRY.as_millis() - 1).await?, set([]));
    assert_eq!(expired(EXPIRY.as_millis() + 1).await?, set(["expired", "again"]));
    assert_eq!(expired(10_000).await?, set(["expired", "again", "live"]));
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
        if number % 2 == 0 {
            store.apply_state(&lost, NOW).await?;
        }
        expected.insert(job);
    }
    let half = |odd: usize| -> BTreeSet<String> {
        (0..MANY).filter(|number| number % 2 == odd).map(|number| format!("job-{number}")).collect()
    };
    let run = run_id("run-1");
    let all = walk(async |page| store.jobs(None, page.as_ref()).await).await?;
    let of_run = walk(async |page| store.jobs(Some(&run), page.as_ref()).await).await?;
    assert_eq!((names(&all)?, names(&of_run)?), (expected.clone(), expected));
    assert_eq!(with_status(store, JobStatus::Failed).await?, half(0));
    assert_eq!(with_status(store, JobStatus::Submitted).await?, half(1));
    let counts = store.count_by_status().await?;
    assert_eq!((counts[JobStatus::Failed], counts[JobStatus::Submitted]), (550, 550));
    let unsettled = walk(async |page| store.unsettled_ends(page.as_ref()).await).await?;
    assert_eq!(each_once(&unsettled, |found| found.state.job_name.to_string())?, half(0));
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
    let unfinished = walk(async |page| store.unfinished_logs(at(5_000), page.as_ref()).await).await?;
    assert_eq!(ids(&unfinished)?, ended);
    running.insert("a-1".to_owned());
    let silent = walk(async |page| store.silent_submissions(at(5_000), page.as_ref()).await).await?;
    assert_eq!(ids(&silent)?, running);
    let all = walk(async |page| store.submissions(&name("a"), page.as_ref()).await).await?;
    assert_eq!(ids(&all)?, running.union(&ended).cloned().collect());
    Ok(())
}

pub(super) async fn lists_of_claims_of_many_pages_hold_each_once<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    let mut expected = BTreeSet::new();
    for number in 0..MANY {
        let job = format!("job-{number}");
        granted(store, &wish(&job, None)).await?;
        expected.insert(job);
    }
    let heads = walk(async |page| store.expired_claims(at(5_000), page.as_ref()).await).await?;
    assert_eq!(names_of_heads(&heads)?, expected);
    assert_eq!(store.count_by_status().await?.unsubmitted, 1_100);
    Ok(())
}
