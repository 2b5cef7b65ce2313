//! Children of an array that lost their hosts are run again, and no other is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use batchwright::domain::spec::{ArrayProperties, FallbackQueue};
use batchwright::domain::{Cause, JobId, JobName, JobSpec, JobState, JobStatus, SubmitJobRequest};
use batchwright::engine::{FaultPlan, FaultyEngine, LocalEngine, Scene};
use batchwright::ports::{JobEngine, JobQueries as _, NoBus, PortError, StateStore as _, WorkLists as _};
use batchwright::use_cases::reconcile::{ReconcilePolicy, Reconciled};
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

fn array(size: u32) -> JobSpec {
    spec("tiles").with(|spec| {
        spec.array_properties = Some(ArrayProperties::new(size));
        spec.resubmit_children = true;
    })
}

/// Children of these indexes lose their hosts, and their own jobs end so.
fn losing(indexes: &'static [u32], own: fn(&Scene<'_>) -> Ends) -> impl FnMut(&Scene<'_>) -> Ends + Send {
    move |scene| match scene.array_index {
        Some(index) if indexes.contains(&index) => loses_host(),
        Some(_) => succeeds(),
        None => own(scene),
    }
}

fn well(_: &Scene<'_>) -> Ends {
    succeeds()
}

async fn status(world: &World, name: &str) -> anyhow::Result<JobStatus> {
    world.status(name).await?.with_context(|| format!("{name} was not submitted"))
}

/// How often each job of its own name was submitted to the engine.
async fn submissions(world: &World, names: &[&str]) -> anyhow::Result<BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    for name in names {
        counts.insert((*name).to_owned(), world.submissions_in_engine(name).await?.len());
    }
    Ok(counts)
}

fn times<const N: usize>(counts: [(&str, usize); N]) -> BTreeMap<String, usize> {
    counts.map(|(name, count)| (name.to_owned(), count)).into()
}

/// The states that the engine has told and nobody has recorded.
async fn told(world: &mut World) -> Vec<JobState> {
    world.engine.inner().idle().await;
    let mut states = Vec::new();
    while let Ok(event) = world.events.try_recv() {
        states.push(event.detail.state());
    }
    states
}

/// Lets the jobs run with no event recorded and the reconciler finding out, until it finds nothing more.
async fn reconcile_alone(world: &mut World) -> anyhow::Result<()> {
    for _ in 0..20 {
        world.engine.inner().idle().await;
        world.drop_events();
        world.pass(2_000).await;
        if world.reconcile(&POLICY).await? == Reconciled::default() {
            return Ok(());
        }
    }
    anyhow::bail!("the reconciler does not come to an end")
}

