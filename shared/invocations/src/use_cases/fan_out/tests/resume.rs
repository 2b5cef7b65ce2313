//! A fan-out that is stopped, killed, or run by two at once.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::world::{
    FOREVER, TestClock, call, outcomes, place, results_as_given, results_of, run_for, run_holding, well,
};
use crate::domain::SourceVersion;
use crate::fan_out::{Checkpoint, Order};
use crate::memory::{InMemoryFunctions, InMemoryObjectStore, Reply};
use crate::ports::{
    CallAnswer, CallError, CheckpointStore, FunctionCall, FunctionCaller, ObjectStore, ObjectWriter,
    PortError, Stored, Version,
};
use crate::use_cases::fan_out::{End, FanOutError};

/// Bytes that are held where memory is no matter, and where there is next to none.
const ALL: usize = usize::MAX;
const FEW: usize = 600;

/// Kills whoever makes a certain call: before it takes effect, or after that.
#[derive(Clone)]
struct Death {
    calls_left: Arc<AtomicI64>,
    takes_effect: bool,
    comes: Arc<Notify>,
    /// How long a write takes.
    writes: Duration,
}

impl Death {
    fn at_call(number: i64, takes_effect: bool) -> Self {
        let (calls_left, comes) = (Arc::new(AtomicI64::new(number)), Arc::new(Notify::new()));
        Self { calls_left, takes_effect, comes, writes: Duration::ZERO }
    }

    fn with_writes_of(self, writes: Duration) -> Self {
        Self { writes, ..self }
    }

    async fn around<T>(&self, call: impl Future<Output = T> + Send) -> T {
        let left = self.calls_left.fetch_sub(1, Ordering::Relaxed) - 1;
        if left > 0 {
            return call.await;
        }
        if left == 0 && self.takes_effect {
            call.await;
        }
        self.comes.notify_one();
        std::future::pending().await
    }
}

#[derive(Clone)]
struct Mortal<P>(P, Death);

impl<C: FunctionCaller> FunctionCaller for Mortal<C> {
    async fn call(&self, call: &FunctionCall<'_>) -> Result<CallAnswer, CallError> {
        self.1.around(self.0.call(call)).await
    }
}

impl<O: CheckpointStore> CheckpointStore for Mortal<O> {
    async fn load(&self, key: &str) -> Result<Option<Stored>, PortError> {
        self.1.around(self.0.load(key)).await
    }

    async fn save(
        &self,
        key: &str,
        bytes: &[u8],
        over: Option<&Version>,
    ) -> Result<Option<Version>, PortError> {
        tokio::time::sleep(self.1.writes).await;
        self.1.around(self.0.save(key, bytes, over)).await
    }
}

impl<O: ObjectStore> ObjectStore for Mortal<O> {
    type Reader = O::Reader;
    type Writer = Mortal<O::Writer>;

    async fn open_object(&self, key: &str) -> Result<Option<Self::Reader>, PortError> {
        self.1.around(self.0.open_object(key)).await
    }

    async fn open_version(
        &self,
        key: &str,
        version_id: Option<&str>,
    ) -> Result<Option<(Self::Reader, SourceVersion)>, PortError> {
        self.1.around(self.0.open_version(key, version_id)).await
    }

    async fn create_object(&self, key: &str, content_type: &str) -> Result<Self::Writer, PortError> {
        Ok(Mortal(self.0.create_object(key, content_type).await?, self.1.clone()))
    }
}

impl<W: ObjectWriter> ObjectWriter for Mortal<W> {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        self.0.write(bytes).await
    }

    async fn finish(self) -> Result<(), PortError> {
        let Mortal(writer, death) = self;
        tokio::time::sleep(death.writes).await;
        death.around(writer.finish()).await
    }
}

async fn checkpoint(objects: &InMemoryObjectStore) -> Option<Checkpoint> {
    let stored = objects.load(&place().checkpoint()).await.unwrap()?;
    Some(serde_json::from_slice(&stored.bytes).unwrap())
}

/// Runs until death or the end; whether it died.
async fn run_until_death<C: FunctionCaller + Clone>(
    held: usize,
    functions: &C,
    objects: &InMemoryObjectStore,
    clock: &TestClock,
    order: &Order,
    death: &Death,
) -> bool {
    let (functions, objects) =
        (Mortal(functions.clone(), death.clone()), Mortal(objects.clone(), death.clone()));
    tokio::select! {
        biased;
        () = death.comes.notified() => true,
        end = run_holding(held, &functions, &objects, clock, order, FOREVER) => {
            end.unwrap();
            false
        }
    }
}

