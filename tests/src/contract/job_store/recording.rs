use anyhow::Context as _;
use batchwright::domain::{FollowUp, JobStatus, NewSubmission, Nonce, RecordOutcome, Submission};
use batchwright::ports::JobStore;
use tokio::task::JoinSet;

use crate::contract::fixtures::{NOW, at, granted, id, known, name, state, submit, taken, wish};

pub(super) async fn a_recorded_submission_is_the_jobs_latest<S: JobStore>(store: &S) -> anyhow::Result<()> {
    let first = submit(store, "a", "a-1").await?;
    let job = store.job(&name("a")).await?.context("the job is not known")?;
    assert_eq!((job.head.claim.clone(), job.head.job_id.clone()), (None, Some(id("a-1"))));
    assert_eq!(job.head.submitted_at, Some(NOW));
    assert_eq!(job.status(), Some(JobStatus::Submitted));
    let item = known(store, "a-1").await?;
    assert_eq!(job.latest, Some(item.clone()));
    assert_eq!((item.state.nonce, item.state.job_name, item.updated_at), (Some(first), name("a"), NOW));

    let nonce = granted(store, &wish("a", Some("a-1"))).await?;
    let later = NewSubmission { now: at(1_700), ..taken("a", &nonce, "a-2") };
    assert_eq!(store.record_submission(&later).await?, RecordOutcome::Recorded);
    let job = store.job(&name("a")).await?.context("the job is not known")?;
    assert_eq!(job.head.job_tries, [id("a-1"), id("a-2")]);
    assert_eq!((job.head.job_id, job.head.updated_at), (Some(id("a-2")), at(1_700)));
    assert_eq!(job.head.submitted_at, Some(at(1_700)));
    assert_eq!(job.latest.map(|latest| latest.state.job_id), Some(id("a-2")));
    assert!(store.submission(&id("a-1")).await?.is_some(), "the earlier one is kept");
    Ok(())
}

pub(super) async fn known_surplus_and_unknown_submissions_are_told_apart<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    let first = submit(store, "a", "a-1").await?;
    let second = submit(store, "a", "a-2").await?;
    let third = granted(store, &wish("a", Some("a-2"))).await?;
    let before = store.job(&name("a")).await?;
    for (nonce, job_id, expected) in [
        (&second, "a-2", RecordOutcome::Known),
        (&first, "a-1", RecordOutcome::Known),
        (&third, "a-1", RecordOutcome::Known),
        (&first, "a-9", RecordOutcome::Surplus),
        (&second, "a-9", RecordOutcome::Surplus),
    ] {
        assert_eq!(store.record_submission(&taken("a", nonce, job_id)).await?, expected, "{job_id} {nonce}");
    }
    assert_eq!(store.job(&name("a")).await?, before, "the claim that stands is untouched");
    assert_eq!(store.submission(&id("a-9")).await?, None);

    assert!(store.release(&name("a"), &third, None, NOW).await?);
    let late = store.record_submission(&taken("a", &third, "a-3")).await?;
    assert_eq!(late, RecordOutcome::Surplus, "a claim that was given up submits nothing");
    let nobodys = Nonce::derive(&name("b"), "", 1);
    assert_eq!(store.record_submission(&taken("b", &nobodys, "b-1")).await?, RecordOutcome::Unknown);
    let another_stores = Nonce::derive(&name("a"), "another store's", 1);
    let theirs = store.record_submission(&taken("a", &another_stores, "a-4")).await?;
    assert_eq!(theirs, RecordOutcome::Unknown, "a job of the same name");
    assert_eq!((store.job(&name("b")).await?, store.submission(&id("b-1")).await?), (None, None));
    Ok(())
}

pub(super) async fn an_event_that_came_first_keeps_its_state<S: JobStore>(store: &S) -> anyhow::Result<()> {
    for (job, status) in [("a", JobStatus::Submitted), ("b", JobStatus::Running), ("c", JobStatus::Succeeded)]
    {
        let nonce = granted(store, &wish(job, None)).await?;
        let job_id = format!("{job}-1");
        let mut arrived = state(job, &job_id, status);
        arrived.nonce = Some(nonce.clone());
        arrived.job_queue = "from the event".to_owned();
        store.apply_state(&arrived, at(1_050)).await?;
        let without_head = store.job(&name(job)).await?.context("the job is not known")?;
        assert_eq!((without_head.head.job_id, without_head.latest), (None, None));

        assert_eq!(store.record_submission(&taken(job, &nonce, &job_id)).await?, RecordOutcome::Recorded);
        let found = store.job(&name(job)).await?.context("the job is not known")?;
        let expected =
            Submission { state: arrived, logs: None, updated_at: at(1_050), follow_up: FollowUp::Open };
        assert_eq!((found.status(), found.latest), (Some(status), Some(expected)));
    }
    Ok(())
}

pub(super) async fn of_eight_concurrent_submissions_under_one_claim_one_is_recorded<
    S: JobStore + Clone + 'static,
>(
    store: &S,
) -> anyhow::Result<()> {
    let nonce = granted(store, &wish("a", None)).await?;
    let submissions = (0..8).map(|number| taken("a", &nonce, &format!("a-{number}")));
    let recorded = race(store, submissions, RecordOutcome::Surplus).await?;
    assert_eq!(recorded.len(), 1);
    let job = store.job(&name("a")).await?.context("the job is not known")?;
    assert_eq!(job.head.job_tries, [recorded[0].job_id.clone()]);
    assert_eq!(job.head.job_id, Some(recorded[0].job_id.clone()));
    Ok(())
}

