//! Passes of the reconciler that are cut short, and what they must not believe.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use batchwright::domain::spec::ArrayProperties;
use batchwright::domain::{
    Cause, ClaimOutcome, JobId, JobName, JobState, JobStatus, NewClaim, NewSubmission, Nonce,
    SubmitJobRequest,
};
use batchwright::engine::{AttemptOutcome as Ends, FaultPlan, LocalEngine};
use batchwright::events::JobDetail;
use batchwright::ports::{
    ClaimStore as _, Cursor, JobEngine, JobQueries as _, JobSummary, NoBus, Page, PortError, StateStore as _,
    Unpaced, WorkLists as _,
};
use batchwright::use_cases::reconcile::{Found, ReconcilePolicy, Reconciled, reconcile, reconcile_counting};
use batchwright::use_cases::record_state::Recorder;
use batchwright::use_cases::submit::SubmitPolicy;
use batchwright_tests::world::{World, run_id, spec, succeeds};

const POLICY: ReconcilePolicy = ReconcilePolicy {
    quarantine_ms: 1_000,
    silence_ms: 1_000,
    lost_after_ms: 60_000,
    asked_max: 100,
    listed_from: 20,
};

const CLAIM_MS: i64 = 5_000;

/// An engine whose `DescribeJobs` never answers after so many calls, or knows nothing.
struct Reluctant<'a> {
    inner: &'a LocalEngine,
    describes_left: AtomicU32,
    forgets: AtomicBool,
    lists_no_queue: AtomicBool,
    /// Listings by name, and by the time of creation.
    lists: [AtomicU32; 2],
}

impl<'a> Reluctant<'a> {
    fn new(inner: &'a LocalEngine, describes_left: u32) -> Self {
        Self {
            inner,
            describes_left: AtomicU32::new(describes_left),
            forgets: AtomicBool::new(false),
            lists_no_queue: AtomicBool::new(false),
            lists: Default::default(),
        }
    }

    /// Listings by name and by the time of creation, and descriptions.
    fn calls(&self) -> [u32; 3] {
        let [by_name, by_time] = &self.lists;
        let described = u32::MAX - self.describes_left.load(Ordering::Relaxed);
        [by_name.load(Ordering::Relaxed), by_time.load(Ordering::Relaxed), described]
    }

    async fn pass(&self, world: &World) -> Result<Reconciled, PortError> {
        reconcile(&recorder(world, self), &POLICY).await
    }
}

fn recorder<'a, E>(
    world: &'a World,
    engine: &'a E,
) -> Recorder<'a, batchwright::memory::InMemoryJobStore, E, Unpaced, batchwright::engine::VirtualClock> {
    let World { store, clock, .. } = world;
    Recorder { store, engine, pace: &Unpaced, clock, bus: &NoBus, policy: SubmitPolicy::default() }
}

impl JobEngine for Reluctant<'_> {
    async fn describe_jobs(&self, job_ids: &[JobId]) -> Result<Vec<JobDetail>, PortError> {
        if self.forgets.load(Ordering::Relaxed) {
            return Ok(Vec::new());
        }
        if self.describes_left.load(Ordering::Relaxed) == 0 {
            std::future::pending::<()>().await;
        }
        self.describes_left.fetch_sub(1, Ordering::Relaxed);
        self.inner.describe_jobs(job_ids).await
    }

    async fn list_jobs(
        &self,
        job_queue: &str,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        self.lists[0].fetch_add(1, Ordering::Relaxed);
        self.inner.list_jobs(job_queue, job_name, page).await
    }

    async fn list_jobs_since(
        &self,
        job_queue: &str,
        since: batchwright::domain::Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        self.lists[1].fetch_add(1, Ordering::Relaxed);
        if self.lists_no_queue.load(Ordering::Relaxed) {
            return Err(PortError::throttled("ListJobs", None));
        }
        self.inner.list_jobs_since(job_queue, since, page).await
    }

    batchwright_tests::hand_on! { inner: submit_job, cancel_job, terminate_job }
}

