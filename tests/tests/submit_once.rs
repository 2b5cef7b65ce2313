//! A job is submitted once, whoever submits it, and whatever becomes of the answer.

use std::sync::Arc;

use batchwright::domain::plan::Skip;
use batchwright::domain::{JobStatus, RunId, StatusCounts};
use batchwright::engine::{EngineConfig, FaultPlan, LocalEngine, MemoryBooks, SimulatedRunner};
use batchwright::job_file;
use batchwright::memory::InMemoryObjectStore;
use batchwright::ports::{JobEngine, JobQueries as _, JobStore, RunStore, SystemClock};
use batchwright::sqlite::SqliteStore;
use batchwright::use_cases::reconcile::ReconcilePolicy;
use batchwright::use_cases::run_file::{RunFile, run_file};
use batchwright::use_cases::submit::{Asked, Order, SubmitOutcome, SubmitPolicy, submit};
use batchwright_tests::world::{World, after, spec, succeeds};

const SUBMITTERS: usize = 8;
const JOBS: usize = 120;

/// Jobs of which every tenth depends on the one before it.
fn file() -> String {
    let line = |index: usize| {
        let depends_on = match index % 10 {
            9 => format!(r#", "dependsOn": [{{"jobName": "job-{}"}}]"#, index - 1),
            _ => String::new(),
        };
        format!(
            r#"{{"jobName": "job-{index}", "jobQueue": "queue", "jobDefinition": "d", "command": ["true"]{depends_on}}}"#
        )
    };
    (0..JOBS).map(line).collect::<Vec<_>>().join("\n")
}

/// Eight submitters of the same file at once, each with a store of its own making.
async fn submit_at_once<S: JobStore + RunStore + 'static>(
    stores: Vec<S>,
) -> anyhow::Result<(LocalEngine, StatusCounts)> {
    let (sender, _events) = tokio::sync::mpsc::unbounded_channel();
    let runner = SimulatedRunner::new(|_: &batchwright::engine::Scene<'_>| {
        batchwright::engine::AttemptOutcome::success_after(std::time::Duration::from_secs(3_600))
    });
    let config = EngineConfig::with_vcpus(1);
    let engine = LocalEngine::start(config, MemoryBooks::default(), runner, SystemClock, sender).await?;
    let text = Arc::new(file());
    let mut submitters = tokio::task::JoinSet::new();
    for (number, store) in stores.into_iter().enumerate() {
        let (engine, text) = (engine.clone(), Arc::clone(&text));
        submitters.spawn(async move {
            let mut file = job_file::open(text.as_bytes(), "jobs.jsonl").await?;
            let run_id = RunId::derive("jobs.jsonl", "1", &number.to_string());
            let order = RunFile { concurrency: 4, ..RunFile::new(run_id, "jobs.jsonl") };
            let archive = InMemoryObjectStore::default();
            run_file(&store, &engine, &engine, &SystemClock, &archive, &mut file, &order, |_| ()).await?;
            anyhow::Ok(store.count_by_status().await?)
        });
    }
    let mut counts = StatusCounts::default();
    while let Some(done) = submitters.join_next().await {
        counts = done??;
    }
    Ok((engine, counts))
}

