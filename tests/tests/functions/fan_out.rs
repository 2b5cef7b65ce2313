//! The fan-out's handler on functions and objects in memory.

use std::time::Duration;

use batchwright::engine::VirtualClock;
use batchwright::fan_out::Targets;
use batchwright::function::{Answer, FunctionError, Invocation};
use batchwright::memory::{InMemoryFunctions, InMemoryObjectStore, Reply};
use batchwright::ports::{Clock, ErrorKind};
use batchwright_tests::schema::conforms;
use fan_out::{AnswerState, Config, Ports, Response, handle};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::world::{BUCKET, Invocations};

type Behaviour = Box<dyn Fn(&str, u32) -> Reply + Send + Sync>;

struct World {
    ports: Ports<InMemoryFunctions<Behaviour>, InMemoryObjectStore, VirtualClock, Invocations>,
    config: Config,
}

impl World {
    fn new(behaviour: impl Fn(&str, u32) -> Reply + Send + Sync + 'static) -> Self {
        let clock = VirtualClock::starting_at(batchwright::domain::Timestamp::from_millis(1_700_000_000_000));
        let caller = InMemoryFunctions::new(Box::new(behaviour) as Behaviour);
        let ports =
            Ports { caller, objects: InMemoryObjectStore::default(), clock, invoker: Invocations::default() };
        let config = Config {
            bucket: BUCKET.to_owned(),
            targets: Targets::matching("task*"),
            stop_margin: Duration::from_secs(120),
        };
        Self { ports, config }
    }

    fn echoing(latency_ms: u64) -> Self {
        Self::new(move |payload, _| Reply::well(Duration::from_millis(latency_ms), payload))
    }

    async fn invoke(&self, event: Value, request_id: &str) -> Result<Answer<Response>, FunctionError> {
        let invocation = Invocation {
            request_id: request_id.to_owned(),
            function_name: "fan-out".to_owned(),
            deadline: self.ports.clock.now().plus_millis(900_000),
        };
        let event = serde_json::value::to_raw_value(&event).unwrap();
        handle(&self.ports, &self.config, &event, &invocation).await
    }

    /// Does what was handed on, until nothing is. Returns the last answer and the number of invocations.
    async fn run_rest(&self) -> (Option<Response>, usize) {
        let (mut last, mut count) = (None, 0);
        loop {
            let rest = self.ports.invoker.take();
            if rest.is_empty() {
                return (last, count);
            }
            for (function, event) in rest {
                assert_eq!(function, "fan-out");
                count += 1;
                last = Some(self.invoke(event, &format!("rest-{count}")).await.unwrap().body);
            }
        }
    }

