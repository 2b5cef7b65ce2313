//! One result for each item, whatever happens to it.

use std::time::Duration;

use serde_json::json;

use super::world::{FOREVER, TestClock, call, mixed, outcomes, results, results_of, run_for, well};
use crate::memory::{InMemoryFunctions, InMemoryObjectStore, Reply};
use crate::ports::ErrorKind;
use crate::use_cases::fan_out::{End, FanOutError};

/// Does to a payload what the seed says, one way or another at each try.
fn faults(seed: u64) -> impl Fn(&str, u32) -> Reply + Clone {
    move |payload, tries| {
        let index: u64 = payload.parse().unwrap();
        let dice = mixed(&[seed, index, u64::from(tries)]);
        let after = Duration::from_millis(dice % 977);
        match dice / 1_000 % 20 {
            0 | 1 => Reply::error(after, ErrorKind::Throttled { retry_after: None }, false),
            2 => Reply::error(after, ErrorKind::Throttled { retry_after: Some(after * 3) }, false),
            3 => Reply::error(after, ErrorKind::Retryable, false),
            4 => Reply::error(after, ErrorKind::Ambiguous, true),
            5 => Reply::error(after, ErrorKind::Ambiguous, false),
            6 => Reply::error(after, ErrorKind::Permanent, false),
            7 => Reply::failed(after),
            _ => Reply::well(after, payload),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn any_mix_of_faults_and_interruptions_ends_with_one_result_for_each_item() {
    for seed in 0..60 {
        let ceiling = 1 + mixed(&[seed, 1]) % 40;
        let items = 1 + mixed(&[seed, 2]) % 400;
        let (idempotent, retry_errors) = (seed % 3 == 0, seed % 5 == 0);
        let order = call(
            items,
            json!({"concurrency": ceiling, "maxAttempts": 1 + seed % 6, "idempotent": idempotent, "retryFunctionErrors": retry_errors}),
        );
        let functions = InMemoryFunctions::new(faults(seed)).with_capacity(3 + seed as usize % 30, None);
        let (objects, clock) = (InMemoryObjectStore::default(), TestClock::new());
        let mut interruptions = 0;
        let end = loop {
            let starting = Duration::from_millis(200 + mixed(&[seed, 3, interruptions]) % 5_000);
            let waiting = starting + Duration::from_millis(mixed(&[seed, 4, interruptions]) % 1_500);
            match run_for(&functions, &objects, &clock, &order, (starting, waiting)).await.unwrap() {
                End::ToBeContinued { .. } => interruptions += 1,
                end => break end,
            }
            assert!(interruptions < 1_000, "seed {seed}: it does not end");
        };
        let results = results_of(&objects, &order, end).await;
        assert_eq!(results.len() as u64, items, "seed {seed}");
        let seen = functions.seen();
        assert!(seen.peak as u64 <= ceiling, "seed {seed}: {} of {ceiling}", seen.peak);
        for result in &results {
            let index = result["index"].to_string();
            let runs = seen.runs.get(&index).copied().unwrap_or(0);
            let outcome = result["outcome"].as_str().unwrap();
            assert!(runs <= 1 || idempotent || retry_errors, "seed {seed}: item {index} ran {runs} times");
            match outcome {
                "SUCCEEDED" => assert_eq!(result["payload"].to_string(), index, "seed {seed}"),
                "FUNCTION_ERROR" => assert!(runs > 0, "seed {seed}: {result}"),
                "REJECTED" => assert_eq!(runs, 0, "seed {seed}: {result}"),
                "UNKNOWN" => {}
                other => panic!("seed {seed}: {other}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_says_what_happened() {
    let functions = InMemoryFunctions::new(|payload: &str, tries| match (payload, tries) {
        ("0", 1) => Reply::error(Duration::from_millis(5), ErrorKind::Retryable, false),
        ("0", _) => Reply::well(Duration::from_millis(40), r#"{"a": 1}"#),
        ("1", _) => Reply::failed(Duration::from_millis(7)),
        ("2", _) => Reply::error(Duration::from_millis(9), ErrorKind::Ambiguous, true),
        _ => Reply::error(Duration::from_millis(1), ErrorKind::Permanent, false),
    });
    let results = results(&functions, &call(4, json!({}))).await;
    assert_eq!(
        json!(results),
        json!([
            {"index": 0, "outcome": "SUCCEEDED", "attempts": 2, "durationMs": 40, "statusCode": 200, "executedVersion": "$LATEST", "payload": {"a": 1}},
            {"index": 1, "outcome": "FUNCTION_ERROR", "attempts": 1, "durationMs": 7, "statusCode": 200, "executedVersion": "$LATEST", "errorType": "ValueError", "errorMessage": "bad", "payload": {"errorType": "ValueError", "errorMessage": "bad"}},
            {"index": 2, "outcome": "UNKNOWN", "attempts": 1, "durationMs": 9, "errorType": "Injected", "errorMessage": "as the test wants it"},
            {"index": 3, "outcome": "REJECTED", "attempts": 1, "durationMs": 1, "errorType": "Injected", "errorMessage": "as the test wants it"},
        ])
    );
}

#[tokio::test(start_paused = true)]
async fn lines_of_an_object_are_items_and_a_wrong_line_is_its_items_error() {
    let objects = InMemoryObjectStore::default();
    let lines = "{\"functionName\": \"a\", \"payload\": 1}\n\n{\"functionNam\": \"a\"}\nnot JSON\r\n  {\"functionName\":\"b:7\"}";
    objects.put("fan-out/in.jsonl", "application/x-ndjson", lines);
    let order = crate::fan_out::read_call(r#"{"invocationsUri": "s3://bucket/fan-out/in.jsonl"}"#).unwrap();
    let order = order.check(&crate::fan_out::Targets::any()).unwrap();
    let functions =
        InMemoryFunctions::new(|payload: &str, _| Reply::well(Duration::ZERO, format!("[{payload}]")));
    let end = run_for(&functions, &objects, &TestClock::new(), &order, FOREVER).await.unwrap();
    let results = results_of(&objects, &order, end).await;
    assert_eq!(outcomes(&results), ["SUCCEEDED", "REJECTED", "REJECTED", "SUCCEEDED"]);
    assert_eq!(
        results[1]["errorMessage"],
        "line 3: functionNam: unknown field; the nearest known one is \"functionName\""
    );
    assert!(results[2]["errorMessage"].as_str().unwrap().starts_with("line 4: not JSON: "), "{results:?}");
    assert_eq!((&results[0]["payload"], &results[3]["payload"]), (&json!([1]), &json!([])));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_not_there_is_refused_and_leaves_nothing_behind() {
    let objects = InMemoryObjectStore::default();
    let order =
        crate::fan_out::read_call(r#"{"functionName": "a", "payloadsUri": "s3://bucket/fan-out/in.jsonl"}"#);
    let order = order.unwrap().check(&crate::fan_out::Targets::any()).unwrap();
    let functions = InMemoryFunctions::new(|_: &str, _| well(1));
    let error = run_for(&functions, &objects, &TestClock::new(), &order, FOREVER).await.unwrap_err();
    assert!(matches!(&error, FanOutError::Refused(_)), "{error}");
    assert_eq!(error.to_string(), "s3://bucket/fan-out/in.jsonl: there is no such object; upload it first");
    assert!(objects.keys().is_empty());
}
