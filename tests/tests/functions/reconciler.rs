//! The reconciler.

use std::time::Duration;

use batchwright::domain::JobStatus;
use batchwright::engine::{LocalEngine, VirtualClock};
use batchwright::memory::{InMemoryJobStore, InMemoryLogSource, InMemoryObjectStore};
use batchwright::ports::Unpaced;
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
