//! The log collector.

use std::time::Duration;

use batchwright::domain::{LogStream, Timestamp};
use batchwright::engine::VirtualClock;
use batchwright::function::FunctionError;
use batchwright::memory::{InMemoryJobStore, InMemoryLogSource, InMemoryObjectStore};
use batchwright::ports::{LogEvent, Unpaced};
use log_collector::{Config, Ports, handle};
use serde_json::{Value, json};

use crate::submitter;
use crate::world::{BUCKET, World, batch, handed_back, job, texts};

fn config() -> Config {
    let look_up = |name: &str| match name {
        "BATCHWRIGHT_BUCKET" => Some(BUCKET.to_owned()),
        "BATCHWRIGHT_LOG_SETTLE_SECONDS" => Some("60".to_owned()),
        name if name.ends_with("_TABLE") => Some("table".to_owned()),
        _ => None,
    };
    Config::read(&look_up).unwrap()
}

type CollectorPorts = Ports<InMemoryJobStore, InMemoryLogSource, InMemoryObjectStore, VirtualClock>;

fn ports(world: &World) -> CollectorPorts {
    Ports {
        store: world.store.clone(),
        source: world.logs.clone(),
        archive: world.objects.clone(),
        clock: world.clock,
    }
}

/// A world in which the job has ended and written a line. Returns its last event.
pub(crate) async fn ended(name: &str) -> (World, Value) {
    let mut world = World::with(submitter::quick).await;
    let submitter = submitter::ports(&world, Unpaced);
    let call = json!({"jobs": [job(name)]});
    ::submitter::handle(&submitter, &submitter::config(), call, &world.invocation(900)).await.unwrap();
    let events = world.run_all().await;
    let end = events.last().unwrap().clone();
    let stream = end["detail"]["container"]["logStreamName"].as_str().expect("a stream").to_owned();
    let at = Timestamp::from_millis(1);
    let line = LogEvent { timestamp: at, ingestion_time: at, message: "hello".to_owned() };
    world.logs.append(&LogStream { group: None, name: stream, container: None, region: None }, [line]);
    (world, end)
}

/// Has the state handler record an event.
pub(crate) async fn record(world: &World, event: &Value) {
    let table = |name: &str| name.ends_with("_TABLE").then(|| "table".to_owned());
    let config = state_handler::Config::read(&table);
    state_handler::handle(&world.recorder(&Unpaced), &config.unwrap(), event.clone(), &world.invocation(120))
        .await
        .unwrap();
}

async fn deliver(world: &World, events: &[Value]) -> Vec<u64> {
    deliver_to(&config(), world, events).await
}

async fn deliver_to(config: &Config, world: &World, events: &[Value]) -> Vec<u64> {
    let answer = handle(&ports(world), config, batch(texts(events)), &world.invocation(600)).await.unwrap();
    handed_back(&answer.body)
}

#[tokio::test(start_paused = true)]
async fn the_small_logs_of_a_batch_share_an_object_where_the_stack_says_so() {
    let (mut world, first) = ended("one").await;
    record(&world, &first).await;
    let submitter = submitter::ports(&world, Unpaced);
    let call = json!({"jobs": [job("two"), job("three")]});
    ::submitter::handle(&submitter, &submitter::config(), call, &world.invocation(900)).await.unwrap();
    let mut ends = vec![first];
    for event in world.run_all().await {
        record(&world, &event).await;
        if event["detail"]["status"] == "SUCCEEDED" && event["detail"]["jobName"] != "one" {
            ends.push(event);
        }
    }
    assert_eq!(ends.len(), 3);
    tokio::time::sleep(Duration::from_secs(61)).await;
    let bundles = Config { bundle_logs_from: 3, ..config() };
    assert_eq!(deliver_to(&bundles, &world, &ends).await, [0_u64; 0]);
    let keys: Vec<String> = world.objects.keys().into_iter().filter(|key| key.starts_with("logs/")).collect();
    assert!(matches!(&keys[..], [only] if only.starts_with("logs/.bundles/")), "{keys:?}");
    assert_eq!(deliver_to(&bundles, &world, &ends).await, [0_u64; 0], "delivered again, they are done");
    assert_eq!(deliver_to(&config(), &world, &ends).await, [0_u64; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_may_still_grow_is_looked_at_again() {
    let (world, end) = ended("one").await;
    record(&world, &end).await;
    let events = std::slice::from_ref(&end);
    assert_eq!(deliver(&world, events).await, [0], "the job has ended a moment ago");
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(deliver(&world, events).await, [0_u64; 0]);
    let keys: Vec<String> = world.objects.keys().into_iter().filter(|key| key.starts_with("logs/")).collect();
    assert_eq!(keys.len(), 3, "the stream, read early and read whole, and the manifest: {keys:?}");
    assert_eq!(deliver(&world, &[end.clone(), end]).await, [0_u64; 0], "delivered again, it is done");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_not_recorded_yet_waits_and_what_is_not_ours_does_not() {
    let (world, end) = ended("one").await;
    let mut foreign = end.clone();
    foreign["detail"]["jobId"] = json!("somebody-elses");
    assert_eq!(deliver(&world, &[end.clone(), foreign, json!("poison")]).await, [0, 2]);
    let error = handle(&ports(&world), &config(), end, &world.invocation(600)).await.unwrap_err();
    assert!(matches!(error, FunctionError::NotYet(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_call_can_have_a_complete_log_read_again() {
    let (world, end) = ended("one").await;
    record(&world, &end).await;
    tokio::time::sleep(Duration::from_secs(61)).await;
    let call = async |call: Value| {
        let answer = handle(&ports(&world), &config(), call, &world.invocation(600)).await.unwrap();
        serde_json::to_value(answer.body).unwrap()
    };
    let id = &end["detail"]["jobId"];
    assert_eq!(call(json!({"jobId": id})).await["events"], 1);
    assert_eq!(call(json!({"jobId": id})).await["outcome"], "KNOWN");
    let at = Timestamp::from_millis(2);
    let late = LogEvent { timestamp: at, ingestion_time: at, message: "late".to_owned() };
    let name = end["detail"]["container"]["logStreamName"].as_str().expect("a stream").to_owned();
    world.logs.append(&LogStream { group: None, name, container: None, region: None }, [late]);
    let again = call(json!({"jobId": id, "again": true})).await;
    assert_eq!((&again["events"], &again["complete"]), (&json!(2), &json!(true)));
}

#[tokio::test(start_paused = true)]
async fn a_direct_call_is_answered_with_what_there_is() {
    let (world, end) = ended("one").await;
    record(&world, &end).await;
    let call = json!({"jobId": end["detail"]["jobId"], "aFieldOfTomorrow": 1});
    let answer = handle(&ports(&world), &config(), call, &world.invocation(600)).await.unwrap();
    let body = serde_json::to_value(answer.body).unwrap();
    assert_eq!(
        (&body["outcome"], &body["complete"], &body["events"]),
        (&json!("ARCHIVED"), &json!(false), &json!(1))
    );
    for (event, expected) in [
        (json!({"jobId": 7}), "malformed call of the log collector: "),
        (json!({"job": 7}), "not an event that is read here: "),
    ] {
        let error = handle(&ports(&world), &config(), event, &world.invocation(600)).await.unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}