pub(super) async fn eight_concurrent_recorders_of_one_submission_record_it_once<
    S: JobStore + Clone + 'static,
>(
    store: &S,
) -> anyhow::Result<()> {
    let nonce = granted(store, &wish("a", None)).await?;
    let submissions = (0..8).map(|_| taken("a", &nonce, "a-1"));
    assert_eq!(race(store, submissions, RecordOutcome::Known).await?.len(), 1);
    let job = store.job(&name("a")).await?.context("the job is not known")?;
    assert_eq!(job.head.job_tries, [id("a-1")]);
    Ok(())
}

/// Records all at once; returns those that were recorded. The others must be `otherwise`.
async fn race<S: JobStore + Clone + 'static>(
    store: &S,
    submissions: impl Iterator<Item = NewSubmission>,
    otherwise: RecordOutcome,
) -> anyhow::Result<Vec<NewSubmission>> {
    let mut recorders = JoinSet::new();
    for submission in submissions {
        let store = store.clone();
        recorders.spawn(async move {
            let outcome = store.record_submission(&submission).await;
            (submission, outcome)
        });
    }
    let mut recorded = Vec::new();
    while let Some(joined) = recorders.join_next().await {
        match joined? {
            (submission, Ok(RecordOutcome::Recorded)) => recorded.push(submission),
            (_, outcome) => assert_eq!(outcome?, otherwise),
        }
    }
    Ok(recorded)
}

pub(super) async fn either_the_release_or_the_record_takes_the_claim<S: JobStore + Clone + 'static>(
    store: &S,
) -> anyhow::Result<()> {
    for round in 0..10 {
        let (job, job_id) = (format!("job-{round}"), format!("id-{round}"));
        let nonce = granted(store, &wish(&job, None)).await?;
        let (recorder, releaser) = (store.clone(), store.clone());
        let submission = taken(&job, &nonce, &job_id);
        let record = tokio::spawn(async move { recorder.record_submission(&submission).await });
        let given_up = name(&job);
        let release = tokio::spawn(async move { releaser.release(&given_up, &nonce, None, NOW).await });
        let (recorded, released) = (record.await??, release.await??);
        let expected = if released { RecordOutcome::Surplus } else { RecordOutcome::Recorded };
        assert_eq!(recorded, expected);
        let head = store.job(&name(&job)).await?.context("the job is not known")?.head;
        assert_eq!((head.claim, head.job_id.is_none()), (None, released));
    }
    Ok(())
}

pub(super) async fn a_submission_of_another_program_is_taken_in_without_a_claim<S: JobStore>(
    store: &S,
) -> anyhow::Result<()> {
    let arrived = state("a", "a-1", JobStatus::Running);
    store.apply_state(&arrived, at(900)).await?;
    assert_eq!(store.take_in(&wish("a", None), &id("a-1")).await?, RecordOutcome::Recorded);
    let job = store.job(&name("a")).await?.context("the job is not known")?;
    assert_eq!((&job.head.claim, &job.head.job_id), (&None, &Some(id("a-1"))));
    assert_eq!(
        (job.head.submitted_at, job.status()),
        (Some(NOW), Some(JobStatus::Running)),
        "the event is kept"
    );
    assert_eq!(store.take_in(&wish("a", None), &id("a-1")).await?, RecordOutcome::Known);
    assert_eq!(store.take_in(&wish("a", None), &id("a-9")).await?, RecordOutcome::Surplus, "not the latest");
    assert_eq!(store.job(&name("a")).await?, Some(job));

    assert_eq!(store.take_in(&wish("a", Some("a-1")), &id("a-2")).await?, RecordOutcome::Recorded);
    let job = store.job(&name("a")).await?.context("the job is not known")?;
    assert_eq!(job.head.job_tries, [id("a-1"), id("a-2")]);
    assert_eq!(
        job.latest.map(|latest| (latest.state.job_id, latest.state.status)),
        Some((id("a-2"), JobStatus::Submitted))
    );
    let listed = crate::contract::fixtures::walk(async |page| {
        store.jobs_with_status(JobStatus::Submitted, page.as_ref()).await
    });
    assert_eq!(listed.await?.len(), 1);

    let nonce = granted(store, &wish("a", Some("a-2"))).await?;
    assert_eq!(
        store.take_in(&wish("a", Some("a-2")), &id("a-3")).await?,
        RecordOutcome::Surplus,
        "it is claimed"
    );
    assert_eq!(store.submission(&id("a-3")).await?, None);
    assert_eq!(store.record_submission(&taken("a", &nonce, "a-4")).await?, RecordOutcome::Recorded);
    Ok(())
}

pub(super) async fn of_eight_concurrent_submissions_of_others_one_is_taken_in<
    S: JobStore + Clone + 'static,
>(
    store: &S,
) -> anyhow::Result<()> {
    let mut all = JoinSet::new();
    for number in 0..8 {
        let (store, job_id) = (store.clone(), id(&format!("a-{number}")));
        all.spawn(async move { store.take_in(&wish("a", None), &job_id).await });
    }
    let mut recorded = 0;
    while let Some(joined) = all.join_next().await {
        match joined?? {
            RecordOutcome::Recorded => recorded += 1,
            outcome => assert_eq!(outcome, RecordOutcome::Surplus),
        }
    }
    let head = store.job(&name("a")).await?.context("the job is not known")?.head;
    assert_eq!((recorded, head.job_tries.len(), head.claim), (1, 1, None));
    Ok(())
}
