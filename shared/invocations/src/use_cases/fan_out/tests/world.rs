//! What stands in for the world.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::domain::{RunId, Timestamp};
use crate::fan_out::limits::HELD_RESULTS_MAX_BYTES;
use crate::fan_out::{Order, Targets, read_call};
use crate::memory::{InMemoryObjectStore, Reply};
use crate::ports::{CheckpointStore, Clock, FunctionCaller, ObjectStore};
use crate::use_cases::fan_out::{End, FanOut, FanOutError, Results, RunPlace, finish, run_fan_out};

/// A moment of tokio's clock.
pub(super) struct TestClock(Instant);

impl TestClock {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + self.0.elapsed().as_millis() as i64)
    }
}

pub(super) fn place() -> RunPlace {
    RunPlace { bucket: "bucket".to_owned(), run_id: RunId::parse("run").unwrap(), branch: None }
}

/// A call of the function `task` with as many payloads: their own indices.
pub(super) fn call(items: u64, fields: Value) -> Order {
    let mut call = json!({"functionName": "task", "payloads": (0..items).collect::<Vec<_>>()});
    for (name, value) in fields.as_object().unwrap() {
        call[name] = value.clone();
    }
    read_call(&call.to_string()).unwrap().check(&Targets::any()).unwrap()
}

/// Runs an order for so long.
pub(super) async fn run_for<C: FunctionCaller, O: ObjectStore + CheckpointStore>(
    caller: &C,
    objects: &O,
    clock: &TestClock,
    order: &Order,
    time: (Duration, Duration),
) -> Result<End, FanOutError> {
    run_holding(HELD_RESULTS_MAX_BYTES, caller, objects, clock, order, time).await
}

/// The same, with so many bytes of results held for those before them.
pub(super) async fn run_holding<C: FunctionCaller, O: ObjectStore + CheckpointStore>(
    held_max_bytes: usize,
    caller: &C,
    objects: &O,
    clock: &TestClock,
    order: &Order,
    (starting, waiting): (Duration, Duration),
) -> Result<End, FanOutError> {
    let fan_out = FanOut {
        order,
        place: &place(),
        digest: "digest",
        owner: "request",
        first: 0,
        end: None,
        held_max_bytes,
        stop_starting: Instant::now() + starting,
        stop_waiting: Instant::now() + waiting,
    };
    run_fan_out(caller, objects, clock, &fan_out).await.map(|(end, _)| end)
}

pub(super) const FOREVER: (Duration, Duration) = (Duration::from_secs(1 << 30), Duration::from_secs(1 << 31));

/// Runs an order to its end, in one go. Returns its results.
pub(super) async fn results<C: FunctionCaller>(caller: &C, order: &Order) -> Vec<Value> {
    let objects = InMemoryObjectStore::default();
    let end = run_for(caller, &objects, &TestClock::new(), order, FOREVER).await.unwrap();
    results_of(&objects, order, end).await
}

/// The results of a fan-out that is complete, and has held as much as there was.
pub(super) async fn results_of(objects: &InMemoryObjectStore, order: &Order, end: End) -> Vec<Value> {
    let results = results_as_given(objects, order, end).await;
    assert!(results.is_sorted_by_key(|result| result["index"].as_u64()), "in order");
    results
}

/// The results of a fan-out that is complete, one for each item.
pub(super) async fn results_as_given(objects: &InMemoryObjectStore, order: &Order, end: End) -> Vec<Value> {
    let End::Complete(checkpoint) = end else { panic!("{end:?}") };
    let total = checkpoint.progress.counts.total();
    assert_eq!(total, checkpoint.next, "each result is counted once");
    let finished = finish(objects, &place(), order.results.as_ref(), &[(place(), checkpoint)]).await.unwrap();
    let results: Vec<Value> = match finished {
        Results::Inline(results) => {
            results.iter().map(|line| serde_json::from_str(line.get()).unwrap()).collect()
        }
        Results::At(uri) => {
            let key = uri.strip_prefix("s3://bucket/").unwrap();
            let text = String::from_utf8(objects.bytes(key).unwrap()).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    };
    let mut indices: Vec<u64> = results.iter().map(|result| result["index"].as_u64().unwrap()).collect();
    indices.sort_unstable();
    assert_eq!(indices, (0..total).collect::<Vec<_>>(), "one result for each item");
    results
}

pub(super) fn outcomes(results: &[Value]) -> Vec<&str> {
    results.iter().map(|result| result["outcome"].as_str().unwrap()).collect()
}

pub(super) fn well(millis: u64) -> Reply {
    Reply::well(Duration::from_millis(millis), "null")
}

/// A number that only looks random.
pub(super) fn mixed(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |hash, part| {
        let hash = (hash ^ part).wrapping_mul(0xff51_afd7_ed55_8ccd);
        (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53) ^ (hash >> 29)
    })
}
