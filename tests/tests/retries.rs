//! Which ends are followed by another try, in which budget, and in which queue.

use anyhow::Context as _;
use batchwright::domain::plan::Skip;
use batchwright::domain::spec::{FallbackQueue, RetryOn};
use batchwright::domain::{
    Cause, ClaimOutcome, Job, JobId, JobName, JobSpec, JobState, JobStatus, NewClaim, SubmitJobRequest,
};
use batchwright::engine::{LocalEngine, Scene};
use batchwright::ports::{
    ClaimStore as _, JobEngine, JobQueries as _, NoBus, PortError, StateStore as _, Unpaced, WorkLists as _,
};
use batchwright::use_cases::reconcile::ReconcilePolicy;
use batchwright::use_cases::record_state::{Recorded, Recorder};
use batchwright::use_cases::submit::{Asked, Order, SubmitOutcome, SubmitPolicy, submit};
use batchwright_tests::world::{Ends, World, after, exits, loses_host, run_id, spec, succeeds};

const POLICY: ReconcilePolicy = ReconcilePolicy {
    quarantine_ms: 1_000,
    silence_ms: 1_000,
    lost_after_ms: 60_000,
    asked_max: 10_000,
    listed_from: 20,
};

/// Killed for its memory, as far as an exit code tells.
fn runs_out_of_memory() -> Ends {
    exits(137)
}

/// Submissions end one after the other by a list; what comes after it succeeds.
fn one_by_one(ends: &'static [fn() -> Ends]) -> impl FnMut(&Scene<'_>) -> Ends + Send + 'static {
    move |scene| ends.get(scene.submission as usize - 1).map_or_else(succeeds, |end| end())
}

fn retried(name: &str, retry_on: &[(Cause, Option<u32>)], max_tries: u32) -> JobSpec {
    let retry_on = retry_on.iter().map(|&(cause, max_tries)| RetryOn { cause, max_tries }).collect();
    spec(name).with(|spec| {
        spec.retry_on = retry_on;
        spec.max_tries = max_tries;
    })
}

fn with_fallback(name: &str, after_losses: u32) -> JobSpec {
    let job_queue = "on-demand".to_owned();
    spec(name).with(|spec| {
        spec.fallback_queue = Some(FallbackQueue { job_queue, after_losses });
        spec.max_tries = 9;
    })
}

/// How the tries ended that were replaced, and where each went.
async fn tries(world: &World, name: &str) -> anyhow::Result<Vec<(String, Option<Cause>)>> {
    let head = world.job(name).await?.context("the job is not known")?.head;
    assert_eq!(
        head.tries.iter().map(|kept| &kept.job_id).collect::<Vec<_>>(),
        head.job_tries.iter().collect::<Vec<_>>()
    );
    Ok(head.tries.into_iter().map(|kept| (kept.job_queue, kept.end.and_then(|end| end.cause))).collect())
}

fn said(recorded: &[(JobState, Recorded)]) -> Vec<String> {
    let again = |(_, what): &(JobState, Recorded)| match what {
        Recorded::Resubmitted(resubmission) => Some(resubmission.to_string()),
        _ => None,
    };
    recorded.iter().filter_map(again).collect()
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_the_job_names_is_followed_by_another_try_and_each_says_why() -> anyhow::Result<()> {
    let mut world = World::new(one_by_one(&[|| exits(1), || exits(2)])).await?;
    world.submit(&retried("job", &[(Cause::ExitCode, None)], 4)).await?;
    let recorded = world.settle().await?;
    assert_eq!(world.status("job").await?, Some(JobStatus::Succeeded));
    assert_eq!(said(&recorded), ["EXIT_CODE, try 2 of 4", "EXIT_CODE, try 3 of 4"]);
    let queue = || "queue".to_owned();
    let exit = Some(Cause::ExitCode);
    assert_eq!(tries(&world, "job").await?, [(queue(), exit), (queue(), exit), (queue(), None)]);
    Ok(())
}

/// Lets nobody submit.
struct Denied<'a>(&'a LocalEngine);

impl JobEngine for Denied<'_> {
    async fn submit_job(&self, _: &SubmitJobRequest) -> Result<JobId, PortError> {
        Err(PortError::permanent("SubmitJob", "AccessDeniedException: not yours").of_caller())
    }

    batchwright_tests::hand_on! { 0: describe_jobs, list_jobs, list_jobs_since, cancel_job, terminate_job }
}