    fn lines(&self, uri: &str) -> Vec<Value> {
        let bytes = self.ports.objects.bytes(uri.strip_prefix("s3://bucket/").unwrap()).unwrap();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn in_order(results: &[Value], items: usize) {
    let indices: Vec<u64> = results.iter().map(|result| result["index"].as_u64().unwrap()).collect();
    assert_eq!(indices, (0..items as u64).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_short_list_is_answered_at_once() {
    let world = World::echoing(10);
    let answer = world.invoke(json!({"functionName": "task", "payloads": [1, {"a": 2}]}), "r").await.unwrap();
    let value = serde_json::to_value(&answer.body).unwrap();
    assert!(conforms(&fan_out::schema::answer(), &value), "{value:#}");
    assert_eq!(value["state"], "COMPLETE");
    assert_eq!(value["results"][1]["payload"], json!({"a": 2}));
    assert_eq!(value["summary"]["counts"]["succeeded"], 2);
    let summary = world.lines(&answer.body.summary_uri).remove(0);
    assert_eq!(summary["summary"], value["summary"]);
    assert!(
        answer
            .metrics
            .iter()
            .any(|metric| *metric == batchwright::function::Metric::count("InvocationsSucceeded", 2))
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_takes_longer_than_an_invocation_is_gone_on_with() {
    let world = World::echoing(60_000);
    let payloads: Vec<u32> = (0..50).collect();
    let call = json!({"functionName": "task", "payloads": payloads, "concurrency": 2, "runId": "long"});
    let first = world.invoke(call.clone(), "r").await.unwrap().body;
    assert_eq!(first.state, AnswerState::Running);
    let (last, count) = world.run_rest().await;
    let last = last.unwrap();
    assert_eq!((last.state, count), (AnswerState::Complete, 1), "fourteen rounds of two in an invocation");
    let results = world.lines(&last.results_uri.unwrap());
    in_order(&results, 50);
    assert!(results.iter().all(|result| result["outcome"] == "SUCCEEDED"));
    assert!(world.ports.caller.seen().runs.values().all(|runs| *runs == 1));
    let again = world.invoke(call, "another").await.unwrap().body;
    assert_eq!((again.state, again.results.map(|results| results.len())), (AnswerState::Complete, Some(50)));
    assert_eq!(world.ports.caller.seen().calls, 50, "a call with its id is told how it went");
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_no_further_is_not_handed_on_for_ever() {
    let world = World::echoing(2_000_000);
    let call = json!({"functionName": "task", "payloads": [1], "idempotent": true, "runId": "r"});
    let answer = world.invoke(call, "r").await.unwrap().body;
    assert_eq!(answer.state, AnswerState::Stopped);
    assert_eq!(world.ports.invoker.take(), []);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_refused_for_longer_than_an_invocation_is_gone_on_with_and_loses_no_item() {
    let begun = tokio::time::Instant::now();
    let world = World::new(move |payload, _| match begun.elapsed() < Duration::from_secs(3_000) {
        true => Reply::error(Duration::from_millis(5), ErrorKind::Throttled { retry_after: None }, false),
        false => Reply::well(Duration::from_millis(10), payload),
    });
    let payloads: Vec<u32> = (0..400).collect();
    let call = json!({"functionName": "task", "payloads": payloads, "runId": "refused"});
    let first = world.invoke(call.clone(), "r").await.unwrap().body;
    assert_eq!(first.state, AnswerState::Running);
    let (last, count) = world.run_rest().await;
    let last = last.unwrap();
    assert_eq!((last.state, last.summary.counts.succeeded), (AnswerState::Complete, 400));
    assert!((3..6).contains(&count), "{count} invocations");
    let calls = world.ports.caller.seen().calls;
    assert!(calls < 400 + 1_300, "a call for each pause of five seconds: {calls}");

    let world = World::new(move |_, _| {
        Reply::error(Duration::from_millis(5), ErrorKind::Throttled { retry_after: None }, false)
    });
    let mut call = call;
    call["throttleTimeoutSeconds"] = json!(2_000);
    world.invoke(call, "r").await.unwrap();
    let mut ended = None;
    while let Some((_, event)) = world.ports.invoker.take().pop() {
        ended = Some(world.invoke(event, "rest").await);
    }
    let error = ended.unwrap().unwrap_err();
    assert!(error.to_string().starts_with("every call was refused for 200"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn payloads_are_passed_on_as_they_came() {
    let world = World::echoing(1);
    let event = r#"{"functionName": "task", "invocations": [{"payload": null}, {"payload": {"z": 1.10, "a": 12345678901234567890123}}, {}]}"#;
    let event = RawValue::from_string(event.to_owned()).unwrap();
    let invocation = Invocation {
        request_id: "r".to_owned(),
        function_name: "fan-out".to_owned(),
        deadline: world.ports.clock.now().plus_millis(900_000),
    };
    handle(&world.ports, &world.config, &event, &invocation).await.unwrap();
    let seen = world.ports.caller.seen();
    let sent: Vec<&str> = seen.runs.keys().map(String::as_str).collect();
    assert_eq!(sent, ["", "null", r#"{"z": 1.10, "a": 12345678901234567890123}"#]);
}

#[tokio::test(start_paused = true)]
async fn a_tree_splits_the_list_and_its_last_branch_brings_the_results_together() {
    let world = World::echoing(5);
    let list: String = (0..12_345).map(|n| format!("{n}\n")).collect();
    world.ports.objects.put("fan-out/in.jsonl", "application/x-ndjson", list);
    let call = json!({"functionName": "task", "payloadsUri": "s3://bucket/fan-out/in.jsonl", "tree": true, "concurrency": 30, "runId": "tree"});
    let first = world.invoke(call.clone(), "r").await.unwrap().body;
    assert_eq!((first.state, first.summary.items), (AnswerState::Running, 0));
    let (last, count) = world.run_rest().await;
    let last = last.unwrap();
    assert_eq!((last.state, count, last.summary.items), (AnswerState::Complete, 3, 12_345));
    let results = world.lines(&last.results_uri.unwrap());
    in_order(&results, 12_345);
    assert!(results.iter().all(|result| result["payload"] == result["index"]));
    let again = world.invoke(call, "another").await.unwrap().body;
    assert_eq!(again.state, AnswerState::Complete);
    assert_eq!(world.ports.caller.seen().calls, 12_345);
}

#[tokio::test(start_paused = true)]
async fn a_short_list_is_no_tree() {
    let world = World::echoing(5);
    let call = json!({"functionName": "task", "payloads": [1], "tree": true});
    assert_eq!(world.invoke(call, "r").await.unwrap().body.state, AnswerState::Complete);
}

#[tokio::test(start_paused = true)]
async fn what_can_t_be_done_is_refused_by_field() {
    let world = World::echoing(5);
    let call = |field: &str, value: &str| json!({"functionName": "task", field: value});
    for (event, expected) in [
        (json!({"functionName": "task", "payloads": []}), "payloads: is empty; give one entry at least"),
        (
            call("payloadsUri", "s3://bucket/jobs/a"),
            "payloadsUri: s3://bucket/jobs/a is not under s3://bucket/fan-out/; copy it there",
        ),
        (
            call("payloadsUri", "s3://bucket/fan-out/absent"),
            "s3://bucket/fan-out/absent: there is no such object; upload it first",
        ),
        (
            json!({"functionName": "other", "payloads": [1]}),
            "functionName: other is not among the functions that may be invoked (task*); add it to the stack's FanOutTargets",
        ),
        (
            json!({"functionName": "task", "payloads": [1], "resultsUri": "s3://bucket/logs/x"}),
            "resultsUri: s3://bucket/logs/x is not under s3://bucket/fan-out/, or is under fan-out/runs/; choose another key",
        ),
        (json!({"continue": {"runId": "nobody"}}), "there is no fan-out nobody to go on with"),
    ] {
        let error = world.invoke(event, "r").await.unwrap_err();
        assert_eq!((error.to_string().as_str(), error.may_pass()), (expected, false));
    }
    assert_eq!(world.ports.caller.seen().calls, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_lambda_repeats_while_the_first_still_runs_is_to_be_repeated_later() {
    let world = World::echoing(30_000);
    let call = json!({"functionName": "task", "payloads": [1, 2]});
    let second = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let repeated = world.invoke(call.clone(), "r").await.unwrap_err();
        assert!(matches!(repeated, FunctionError::NotYet(_)), "{repeated}");
    };
    let (first, ()) = tokio::join!(world.invoke(call.clone(), "r"), second);
    assert_eq!(first.unwrap().body.state, AnswerState::Complete);
    assert_eq!(world.ports.caller.seen().calls, 2);
}