#[tokio::test(start_paused = true)]
async fn children_that_lost_their_hosts_are_run_again_alone_and_the_array_has_succeeded() -> anyhow::Result<()>
{
    let mut world = World::new(losing(&[1, 3], well)).await?;
    world.submit(&array(5)).await?;
    let recorded = world.settle().await?;
    let job = world.job("tiles").await?.unwrap();
    assert_eq!((job.status(), job.state().unwrap().status), (Some(JobStatus::Succeeded), JobStatus::Failed));
    let names = ["tiles", "tiles--bw-child-1", "tiles--bw-child-3"];
    assert_eq!(submissions(&world, &names).await?, times(names.map(|name| (name, 1))));
    assert_eq!(world.store.count_by_status().await?.total(), 3, "no other child has a job");
    let said: Vec<String> = recorded
        .iter()
        .filter_map(|(state, what)| match what {
            Recorded::Resubmitted(again) => Some(format!("{} {again}", state.job_id.array_index().unwrap())),
            _ => None,
        })
        .collect();
    assert_eq!(said, ["1 HOST_LOST, try 2 of 4", "3 HOST_LOST, try 2 of 4"]);

    let own = &world.submissions_in_engine("tiles--bw-child-3").await?[0];
    let container = own.container.as_ref().unwrap();
    let value = |name: &str| {
        let found = container.environment.iter().find(|pair| pair.name.as_deref() == Some(name));
        found.and_then(|pair| pair.value.clone())
    };
    assert_eq!(
        (value("BATCHWRIGHT_ARRAY_INDEX"), value("BATCHWRIGHT_ARRAY_SIZE")),
        (Some("3".into()), Some("5".into()))
    );
    let again = world.submit(&array(5)).await?;
    assert!(matches!(&again, SubmitOutcome::Skipped(skip) if skip.as_str() == "SUCCEEDED"), "{again:?}");
    assert!(world.store.unsettled_ends(None).await?.items.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_array_that_does_not_ask_for_it_fails_with_its_children() -> anyhow::Result<()> {
    let mut world = World::new(losing(&[1], well)).await?;
    world.submit(&array(3).with(|spec| spec.resubmit_children = false)).await?;
    world.settle().await?;
    assert_eq!(status(&world, "tiles").await?, JobStatus::Failed);
    assert_eq!(world.store.count_by_status().await?.total(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn while_a_child_is_run_again_the_array_is_in_flight_whatever_a_person_asks() -> anyhow::Result<()> {
    let slowly = |_: &Scene<'_>| Ends::success_after(Duration::from_secs(3_600));
    let mut world = World::new(losing(&[0], slowly)).await?;
    world.submit(&array(2)).await?;
    loop {
        let state = world.events.recv().await.unwrap().detail.state();
        let what = world.recorder().record_state(&state).await?;
        if state.array_size.is_some() && state.status == JobStatus::Failed {
            assert_eq!(what, Recorded::Waiting);
            break;
        }
    }
    assert_eq!(status(&world, "tiles--bw-child-0").await?, JobStatus::Submitted);
    let (run_id, spec) = (run_id(), array(2));
    for rerun in [false, true] {
        let order = Order { spec: &spec, run_id: &run_id, asked: Asked::ByPerson { rerun }, sheet: None };
        let policy = SubmitPolicy::default();
        let asked = submit(&world.store, &world.engine, &world.engine, &world.clock, &policy, &order).await?;
        assert!(matches!(&asked, SubmitOutcome::Skipped(skip) if skip.as_str() == "IN_FLIGHT"), "{asked:?}");
    }
    let dependant = world.submit(&after("mosaic", "tiles")).await?;
    assert!(matches!(&dependant, SubmitOutcome::Deferred(why) if why.contains("run again")), "{dependant:?}");
    assert_eq!(world.store.unsettled_ends(None).await?.items.len(), 1, "nobody has to remember it");
    world.settle().await?;
    assert_eq!(status(&world, "tiles").await?, JobStatus::Succeeded);
    assert!(matches!(world.submit(&after("mosaic", "tiles")).await?, SubmitOutcome::Submitted(_)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_child_that_failed_by_its_program_fails_the_array_and_the_lost_ones_are_run_again()
-> anyhow::Result<()> {
    let script = |scene: &Scene<'_>| match scene.array_index {
        Some(0) => exits(3),
        Some(1) => loses_host(),
        _ => succeeds(),
    };
    let mut world = World::new(script).await?;
    world.submit(&array(3)).await?;
    world.settle().await?;
    assert_eq!(status(&world, "tiles").await?, JobStatus::Failed);
    assert_eq!(status(&world, "tiles--bw-child-1").await?, JobStatus::Succeeded);
    assert!(!world.job("tiles").await?.unwrap().is_recovering(), "it has been decided");
    assert!(matches!(world.submit(&array(3)).await?, SubmitOutcome::Submitted(_)), "a person may ask again");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn events_in_any_order_and_twice_lead_to_the_same() -> anyhow::Result<()> {
    let orders: [fn(Vec<JobState>) -> Vec<JobState>; 4] = [
        |states| states,
        |states| states.into_iter().rev().collect(),
        |states| states.iter().flat_map(|state| [state.clone(), state.clone()]).collect(),
        |mut states| {
            states.sort_by_key(|state| (state.array_size.is_none(), state.job_id.clone()));
            states.iter().chain(states.iter().rev()).cloned().collect()
        },
    ];
    for (number, order) in orders.into_iter().enumerate() {
        let mut world = World::new(losing(&[0, 2], well)).await?;
        world.submit(&array(4)).await?;
        loop {
            let states = told(&mut world).await;
            if states.is_empty() {
                break;
            }
            for state in order(states) {
                world.recorder().record_state(&state).await?;
            }
        }
        assert_eq!(status(&world, "tiles").await?, JobStatus::Succeeded, "order {number}");
        let names = ["tiles", "tiles--bw-child-0", "tiles--bw-child-2"];
        assert_eq!(submissions(&world, &names).await?, times(names.map(|name| (name, 1))), "order {number}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn without_any_event_the_reconciler_finds_every_lost_child_of_a_large_array() -> anyhow::Result<()> {
    let every_other = |scene: &Scene<'_>| match scene.array_index {
        Some(index) if index % 2 == 1 => loses_host(),
        _ => succeeds(),
    };
    let mut world = World::new(every_other).await?;
    world.submit(&array(230)).await?;
    reconcile_alone(&mut world).await?;
    assert_eq!(status(&world, "tiles").await?, JobStatus::Succeeded);
    assert_eq!(world.store.count_by_status().await?[JobStatus::Succeeded], 116, "the array and 115 children");
    assert_eq!(world.submissions_in_engine("tiles--bw-child-229").await?.len(), 1);
    let mut items = 0;
    batchwright::use_cases::queries::for_each_submission_of(&world.store, &JobName::parse("tiles")?, |_| {
        items += 1;
    })
    .await?;
    assert_eq!(items, 231, "what was asked is known: the logs of each child are archived");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn ends_that_were_written_but_not_followed_up_are_followed_up() -> anyhow::Result<()> {
    let mut world = World::new(losing(&[1], well)).await?;
    world.submit(&array(3)).await?;
    loop {
        let states = told(&mut world).await;
        if states.is_empty() {
            break;
        }
        for state in states {
            world.store.apply_state(&state, world.now()).await?;
        }
        world.reconcile(&POLICY).await?;
    }
    world.reconcile(&POLICY).await?;
    assert_eq!(status(&world, "tiles").await?, JobStatus::Succeeded);
    assert_eq!(world.submissions_in_engine("tiles--bw-child-1").await?.len(), 1);
    assert!(world.store.unsettled_ends(None).await?.items.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_depends_on_a_recovered_array_goes_on_after_it() -> anyhow::Result<()> {
    let mut world = World::new(losing(&[1], well)).await?;
    for spec in [array(3), after("mosaic", "tiles"), after("report", "mosaic")] {
        assert!(matches!(world.submit(&spec).await?, SubmitOutcome::Submitted(_)));
    }
    world.settle().await?;
    world.reconcile(&POLICY).await?;
    world.settle().await?;
    for name in ["tiles", "mosaic", "report"] {
        assert_eq!(status(&world, name).await?, JobStatus::Succeeded, "{name}");
    }
    let expected = times([("tiles", 1), ("mosaic", 2), ("report", 2)]);
    assert_eq!(submissions(&world, &["tiles", "mosaic", "report"]).await?, expected);
    assert!(world.store.unsettled_ends(None).await?.items.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_depends_on_an_array_that_did_not_recover_stays_failed() -> anyhow::Result<()> {
    let mut world = World::new(losing(&[1], |_| exits(1))).await?;
    world.submit(&array(3)).await?;
    world.submit(&after("mosaic", "tiles")).await?;
    world.settle().await?;
    world.reconcile(&POLICY).await?;
    assert_eq!(status(&world, "tiles").await?, JobStatus::Failed);
    let mosaic = world.job("mosaic").await?.unwrap();
    assert_eq!(mosaic.state().and_then(JobState::cause), Some(Cause::Dependency));
    assert_eq!(mosaic.head.job_tries.len(), 1);
    assert!(world.store.unsettled_ends(None).await?.items.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_childs_own_job_has_the_tries_that_are_left() -> anyhow::Result<()> {
    for (max_tries, own_tries) in [(1, 0), (2, 1), (4, 3)] {
        let mut world = World::new(|_| loses_host()).await?;
        world.submit(&array(2).with(|spec| spec.max_tries = max_tries)).await?;
        world.settle().await?;
        assert_eq!(status(&world, "tiles").await?, JobStatus::Failed, "{max_tries}");
        assert!(!world.job("tiles").await?.unwrap().is_recovering(), "{max_tries}");
        assert_eq!(world.submissions_in_engine("tiles--bw-child-1").await?.len(), own_tries, "{max_tries}");
        assert_eq!(world.submissions_in_engine("tiles").await?.len(), 1, "{max_tries}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_lost_child_goes_to_the_fallback_queue_like_any_job() -> anyhow::Result<()> {
    let own_loses_once = |scene: &Scene<'_>| if scene.submission == 1 { loses_host() } else { succeeds() };
    for (after_losses, there) in [(1, 2), (2, 1), (3, 0)] {
        let mut world = World::new(losing(&[0], own_loses_once)).await?;
        let fallback_queue = Some(FallbackQueue { job_queue: "on-demand".to_owned(), after_losses });
        world.submit(&array(2).with(|spec| spec.fallback_queue = fallback_queue)).await?;
        world.settle().await?;
        assert_eq!(status(&world, "tiles").await?, JobStatus::Succeeded);
        let listed = world.engine.list_jobs("on-demand", &JobName::parse("tiles--bw-child-0")?, None).await?;
        assert_eq!(listed.items.len(), there, "after {after_losses}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_later_submission_of_the_array_runs_its_own_lost_children_again() -> anyhow::Result<()> {
    let mut world = World::new(losing(&[1], well)).await?;
    let spec = array(2);
    world.submit(&spec).await?;
    world.settle().await?;
    let run_id = run_id();
    let order = Order { spec: &spec, run_id: &run_id, asked: Asked::ByPerson { rerun: true }, sheet: None };
    let policy = SubmitPolicy::default();
    submit(&world.store, &world.engine, &world.engine, &world.clock, &policy, &order).await?;
    assert_eq!(status(&world, "tiles").await?, JobStatus::Submitted);
    world.settle().await?;
    assert_eq!(status(&world, "tiles").await?, JobStatus::Succeeded);
    let expected = times([("tiles", 2), ("tiles--bw-child-1", 2)]);
    assert_eq!(submissions(&world, &["tiles", "tiles--bw-child-1"]).await?, expected);
    let own = world.job("tiles--bw-child-1").await?.unwrap().head;
    assert_eq!(own.tries_used(), 1, "its budget began anew");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_job_that_has_a_childs_name_is_left_alone() -> anyhow::Result<()> {
    let mut world = World::new(losing(&[1], well)).await?;
    world.submit(&spec("tiles--bw-child-1")).await?;
    world.settle().await?;
    world.submit(&array(2)).await?;
    world.settle().await?;
    assert_eq!(status(&world, "tiles").await?, JobStatus::Failed);
    assert_eq!(world.submissions_in_engine("tiles--bw-child-1").await?.len(), 1);
    assert!(world.store.unsettled_ends(None).await?.items.is_empty());
    Ok(())
}

/// Refuses the submissions of children's own jobs, but so many.
struct Refusing<'a> {
    engine: &'a FaultyEngine<LocalEngine>,
    admitted: AtomicU32,
}

impl JobEngine for Refusing<'_> {
    async fn submit_job(&self, request: &SubmitJobRequest) -> Result<JobId, PortError> {
        let own = request.spec().job_name.as_str().contains("--bw-child-");
        let admit = |left: u32| left.checked_sub(1);
        if own && self.admitted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, admit).is_err() {
            return Err(PortError::permanent("SubmitJob", "the queue is disabled"));
        }
        self.engine.submit_job(request).await
    }

    batchwright_tests::hand_on! { engine: describe_jobs, list_jobs, list_jobs_since, cancel_job, terminate_job }
}

#[tokio::test(start_paused = true)]
async fn an_array_whose_lost_child_is_refused_a_try_has_failed() -> anyhow::Result<()> {
    for (admitted, own) in [(0, None), (1, Some(JobStatus::Failed))] {
        let mut world = World::new(losing(&[1], |_| loses_host())).await?;
        world.submit(&array(2)).await?;
        let admit = AtomicU32::new(admitted);
        loop {
            let states = told(&mut world).await;
            if states.is_empty() {
                break;
            }
            let refusing =
                Refusing { engine: &world.engine, admitted: AtomicU32::new(admit.load(Ordering::Relaxed)) };
            let Recorder { store, pace, clock, policy, .. } = world.recorder();
            let recorder = Recorder { store, engine: &refusing, pace, clock, bus: &NoBus, policy };
            for state in &states {
                recorder.record_state(state).await?;
            }
            admit.store(refusing.admitted.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        assert_eq!(world.status("tiles--bw-child-1").await?, own);
        assert_eq!(status(&world, "tiles").await?, JobStatus::Failed);
        assert!(!world.job("tiles").await?.unwrap().is_recovering(), "it has been decided");
        assert!(
            matches!(world.submit(&array(2)).await?, SubmitOutcome::Submitted(_)),
            "a person may ask again"
        );
    }
    Ok(())
}

/// By seed: how each attempt ends, and so which children are lost, and how often.
fn by_seed(seed: u64) -> impl FnMut(&Scene<'_>) -> Ends + Send + 'static {
    move |scene: &Scene<'_>| {
        let place = format!("{}/{:?}/{}", scene.job_name, scene.array_index, scene.submission);
        let number = place.bytes().fold(seed, |hash, byte| hash.wrapping_mul(31) ^ u64::from(byte));
        match number % 16 {
            0..4 => loses_host(),
            4 if number % 5 == 0 => exits(1),
            _ => succeeds(),
        }
    }
}

/// Calls fail, answers and events are lost, doubled and late, and a person uploads the file again and again.
/// When the reconciler has come to rest, nothing has run that need not, and every array is decided as the
/// engine's books say. Returns what became of the arrays.
async fn arrays_are_decided_as_the_books_say(seed: u64) -> anyhow::Result<Vec<bool>> {
    let faults = FaultPlan {
        seed,
        throttled_permille: 50,
        refused_permille: 0,
        answer_lost_permille: 100,
        read_failed_permille: 50,
        list_delay: Duration::from_secs(1),
    };
    let mut world = World::with_faults(by_seed(seed), faults).await?;
    world.lose_and_repeat_events(seed);
    let names = ["tiles-0", "tiles-1", "tiles-2"];
    let specs = names.map(|name| {
        array(6).with(|array| {
            array.job_name = spec(name).job_name;
            array.max_tries = 3;
        })
    });
    let (mut quiet, mut asked) = (0, 0);
    for _ in 0..200 {
        for spec in specs.iter().filter(|_| asked < 5) {
            let known = world.job(spec.job_name.as_str()).await?;
            if known.is_none_or(|job| job.status() != Some(JobStatus::Failed) || job.is_recovering()) {
                world.submit(spec).await?;
            }
        }
        asked += 1;
        world.settle().await?;
        world.pass(700_000).await;
        quiet = if world.reconcile(&POLICY).await? == Reconciled::default() { quiet + 1 } else { 0 };
        if quiet == 2 {
            break;
        }
    }
    anyhow::ensure!(quiet == 2, "the reconciler never came to rest");
    anyhow::ensure!(world.store.unsettled_ends(None).await?.items.is_empty(), "an end is not settled");
    let mut decided = Vec::new();
    for spec in &specs {
        decided.push(is_decided_as_the_books_say(&world, spec).await?);
    }
    Ok(decided)
}

async fn is_decided_as_the_books_say(world: &World, spec: &JobSpec) -> anyhow::Result<bool> {
    let name = spec.job_name.as_str();
    let arrays = world.submissions_in_engine(name).await?;
    let [array] = arrays.as_slice() else { anyhow::bail!("{name}: {} submissions", arrays.len()) };
    let children: Vec<_> = (0..6).map(|index| array.job_id.array_child(index)).collect();
    let mut all_succeeded = true;
    for child in world.engine.inner().describe_jobs(&children).await? {
        let state = child.state();
        let index = child.job_id.array_index().context("a child has an index")?;
        let own = world.submissions_in_engine(&format!("{name}--bw-child-{index}")).await?;
        let lost = state.cause() == Some(Cause::HostLost);
        anyhow::ensure!(
            lost != own.is_empty(),
            "{name}:{index}: {:?}, {} of its own",
            state.cause(),
            own.len()
        );
        let (last, earlier) = match own.split_last() {
            Some((last, earlier)) => (last.state(), earlier),
            None => (state, &[][..]),
        };
        for replaced in earlier {
            anyhow::ensure!(
                replaced.state().cause() == Some(Cause::HostLost),
                "{name}:{index} was run twice"
            );
        }
        anyhow::ensure!(own.len() <= 2, "{name}:{index}: {} tries of its own", own.len());
        all_succeeded &= last.status == JobStatus::Succeeded;
    }
    let job = world.job(name).await?.context("the array is not known")?;
    let expected = if all_succeeded { JobStatus::Succeeded } else { JobStatus::Failed };
    anyhow::ensure!(job.status() == Some(expected), "{name}: {:?}, not {expected}", job.status());
    anyhow::ensure!(!job.is_recovering(), "{name} is not decided");
    Ok(all_succeeded && array.status == JobStatus::Failed)
}

#[tokio::test(start_paused = true)]
async fn whatever_is_lost_doubled_or_late_arrays_are_decided_as_the_books_say() -> anyhow::Result<()> {
    let mut recovered = BTreeMap::from([(true, 0), (false, 0)]);
    for seed in 0..100 {
        let decided = arrays_are_decided_as_the_books_say(seed).await;
        for array in decided.map_err(|error| error.context(format!("seed {seed}")))? {
            *recovered.entry(array).or_default() += 1;
        }
    }
    assert!(recovered.values().all(|&count| count > 50), "both happen often: {recovered:?}");
    Ok(())
}