async fn assert_each_once(engine: &LocalEngine) -> anyhow::Result<()> {
    for index in 0..JOBS {
        let name = batchwright::domain::JobName::parse(&format!("job-{index}"))?;
        let listed = engine.list_jobs("queue", &name, None).await?;
        assert_eq!(listed.items.len(), 1, "{name}: {listed:?}");
    }
    assert_eq!(engine.unfinished(), JOBS);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_submitters_of_one_file_make_one_submission_a_job_in_memory() -> anyhow::Result<()> {
    let store = batchwright::memory::InMemoryJobStore::default();
    let (engine, counts) = submit_at_once(vec![store; SUBMITTERS]).await?;
    assert_each_once(&engine).await?;
    assert_eq!(counts[JobStatus::Submitted], JOBS as u64);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_submitters_of_one_file_make_one_submission_a_job_on_sqlite() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("state.db");
    let stores = (0..SUBMITTERS).map(|_| SqliteStore::open(&path)).collect::<Result<Vec<_>, _>>()?;
    let (engine, counts) = submit_at_once(stores).await?;
    assert_each_once(&engine).await?;
    assert_eq!(counts[JobStatus::Submitted], JOBS as u64);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_job_in_flight_or_done_is_skipped_with_its_reason() -> anyhow::Result<()> {
    let mut world = World::new(|_| succeeds()).await?;
    let job = spec("job");
    assert!(matches!(world.submit(&job).await?, SubmitOutcome::Submitted(_)));
    assert_eq!(world.submit(&job).await?, SubmitOutcome::Skipped(Skip::InFlight(JobStatus::Submitted)));
    world.settle().await?;
    assert_eq!(world.submit(&job).await?, SubmitOutcome::Skipped(Skip::Succeeded));
    let mut changed = job.clone();
    changed.job_definition = "another".to_owned();
    assert_eq!(world.submit(&changed).await?, SubmitOutcome::Skipped(Skip::Changed));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_throttled_submission_is_repeated_and_happens_once() -> anyhow::Result<()> {
    let faults =
        FaultPlan { seed: 3, throttled_permille: 400, refused_permille: 200, ..FaultPlan::default() };
    let mut world = World::with_faults(|_| succeeds(), faults).await?;
    for index in 0..50 {
        let name = format!("job-{index}");
        while let SubmitOutcome::Deferred(_) = world.submit(&spec(&name)).await? {}
        assert_eq!(world.submissions_in_engine(&name).await?.len(), 1, "seed 3: {name}");
    }
    world.settle().await?;
    assert_eq!(world.store.count_by_status().await?[JobStatus::Succeeded], 50);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_not_repeated_and_the_event_adopts_the_submission() -> anyhow::Result<()> {
    let faults = FaultPlan { seed: 1, answer_lost_permille: 1_000, ..FaultPlan::default() };
    let mut world = World::with_faults(|_| succeeds(), faults).await?;
    let outcome = world.submit(&spec("job")).await?;
    assert!(matches!(outcome, SubmitOutcome::Unknown(_)), "{outcome:?}");
    assert_eq!(world.submit(&spec("job")).await?, SubmitOutcome::Skipped(Skip::Claimed));
    let waits = world.submit(&after("next", "job")).await?;
    assert!(
        matches!(&waits, SubmitOutcome::Deferred(why) if why.contains("job, which is being submitted")),
        "{waits:?}"
    );
    world.settle().await?;
    assert_eq!(world.status("job").await?, Some(JobStatus::Succeeded));
    assert_eq!(world.submissions_in_engine("job").await?.len(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_whose_events_are_lost_too_is_found_by_the_reconciler() -> anyhow::Result<()> {
    let faults = FaultPlan { seed: 1, answer_lost_permille: 1_000, ..FaultPlan::default() };
    let mut world = World::with_faults(|_| succeeds(), faults).await?;
    world.submit(&spec("job")).await?;
    world.engine.inner().idle().await;
    assert!(world.drop_events() > 0);
    let policy = ReconcilePolicy::default();
    assert_eq!(world.reconcile(&policy).await?.claims_adopted, 0, "the claim has not expired");
    world.pass(700_000).await;
    let done = world.reconcile(&policy).await?;
    assert_eq!((done.claims_adopted, done.claims_released, done.resubmitted), (1, 0, 0));
    assert_eq!(world.status("job").await?, Some(JobStatus::Succeeded));
    assert_eq!(world.submissions_in_engine("job").await?.len(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_refused_job_is_rejected_with_the_engines_words_and_so_is_its_dependant() -> anyhow::Result<()> {
    let world = World::new(|_| succeeds()).await?;
    let mut refused = spec("job");
    refused.container_overrides = None;
    let SubmitOutcome::Rejected(why) = world.submit(&refused).await? else { panic!("not refused") };
    assert!(why.starts_with("SubmitJob: "), "{why}");
    let SubmitOutcome::Rejected(dependant) = world.submit(&after("next", "job")).await? else {
        panic!("not refused")
    };
    assert!(dependant.contains("depends on job, which was rejected: SubmitJob: "), "{dependant}");
    let unknown = world.submit(&after("other", "nobody")).await?;
    assert_eq!(
        unknown,
        SubmitOutcome::Rejected("it depends on nobody, which was never submitted".to_owned())
    );
    assert!(
        matches!(world.submit(&spec("job")).await?, SubmitOutcome::Submitted(_)),
        "mended, it is submitted"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_which_too_little_is_left_is_not_used_for_the_first_call_either() -> anyhow::Result<()> {
    let world = World::new(|_| succeeds()).await?;
    let (job, run_id) = (spec("job"), batchwright_tests::world::run_id());
    let order = Order { spec: &job, run_id: &run_id, asked: Asked::ByPerson { rerun: false }, sheet: None };
    // The margin is longer than the claim: as if the claim's own write had taken all of it.
    let policy = SubmitPolicy { claim_ms: 1_000, claim_margin_ms: 2_000, ..SubmitPolicy::default() };
    let (store, engine) = (&world.store, &world.engine);
    let outcome = submit(store, engine, engine, &world.clock, &policy, &order).await?;
    assert!(
        matches!(&outcome, SubmitOutcome::Deferred(why) if why.contains("it was not called")),
        "{outcome:?}"
    );
    assert!(world.submissions_in_engine("job").await?.is_empty());
    assert!(matches!(world.submit(&job).await?, SubmitOutcome::Submitted(_)), "the claim was given up");
    Ok(())
}
