//! Children of an array that lost their hosts are run again, and no other is.

use std::collections::BTreeMap;
use std::time::Duration;

use batchwright::domain::spec::{ArrayProperties, FallbackQueue};
use batchwright::domain::{Cause, JobName, JobSpec, JobState, JobStatus};
use batchwright::engine::Scene;
use batchwright::ports::{JobEngine, JobStore};
use batchwright::use_cases::reconcile::{ReconcilePolicy, Reconciled};
use batchwright::use_cases::record_state::Recorded;
use batchwright::use_cases::submit::{Asked, Order, Outcome, SubmitPolicy, submit};
use batchwright_tests::world::{Ends, World, after, exits, loses_host, run_id, spec, succeeds};

const POLICY: ReconcilePolicy =
    ReconcilePolicy { quarantine_ms: 1_000, silence_ms: 1_000, lost_after_ms: 60_000 };

fn array(size: u32) -> JobSpec {
    JobSpec { array_properties: Some(ArrayProperties { size }), resubmit_children: true, ..spec("tiles") }
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
    Ok(world.status(name).await?.unwrap_or_else(|| panic!("{name} was not submitted")))
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
    assert!(matches!(&again, Outcome::Skipped(skip) if skip.as_str() == "SUCCEEDED"), "{again:?}");
    assert!(world.store.unsettled_ends(None).await?.items.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_array_that_does_not_ask_for_it_fails_with_its_children() -> anyhow::Result<()> {
    let mut world = World::new(losing(&[1], well)).await?;
    world.submit(&JobSpec { resubmit_children: false, ..array(3) }).await?;
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
        let order = Order { spec: &spec, run_id: &run_id, asked: Asked::ByPerson { rerun } };
        let policy = SubmitPolicy::default();
        let asked = submit(&world.store, &world.engine, &world.engine, &world.clock, &policy, &order).await?;
        assert!(matches!(&asked, Outcome::Skipped(skip) if skip.as_str() == "IN_FLIGHT"), "{asked:?}");
    }
    let dependant = world.submit(&after("mosaic", "tiles")).await?;
    assert!(matches!(&dependant, Outcome::Deferred(why) if why.contains("run again")), "{dependant:?}");
    assert_eq!(world.store.unsettled_ends(None).await?.items.len(), 1, "nobody has to remember it");
    world.settle().await?;
    assert_eq!(status(&world, "tiles").await?, JobStatus::Succeeded);
    assert!(matches!(world.submit(&after("mosaic", "tiles")).await?, Outcome::Submitted(_)));
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
    assert!(matches!(world.submit(&array(3)).await?, Outcome::Submitted(_)), "a person may ask again");
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
        items += 1
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
        assert!(matches!(world.submit(&spec).await?, Outcome::Submitted(_)));
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
        world.submit(&JobSpec { max_tries, ..array(2) }).await?;
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
        world.submit(&JobSpec { fallback_queue, ..array(2) }).await?;
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
    let order = Order { spec: &spec, run_id: &run_id, asked: Asked::ByPerson { rerun: true } };
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
