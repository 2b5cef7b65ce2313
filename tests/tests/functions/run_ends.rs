//! The ends of jobs and runs, told once each by a stable id.

use std::time::Duration;

use batchwright::domain::{JobName, JobStatus, Run, RunOutcome, RunState};
use batchwright::engine::{AttemptOutcome, Ending, Scene};
use batchwright::events::Announcement;
use batchwright::ports::{Clock as _, EventBus, JobRemoval as _, NoBus, PortError, RunStore as _, Unpaced};
use batchwright::use_cases::prune::{Pruned, prune};
use batchwright::use_cases::record_state::Recorder;
use batchwright::use_cases::submit::SubmitPolicy;
use serde_json::{Value, json};

use crate::world::{World, batch, handed_back, job, texts, uploaded};
use crate::{reconciler, state_handler, submitter};

/// Submits jobs as one run.
async fn submit(world: &World, jobs: &[Value]) {
    let ports = submitter::ports(world, Unpaced);
    let event = json!({"jobs": jobs});
    ::submitter::handle(&ports, &submitter::config(), event, &world.invocation(900)).await.unwrap();
}

async fn deliver(world: &World, events: &[Value], bus: &impl EventBus) -> Vec<u64> {
    let World { store, engine, clock, .. } = world;
    let policy = SubmitPolicy::default();
    let recorder = Recorder { store, engine, pace: &Unpaced, clock, bus, policy };
    let messages = batch(texts(events));
    let config = state_handler::config();
    let answer = ::state_handler::handle(&recorder, &config, messages, &world.invocation(900)).await.unwrap();
    handed_back(&answer.body)
}

async fn only_run(world: &World) -> Run {
    let mut runs = world.store.runs(None).await.unwrap().items;
    assert_eq!(runs.len(), 1);
    runs.remove(0)
}