/// Each has a checkpoint or two, so that there are several hundred calls to be killed at.
const ITEMS: u64 = 40;

/// Results that wait for an item are held, or given out past a few bytes of them.
async fn killed_at_every_call_and_resumed(held: usize, idempotent: bool, takes_effect: bool) -> i64 {
    let order = call(ITEMS, json!({"concurrency": 4, "idempotent": idempotent}));
    for number in 1.. {
        let functions = InMemoryFunctions::new(|payload: &str, tries| {
            let index: u64 = payload.parse().unwrap();
            let throttled = crate::ports::ErrorKind::Throttled { retry_after: None };
            match index % 7 == 3 && tries == 1 {
                true => Reply::error(Duration::from_millis(3), throttled, false),
                false => Reply::well(Duration::from_millis(10 + index * 37 % 90), payload),
            }
        });
        let (objects, clock) = (InMemoryObjectStore::default(), TestClock::new());
        let death = Death::at_call(number, takes_effect);
        if !run_until_death(held, &functions, &objects, &clock, &order, &death).await {
            return number;
        }
        tokio::time::advance(Duration::from_secs(60)).await;
        let (before, tries_before) = (checkpoint(&objects).await, functions.seen().tries);
        // Killed once more on the way, then left alone.
        let again = Death::at_call(1 + number % 23, !takes_effect);
        run_until_death(held, &functions, &objects, &clock, &order, &again).await;
        tokio::time::advance(Duration::from_secs(60)).await;
        let end = run_holding(held, &functions, &objects, &clock, &order, FOREVER).await.unwrap();
        let results = results_as_given(&objects, &order, end).await;
        assert_eq!(results.len() as u64, ITEMS, "call {number}");
        let seen = functions.seen();
        let settled = before.map(|checkpoint| checkpoint.done).unwrap_or_default();
        for result in &results {
            let (index, outcome) = (result["index"].to_string(), result["outcome"].as_str().unwrap());
            let runs = seen.runs.get(&index).copied().unwrap_or(0);
            match (idempotent, outcome) {
                (true, "SUCCEEDED") => assert!(runs >= 1, "call {number}: {result}"),
                (false, "SUCCEEDED") => assert_eq!(runs, 1, "call {number}: {result}"),
                (false, "UNKNOWN") => assert!(runs <= 1, "call {number}: {result}"),
                _ => panic!("call {number}: {result}"),
            }
            if settled.contains(result["index"].as_u64().unwrap()) {
                assert_eq!(outcome, "SUCCEEDED", "call {number}: {result}");
                assert_eq!(seen.tries[&index], tries_before[&index], "call {number}: {index} had its result");
            }
        }
    }
    unreachable!("the loop ends with the first run that nothing kills")
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_call_it_is_resumed_and_no_item_runs_twice() {
    for (held, takes_effect) in [(ALL, false), (ALL, true), (FEW, false), (FEW, true)] {
        let calls = killed_at_every_call_and_resumed(held, false, takes_effect).await;
        assert!(calls > 80, "40 invocations, the throttled ones twice, and what is written down: {calls}");
    }
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_call_it_is_resumed_and_what_is_idempotent_all_succeeds() {
    for (held, takes_effect) in [(ALL, false), (FEW, true)] {
        killed_at_every_call_and_resumed(held, true, takes_effect).await;
    }
}

/// Runs a list whose calls take as long as `call_ms` says, and whose every write takes 25 ms, kills it at every 37th
/// call to a port, and asserts how many items are in doubt then.
async fn killed_it_doubts_at_most(most: usize, terms: Value, call_ms: fn(u64) -> u64) {
    let order = call(300, terms);
    // From the first calls to the last.
    for number in (1..600).step_by(37) {
        let functions =
            InMemoryFunctions::new(move |payload: &str, _| well(call_ms(payload.parse().unwrap())));
        let (objects, clock) = (InMemoryObjectStore::default(), TestClock::new());
        let death = Death::at_call(number, true).with_writes_of(Duration::from_millis(25));
        let has_died = run_until_death(ALL, &functions, &objects, &clock, &order, &death).await;
        tokio::time::advance(Duration::from_secs(60)).await;
        let end = run_for(&functions, &objects, &clock, &order, FOREVER).await.unwrap();
        let results = results_of(&objects, &order, end).await;
        let unknown = outcomes(&results).into_iter().filter(|outcome| *outcome == "UNKNOWN").count();
        assert!(unknown <= if has_died { most } else { 0 }, "call {number}: {unknown}");
    }
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_call_it_doubts_what_could_be_in_flight_alone_however_short_calls_are() {
    let lengths: [fn(u64) -> u64; 4] = [
        |index| index * 37 % 20,
        |index| 10 + index * 37 % 20,
        |index| 1_000 + index * 37 % 900,
        |index| 10_000 + index * 37 % 50_000,
    ];
    for ceiling in [1, 4, 40] {
        for call_ms in lengths {
            killed_it_doubts_at_most(ceiling, json!({"concurrency": ceiling}), call_ms).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn with_checkpoints_ahead_it_doubts_no_more_while_calls_are_long() {
    for ceiling in [1, 4, 40] {
        let terms = json!({"concurrency": ceiling, "checkpointsAhead": true});
        killed_it_doubts_at_most(ceiling, terms, |index| 10_000 + index * 37 % 50_000).await;
    }
}

#[tokio::test(start_paused = true)]
async fn with_checkpoints_ahead_it_doubts_a_few_more_while_calls_take_a_second() {
    for (ceiling, more) in [(4, 1), (40, 5)] {
        let terms = json!({"concurrency": ceiling, "checkpointsAhead": true});
        killed_it_doubts_at_most(ceiling + more, terms, |index| 1_000 + index * 37 % 900).await;
    }
}

#[tokio::test(start_paused = true)]
async fn with_checkpoints_ahead_it_doubts_three_times_the_ceiling_at_most_while_calls_are_shorter_than_checkpoints()
 {
    let terms = json!({"concurrency": 40, "checkpointsAhead": true});
    killed_it_doubts_at_most(3 * 40, terms, |index| 10 + index * 37 % 20).await;
}

/// How long a thousand calls take, forty at once, where each of a checkpoint's two writes takes 25 ms: as a ratio to what
/// they would take alone. With it the number of checkpoints.
async fn time_with_checkpoints(call_ms: u64, ahead: bool) -> (f64, u64) {
    let order = call(1_000, json!({"concurrency": 40, "checkpointsAhead": ahead}));
    let functions = InMemoryFunctions::new(move |_: &str, _| well(call_ms + call_ms / 100));
    let (objects, clock) = (InMemoryObjectStore::default(), TestClock::new());
    let writes = Death::at_call(i64::MAX, true).with_writes_of(Duration::from_millis(25));
    let begun = tokio::time::Instant::now();
    run_until_death(ALL, &functions, &objects, &clock, &order, &writes).await;
    let took = begun.elapsed().as_secs_f64() * 1_000.0 / (25.0 * (call_ms + call_ms / 100) as f64);
    (took, checkpoint(&objects).await.unwrap().saves)
}

#[tokio::test(start_paused = true)]
async fn checkpoints_take_little_time_from_invoking() {
    for (call_ms, most, most_ahead) in
        [(20, 5.5, 2.2), (100, 2.2, 1.1), (1_000, 1.15, 1.1), (10_000, 1.05, 1.05), (60_000, 1.02, 1.02)]
    {
        for (ahead, most) in [(false, most), (true, most_ahead)] {
            let (took, saves) = time_with_checkpoints(call_ms, ahead).await;
            println!("{call_ms} ms, ahead {ahead}: {took:.3} of the shortest time, {saves} checkpoints");
            assert!(took <= most, "{call_ms} ms, ahead {ahead}: {took:.3}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn stopped_in_time_it_leaves_nothing_in_doubt() {
    let functions = InMemoryFunctions::new(|payload: &str, tries| {
        let throttled = crate::ports::ErrorKind::Throttled { retry_after: None };
        match payload.parse::<u64>().unwrap() % 5 == 0 && tries < 3 {
            true => Reply::error(Duration::from_millis(3), throttled, false),
            false => well(70),
        }
    });
    let order = call(500, json!({"concurrency": 8}));
    let (objects, clock) = (InMemoryObjectStore::default(), TestClock::new());
    let time = (Duration::from_millis(600), Duration::from_secs(60));
    let mut invocations = 1;
    let end = loop {
        match run_for(&functions, &objects, &clock, &order, time).await.unwrap() {
            End::ToBeContinued { came_further, checkpoint } => {
                assert!(came_further, "{checkpoint:?}");
                invocations += 1;
            }
            end => break end,
        }
    };
    let results = results_of(&objects, &order, end).await;
    assert!(invocations > 5, "{invocations}");
    assert!(outcomes(&results).iter().all(|outcome| *outcome == "SUCCEEDED"));
    assert!(functions.seen().runs.values().all(|runs| *runs == 1));
    assert_eq!(results[5]["attempts"], 3, "also where the attempts are of two invocations");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_in_time_is_lost_or_asked_for_again() {
    let time = (Duration::from_secs(10), Duration::from_secs(20));
    for (idempotent, expected) in [(false, "UNKNOWN"), (true, "SUCCEEDED")] {
        let functions = InMemoryFunctions::new(|payload: &str, tries| {
            well(if payload == "1" && tries == 1 { 100_000 } else { 10 })
        });
        let order = call(40, json!({"concurrency": 2, "idempotent": idempotent}));
        let (objects, clock) = (InMemoryObjectStore::default(), TestClock::new());
        let first = run_for(&functions, &objects, &clock, &order, time).await.unwrap();
        assert_eq!(matches!(first, End::ToBeContinued { .. }), idempotent);
        let end = match first {
            End::Complete(_) => first,
            _ => run_for(&functions, &objects, &clock, &order, time).await.unwrap(),
        };
        let results = results_of(&objects, &order, end).await;
        assert_eq!(results[1]["outcome"], expected);
        assert_eq!(functions.seen().calls, 40 + u64::from(idempotent), "what has its result is left alone");
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_invocation_leaves_a_living_one_alone() {
    let functions = InMemoryFunctions::new(|_: &str, _| well(120_000));
    let order = call(6, json!({"concurrency": 1}));
    let (objects, clock) = (InMemoryObjectStore::default(), TestClock::new());
    let first = run_for(&functions, &objects, &clock, &order, FOREVER);
    let second = async {
        for _ in 0..6 {
            tokio::time::sleep(Duration::from_secs(100)).await;
            let end = run_for(&functions, &objects, &clock, &order, FOREVER).await.unwrap();
            assert!(matches!(end, End::Elsewhere(_)), "{end:?}");
        }
    };
    let (end, ()) = tokio::join!(first, second);
    assert!(
        outcomes(&results_of(&objects, &order, end.unwrap()).await)
            .iter()
            .all(|outcome| *outcome == "SUCCEEDED")
    );
    assert_eq!(functions.seen().calls, 6);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_believed_dead_starts_nothing_more() {
    let functions = InMemoryFunctions::new(|_: &str, _| well(100));
    let order = call(400, json!({"concurrency": 4}));
    let (objects, clock) = (InMemoryObjectStore::default(), TestClock::new());
    let mut first = Box::pin(run_for(&functions, &objects, &clock, &order, FOREVER));
    // It runs for a while, then stands still, as a frozen process does.
    assert!(tokio::time::timeout(Duration::from_secs(2), &mut first).await.is_err());
    tokio::time::advance(Duration::from_secs(60)).await;
    let end = run_for(&functions, &objects, &clock, &order, FOREVER).await.unwrap();
    let error = first.await.unwrap_err();
    assert!(matches!(error, FanOutError::TakenOver(_)), "{error}");
    let results = results_of(&objects, &order, end).await;
    let unknown = outcomes(&results).iter().filter(|outcome| **outcome == "UNKNOWN").count();
    assert!((4..=5).contains(&unknown), "what was written down as started is in doubt: {unknown}");
    let seen = functions.seen();
    assert!(seen.runs.values().all(|runs| *runs == 1) && seen.runs.len() <= 400, "{:?}", seen.runs);
}

#[tokio::test(start_paused = true)]
async fn an_id_is_one_calls_alone() {
    let functions = InMemoryFunctions::new(|_: &str, _| well(1));
    let (objects, clock) = (InMemoryObjectStore::default(), TestClock::new());
    let order = call(3, json!({}));
    run_for(&functions, &objects, &clock, &order, FOREVER).await.unwrap();
    let again = run_for(&functions, &objects, &clock, &order, FOREVER).await.unwrap();
    assert!(matches!(again, End::Complete(_)));
    assert_eq!(functions.seen().calls, 3, "what is complete is answered, not done");
    let place = place();
    let other = crate::use_cases::fan_out::FanOut {
        order: &order,
        place: &place,
        digest: "another",
        owner: "request",
        first: 0,
        end: None,
        held_max_bytes: ALL,
        stop_starting: tokio::time::Instant::now(),
        stop_waiting: tokio::time::Instant::now(),
    };
    let error =
        crate::use_cases::fan_out::run_fan_out(&functions, &objects, &clock, &other).await.unwrap_err();
    assert_eq!(error.to_string(), "the run id run is another call's; choose another");
}
