//! How many at once, how many may fail, how much is held.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;

use super::world::{FOREVER, TestClock, call, outcomes, results, run_for, well};
use crate::fan_out::limits::reorder_window;
use crate::memory::{InMemoryFunctions, InMemoryObjectStore, Reply};
use crate::use_cases::fan_out::{Ended, Plain, Start, Stop, StreamedLedger, inline, invoke_all};

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
                crate::ports::ErrorKind::Throttled { retry_after: Some(hint) },
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

#[tokio::test(start_paused = true)]
async fn a_slow_item_holds_up_no_more_results_than_the_window() {
    let functions =
        InMemoryFunctions::new(|payload: &str, _| well(if payload == "0" { 1_000_000 } else { 1 }));
    let order = call(5_000, json!({"concurrency": 4, "timeoutSeconds": 960}));
    let read = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&read);
    let items = inline(&order.source, &order.terms, 0, None).unwrap();
    let items = items.inspect(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let items = items.boxed();
    let ledger = StreamedLedger::new(Plain(Vec::new()));
    let held = tokio::time::sleep(Duration::from_secs(900));
    let stop = Stop { starting: held, waiting: std::future::pending() };
    let run = invoke_all(&functions, &ledger, items, &order.terms, Start::default(), stop);
    let (ended, progress) = run.await.unwrap();
    let window = reorder_window(4);
    assert_eq!(read.load(Ordering::Relaxed), window, "nothing is read that can't be started");
    assert_eq!(
        (ended, progress.counts.total()),
        (Ended::Stopped, window),
        "the slow one ran into its time-out"
    );
    assert_eq!((progress.counts.unknown, progress.counts.succeeded), (1, window - 1));
    let lines = String::from_utf8(ledger.into_writer().0).unwrap();
    assert_eq!(lines.lines().count() as u64, window);
}