/// What a submitter does that dies before it hears the answer.
async fn submit_unheard(world: &World, name: &str, nonce: &Nonce) -> Result<JobId, PortError> {
    world.engine.inner().submit_job(&SubmitJobRequest::new(&spec(name), nonce, |_| None)).await
}

fn for_hours() -> Ends {
    Ends::success_after(Duration::from_secs(36_000))
}

#[tokio::test(start_paused = true)]
async fn a_job_that_can_t_be_taken_over_now_is_in_somebodys_hands_at_every_moment() -> anyhow::Result<()> {
    let refusing = FaultPlan { refused_permille: 1_000, ..FaultPlan::default() };
    let mut world = World::with_faults(|_| succeeds(), refusing).await?;
    let first = world.claim(&spec("job"), CLAIM_MS).await?;
    world.pass(6_500).await;
    let done = world.reconcile(&POLICY).await?;
    assert_eq!(done, Reconciled { postponed: 1, ..Reconciled::default() });
    let standing = world.job("job").await?.unwrap().head.claim.expect("a claim stands");
    assert_ne!(standing.nonce, first, "a new one, which expires");
    world.pass(400_000).await;
    let done = reconcile(&recorder(&world, world.engine.inner()), &POLICY).await?;
    assert_eq!((done.claims_released, done.resubmitted, done.postponed), (1, 1, 0));
    world.settle().await?;
    assert_eq!(world.status("job").await?, Some(JobStatus::Succeeded));
    assert_eq!(world.submissions_in_engine("job").await?.len(), 1);
    Ok(())
}

