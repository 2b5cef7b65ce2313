//! The reconciler.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use batchwright::domain::{JobName, JobQueue, JobStatus};
use batchwright::engine::{AttemptOutcome, LocalEngine, Scene, VirtualClock};
use batchwright::memory::{InMemoryJobStore, InMemoryLogSource, InMemoryObjectStore};
use batchwright::ports::{JobEngine, JobQueries as _, PortError, QueueSource, Unpaced};
use batchwright_tests::bus::RecordedBus;
use reconciler::{Config, Ports, Response, handle};
use serde_json::json;

use crate::world::{BUCKET, Invocations, World, job, uploaded};
use crate::{log_collector, submitter};

fn config() -> Config {
    let look_up = |name: &str| match name {
        "BATCHWRIGHT_BUCKET" => Some(BUCKET.to_owned()),
        "BATCHWRIGHT_SUBMITTER" => Some("the-submitter".to_owned()),
        name if name.ends_with("_TABLE") => Some("table".to_owned()),
        _ => None,
    };
    Config::read(&look_up).unwrap()
}

type AllPorts = Ports<
    InMemoryJobStore,
    LocalEngine,
    Unpaced,
    VirtualClock,
    InMemoryLogSource,
    InMemoryObjectStore,
    Invocations,
    RecordedBus,
>;

fn ports(world: &World) -> AllPorts {
    Ports {
        store: world.store.clone(),
        engine: world.engine.clone(),
        pace: Unpaced,
        clock: world.clock,
        source: world.logs.clone(),
        archive: world.objects.clone(),
        invoker: world.invoker.clone(),
        bus: world.bus.clone(),
    }
}

pub(crate) async fn pass(world: &World) -> Response {
    let event = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
    handle(&ports(world), &config(), event, &world.invocation(110)).await.unwrap().body
}

#[tokio::test(start_paused = true)]
async fn a_run_that_nobody_goes_on_with_is_finished_by_the_submitter() {
    let world = World::with(submitter::quick).await;
    world.objects.put("jobs/a.json", "", json!([job("one")]).to_string());
    let submitter_ports = submitter::ports(&world, Unpaced);
    let too_short = world.invocation(30);
    ::submitter::handle(&submitter_ports, &submitter::config(), uploaded("jobs/a.json"), &too_short)
        .await
        .unwrap();
    assert_eq!(pass(&world).await.runs_continued, 0, "it may be under way");
    tokio::time::sleep(Duration::from_secs(1_201)).await;
    assert_eq!(pass(&world).await.runs_continued, 1);
    let (function, call) = world.invoker.take().remove(0);
    assert_eq!(function, "the-submitter");
    ::submitter::handle(&submitter_ports, &submitter::config(), call, &world.invocation(900)).await.unwrap();
    assert_eq!(world.tries("one").await, 1);
    assert_eq!(pass(&world).await.runs_continued, 0);
}

/// Batch with a queue that holds its jobs back, so long as it is told to.
#[derive(Clone)]
struct HeldBack {
    engine: LocalEngine,
    queue: Arc<Mutex<Result<JobQueue, PortError>>>,
    asked: Arc<AtomicUsize>,
}

impl HeldBack {
    fn say(&self, queue: Result<JobQueue, PortError>) {
        *self.queue.lock().unwrap() = queue;
    }
}

impl QueueSource for HeldBack {
    async fn job_queue(&self, name: &str) -> Result<Option<JobQueue>, PortError> {
        assert!(name.ends_with("job-queue/q"), "{name}");
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.queue.lock().unwrap().clone().map(Some)
    }
}

impl JobEngine for HeldBack {
    batchwright_tests::hand_on! { engine: submit_job, describe_jobs, list_jobs, list_jobs_since, cancel_job, terminate_job }
}