#[tokio::test(start_paused = true)]
async fn a_try_that_nobody_may_submit_now_is_made_when_somebody_may() -> anyhow::Result<()> {
    let mut world = World::new(one_by_one(&[loses_host])).await?;
    world.submit(&retried("job", &[], 4)).await?;
    world.engine.inner().idle().await;
    let (store, engine, clock) = (&world.store, &Denied(world.engine.inner()), &world.clock);
    let policy = SubmitPolicy::default();
    let denied = Recorder { store, engine, pace: &Unpaced, clock, bus: &NoBus, policy };
    let mut refused = 0;
    while let Ok(event) = world.events.try_recv() {
        let state = event.detail.state();
        match denied.record_state(&state).await {
            Ok(_) => {}
            // The message comes again, and goes to the dead-letter queue in the end.
            Err(error) => {
                assert!(state.status == JobStatus::Failed && error.is_of_caller(), "{state:?}: {error}");
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 1);
    assert!(batchwright::use_cases::reconcile::reconcile(&denied, &POLICY).await?.postponed > 0);
    assert_eq!(world.status("job").await?, Some(JobStatus::Failed));
    assert_eq!(world.reconcile(&POLICY).await?.resubmitted, 1, "with the permission it goes on");
    world.settle().await?;
    assert_eq!(world.status("job").await?, Some(JobStatus::Succeeded));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_second_look_at_a_lost_host_does_not_try_again_what_has_failed_by_itself_since()
-> anyhow::Result<()> {
    let mut world = World::new(one_by_one(&[loses_host, || exits(1)])).await?;
    world.submit(&retried("job", &[], 4)).await?;
    world.settle().await?;
    let Job { head, .. } = world.job("job").await?.unwrap();
    assert_eq!(head.job_tries.len(), 2);
    // What a slow delivery of the first end decided before the second submission was made.
    let asked = Asked::ByRetry { ended: &head.job_tries[0] };
    let order = Order { spec: &head.spec, run_id: &head.run_id, asked, sheet: None };
    let policy = SubmitPolicy::default();
    let outcome = submit(&world.store, &world.engine, &Unpaced, &world.clock, &policy, &order).await?;
    assert_eq!(outcome, SubmitOutcome::Skipped(Skip::Overtaken));
    assert_eq!(world.job("job").await?.unwrap().head.job_tries.len(), 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_the_job_does_not_name_is_final() -> anyhow::Result<()> {
    let mut world = World::new(one_by_one(&[|| exits(1)])).await?;
    world.submit(&retried("job", &[(Cause::OutOfMemory, None)], 4)).await?;
    world.settle().await?;
    let job = world.job("job").await?.unwrap();
    assert_eq!((job.status(), job.head.job_tries.len()), (Some(JobStatus::Failed), 1));
    assert!(world.store.unsettled_ends(None).await?.items.is_empty(), "it has been decided");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn losses_and_failures_use_up_budgets_of_their_own() -> anyhow::Result<()> {
    let script = one_by_one(&[loses_host, || exits(1), loses_host, runs_out_of_memory, loses_host]);
    let mut world = World::new(script).await?;
    let spec = retried("job", &[(Cause::ExitCode, Some(2)), (Cause::OutOfMemory, None)], 3);
    world.submit(&spec).await?;
    let recorded = world.settle().await?;
    let expected = [
        "HOST_LOST, try 2 of 3",
        "EXIT_CODE, try 2 of 2",
        "HOST_LOST, try 3 of 3",
        "OUT_OF_MEMORY, try 2 of 3",
    ];
    assert_eq!(said(&recorded), expected);
    let job = world.job("job").await?.unwrap();
    assert_eq!(job.state().and_then(JobState::cause), Some(Cause::HostLost), "the third loss is the last");
    assert_eq!(job.head.job_tries.len(), 5);
    assert!(matches!(world.submit(&spec).await?, SubmitOutcome::Submitted(_)), "a person may ask again");
    let asked = world.job("job").await?.unwrap().head;
    assert_eq!(
        (asked.tries_used(), asked.tries[4].end.and_then(|end| end.cause)),
        (1, Some(Cause::HostLost))
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_job_that_somebody_stopped_is_not_tried_again() -> anyhow::Result<()> {
    let mut world = World::new(|_| succeeds()).await?;
    let every: Vec<_> = Cause::ALL.into_iter().map(|cause| (cause, None)).collect();
    let SubmitOutcome::Submitted(job_id) = world.submit(&retried("job", &every, 9)).await? else { panic!() };
    world.engine.terminate_job(&job_id, "no longer wanted").await?;
    world.settle().await?;
    let job = world.job("job").await?.unwrap();
    assert_eq!(job.state().and_then(JobState::cause), Some(Cause::Terminated));
    assert_eq!(job.head.job_tries.len(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_dependant_goes_on_with_a_job_that_is_tried_again() -> anyhow::Result<()> {
    let first_fails = |scene: &Scene<'_>| {
        if scene.job_name.as_str() == "first" && scene.submission == 1 { exits(1) } else { succeeds() }
    };
    let mut world = World::new(first_fails).await?;
    world.submit(&retried("first", &[(Cause::ExitCode, None)], 4)).await?;
    world.submit(&after("second", "first")).await?;
    world.settle().await?;
    assert_eq!(world.store.count_by_status().await?[JobStatus::Succeeded], 2);
    assert_eq!(tries(&world, "second").await?[0].1, Some(Cause::Dependency));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn from_the_second_loss_on_a_job_goes_to_its_fallback_queue() -> anyhow::Result<()> {
    let mut world = World::new(one_by_one(&[loses_host, loses_host, loses_host])).await?;
    let spec = with_fallback("job", 2);
    world.submit(&spec).await?;
    let recorded = world.settle().await?;
    let expected = [
        "HOST_LOST, try 2 of 9",
        "HOST_LOST, try 3 of 9, in the queue on-demand",
        "HOST_LOST, try 4 of 9, in the queue on-demand",
    ];
    assert_eq!(said(&recorded), expected);
    let queues: Vec<_> = tries(&world, "job").await?.into_iter().map(|(queue, _)| queue).collect();
    assert_eq!(queues, ["queue", "queue", "on-demand", "on-demand"]);
    let listed = world.engine.list_jobs("on-demand", &JobName::parse("job")?, None).await?;
    assert_eq!(listed.items.len(), 2, "they really went there");
    let skipped = world.submit(&spec).await?;
    assert!(
        matches!(&skipped, SubmitOutcome::Skipped(skip) if skip.as_str() == "SUCCEEDED"),
        "not changed: {skipped:?}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_person_who_asks_again_gets_the_jobs_own_queue() -> anyhow::Result<()> {
    let mut world = World::new(one_by_one(&[loses_host, || exits(1)])).await?;
    let spec = with_fallback("job", 1);
    world.submit(&spec).await?;
    world.settle().await?;
    world.submit(&spec).await?;
    let queues: Vec<_> = tries(&world, "job").await?.into_iter().map(|(queue, _)| queue).collect();
    assert_eq!(queues, ["queue", "on-demand", "queue"]);
    Ok(())
}

/// A claim on the second try of a job that lost its host once, under which somebody died.
async fn claimed_for_the_fallback_queue(world: &mut World) -> anyhow::Result<batchwright::domain::Nonce> {
    let spec = with_fallback("job", 1);
    let SubmitOutcome::Submitted(first) = world.submit(&spec).await? else { panic!("not submitted") };
    world.engine.inner().idle().await;
    while let Ok(event) = world.events.try_recv() {
        world.store.apply_state(&event.detail.state(), world.now()).await?;
    }
    let claim = NewClaim {
        spec,
        run_id: run_id(),
        replaces: Some(first),
        replaced_end: None,
        job_queue: Some("on-demand".to_owned()),
        takes_over: None,
        resets_budget: false,
        on_sheet: false,
        now: world.now(),
        expires_at: world.now().plus_millis(5_000),
    };
    match world.store.claim(&claim).await? {
        ClaimOutcome::Granted(nonce) => Ok(nonce),
        other => anyhow::bail!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_found_in_the_fallback_queue() -> anyhow::Result<()> {
    let mut world = World::new(one_by_one(&[loses_host])).await?;
    let nonce = claimed_for_the_fallback_queue(&mut world).await?;
    let there = spec("job").with(|spec| spec.job_queue = "on-demand".to_owned());
    let taken = world.engine.inner().submit_job(&SubmitJobRequest::new(&there, &nonce, |_| None)).await?;
    world.engine.inner().idle().await;
    world.drop_events();
    world.pass(7_000).await;
    let done = world.reconcile(&POLICY).await?;
    assert_eq!((done.claims_adopted, done.claims_released, done.resubmitted), (1, 0, 0));
    let job = world.job("job").await?.unwrap();
    assert_eq!((job.head.job_id, job.head.tries[1].job_queue.as_str()), (Some(taken), "on-demand"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_claim_under_which_nothing_was_submitted_is_followed_by_a_try_in_the_same_queue()
-> anyhow::Result<()> {
    let mut world = World::new(one_by_one(&[loses_host])).await?;
    claimed_for_the_fallback_queue(&mut world).await?;
    world.pass(7_000).await;
    let done = world.reconcile(&POLICY).await?;
    assert_eq!((done.claims_released, done.resubmitted), (1, 1));
    world.settle().await?;
    let queues: Vec<_> = tries(&world, "job").await?.into_iter().map(|(queue, _)| queue).collect();
    assert_eq!(queues, ["queue", "on-demand"]);
    assert_eq!(world.status("job").await?, Some(JobStatus::Succeeded));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_was_written_but_not_followed_up_is_followed_up_once() -> anyhow::Result<()> {
    let mut world = World::new(one_by_one(&[|| exits(1)])).await?;
    world.submit(&retried("asks", &[(Cause::ExitCode, None)], 4)).await?;
    world.submit(&spec("does-not-ask")).await?;
    world.engine.inner().idle().await;
    while let Ok(event) = world.events.try_recv() {
        world.store.apply_state(&event.detail.state(), world.now()).await?;
    }
    assert_eq!(world.store.unsettled_ends(None).await?.items.len(), 2, "a state does not know its job");
    assert_eq!(world.reconcile(&POLICY).await?.resubmitted, 1);
    assert!(world.store.unsettled_ends(None).await?.items.is_empty());
    assert_eq!(world.reconcile(&POLICY).await?.resubmitted, 0);
    world.settle().await?;
    assert_eq!(world.status("asks").await?, Some(JobStatus::Succeeded));
    assert_eq!(world.status("does-not-ask").await?, Some(JobStatus::Failed));
    Ok(())
}
