//! How many at once, how many may fail, how much is held.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;

use super::world::{FOREVER, TestClock, call, outcomes, results, results_as_given, run_for, well};
use crate::fan_out::limits::HELD_RESULTS_MAX_BYTES;
use crate::fan_out::{Order, ResultOrder, Targets, read_call};
use crate::memory::{InMemoryFunctions, InMemoryObjectStore, Reply};
use crate::ports::{
    CONNECTION_FAILED, CallAnswer, CallError, ErrorKind, FunctionCall, FunctionCaller, NO_CREDENTIALS,
};
use crate::use_cases::fan_out::{Came, Ended, Plain, Start, Stop, StreamedLedger, inline, invoke_all};

#[tokio::test(start_paused = true)]
async fn all_places_are_used_and_none_beyond_the_ceiling() {
    for ceiling in [1, 7, 40] {
        let functions = InMemoryFunctions::new(|_: &str, _| well(100));
        let objects = InMemoryObjectStore::default();
        let order = call(400, json!({"concurrency": ceiling}));
        let end = run_for(&functions, &objects, &TestClock::new(), &order, FOREVER).await.unwrap();
        let super::super::End::Complete(checkpoint) = end else { panic!("{end:?}") };
        assert_eq!(functions.seen().peak, ceiling);
        assert_eq!(checkpoint.progress.peak_concurrency as usize, ceiling);
        let floor_ms = 400_u64.div_ceil(ceiling as u64) * 100;
        assert_eq!(checkpoint.progress.wall_time_ms, floor_ms, "no place is empty while items wait");
        assert_eq!(checkpoint.progress.latencies.percentile(50), Some(101), "in a bucket of 100 and 101");
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_throttles_passes_and_all_run_once() {
    for hint in [None, Some(Duration::from_secs(2))] {
        let functions = InMemoryFunctions::new(|_: &str, _| well(100)).with_capacity(20, hint);
        let results = results(&functions, &call(3_000, json!({"concurrency": 200}))).await;
        assert!(outcomes(&results).iter().all(|outcome| *outcome == "SUCCEEDED"));
        let seen = functions.seen();
        assert!(seen.runs.values().all(|runs| *runs == 1));
        assert!(seen.throttled < seen.calls / 5, "{} of {} calls were refused", seen.throttled, seen.calls);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_to_wait_is_followed_by_all() {
    let hint = Duration::from_secs(7);
    let begun = tokio::time::Instant::now();
    let sent_while_waiting = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent_while_waiting);
    let functions = InMemoryFunctions::new(move |payload: &str, tries| {
        let waits = begun.elapsed() > Duration::from_millis(20) && begun.elapsed() < hint;
        counted.fetch_add(u64::from(waits), Ordering::Relaxed);
        match (payload, tries) {
            ("0", 1) => Reply::error(
                Duration::from_millis(10),
                ErrorKind::Throttled { retry_after: Some(hint) },
                false,
            ),
            _ => well(50),
        }
    });
    let results = results(&functions, &call(100, json!({"concurrency": 10}))).await;
    assert!(outcomes(&results).iter().all(|outcome| *outcome == "SUCCEEDED"));
    assert_eq!(sent_while_waiting.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn past_what_is_tolerated_the_rest_is_not_run_and_said_so() {
    for (tolerated, least_failed) in [(json!(4), 5), (json!("2%"), 5), (json!(0), 1)] {
        let functions = InMemoryFunctions::new(|_: &str, _| Reply::failed(Duration::from_millis(10)));
        let results =
            results(&functions, &call(200, json!({"concurrency": 3, "tolerated": tolerated}))).await;
        let failed = outcomes(&results).iter().filter(|outcome| **outcome == "FUNCTION_ERROR").count();
        let not_run = outcomes(&results).iter().filter(|outcome| **outcome == "NOT_RUN").count();
        assert!((least_failed..least_failed + 3).contains(&failed), "{tolerated}: {failed}");
        assert_eq!(failed + not_run, 200);
        assert_eq!(functions.seen().calls as usize, failed);
        assert_eq!(results[199]["errorType"], "TooManyFailed");
    }
    let functions = InMemoryFunctions::new(|_: &str, _| Reply::failed(Duration::from_millis(10)));
    let results = results(&functions, &call(200, json!({"tolerated": "100%"}))).await;
    assert!(outcomes(&results).iter().all(|outcome| *outcome == "FUNCTION_ERROR"));
}

/// Runs payloads to their end or for so long over a stream. Returns what it came to, the lines, and how long it took.
async fn streamed<C: FunctionCaller>(
    caller: &C,
    order: &Order,
    ledger_order: ResultOrder,
    time: Duration,
) -> (Came, Vec<u64>, Duration) {
    let items = inline(&order.source, &order.terms, 0, None).unwrap();
    let ledger = StreamedLedger::in_order(Plain(Vec::new()), ledger_order);
    let stop =
        Stop { starting: tokio::time::sleep(time), waiting: std::future::pending(), counts_rest: true };
    let begun = tokio::time::Instant::now();
    let run = invoke_all(caller, &ledger, items, &order.terms, Start::default(), stop);
    let came = run.await.unwrap();
    let lines = String::from_utf8(ledger.into_writer().0).unwrap();
    let index =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["index"].as_u64().unwrap();
    (came, lines.lines().map(index).collect(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_slow_item_holds_up_no_other_whatever_the_order_of_results() {
    for order in [ResultOrder::List { held_max_bytes: HELD_RESULTS_MAX_BYTES }, ResultOrder::Completion] {
        let functions =
            InMemoryFunctions::new(|payload: &str, _| well(if payload == "0" { 6_000 } else { 10 }));
        let (came, lines, took) =
            streamed(&functions, &call(2_000, json!({"concurrency": 4})), order, FOREVER.0).await;
        assert!(matches!(came.ended, Ended::Complete), "{came:?}");
        assert_eq!(
            took,
            Duration::from_secs(6) + Duration::from_millis(500),
            "its three places, then all four"
        );
        let is_in_order = lines.is_sorted();
        assert_eq!((lines.len(), is_in_order), (2_000, order != ResultOrder::Completion));
        assert_eq!(lines.first() == Some(&0), is_in_order);
    }
}

#[tokio::test(start_paused = true)]
async fn the_function_goes_on_past_what_it_can_hold_for_a_slow_item() {
    let answer = format!("\"{}\"", "x".repeat(200_000));
    let functions = InMemoryFunctions::new(move |payload: &str, _| match payload {
        "0" => well(600_000),
        _ => Reply::well(Duration::from_millis(100), answer.clone()),
    });
    // All together are more than twice what is held.
    let order = call(700, json!({"concurrency": 5}));
    let (objects, begun) = (InMemoryObjectStore::default(), tokio::time::Instant::now());
    let end = run_for(&functions, &objects, &TestClock::new(), &order, FOREVER).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(600), "nothing is left to do when the slow one comes");
    let results = results_as_given(&objects, &order, end).await;
    let at = results.iter().position(|result| result["index"] == 0);
    assert!(at > Some(300), "{at:?}");
    assert!(functions.seen().runs.values().all(|runs| *runs == 1));
}

#[tokio::test(start_paused = true)]
async fn past_what_memory_holds_results_come_out_of_order_and_none_is_lost() {
    let functions = InMemoryFunctions::new(|payload: &str, _| well(if payload == "0" { 6_000 } else { 10 }));
    let order = ResultOrder::List { held_max_bytes: 20_000 };
    let (_, mut lines, _) =
        streamed(&functions, &call(500, json!({"concurrency": 4})), order, FOREVER.0).await;
    assert!(lines.iter().position(|index| *index == 0) > Some(50), "{lines:?}");
    lines.sort_unstable();
    assert_eq!(lines, (0..500).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn at_a_stop_what_waits_has_its_result_and_what_was_not_begun_is_counted() {
    let functions = InMemoryFunctions::new(|payload: &str, _| match payload {
        "5" => Reply::error(Duration::from_millis(1), ErrorKind::Throttled { retry_after: None }, false),
        _ => well(20),
    });
    let order = ResultOrder::List { held_max_bytes: HELD_RESULTS_MAX_BYTES };
    let (came, lines, _) =
        streamed(&functions, &call(3_000, json!({"concurrency": 8})), order, Duration::from_secs(2)).await;
    let seen = functions.seen();
    assert!(matches!(came.ended, Ended::Stopped), "{came:?}");
    assert_eq!(lines.len(), seen.tries.len(), "each item that was sent has a line");
    assert_eq!((came.progress.counts.succeeded, came.progress.counts.not_run), (lines.len() as u64 - 1, 1));
    assert_eq!(came.not_begun, Some(3_000 - lines.len() as u64));
    assert!(lines.is_sorted());
}

#[tokio::test(start_paused = true)]
async fn a_minute_without_room_costs_no_item_and_few_calls() {
    let begun = tokio::time::Instant::now();
    let functions =
        InMemoryFunctions::new(move |_: &str, _| match begun.elapsed() < Duration::from_secs(75) {
            true => Reply::error(Duration::from_millis(2), ErrorKind::Throttled { retry_after: None }, false),
            false => well(20),
        });
    let order = ResultOrder::Completion;
    let (came, _, took) = streamed(&functions, &call(2_000, json!({})), order, FOREVER.0).await;
    assert_eq!(came.progress.counts.succeeded, 2_000);
    let refused = functions.seen().calls - 2_000;
    assert!(refused < 140, "the first hundred, then a call for each pause: {refused}");
    assert!(took < Duration::from_secs(85), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn refused_without_a_break_for_longer_than_allowed_it_halts_and_rejects_nothing() {
    let functions = InMemoryFunctions::new(|_: &str, _| {
        Reply::error(Duration::from_millis(2), ErrorKind::Throttled { retry_after: None }, false)
    });
    let call = call(2_000, json!({"throttleTimeoutSeconds": 60}));
    let (came, lines, took) = streamed(&functions, &call, ResultOrder::Completion, FOREVER.0).await;
    assert!(
        matches!(&came.ended, Ended::Halted(why) if why.to_string().starts_with("every call was refused for 6"))
    );
    assert_eq!((came.progress.counts.not_run, came.progress.counts.rejected), (lines.len() as u64, 0));
    assert_eq!(came.not_begun, Some(2_000 - lines.len() as u64));
    assert!((60..66).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_every_item_would_meet_stops_the_run_with_one_sentence() {
    for (error_type, expected) in [
        (
            "ResourceNotFoundException",
            "task can't be invoked: ResourceNotFoundException: as the test wants it",
        ),
        (
            "UnrecognizedClientException",
            "task can't be invoked: UnrecognizedClientException: as the test wants it",
        ),
        (NO_CREDENTIALS, "task can't be invoked: NoCredentials: as the test wants it"),
    ] {
        let functions = InMemoryFunctions::new(move |_: &str, _| {
            let mut reply = Reply::error(Duration::from_millis(2), ErrorKind::Permanent, false);
            if let Err(error) = &mut reply.result {
                error.error_type = error_type.to_owned();
            }
            reply
        });
        let (came, lines, _) =
            streamed(&functions, &call(500, json!({"concurrency": 3})), ResultOrder::Completion, FOREVER.0)
                .await;
        let Ended::Halted(why) = came.ended else { panic!("{error_type}: {came:?}") };
        assert_eq!(why.to_string(), expected);
        assert_eq!((functions.seen().calls, lines.len(), came.not_begun), (3, 3, Some(497)));
        assert_eq!(came.progress.counts.not_run, 3, "they did not run");
    }
}

#[tokio::test(start_paused = true)]
async fn this_machines_limits_cost_no_item() {
    let open = Arc::new(AtomicU64::new(0));
    let functions = Counting { open: Arc::clone(&open), most: 30 };
    let order = ResultOrder::Completion;
    let (came, _, _) =
        streamed(&functions, &call(2_000, json!({"concurrency": 200})), order, FOREVER.0).await;
    assert_eq!(came.progress.counts.succeeded, 2_000, "{came:?}");
    assert!(came.progress.retries < 400, "{}", came.progress.retries);
}

/// A machine that makes no more than so many connections.
struct Counting {
    open: Arc<AtomicU64>,
    most: u64,
}

impl FunctionCaller for Counting {
    async fn call(&self, _: &FunctionCall<'_>) -> Result<CallAnswer, CallError> {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.most {
            self.open.fetch_sub(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(1)).await;
            let why = "too many open files";
            return Err(CallError::new(ErrorKind::Retryable, CONNECTION_FAILED, why));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.open.fetch_sub(1, Ordering::Relaxed);
        Ok(CallAnswer::default().with(|it| it.status = 200))
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_at_the_endpoint_stops_the_run_with_one_sentence() {
    let functions = Counting { open: Arc::default(), most: 0 };
    let (came, lines, took) =
        streamed(&functions, &call(50, json!({"concurrency": 5})), ResultOrder::Completion, FOREVER.0).await;
    let Ended::Halted(why) = came.ended else { panic!("{came:?}") };
    assert!(why.to_string().starts_with("no connection could be made for 1"), "{why}");
    assert_eq!((lines.len(), came.not_begun), (5, Some(45)));
    assert!((10..16).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_target_without_room_holds_up_its_own_items_alone() {
    let hint = Duration::from_secs(30);
    let begun = tokio::time::Instant::now();
    let invocations: Vec<_> = (0..600)
        .map(|n| json!({"functionName": if n < 300 { "full" } else { "free" }, "payload": n}))
        .collect();
    let order = read_call(&json!({"invocations": invocations, "concurrency": 20}).to_string()).unwrap();
    let order = order.check(&Targets::any()).unwrap();
    let free_ended = Arc::new(AtomicU64::new(0));
    let ended = Arc::clone(&free_ended);
    let functions = InMemoryFunctions::new(move |payload: &str, _| {
        let index: u64 = payload.parse().unwrap();
        if index < 300 && begun.elapsed() < hint {
            let kind = ErrorKind::Throttled { retry_after: Some(hint) };
            return Reply::error(Duration::from_millis(2), kind, false);
        }
        if index >= 300 {
            ended.fetch_max(begun.elapsed().as_millis() as u64, Ordering::Relaxed);
        }
        well(20)
    });
    let (came, ..) = streamed(&functions, &order, ResultOrder::Completion, FOREVER.0).await;
    assert_eq!(came.progress.counts.succeeded, 600);
    assert!(free_ended.load(Ordering::Relaxed) < 1_000, "the other function's items did not wait");
}