#[tokio::test(start_paused = true)]
async fn why_a_job_is_runnable_for_long_is_kept_with_it() {
    let long = |_: &Scene<'_>| AttemptOutcome::success_after(Duration::from_secs(20_000));
    let mut world = World::with(long).await;
    let mut large = job("large");
    large["containerOverrides"]["resourceRequirements"] = json!([{"type": "VCPU", "value": "600"}]);
    let mut behind = large.clone();
    behind["jobName"] = json!("behind");
    let submitter_ports = submitter::ports(&world, Unpaced);
    let call = json!({"jobs": [large, behind]});
    ::submitter::handle(&submitter_ports, &submitter::config(), call, &world.invocation(900)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    while let Ok(event) = world.events.try_recv() {
        log_collector::record(&world, &serde_json::to_value(event).unwrap()).await;
    }
    assert_eq!(world.status("behind").await, Some(JobStatus::Runnable), "there is no room for both");
    let queue = JobQueue {
        job_queue_name: "queue".to_owned(),
        state: "DISABLED".to_owned(),
        status: "VALID".to_owned(),
        status_reason: None,
        compute_environments: Vec::new(),
        front: Vec::new(),
    };
    let batch = HeldBack {
        engine: world.engine.clone(),
        queue: Arc::new(Mutex::new(Ok(queue.clone()))),
        asked: Arc::default(),
    };
    let pass = async || {
        let AllPorts { store, pace, clock, source, archive, invoker, bus, .. } = ports(&world);
        let ports = Ports { store, engine: batch.clone(), pace, clock, source, archive, invoker, bus };
        let answer = handle(&ports, &config(), json!({}), &world.invocation(110)).await.unwrap();
        let counted = answer.metrics.iter().find(|metric| metric.name == "JobsHeldBack").unwrap().count;
        assert_eq!(counted, answer.body.jobs_held_back);
        answer.body
    };
    let reason = async || {
        let job = world.store.job(&JobName::parse("behind").unwrap()).await.unwrap().unwrap();
        job.state().unwrap().status_reason.clone()
    };
    assert_eq!(
        (pass().await.jobs_held_back, batch.asked.load(Ordering::Relaxed)),
        (0, 0),
        "it is not silent yet"
    );
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    let found = pass().await;
    assert_eq!((found.jobs_held_back, found.postponed, batch.asked.load(Ordering::Relaxed)), (1, 0, 1));
    assert_eq!(reason().await.as_deref(), Some("QUEUE_DISABLED: the queue queue is DISABLED"));
    pass().await;
    assert_eq!(batch.asked.load(Ordering::Relaxed), 1, "a pass asks only about those that are silent again");
    let error = PortError::retryable("DescribeJobQueues", "it is away");
    batch.say(Err(error));
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    let found = pass().await;
    assert_eq!(
        (found.jobs_held_back, found.postponed, found.cut_short),
        (0, 1, false),
        "it keeps nothing else waiting"
    );
    batch.say(Ok(JobQueue { state: "ENABLED".to_owned(), ..queue }));
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    assert_eq!(pass().await.jobs_held_back, 0);
    let expected = "WAITS_FOR_CAPACITY: the queue queue and its compute environments are in order";
    assert_eq!(reason().await.as_deref(), Some(expected), "what was true before is told no more");
}

#[tokio::test(start_paused = true)]
async fn lost_events_and_logs_are_made_up_for() {
    let (world, _) = log_collector::ended("one").await;
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    let found = pass(&world).await;
    assert_eq!(world.status("one").await, Some(JobStatus::Succeeded), "Batch was asked");
    assert_eq!((found.reconciled.described, found.logs_archived, found.cut_short), (1, 1, false));
    let nothing = pass(&world).await;
    assert_eq!((nothing.reconciled, nothing.logs_archived), (Default::default(), 0));
}

#[tokio::test(start_paused = true)]
async fn a_pass_without_time_says_so_and_the_next_one_goes_on() {
    let (world, end) = log_collector::ended("one").await;
    log_collector::record(&world, &end).await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    let again = handle(&ports(&world), &config(), json!({}), &world.invocation(110)).await.unwrap();
    assert_eq!(again.body.logs_archived, 1);
    assert!(again.metrics.iter().all(|metric| metric.name != "PassesCutShort" || metric.count == 0));
}