/// Two calls for a hundred claims: at five calls a second, a hundred thousand claims are settled in seven minutes.
#[tokio::test(start_paused = true)]
async fn the_claims_of_an_outage_are_settled_in_hundreds() -> anyhow::Result<()> {
    const TAKEN: usize = 2_000;
    let mut world = World::new(|_| succeeds()).await?;
    for number in 0..TAKEN {
        let name = format!("taken-{number}");
        let nonce = world.claim(&spec(&name), CLAIM_MS).await?;
        submit_unheard(&world, &name, &nonce).await?;
    }
    for number in 0..10 {
        world.claim(&spec(&format!("never-submitted-{number}")), CLAIM_MS).await?;
    }
    world.drop_events();
    world.pass(6_500).await;
    let engine = Reluctant::new(world.engine.inner(), u32::MAX);
    engine.lists_no_queue.store(true, Ordering::Relaxed);
    let all = TAKEN as u64 + 10;
    assert_eq!(engine.pass(&world).await?, Reconciled { postponed: all, ..Reconciled::default() });
    assert_eq!(engine.calls(), [0, 1, 0], "what fails for a queue is not asked for each of its jobs");
    engine.lists_no_queue.store(false, Ordering::Relaxed);
    let done = engine.pass(&world).await?;
    assert_eq!((done.claims_adopted, done.resubmitted, done.postponed), (TAKEN as u64, 10, 0));
    let [by_name, by_time, described] = engine.calls();
    println!("{all} claims: {by_time} calls of ListJobs, {described} of DescribeJobs");
    assert!(by_name == 0 && by_time <= 22 && described <= 21, "{:?}", engine.calls());
    for name in ["taken-0", "taken-1999", "never-submitted-9"] {
        assert_eq!(world.submissions_in_engine(name).await?.len(), 1, "{name}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_queue_with_many_more_jobs_than_claims_is_not_listed_to_its_end() -> anyhow::Result<()> {
    let mut world = World::new(|_| succeeds()).await?;
    let strange = Nonce::derive(&JobName::parse("other")?, "another stack's", 1);
    for number in 0..2_500 {
        submit_unheard(&world, &format!("other-{number}"), &strange).await?;
    }
    for number in 0..POLICY.listed_from {
        let name = format!("job-{number}");
        let nonce = world.claim(&spec(&name), CLAIM_MS).await?;
        submit_unheard(&world, &name, &nonce).await?;
    }
    world.drop_events();
    world.pass(6_500).await;
    let engine = Reluctant::new(world.engine.inner(), u32::MAX);
    let done = engine.pass(&world).await?;
    assert_eq!(done.claims_adopted, POLICY.listed_from as u64);
    let claims = u32::try_from(POLICY.listed_from)?;
    assert_eq!(engine.calls(), [claims, claims, 1], "as many again as by name, at most");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_not_given_up_while_a_listed_job_is_not_described() -> anyhow::Result<()> {
    let world = World::new(|_| for_hours()).await?;
    let nonce = world.claim(&spec("job"), CLAIM_MS).await?;
    let job_id = submit_unheard(&world, "job", &nonce).await?;
    world.pass(6_500).await;
    let engine = Reluctant::new(world.engine.inner(), u32::MAX);
    engine.forgets.store(true, Ordering::Relaxed);
    for _ in 0..2 {
        assert_eq!(engine.pass(&world).await?, Reconciled { postponed: 1, ..Reconciled::default() });
    }
    engine.forgets.store(false, Ordering::Relaxed);
    let done = engine.pass(&world).await?;
    assert_eq!((done.claims_adopted, done.claims_released), (1, 0));
    assert_eq!(world.job("job").await?.unwrap().head.job_tries, [job_id]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_surplus_submission_without_events_is_found_in_the_listing_and_terminated() -> anyhow::Result<()> {
    let mut world = World::new(|_| for_hours()).await?;
    let given_up = world.claim(&spec("job"), CLAIM_MS).await?;
    world.store.release(&spec("job").job_name, &given_up, None, world.now()).await?;
    let surplus = submit_unheard(&world, "job", &given_up).await?;
    world.claim(&spec("job"), CLAIM_MS).await?;
    world.pass(6_500).await;
    world.drop_events();
    let done = world.reconcile(&POLICY).await?;
    assert_eq!((done.surplus_terminated, done.claims_adopted, done.resubmitted), (1, 0, 1));
    let found = world.submissions_in_engine("job").await?;
    let ended = found.iter().find(|detail| detail.job_id == surplus).unwrap();
    assert_eq!((found.len(), ended.status, ended.is_terminated), (2, JobStatus::Failed, Some(true)));
    assert_eq!(world.job("job").await?.unwrap().head.job_tries.len(), 1);
    Ok(())
}

/// A world in which so many jobs run and nothing is heard of them.
async fn silent_world(jobs: usize) -> anyhow::Result<World> {
    let mut world = World::new(|_| for_hours()).await?;
    for number in 0..jobs {
        world.submit(&spec(&format!("job-{number}"))).await?;
    }
    world.pass(2_000).await;
    world.drop_events();
    Ok(world)
}

/// How many have been heard of since the world was made.
async fn heard_of(world: &World) -> anyhow::Result<usize> {
    let mut heard = 0;
    for status in [JobStatus::Submitted, JobStatus::Runnable, JobStatus::Starting, JobStatus::Running] {
        let mut cursor = None;
        loop {
            let page = world.store.submissions_with_status(status, cursor.as_ref()).await?;
            let since = batchwright_tests::world::START.plus_millis(1_000);
            heard += page.items.iter().filter(|item| item.updated_at > since).count();
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
    }
    Ok(heard)
}

#[tokio::test(start_paused = true)]
async fn a_pass_asks_about_so_many_and_the_next_about_those_that_wait_longest() -> anyhow::Result<()> {
    let world = silent_world(250).await?;
    for (pass, heard) in [(1, 100), (2, 200), (3, 250)] {
        assert_eq!(world.reconcile(&POLICY).await?.described, 100, "pass {pass}");
        assert_eq!(heard_of(&world).await?, heard, "pass {pass}");
        world.pass(2_000).await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_is_killed_over_and_over_still_comes_to_everyone() -> anyhow::Result<()> {
    let world = silent_world(250).await?;
    let policy = ReconcilePolicy { asked_max: 1_000, ..POLICY };
    for (pass, heard) in [(1, 100), (2, 200), (3, 250)] {
        let engine = Reluctant::new(world.engine.inner(), 1);
        let recorder = recorder(&world, &engine);
        let (mut done, mut found) = (Reconciled::default(), Found::default());
        let killed = reconcile_counting(&recorder, &policy, &mut done, &mut found);
        assert!(tokio::time::timeout(Duration::from_secs(100), killed).await.is_err());
        assert_eq!((done.described, heard_of(&world).await?), (100, heard), "pass {pass}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_submission_is_lost_so_long_after_batch_last_knew_it_not_after_it_was_last_asked()
-> anyhow::Result<()> {
    let world = silent_world(1).await?;
    let engine = Reluctant::new(world.engine.inner(), u32::MAX);
    world.pass(48_000).await;
    assert_eq!(engine.pass(&world).await?.described, 1, "first it says that it runs");
    world.pass(2_000).await;
    assert_eq!(engine.pass(&world).await?.described, 1, "then that nothing has changed");
    engine.forgets.store(true, Ordering::Relaxed);
    for _ in 0..5 {
        world.pass(11_000).await;
        assert_eq!(engine.pass(&world).await?.lost, 0, "at most 55 s have passed since");
    }
    world.pass(6_000).await;
    assert_eq!(engine.pass(&world).await?.lost, 1);
    let job = world.job("job-0").await?.unwrap();
    assert_eq!(job.state().and_then(JobState::cause), Some(Cause::Lost));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn children_of_which_nothing_was_heard_are_found_after_their_parents_end() -> anyhow::Result<()> {
    let mut world = World::new(|_| succeeds()).await?;
    let mut array = spec("array");
    array.array_properties = Some(ArrayProperties::new(3));
    world.submit(&array).await?;
    world.engine.inner().idle().await;
    while let Ok(event) = world.events.try_recv() {
        if event.detail.status.is_terminal() && event.detail.job_id.parent().is_none() {
            world.recorder().record_state(&event.detail.state()).await?;
        }
    }
    assert_eq!(world.status("array").await?, Some(JobStatus::Succeeded));
    assert_eq!(world.reconcile(&POLICY).await?, Reconciled::default(), "they may be on their way");
    world.pass(1_500).await;
    assert_eq!(world.reconcile(&POLICY).await?, Reconciled { described: 3, ..Reconciled::default() });
    let found = world.store.submissions(&array.job_name, None).await?.items;
    assert!(found.len() == 4 && found.iter().all(|item| item.state.status == JobStatus::Succeeded));
    world.pass(1_500).await;
    assert_eq!(world.reconcile(&POLICY).await?, Reconciled::default(), "and that is all");
    assert!(world.store.unsettled_ends(None).await?.items.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_parent_stays_in_view_while_a_claim_stands() -> anyhow::Result<()> {
    let world = World::new(|_| succeeds()).await?;
    let nonce = world.claim(&spec("array"), CLAIM_MS).await?;
    let job_id = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8")?;
    let job_name = spec("array").job_name;
    let made = NewSubmission { job_name: job_name.clone(), nonce, job_id: job_id.clone(), now: world.now() };
    world.store.record_submission(&made).await?;
    let ended = JobState {
        status: JobStatus::Failed,
        status_reason: Some("Host EC2 (instance i-1) terminated.".to_owned()),
        array_size: Some(2),
        ..JobState::submitted(job_name, job_id.clone(), None)
    };
    world.store.apply_state(&ended, world.now()).await?;
    let again = NewClaim {
        spec: spec("array"),
        run_id: run_id(),
        replaces: Some(job_id),
        replaced_end: None,
        job_queue: None,
        takes_over: None,
        resets_budget: false,
        on_sheet: false,
        now: world.now(),
        expires_at: world.now().plus_millis(60_000),
    };
    assert!(matches!(world.store.claim(&again).await?, ClaimOutcome::Granted(_)));
    world.pass(2_000).await;
    assert_eq!(world.reconcile(&POLICY).await?, Reconciled::default());
    assert_eq!(world.store.unsettled_ends(None).await?.items.len(), 1, "what follows is not decided");
    Ok(())
}