/// `lost` loses its host at first, `bad` fails, and others succeed.
fn script(scene: &Scene<'_>) -> AttemptOutcome {
    let outcome = AttemptOutcome::success_after(Duration::from_secs(5));
    match (scene.job_name.as_str(), scene.submission) {
        ("lost", 1) => outcome.ending(Ending::HostLost),
        ("bad", _) => outcome.ending(Ending::Exit(3)),
        _ => outcome,
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_with_its_last_job_in_whatever_order_the_ends_come() {
    for turned in [false, true] {
        let mut world = World::with(script).await;
        submit(&world, &[job("one"), job("lost"), job("bad")]).await;
        let mut events = world.run_all().await;
        if turned {
            events.reverse();
        }
        assert_eq!(deliver(&world, &events, &world.bus).await, [0_u64; 0]);
        assert_eq!(only_run(&world).await.end, None, "the lost job was submitted again");
        assert_eq!(world.bus.jobs().len(), 2, "a lost try is no end of its job");
        let mut again = world.run_all().await;
        if turned {
            again.reverse();
        }
        deliver(&world, &again, &world.bus).await;
        let run = only_run(&world).await;
        let end = run.end.unwrap();
        assert_eq!((end.succeeded, end.failed, end.outcome, end.told), (2, 1, RunOutcome::Failed, true));
        let told = world.bus.runs();
        assert_eq!(
            (told.len(), told[0].status, &told[0].id),
            (1, RunOutcome::Failed, &format!("run/{}", run.run_id))
        );
        let lost = world.bus.jobs().into_iter().find(|told| told.job_name.as_str() == "lost").unwrap();
        assert_eq!((lost.status, lost.submissions), (JobStatus::Succeeded, 2));
        let bad = world.bus.jobs().into_iter().find(|told| told.job_name.as_str() == "bad").unwrap();
        assert_eq!(
            (bad.status, bad.cause.as_deref(), bad.exit_code),
            (JobStatus::Failed, Some("EXIT_CODE"), Some(3))
        );
        // Delivered again, ends of jobs are told again under their ids, and the run's is not.
        deliver(&world, &again, &world.bus).await;
        let ids: std::collections::BTreeSet<String> =
            world.bus.jobs().into_iter().map(|told| told.id).collect();
        assert_eq!((ids.len(), world.bus.runs().len()), (3, 1));
        assert_eq!(only_run(&world).await, run, "nothing is written");
    }
}

/// Takes nothing in.
struct Away;

impl EventBus for Away {
    async fn put(&self, _: &[Announcement]) -> Result<(), PortError> {
        Err(PortError::retryable("PutEvents", "it is away"))
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_bus_is_away_ends_wait_in_their_queue_and_the_run_for_the_reconciler() {
    let mut world = World::with(submitter::quick).await;
    submit(&world, &[job("one")]).await;
    let events = world.run_all().await;
    let last = events.len() as u64 - 1;
    assert_eq!(deliver(&world, &events, &Away).await, [last], "the state was recorded all the same");
    assert_eq!(world.status("one").await, Some(JobStatus::Succeeded));
    deliver(&world, &events, &world.bus).await;
    assert_eq!((world.bus.jobs().len(), world.bus.runs().len()), (1, 1));

    // The end of a run that was written and not told is told by the next pass.
    let mut run = only_run(&world).await;
    let before = run.clone();
    run.ending.looks += 1;
    run.end.as_mut().unwrap().told = false;
    assert!(world.store.save_run(&run).await.unwrap());
    assert_eq!(reconciler::pass(&world).await.runs_ended, 1);
    assert_eq!(reconciler::pass(&world).await.runs_ended, 0);
    let told = world.bus.runs();
    assert_eq!((told.len(), &told[0]), (2, &told[1]), "under the same id");
    assert_eq!(only_run(&world).await.end, before.end);
}

#[tokio::test(start_paused = true)]
async fn runs_that_no_event_ends_are_ended_by_the_reconciler() {
    let mut world = World::with(submitter::quick).await;
    submit(&world, &[job("one")]).await;
    // Its events are lost, and so is what would have told of the second run, which finds its job done.
    world.run_all().await;
    assert_eq!(reconciler::pass(&world).await.runs_ended, 0, "its job is under way");
    let waiting = only_run(&world).await;
    assert_eq!(waiting.ending.waits_for.as_ref().map(JobName::as_str), Some("one"));
    assert_eq!(reconciler::pass(&world).await.runs_ended, 0);
    assert_eq!(only_run(&world).await, waiting, "a look that finds nothing new writes nothing");
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    assert_eq!(
        reconciler::pass(&world).await.runs_ended,
        1,
        "the reconciler asks, and the run ends in the same pass"
    );
    assert_eq!((world.bus.jobs().len(), world.bus.runs().len()), (1, 1));

    world.objects.put("jobs/again.json", "", json!([job("one")]).to_string());
    let ports = submitter::ports(&world, Unpaced);
    let again = uploaded("jobs/again.json");
    ::submitter::handle(&ports, &submitter::config(), again, &world.invocation(900)).await.unwrap();
    assert_eq!(reconciler::pass(&world).await.runs_ended, 1, "nothing of it was submitted");
    assert_eq!(world.bus.runs()[1].status, RunOutcome::Succeeded);
    assert_eq!(world.bus.runs()[1].counts.skipped, 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_one_of_whose_jobs_was_removed_ends_once_the_list_must_have_settled() {
    let mut world = World::with(submitter::quick).await;
    submit(&world, &[job("one"), job("two")]).await;
    world.store.remove_job(&JobName::parse("two").unwrap()).await.unwrap();
    let events = world.run_all().await;
    deliver(&world, &events, &world.bus).await;
    assert_eq!(only_run(&world).await.end, None, "an index may lag behind");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(reconciler::pass(&world).await.runs_ended, 1);
    assert_eq!(only_run(&world).await.end.unwrap().succeeded, 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_bus_a_run_ends_all_the_same() {
    let mut world = World::with(submitter::quick).await;
    submit(&world, &[job("one")]).await;
    let events = world.run_all().await;
    deliver(&world, &events, &NoBus).await;
    let run = only_run(&world).await;
    assert_eq!((run.state, run.end.unwrap().succeeded), (RunState::Submitted, 1));
    assert!(!run.has_work_left());
}

#[tokio::test(start_paused = true)]
async fn an_array_whose_lost_child_is_run_again_is_told_of_once_and_its_child_never() {
    let mut world = World::with(|scene: &Scene<'_>| {
        let outcome = AttemptOutcome::success_after(Duration::from_secs(5));
        if scene.array_index == Some(1) { outcome.ending(Ending::HostLost) } else { outcome }
    })
    .await;
    let mut array = job("tiles");
    array["arrayProperties"] = json!({"size": 3});
    array["resubmitChildren"] = json!(true);
    submit(&world, &[array]).await;
    loop {
        let events = world.run_all().await;
        if events.is_empty() {
            break;
        }
        deliver(&world, &events, &world.bus).await;
    }
    let told: Vec<_> =
        world.bus.jobs().into_iter().map(|told| (told.job_name.to_string(), told.status)).collect();
    assert_eq!(told, [("tiles".to_owned(), JobStatus::Succeeded)]);
    let end = only_run(&world).await.end;
    assert_eq!(end.map(|end| (end.succeeded, end.failed)), Some((1, 0)), "a child counts with its array");
}

#[tokio::test(start_paused = true)]
async fn what_ended_long_ago_is_pruned_and_what_is_under_way_stays() {
    const DAY: Duration = Duration::from_secs(86_400);
    let mut world = World::with(|scene: &Scene<'_>| {
        let long = if scene.job_name.as_str() == "long" { 90 } else { 0 };
        AttemptOutcome::success_after(Duration::from_secs(5) + long * DAY)
    })
    .await;
    submit(&world, &[job("old")]).await;
    let events = world.run_all_of("old").await;
    deliver(&world, &events, &NoBus).await;
    tokio::time::sleep(40 * DAY).await;
    world.objects.put("jobs/new.json", "", json!([job("long"), job("short")]).to_string());
    let ports = submitter::ports(&world, Unpaced);
    let new = uploaded("jobs/new.json");
    ::submitter::handle(&ports, &submitter::config(), new, &world.invocation(900)).await.unwrap();
    let events = world.run_all_of("short").await;
    deliver(&world, &events, &NoBus).await;
    let before = |days: u32| world.clock.now().plus_millis(-i64::from(days) * 86_400_000);

    let counted = prune(&world.store, before(30), true).await.unwrap();
    assert_eq!((counted.jobs, counted.runs), (1, 1));
    assert_eq!(world.status("old").await, Some(JobStatus::Succeeded), "it was only counted");
    assert_eq!(prune(&world.store, before(30), false).await.unwrap(), counted);
    assert_eq!(world.status("old").await, None);
    tokio::time::sleep(40 * DAY).await;
    assert_eq!(prune(&world.store, before(30), false).await.unwrap(), Pruned::default(), "its run goes on");
    assert!(world.status("short").await.is_some() && world.status("long").await.is_some());
    // A late event of a job that was forgotten is nobody's.
    let late = json!({"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": events[0]["detail"]});
    let mut late = late;
    late["detail"]["jobName"] = json!("old");
    assert_eq!(deliver(&world, &[late], &world.bus).await, [0_u64; 0]);
    assert_eq!(world.status("old").await, None);
}
