//! What was left behind is found, whatever was lost on the way.

use std::time::Duration;

use batchwright::domain::{Cause, JobId, JobState, JobStatus, NewSubmission, RecordOutcome};
use batchwright::engine::{FaultPlan, FaultyEngine, Scene};
use batchwright::ports::{ClaimStore as _, JobQueries as _, StateStore as _};
use batchwright::use_cases::reconcile::{ReconcilePolicy, Reconciled};
use batchwright::use_cases::submit::SubmitOutcome;
use batchwright_tests::world::{Ends, World, after, exits, loses_host, spec, succeeds};

const POLICY: ReconcilePolicy = ReconcilePolicy {
    quarantine_ms: 1_000,
    silence_ms: 1_000,
    lost_after_ms: 60_000,
    asked_max: 1_000,
    listed_from: 20,
};

const CLAIM_MS: i64 = 5_000;

#[tokio::test(start_paused = true)]
async fn a_claim_whose_submitter_died_before_the_call_is_given_up_and_the_job_submitted() -> anyhow::Result<()>
{
    let mut world = World::new(|_| succeeds()).await?;
    world.claim(&spec("job"), CLAIM_MS).await?;
    world.pass(5_500).await;
    assert_eq!(world.reconcile(&POLICY).await?, Reconciled::default(), "it is in quarantine");
    world.pass(1_000).await;
    let done = world.reconcile(&POLICY).await?;
    assert_eq!((done.claims_released, done.resubmitted), (1, 1));
    world.settle().await?;
    assert_eq!(world.status("job").await?, Some(JobStatus::Succeeded));
    assert_eq!(world.submissions_in_engine("job").await?.len(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_without_a_successor_at_no_moment_until_the_job_is_submitted() -> anyhow::Result<()> {
    let faults = FaultPlan { throttled_permille: 1_000, ..FaultPlan::default() };
    let mut world = World::with_faults(|_| succeeds(), faults).await?;
    let first = world.claim(&spec("job"), CLAIM_MS).await?;
    world.pass(6_500).await;
    let done = world.reconcile(&POLICY).await?;
    assert_eq!((done.claims_released, done.resubmitted, done.postponed), (0, 0, 1));
    let standing = world.job("job").await?.unwrap().head.claim.map(|claim| claim.nonce);
    assert!(standing.is_some_and(|nonce| nonce != first), "the wish to submit has another claim");
    world.engine = FaultyEngine::new(world.engine.inner().clone(), FaultPlan::default());
    world.pass(302_000).await;
    assert_eq!(world.reconcile(&POLICY).await?.resubmitted, 1, "the next pass that may, submits it");
    world.settle().await?;
    assert_eq!(world.status("job").await?, Some(JobStatus::Succeeded));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_dependency_was_forgotten_is_given_up_with_the_reason() -> anyhow::Result<()> {
    let world = World::new(|_| succeeds()).await?;
    world.claim(&after("next", "forgotten"), CLAIM_MS).await?;
    world.pass(6_500).await;
    let done = world.reconcile(&POLICY).await?;
    assert_eq!((done.claims_released, done.resubmitted), (1, 0));
    let head = world.job("next").await?.unwrap().head;
    assert_eq!(head.claim, None);
    assert_eq!(head.refusal.as_deref(), Some("it depends on forgotten, which was never submitted"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_submission_of_a_claim_that_was_given_up_is_terminated() -> anyhow::Result<()> {
    let mut world = World::new(|_| succeeds()).await?;
    let first = world.claim(&spec("job"), CLAIM_MS).await?;
    world.store.release(&spec("job").job_name, &first, None, world.now()).await?;
    let SubmitOutcome::Submitted(kept) = world.submit(&spec("job")).await? else { panic!("not submitted") };
    let late = batchwright::domain::SubmitJobRequest::new(&spec("job"), &first, |_| None);
    let surplus = batchwright::ports::JobEngine::submit_job(world.engine.inner(), &late).await?;
    world.settle().await?;
    let ended = world.submissions_in_engine("job").await?;
    assert_eq!(ended.len(), 2);
    let surplus = ended.iter().find(|detail| detail.job_id == surplus).unwrap();
    assert_eq!((surplus.status, surplus.is_terminated), (JobStatus::Failed, Some(true)));
    let job = world.job("job").await?.unwrap();
    assert_eq!((job.status(), job.head.job_tries), (Some(JobStatus::Succeeded), vec![kept]));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn submissions_without_news_are_asked_about() -> anyhow::Result<()> {
    let mut world = World::new(|scene| if scene.submission == 1 { loses_host() } else { succeeds() }).await?;
    for name in ["a", "b"] {
        world.submit(&spec(name)).await?;
    }
    world.engine.inner().idle().await;
    world.drop_events();
    world.pass(2_000).await;
    let done = world.reconcile(&POLICY).await?;
    assert_eq!((done.described, done.resubmitted), (2, 2));
    world.settle().await?;
    assert_eq!(world.store.count_by_status().await?[JobStatus::Succeeded], 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_submission_that_batch_no_longer_knows_ends_as_lost() -> anyhow::Result<()> {
    let world = World::new(|_| succeeds()).await?;
    let nonce = world.claim(&spec("job"), CLAIM_MS).await?;
    let job_id = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8")?;
    let submission = NewSubmission { job_name: spec("job").job_name, nonce, job_id, now: world.now() };
    assert_eq!(world.store.record_submission(&submission).await?, RecordOutcome::Recorded);
    world.pass(30_000).await;
    assert_eq!(world.reconcile(&POLICY).await?.lost, 0, "not yet");
    world.pass(40_000).await;
    assert_eq!(world.reconcile(&POLICY).await?.lost, 1);
    let job = world.job("job").await?.unwrap();
    assert_eq!(job.state().and_then(JobState::cause), Some(Cause::Lost));
    let reason = job.state().unwrap().status_reason.clone().unwrap();
    assert!(reason.contains("it was SUBMITTED when it was last heard of"), "{reason}");
    assert_eq!(world.reconcile(&POLICY).await?, Reconciled::default(), "and that is all");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_end_that_was_written_but_not_followed_up_is_followed_up() -> anyhow::Result<()> {
    let mut world = World::new(|scene| if scene.submission == 1 { loses_host() } else { succeeds() }).await?;
    world.submit(&spec("job")).await?;
    world.engine.inner().idle().await;
    while let Ok(event) = world.events.try_recv() {
        world.store.apply_state(&event.detail.state(), world.now()).await?;
    }
    assert_eq!(world.status("job").await?, Some(JobStatus::Failed));
    assert_eq!(world.reconcile(&POLICY).await?.resubmitted, 1);
    world.settle().await?;
    assert_eq!(world.status("job").await?, Some(JobStatus::Succeeded));
    Ok(())
}

/// By seed: jobs of which some fail, some lose hosts, and some depend on others.
fn script(seed: u64) -> impl FnMut(&Scene<'_>) -> Ends + Send + 'static {
    move |scene: &Scene<'_>| {
        let number =
            scene.job_name.as_str().bytes().fold(seed, |hash, byte| hash.wrapping_mul(31) ^ u64::from(byte));
        match (number.wrapping_add(u64::from(scene.submission) * 7)) % 10 {
            0 | 1 => loses_host(),
            2 => exits(1),
            _ => succeeds(),
        }
    }
}

/// Everything at once: calls throttled, refused, and answered into the void; events doubled, delayed,
/// dropped. After the reconciler has passed, the store says what the engine's own books say.
async fn store_and_engine_agree(seed: u64) -> anyhow::Result<()> {
    let faults = FaultPlan {
        seed,
        throttled_permille: 100,
        refused_permille: 50,
        answer_lost_permille: 100,
        read_failed_permille: 50,
        list_delay: Duration::from_secs(1),
    };
    let mut world = World::with_faults(script(seed), faults).await?;
    world.lose_and_repeat_events(seed);

    let mut names = Vec::new();
    for index in 0..25 {
        let name = format!("job-{index}");
        let job = if index % 5 == 4 { after(&name, &format!("job-{}", index - 1)) } else { spec(&name) };
        names.push(name);
        for _ in 0..20 {
            match world.submit(&job).await? {
                SubmitOutcome::Deferred(_) => {
                    world.pass(700_000).await;
                    world.reconcile(&POLICY).await?;
                }
                _ => break,
            }
        }
    }
    let mut quiet = 0;
    for _ in 0..200 {
        world.settle().await?;
        world.pass(700_000).await;
        quiet = if world.reconcile(&POLICY).await? == Reconciled::default() { quiet + 1 } else { 0 };
        if quiet == 2 {
            break;
        }
    }
    anyhow::ensure!(quiet == 2, "the reconciler never came to rest");
    for name in &names {
        let job = world.job(name).await?.ok_or_else(|| anyhow::anyhow!("{name} is lost"))?;
        let submissions = world.submissions_in_engine(name).await?;
        let real: Vec<_> = submissions.iter().filter(|detail| detail.is_terminated != Some(true)).collect();
        anyhow::ensure!(job.head.claim.is_none(), "{name}: a claim stands");
        anyhow::ensure!(
            job.head.job_tries.len() == real.len(),
            "{name}: {} tries are known, {} were made",
            job.head.job_tries.len(),
            real.len()
        );
        let latest = real.iter().find(|detail| Some(&detail.job_id) == job.head.job_id.as_ref());
        let known = job.state().map(|state| (state.status, state.exit_code, state.status_reason.clone()));
        let real = latest
            .map(|detail| detail.state())
            .map(|state| (state.status, state.exit_code, state.status_reason));
        anyhow::ensure!(known == real, "{name}: known {known:?}, real {real:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whatever_is_lost_doubled_or_late_the_store_ends_as_the_engines_books_say() -> anyhow::Result<()> {
    for seed in 0..200 {
        store_and_engine_agree(seed).await.map_err(|error| error.context(format!("seed {seed}")))?;
    }
    Ok(())
}
