//! What is too large for its place.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::{FOREVER, TestClock, call, outcomes, results, results_of, run_for};
use crate::fan_out::limits::{EVENT_PAYLOAD_MAX_BYTES, RESULT_PAYLOAD_MAX_BYTES, SYNC_PAYLOAD_MAX_BYTES};
use crate::memory::{InMemoryFunctions, InMemoryObjectStore, Reply};

/// A JSON string of so many bytes.
fn text(bytes: usize) -> Value {
    json!("x".repeat(bytes - 2))
}

fn echoing() -> InMemoryFunctions<impl Fn(&str, u32) -> Reply> {
    InMemoryFunctions::new(|payload: &str, _| {
        Reply::well(Duration::from_millis(1), format!("{}", payload.len()))
    })
}

#[tokio::test]
async fn a_payload_beyond_the_limit_of_its_invocation_type_is_its_items_error() {
    for (kind, most) in [("RequestResponse", SYNC_PAYLOAD_MAX_BYTES), ("Event", EVENT_PAYLOAD_MAX_BYTES)] {
        let order = call(0, json!({"payloads": [text(most), text(most + 1)], "invocationType": kind}));
        let results = results(&echoing(), &order).await;
        assert_eq!(outcomes(&results), ["SUCCEEDED", "REJECTED"], "{kind}");
        assert_eq!(
            (&results[1]["errorType"], &results[1]["attempts"]),
            (&json!("PayloadTooLarge"), &json!(0))
        );
        let expected = format!("the payload has {} bytes, at most {most} are taken; put it on S3", most + 1);
        assert!(results[1]["errorMessage"].as_str().unwrap().starts_with(&expected), "{}", results[1]);
    }
}

#[tokio::test]
async fn it_goes_by_reference_where_the_call_allows_that() {
    let large = text(EVENT_PAYLOAD_MAX_BYTES + 1);
    let order =
        call(0, json!({"payloads": [1, large], "invocationType": "Event", "largePayloads": "REFERENCE"}));
    let (functions, objects) = (echoing(), InMemoryObjectStore::default());
    let end = run_for(&functions, &objects, &TestClock::new(), &order, FOREVER).await.unwrap();
    assert_eq!(outcomes(&results_of(&objects, &order, end).await), ["SUCCEEDED", "SUCCEEDED"]);
    let key = "fan-out/runs/run/payloads/000000000001.json";
    let sent = json!({"payloadUri": format!("s3://bucket/{key}")}).to_string();
    assert_eq!(functions.seen().runs.keys().collect::<Vec<_>>(), ["1", sent.as_str()]);
    assert_eq!(objects.bytes(key).unwrap(), large.to_string().into_bytes());
}

#[tokio::test]
async fn a_large_answer_lies_beside_its_result() {
    let answer = text(RESULT_PAYLOAD_MAX_BYTES + 1).to_string();
    let given = answer.clone();
    let functions = InMemoryFunctions::new(move |_: &str, _| Reply::well(Duration::ZERO, given.clone()));
    let (order, objects) = (call(1, json!({})), InMemoryObjectStore::default());
    let end = run_for(&functions, &objects, &TestClock::new(), &order, FOREVER).await.unwrap();
    let results = results_of(&objects, &order, end).await;
    let key = "fan-out/runs/run/answers/000000000000.json";
    assert_eq!(results[0]["payloadUri"], format!("s3://bucket/{key}"));
    assert_eq!(results[0].get("payload"), None);
    assert_eq!(objects.bytes(key).unwrap(), answer.into_bytes());
}

#[tokio::test(start_paused = true)]
async fn results_are_an_object_where_one_is_asked_for_or_they_are_many() {
    let (few, many) = (text(100).to_string(), text(200_000).to_string());
    for (answer, fields, expected) in [
        (few.clone(), json!({}), None),
        (few, json!({"resultsUri": "s3://bucket/fan-out/mine.jsonl"}), Some("fan-out/mine.jsonl")),
        (many, json!({}), Some("fan-out/runs/run/results.jsonl")),
    ] {
        let functions = InMemoryFunctions::new(move |_: &str, _| Reply::well(Duration::ZERO, answer.clone()));
        let (order, objects) = (call(60, fields), InMemoryObjectStore::default());
        let end = run_for(&functions, &objects, &TestClock::new(), &order, FOREVER).await.unwrap();
        assert_eq!(results_of(&objects, &order, end).await.len(), 60);
        let written: Vec<String> = objects
            .keys()
            .into_iter()
            .filter(|key| key.ends_with("mine.jsonl") || key.ends_with("/results.jsonl"))
            .collect();
        assert_eq!(written.first().map(String::as_str), expected);
    }
}
