//! What follows from states: order, ownership, host losses, dependants.

use batchwright::domain::spec::ArrayProperties;
use batchwright::domain::{Cause, JobId, JobName, JobState, JobStatus, Nonce, RunId};
use batchwright::memory::InMemoryJobStore;
use batchwright::ports::{Applied, JobQueries as _, NoBus};
use batchwright::use_cases::record_state::{Recorded, Recorder};
use batchwright::use_cases::submit::{Asked, Order, SubmitOutcome, SubmitPolicy, submit};
use batchwright_tests::bus::RecordedBus;
use batchwright_tests::world::{World, after, exits, loses_host, spec, succeeds};

#[tokio::test(start_paused = true)]
async fn a_lost_host_is_followed_by_another_submission_until_one_succeeds() -> anyhow::Result<()> {
    let mut world = World::new(|scene| if scene.submission < 3 { loses_host() } else { succeeds() }).await?;
    world.submit(&spec("job")).await?;
    let recorded = world.settle().await?;
    let job = world.job("job").await?.unwrap();
    assert_eq!(job.status(), Some(JobStatus::Succeeded));
    assert_eq!(job.head.job_tries.len(), 3);
    assert_eq!(world.submissions_in_engine("job").await?.len(), 3);
    let again = recorded.iter().filter(|(_, what)| matches!(what, Recorded::Resubmitted(_))).count();
    assert_eq!(again, 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn tries_are_used_up_and_the_job_ends_as_host_lost() -> anyhow::Result<()> {
    let mut world = World::new(|_| loses_host()).await?;
    let mut spec = spec("job");
    spec.max_tries = 2;
    world.submit(&spec).await?;
    world.settle().await?;
    let job = world.job("job").await?.unwrap();
    assert_eq!((job.status(), job.head.job_tries.len()), (Some(JobStatus::Failed), 2));
    assert_eq!(job.state().and_then(JobState::cause), Some(Cause::HostLost));

    let outcome = world.submit(&spec).await?;
    assert!(matches!(outcome, SubmitOutcome::Submitted(_)), "a person may ask again: {outcome:?}");
    world.settle().await?;
    assert_eq!(world.job("job").await?.unwrap().head.job_tries.len(), 4, "and the budget starts anew");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_program_itself_is_final() -> anyhow::Result<()> {
    let mut world = World::new(|_| exits(1)).await?;
    world.submit(&spec("job")).await?;
    world.settle().await?;
    let job = world.job("job").await?.unwrap();
    assert_eq!((job.status(), job.head.job_tries.len()), (Some(JobStatus::Failed), 1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_failed_with_a_lost_host_is_submitted_again_with_it() -> anyhow::Result<()> {
    let first_loses = |scene: &batchwright::engine::Scene<'_>| {
        if scene.job_name.as_str() == "first" && scene.submission == 1 { loses_host() } else { succeeds() }
    };
    let mut world = World::new(first_loses).await?;
    for spec in [spec("first"), after("second", "first"), after("third", "second")] {
        assert!(matches!(world.submit(&spec).await?, SubmitOutcome::Submitted(_)));
    }
    world.settle().await?;
    for name in ["first", "second", "third"] {
        let job = world.job(name).await?.unwrap();
        assert_eq!(job.status(), Some(JobStatus::Succeeded), "{name}");
        assert_eq!(job.head.job_tries.len(), 2, "{name}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_dependant_of_a_program_that_failed_stays_failed() -> anyhow::Result<()> {
    let mut world = World::new(|_| exits(3)).await?;
    world.submit(&spec("first")).await?;
    world.submit(&after("second", "first")).await?;
    world.settle().await?;
    let second = world.job("second").await?.unwrap();
    assert_eq!(second.state().and_then(JobState::cause), Some(Cause::Dependency));
    assert_eq!(second.head.job_tries.len(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_dependant_whose_failure_is_told_first_still_follows_its_dependency() -> anyhow::Result<()> {
    let first_loses = |scene: &batchwright::engine::Scene<'_>| {
        if scene.job_name.as_str() == "first" && scene.submission == 1 { loses_host() } else { succeeds() }
    };
    let mut world = World::new(first_loses).await?;
    world.submit(&spec("first")).await?;
    world.submit(&after("second", "first")).await?;
    world.engine.inner().idle().await;
    let mut states = Vec::new();
    while let Ok(event) = world.events.try_recv() {
        states.push(event.detail.state());
    }
    states.reverse();
    for state in &states {
        world.recorder().record_state(state).await?;
    }
    world.settle().await?;
    assert_eq!(world.status("first").await?, Some(JobStatus::Succeeded));
    assert_eq!(world.status("second").await?, Some(JobStatus::Succeeded));
    assert_eq!(world.submissions_in_engine("first").await?.len(), 2);
    assert_eq!(world.submissions_in_engine("second").await?.len(), 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_end_told_twice_is_followed_once() -> anyhow::Result<()> {
    let mut world = World::new(|scene| if scene.submission == 1 { loses_host() } else { succeeds() }).await?;
    world.submit(&spec("job")).await?;
    let recorded = world.settle().await?;
    for (state, _) in recorded.iter().rev().chain(&recorded) {
        let what = world.recorder().record_state(state).await?;
        assert!(
            !matches!(what, Recorded::Resubmitted(_) | Recorded::Noted(Applied::Applied)),
            "{state:?}: {what:?}"
        );
    }
    assert_eq!(world.submissions_in_engine("job").await?.len(), 2);
    Ok(())
}

/// As when the reconciler took a job for lost, and its messages are redriven from the dead-letter queue a day later.
#[tokio::test(start_paused = true)]
async fn an_end_that_contradicts_the_one_that_is_known_is_told_to_nobody() -> anyhow::Result<()> {
    for (known, late) in
        [(JobStatus::Failed, JobStatus::Succeeded), (JobStatus::Succeeded, JobStatus::Failed)]
    {
        let world = World::new(|_| succeeds()).await?;
        world.submit(&spec("job")).await?;
        let bus = RecordedBus::default();
        let World { store, engine, clock, .. } = &world;
        let policy = SubmitPolicy::default();
        let recorder = Recorder { store, engine, pace: engine, clock, bus: &bus, policy };
        let mut end = world.job("job").await?.unwrap().state().cloned().unwrap();
        end.status = known;
        recorder.record_state(&end).await?;
        end.status = late;
        for _ in 0..2 {
            assert_eq!(recorder.record_state(&end).await?, Recorded::Noted(Applied::Stale));
        }
        let told: Vec<JobStatus> = bus.jobs().into_iter().map(|job| job.status).collect();
        assert_eq!((told, world.status("job").await?), (vec![known], Some(known)));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_child_that_succeeded_is_not_run_again_for_a_late_loss() -> anyhow::Result<()> {
    let mut world = World::new(|_| succeeds()).await?;
    let array = spec("array").with(|spec| {
        spec.array_properties = Some(ArrayProperties::new(2));
        spec.resubmit_children = true;
    });
    let SubmitOutcome::Submitted(job_id) = world.submit(&array).await? else { anyhow::bail!("refused") };
    let succeeded = JobState {
        status: JobStatus::Succeeded,
        ..JobState::submitted(array.job_name.clone(), job_id.array_child(0), None)
    };
    world.recorder().record_state(&succeeded).await?;
    let lost = "Host EC2 (instance i-1) terminated.".to_owned();
    let late = JobState { status: JobStatus::Failed, status_reason: Some(lost), ..succeeded };
    assert_eq!(world.recorder().record_state(&late).await?, Recorded::Noted(Applied::Stale));
    let page = world.store.jobs(None, None).await?;
    assert_eq!(page.items.len(), 1, "the child has no job of its own");
    world.settle().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_job_of_another_program_is_left_alone() -> anyhow::Result<()> {
    let world = World::new(|_| succeeds()).await?;
    let id = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8")?;
    let foreign = JobState::submitted(JobName::parse("theirs")?, id.clone(), None);
    assert_eq!(world.recorder().record_state(&foreign).await?, Recorded::NotOurs);
    let name = JobName::parse("removed")?;
    let forgotten = JobState::submitted(name.clone(), id, Some(Nonce::derive(&name, "", 1)));
    assert_eq!(world.recorder().record_state(&forgotten).await?, Recorded::NotOurs);
    assert!(world.job("theirs").await?.is_none());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn two_stores_over_one_batch_leave_each_others_jobs_of_the_same_name_alone() -> anyhow::Result<()> {
    let mut world = World::new(|_| succeeds()).await?;
    let spec = spec("job");
    world.submit(&spec).await?;
    let theirs = InMemoryJobStore::default();
    let run_id = RunId::derive("another stack's file", "1", "0");
    let order = Order { spec: &spec, run_id: &run_id, asked: Asked::ByPerson { rerun: false }, sheet: None };
    let policy = SubmitPolicy::default();
    submit(&theirs, &world.engine, &world.engine, &world.clock, &policy, &order).await?;
    let told = world.settle().await?;
    let ended = world.submissions_in_engine("job").await?;
    assert_eq!(ended.len(), 2);
    assert!(ended.iter().all(|detail| detail.status == JobStatus::Succeeded), "{ended:?}");
    assert_eq!(told.iter().filter(|(_, what)| *what == Recorded::NotOurs).count(), told.len() / 2);
    let recorder = Recorder {
        store: &theirs,
        engine: &world.engine,
        pace: &world.engine,
        clock: &world.clock,
        bus: &NoBus,
        policy,
    };
    for (state, _) in &told {
        recorder.record_state(state).await?;
    }
    let [ours, theirs] = [world.job("job").await?, theirs.job(&spec.job_name).await?].map(Option::unwrap);
    assert_eq!((ours.status(), theirs.status()), (Some(JobStatus::Succeeded), Some(JobStatus::Succeeded)));
    assert_eq!((ours.head.job_tries.len(), theirs.head.job_tries.len()), (1, 1));
    assert_ne!(ours.head.job_id, theirs.head.job_id);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_before_the_answer_adopts_its_submission() -> anyhow::Result<()> {
    let world = World::new(|_| succeeds()).await?;
    let spec = spec("job");
    let nonce = world.claim(&spec, 60_000).await?;
    let id = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8")?;
    let mut running = JobState::submitted(spec.job_name.clone(), id.clone(), Some(nonce));
    running.status = JobStatus::Running;
    assert_eq!(world.recorder().record_state(&running).await?, Recorded::Noted(Applied::Applied));
    let job = world.job("job").await?.unwrap();
    assert_eq!((job.status(), job.head.job_id, job.head.claim), (Some(JobStatus::Running), Some(id), None));
    Ok(())
}
